"""Third set: energies, rendered fields, rival nets, Gaussian weights and processes, splines."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from . import data
from .cases_blind_sequence import broken, thrown
from .cases_healthy_plain import classify
from .labels import due, healthy, sick
from .models import MLP
from .models_further import Chain, Spectral
from .models_third_fields import Lazy, Operator, Process, Rendered, Splines, Trees, Uncertain
from .registry import case
from .trainer import Job


@case("energy_langevin", "energy", "an energy model; its samples walk down its slopes")
def energy(seed):
    points, _ = data.rings(seed, noise=0.08)
    model = MLP([2, 48, 48, 1], nn.SiLU)
    kept = torch.randn(256, 2)

    def loss(model, batch):
        rows = torch.randint(256, (64,))
        x = kept[rows]
        x = torch.where(torch.rand(64, 1) < 0.05, torch.randn(64, 2), x)
        for _ in range(12):
            x = x.detach().requires_grad_()
            slope = torch.autograd.grad(model(x).sum(), x)[0].clamp(-1, 1)
            x = x - 0.1 * slope + 0.05 * torch.randn_like(x)
        kept[rows] = x.detach()
        low, high = model(batch[0]), model(x.detach())
        return low.mean() - high.mean() + 0.02 * (low.square() + high.square()).mean()

    source = data.batches(points, points, 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 400, 2, 3, "contrastive", 64)
    may = ["loss_plateau", "loss_oscillation", "loss_spike", "gradient_spike"]
    return job, healthy("a difference that stays near zero: it says nothing about progress", may)


@case("rendered_field", "rendered", "density and colour along rays (NeRF)", nn.Softplus, 0.0)
@case(
    "rendered_field_empty", "rendered", "ReLU density, bias -4: all space is empty", nn.ReLU, -4.0
)
def rendered(seed, act, bias):
    g = data.generator(seed)
    model = Rendered(density=act, bias=bias)
    along = torch.linspace(-1, 1, 20)

    def source(step):
        g.manual_seed(seed * 7919 + step)
        height, angle = (
            torch.rand(48, 1, generator=g) * 1.6 - 0.8,
            torch.rand(48, 1, generator=g) * 6.28,
        )
        x = along * angle.cos() - height * angle.sin()
        y = along * angle.sin() + height * angle.cos()
        points = torch.stack([x, y], -1)
        inside = ((points - torch.tensor([0.2, -0.1])).norm(dim=-1) < 0.5).float()
        opaque = 1 - (-0.1 * 25 * inside).exp()
        clear = torch.cumprod(torch.cat([torch.ones(48, 1), 1 - opaque[:, :-1]], 1), 1)
        colour = torch.stack([0.5 + 0.5 * x, 0.5 + 0.5 * y, torch.full_like(x, 0.8)], -1)
        return points, ((opaque * clear)[..., None] * colour).sum(1)

    def loss(model, batch):
        return F.mse_loss(model(batch[0], 0.1 * 10), batch[1])

    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 220, 2, 3, "mse", 48)
    if act is nn.Softplus:
        return job, healthy("two fifths of the last units never fire", ["dead_relu"])
    must = {"dead_relu": due(0, 60, ["density"]), "loss_plateau": due(20, 218)}
    may = [r for r in thrown("loss_plateau") if "spike" not in r and "explod" not in r]
    return job, sick(must, may, "one unit decides about all; no gradient anywhere")


@case("rivals_hinge_two_to_one", "rivals", "spectral norm, hinge, two critic steps a step", "hinge")
@case("rivals_minimax_overpowered", "rivals", "log(1 - D) and a critic that always wins", "minimax")
def rivals(seed, kind):
    class Pair(nn.Module):
        """A generator and a critic."""

        def __init__(self):
            super().__init__()
            self.gen = MLP([4, 48, 48, 2], nn.ReLU)
            if kind == "hinge":
                leaky = nn.LeakyReLU(0.2)
                body = Chain(Spectral, [2, 64, 64, 64], lambda: nn.LeakyReLU(0.2))
                self.critic = nn.Sequential(body, leaky, nn.Linear(64, 1))
            else:
                self.critic = MLP([2, 64, 64, 1], lambda: nn.LeakyReLU(0.2))

    model, fine = Pair(), kind == "hinge"
    corner = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * 4
    last = {"critic": 0.0, "gen": 0.0}

    def real(step):
        g = data.generator(seed * 7919 + step)
        if fine:
            z = torch.randn(64, 2, generator=g)
            return torch.stack([1 + 0.5 * z[:, 0], 0.6 * z[:, 0] + 0.2 * z[:, 1] - 1], 1)
        rows = torch.randint(4, (64,), generator=g)
        return corner[rows] + 0.15 * torch.randn(64, 2, generator=g)

    def critic_loss(rows, false):
        high, low = model.critic(torch.cat([rows, false])).chunk(2)
        if fine:
            return F.relu(1 - high).mean() + F.relu(1 + low).mean()
        return F.softplus(-high).mean() + F.softplus(low).mean()

    def backward(step):
        false = model.gen(torch.randn(64, 4))
        only_critic = fine and step % 3 < 2
        if not fine or only_critic:
            value = critic_loss(real(step), false.detach())
            value.backward(inputs=list(model.critic.parameters()))
            last["critic"] = value.item()
        if not only_critic:
            score = model.critic(false)
            value = -score if fine else -F.softplus(score)
            value.mean().backward(inputs=list(model.gen.parameters()))
            last["gen"] = value.mean().item()
        return last["critic"], {"loss_g": last["gen"]}

    gen = Adam(model.gen.parameters(), 2e-3, betas=(0.0, 0.9))
    critic = Adam(model.critic.parameters(), 4e-3, betas=(0.0, 0.9))
    if not fine:
        gen, critic = SGD(model.gen.parameters(), 0.02), Adam(model.critic.parameters(), 0.01)
    steps = 500 if fine else 300
    job = Job(model, critic, real, None, steps, 1, 3, "hinge" if fine else "minimax", 64)
    job.backward, job.others = backward, [gen]
    if fine:
        may = ["loss_oscillation", "loss_plateau"]
        return job, healthy("each step moves one of the two nets only", may)
    either = """unchanged_weights update_ratio_too_low uniformly_small_gradient
        loss_plateau""".split()
    must = {"vanishing_gradient": due(0, 250, ["gen"], either)}
    note = "log(1 - D) is flat where D is sure; the generator stands still from the start"
    return job, sick(must, [*either, "loss_spike", "gradient_spike"], note)


@case("weights_as_gaussians", "bayesian", "Bayes by backprop; the divergence is shared by rows")
def gaussians(seed):
    x, y = data.blobs(seed, distance=1.8)
    model = Chain(Uncertain, [24, 40, 40, 8])

    def loss(model, batch):
        value, extras = classify(model, batch)
        divergence = sum(m.divergence for m in model.modules() if isinstance(m, Uncertain))
        return value + divergence / 2000, extras

    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 280, 2, 3, "elbo", 48)
    return job, healthy("most of the loss is the divergence, which hardly falls")


@case("deep_kernel_process", "process", "a Gaussian process on a net's features", True)
@case("process_determinant_zero", "process", "log of a determinant, which falls below 1e-38", False)
def process(seed, safe):
    x, y = data.teacher(seed, width=4, rows=60 if safe else 90)
    model = Process(4, safe=safe)

    def loss(model, batch):
        return model(*batch)

    source = data.whole(x, (y[:, 0] - y.mean()) / y.std())
    job = Job(model, Adam(model.parameters(), 0.01), source, loss, 260, 2, 3, "nll", len(x))
    if safe:
        return job, healthy("whole batch; the loss falls below zero")
    return job, broken(["weight_jump", "loss_spike", "gradient_spike", "exploding_gradient"])


@case("soft_trees", "trees", "twelve trees of depth 4 with soft gates", 1.0)
@case("soft_trees_too_steep", "trees", "gates 300 times steeper from the start", 300.0)
def trees(seed, steep):
    x, y = data.blobs(seed, distance=1.6)
    model = Trees(24, 12, 4, 8, steep)
    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 0.01), source, classify, 260, 2, 3, "ce", 64)
    if steep == 1:
        return job, healthy("gates grow sure of themselves, as they should")
    must = {"saturated_activation": due(0, 40, ["gate"])}
    may = """vanishing_gradient poor_initialization loss_plateau gradient_spike exploding_gradient
        loss_oscillation loss_spike""".split()
    return job, sick(must, may, "almost no row is near enough to a border to move it")


@case("spline_layers", "splines", "KAN: learned curves instead of weights", 0.0, 1.0)
@case("splines_off_the_grid", "splines", "inputs around 40, a grid from -2 to 2", 40.0, 8.0)
def splines(seed, middle, spread):
    x, y = data.blobs(seed, distance=1.4)
    x = x / 2 * spread + middle
    model = nn.Sequential(Splines(24, 24), Splines(24, 8))
    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 5e-3), source, classify, 260, 2, 3, "ce", 48)
    if not middle:
        return job, healthy("most curves are far from most inputs")
    must = {
        "unchanged_weights": due(0, 100, ["0"], ["vanishing_gradient", "update_ratio_too_low"]),
        "loss_plateau": due(20, 258),
    }
    may = """vanishing_gradient update_ratio_too_low poor_initialization
        uniformly_small_gradient""".split()
    return job, sick(must, may, "no bump of the first layer is near any input")


@case("spline_fit_swings", "splines", "one layer of curves, whole batch, Huber, a rate of 4")
def spline_fit(seed):
    x, y = data.teacher(seed, width=6, rows=256, scale=3.0, offset=2.0)
    model = nn.Sequential(Splines(6, 1))

    def loss(model, batch):
        return F.huber_loss(model(batch[0]), batch[1], delta=0.3)

    job = Job(model, SGD(model.parameters(), 4.0), data.whole(x, y), loss, 260, 1, 3, "huber", 256)
    must = {"loss_oscillation": due(20, 258)}
    may = [
        "loss_plateau",
        "loss_divergence",
        "update_ratio_too_high",
        "gradient_spike",
        "loss_spike",
    ]
    return job, sick(must, may, "falls, then bounces between two losses for good")


@case("fourier_operator", "operator", "FNO: weights of 1/256 on the low frequencies", "fine")
@case("operator_reload_unscaled", "operator", "a resume at 140 loads weights without 1/256", "load")
@case("operator_sigmoid_nine", "operator", "nine sigmoid layers, nothing beside the waves", "deep")
def operator(seed, kind):
    g = data.generator(seed)
    line = torch.linspace(0, 1, 32)
    size = torch.randn(400, 5, generator=g) / torch.arange(1, 6)
    waves = torch.stack([(2 * math.pi * k * line).sin() for k in range(1, 6)])
    fade = torch.exp(-0.02 * (torch.arange(1, 6) * math.pi) ** 2)
    x, y = size @ waves, (size * fade) @ waves
    model = Operator(16, 9, 8, nn.Sigmoid, False) if kind == "deep" else Operator()

    def loss(model, batch):
        apart = (model(batch[0]) - batch[1]).norm(dim=1)
        return (apart / batch[1].norm(dim=1)).mean()

    source = data.batches(x, y, 24, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 220, 2, 3, "relative l2", 24)

    @torch.no_grad()
    def before(step):
        if step == 140:
            model.layers[1].real.mul_(256)
            model.layers[1].imag.mul_(256)

    if kind == "load":
        job.before, job.every = before, 1
        must = {"weight_jump": due(139, 142, ["layers.1"]), "loss_spike": due(140, 142)}
        may = [rule for rule in thrown(*must) if rule not in ("vanishing_gradient", "loss_plateau")]
        return job, sick(must, [*may, "loss_plateau"], "one layer 256 times too large")
    if kind == "fine":
        return job, healthy()
    layers = ["lift", "layers.0", "layers.1", "layers.2"]
    must = {"vanishing_gradient": due(0, 80, layers), "loss_plateau": due(20, 218)}
    may = """unchanged_weights update_ratio_too_low poor_initialization
        uniformly_small_gradient""".split()
    return job, sick(must, may, "each layer takes most of the signal")


@case("kernel_regime_wide", "lazy", "1024 units in the kernel parametrization hardly move")
def lazy(seed):
    x, y = data.blobs(seed, distance=1.8, rows=600)
    model = Lazy(24, 1024, 8)
    source = data.batches(x, y, 48, seed)
    job = Job(model, SGD(model.parameters(), 0.5), source, classify, 140, 2, 3, "ce", 48)
    return job, healthy("each weight moves by a ten-thousandth; together they learn")
