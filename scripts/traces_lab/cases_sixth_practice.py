"""Sixth set: schedules, resumed states, pruned weights, growing pictures, missing values."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from . import data
from .cases_blind_sequence import broken, thrown
from .cases_healthy_plain import classify
from .data_fifth import houses, pictures
from .labels import due, healthy, sick
from .models import MLP
from .models_fourth import Plain
from .models_fifth import ResNet
from .optimizers_sixth import Distance
from .registry import case
from .trainer import Job


@case("cosine_counts_epochs", "fast_cosine", "T_max was 10 epochs, but it steps each batch")
def fast_cosine(seed):
    x, y = pictures(seed, classes=8)
    model = ResNet(1)
    model.fc = nn.Linear(32, 8)
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    rate = lambda s: 0.05 * (1 + math.cos(math.pi * s / 10))  # noqa: E731
    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, classify, 160, 1, 3, "ce", 32, rate)
    return job, healthy("the rate swings with a period of 20", ["loss_oscillation"])


@case("pictures_grow", "growing_pictures", "pictures of 8, then 12, then 16 pixels a side")
def growing(seed):
    x, y = pictures(seed, classes=8)
    model = Plain([3, 12, 16, 16], 8)
    plain = data.batches(x, y, 32, seed)

    def source(step):
        rows, labels = plain(step)
        side = 8 if step < 100 else 12 if step < 200 else 16
        return F.interpolate(rows, (side, side), mode="bilinear"), labels

    optimizer = Adam(model.parameters(), 2e-3)
    job = Job(model, optimizer, source, classify, 300, 2, 3, "cross_entropy", 32)
    return job, healthy("a new size is a small step back", ["loss_spike", "gradient_spike"])


@case("distance_over_gradients", "no_rate", "DoG: the rate grows by itself from 1e-6")
def dog(seed):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 64, 64, 8], nn.ReLU)
    source = data.batches(x, y, 64, seed)
    job = Job(model, Distance(model.parameters()), source, classify, 320, 1, 3, "ce", 64)
    return job, healthy("first steps are a millionth of the weights, by design")


@case("pruned_bit_by_bit", "pruning", "the smallest weights go, up to 85 %")
def pruned(seed):
    x, y = data.blobs(seed, distance=1.6)
    model = MLP([24, 96, 96, 8], nn.ReLU)
    optimizer = Adam(model.parameters(), 2e-3)
    matrices = [model.fc0.weight, model.fc1.weight]
    masks = [torch.ones_like(p) for p in matrices]

    @torch.no_grad()
    def before(step):
        if step >= 80 and step % 20 == 0:
            share = 0.85 * (1 - (1 - min(1.0, (step - 60) / 200)) ** 3)
            for p, mask in zip(matrices, masks):
                mask.copy_((p.abs() > p.abs().flatten().quantile(share)).float())
        for p, mask in zip(matrices, masks):
            p.mul_(mask)

    def shape(step):
        for p, mask in zip(matrices, masks):
            p.grad.mul_(mask)

    source = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, source, classify, 340, 1, 3, "ce", 64, before=before, shape=shape)
    return job, healthy("most weights end at exactly 0, on purpose")


@case("second_moments_lost", "half_resumed", "at step 160 Adam's v is 0, its count kept")
def half_resumed(seed):
    x, y = pictures(seed, classes=8)
    model = Plain([3, 12, 16, 16], 8, lambda width: nn.GroupNorm(4, width))
    optimizer = Adam(model.parameters(), 4e-3)

    def before(step):
        if step == 160:
            for state in optimizer.state.values():
                state["exp_avg_sq"].zero_()
                state["step"].fill_(20000.0)

    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, classify, 320, 1, 3, "ce", 32, before=before)
    alt = ["loss_divergence", "gradient_spike", "update_ratio_too_high", "loss_plateau"]
    must = {"loss_spike": due(160, 175, alt=alt)}
    may = [*thrown(*must), "dead_relu"]
    return job, sick(must, may, "steps of 31 times the rate, for a while")


@case("missing_as_minus_9999", "missing_values", "missing values are -9999 in a table, SGD", "sgd")
@case("missing_as_zero_and_flag", "missing_values", "zeros and a flag for what is missing", "flag")
def missing(seed, kind):
    x, y = houses(seed)
    gone = torch.rand(x.shape, generator=data.generator(seed)) < 0.06
    x = torch.where(gone, torch.tensor(0.0 if kind == "flag" else -9999.0), x)
    if kind == "flag":
        x = torch.cat([x, gone.float()], 1)
    model = MLP([x.shape[1], 64, 32, 1])
    loss = lambda model, batch: F.smooth_l1_loss(model(batch[0]), batch[1])  # noqa: E731
    optimizer = SGD(model.parameters(), 0.05 if kind == "flag" else 0.02, momentum=0.9)
    size = 128 if kind == "flag" else 32
    source = data.batches(x, y, size, seed)
    job = Job(model, optimizer, source, loss, 320, 1, 3, "huber", size)
    if kind == "flag":
        return job, healthy()

    def label(seen):
        alt = ["poor_initialization", "loss_spike", "gradient_spike", "loss_divergence"]
        must = {"exploding_gradient": due(0, 60, alt=[*alt, "update_ratio_too_high"])}
        if seen.dead_share() > 0.9:
            must["dead_relu"] = due(0, 120, alt=["loss_plateau"])
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        may = [r for r in [*thrown(*must), "dead_relu"] if r not in must]
        return sick(must, may, "rows of -9999 throw the weights away")

    return job, label


class Entropy(nn.Module):
    """A net whose shares are made sparse: many are exactly 0."""

    def __init__(self):
        super().__init__()
        self.body = MLP([24, 48, 48, 8], nn.GELU)

    def forward(self, x):
        return self.body(x)


@case("entropy_behind_a_where", "only_backward", "where(p > 0, p log p, 0): NaN only backward")
def behind_where(seed):
    x, y = data.blobs(seed, distance=1.6)
    model = Entropy()

    def loss(model, batch):
        value, extras = classify(model, batch)
        share = (model(batch[0]) / 4 + 1.6).clamp(min=0)
        share = share / share.sum(1, keepdim=True)
        mess = -torch.where(share > 0, share * share.log(), 0.0).sum(1).mean()
        return value + 0.05 * mess, extras

    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 300, 1, 3, "ce + entropy", 48)
    return job, broken(["weight_jump"])


@case("one_task_in_cents", "unbalanced", "a price in cents and a class: SGD, clipped at 1")
def cents(seed):
    x, y = houses(seed)
    kind = (x[:, 4] + x[:, 5] > 0.3).long()
    model = MLP([13, 64, 64, 3], nn.ReLU)
    price = 25e5 + 8e5 * y

    def source(step):
        rows = torch.randint(len(x), (32,), generator=data.generator(seed * 7919 + step))
        return x[rows], price[rows], kind[rows]

    def loss(model, batch):
        found = model(batch[0])
        off = F.l1_loss(found[:, :1], batch[1])
        return off + F.cross_entropy(found[:, 1:], batch[2])

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, source, loss, 300, 2, 3, "l1 + ce", 32, clip=("norm", 1.0))
    must = {"clipping_every_step": due(0, 60, alt=["loss_plateau"])}
    may = ["loss_plateau", "exploding_gradient", "dead_relu", "poor_initialization"]
    may += ["update_ratio_too_high"]
    return job, sick(must, may, "2.5 million to go, at a few a step; the class is never learned")
