"""Sick runs from wrong settings: rates, clipping, optimizers, biases, inputs."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, mitigated, sick
from .models import MLP, ConvBlock, ConvNet
from .registry import case
from .trainer import Job

STUCK = ["unchanged_weights", "update_ratio_too_low", "vanishing_gradient", "poor_initialization"]


@case("inputs_all_zero", "plateau", "the pipeline feeds zeros: only the biases learn", "zero")
@case("targets_shuffled", "plateau", "a regression whose targets belong to other rows", "shuffled")
@case("random_labels_conv", "plateau", "images with random labels, new noise each step", "conv")
def nothing_to_learn(seed, kind):
    if kind == "conv":
        x, y = data.gratings(seed)
        model, loss = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 2), classify
    elif kind == "shuffled":
        x, y = data.teacher(seed, rows=20000)
        y = y[torch.randperm(len(y), generator=data.generator(seed))]
        model, loss = MLP([16, 48, 1], nn.GELU), squares
    else:
        x, y = data.blobs(seed)
        x = x * 0
        model, loss = MLP([24, 48, 48, 8]), classify
    plain = data.batches(x, y, 64, seed)

    def source(step):
        rows, wanted = plain(step)
        if kind == "conv":
            g = data.generator(seed + 77 * step)
            rows = rows + torch.randn(rows.shape, generator=g)
            wanted = torch.randint(6, wanted.shape, generator=g)
        return rows, wanted

    optimizer = (
        Adam(model.parameters(), 1e-3) if kind != "zero" else SGD(model.parameters(), 0.05, 0.9)
    )
    job = Job(model, optimizer, source, loss, 320, 1, 4, "loss", 64)
    may = [*STUCK, "dead_relu", "uniformly_small_gradient"] if kind == "zero" else []
    return job, sick({"loss_plateau": due(60, 319)}, may, "as low as it can be without any signal")


@case("lr_zero_too_soon", "unchanged", "the schedule reaches exactly zero at step 90 of 320", "all")
@case(
    "group_rate_zero",
    "unchanged",
    "one layer's parameter group has the rate 0 from step 150",
    "group",
)
@case("conv_not_in_optimizer", "unchanged", "a block was never given to the optimizer", "conv")
@case(
    "head_replaced_late", "unchanged", "the head was replaced after the optimizer was made", "head"
)
def never_moves(seed, kind):
    x, y = data.gratings(seed) if kind == "conv" else data.blobs(seed, distance=1.0)
    rate, layers, first = None, [], 1
    if kind == "conv":
        model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 3)
        kept = [p for n, p in model.named_parameters() if not n.startswith("blocks.1.")]
        optimizer, layers = AdamW(kept, 1e-3), ["blocks.1"]
    else:
        model = MLP([24, 48, 48, 48, 8], nn.ReLU)
        optimizer = SGD(model.parameters(), 0.05)
        if kind == "head":
            model.fc3 = nn.Linear(48, 8)
            layers = ["fc3"]
        elif kind == "all":
            rate = lambda s: max(0.0, 0.15 * (1 - s / 90))  # noqa: E731
            first = 90
        else:
            rest = [p for n, p in model.named_parameters() if not n.startswith("fc1")]
            late = {"params": list(model.fc1.parameters()), "lr": 1e-3}
            optimizer = Adam([{"params": rest, "lr": 1e-3}, late])
            layers, first = ["fc1"], 150

    def before(step):
        if kind == "group" and step == 150:
            optimizer.param_groups[1]["lr"] = 0.0

    batch = data.batches(x, y, 48, seed)
    job = Job(
        model, optimizer, batch, classify, 320, 1, 3, "cross_entropy", 48, rate, before=before
    )
    alt = ["update_ratio_too_low"] if kind == "all" else []
    may = ["update_ratio_too_low"] + (["loss_plateau"] if kind == "all" else [])
    must = {"unchanged_weights": due(first, first + 80 if first > 1 else 60, layers, alt)}
    return job, sick(must, may)


@case(
    "edge_tanh", "oscillation", "full-batch Huber regression, rate far too high", nn.Tanh, 5.0, 0.3
)
@case("edge_softplus", "oscillation", "the same with another activation", nn.Softplus, 3.0, 1.0)
def edge(seed, act, rate, delta):
    x, y = data.teacher(seed, 12, rows=200, scale=2.0)
    model = MLP([12, 24, 1], act)

    def loss(model, batch):
        return F.huber_loss(model(batch[0]), batch[1], delta=delta)

    source = data.whole(x, y)
    job = Job(model, SGD(model.parameters(), rate), source, loss, 320, 1, 2, "huber", 200)
    may = "gradient_spike loss_plateau loss_spike update_ratio_too_high loss_divergence".split()
    may += ["exploding_gradient", "saturated_activation"]
    return job, sick({"loss_oscillation": due(20, 319)}, may, "period-2 swings of bounded size")


@case(
    "dead_by_first_step",
    "dead_relu",
    "the first steps are far too long and kill every unit",
    "step",
)
@case("dead_one_layer", "dead_relu", "biases of -9 in one of three layers", "bias")
@case(
    "dead_conv_block",
    "dead_relu",
    "a block's channels are dead by their bias of -6; no skip",
    "conv",
)
@case("dead_most_units", "dead_relu", "eight units in ten are dead; the rest still learn", "most")
def dead(seed, kind):
    x, y = data.gratings(seed) if kind == "conv" else data.blobs(seed)
    rate, layers = None, ["act1"]
    if kind == "conv":
        model = ConvNet(lambda width: ConvBlock(width, None, skip=False), 2)
        nn.init.constant_(model.blocks[1].conv1.bias, -6.0)
        layers = ["blocks.1.act1"]
    else:
        model = MLP([24, 64, 64, 8], init="he")
        if kind == "step":
            rate = lambda s: 6.0 if s < 3 else 0.02  # noqa: E731
            layers = ["act0", "act1"]
        else:
            count = 64 if kind == "bias" else 54
            model.fc1.bias.data[:count] = -9.0 if kind == "bias" else -12.0
    optimizer = SGD(model.parameters(), 0.02)
    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 260, 1, 2, "cross_entropy", 64, rate, init="he")
    must = {"dead_relu": due(0, 40, layers)}
    may = [*STUCK]
    if kind == "most":
        may = ["poor_initialization", "unchanged_weights", "update_ratio_too_low", "loss_plateau"]
    elif kind != "step":
        must["loss_plateau"] = due(20, 259)
    if kind == "step":
        may += ["loss_plateau"]
        may += """loss_spike loss_divergence exploding_gradient gradient_spike update_ratio_too_high
            weight_jump""".split()
    return job, sick(must, may)


@case("tanh_raw_inputs", "saturation", "inputs of size 100 into tanh layers", "inputs", nn.Tanh)
@case("sigmoid_large_init", "saturation", "sigmoid layers from N(0, 3)", "init", nn.Sigmoid)
@case(
    "tanh_driven_by_lr",
    "saturation",
    "a rate of 1.5 drives the tanh layers into their ends",
    "rate",
    nn.Tanh,
)
@case("tanh_large_init", "saturation", "six tanh layers from N(0, 1)", "init", nn.Tanh)
def saturated(seed, kind, act):
    x, y = data.blobs(seed)
    depth, init, rate = 3, "xavier", 0.02
    if kind == "inputs":
        x = x * 100
    elif kind == "init":
        depth, init = (6, "normal(1.0)") if act is nn.Tanh else (4, "normal(3.0)")
    else:
        rate = 1.5
    model = MLP([24] + [48] * depth + [8], act, init)
    batch = data.batches(x, y, 48, seed)
    job = Job(
        model,
        SGD(model.parameters(), rate, 0.9),
        batch,
        classify,
        220,
        1,
        2,
        "cross_entropy",
        48,
        init=init,
    )
    late = 100 if kind == "rate" else 40
    must = {"saturated_activation": due(0, late)}
    may = """exploding_gradient loss_oscillation loss_plateau update_ratio_too_high loss_spike
        vanishing_gradient gradient_spike""".split()
    if kind == "init":
        must["poor_initialization"] = due(0, 40)
    elif kind == "inputs":
        may += ["poor_initialization", "update_ratio_too_low", "unchanged_weights"]
    return job, sick(must, may)


@case(
    "clip_tiny_norm_sgd",
    "clip",
    "clipped at 1e-3 with SGD: it crawls",
    ("norm", 1e-3),
    SGD,
    0.01,
    nn.ReLU,
)
@case(
    "clip_tiny_value_sgd",
    "clip",
    "clipped by value at 1e-5: it crawls",
    ("value", 1e-5),
    SGD,
    0.01,
    nn.SiLU,
)
@case(
    "clip_tiny_norm_adam",
    "clip",
    "clipped at 1e-3 with Adam, which does not care: it learns",
    ("norm", 1e-3),
    Adam,
    1e-3,
    nn.ReLU,
)
def clipped(seed, clip, optimizer, rate, act):
    x, y = data.blobs(seed)
    model = MLP([24, 64, 64, 8], act)
    batch = data.batches(x, y, 48, seed)
    job = Job(
        model, optimizer(model.parameters(), rate), batch, classify, 300, 1, 3, "ce", 48, clip=clip
    )
    if optimizer is Adam:
        return job, healthy("clips on every step, yet learns as without", ["clipping_every_step"])
    must = {"clipping_every_step": due(0, 60), "update_ratio_too_low": due(0, 150)}
    return job, sick(must, ["loss_plateau", "unchanged_weights"])


@case(
    "clip_hides_bad_start",
    "clip",
    "N(0, 0.5) ReLU net, clipped at 1: it goes on, but always clipped",
)
def clip_hides(seed):
    x, y = data.teacher(seed, scale=5.0)
    model = MLP([16, 64, 64, 64, 1], init="normal(0.5)")
    batch = data.batches(x, y, 64, seed)
    optimizer = SGD(model.parameters(), 0.01)
    job = Job(
        model,
        optimizer,
        batch,
        squares,
        300,
        1,
        3,
        "mse_loss",
        64,
        clip=("norm", 1.0),
        init="normal(0.5)",
    )
    may = """exploding_gradient poor_initialization loss_oscillation loss_plateau loss_spike
        gradient_spike update_ratio_too_low update_ratio_too_high""".split()
    return job, mitigated({"clipping_every_step": due(0, 60)}, may, "norms of hundreds, cut to 1")


WILD = """loss_spike loss_oscillation loss_divergence loss_plateau gradient_spike exploding_gradient
    dead_relu saturated_activation weight_jump vanishing_gradient uniformly_small_gradient
    update_ratio_too_low unchanged_weights""".split()


@case("adam_lr_03", "update_ratio", "Adam at 0.3: weights move by a tenth or more a step", "adam")
@case(
    "adamw_lr_03_decay",
    "update_ratio",
    "AdamW at 0.3 with decay 1: every weight is new in ten steps",
    "decayed",
)
@case("rmsprop_lr_02", "update_ratio", "RMSprop at 0.2", "rmsprop")
@case(
    "decay_far_too_strong", "update_ratio", "decay shrinks all weights by a third a step", "decay"
)
@case("adam_lr_1e8", "update_ratio", "Adam at 1e-8: nothing moves", "slow_adam")
@case("sgd_lr_1e7_conv", "update_ratio", "SGD at 1e-7 on images", "slow_conv")
def wrong_rate(seed, kind):
    x, y = data.gratings(seed) if kind == "slow_conv" else data.blobs(seed)
    model = MLP([24, 48, 48, 8], nn.GELU)
    if kind == "slow_conv":
        model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 2)
    makers = {
        "adam": lambda p: Adam(p, 0.3),
        "decayed": lambda p: AdamW(p, 0.3, weight_decay=1.0),
        "rmsprop": lambda p: RMSprop(p, 0.2),
        "decay": lambda p: SGD(p, 0.1, weight_decay=3.5),
        "slow_adam": lambda p: Adam(p, 1e-8),
        "slow_conv": lambda p: SGD(p, 1e-7),
    }
    batch = data.batches(x, y, 48, seed)
    job = Job(
        model, makers[kind](model.parameters()), batch, classify, 240, 1, 3, "cross_entropy", 48
    )
    if kind.startswith("slow"):
        must = {"update_ratio_too_low": due(0, 150)}
        return job, sick(must, ["loss_plateau", "unchanged_weights"])
    # Where weights outgrow the steps, the ratio sinks again: what it did to the loss says as much.
    alt = """loss_spike loss_oscillation loss_divergence loss_plateau gradient_spike
        exploding_gradient""".split()
    if kind in ("decay", "decayed"):
        alt = []
    return job, sick({"update_ratio_too_high": due(0, 100, alt=alt)}, WILD)
