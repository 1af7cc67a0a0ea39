"""Sick runs in which something happens at a step: NaN, spikes, divergence, broken weights."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_faults_depth import BLOWN
from .cases_healthy_plain import classify, squares
from .cases_healthy_practice import Bag
from .labels import due, sick, transient
from .models import MLP, ConvBlock, ConvNet
from .registry import case
from .trainer import Job, Scaler


def two_bad(may=(), layers=()):
    """Gradient and loss are not finite from where they were seen so, first in `layers`."""

    def label(seen):
        loss, norm = seen.first_bad("loss"), seen.first_bad("gn")
        if loss is None or norm is None:
            raise ValueError("loss and gradient: expected a non-finite value, found none")
        must = {
            "non_finite_gradient": due(norm, norm + 1, layers),
            "non_finite_loss": due(loss, loss + 1),
        }
        return sick(must, may, f"gradient from step {norm}, loss from step {loss}")

    return label


@case("inf_log_of_zero", "non_finite", "0 times log 0: a sigmoid that reaches exactly 1", "log")
@case(
    "nan_sqrt_of_zero",
    "non_finite",
    "two equal rows: the distance's square root has no slope",
    "sqrt",
)
@case("inf_in_data", "non_finite", "one feature of one row is infinite at step 140", "data")
@case(
    "nan_zero_over_zero",
    "non_finite",
    "a constant column is divided by its deviation at step 95",
    "divide",
)
@case(
    "fp16_overflow_unscaled",
    "non_finite",
    "activations pass 65504 in half precision at step 120",
    "half",
)
def not_finite(seed, kind):
    x, y = data.blobs(seed, distance=3.0 if kind == "log" else 1.2)
    model = MLP([24, 48, 48, 8], nn.ReLU)
    plain = data.batches(x, y, 48, seed)

    def source(step):
        rows, labels = plain(step)
        rows = rows.clone()
        if kind == "sqrt" and step >= 110:
            rows[1], labels = rows[0], labels.clone()
            labels[1] = labels[0]
        if kind == "data" and step >= 140 and step % 10 == 0:
            rows[3, 5] = float("inf")
        if kind == "divide":
            if step >= 95:
                rows[:, 2] = 1.0
            rows = (rows - rows.mean(0)) / rows.std(0)
        if kind == "half" and step == 120:
            rows = rows * 3e4
        return rows, labels

    def loss(model, batch):
        rows, labels = batch
        if kind == "log":
            share = (4 * model(rows)).sigmoid()
            wanted = F.one_hot(labels, 8)
            return -(wanted * share.log() + (1 - wanted) * (1 - share).log()).sum(1).mean()
        value, extras = classify(model, batch)
        if kind == "sqrt":
            codes = model.fc0(rows)
            apart = (codes[0] - codes[1]).square().sum().sqrt()
            value = value + 1e-3 * apart
        return value, extras

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, source, loss, 260, 1, 2, "loss", 48, autocast=kind == "half")
    layers = ["fc0"] if kind == "sqrt" else []
    may = (
        BLOWN
        if kind == "log"
        else ["loss_spike", "gradient_spike", "weight_jump", "exploding_gradient"]
    )
    return job, two_bad(may, layers)


@case(
    "nan_one_layer_grad",
    "non_finite",
    "a broken backward writes NaN into one layer at step 120",
    "fc2",
)
def one_layer(seed, layer):
    x, y = data.blobs(seed)
    model = MLP([24, 48, 48, 48, 8], nn.GELU)

    def shape(step):
        if step == 120:
            getattr(model, layer).weight.grad[0, 0] = float("nan")

    job = Job(
        model,
        Adam(model.parameters(), 1e-3),
        data.batches(x, y, 48, seed),
        classify,
        240,
        1,
        2,
        "ce",
        48,
    )
    job.shape = shape
    return job, two_bad(["weight_jump"], [layer])


@case("overflow_every_step", "non_finite", "from step 130 on every step overflows and is skipped")
def overflow(seed):
    x, y = data.blobs(seed)
    model = MLP([24, 48, 48, 8], nn.ReLU, norm=nn.LayerNorm)

    def shape(step):
        if step >= 130:
            model.fc1.weight.grad[2, 3] = float("inf")

    job = Job(
        model,
        Adam(model.parameters(), 1e-3),
        data.batches(x, y, 48, seed),
        classify,
        260,
        1,
        2,
        "cross_entropy",
        48,
        scaler=Scaler(4096.0),
        shape=shape,
    )
    may = "loss_plateau unchanged_weights update_ratio_too_low uniformly_small_gradient".split()
    must = {"non_finite_gradient": due(130, 160, ["fc1"])}
    return job, sick(must, may, "nothing is learned any more, and the scale runs to zero")


@case(
    "bad_batch_adam",
    "spike",
    "inputs of one batch are -20 times what they were at step 170",
    "inputs",
    170,
)
@case("bad_target_clipped", "spike", "one target of 1e4 at step 210, clipped at 1", "target", 210)
@case("bad_labels_batch", "spike", "one batch with wrong labels at step 180", "labels", 180)
@case("loss_scaled_once", "spike", "one loss is multiplied by 500 at step 150", "scaled", 150)
def one_bad_batch(seed, kind, when):
    regression = kind == "target"
    x, y = data.teacher(seed) if regression else data.blobs(seed, distance=1.8)
    model = MLP([x.shape[1], 48, 48, 1 if regression else 8], nn.SiLU)
    plain, now = data.batches(x, y, 64, seed), {"step": 0}

    def source(step):
        now["step"] = step
        rows, wanted = plain(step)
        if step == when:
            if kind == "inputs":
                rows = rows * -20
            elif kind == "target":
                wanted = wanted.clone()
                wanted[7] = 1e4
            elif kind == "labels":
                wanted = (wanted + 3) % 8
        return rows, wanted

    def loss(model, batch):
        if regression:
            return squares(model, batch)
        value, extras = classify(model, batch)
        return value * (500 if kind == "scaled" and now["step"] == when else 1), extras

    optimizer = (
        Adam(model.parameters(), 1e-3) if kind == "inputs" else SGD(model.parameters(), 0.02, 0.9)
    )
    if kind == "scaled":
        optimizer = AdamW(model.parameters(), 1e-3)
    clip = ("norm", 1.0) if kind in ("target", "labels") else None
    job = Job(model, optimizer, source, loss, 320, 1, 2, "loss", 64, clip=clip)
    must = {"gradient_spike": due(when, when), "loss_spike": due(when, when)}
    may = (
        ["exploding_gradient", "clipping_every_step"]
        if kind == "target"
        else ["exploding_gradient"]
    )
    return job, transient(
        must, may if kind != "labels" else [], "one step; goes on as before soon after"
    )


@case(
    "lr_glitch_adam", "spike", "the rate is 300 times too high on step 160 only", 160, 300.0, "adam"
)
@case(
    "lr_glitch_sgd_lingers",
    "spike",
    "the rate is 60 times too high on steps 150 to 152",
    150,
    60.0,
    "sgd",
)
def rate_glitch(seed, when, factor, kind):
    x, y = data.blobs(seed, distance=1.6)
    model = MLP([24, 64, 64, 8])
    adam = kind == "adam"
    optimizer = (
        Adam(model.parameters(), 1e-3) if adam else SGD(model.parameters(), 0.05, momentum=0.5)
    )
    base, last = (1e-3, when) if adam else (0.05, when + 2)

    def rate(step):
        return base * (factor if when <= step <= last else 1)

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
        rate,
    )
    may = """gradient_spike exploding_gradient loss_divergence loss_plateau update_ratio_too_high
        weight_jump dead_relu loss_oscillation""".split()
    return job, sick({"loss_spike": due(when, when + 5)}, may)


@case("bad_shard_repeats", "spike", "every 50th batch, from step 100 on, is corrupted")
def bad_shard(seed):
    x, y = data.blobs(seed, distance=1.4)
    model = MLP([24, 48, 48, 8], nn.Tanh)
    plain = data.batches(x, y, 64, seed)

    def source(step):
        rows, labels = plain(step)
        bad = step >= 100 and step % 50 == 0
        return (rows * 40, (labels + 1) % 8) if bad else (rows, labels)

    job = Job(
        model,
        SGD(model.parameters(), 0.05),
        source,
        classify,
        330,
        1,
        2,
        "cross_entropy",
        64,
        clip=("norm", 2.0),
    )
    must = {"gradient_spike": due(100, 150), "loss_spike": due(100, 150)}
    return job, transient(must, [], "the same fault five times")


@case("ascent_from_150", "divergence", "the sign of the update turns at step 150", "sign")
@case(
    "decay_sign_wrong",
    "divergence",
    "weight decay with the wrong sign: weights grow without end",
    "decay",
)
@case("lr_creeps_up", "divergence", "the rate grows by 3 % a step after step 80", "creep")
@case(
    "labels_swapped_for_good",
    "divergence",
    "from step 170 all labels are others, at a tiny rate",
    "labels",
)
def diverging(seed, kind):
    x, y = data.blobs(seed, distance=1.5)
    model = MLP([24, 48, 48, 8], nn.Tanh if kind == "sign" else nn.ReLU)
    plain = data.batches(x, y, 64, seed)
    rate = None
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    if kind == "decay":
        optimizer = SGD(model.parameters(), 0.02)
    if kind == "creep":
        rate = lambda s: 0.02 * 1.03 ** max(0, s - 80)  # noqa: E731
    if kind == "labels":
        rate = lambda s: 0.05 if s < 170 else 2e-4  # noqa: E731

    def source(step):
        rows, labels = plain(step)
        return (rows, (labels + 4) % 8) if kind == "labels" and step >= 170 else (rows, labels)

    def shape(step):
        if kind == "decay":
            for parameter in model.parameters():
                parameter.grad.add_(parameter.detach(), alpha=-1.5)
        if kind == "sign" and step >= 150:
            for parameter in model.parameters():
                parameter.grad.neg_()

    job = Job(model, optimizer, source, classify, 300, 1, 2, "cross_entropy", 64, rate, shape=shape)

    def label(seen):
        when = {"sign": 150, "decay": 60, "creep": 150, "labels": 170}[kind]
        alt = ["loss_spike"] if kind in ("sign", "creep") else []
        must = {"loss_divergence": due(when, 299, alt=alt)}
        may = [*BLOWN, "exploding_gradient", "non_finite_loss", "non_finite_gradient"]
        may = [rule for rule in may if rule not in must]
        if kind == "labels":
            must = {"loss_spike": due(when, when + 5)}
            may = ["loss_divergence", "gradient_spike", "loss_plateau", "update_ratio_too_low"]
            may.append("exploding_gradient")
        return sick(must, may)

    return job, label


@case(
    "bit_flip_conv",
    "weight_jump",
    "one exponent bit of a convolution flips at step 140",
    "conv",
    140,
)
@case(
    "bad_layer_loaded",
    "weight_jump",
    "one layer is replaced by noise 30 times its size at step 160",
    "load",
    160,
)
@case(
    "nan_unused_row",
    "weight_jump",
    "a row of an embedding that no word uses turns NaN at step 130",
    "row",
    130,
)
@case("layer_zeroed", "weight_jump", "one layer's weights become zero at step 150", "zero", 150)
def broken_weights(seed, kind, when):
    if kind == "conv":
        x, y = data.gratings(seed)
        model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 2)
        layer, name = model.blocks[0].conv1, "blocks.0.conv1"
    elif kind == "row":
        x, y = data.bags(seed, vocabulary=400)
        model = Bag(404)
        layer, name = model.emb, "emb"
    else:
        x, y = data.blobs(seed)
        model = MLP([24, 64, 64, 64, 8], norm=nn.LayerNorm)
        layer, name = model.fc1, "fc1"
    optimizer = Adam(model.parameters(), 2e-3)

    @torch.no_grad()
    def before(step):
        if step != when:
            return
        if kind == "conv":
            layer.weight.view(-1)[5] = 3e22
        elif kind == "load":
            layer.weight.copy_(torch.randn(layer.weight.shape) * 30 * layer.weight.std())
        elif kind == "row":
            layer.weight[402] = float("nan")
        else:
            layer.weight.zero_()

    job = Job(
        model, optimizer, data.batches(x, y, 48, seed), classify, 280, 1, 2, "ce", 48, before=before
    )
    may = """loss_spike gradient_spike dead_relu exploding_gradient loss_plateau loss_divergence
        vanishing_gradient update_ratio_too_low update_ratio_too_high unchanged_weights
        non_finite_loss non_finite_gradient poor_initialization"""
    may = [] if kind == "row" else may.split()
    if kind == "conv":
        may = ["dead_relu", "unchanged_weights", "update_ratio_too_low", "vanishing_gradient"]
    return job, sick({"weight_jump": due(when, when + 2, [name])}, may)
