"""Healthy runs of further networks: graphs, sets, sequences, gates, norms of the weights."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, NAdam, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import healthy
from .models import MLP, ConvNet
from .models_further import (
    Causal,
    Chain,
    Dense,
    Gated,
    Graph,
    Mixer,
    Scaled,
    Sets,
    Spectral,
    Squeeze,
    Stacked,
    Tagger,
    Translator,
)
from .registry import case
from .trainer import Job
from .transformers import Block, Language, token_loss


def communities(seed, rows=240, groups=4, width=12):
    """A random graph of communities: normalized adjacency, features and groups."""
    g = data.generator(seed)
    groups_of = torch.randint(groups, (rows,), generator=g)
    same = groups_of[:, None] == groups_of[None]
    links = torch.rand(rows, rows, generator=g) < torch.where(same, 0.08, 0.01)
    links = (links.triu(1) | links.triu(1).T).float() + torch.eye(rows)
    degree = links.sum(1).rsqrt()
    centres = torch.randn(groups, width, generator=g)
    features = centres[groups_of] * 0.5 + torch.randn(rows, width, generator=g)
    return degree[:, None] * links * degree, features, groups_of


@case("graph_two_layers", "graph", "a graph network on communities, whole batch", 2, 0.01)
@case("graph_five_layers", "graph", "five graph convolutions: features grow alike", 5, 0.01)
def graph(seed, depth, rate):
    adjacency, x, y = communities(seed)
    model = Graph(adjacency, [12] + [32] * (depth - 1) + [4])
    optimizer = Adam(model.parameters(), rate, weight_decay=5e-4)
    job = Job(model, optimizer, data.whole(x, y), classify, 240, 1, 3, "cross_entropy", 240)
    return job, healthy("whole batch: no noise at all")


@case("set_maximum", "sets", "the largest of 20 numbers, attention over the set", Adam, 2e-3)
@case("set_distinct", "sets", "how many of 12 symbols differ, as a class", NAdam, 2e-3)
def sets(seed, optimizer, rate):
    counts = optimizer is NAdam

    def source(step):
        g = data.generator(seed * 31 + step)
        if not counts:
            x = torch.rand(32, 20, 1, generator=g) * torch.rand(32, 1, 1, generator=g) * 4
            return x, x.amax(1)
        symbols = torch.randint(6, (32, 6), generator=g)
        hot = F.one_hot(symbols, 6).float()
        return hot, (hot.amax(1).sum(1)).long() - 1

    model = Sets(6 if counts else 1, 32, 6 if counts else 1)
    loss = classify if counts else squares
    job = Job(model, optimizer(model.parameters(), rate), source, loss, 360, 2, 3, "loss", 32)
    return job, healthy()


@case("lstm_two_layers", "stacked_cells", "two LSTM layers on waves", "lstm", 2, 30)
@case("gru_three_layers", "stacked_cells", "three GRU layers on waves, clipped at 1", "gru", 3, 24)
def stacked(seed, kind, depth, length):
    cell = nn.LSTMCell if kind == "lstm" else nn.GRUCell
    model = Stacked([cell(1 if i == 0 else 20, 20) for i in range(depth)], 1, every_step=True)
    job = Job(
        model,
        Adam(model.parameters(), 5e-3),
        data.waves(seed, length),
        squares,
        240,
        2,
        3,
        "mse_loss",
        32,
        clip=None if kind == "lstm" else ("norm", 1.0),
    )
    return job, healthy("the lower layers have the smaller gradients")


@case("tagger_both_ways", "two_way", "a two-way GRU marks places by what is on both sides")
def tagger(seed):
    def source(step):
        g = data.generator(seed * 31 + step)
        tokens = torch.randint(8, (24, 16), generator=g)
        left, right = tokens.roll(1, 1), tokens.roll(-1, 1)
        return tokens, 2 * (left > 3).long() + (right > tokens).long()

    def loss(model, batch):
        return F.cross_entropy(model(batch[0])[:, 1:-1].flatten(0, 1), batch[1][:, 1:-1].flatten())

    model = Tagger(8, 16, 32, 4)
    job = Job(model, Adam(model.parameters(), 4e-3), source, loss, 360, 3, 2, "cross_entropy", 24)
    return job, healthy()


@case("reverse_with_attention", "seq2seq", "a sequence is written backwards; flat, then falls")
def reverse(seed):
    def source(step):
        tokens = torch.randint(8, (32, 7), generator=data.generator(seed * 31 + step))
        return tokens, tokens.flip(1)

    def loss(model, batch):
        return F.cross_entropy(model(*batch).flatten(0, 1), batch[1].flatten())

    model = Translator(8, 40)
    optimizer = Adam(model.parameters(), 6e-3)
    job = Job(model, optimizer, source, loss, 500, 2, 4, "cross_entropy", 32, clip=("norm", 1.0))
    return job, healthy("slow at first", ["loss_plateau", "clipping_every_step"])


@case("causal_dilated", "convolution_1d", "dilated causal convolutions foretell waves")
def causal(seed):
    model = Causal(12, 5)
    optimizer = AdamW(model.parameters(), 3e-3)
    job = Job(model, optimizer, data.waves(seed, 48), squares, 300, 2, 3, "mse_loss", 32)
    return job, healthy()


@case("mixer_patches", "mixer", "an MLP-mixer on stripes", "mixer")
@case("dense_connections", "dense_net", "each layer sees all before it; batch norm", "dense")
@case("squeeze_excite", "gated_channels", "channels scaled by sigmoid gates", "squeeze")
def images(seed, kind):
    x, y = data.gratings(seed)
    if kind == "mixer":
        model = Mixer(3, 16, 24, 3, 6)
        optimizer = AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    elif kind == "dense":
        model = Dense(5, 8, 6)
        optimizer = SGD(model.parameters(), 0.02, momentum=0.9, nesterov=True, weight_decay=1e-4)
    else:
        model = ConvNet(Squeeze, 3)
        optimizer = RMSprop(model.parameters(), 1e-3)
    batch = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, batch, classify, 220, 2, 3, "cross_entropy", 32)
    return job, healthy()


@case("weight_norm_deep", "reparametrized", "weight norm, 8 layers", Scaled, 8, nn.ELU)
@case("spectral_norm_deep", "reparametrized", "each layer's largest gain is one", Spectral, 4, None)
def reparametrized(seed, layer, depth, act):
    x, y = data.blobs(seed, distance=1.5)
    act = act or (lambda: nn.LeakyReLU(0.2))
    model = Chain(layer, [24] + [48] * depth + [8], act)
    optimizer = Adam(model.parameters(), 1e-3 if layer is Scaled else 3e-3)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 320, 2, 2, "cross_entropy", 64)
    return job, healthy()


@case("leaky_plain_18", "deep_plain", "18 leaky ReLU layers without norms or skips", 18)
def leaky(seed, depth):
    x, y = data.blobs(seed, distance=1.6)
    model = MLP([24] + [40] * depth + [8], lambda: nn.LeakyReLU(0.1), "he")
    optimizer = SGD(model.parameters(), 0.01, momentum=0.9)
    batch = data.batches(x, y, 64, seed)
    job = Job(
        model, optimizer, batch, classify, 320, 2, 3, "cross_entropy", 64, None, ("norm", 2.0)
    )
    job.init = "he"
    return job, healthy("deep, yet the start suits it", ["clipping_every_step"])


def rise(peak, steps, first):
    """Linear warm-up, then a line down to a tenth."""
    return lambda s: peak * ((s + 1) / first if s < first else 1 - 0.9 * (s - first) / steps)


@case("lm_swiglu_rms", "gated_transformer", "RMSNorm and SwiGLU, no biases", False)
@case("lm_post_twelve_warm", "gated_transformer", "12 post-norm layers, long warm-up", True)
def gated(seed, post):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    if post:
        model = Language(24, 32, 12, place="post")
        rate = rise(1e-3, 400, 120)
    else:
        model = Language(24, 32, 3, norm=nn.RMSNorm, experts=0)
        for block in model.blocks:
            block.fc1, block.act, block.fc2 = Gated(32, 64), nn.Identity(), nn.Identity()
        rate = rise(4e-3, 300, 20)
    optimizer = AdamW(model.parameters(), 1e-3, betas=(0.9, 0.98))
    steps = 400 if post else 300
    job = Job(
        model, optimizer, source, token_loss, steps, 4 if post else 2, 4, "cross_entropy", 16, rate
    )
    job.init = "normal(0.02)"
    return job, healthy("tiny gradients of q and k at the start", ["loss_plateau"])


@case("prompt_tuning", "frozen_body", "a frozen body; only a few prompt vectors and the head learn")
def prompt(seed):
    class Prompted(nn.Module):
        """Two frozen blocks behind learned prompt vectors."""

        def __init__(self):
            super().__init__()
            self.prompt = nn.Parameter(torch.zeros(6, 24))
            self.body = nn.ModuleList(Block(24, 4) for _ in range(2))
            self.head = nn.Linear(24, 8)
            self.body.requires_grad_(False)

        def forward(self, x):
            tokens = torch.cat([self.prompt.expand(len(x), -1, -1), x[:, None]], 1)
            for block in self.body:
                tokens = block(tokens)
            return self.head(tokens[:, -1])

    x, y = data.blobs(seed, distance=1.5)
    model = Prompted()
    optimizer = Adam([p for p in model.parameters() if p.requires_grad], 5e-3)
    batch = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, batch, classify, 260, 2, 3, "cross_entropy", 48)
    return job, healthy("the prompt starts at zero", ["poor_initialization"])


@case("binary_weights", "quantized", "weights of one bit forward, a straight-through gradient")
def binary(seed):
    class Binary(nn.Linear):
        """Uses the signs of its weights; the gradient passes as if there were none."""

        def forward(self, x):
            sign = self.weight.sign() / math.sqrt(self.in_features)
            return F.linear(x, self.weight + (sign - self.weight).detach(), self.bias)

    x, y = data.blobs(seed, distance=1.6)
    model = Chain(Binary, [24, 96, 96, 8], nn.Hardtanh)
    optimizer = Adam(model.parameters(), 3e-3)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 360, 3, 2, "cross_entropy", 64)
    return job, healthy("noisy: bits flip")
