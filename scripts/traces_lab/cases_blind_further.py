"""Blind runs: generated weights, averaged teachers, two players, density, extremes of a rate."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_objectives import bad_from
from .cases_blind_sequence import blown
from .cases_healthy_plain import squares
from .labels import due, healthy, sick, transient
from .models import MLP
from .models_further import Coupling
from .registry import case
from .trainer import Job


class Hyper(nn.Module):
    """A net writes the weights of another one, for each row's task."""

    def __init__(self, tasks, wide=16, gain=1.0):
        super().__init__()
        self.task = nn.Embedding(tasks, 8)
        self.writer = MLP([8, 32, 3 * wide], nn.GELU)
        self.wide, self.gain = wide, gain

    def forward(self, x, task):
        a, b, c = (self.gain * self.writer(self.task(task))).view(-1, 3, self.wide).unbind(1)
        return (torch.tanh(3 * a * x + 3 * b) * c).sum(1, keepdim=True)


@case("hyper_sines", "hyper", "a hypernetwork writes a net for each of ten sines", "fine")
@case("hyper_reload_corrupt", "hyper", "its last layer is reloaded 1000 times too large", "load")
@case("hyper_bad_batch", "hyper", "one batch has targets of 15 at step 170", "batch")
@case("hyper_gain_100", "hyper", "what it writes is 100 times too large", "gain")
def hyper(seed, kind):
    model = Hyper(10, gain=100.0 if kind == "gain" else 1.0)

    def source(step):
        g = data.generator(seed * 31 + step)
        task = torch.randint(10, (64,), generator=g)
        x = torch.rand(64, 1, generator=g) * 2 - 1
        y = (2 * x + 0.6 * task[:, None]).sin()
        if kind == "batch" and step == 170:
            y = y + 15
        return x, task, y + 0.05 * torch.randn(64, 1, generator=g)

    def loss(model, batch):
        return (model(*batch[:2]) - batch[2]).square().mean()

    @torch.no_grad()
    def before(step):
        if kind == "load" and step == 150:
            model.writer.fc1.weight.mul_(1000)

    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 280, 1, 2, "mse", 64)
    job.before = before
    if kind == "fine":
        return job, healthy()
    if kind == "load":
        must = {"weight_jump": due(150, 152, ["writer.fc1"]), "loss_spike": due(150, 152)}
        may = """gradient_spike exploding_gradient loss_divergence loss_plateau
            saturated_activation vanishing_gradient update_ratio_too_low""".split()
        return job, sick(must, may, "cannot come back at this rate")
    if kind == "batch":
        must = {"loss_spike": due(170, 170), "gradient_spike": due(170, 170)}
        return job, transient(must, ["exploding_gradient"], "Adam's moments feel it for a while")
    must = {"poor_initialization": due(0, 40, [], ["exploding_gradient"])}
    may = """exploding_gradient loss_oscillation loss_spike gradient_spike loss_plateau
        update_ratio_too_high saturated_activation""".split()
    return job, sick(must, may, "begins at a thousand times the targets' variance")


@case("bootstrap_teacher", "teacher", "BYOL: a predictor chases an averaged teacher", 0.98)
def teacher(seed, keep):
    g = data.generator(seed)
    mixing = torch.randn(6, 20, generator=g)

    class Student(nn.Module):
        """An encoder and a predictor."""

        def __init__(self):
            super().__init__()
            self.encoder = MLP([20, 40, 12], nn.ReLU, norm=nn.BatchNorm1d)
            self.predictor = MLP([12, 24, 12], nn.ReLU, norm=nn.BatchNorm1d)

        def forward(self, x):
            return self.predictor(self.encoder(x))

    model, slow = Student(), MLP([20, 40, 12], nn.ReLU, norm=nn.BatchNorm1d)
    slow.load_state_dict(model.encoder.state_dict())

    def loss(model, step):
        draw = data.generator(seed * 31 + step)
        code = torch.randn(64, 6, generator=draw) @ mixing
        a, b = (code + torch.randn(64, 20, generator=draw) for _ in range(2))
        with torch.no_grad():
            for p, q in zip(slow.parameters(), model.encoder.parameters()):
                p.lerp_(q, 1 - keep)
            wanted = slow(a), slow(b)
        found = model(b), model(a)
        return sum(2 - 2 * F.cosine_similarity(f, w).mean() for f, w in zip(found, wanted)) / 2

    job = Job(model, AdamW(model.parameters(), 2e-3), lambda s: s, loss, 280, 2, 3, "byol", 64)
    return job, healthy("", ["loss_plateau"])


@case("three_long_steps_kill", "extremes", "three clipped steps 600 times too long kill a net", 600)
def extremes(seed, factor, limit=1.0, count=3):
    model = MLP([12, 48, 48, 48, 1])
    mixing = torch.randn(3, 12, generator=data.generator(seed))

    def source(step):
        g = data.generator(seed * 7919 + step)
        code = torch.randn(64, 3, generator=g)
        return code @ mixing, (code[:, :1] * 2).sin() + code[:, 1:2]

    rate = lambda s: 0.02 * (factor if 140 <= s < 140 + count else 1)  # noqa: E731
    optimizer = SGD(model.parameters(), 0.02, momentum=0.9)
    job = Job(model, optimizer, source, squares, 280, 1, 3, "mse", 64, rate, ("norm", limit))
    must = {"dead_relu": due(140, 230), "loss_spike": due(140, 147)}
    may = """gradient_spike exploding_gradient loss_divergence loss_plateau loss_oscillation
        weight_jump update_ratio_too_high vanishing_gradient clipping_every_step
        update_ratio_too_low""".split()
    return job, sick(must, may, "nothing comes back alive")


@case("flow_loss_over_1e8", "flow", "the loss is divided by pixels and rows twice: 1e-8", "tiny")
@case("flow_scale_unbounded", "flow", "exp of an unbounded scale, momentum at 0.05", "free")
def flow(seed, kind):
    class Unbounded(Coupling):
        """The same couplings, whose log scale nothing holds."""

        def forward(self, x):
            total = x.new_zeros(len(x))
            for net in self.nets:
                kept, moved = x.chunk(2, 1)
                scale, shift = net(kept).chunk(2, 1)
                x = torch.cat([moved * scale.exp() + shift, kept], 1)
                total = total + scale.sum(1)
            return x, total

    points, _ = data.blobs(seed, classes=3, width=6, spread=0.4, distance=2.0)
    model = Unbounded(6, 5, 24) if kind == "free" else Coupling(6, 4, 24)

    def loss(model, batch):
        code, volume = model(batch[0])
        value = (0.5 * code.square().sum(1) + 3 * math.log(2 * math.pi) - volume).mean()
        return value * (1e-8 if kind == "tiny" else 1)

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, data.batches(points, points, 64, seed), loss, 240, 1, 2, "nll", 64)
    if kind == "tiny":
        must = {"uniformly_small_gradient": due(0, 100), "update_ratio_too_low": due(0, 150)}
        return job, sick(must, ["loss_plateau", "unchanged_weights"], "nothing moves")

    def label(seen):
        alt = ["loss_spike", "gradient_spike", "loss_divergence", "poor_initialization"]
        must = bad_from(seen, {"exploding_gradient": due(0, 60, [], alt)})
        return sick(must, [*blown(*must), "dead_relu", "loss_plateau"])

    return job, label


@case(
    "fourier_full_batch_swing", "swing", "whole batch, clipped at 1, a rate of 3: it bounces", 3.0
)
@case("fourier_full_batch", "swing", "the same at 0.1: smooth", 0.1)
def swing(seed, rate):
    g = data.generator(seed)
    x = torch.rand(200, 2, generator=g) * 2 - 1
    y = (3 * x[:, :1]).sin() * (2 * x[:, 1:]).cos()
    waves = torch.cat([(x @ torch.randn(2, 24, generator=g) * 2 + k).sin() for k in (0.0, 1.57)], 1)
    model = MLP([48, 24, 1], nn.GELU)
    optimizer = SGD(model.parameters(), rate)
    job = Job(model, optimizer, data.whole(waves, y), squares, 260, 1, 3, "mse", 200)
    job.clip = ("norm", 1.0)
    if rate < 1:
        return job, healthy()
    must = {"loss_oscillation": due(10, 258, alt=["loss_plateau", "update_ratio_too_high"])}
    may = """loss_plateau update_ratio_too_high clipping_every_step loss_spike gradient_spike
        exploding_gradient loss_divergence""".split()
    return job, sick(must, may, "each step is 3 long, and jumps over the valley")
