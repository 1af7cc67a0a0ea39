"""Blind runs of other objectives: sets, graphs, codes, capsules, physics, values, meta-learning."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models import MLP, UNet
from .models_blind import Codes, DeepSet, GraphAttention, Radial
from .models_further import Graph
from .registry import case
from .trainer import Job


def bad_from(seen, must):
    """Adds what is not finite, from where it was seen so."""
    for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
        bad = seen.first_bad(column)
        if bad is not None:
            must[rule] = due(bad, bad + 2)
    return must


@case("deep_set_mean", "deep_sets", "the spread of 30 numbers, mean pooling", "mean")
@case("deep_set_sum_explodes", "deep_sets", "500 elements are summed, plain SGD", "sum")
def deep_sets(seed, kind):
    count = 30 if kind == "mean" else 500

    def source(step):
        g = data.generator(seed * 7919 + step)
        scale = 0.3 + 1.5 * torch.rand(32, 1, 1, generator=g)
        return torch.randn(32, count, 3, generator=g) * scale, scale[:, 0]

    model = DeepSet(3, 24, 1, kind == "mean")
    optimizer = Adam(model.parameters(), 2e-3) if kind == "mean" else SGD(model.parameters(), 2e-4)
    job = Job(model, optimizer, source, squares, 260, 1 if kind == "sum" else 2, 2, "mse", 32)
    if kind == "mean":
        return job, healthy()

    def label(seen):
        must = bad_from(seen, {"exploding_gradient": due(0, 30)})
        first = min([m["earliest"] for r, m in must.items() if r != "exploding_gradient"] or [99])
        alt = ["loss_spike", "gradient_spike", "loss_divergence", "poor_initialization"]
        must["exploding_gradient"]["alt"] = alt + ([] if first > 4 else ["non_finite_loss"])
        return sick(
            must,
            [*blown(*must), "dead_relu"],
            "sums of 500 make the slope hundreds of times too steep",
        )

    return job, label


def communities(seed, nodes=120, groups=4, inside=0.2, outside=0.02):
    """An adjacency matrix with loops, noisy features, and each node's group."""
    g = data.generator(seed)
    labels = torch.arange(nodes) % groups
    chance = torch.where(labels[:, None] == labels, inside, outside)
    upper = (torch.rand(nodes, nodes, generator=g) < chance).triu(1).float()
    x = F.one_hot(labels, groups).float() @ torch.randn(groups, 10, generator=g)
    return upper + upper.T + torch.eye(nodes), x + 1.5 * torch.randn(nodes, 10, generator=g), labels


@case("graph_attention_nodes", "graph_attention", "two layers of attention over neighbours", "fine")
@case("graph_sum_not_normalized", "graph_sum", "five layers sum dense neighbours", "sum")
@case("graph_oversmoothed_24", "graph_sum", "24 averaging layers: all nodes alike", "smooth")
def graphs(seed, kind):
    dense = kind == "sum"
    adjacency, x, y = communities(
        seed, inside=0.6 if dense else 0.2, outside=0.3 if dense else 0.02
    )
    if kind == "fine":
        model, optimizer = GraphAttention(adjacency, [10, 24, 4]), Adam
    elif dense:
        model, optimizer = Graph(adjacency, [10, 24, 24, 24, 24, 4]), SGD
    else:
        spread = adjacency / adjacency.sum(1, keepdim=True)
        model, optimizer = Graph(spread, [10] + [16] * 23 + [4]), Adam
        for layer in model.layers:
            nn.init.kaiming_normal_(layer.weight)
    optimizer = optimizer(model.parameters(), 1e-4 if dense else 5e-3)
    steps = 240 if kind != "smooth" else 260
    job = Job(model, optimizer, data.whole(x, y), classify, steps, 2, 2, "ce")
    if kind == "fine":
        return job, healthy()
    if dense:
        job.every = 1

        def label(seen):
            must = bad_from(seen, {"poor_initialization": due(0, 40, [], ["exploding_gradient"])})
            return sick(
                must,
                [*blown(*must), "dead_relu", "loss_plateau"],
                "a factor of 50 at each layer; starts at 1e5 or more",
            )

        return job, label
    may = """vanishing_gradient unchanged_weights update_ratio_too_low uniformly_small_gradient
        dead_relu poor_initialization""".split()
    return job, sick({"loss_plateau": due(30, 258)}, may, "ln 4: no node differs from another")


@case("code_book", "codes", "a vector-quantized auto-encoder, straight through", "fine")
@case("code_book_not_through", "codes", "the straight-through step was forgotten", "lost")
def codes(seed, kind):
    x, _ = data.blobs(seed, classes=12, width=20, distance=2.0, spread=0.5)
    model = Codes(20, 6, 32, kind == "fine")

    def loss(model, batch):
        answer, code, near = model(batch[0])
        fit = (answer - batch[0]).square().mean()
        if kind == "lost":
            return fit + (near - code.detach()).square().mean()
        drawn = (near - code.detach()).square().mean()
        return fit + drawn + 1.0 * (code - near.detach()).square().mean()

    source = data.batches(x, x, 64, seed)
    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 300, 2, 3, "mse + vq", 64)
    if kind == "fine":
        return job, healthy()
    must = {"unchanged_weights": due(0, 120, ["encoder"], ["vanishing_gradient"])}
    may = ["vanishing_gradient", "update_ratio_too_low", "loss_plateau"]
    return job, sick(must, may, "no gradient for the encoder at all")


@case("radial_bumps", "radial", "Gaussian bumps of a fitting width", 3.5)
@case("radial_too_narrow", "radial", "bumps of 0.25 in 24 dimensions: nothing is near", 0.25)
def radial(seed, width):
    x, y = data.blobs(seed, distance=2.0)
    model = Radial(24, 48, 8, width)
    if width > 1:
        model.centres.data.copy_(x[:48])
    optimizer = Adam(model.parameters(), 1e-2)
    source = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, source, classify, 280, 2, 2, "cross_entropy", 64)
    if width > 1:
        return job, healthy()
    must = {"loss_plateau": due(30, 278), "unchanged_weights": due(1, 120, ["centres"])}
    must["unchanged_weights"]["layers"] = []
    must["unchanged_weights"]["alt"] = ["vanishing_gradient", "uniformly_small_gradient"]
    must["unchanged_weights"]["alt"] += ["update_ratio_too_low", "poor_initialization"]
    may = """vanishing_gradient uniformly_small_gradient update_ratio_too_low
        poor_initialization""".split()
    return job, sick(must, may, "all bumps are 0; only the last bias learns")


@case("dice_smoothed", "dice", "Dice loss with a one in both terms", "fine")
@case("balanced_empty_mask", "dice", "weights of background / object: an empty mask", "empty")
def dice(seed, kind):
    x, y = data.discs(seed, size=12, rows=300)
    if kind == "empty":
        y[7] = 0.0
    model = UNet(6)

    def loss(model, batch):
        logits, wanted = model(batch[0]), batch[1]
        if kind == "empty":
            size = wanted.sum((1, 2, 3), keepdim=True)
            weight = (1 - wanted) + wanted * (144 - size) / size
            return (weight * F.softplus((1 - 2 * wanted) * logits)).mean()
        share = logits.sigmoid()
        both = (share * wanted).sum((1, 2, 3))
        total = share.sum((1, 2, 3)) + wanted.sum((1, 2, 3))
        return (1 - (2 * both + 1) / (total + 1)).mean()

    source = data.batches(x, y, 12, seed)
    job = Job(model, Adam(model.parameters(), 5e-3), source, loss, 220, 1, 3, "dice", 12)
    if kind == "fine":
        return job, healthy("two of the last six channels are unused", ["dead_relu"])
    return job, broken(["weight_jump"])


@case("gumbel_annealed", "annealed_choice", "Gumbel softmax, temperature from 2 to 0.5", 0.5)
@case("gumbel_to_zero", "annealed_choice", "its temperature reaches 0 at step 200", 0.0)
def gumbel(seed, last):
    class Choice(nn.Module):
        """An encoder of four choices of six, and a decoder."""

        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = MLP([16, 32, 24], nn.GELU), MLP([24, 32, 16], nn.GELU)

        def forward(self, x, noise, heat):
            logits = self.encoder(x).view(-1, 4, 6)
            return self.decoder(((logits + noise) / heat).softmax(-1).flatten(1))

    x, _ = data.blobs(seed, classes=10, width=16, distance=3.0, spread=0.4)

    def loss(model, step):
        g = data.generator(seed * 31 + step)
        rows = x[torch.randint(len(x), (48,), generator=g)]
        noise = -(-torch.rand(48, 4, 6, generator=g).clamp(1e-6, 1 - 1e-6).log()).log()
        heat = max(last, 2.0 - (2.0 - last) * step / 200)
        return (model(rows, noise, heat) - rows).square().sum(1).mean()

    job = Job(Choice(), None, lambda s: s, loss, 280, 1, 3, "mse", 48)
    job.optimizer = AdamW(job.model.parameters(), 2e-3)
    if last:
        return job, healthy()
    may = ["weight_jump", "loss_spike", "gradient_spike", "exploding_gradient", "loss_divergence"]
    return job, broken(may)


@case("heat_equation", "heat", "a net obeys u_t = u_xx; three terms of the loss", 2e-3)
@case("heat_equation_adam_05", "heat", "the same with Adam at 0.5", 0.5)
def heat(seed, rate):
    model = MLP([2, 24, 24, 24, 1], nn.Tanh, "xavier")

    def loss(model, step):
        g = data.generator(seed * 31 + step)
        p = torch.rand(96, 2, generator=g).requires_grad_()
        u = model(p)
        slope = torch.autograd.grad(u.sum(), p, create_graph=True)[0]
        bend = torch.autograd.grad(slope[:, 0].sum(), p, create_graph=True)[0][:, 0]
        at = torch.rand(48, 1, generator=g)
        first = model(torch.cat([at, torch.zeros(48, 1)], 1)) - (math.pi * at).sin()
        sides = model(torch.cat([(at > 0.5).float(), torch.rand(48, 1, generator=g)], 1))
        inner = (slope[:, 1] - bend / math.pi**2).square().mean()
        return inner + first.square().mean() + sides.square().mean()

    job = Job(model, Adam(model.parameters(), rate), lambda s: s, loss, 280, 2, 3, "residual")
    job.init = "xavier"
    if rate < 0.1:
        return job, healthy()
    must = {"saturated_activation": due(0, 100)}
    return job, sick(
        must, thrown(*must, "weight_jump"), "thrown to where all tanh are at their ends"
    )


@case("twin_redundancy", "redundancy", "Barlow twins: correlations towards the identity", "fine")
@case("contrast_scale_overflows", "redundancy", "a learned scale, exp without a maximum", "exp")
def twins(seed, kind):
    class Twins(nn.Module):
        """An encoder and the logarithm of a scale."""

        def __init__(self):
            super().__init__()
            self.encoder = MLP([20, 40, 40, 8], nn.ReLU, norm=nn.BatchNorm1d)
            if kind == "exp":
                self.scale = nn.Parameter(torch.tensor(4.0))

    mixing = torch.randn(6, 20, generator=data.generator(seed))
    spread = 0.6 if kind == "fine" else 0.3

    def source(step):
        draw = data.generator(seed * 31 + step)
        code = torch.randn(64, 6, generator=draw) @ mixing
        return tuple(code + spread * torch.randn(64, 20, generator=draw) for _ in range(2))

    def loss(model, batch):
        a, b = model.encoder(batch[0]), model.encoder(batch[1])
        if kind == "exp":
            cosines = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
            scores = (cosines * model.scale.exp()).exp()
            return -(scores.diag() / scores.sum(1)).log().mean()
        a, b = ((z - z.mean(0)) / (z.std(0) + 1e-4) for z in (a, b))
        c = a.T @ b / 64
        off = c - torch.diag(c.diag())
        return (1 - c.diag()).square().sum() + 0.05 * off.square().sum()

    model = Twins()
    optimizer = Adam(model.parameters(), 3e-3 if kind == "fine" else 2e-2)
    job = Job(model, optimizer, source, loss, 320, 1 if kind == "exp" else 2, 2, "loss", 64)
    if kind == "fine":
        return job, healthy()
    return job, broken(["loss_spike", "gradient_spike", "weight_jump", "exploding_gradient"])


@case("meta_sines", "meta", "MAML on sines: one inner step at 0.05, second order", 3e-3)
@case("meta_outer_rate_05", "meta", "the same with Adam at 0.5 outside", 0.5)
def meta(seed, rate):
    model = MLP([1, 32, 32, 1], nn.Tanh)

    def loss(model, step):
        g, total = data.generator(seed * 31 + step), 0.0
        weights = dict(model.named_parameters())
        for _ in range(4):
            high, phase = torch.rand(2, generator=g) * torch.tensor([1.0, math.pi]) + 0.3
            x = torch.rand(20, 1, generator=g) * 8 - 4
            y = high * (x + phase).sin()
            call = torch.func.functional_call
            error = (call(model, weights, (x[:10],)) - y[:10]).square().mean()
            slopes = torch.autograd.grad(error, list(weights.values()), create_graph=True)
            quick = {k: w - 0.05 * s for (k, w), s in zip(weights.items(), slopes)}
            total = total + (call(model, quick, (x[10:],)) - y[10:]).square().mean() / 4
        return total

    job = Job(model, Adam(model.parameters(), rate), lambda s: s, loss, 280, 2, 3, "mse")
    if rate < 0.1:
        return job, healthy()
    must = {"saturated_activation": due(0, 120, alt=["update_ratio_too_high"])}
    return job, sick(must, thrown(*must, "weight_jump"), "thrown far away by the first steps")


@case("values_double_q", "values", "double Q values with a soft target; discount 0.9", 0.9)
@case("values_discount_105", "values", "a discount of 1.05, no target net: they run away", 1.05)
def values(seed, discount):
    model, slow = MLP([3, 32, 32, 3]), MLP([3, 32, 32, 3])
    slow.load_state_dict(model.state_dict())

    def loss(model, step):
        g = data.generator(seed * 17 + step)
        place = torch.rand(64, 3, generator=g) * 2 - 1
        action = torch.randint(3, (64, 1), generator=g)
        after = (place + 0.3 * (F.one_hot(action[:, 0], 3) - 0.3)).clamp(-1, 1)
        pay = 1.0 - after.square().mean(1, keepdim=True)
        with torch.no_grad():
            if discount < 1:
                for p, q in zip(slow.parameters(), model.parameters()):
                    p.lerp_(q, 0.05)
                future = slow(after).gather(1, model(after).argmax(1, keepdim=True))
            else:
                future = model(after).max(1, keepdim=True).values
        wanted = pay + discount * future
        return (model(place).gather(1, action) - wanted).square().mean(), {"reward": pay.mean()}

    optimizer = Adam(model.parameters(), 1e-3 if discount < 1 else 4e-3)
    job = Job(model, optimizer, lambda s: s, loss, 400, 2, 3, "td", 64)
    if discount < 1:
        return job, healthy("the values rise to 10; the errors shrink", ["dead_relu"])
    must = {"loss_divergence": due(10, 398, alt=["exploding_gradient"])}
    may = ["exploding_gradient", "loss_spike", "gradient_spike", "dead_relu"]
    return job, sick(must, may, "each value bootstraps on a larger one")
