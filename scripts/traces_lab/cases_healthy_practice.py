"""Healthy runs with the habits of practice: schedules, freezing, scaling, clipping, restarts."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import healthy
from .models import MLP, Adapter
from .registry import case
from .trainer import Job, Scaler


def triangle(step):
    return 1e-3 + 0.08 * abs((step / 40) % 2 - 1)


def one_cycle(step):
    return 0.15 * (
        step / 90 if step < 90 else 0.5 * (1 + math.cos(math.pi * (step - 90) / 210)) + 1e-4
    )


def restarts(step):
    return 2e-3 + 0.06 * 0.5 * (1 + math.cos(math.pi * (step % 100) / 100))


def stairs(step):
    return 0.1 * 0.1 ** (step // 120)


@case("lr_cyclic", "schedule", "triangular learning rate, period 80", triangle, 0.9)
@case("lr_one_cycle", "schedule", "one cycle, to 1e-5 at the end", one_cycle, 0.9)
@case("lr_warm_restarts", "schedule", "cosine with restarts every 100 steps", restarts, 0.9)
@case("lr_stairs", "schedule", "a tenth of the rate every 120 steps", stairs, 0.0)
def schedule(seed, rate, momentum):
    x, y = data.rings(seed, noise=0.2) if momentum else data.blobs(seed, distance=1.3)
    widths = [2, 64, 64, 3] if momentum else [24, 64, 64, 8]
    model = MLP(widths, nn.ReLU if momentum else nn.Tanh)
    optimizer = SGD(model.parameters(), 0.01, momentum=momentum)
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 48, seed),
        classify,
        300,
        1,
        3,
        "cross_entropy",
        48,
        rate,
    )
    return job, healthy()


@case(
    "cosine_decay_growth",
    "schedule",
    "norms, decay 0.1, cosine to zero over 1200 steps: gradients rise at the end",
)
def defazio(seed):
    x, y = data.blobs(seed, distance=1.0, rows=6000)
    model = MLP([24, 64, 64, 64, 8], norm=nn.LayerNorm)
    optimizer = AdamW(model.parameters(), 4e-3, weight_decay=0.1)
    rate = lambda s: 4e-3 * 0.5 * (1 + math.cos(math.pi * s / 1200))  # noqa: E731
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 64, seed),
        classify,
        1200,
        5,
        2,
        "cross_entropy",
        64,
        rate,
    )
    return job, healthy("end-of-schedule growth of the gradient is expected")


@case(
    "resume_optimizer_reset",
    "resume",
    "Adam's moments are lost at step 150, as by a restart",
    "moments",
)
@case("resume_batch_change", "resume", "batches of 16, from step 160 of 128", "batch")
@case("stream_mild_shift", "resume", "the inputs' mean moves a little at step 180", "shift")
@case("stream_new_class", "resume", "the mix of classes changes at step 170", "classes")
def resume(seed, kind):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 64, 48, 8])
    optimizer = Adam(model.parameters(), 2e-3)
    small, large = data.batches(x, y, 16, seed), data.batches(x, y, 128, seed)
    shifted = data.batches(x + 0.25, y, 64, seed)
    normal = data.batches(x, y, 64, seed)
    many = data.batches(x[y < 5], y[y < 5], 64, seed)

    def source(step):
        if kind == "batch":
            return small(step) if step < 160 else large(step)
        if kind == "shift" and step >= 180:
            return shifted(step)
        if kind == "classes" and step >= 170:
            return many(step)
        return normal(step)

    def before(step):
        if kind == "moments" and step == 150:
            optimizer.state.clear()

    job = Job(model, optimizer, source, classify, 320, 1, 2, "cross_entropy", before=before)
    bump = ["loss_spike", "gradient_spike"] if kind in ("moments", "shift") else []
    return job, healthy("a small bump at most", bump)


@case("accumulate_8", "accumulation", "eight micro-batches of four", 8, 4, None)
@case("accumulate_clip", "accumulation", "four micro-batches, clipped at 1", 4, 8, ("norm", 1.0))
def accumulate(seed, parts, size, clip):
    x, y = data.blobs(seed, distance=1.2)
    model = MLP([24, 64, 64, 8], nn.GELU, norm=nn.LayerNorm)
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(
        model,
        optimizer,
        data.batches(x, y, size, seed),
        classify,
        250,
        1,
        3,
        "cross_entropy",
        size,
        clip=clip,
        accum=parts,
    )
    return job, healthy()


@case("clip_often_learns", "clip", "clipped at 0.5 on most steps; learns well", ("norm", 0.5), 0.1)
@case("clip_rare_value", "clip", "clipped by value at 0.1, now and then", ("value", 0.1), 0.05)
@case(
    "clip_sign_like",
    "clip",
    "clipped at 0.02 on every step with a rate that fits; learns",
    ("norm", 0.02),
    3.0,
)
def clip_healthy(seed, clip, rate):
    x, y = data.blobs(seed, distance=1.2)
    model = MLP([24, 64, 64, 8])
    optimizer = SGD(model.parameters(), rate)
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 32, seed),
        classify,
        300,
        1,
        3,
        "cross_entropy",
        32,
        clip=clip,
    )
    may = ["clipping_every_step"] if clip[0] == "norm" else []
    return job, healthy("clips by design, yet learns" if may else "", may)


@case(
    "amp_scaled_shown",
    "amp",
    "fp16 with dynamic scaling; gradients seen before unscaling",
    True,
    65536.0,
    200,
)
@case(
    "amp_skips_often",
    "amp",
    "fp16; the scale doubles every 25 steps, so overflow is skipped often",
    False,
    2.0**19,
    25,
)
def amp(seed, shown, scale, interval):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 96, 96, 8], nn.GELU, norm=nn.LayerNorm)
    optimizer = AdamW(model.parameters(), 2e-3)
    scaler = Scaler(scale, interval, shown)
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 64, seed),
        classify,
        260,
        1,
        2,
        "cross_entropy",
        64,
        scaler=scaler,
        autocast=True,
    )
    return job, healthy("overflow on skipped steps only")


@case("frozen_declared", "finetune", "a frozen backbone, declared; only the head trains", "head")
@case("unfreeze_gradually", "finetune", "one more layer thaws at steps 80, 160 and 240", "gradual")
@case("lora_rank4", "finetune", "rank-4 adapters that start at zero; frozen bases", "lora")
@case("zero_head", "finetune", "the head starts at zero: no gradient below it at step 0", "zero")
@case(
    "unused_branch", "finetune", "a branch that no loss reaches: its gradients are None", "unused"
)
def finetune(seed, kind):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 48, 48, 48, 8], init="he")
    layers = [model.fc0, model.fc1, model.fc2]
    if kind in ("head", "gradual"):
        for layer in layers:
            layer.requires_grad_(False)
    if kind == "lora":
        for i in range(3):
            setattr(model, f"fc{i}", Adapter(layers[i], 4))
    if kind == "zero":
        nn.init.zeros_(model.fc3.weight)
    if kind == "unused":
        model.spare = nn.Linear(48, 8)

    def before(step):
        if kind == "gradual" and step in (80, 160, 240):
            layers[3 - step // 80].requires_grad_(True)

    optimizer = Adam(model.parameters(), 2e-3)
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 64, seed),
        classify,
        320,
        1,
        2,
        "cross_entropy",
        64,
        init="he",
        before=before,
        intent={"frozen_layers": ["fc0", "fc1", "fc2"]} if kind == "head" else None,
    )
    return job, healthy()


class Bag(nn.Module):
    """The mean of word vectors, and a small net on it."""

    def __init__(self, vocabulary, width=16):
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width)
        self.net = MLP([width, 32, 2])

    def forward(self, tokens):
        return self.net(self.emb(tokens).mean(1))


class Factors(nn.Module):
    """Dot products of user and item vectors, with biases."""

    def __init__(self, users, items, rank):
        super().__init__()
        self.users, self.items = nn.Embedding(users, rank), nn.Embedding(items, rank)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)

    def forward(self, pairs):
        user, item = pairs[:, 0], pairs[:, 1]
        bias = self.user_bias(user) + self.item_bias(item)
        return (self.users(user) * self.items(item)).sum(1) + bias[:, 0]


@case("bag_adagrad", "sparse", "Zipf words, Adagrad: most rows of the embedding stay", "bag")
@case("factors_sgd", "sparse", "matrix factors; each step moves few rows", "factors")
def sparse(seed, kind):
    if kind == "bag":
        x, y = data.bags(seed)
        model = Bag(1500)
        optimizer, loss = Adagrad(model.parameters(), 0.1), classify
    else:
        x, y = data.ratings(seed)
        model, loss = Factors(300, 200, 8), squares
        optimizer = SGD(model.parameters(), 0.5)
    job = Job(model, optimizer, data.batches(x, y, 64, seed), loss, 600, 3, 2, kind, 64)
    return job, healthy()


@case(
    "quick_to_zero",
    "convergence",
    "separable clouds: loss 1e-6 soon, for 900 steps",
    RMSprop,
    2e-3,
    900,
)
@case("quick_exact_fit", "convergence", "full-batch fit of 40 points, to 1e-9", Adam, 5e-3, 900)
def quick(seed, optimizer, rate, steps):
    if optimizer is RMSprop:
        x, y = data.blobs(seed, classes=4, distance=7)
        model, loss, source = MLP([24, 48, 4]), classify, data.batches(x, y, 64, seed)
    else:
        x, y = data.teacher(seed, 8, rows=40, noise=0.0)
        model, loss, source = MLP([8, 96, 96, 1], nn.Tanh), squares, data.whole(x, y)
    job = Job(model, optimizer(model.parameters(), rate), source, loss, steps, 3, 2, "loss")
    may = ["loss_plateau"]
    if optimizer is Adam:
        may += ["loss_divergence", "exploding_gradient"]  # Adam jumps where the loss is 1e-14.
    return job, healthy("small gradients because it is done", may)


@case(
    "grokking_plateau",
    "convergence",
    "memorized early, then decays towards a simpler net; loss stays tiny",
)
def grokking(seed):
    base = 13
    pairs = torch.cartesian_prod(torch.arange(base), torch.arange(base))
    y = pairs.sum(1) % base
    x = torch.cat([F.one_hot(pairs[:, 0], base), F.one_hot(pairs[:, 1], base)], 1).float()
    rows = torch.randperm(len(x), generator=data.generator(seed))[:100]
    model = MLP([2 * base, 128, base])
    optimizer = AdamW(model.parameters(), 5e-3, weight_decay=0.5)
    job = Job(model, optimizer, data.whole(x[rows], y[rows]), classify, 1000, 4, 2, "cross_entropy")
    return job, healthy("training loss is at its floor")
