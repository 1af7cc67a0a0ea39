"""Blind runs that learn although something in them looks odd."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_practice import Inverted
from .cases_healthy_plain import classify
from .labels import healthy
from .models import MLP, ConvNet
from .models_blind import MinimalGRU, Retention, Tokens
from .models_further import Mixer
from .registry import case
from .trainer import Job
from .transformers import token_loss


@case("rare_class_weighted", "imbalance", "one row in forty is rare and weighs 20 times as much")
def imbalance(seed):
    x, y = data.blobs(seed, classes=2, distance=0.6, rows=4000)
    keep = (y == 0) | (torch.rand(len(y), generator=data.generator(seed)) < 0.05)
    x, y = x[keep], y[keep]
    model, weight = MLP([24, 32, 32, 2], nn.GELU), torch.tensor([1.0, 20.0])

    def loss(model, batch):
        each = F.cross_entropy(model(batch[0]), batch[1], weight, reduction="none")
        return each.mean()

    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, loss, 260, 1, 3, "weighted ce", 64)
    return job, healthy("noisy: a batch holds one or two of the rare rows", ["loss_spike"])


@case("length_curriculum", "lengths", "recall over 4 steps, then 8, 16 and 24")
def lengths(seed):
    sources = [data.recall(seed, length, 4, 32) for length in (4, 8, 16, 24)]

    def source(step):
        return sources[min(3, step // 75)](step)

    model = MinimalGRU(4, 24, 4, -2.0)
    job = Job(model, Adam(model.parameters(), 1e-2), source, classify, 320, 1, 2, "ce", 32)
    may = ["loss_spike", "gradient_spike", "loss_divergence", "exploding_gradient"]
    return job, healthy("a jump with each new length, then it learns that too", may)


@case("norms_frozen_fine_tune", "frozen_norms", "pretrained, then norms in eval mode and frozen")
def frozen_norms(seed):
    x, y = data.gratings(seed, noise=0.8)
    model = ConvNet(Inverted, 2, width=8)
    learn, first = AdamW(model.parameters(), 3e-3), data.batches(x.flip(2), y, 24, seed + 1)
    for step in range(120):
        learn.zero_grad()
        classify(model, first(step))[0].backward()
        learn.step()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.requires_grad_(False)
    for p in model.parameters():
        p.grad = None
    weights = [p for p in model.parameters() if p.requires_grad]
    source = data.batches(x, y, 24, seed)
    job = Job(model, AdamW(weights, 1e-3), source, classify, 220, 2, 3, "ce", 24)
    names = [n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    job.intent = {"frozen_layers": names}
    return job, healthy("", ["poor_initialization"])


@case("masked_patches", "masked", "a mixer fills in the patches that were blanked")
def masked(seed):
    x, _ = data.gratings(seed, noise=0.2)
    model = Mixer(4, 9, 24, 2, 16)
    model.head = nn.Linear(24, 16)

    class Filler(nn.Module):
        """The mixer without its pooling: 16 pixels for each patch."""

        def __init__(self):
            super().__init__()
            self.body = model

        def forward(self, images):
            m = self.body
            z = m.patch(images).flatten(2).transpose(1, 2)
            for i, (over_places, over_channels) in enumerate(zip(m.places, m.channels)):
                z = z + over_places(m.norms[2 * i](z).transpose(1, 2)).transpose(1, 2)
                z = z + over_channels(m.norms[2 * i + 1](z))
            return m.head(z)

    def loss(filler, step):
        g = data.generator(seed * 31 + step)
        images = x[torch.randint(len(x), (32,), generator=g)]
        patches = F.unfold(images, 4, stride=4).transpose(1, 2)
        gone = torch.rand(32, 9, 1, generator=g) < 0.4
        seen = F.fold((patches * ~gone).transpose(1, 2), 12, 4, stride=4)
        return ((filler(seen) - patches).square() * gone).sum() / (16 * gone.sum())

    filler = Filler()
    job = Job(filler, AdamW(filler.parameters(), 3e-3), lambda s: s, loss, 280, 2, 3, "mse", 32)
    return job, healthy()


class Scaled(nn.Module):
    """Retention behind a gain that starts at 1e-3."""

    def __init__(self, width):
        super().__init__()
        self.inner = Retention(width)
        self.gain = nn.Parameter(torch.full((width,), 1e-3))

    def forward(self, x):
        return self.gain * self.inner(x)


@case("retention_layer_scale", "layer_scale", "six layers whose branches start at 1e-3")
def layer_scale(seed):
    source = data.windows(data.text(seed, 24), 16, 12, seed)
    model = Tokens(24, 24, 6, Scaled)
    job = Job(model, AdamW(model.parameters(), 4e-3), source, token_loss, 240, 2, 3, "ce", 12)
    return job, healthy("slopes inside the branches start a thousand times smaller")


@case("capped_logits_sgd", "capped", "logits capped by 10 tanh(x / 10), warm restarts")
def capped(seed):
    class Capped(nn.Module):
        """A net whose logits can't pass 10."""

        def __init__(self):
            super().__init__()
            self.body, self.cap = MLP([24, 48, 48, 8], nn.SiLU), nn.Tanh()

        def forward(self, x):
            return 10 * self.cap(self.body(x) / 10)

    x, y = data.blobs(seed, distance=1.4)
    model = Capped()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    rate = lambda s: 0.08 * (1 - (s % 90) / 90) ** 2 + 1e-3  # noqa: E731
    source = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, source, classify, 270, 1, 3, "cross_entropy", 64, rate)
    return job, healthy()
