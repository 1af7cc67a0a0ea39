"""Blind runs on sequences: state spaces, kernel attention, retention, gates, padding."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick, transient
from .models_blind import (
    Kernel,
    MinimalGRU,
    PaddedEncoder,
    Retention,
    StateSpace,
    Tokens,
)
from .registry import case
from .trainer import Job
from .transformers import token_loss

BLOWN = """loss_spike gradient_spike loss_divergence loss_oscillation exploding_gradient weight_jump
    update_ratio_too_high poor_initialization non_finite_loss non_finite_gradient""".split()


THROWN = """loss_spike gradient_spike loss_divergence loss_oscillation loss_plateau
    vanishing_gradient exploding_gradient unchanged_weights update_ratio_too_low
    uniformly_small_gradient poor_initialization update_ratio_too_high weight_jump""".split()


def thrown(*rules):
    """What may come with weights that a few long steps have thrown far away."""
    return [rule for rule in THROWN if rule not in rules]


def blown(*rules):
    """What may come with a run that leaves all bounds within a few steps."""
    return [rule for rule in BLOWN if rule not in rules]


def broken(may=(), layers=()):
    """Loss and gradient are not finite from where they were seen so."""

    def label(seen):
        must, found = {}, {"non_finite_loss": "loss", "non_finite_gradient": "gn"}
        for rule, column in found.items():
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2, layers if column == "gn" else [])
        if not must:
            raise ValueError("loss or gradient: expected a non-finite value, found none")
        return sick(must, [rule for rule in may if rule not in must])

    return label


@case("scan_waves", "state_space", "two selective state-space layers foretell waves", "fine")
@case("scan_waves_sgd", "state_space", "the same with SGD, clipped at 1, warm-up", "sgd")
@case("scan_sign_lost", "state_space", "the decay's sign is lost: states grow with time", "sign")
@case("scan_bad_batch", "state_space", "one batch is 25 times louder at step 140", "batch")
@case("scan_bit_flip", "state_space", "a bit of a step-size matrix flips at step 150", "flip")
def scan(seed, kind):
    plain = data.waves(seed, 40 if kind == "sign" else 24, 24)
    grows = {"sign": 1.0, "level": -3.0} if kind == "sign" else {}
    model = StateSpace(20, 2, **grows)
    optimizer, rate, clip = AdamW(model.parameters(), 3e-3), None, None
    if kind == "sgd":
        optimizer, clip = SGD(model.parameters(), 0.1, momentum=0.9), ("norm", 1.0)
        rate = lambda s: 0.05 * min(1.0, (s + 1) / 40)  # noqa: E731
    elif kind == "sign":
        optimizer = SGD(model.parameters(), 1e-3)

    def source(step):
        x, y = plain(step)
        return (x * 25, y * 25) if kind == "batch" and step == 140 else (x, y)

    @torch.no_grad()
    def before(step):
        if kind == "flip" and step == 150:
            bits = model.layers[1].delta.weight.view(-1)[33:34].view(torch.int32)
            bits ^= 1 << 30

    job = Job(model, optimizer, source, squares, 260, 1, 2, "mse", 24, rate, clip, before=before)
    if kind in ("fine", "sgd"):
        return job, healthy()
    if kind == "batch":
        must = {"loss_spike": due(140, 140), "gradient_spike": due(140, 140)}
        return job, transient(must, ["exploding_gradient"], "one step")
    if kind == "flip":

        def flipped(seen):
            must = {"weight_jump": due(150, 153, ["layers.1.delta"])}
            for rule, bad in (
                ("non_finite_loss", seen.first_bad("loss")),
                ("non_finite_gradient", seen.first_bad("gn")),
            ):
                if bad is not None:
                    must[rule] = due(bad, bad + 2)
            return sick(
                must, "loss_spike gradient_spike exploding_gradient loss_divergence".split()
            )

        return job, flipped

    def label(seen):
        must = {"exploding_gradient": due(0, 40, [], ["rnn_exploding_through_time"])}
        for rule, bad in (
            ("non_finite_loss", seen.first_bad("loss")),
            ("non_finite_gradient", seen.first_bad("gn")),
        ):
            if bad is not None:
                must[rule] = due(bad, bad + 2)
                if bad < 5:
                    must["exploding_gradient"]["alt"] += [rule, "gradient_spike"]
        return sick(must, blown(*must), "the state grows by a factor at each of 40 steps")

    return job, label


@case("kernel_attention_lm", "kernel_attention", "linear attention with elu + 1", "fine")
@case("kernel_relu_zero_sum", "kernel_attention", "ReLU features, no eps: 0 / 0", "zero")
@case("kernel_lm_adam_eps_one", "kernel_attention", "Adam with eps 1: hardly moves", "eps")
@case("kernel_lm_warmup_epochs", "kernel_attention", "warm-up in epochs, not steps", "warm")
def kernel(seed, kind):
    source = data.windows(data.text(seed, 24), 16, 12, seed)
    model = Tokens(24, 24, 2, Kernel, safe=kind != "zero")
    optimizer, rate = AdamW(model.parameters(), 3e-3), None
    if kind == "eps":
        optimizer = Adam(model.parameters(), 2e-4, eps=1.0)
    elif kind == "warm":
        rate = lambda s: 1e-3 * (s // 100) / 1e4  # noqa: E731
    job = Job(model, optimizer, source, token_loss, 280, 2, 2, "cross_entropy", 12, rate)
    if kind == "zero":
        job.every = 1
        return job, broken(["loss_spike", "gradient_spike", "exploding_gradient", "weight_jump"])
    if kind == "fine":
        return job, healthy()
    if kind == "eps":
        must = {"update_ratio_too_low": due(0, 200, alt=["unchanged_weights", "loss_plateau"])}
        may = ["unchanged_weights", "loss_plateau"]
        return job, sick(must, may, "steps of rate times gradient, a hundredth of what is meant")
    must = {"update_ratio_too_low": due(0, 200, alt=["unchanged_weights", "loss_plateau"])}
    may = ["unchanged_weights", "loss_plateau"]
    return job, sick(must, may, "a rate of exactly 0 for 100 steps, then of 1e-7")


@case("retention_lm", "retention", "retention with a group norm and gates", "fine")
@case("retention_adam_1", "retention", "the same with Adam at 1", "hot")
@case(
    "retention_new_token_ids",
    "retention",
    "from step 150 on tokens come from another table",
    "table",
)
def retention(seed, kind):
    plain = data.windows(data.text(seed, 24), 16, 12, seed)
    model = Tokens(24, 24, 2, Retention)
    order = torch.randperm(24, generator=data.generator(seed))

    def source(step):
        x, y = plain(step)
        return (order[x], order[y]) if kind == "table" and step >= 150 else (x, y)

    optimizer = Adam(model.parameters(), 1.0 if kind == "hot" else 3e-3)
    rate = None
    if kind == "fine":
        rate = lambda s: 4e-3 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * s / 280)))  # noqa: E731
    job = Job(model, optimizer, source, token_loss, 280, 1 if kind == "table" else 2, 2)
    job.loss_name, job.batch_size, job.rate = "cross_entropy", 12, rate
    if kind == "fine":
        return job, healthy()
    if kind == "table":
        may = ["gradient_spike", "exploding_gradient", "loss_divergence", "loss_plateau"]
        return job, transient({"loss_spike": due(150, 154)}, may, "learns the new table")
    alt = ["loss_divergence", "exploding_gradient", "loss_spike"]
    must = {"update_ratio_too_high": due(0, 80, alt=alt)}
    return job, sick(must, thrown(*must), "thrown far away; then nothing moves")


@case("minimal_gru_leaky_sum", "minimal_gru", "a GRU whose gates see the input only", "waves")
@case("minimal_gru_recall_slow_gate", "minimal_gru", "gates start nearly shut: recalls", "recall")
@case("minimal_gru_forgets", "minimal_gru", "gates start wide open: forgets at once", "forgets")
@case("minimal_gru_saturates", "minimal_gru", "raw values of hundreds into its gates", "raw")
def minimal(seed, kind):
    source, loss = data.recall(seed, 40, 4, 24), classify
    model = MinimalGRU(4, 20, 4, {"recall": -4.0, "forgets": 2.0}.get(kind, 0.0))
    if kind == "waves":
        g = torch.Generator().manual_seed(seed)
        heads = torch.randn(6, 1, generator=g)

        def source(step):
            draw = data.generator(seed * 7919 + step)
            x = torch.randn(24, 12, 6, generator=draw)
            fade = 0.8 ** torch.arange(11, -1, -1.0)
            return x, ((x @ heads)[..., 0] * fade).sum(1, keepdim=True) / 4

        model, loss = MinimalGRU(6, 20, 1), squares
    elif kind == "raw":
        plain = data.recall(seed, 20, 4, 24)

        def source(step):
            x, y = plain(step)
            return x * 900 + 300, y

    optimizer = Adam(model.parameters(), 1e-2)
    if kind == "raw":
        optimizer = RMSprop(model.parameters(), 1e-3)
    if kind == "forgets":
        optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    job = Job(model, optimizer, source, loss, 260, 2, 2, "loss", 24)
    if kind == "waves":
        return job, healthy()
    if kind == "recall":
        return job, healthy("flat at first, while the gates find the symbol", ["loss_plateau"])
    if kind == "forgets":
        must = {
            "rnn_vanishing_through_time": due(0, 100),
            "loss_plateau": due(30, 258),
        }
        may = "vanishing_gradient update_ratio_too_low uniformly_small_gradient".split()
        return job, sick(must, may, "stays at ln 4")
    may = """loss_plateau vanishing_gradient poor_initialization loss_oscillation unchanged_weights
        update_ratio_too_low loss_spike gradient_spike exploding_gradient
        rnn_vanishing_through_time""".split()
    return job, sick({"saturated_activation": due(0, 80, ["open", "gate"])}, may)


@case("padded_encoder", "padding", "rows of 4 to 14 words under a padding mask", "fine")
@case("padded_row_empty", "padding", "a row of padding only: the softmax of all -inf", "empty")
def padding(seed, kind):
    g = data.generator(seed)
    mood = torch.randn(200, generator=g)

    def source(step):
        draw = data.generator(seed * 7919 + step)
        words = torch.randint(1, 200, (32, 14), generator=draw)
        lengths = torch.randint(4, 15, (32, 1), generator=draw)
        if kind == "empty" and step >= 125:
            lengths[11] = 0
        words = words * (torch.arange(14) < lengths)
        return words, ((mood[words] * (words > 0)).sum(1) > 0).long()

    model = PaddedEncoder(200, 20, 2)
    job = Job(model, Adam(model.parameters(), 8e-3), source, classify, 280, 1, 3, "ce", 32)
    if kind == "fine":
        return job, healthy()
    return job, broken(["weight_jump"])


class Gates(nn.Module):
    """Causal convolutions whose tanh is gated by a sigmoid, with residuals."""

    def __init__(self, width, depth):
        super().__init__()
        self.stem, self.head = nn.Linear(1, width), nn.Linear(width, 1)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(depth)
        )
        self.tanh = nn.ModuleList(nn.Tanh() for _ in range(depth))
        self.gate = nn.ModuleList(nn.Sigmoid() for _ in range(depth))

    def forward(self, x):
        x = self.stem(x)
        for i, conv in enumerate(self.convs):
            y = conv(F.pad(x.transpose(1, 2), (2**i, 0))).transpose(1, 2)
            left, right = y.chunk(2, -1)
            x = x + self.tanh[i](left) * self.gate[i](right)
        return self.head(x)


@case("gated_waves", "gated_convolution", "tanh times sigmoid, dilated, on waves", "fine")
@case("gated_raw_samples", "gated_convolution", "samples of 16 bits as they are", "raw")
@case("gated_accum_summed", "gated_convolution", "16 micro-batches summed, not averaged", "sum")
def gated(seed, kind):
    plain = data.waves(seed, 24, 8 if kind == "sum" else 24)

    def source(step):
        x, y = plain(step)
        return (x * 32767, y) if kind == "raw" else (x, y)

    model = Gates(16, 3)
    optimizer = Adam(model.parameters(), 3e-3)
    loss, steps = squares, 260
    if kind == "sum":
        optimizer, steps = SGD(model.parameters(), 0.02, momentum=0.9), 200

        def loss(model, batch):
            return squares(model, batch) * 16

    job = Job(model, optimizer, source, loss, steps, 2, 2, "mse", 24)
    if kind == "fine":
        return job, healthy()
    if kind == "raw":
        may = """loss_plateau poor_initialization vanishing_gradient update_ratio_too_low
            exploding_gradient loss_spike gradient_spike loss_oscillation
            unchanged_weights""".split()
        return job, sick({"saturated_activation": due(0, 80, ["tanh", "gate"])}, may)
    job.accum, job.every = 2, 1

    def label(seen):
        bad, norm = seen.first_bad("loss"), seen.first_bad("gn")
        alt = ["exploding_gradient", "loss_spike", "loss_oscillation", "loss_plateau"]
        must = {"loss_divergence": due(0, 190, alt=alt)}
        if bad is not None:
            must["non_finite_loss"] = due(bad, bad + 2)
        if norm is not None:
            must["non_finite_gradient"] = due(norm, norm + 2)
        if bad is not None and bad < 5:
            must["loss_divergence"]["alt"] += ["non_finite_loss"]
        return sick(must, blown(*must))

    return job, label


@case("tree_majority", "tree", "a recursive net folds a row of digits pairwise", "fine")
@case("tree_chain_sigmoid", "tree", "the same along a chain of 48 with sigmoids", "chain")
def tree(seed, kind):
    class Fold(nn.Module):
        """One net joins two states; pairwise, or from left to right."""

        def __init__(self):
            super().__init__()
            self.emb, self.head = nn.Embedding(5, 16), nn.Linear(16, 5)
            self.join = nn.Linear(32, 16)
            self.act = nn.Sigmoid() if kind == "chain" else nn.Tanh()
            self.states = []

        def forward(self, tokens):
            x = self.emb(tokens)
            if kind == "chain":
                state, self.states = x[:, 0], []
                for t in range(1, x.shape[1]):
                    state = self.act(self.join(torch.cat([state, x[:, t]], 1)))
                    state.retain_grad()
                    self.states.append(state)
                return self.head(state)
            while x.shape[1] > 1:
                pairs = torch.cat([x[:, ::2], x[:, 1::2]], 2)
                x = self.act(self.join(pairs)) + (x[:, ::2] + x[:, 1::2]) / 2
            return self.head(x[:, 0])

    length = 48 if kind == "chain" else 8

    def source(step):
        draw = data.generator(seed * 7919 + step)
        tokens = torch.randint(5, (48, length), generator=draw)
        if kind == "chain":
            return tokens, tokens[:, 0]
        counts = F.one_hot(tokens, 5).sum(1).float() + 0.01 * torch.arange(5)
        return tokens, counts.argmax(1)

    model = Fold()
    job = Job(model, Adam(model.parameters(), 3e-3), source, classify, 260, 2, 2, "ce", 48)
    if kind == "fine":
        return job, healthy()
    must = {"rnn_vanishing_through_time": due(0, 120), "loss_plateau": due(30, 258)}
    return job, sick(must, ["vanishing_gradient", "unchanged_weights"], "the first is forgotten")
