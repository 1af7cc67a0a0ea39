"""Third set: vision transformers, masked convolutions, detectors, margins, nets without norms."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import thrown
from .cases_healthy_plain import classify
from .labels import due, healthy, sick, transient
from .models import MLP, ConvNet
from .models_third import Automaton, Detector, FreeBlock, PatchEncoder, PixelNet, Warped
from .optimizers_third import AdaptiveClip, UnitGradients
from .registry import case
from .trainer import Job


@case(
    "patch_encoder_layer_drop", "patch_encoder", "a ViT whose layers are left out at random", "drop"
)
@case(
    "patch_encoder_warm_to_100",
    "patch_encoder",
    "the rate is 100 times too high after warm-up",
    "warm",
)
@case(
    "patch_encoder_layer_decay", "layer_decay", "fine-tuning: 0.75 of the rate a layer down", 0.75
)
@case("patch_encoder_decay_of_001", "layer_decay", "the same with a factor of 0.01", 0.01)
def patch_encoder(seed, kind):
    x, y = data.gratings(seed, noise=0.5)
    model = PatchEncoder(4, 9, 24, 5, 6, 0.4 if kind == "drop" else 0.0)
    source, steps = data.batches(x, y, 48, seed), 300

    def softened(model, batch):
        logits = model(batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1], label_smoothing=0.1), {"acc": right}

    job = Job(model, None, source, softened, steps, 2, 3, "cross_entropy", 48)
    if isinstance(kind, float):
        learn, first = AdamW(model.parameters(), 2e-3), data.batches(x.flip(2), y, 48, seed + 1)
        for step in range(150):
            learn.zero_grad()
            softened(model, first(step))[0].backward()
            learn.step()
        groups = {}
        for name, p in model.named_parameters():
            level = 5 - int(name.split(".")[1]) if "blocks" in name else 0
            level = 6 if name.startswith(("patch", "cls", "pos")) else level
            groups.setdefault(level, []).append(p)
        job.optimizer = AdamW(
            [{"params": p, "factor": kind**level} for level, p in groups.items()], 1e-3
        )
        job.rate = lambda s: 1e-3 * min(1.0, (s + 1) / 20) * (1 - s / (steps + 20))
        if kind > 0.1:
            return job, healthy()
        either = ["unchanged_weights"]
        must = {"update_ratio_too_low": due(0, 200, ["patch", "blocks.0", "blocks.1"], either)}
        may = ["unchanged_weights", "loss_plateau"]
        return job, sick(
            must, may, "the lower layers get a rate of 1e-15 to 1e-11; the rest learns"
        )
    job.optimizer = AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    if kind == "drop":
        job.rate = lambda s: (
            2e-3 * min((s + 1) / 30, 0.5 + 0.5 * math.cos(math.pi * max(0, s - 30) / 275))
        )
        return job, healthy("a layer that is left out has no gradient at that step")
    job.rate = lambda s: 1e-3 * s / 80 if s < 80 else 0.1
    must = {"loss_spike": due(80, 110, alt=["loss_divergence", "update_ratio_too_high"])}
    may = ["dead_relu", "clipping_every_step", *thrown()]
    return job, sick(must, may, "the second scheduler starts from the wrong base")


@case("pixels_masked_convs", "masked_convs", "PixelCNN: half of each kernel sees nothing", 1.0)
@case("pixels_bits_twice", "masked_convs", "divided by pixels and rows twice, SGD", 144.0 * 16)
def pixels(seed, divisor):
    _, masks = data.discs(seed, size=12)
    model = PixelNet(16, 3)

    def loss(model, batch):
        return F.binary_cross_entropy_with_logits(model(batch[0]), batch[0]) / divisor**2

    source = data.batches(masks, masks, 16, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 220, 2, 3, "bce", 16)
    if divisor == 1:
        return job, healthy("exactly zero gradient on every masked weight")
    job.optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    must = {"uniformly_small_gradient": due(0, 100), "update_ratio_too_low": due(0, 150)}
    return job, sick(must, ["loss_plateau", "unchanged_weights"], "2e-7 of what it should be")


@case("warped_images", "spatial_transformer", "a spatial transformer starts as the identity")
def warped(seed):
    x, y = data.gratings(seed, noise=0.8)
    model = Warped(6)
    source = data.batches(x, y, 32, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, classify, 240, 2, 3, "ce", 32)
    return job, healthy("nothing reaches the layer below the zero matrix at step 0")


@case("detector_prior_one_percent", "detector", "focal loss and boxes; scores start at 1 %", -1)
@case("detector_boxes_in_pixels", "detector", "one batch has boxes in pixels of a large image", 190)
def detector(seed, when):
    images, masks = data.discs(seed)
    line = torch.arange(16).float()
    area = masks.sum((1, 2, 3))
    row = (masks[:, 0] * line[:, None]).sum((1, 2)) / area
    column = (masks[:, 0] * line).sum((1, 2)) / area
    empty = torch.rand(len(images), generator=data.generator(seed)) < 0.4
    images[empty] = 0.4 * torch.randn(
        int(empty.sum()), 1, 16, 16, generator=data.generator(seed + 1)
    )
    area = area.masked_fill(empty, 0)
    model = Detector()

    def loss(model, batch):
        pictures, where = batch
        score, box = model(pictures)
        wanted = torch.zeros_like(score)
        full = where[:, 2] > 0
        rows, cells = full.nonzero()[:, 0], (where[full, :2] / 2).long().clamp(max=7)
        wanted[rows, 0, cells[:, 0], cells[:, 1]] = 1
        each = F.binary_cross_entropy_with_logits(score, wanted, reduction="none")
        miss = (score.sigmoid() - wanted).abs()
        each = each * miss.square() * (0.25 * wanted + 0.75 * (1 - wanted))
        found = box[rows, :, cells[:, 0], cells[:, 1]]
        apart = torch.cat([where[full, :2] / 2 - cells, where[full, 2:].sqrt() / 4], 1)
        count = max(1, len(rows))
        return each.sum() / count + F.smooth_l1_loss(found, apart, reduction="sum") / count

    where = torch.stack([row, column, area], 1)
    plain = data.batches(images, where, 16, seed)

    def source(step):
        pictures, wanted = plain(step)
        return pictures, wanted * (torch.tensor([1.0, 1, 1e7]) if step == when else 1)

    job = Job(model, SGD(model.parameters(), 0.02, 0.9), source, loss, 320, 2, 3, "focal + box", 16)
    job.clip = ("norm", 10.0)
    if when < 0:
        return job, healthy("one cell in a hundred has something to learn")
    note = "the box loss has a bounded slope: the gradient hardly shows it; clipped"
    return job, transient({"loss_spike": due(when, when)}, ["gradient_spike"], note)


@case("angular_margin", "angular_margin", "ArcFace: cosines times 30, a margin of half a radian")
def angular(seed):
    x, y = data.blobs(seed, classes=20, rows=3000, distance=1.8)

    class Angular(nn.Module):
        """An embedding on the sphere, and a direction for each class."""

        def __init__(self):
            super().__init__()
            self.body = MLP([24, 64, 32], nn.ReLU, norm=nn.BatchNorm1d)
            self.centres = nn.Parameter(torch.randn(20, 32) * 0.1)

        def forward(self, x):
            return F.normalize(self.body(x), dim=1) @ F.normalize(self.centres, dim=1).T

    def loss(model, batch):
        cosine = model(batch[0]).clamp(-1 + 1e-6, 1 - 1e-6)
        own = F.one_hot(batch[1], 20) * 0.5
        right = (cosine.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(30 * (cosine.acos() + own).cos(), batch[1]), {"acc": right}

    model = Angular()
    source = data.batches(x, y, 64, seed)
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    job = Job(model, optimizer, source, loss, 300, 2, 3, "arcface", 64)
    return job, healthy("begins far above ln 20 by its margin")


@case(
    "norm_free_adaptive_clip", "norm_free", "NFNet blocks, gradients clipped a unit at 0.02", 0.02
)
@case("norm_free_clip_of_1e6", "norm_free", "the same, clipped at 1e-6 of the weights", 1e-6)
def norm_free(seed, limit):
    x, y = data.gratings(seed, noise=0.8)
    spread = iter([1.0, 1.02, 1.04])
    model = ConvNet(lambda width: FreeBlock(width, next(spread)), 3)
    inner = SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True)
    source = data.batches(x, y, 32, seed)
    job = Job(model, AdaptiveClip(inner, limit), source, classify, 260, 2, 3, "ce", 32)
    if limit > 1e-3:
        return job, healthy("the gain of each branch starts at zero", ["loss_plateau"])
    must = {"update_ratio_too_low": due(0, 150, alt=["unchanged_weights"])}
    may = ["loss_plateau", "unchanged_weights", "vanishing_gradient"]
    return job, sick(must, may, "at most a millionth of each unit's length a step")


@case("automaton_grows", "automaton", "a cellular automaton grows a disc from one cell", "fine")
@case("automaton_runs_wild", "automaton", "64 steps, large weights, gradients as they are", "wild")
@case("automaton_units_dead", "automaton", "the inner units start at a bias of -6", "dead")
def automaton(seed, kind):
    fine = kind != "wild"
    _, masks = data.discs(seed, size=12, rows=1)
    target = torch.cat([masks, masks.roll(2, 3)], 1)
    start = torch.zeros(8, 8, 12, 12)
    start[:, 2:, 6, 6] = 1
    model = Automaton(times=16 if fine else 64, zero=fine)
    if not fine:
        model.change.weight.data.mul_(2.2)

    def loss(model, batch):
        return (model(batch[0])[:, :2] - batch[1]).square().mean()

    job = Job(model, None, data.whole(start, target), loss, 240 if fine else 120, 2, 3, "mse", 8)
    if fine:
        job.optimizer = UnitGradients(Adam(model.parameters(), 2e-3))
    if kind == "dead":
        nn.init.constant_(model.inner.bias, -6.0)
        must = {"dead_relu": due(0, 60, ["act"]), "loss_plateau": due(20, 238)}
        may = """vanishing_gradient unchanged_weights update_ratio_too_low poor_initialization
            uniformly_small_gradient""".split()
        return job, sick(must, may, "only the last bias learns")
    if fine:
        return job, healthy("the last layer starts at zero; gradients are scaled to one each")
    job.optimizer = Adam(model.parameters(), 1e-3)

    def label(seen):
        bad = seen.first_bad("loss")
        must = {"exploding_gradient": due(0, 40, alt=["poor_initialization"])}
        if bad is not None:
            must["non_finite_loss"] = due(bad, bad + 2)
        return sick(must, [*thrown(*must), "non_finite_gradient", "non_finite_loss"])

    return job, label
