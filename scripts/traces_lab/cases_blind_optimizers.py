"""Blind runs of further optimizers, and of what happens to data and weights on the way."""

import math

import torch
from torch import nn
from torch.optim import SGD, AdamW

from . import data
from .cases_blind_sequence import broken, thrown
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick, transient
from .models import MLP
from .models_blind import Patches
from .optimizers_blind import Kronecker, Muon, ScheduleFree
from .registry import case
from .trainer import Job


@case("muon_images", "optimizer", "orthogonalized momentum on images", "muon")
@case("muon_rate_1", "optimizer", "the same at a rate of 1", "muon_hot")
@case("schedule_free_sgd", "optimizer", "schedule-free SGD", "free")
@case("kronecker_factors", "optimizer", "Shampoo-like whitening from both sides", "kron")
@case("sharpness_aware", "optimizer", "two gradients a step (SAM), radius 0.05", "sam")
@case("private_sgd", "optimizer", "SGD with Gaussian noise in the gradient", "private")
@case("private_noise_far_too_high", "optimizer", "noise of 300 times what it bears", "noise")
@case("amp_clip_before_unscale", "optimizer", "clipped at 1 while still scaled by 65536", "amp")
def optimizers(seed, kind):
    if kind.startswith("muon"):
        x, y = data.gratings(seed, noise=1.2)
        model = Patches(4, 24, 6, [MLP([24, 48, 24], nn.GELU, residual=True) for _ in range(2)])
    else:
        x, y = data.blobs(seed, distance=1.7)
        model = MLP([24, 40, 40, 8], nn.GELU, norm=nn.LayerNorm)
    weights = list(model.parameters())
    optimizer = {
        "muon": lambda: Muon(weights, 0.02),
        "muon_hot": lambda: Muon(weights, 1.0),
        "free": lambda: ScheduleFree(weights, 0.3),
        "kron": lambda: Kronecker(weights, 0.1),
    }.get(kind, lambda: SGD(weights, 0.1, momentum=0.5 if kind == "sam" else 0.0))()
    source = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, source, classify, 260, 2, 3, "cross_entropy", 48)
    if kind == "muon":
        job.rate = lambda s: 0.01 * (1 - s / 280)

    def slopes(step):
        for p in weights:
            p.grad = None
        value, extras = classify(model, source(step))
        value.backward()
        return value.item(), extras

    @torch.no_grad()
    def move(steps, sign):
        for p, by in zip(weights, steps):
            p.add_(by, alpha=sign)

    def sharp(step):
        value, extras = slopes(step)
        length = math.sqrt(sum(float(p.grad.square().sum()) for p in weights))
        steps = [0.05 * p.grad / (length + 1e-12) for p in weights]
        move(steps, 1)
        slopes(step)
        move(steps, -1)
        return value, extras

    @torch.no_grad()
    def noisy(step):
        g = data.generator(seed * 13 + step)
        for p in weights:
            p.grad.add_(torch.randn(p.shape, generator=g), alpha=0.01 if kind == "private" else 3.0)

    if kind == "sam":
        job.backward = sharp
    if kind in ("private", "noise"):
        job.shape = noisy
    if kind == "amp":

        def shape(step):
            for p in weights:
                p.grad.mul_(65536)

        job.shape, job.clip = shape, ("norm", 1.0)
        optimizer.param_groups[0]["lr"] = 0.1 / 65536
        must = {"clipping_every_step": due(0, 80), "update_ratio_too_low": due(0, 200)}
        must["update_ratio_too_low"]["alt"] = ["unchanged_weights", "loss_plateau"]
        may = """loss_plateau unchanged_weights exploding_gradient
            poor_initialization""".split()
        return job, sick(must, may, "then unscaled: a step of a millionth")
    if kind == "noise":
        alt = ["loss_divergence", "loss_oscillation", "loss_plateau"]
        must = {"update_ratio_too_high": due(0, 200, alt=alt)}
        may = [*alt, "loss_spike", "exploding_gradient", "poor_initialization"]
        return job, sick(must, may, "the weights walk at random")
    if kind == "muon_hot":
        must = {"update_ratio_too_high": due(0, 60)}
        return job, sick(must, thrown(*must), "each step is as long as the weights")
    return job, healthy()


@case("pruned_at_once", "event", "nine weights in ten become zero at step 150", "prune")
@case("loader_sorted", "event", "the loader is not shuffled: one class at a time", "sorted")
@case("drift_followed", "event", "class centres turn slowly; the net follows", "drift")
@case("targets_log_of_zero", "event", "a log transform of counts meets a zero at step 135", "log")
def events(seed, kind):
    x, y = data.blobs(seed, distance=1.3 if kind == "drift" else 1.8)
    model, loss, optimizer = MLP([24, 48, 48, 8], nn.SiLU), classify, None
    plain = data.batches(x, y, 48, seed)
    parts = [data.batches(x[y == c], y[y == c], 48, seed) for c in range(8)]
    turn = torch.linalg.qr(torch.randn(24, 24, generator=data.generator(seed)))[0]
    if kind == "sorted":
        optimizer = SGD(model.parameters(), 0.03, momentum=0.9)
    if kind == "log":
        model, loss = MLP([24, 48, 48, 1], nn.SiLU), squares

    def source(step):
        if kind == "sorted":
            return parts[step // 12 % 8](step)
        rows, wanted = plain(step)
        if kind == "drift":
            share = step / 260 * 0.6
            rows = rows * math.cos(share) + rows @ turn * math.sin(share)
        if kind == "log":
            counts = (rows[:, :1] * 2 + 12).round().clamp(min=1)
            if step >= 135 and step % 9 == 0:
                counts[5] = 0
            wanted = counts.log()
        return rows, wanted

    @torch.no_grad()
    def before(step):
        if kind == "prune" and step == 150:
            for layer in (model.fc0, model.fc1, model.fc2):
                size = layer.weight.abs()
                layer.weight.mul_(size > size.flatten().quantile(0.9))

    optimizer = optimizer or AdamW(model.parameters(), 2e-3)
    job = Job(model, optimizer, source, loss, 300, 1, 3, "loss", 48, before=before)
    if kind == "drift":
        return job, healthy("", ["loss_plateau"])
    if kind == "log":
        return job, broken(["weight_jump", "loss_spike", "gradient_spike"])
    if kind == "prune":
        may = ["gradient_spike", "weight_jump", "exploding_gradient", "loss_divergence"]
        return job, transient({"loss_spike": due(150, 153)}, may, "most of it was needed")
    alt = ["loss_spike", "loss_plateau", "gradient_spike"]
    may = """exploding_gradient loss_divergence uniformly_small_gradient update_ratio_too_low
        update_ratio_too_high""".split()
    must = {"loss_oscillation": due(20, 298, alt=alt)}
    return job, sick(must, [*alt, *may], "what one class taught the next one undoes")
