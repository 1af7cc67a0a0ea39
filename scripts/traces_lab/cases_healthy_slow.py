"""Healthy runs that look ill for a while: slow starters, reinforcement, physics, shared weights."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import healthy
from .models import MLP
from .registry import case
from .trainer import Job


@case(
    "slow_sigmoid", "slow_start", "four sigmoid layers: flat for many steps, then falls", "sigmoid"
)
@case("slow_parity", "slow_start", "parity of four bits among twelve: flat, then falls", "parity")
@case(
    "slow_saddle",
    "slow_start",
    "a deep linear net from a small start: a saddle, then falls",
    "saddle",
)
@case("slow_small_init", "slow_start", "weights of an eighth of the usual size; recovers", "small")
def slow(seed, kind):
    if kind == "parity":
        x = torch.randint(0, 2, (3000, 12), generator=data.generator(seed)).float()
        y = (x[:, 0] + x[:, 4] + x[:, 7] + x[:, 9]).long() % 2
        model, loss = MLP([12, 128, 2]), classify
        optimizer, steps, may = Adam(model.parameters(), 2e-3), 700, ["loss_plateau"]
        x = 2 * x - 1
    elif kind == "saddle":
        x = torch.randn(1500, 10, generator=data.generator(seed))
        y = x @ torch.randn(10, 4, generator=data.generator(seed + 1))
        model, loss = MLP([10, 24, 24, 4], nn.Identity, "normal(0.004)"), squares
        optimizer, steps, may = SGD(model.parameters(), 0.02, momentum=0.9), 400, ["loss_plateau"]
    elif kind == "sigmoid":
        x, y = data.blobs(seed, classes=4, distance=2.5)
        model, loss = MLP([24, 32, 32, 32, 32, 4], nn.Sigmoid, "xavier"), classify
        optimizer, steps, may = Adam(model.parameters(), 2e-3), 500, ["loss_plateau"]
    else:
        x, y = data.blobs(seed, distance=1.6)
        model, loss = MLP([24, 48, 48, 8], nn.Tanh, "normal(0.02)"), classify
        optimizer, steps, may = SGD(model.parameters(), 0.05, momentum=0.9), 400, []
    job = Job(model, optimizer, data.batches(x, y, 64, seed), loss, steps, 2, 2, "loss", 64)
    if kind in ("saddle", "small"):
        job.init = "normal(0.004)" if kind == "saddle" else "normal(0.02)"
        may = [*may, "poor_initialization"]
    if kind == "sigmoid":
        job.init = "xavier"
        may = [*may, "vanishing_gradient", "saturated_activation"]
    return job, healthy("flat at first, then learns", may)


@case(
    "bandit_reinforce",
    "reinforcement",
    "contextual bandit, REINFORCE with baseline; loss near zero and negative",
    5e-3,
    64,
)
@case("bandit_small_batch", "reinforcement", "the same with 8 rows a step: very noisy", 3e-3, 8)
def bandit(seed, rate, size):
    g = data.generator(seed)
    best = torch.randn(12, 5, generator=g)
    model = MLP([12, 48, 5], nn.Tanh)
    state = {"base": 0.0}

    def loss(model, step):
        draw = data.generator(seed * 31 + step)
        x = torch.randn(size, 12, generator=draw)
        logits = model(x)
        action = torch.multinomial(logits.softmax(1).detach(), 1, generator=draw)
        score = (x @ best).gather(1, action)[:, 0]
        pay = score + 0.5 * torch.randn(size, generator=draw)
        gain = (pay - state["base"]).detach()
        state["base"] = 0.95 * state["base"] + 0.05 * pay.mean().item()
        chosen = logits.log_softmax(1).gather(1, action)[:, 0]
        entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        return -(chosen * gain).mean() - 0.01 * entropy, {"reward": pay.mean()}

    job = Job(model, Adam(model.parameters(), rate), lambda s: s, loss, 500, 2, 3, "policy", size)
    may = ["loss_plateau", "loss_oscillation"] + (
        ["gradient_spike", "loss_spike"] if size == 8 else []
    )
    return job, healthy("the reward rises; the loss says nothing", may)


@case(
    "q_learning_chain",
    "reinforcement",
    "Q-learning on a chain with a target network: the loss rises before it falls",
)
def q_learning(seed):
    states, gamma = 12, 0.9
    model = MLP([states, 48, 2])
    target = MLP([states, 48, 2])
    target.load_state_dict(model.state_dict())

    def loss(model, step):
        g = data.generator(seed * 17 + step)
        if step % 25 == 0:
            target.load_state_dict(model.state_dict())
        place = torch.randint(states, (64,), generator=g)
        action = torch.randint(2, (64,), generator=g)
        after = (place + 2 * action - 1).clamp(0, states - 1)
        reward = (after == states - 1).float()
        with torch.no_grad():
            future = target(F.one_hot(after, states).float()).max(1).values
        value = model(F.one_hot(place, states).float()).gather(1, action[:, None])[:, 0]
        return F.smooth_l1_loss(value, reward + gamma * future), {"reward": reward.mean()}

    job = Job(model, Adam(model.parameters(), 3e-3), lambda s: s, loss, 600, 2, 3, "smooth_l1", 64)
    may = ["loss_spike", "loss_plateau", "loss_divergence", "gradient_spike"]
    return job, healthy("each new target lifts the loss", may)


@case(
    "physics_oscillator",
    "physics",
    "a net that obeys a differential equation; terms of size 1e3 and 1",
)
def physics(seed):
    model = MLP([1, 32, 32, 32, 1], nn.Tanh, "xavier")
    t = torch.linspace(0, 1, 128).unsqueeze(1).requires_grad_()

    def loss(model, _):
        u = model(t)
        slope = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        bend = torch.autograd.grad(slope.sum(), t, create_graph=True)[0]
        start = (u[0] - 1).square().sum() * 100 + slope[0].square().sum()
        return (bend + 4 * slope + 100 * u).square().mean() / 10 + start

    job = Job(
        model,
        Adam(model.parameters(), 3e-3),
        lambda s: s,
        loss,
        500,
        2,
        3,
        "residual",
        init="xavier",
    )
    return job, healthy("norms of 1e3 that fall", ["loss_plateau"])


@case("log_scale_loss", "physics", "targets from 1e-3 to 1e3, fitted in logarithms", 3e-3)
def log_scale(seed, rate):
    x, y = data.teacher(seed, scale=3.0)
    model = MLP([16, 64, 64, 1], nn.Softplus)
    job = Job(
        model, RMSprop(model.parameters(), rate / 3), data.batches(x, y, 64, seed), squares, 400, 2
    )
    return job, healthy()


class Equilibrium(nn.Module):
    """One layer applied many times, as an equilibrium model: all depth shares one weight."""

    def __init__(self, width, classes, times):
        super().__init__()
        self.inject, self.mix = nn.Linear(24, width), nn.Linear(width, width, bias=False)
        self.norm, self.act, self.head = nn.LayerNorm(width), nn.Tanh(), nn.Linear(width, classes)
        self.times = times
        with torch.no_grad():
            self.mix.weight.mul_(0.8)

    def forward(self, x):
        drive = self.inject(x)
        state = torch.zeros_like(drive)
        for _ in range(self.times):
            state = self.act(self.norm(self.mix(state) + drive))
        return self.head(state)


@case("equilibrium_shared", "shared", "one layer applied 15 times")
def equilibrium(seed):
    x, y = data.blobs(seed)
    model = Equilibrium(40, 8, 15)
    optimizer = Adam(model.parameters(), 2e-3)
    job = Job(
        model, optimizer, data.batches(x, y, 32, seed), classify, 250, 1, 4, "cross_entropy", 32
    )
    return job, healthy()


class Gated(nn.Module):
    """Highway layers: sigmoid gates that start closed (bias -2)."""

    def __init__(self, width, depth, classes):
        super().__init__()
        self.stem, self.head = nn.Linear(24, width), nn.Linear(width, classes)
        self.change = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.gate = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.act = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.open = nn.ModuleList(nn.Sigmoid() for _ in range(depth))
        for gate in self.gate:
            nn.init.constant_(gate.bias, -3.0)

    def forward(self, x):
        x = self.stem(x)
        for change, gate, act, opened in zip(self.change, self.gate, self.act, self.open):
            share = opened(gate(x))
            x = share * act(change(x)) + (1 - share) * x
        return self.head(x)


@case("highway_gates", "shared", "12 highway layers whose gates start nearly closed")
def highway(seed):
    x, y = data.blobs(seed)
    model = Gated(32, 12, 8)
    optimizer = AdamW(model.parameters(), 3e-3)
    job = Job(
        model, optimizer, data.batches(x, y, 48, seed), classify, 250, 2, 3, "cross_entropy", 48
    )
    return job, healthy("gates are near 0 by design", ["saturated_activation"])


@case(
    "relu_mostly_zero",
    "sparse_units",
    "ReLU units below zero for 80 % of the rows, none dead; learns",
    -1.0,
)
def mostly_zero(seed, bias):
    x, y = data.blobs(seed, distance=2.0)
    model = MLP([24, 128, 128, 8], init="he")
    for layer in (model.fc0, model.fc1):
        nn.init.constant_(layer.bias, bias)
    job = Job(
        model,
        Adam(model.parameters(), 1e-3),
        data.batches(x, y, 128, seed),
        classify,
        300,
        1,
        2,
        "cross_entropy",
        128,
        init="he",
    )
    return job, healthy("zero activations, but units are alive", ["poor_initialization"])
