"""Sixth set: flows that match velocities, codes, fields, splats, masks of specks."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .data_fifth import digits, moons, pictures
from .data_sixth import specks
from .labels import due, healthy, sick
from .models import MLP
from .models_fifth import DeepUNet
from .models_sixth import DiT, HashGrid, Splats
from .registry import case
from .trainer import Job


@case("flow_matching_dit", "matched_flow", "velocities of pictures, adaLN-zero blocks, AdamW")
def flow_matching(seed):
    x, _ = pictures(seed, channels=1, noise=0.1)
    model, g = DiT(), data.generator(seed)

    def loss(model, batch):
        noise = torch.randn(batch[0].shape, generator=g)
        t = torch.randn(len(noise), generator=g).sigmoid()
        at = t.view(-1, 1, 1, 1)
        return F.mse_loss(model((1 - at) * noise + at * batch[0], t), batch[0] - noise)

    source = data.batches(x, x, 32, seed)
    job = Job(model, AdamW(model.parameters(), 2e-3), source, loss, 260, 2, 3, "velocity", 32)
    note = "all gates start at 0: no slope but the last layer's at first"
    return job, healthy(note, ["loss_plateau"])


@case("flow_matching_raw_time", "matched_flow", "the time goes in as 0 to 1000, SGD", "raw")
@case("denoiser_time_zero", "matched_flow", "eps from x0 over sigma, and that is 0", "zero")
def plane_flow(seed, kind):
    points, g = moons(seed, 64), data.generator(seed)
    model = MLP([3, 64, 64, 2], nn.SiLU)

    def source(step):
        return points(step), step

    def loss(model, batch):
        x, step = batch
        noise = torch.randn(x.shape, generator=g)
        if kind == "raw":
            t = torch.rand(len(x), 1, generator=g)
            mixed = (1 - t) * noise + t * x
            return F.mse_loss(model(torch.cat([mixed, 1000 * t], 1)), x - noise)
        t = torch.randint(6000, (len(x), 1), generator=g) / 6000
        alpha, sigma = (1.5708 * t).cos(), (1.5708 * t).sin()
        mixed = alpha * x + sigma * noise
        guess = (mixed - alpha * model(torch.cat([mixed, t], 1))) / sigma
        off = (guess - noise).square()
        return (off * sigma.square()).mean()

    if kind == "raw":
        job = Job(model, SGD(model.parameters(), 0.01, momentum=0.9), source, loss)
        job.steps, job.every, job.hist_every = 240, 1, 3
    else:
        job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 400, 1, 3)
    job.loss_name, job.batch_size = "mse", 64
    if kind == "zero":
        return job, broken(["weight_jump"])

    def label(seen):
        alt = "poor_initialization loss_spike gradient_spike loss_divergence".split()
        must = {"exploding_gradient": due(0, 60, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        may = [*blown(*must), *thrown(*must), "saturated_activation"]
        return sick(must, [r for r in may if r not in must], "the first loss is thousands")

    return job, label


@case("vae_cyclic_kl", "annealed_code", "the KL's weight rises from 0 to 1, three times")
def cyclic(seed):
    x, _ = digits(seed)
    model = nn.ModuleDict({"encoder": MLP([256, 96, 24], nn.GELU)})
    model["decoder"] = MLP([12, 96, 256], nn.GELU)
    now, g = {}, data.generator(seed)

    def loss(model, batch):
        mean, log = model["encoder"](batch[0]).chunk(2, 1)
        code = mean + (0.5 * log).exp() * torch.randn(mean.shape, generator=g)
        off = F.binary_cross_entropy_with_logits(
            model["decoder"](code), batch[0], reduction="sum"
        )
        price = 0.5 * (mean.square() + log.exp() - 1 - log).sum()
        share = min(1.0, (now["step"] % 120) / 60)
        return (off + share * price) / len(mean), {"kl": price.detach() / len(mean)}

    job = Job(model, Adam(model.parameters(), 1e-3), data.batches(x, x, 64, seed), loss, 360)
    job.every, job.hist_every, job.loss_name, job.batch_size = 2, 3, "elbo", 64
    job.before = lambda step: now.update(step=step)
    may = ["loss_divergence", "loss_plateau", "loss_oscillation"]
    return job, healthy("the target moves with the weight, on purpose", may)


def picture(seed, side=40):
    """Places in the unit square and the colours of a picture of a few waves and an edge."""
    g = data.generator(seed)
    line = (torch.arange(side) + 0.5) / side
    xy = torch.stack(torch.meshgrid(line, line, indexing="ij"), 2).view(-1, 2)
    wave = 0.0
    for _ in range(6):
        turn = 8 * torch.randn(2, generator=g)
        wave = wave + (xy @ turn + 6 * torch.rand(1, generator=g)).sin()
    return xy, 0.3 * wave + (xy[:, 0] > xy[:, 1]).float()


@case("hash_grid_field", "hash_grid", "four hashed tables and a small net, Adam with eps 1e-15")
def hashed(seed):
    xy, colour = picture(seed)
    model = HashGrid()
    optimizer = Adam(model.parameters(), 1e-2, betas=(0.9, 0.99), eps=1e-15)
    source = data.batches(xy, colour[:, None], 256, seed)
    loss = lambda model, batch: F.mse_loss(model(batch[0]), batch[1])  # noqa: E731
    return Job(model, optimizer, source, loss, 300, 2, 3, "mse", 256), healthy()


@case("splats_fit_picture", "splats", "60 Gaussian spots fit a picture, Adam", 1.0)
@case("splats_rate_x100", "splats", "the same at a hundred times the rate", 100.0)
def splats(seed, factor):
    xy, colour = picture(seed, 24)
    model = Splats(60, data.generator(seed))
    loss = lambda model, batch: F.mse_loss(model(batch[0]), batch[1])  # noqa: E731
    optimizer = Adam(model.parameters(), 0.02 * factor)
    job = Job(model, optimizer, data.whole(xy, colour), loss, 280, 2, 3, "mse")
    if factor == 1:
        return job, healthy()
    job.every = 1

    def label(seen):
        alt = ["update_ratio_too_high", "unchanged_weights", "vanishing_gradient"]
        must = {"loss_plateau": due(5, 279, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        return sick(must, [r for r in [*blown(), *thrown()] if r not in must], "spots are gone")

    return job, label


@case("specks_instance_norm", "specks", "specks of 5 pixels, instance norms, BCE and Dice", 1.0)
@case("specks_masks_of_255", "specks", "the masks hold 0 and 255, not 0 and 1", 255.0)
def rare_specks(seed, top):
    x, mask = specks(seed)
    model = DeepUNet(lambda width: nn.GroupNorm(width, width))

    def loss(model, batch):
        logits = model(batch[0])
        value = F.binary_cross_entropy_with_logits(logits, top * batch[1])
        if top > 1:
            return value
        share = logits.sigmoid()
        both = 2 * (share * batch[1]).sum((1, 2, 3)) + 1
        dice = 1 - both / (share.sum((1, 2, 3)) + batch[1].sum((1, 2, 3)) + 1)
        return value + dice.mean()

    optimizer = SGD(model.parameters(), 0.02, momentum=0.99, nesterov=True)
    if top > 1:
        optimizer = Adam(model.parameters(), 1e-3)
    source = data.batches(x, mask, 12, seed)
    job = Job(model, optimizer, source, loss, 260, 2, 3, "bce_dice", 12)
    if top == 1:
        job.rate = lambda s: 0.02 * (1 - s / 260) ** 0.9
        return job, healthy("", ["loss_oscillation"])
    may = """exploding_gradient loss_divergence loss_spike gradient_spike loss_oscillation
        update_ratio_too_high poor_initialization""".split()
    return job, healthy("a bug, but none that slopes show: the loss falls below 0 and on", may)
