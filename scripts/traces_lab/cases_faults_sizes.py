"""Sick runs by size: gradients that fade or grow, slow divergence, swings at the edge."""

import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from . import data
from .cases_faults_wiring import STUCK, wild
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models import MLP, ConvBlock, ConvNet, Recurrent
from .models_further import Chain, Scaled, Stacked
from .registry import case
from .trainer import Job
from .transformers import Language, token_loss


@case("weight_norm_gain_03", "fading", "14 tanh layers whose length is 0.3 each", "gain")
@case("sigmoid_head_on_conv", "fading", "nine sigmoid layers behind a convolution", "conv")
def fading(seed, kind):
    if kind == "gain":
        x, y = data.blobs(seed)
        model = Chain(Scaled, [24] + [40] * 14 + [8], nn.Tanh, gain=0.3)
        layers = [f"lin{i}" for i in range(6)]
    else:
        x, y = data.gratings(seed)
        model = ConvNet(lambda w: nn.Identity(), 0, classes=6, stem_act=nn.Tanh)
        model.head = MLP([12] + [32] * 9 + [6], nn.Sigmoid, "xavier")
        layers = ["stem", "head.fc0", "head.fc1"]
    batch = data.batches(x, y, 48, seed)
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, batch, classify, 260, 2, 3, "cross_entropy", 48)
    must = {
        "vanishing_gradient": due(0, 120, layers, ["uniformly_small_gradient"]),
        "loss_plateau": due(20, 258),
    }
    may = [rule for rule in STUCK if rule not in ("dead_relu", "vanishing_gradient")]
    return job, sick(must, may, "a constant factor is lost at each layer")


@case("rnn_stack_tanh_70", "fading_in_time", "three tanh RNN layers, recall over 70", "tanh", 70)
@case("gru_stack_shut_60", "fading_in_time", "two GRU layers whose gates start shut", "gru", 60)
def fading_in_time(seed, kind, length):
    if kind == "tanh":
        cells = [nn.RNNCell(4 if i == 0 else 24, 24) for i in range(3)]
    else:
        cells = [nn.GRUCell(4 if i == 0 else 24, 24) for i in range(2)]
        for cell in cells:
            cell.bias_ih.data[24:48] = -4.0
    model = Stacked(cells, 4)
    source = data.recall(seed, length)
    optimizer = RMSprop(model.parameters(), 5e-4)
    job = Job(model, optimizer, source, classify, 240, 2, 3, "cross_entropy", 32)
    must = {
        "rnn_vanishing_through_time": due(0, 100, ["cell"]),
        "loss_plateau": due(30, 238),
    }
    return job, sick(must, ["vanishing_gradient"], "stays at ln 4")


@case("gru_recurrent_x12", "growing", "a GRU whose recurrent matrix is 12 times too large", "gru")
@case("elu_gain_25", "growing", "16 ELU layers, orthogonal with gain 2.5", "elu")
@case("skips_without_norm", "growing", "30 residual blocks without norms", "skips")
@case("momentum_runs_away", "growing", "a rate of 0.12 with momentum 0.95", "momentum")
@case("loss_times_1e6", "growing", "the loss is multiplied by 1e6, SGD", "loss")
def growing(seed, kind):
    x, y = data.teacher(seed) if kind == "elu" else data.blobs(seed)
    source, loss, rate = data.batches(x, y, 48, seed), classify, 0.02
    if kind == "gru":
        model = Recurrent(nn.GRUCell(2, 32), 32, 1)
        model.cell.weight_hh.data.mul_(12)
        source, loss, rate = data.adding(seed, 60), squares, 1e-8
    elif kind == "elu":
        model, loss = MLP([16] + [32] * 16 + [1], nn.ELU, "orthogonal"), squares
        for i in range(17):
            getattr(model, f"fc{i}").weight.data.mul_(2.5)
    elif kind == "skips":
        model = MLP([24] + [40] * 31 + [8], nn.ReLU, residual=True)
        rate = 0.004
    elif kind == "momentum":
        x, y = data.blobs(seed, distance=3.0)
        source, model = data.batches(x, y, 48, seed), MLP([24, 64, 64, 64, 8], init="he")
        rate = 0.12
    else:
        model = MLP([24, 48, 48, 8], nn.GELU)

        def loss(model, batch):
            return classify(model, batch)[0] * 1e6

    optimizer = SGD(
        model.parameters(), rate, momentum={"skips": 0.9, "momentum": 0.95}.get(kind, 0.0)
    )
    if kind == "elu":
        optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, loss, 200, 1, 2, "loss", 48)
    if kind == "elu":
        job.init = "orthogonal*2.5"
        must = {"poor_initialization": due(0, 40, alt=["exploding_gradient"])}
        return job, sick(must, wild(*must), "norms of 1e7 and more; Adam hides it")

    def label(seen):
        layers = ["cell"] if kind == "gru" else []
        must = {"exploding_gradient": due(0, 40, layers, ["rnn_exploding_through_time"])}
        bad, norm = seen.first_bad("loss"), seen.first_bad("gn")
        if bad is not None:
            must["non_finite_loss"] = due(bad, bad + 2)
        if norm is not None:
            must["non_finite_gradient"] = due(norm, norm + 2)
        if bad is not None and bad < 5:
            must["exploding_gradient"]["alt"] += ["non_finite_loss", "gradient_spike"]
        return sick(must, wild(*must), "" if bad is None else f"not finite from step {bad}")

    return job, label


@case("loss_times_1e7_conv", "tiny", "the loss is divided by 1e7, SGD on images")
def tiny(seed):
    x, y = data.gratings(seed)
    model = ConvNet(lambda width: ConvBlock(width, None), 2)

    def loss(model, batch):
        value, extras = classify(model, batch)
        return value * 1e-7, extras

    batch = data.batches(x, y, 32, seed)
    job = Job(model, SGD(model.parameters(), 0.02, 0.9), batch, loss, 240, 2, 3, "ce", 32)
    must = {"uniformly_small_gradient": due(0, 120), "update_ratio_too_low": due(0, 150)}
    return job, sick(must, ["loss_plateau", "unchanged_weights"], "a mean over far too much")


@case("post_norm_high_rate", "collapse", "10 post-norm layers, Adam at 0.02, no warm-up", "post")
@case("sgd_rate_too_small_lm", "collapse", "a transformer with plain SGD at 1e-7", "slow")
def collapse(seed, kind):
    source = data.windows(data.text(seed, 24), 16, 16, seed)
    if kind == "post":
        model = Language(24, 24, 10, place="post", std=None)
        optimizer = Adam(model.parameters(), 0.02)
    else:
        model = Language(24, 24, 2)
        optimizer = SGD(model.parameters(), 1e-7)
    job = Job(model, optimizer, source, token_loss, 240, 2, 6, "cross_entropy", 16)
    if kind == "post":
        may = wild("loss_plateau", "non_finite_loss", "non_finite_gradient")
        return job, sick({"loss_plateau": due(40, 238)}, may, "falls back to the unigram loss")
    must = {"update_ratio_too_low": due(0, 150), "loss_plateau": due(20, 238)}
    return job, sick(must, ["unchanged_weights"])


class Two(nn.Module):
    """Two numbers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.5, 2.0]))

    def forward(self, x):
        return self.weight * x


@case("edge_two_numbers", "edge", "two numbers in a lopsided valley, at the edge", "two")
@case("edge_whole_batch", "edge", "softmax regression, whole batch, rate past the edge", "net")
@case("inputs_not_centred", "edge", "the same with inputs around 2: it never settles", "offset")
@case("edge_of_stability", "stability", "a tanh net whose steepness rides at the edge", "rides")
@case("edge_momentum_linear", "slow_divergence", "linear regression just past the edge", "linear")
@case("edge_slow_growth", "slow_divergence", "one direction grows by 1.5 % a step", "slow")
def edge(seed, kind):
    steps, every = 360, 1
    if kind == "two":
        model, rate = Two(), 2.3

        def loss(model, batch):
            a, b = model(torch.ones(2))
            return torch.exp(a) - a - 1 + 0.05 * b * b + 0.1

        source = data.whole(None, None)
    elif kind in ("net", "offset", "rides"):
        x, y = data.blobs(seed, 3, width=6, rows=400, distance=0.8 if kind != "rides" else 0.5)
        x = x + 2 if kind == "offset" else x
        rate = {"net": 5.0, "offset": 1.0, "rides": 2.5}[kind]
        model = MLP([6, 16, 3] if kind == "rides" else [6, 3], nn.Tanh)
        loss, source = classify, data.whole(x, y)
    else:
        g = data.generator(seed)
        x = torch.randn(400, 10, generator=g)
        y = x @ torch.randn(10, 1, generator=g) + 0.1 * torch.randn(400, 1, generator=g)
        model, loss, source = MLP([10, 1]), squares, data.whole(x, y)
        rows = torch.cat([x, torch.ones(400, 1)], 1)
        top = float(torch.linalg.eigvalsh(2 * rows.T @ rows / 400)[-1])
        steps, every = 500, 2
        rate = (2 + 0.015) / top if kind == "slow" else 3.8 * 1.0002 / top
    momentum = 0.9 if kind == "linear" else 0.0
    decay = 0.005 if kind in ("net", "offset") else 0.0
    optimizer = SGD(model.parameters(), rate, momentum=momentum, weight_decay=decay)
    job = Job(model, optimizer, source, loss, steps, every, 2, "loss")
    if kind == "rides":
        return job, healthy("up and down by less than a hundredth, and falling", ["loss_plateau"])
    if kind in ("two", "net", "offset"):
        may = wild("loss_oscillation", "non_finite_loss", "non_finite_gradient")
        return job, sick({"loss_oscillation": due(10, steps - 1)}, may, "period two, bounded")

    def label(seen):
        last = seen.steps[-1]
        must = {"loss_divergence": due(10, min(last, 400)), "exploding_gradient": due(5, last)}
        must["exploding_gradient"]["alt"] = ["update_ratio_too_high"]
        bad = seen.first_bad("loss")
        if bad is not None:
            must["non_finite_loss"] = due(bad, bad + every)
        return sick(must, wild(*must), "slow, but without end")

    return job, label
