"""Faults of networks and their starts, and runs that look like them but are fine."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import thrown
from .cases_faults_depth import named
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick, transient
from .models import MLP, ConvBlock, ConvNet, Recurrent
from .models_fourth import Coder, Encoder, TwoHeads, radius
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss


def late_sum(seed, length, size=32):
    """Noise over time; the target is a sum of the last three values."""

    def batch(step):
        x = torch.randn(size, length, 2, generator=data.generator(seed * 7919 + step))
        return x, x[:, -3:, :1].sum(1) * torch.tensor(0.5)

    return batch


@case("rnn_radius_03", "radius", "a recurrent matrix of spectral radius 0.3, recall over 40", 0.3)
@case("rnn_radius_25", "radius", "spectral radius 2.5, recall over 60: grows, then is stuck", 2.5)
@case("rnn_orthogonal_clipped", "radius", "an orthogonal matrix, clipped on each step", 1.0)
@case("rnn_short_memory", "radius", "radius 0.3, and only the last three inputs count", None)
def radii(seed, wanted):
    length = 60 if wanted == 2.5 else 40
    source, loss = data.recall(seed, 20 if wanted == 1 else length, 4, 32), classify
    model = Recurrent(nn.RNNCell(4, 32), 32, 4)
    if wanted is None:
        source, loss = late_sum(seed, 40), squares
        model = Recurrent(nn.RNNCell(2, 32), 32, 1)
    radius(model.cell, wanted or 0.3)
    if wanted is None or wanted < 1:
        optimizer = Adam(model.parameters(), 1e-3)
    else:
        optimizer = SGD(model.parameters(), 0.1 if wanted > 1 else 0.5)
    clip = ("norm", 0.02) if wanted == 1.0 else None
    job = Job(model, optimizer, source, loss, 300, 2, 3, "loss", 32, clip=clip)
    if wanted is None:
        may = ["rnn_vanishing_through_time", "loss_spike"]
        return job, healthy("needs no more than it gets", may)
    if wanted == 1.0:
        return job, healthy("clips by design, yet learns", ["clipping_every_step"])
    must = {"loss_plateau": due(20, 298)}
    if wanted < 1:
        must["rnn_vanishing_through_time"] = due(0, 150, ["cell"])
        return job, sick(must, ["vanishing_gradient"], "a third at each step back")
    may = """poor_initialization rnn_vanishing_through_time saturated_activation weight_jump
        update_ratio_too_high""".split()
    must["exploding_gradient"] = due(0, 100, alt=may)
    may += ["gradient_spike", "loss_spike", "vanishing_gradient"]
    return job, sick(must, may, "a first norm of 2e3 drives all states to their ends for good")


@case("branches_start_at_zero", "zero_start", "each block's last gain is 0, and so is the head")
def branches(seed):
    x, y = data.gratings(seed)
    model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 4)
    for block in model.blocks:
        nn.init.zeros_(block.norm2.weight)
    nn.init.zeros_(model.head.weight)
    source = data.batches(x, y, 32, seed)
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    return Job(model, optimizer, source, classify, 260, 2, 3, "ce", 32), healthy()


@case("relu_36_as_they_come", "deep", "36 ReLU layers with PyTorch's own start", nn.ReLU)
@case("tanh_30_orthogonal", "deep", "30 tanh layers, orthogonal: all layers get the same", nn.Tanh)
def deep(seed, act):
    x, y = data.blobs(seed, distance=1.6)
    relu = act is nn.ReLU
    model = MLP([24] + [32] * (36 if relu else 30) + [8], act, "default" if relu else "orthogonal")
    optimizer = Adam(model.parameters(), 1e-3 if relu else 5e-4)
    source = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, source, classify, 240, 2, 3, "cross_entropy", 48)
    job.init = "default" if relu else "orthogonal"
    if not relu:
        return job, healthy()
    must = {"vanishing_gradient": due(0, 120, named(18)), "loss_plateau": due(20, 238)}
    may = "dead_relu poor_initialization unchanged_weights update_ratio_too_low".split()
    return job, sick(must, may, "each layer takes six parts in ten, both ways")


def orders(seed, tokens=8, size=32):
    """Permutations; the class says which of the first two of its tokens comes first."""

    def batch(step):
        g = data.generator(seed * 31 + step)
        rows = torch.rand(size, tokens, generator=g).argsort(1)
        return rows, (rows.argsort(1)[:, 0] < rows.argsort(1)[:, 1]).long()

    return batch


@case("order_without_positions", "order", "which of two tokens comes first, no positions", False)
@case("order_with_positions", "order", "the same with positions", True)
def order(seed, places):
    model = Encoder(8, 32, 2, 2, 8, places=places)
    optimizer = AdamW(model.parameters(), 1e-3)
    job = Job(model, optimizer, orders(seed), classify, 340, 2, 3, "ce", 32)
    if places:
        return job, healthy()
    return job, sick({"loss_plateau": due(20, 338)}, [], "ln 2: the rows are all alike to it")


def sums(seed, size=32):
    """Ten digits; the class is the first digit's value at the place that it names."""

    def batch(step):
        rows = torch.randint(6, (size, 10), generator=data.generator(seed * 31 + step))
        return rows, rows.gather(1, rows[:, :1] + 1)[:, 0]

    return batch


@case("attention_softmax_of_one", "attention", "the softmax runs over an axis of length 1")
def attention(seed):
    model = Encoder(6, 48, 3, 6, 10, lost=True)
    nn.init.normal_(model.pos.weight, std=1.0)
    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, sums(seed), classify, 340, 2, 3, "ce", 32)
    layers = [f"attn.{i}.{part}" for i in range(3) for part in "qk"]
    must = {"unchanged_weights": due(0, 120, layers, ["vanishing_gradient"])}
    may = ["vanishing_gradient", "update_ratio_too_low", "loss_plateau"]
    return job, sick(must, may, "its shares are all 1 and have no slope: queries and keys stay")


@case("embedding_frozen_lm", "frozen", "a language model on fixed word vectors, as declared")
def frozen(seed):
    source = data.windows(data.text(seed, 24), 16, 12, seed)
    model = Language(24, 24, 2, std=None)
    model.emb.weight.requires_grad_(False)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    job = Job(model, optimizer, source, token_loss, 240, 2, 3, "ce", 12)
    job.intent = {"frozen_layers": ["emb"]}
    return job, healthy()


@case("aux_weight_grows", "one_layer", "a second head's loss weighs 4 % more on each step")
def aux(seed):
    x, y = data.blobs(seed, distance=1.3)
    model = TwoHeads(24, 48, 8)
    source = data.batches(x, y, 48, seed)

    def backward(step):
        rows, labels = source(step)
        main, other = model(rows)
        value = F.cross_entropy(main, labels)
        (value + 0.1 * 1.04**step * F.cross_entropy(other, labels)).backward()
        return value.item(), {"acc": (main.argmax(1) == labels).float().mean()}

    optimizer = SGD(model.parameters(), 0.02, momentum=0.9)
    job = Job(model, optimizer, source, None, 260, 1, 2, "cross_entropy", 48, backward=backward)

    def label(seen):
        bad = seen.first_bad("gn")
        must = {
            "exploding_gradient": due(40, bad - 5, ["aux"]),
            "non_finite_gradient": due(bad, bad + 2, ["aux"]),
        }
        may = """gradient_spike weight_jump update_ratio_too_high unchanged_weights
            update_ratio_too_low dead_relu loss_spike""".split()
        return sick(must, may, "one head runs away; the loss that is shown is as good as ever")

    return job, label


@case("spike_kills_the_code", "spike_relu", "inputs x 10 at step 140 into a ReLU auto-encoder", 0)
@case("spike_clipped_code", "spike_relu", "inputs x 100, clipped at 1: gone after a few steps", 1)
def spike(seed, clipped):
    x, _ = data.blobs(seed, classes=10, width=24, distance=2.0, spread=0.3)
    model = Coder([24, 48, 16])
    plain = data.batches(x, x, 64, seed)

    def source(step):
        rows = plain(step)[0] * ((100 if clipped else 10) if step == 140 else 1)
        return rows, rows

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    clip = ("norm", 1.0) if clipped else None
    job = Job(model, optimizer, source, squares, 320, 1, 2, "mse", 64, clip=clip)
    must = {"gradient_spike": due(140, 140), "loss_spike": due(140, 140)}
    if clipped:
        return job, transient(must, ["exploding_gradient"], "one step; goes on as before")
    must["dead_relu"] = due(140, 240)
    return job, sick(must, thrown(*must), "the units die within a few steps")
