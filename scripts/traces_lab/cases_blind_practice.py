"""Blind runs of practice: images, spikes, rounding, adapters, experts, further optimizers."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_objectives import bad_from
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify
from .labels import due, healthy, sick
from .models import MLP, Adapter, ConvNet
from .models_blind import Capsules, Coarse, Patches, SpatialGate, Spiking
from .registry import case
from .trainer import Job


@case("spatial_gates", "spatial_gate", "gMLP blocks on patches of stripes", "fine")
@case(
    "spatial_sigmoid_no_skip", "spatial_gate", "twelve blocks with sigmoid gates, no skips", "deep"
)
def spatial(seed, kind):
    x, y = data.gratings(seed)
    deep = kind == "deep"
    gate = nn.Sigmoid if deep else None
    blocks = [SpatialGate(9, 16, not deep, gate and gate()) for _ in range(12 if deep else 3)]
    model = Patches(4, 16, 6, blocks)
    optimizer = AdamW(model.parameters(), 2e-3)
    if deep:
        optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, classify, 260, 2, 3, "ce", 32)
    if not deep:
        return job, healthy()
    layers = ["patch", "blocks.0", "blocks.1", "blocks.2", "blocks.3"]
    must = {
        "vanishing_gradient": due(0, 120, layers, ["uniformly_small_gradient"]),
        "loss_plateau": due(20, 258),
    }
    may = "poor_initialization unchanged_weights update_ratio_too_low uniformly_small_gradient"
    return job, sick(must, may.split(), "each block takes a part of the signal, none goes around")


# A run that learned before it was thrown away had no poor start, and its slopes stay large.
NO_MORE = """poor_initialization unchanged_weights uniformly_small_gradient vanishing_gradient
    update_ratio_too_low""".split()


class Inverted(nn.Module):
    """Expand, depth-wise convolution, project, with batch norms and a residual."""

    def __init__(self, width, act=nn.SiLU):
        super().__init__()
        self.expand, self.norm1, self.act1 = nn.Conv2d(width, 3 * width, 1), None, act()
        self.norm1 = nn.BatchNorm2d(3 * width)
        self.spatial = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width)
        self.norm2, self.act2 = nn.BatchNorm2d(3 * width), act()
        self.project, self.norm3 = nn.Conv2d(3 * width, width, 1), nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.act1(self.norm1(self.expand(x)))
        return x + self.norm3(self.project(self.act2(self.norm2(self.spatial(y)))))


@case("inverted_bottlenecks", "inverted", "depth-wise blocks with batch norm", "fine")
@case(
    "inverted_norms_in_eval", "inverted", "norms in eval mode from the start, bright pixels", "eval"
)
@case(
    "inverted_cycle_peak",
    "inverted",
    "a cyclic rate whose second peak is 60 times too high",
    "peak",
)
def inverted(seed, kind):
    x, y = data.gratings(seed)
    model = ConvNet(Inverted, 2, width=8)
    optimizer, rate = AdamW(model.parameters(), 3e-3), None
    if kind == "eval":
        x = x * 60 + 120
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        optimizer = SGD(model.parameters(), 0.01, momentum=0.9)
    if kind == "peak":
        model = ConvNet(lambda w: Inverted(w, nn.ReLU), 2, width=8)
        optimizer = SGD(model.parameters(), 0.02, momentum=0.9)

        def rate(step):
            part = 1 - abs(step % 100 - 50) / 50
            return 0.005 + 0.03 * part * (60 if 130 <= step < 170 else 1)

    job = Job(model, optimizer, data.batches(x, y, 24, seed), classify, 240, 2, 3, "ce", 24, rate)
    if kind == "fine":
        return job, healthy()
    if kind == "peak":
        job.every = 1

        def spoiled(seen):
            must = bad_from(seen, {"loss_spike": due(130, 165, alt=["loss_divergence"])})
            return sick(
                must, [*thrown(*must, *NO_MORE), "dead_relu"], "the weights are thrown away"
            )

        return job, spoiled

    def label(seen):
        alt = ["exploding_gradient", "loss_spike", "gradient_spike", "update_ratio_too_high"]
        must = bad_from(seen, {"poor_initialization": due(0, 40, [], alt)})
        return sick(
            must, [*blown(*must), "dead_relu", "loss_plateau"], "the loss starts far above ln 6"
        )

    return job, label


@case("capsule_routing", "capsules", "capsules routed by agreement, margin loss", 1e-8, 3e-3)
@case("capsule_squash_no_eps", "capsules", "no eps in the length of a capsule of zeros", 0.0, 3e-3)
@case("capsule_adam_1", "capsules", "Adam at 1: no votes agree any more", 1e-8, 1.0)
def capsules(seed, eps, rate):
    x, y = data.gratings(seed, noise=0.3)
    model = Capsules(6, eps)
    if not eps:
        with torch.no_grad():
            model.primary.bias.fill_(0.3)

    def loss(model, batch):
        size = model(batch[0])
        wanted = F.one_hot(batch[1], 6)
        up, down = (0.9 - size).clamp(min=0) ** 2, (size - 0.1).clamp(min=0) ** 2
        right = (size.argmax(1) == batch[1]).float().mean()
        return (wanted * up + 0.5 * (1 - wanted) * down).sum(1).mean(), {"acc": right}

    source = data.batches(x, y, 24, seed)
    job = Job(model, Adam(model.parameters(), rate), source, loss, 220, 1, 4, "margin", 24)
    if rate > 0.1:
        alt = ["loss_oscillation", "update_ratio_too_high"]
        must = {"loss_plateau": due(20, 218, alt=alt)}
        return job, sick(must, [*thrown(*must), "dead_relu"], "above where it began, for good")
    if eps:
        return job, healthy()
    return job, broken(["weight_jump", "dead_relu"])


@case("spiking_units", "spiking", "leaky integrate-and-fire units, surrogate slopes", 1.0, 2)
@case("spiking_silent", "spiking", "a threshold of 30: no unit ever fires", 30.0, 2)
@case("spiking_ten_layers", "spiking", "ten layers: each surrogate slope takes its part", 0.3, 10)
def spiking(seed, threshold, depth):
    x, y = data.blobs(seed, distance=1.8)
    model = Spiking([24] + [40] * depth + [8], threshold)
    if threshold == 1.0:
        for layer in model.layers:
            layer.weight.data.mul_(1.5)
    source = data.batches(x, y, 48, seed)
    optimizer = Adam(model.parameters(), 3e-3)
    if depth > 2:
        optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, source, classify, 240, 2, 3, "ce", 48)
    if threshold == 1.0:
        return job, healthy()
    may = """vanishing_gradient uniformly_small_gradient update_ratio_too_low
        poor_initialization unchanged_weights""".split()
    if depth > 2:
        layers = [f"layers.{i}" for i in range(5)]
        must = {"vanishing_gradient": due(0, 120, layers)}
        may += ["loss_plateau"]
        return job, sick(
            must, [rule for rule in may if rule not in must], "only the upper layers learn"
        )
    must = {"loss_plateau": due(20, 238), "unchanged_weights": due(1, 120, [], may[:4])}
    return job, sick(must, may[:4], "only the last bias learns: ln 8")


@case("rounded_activations", "rounding", "16 levels of activation, straight through", True)
@case("rounded_no_slope", "rounding", "the same without it: rounding has no slope", False)
def rounding(seed, through):
    x, y = data.blobs(seed, distance=1.6)
    model = Coarse([24, 48, 48, 8], 16, through)
    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, classify, 260, 1, 3, "ce", 48)
    if through:
        return job, healthy()
    must = {"unchanged_weights": due(1, 80, ["layers.0", "layers.1"], ["vanishing_gradient"])}
    may = ["vanishing_gradient", "update_ratio_too_low", "loss_plateau"]
    return job, sick(must, may, "a gradient of exactly zero below the last layer")


@case("adapters_both_zero", "adapters", "both factors of each adapter start at zero", "zero")
@case("adapters_gain_4000", "adapters", "the adapters' gain is 4000 instead of 4", "gain")
@case("adapters_two_rates", "adapters", "rank 2, warm-up, another rate for B (LoRA+)", "plus")
def adapters(seed, kind):
    x, y = data.blobs(seed, distance=1.6)
    body = MLP([24, 48, 48, 8], nn.GELU)
    old = x * (torch.arange(24) < 8)
    learn, wrong = Adam(body.parameters(), 3e-3), data.batches(old, y, 64, seed + 1)
    for step in range(50):
        learn.zero_grad()
        classify(body, wrong(step))[0].backward()
        learn.step()
    for name in ("fc0", "fc1"):
        layer = Adapter(getattr(body, name), 2, 4000.0 if kind == "gain" else 4.0)
        if kind == "zero":
            nn.init.zeros_(layer.A)
        setattr(body, name, layer)
    for p in body.parameters():
        p.grad = None
    slow = [p for n, p in body.named_parameters() if p.requires_grad and not n.endswith("B")]
    fast = [p for n, p in body.named_parameters() if n.endswith("B")]
    rate = 2e-3
    groups = [{"params": slow, "factor": 1.0}, {"params": fast, "factor": 4.0}]
    optimizer = AdamW(groups, rate)
    job = Job(body, optimizer, data.batches(x, y, 48, seed), classify, 260, 1, 3, "ce", 48)
    job.rate = lambda s: rate * min(1.0, (s + 1) / 30)
    job.intent = {"frozen_layers": ["fc0.base", "fc1.base"]}
    if kind == "plus":
        return job, healthy()
    if kind == "zero":
        must = {"unchanged_weights": due(1, 80, ["fc0", "fc1"], ["vanishing_gradient"])}
        may = ["vanishing_gradient", "update_ratio_too_low", "loss_plateau"]
        return job, sick(must, may, "each factor's gradient is the other one times something: zero")
    must = {"loss_plateau": due(30, 258)}
    return job, sick(must, thrown(*must, "weight_jump"), "thrown away at once; then ln 8 for good")


class Routed(nn.Module):
    """Each row goes to its two best experts of six; answers with the load too."""

    def __init__(self, bias):
        super().__init__()
        self.stem, self.gate = nn.Linear(24, 32), nn.Linear(32, 6)
        self.experts = nn.ModuleList(MLP([32, 24, 32], nn.GELU) for _ in range(6))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 8)
        self.top = 1 if bias else 2
        if bias:
            self.gate.bias.data[2] = bias

    def forward(self, x):
        x = self.stem(x)
        share = self.gate(x).softmax(1)
        best = share.topk(self.top, 1)
        weight = torch.zeros_like(share).scatter(1, best.indices, best.values)
        y = 0.0
        for i, expert in enumerate(self.experts):
            y = y + weight[:, i : i + 1] * expert(x)
        load = 6 * ((weight > 0).float().mean(0) * share.mean(0)).sum()
        return self.head(self.norm(x + y)), load


@case("experts_top_two", "routed", "two of six experts a row, with a balance loss", 0.0)
@case("experts_all_to_one", "routed", "the router starts with all rows at one expert", 30.0)
def routed(seed, bias):
    x, y = data.blobs(seed, distance=1.6)
    model = Routed(bias)

    def loss(model, batch):
        logits, load = model(batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1]) + (0 if bias else 0.01 * load), {"acc": right}

    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 260, 2, 3, "ce + load", 48)
    if not bias:
        return job, healthy()
    names = ["experts.0", "experts.1", "experts.3", "experts.4", "experts.5"]
    must = {"unchanged_weights": due(1, 120, names)}
    may = ["vanishing_gradient", "update_ratio_too_low"]
    return job, sick(must, may, "five of six experts never get a row")
