"""Faults of rates, optimizers and precision, and runs that look like them but are fine."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from . import data
from .cases_blind_sequence import blown, thrown
from .cases_faults_depth import ends_non_finite
from .cases_healthy_plain import classify
from .labels import due, healthy, sick
from .models import MLP, ConvBlock, ConvNet
from .models_fourth import Coder, Plain
from .registry import case
from .trainer import Job, Scaler
from .transformers import Language, token_loss


@case("plateau_scheduler_mode_max", "rate_fault", "ReduceLROnPlateau on a loss with mode='max'")
def mode_max(seed):
    x, y = data.gratings(seed, noise=0.9)
    model = Plain([1, 12, 16], 6)
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    watch = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=5)
    kept = []

    def loss(model, batch):
        value, extras = classify(model, batch)
        kept.append(value.item())
        return value, extras

    def before(step):
        if step and step % 5 == 0:
            watch.step(sum(kept[-5:]) / 5)

    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, loss, 320, 2, 2, "cross_entropy", 32, before=before)
    alt = ["unchanged_weights", "loss_plateau"]
    must = {"update_ratio_too_low": due(80, 318, alt=alt)}
    return job, sick(must, alt, "a tenth of the rate every 30 steps, while there was much to gain")


@case("rate_to_zero_after_the_fit", "rate_end", "fits, while the rate sinks to 0")
def to_zero(seed):
    x, y = data.gratings(seed, rows=300, noise=0.3)
    model = Plain([1, 12, 16], 6)
    rate = lambda s: 0.1 * (1 - s / 320) ** 2  # noqa: E731
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    source = data.batches(x, y, 32, seed)
    return Job(model, optimizer, source, classify, 320, 2, 2, "ce", 32, rate), healthy()


@case("resume_hot_without_moments", "resume", "at step 150 Adam's state is lost, the rate x 30")
def hot(seed):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 32, 4, place="post", std=None)
    optimizer = Adam(model.parameters(), 1e-3)

    def before(step):
        if step == 150:
            optimizer.state.clear()

    rate = lambda s: min(1.0, (s + 1) / 30) * 1e-3 if s < 150 else 3e-2  # noqa: E731
    job = Job(model, optimizer, source, token_loss, 300, 2, 3, "ce", 16, rate, before=before)
    alt = ["loss_spike", "loss_divergence"]
    must = {"loss_plateau": due(150, 298, alt=alt)}
    return job, sick(must, thrown(*must), "back to the unigram loss, and it stays there")


@case("gradients_never_zeroed", "accumulated", "zero_grad was forgotten: each step adds up all")
def never_zeroed(seed):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 48, 48, 8], nn.Tanh)
    totals = {}

    def shape(step):
        for name, parameter in model.named_parameters():
            totals[name] = totals.get(name, 0) + parameter.grad
            parameter.grad = totals[name].clone()

    source = data.batches(x, y, 32, seed)
    optimizer = SGD(model.parameters(), 0.1)
    job = Job(model, optimizer, source, classify, 280, 1, 3, "ce", 32, shape=shape)
    alt = ["loss_spike", "loss_oscillation", "exploding_gradient"]
    must = {
        "loss_divergence": due(25, 279, alt=alt),
        "saturated_activation": due(10, 200, ["act0", "act1"]),
    }
    may = [*alt, "loss_plateau", "update_ratio_too_high", "gradient_spike"]
    return job, sick(must, may, "swings wider and wider; weights grow a hundredfold")


@case("tokens_summed_sgd", "summed", "the loss is a sum over 256 tokens, the rate is for a mean", 0)
@case("tokens_summed_adam", "summed", "the same sum with Adam, clipped at 1: it learns", 1)
def summed(seed, adam):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    model = Language(24, 24, 2, std=None)

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten(), reduction="sum")

    optimizer = AdamW(model.parameters(), 2e-3) if adam else SGD(model.parameters(), 0.1)
    clip = ("norm", 1.0) if adam else None
    job = Job(model, optimizer, source, loss, 260, 2 if adam else 1, 3, "ce_sum", 16, clip=clip)
    if adam:
        return job, healthy("clips by design, yet learns", ["clipping_every_step"])
    may = blown("exploding_gradient", "non_finite_loss", "non_finite_gradient")
    return job, ends_non_finite(may)


@case("warmup_from_exactly_zero", "warm", "the rate is 0 on step 0, then grows as s cubed")
def from_zero(seed):
    x, y = data.gratings(seed)
    model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 3)
    rate = lambda s: 4e-3 * min(1.0, s / 120) ** 3  # noqa: E731
    optimizer = AdamW(model.parameters(), 4e-3)
    source = data.batches(x, y, 24, seed)
    return Job(model, optimizer, source, classify, 300, 2, 3, "ce", 24, rate), healthy()


@case("decay_shrinks_normed_weights", "decayed", "decay halves the weights before norms")
def decayed(seed):
    x, y = data.gratings(seed, noise=0.7)
    model = Plain([1, 16, 16, 16], 6)
    optimizer = SGD(model.parameters(), 0.1, weight_decay=0.04)
    rate = lambda s: 0.05 * (1 + math.cos(math.pi * s / 480))  # noqa: E731
    source = data.batches(x, y, 32, seed)
    return Job(model, optimizer, source, classify, 480, 3, 3, "ce", 32, rate), healthy()


@case("batch_shrinks_to_four", "batch_size", "batches of 256, from step 150 of 4: only noise")
def shrinks(seed):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 64, 64, 8], nn.GELU)
    large, small = data.batches(x, y, 256, seed), data.batches(x, y, 4, seed)

    def source(step):
        return large(step) if step < 150 else small(step)

    optimizer = SGD(model.parameters(), 0.05)
    return Job(model, optimizer, source, classify, 340, 1, 3, "cross_entropy"), healthy()


@case("head_reset_twice", "resets", "the head is drawn anew at steps 120 and 240, on purpose")
def resets(seed):
    x, y = data.gratings(seed)
    model = Plain([1, 12, 16, 16], 6)
    optimizer = Adam(model.parameters(), 2e-3)

    def before(step):
        if step in (120, 240):
            model.head.reset_parameters()
            for parameter in model.head.parameters():
                optimizer.state.pop(parameter, None)

    source = data.batches(x, y, 32, seed)
    return Job(model, optimizer, source, classify, 340, 2, 2, "ce", 32, before=before), healthy()


@case("noise_added_annealed", "noise", "noise of 1 / (1 + t)^0.55 on all gradients")
def noise(seed):
    x, y = data.blobs(seed, distance=1.4)
    model = MLP([24] + [40] * 8 + [8], nn.ReLU, "he")
    g = data.generator(seed)

    def shape(step):
        deviation = (0.02 / (1 + step) ** 0.55) ** 0.5
        for parameter in model.parameters():
            parameter.grad.add_(deviation * torch.randn(parameter.shape, generator=g))

    optimizer = SGD(model.parameters(), 0.01, momentum=0.9)
    source = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, source, classify, 300, 1, 3, "ce", 48, shape=shape, init="he")
    return job, healthy()


@case("scaler_skips_at_first", "amp", "fp16 from a scale of 2^28: the first steps are skipped")
def skips(seed):
    x, y = data.gratings(seed)
    model = Plain([1, 12, 16], 6, lambda width: nn.GroupNorm(4, width))
    source = data.batches(x, y, 16, seed)
    scaler = Scaler(2.0**28, 2000, True)
    optimizer = AdamW(model.parameters(), 3e-3)
    job = Job(model, optimizer, source, classify, 150, 1, 3, "ce", 16, scaler=scaler)
    job.autocast = True
    return job, healthy("not finite on skipped steps only")


@case("pixels_fp16_no_scale", "half", "1 % of a mean over 8e4 pixels, fp16, no loss scale", 1.0)
@case("pixels_fp16_scaled", "half", "the same with a scale of 2^16", 65536.0)
def half(seed, scale):
    x, _ = data.gratings(seed, size=36, rows=300, noise=0.2)
    x = x.flatten(1)
    model = Coder([1296, 64, 16], nn.ReLU, nn.Sigmoid())

    def loss(model, batch):
        return 0.01 * F.mse_loss(model(batch[0]).float(), batch[1])

    scaler = Scaler(scale, 100000, False)
    source = data.batches(x, (2 * x).sigmoid(), 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 300, 2, 2, "mse", 64)
    job.scaler, job.autocast = scaler, True
    if scale > 1:
        return job, healthy("small by its weight; Adam does not care", ["uniformly_small_gradient"])
    alt = ["uniformly_small_gradient", "unchanged_weights", "vanishing_gradient"]
    must = {"gradient_underflow": due(0, 160, alt=alt), "loss_plateau": due(30, 298)}
    may = [*alt, "update_ratio_too_low", "dead_relu"]
    return job, sick(must, may, "below 6e-8: zero; more of them on each step, then all")
