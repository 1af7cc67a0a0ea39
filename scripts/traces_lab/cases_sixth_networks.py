"""Sixth set: graphs, springs, sets, pairs, views, experts, gates, fixed points, unrolled flows."""

import copy
import itertools

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify, squares
from .data_fifth import pictures
from .data_sixth import molecules, pairs, pendulums, spots, springs
from .labels import due, healthy, sick
from .models import MLP
from .models_sixth import GIN, Equivariant, FourBits, Hamiltonian, Highway
from .registry import case
from .trainer import Job


@case("gin_cliques", "isomorphism", "GIN with batch norms finds cliques in random graphs, Adam")
def gin(seed):
    model = GIN(3, 32, 3, 2)

    def loss(model, batch):
        logits = model(*batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1]), {"acc": right}

    optimizer = Adam(model.parameters(), 3e-3)
    return Job(model, optimizer, molecules(seed), loss, 260, 2, 3, "ce", 24), healthy()


@case("springs_equivariant", "springs", "EGNN foretells where charges go, means of messages", 1.0)
@case("springs_summed", "springs", "sums, five layers, places three times as far", 3.0)
def equivariant(seed, scale):
    fine = scale == 1
    model = Equivariant(24, 3 if fine else 5, fine)

    def loss(model, batch):
        return F.mse_loss(model(*batch[0]), batch[1])

    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, springs(seed, scale=scale), loss, 240, 2, 3, "mse", 32)
    if fine:
        return job, healthy()
    job.every = 1

    def label(seen):
        alt = ["poor_initialization", "loss_spike", "gradient_spike", "loss_divergence"]
        bad = seen.first_bad("gn")
        must = {"exploding_gradient": due(0, 60, alt=alt)} if bad is None or bad > 1 else {}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        may = [r for r in [*blown(*must), *thrown(*must)] if r not in must]
        return sick(must, may, "each layer takes squares of distances, and there are five")

    return job, label


@case("pendulum_hamiltonian", "pendulum", "a learned energy, ten leapfrog steps, second slopes")
def pendulum(seed):
    model = Hamiltonian()

    def loss(model, batch):
        return F.mse_loss(model(*batch[0], 10), batch[1])

    optimizer = Adam(model.parameters(), 3e-3)
    return Job(model, optimizer, pendulums(seed), loss, 240, 2, 3, "mse", 32), healthy()


@case("spots_matched", "matching", "three slots are matched with three spots, the best of six ways")
def matched(seed):
    model = MLP([144, 96, 96, 6], nn.ReLU)
    ways = torch.tensor(list(itertools.permutations(range(3))))

    def loss(model, batch):
        found = model(batch[0]).view(-1, 3, 2)
        apart = (found[:, :, None] - batch[1][:, None]).abs().sum(3)
        cost = apart[:, torch.arange(3), ways].sum(2)
        return cost.min(1).values.mean()

    optimizer = AdamW(model.parameters(), 1e-3)
    return Job(model, optimizer, spots(seed), loss, 360, 2, 3, "matched l1", 32), healthy()


class Towers(nn.Module):
    """A net for each view, and a temperature and an offset that are learned."""

    def __init__(self, start, offset):
        super().__init__()
        self.left, self.right = MLP([24, 64, 32], nn.GELU), MLP([30, 64, 32], nn.GELU)
        self.scale, self.offset = nn.Parameter(torch.tensor(start)), nn.Parameter(
            torch.tensor(offset)
        )

    def forward(self, a, b):
        return F.normalize(self.left(a), dim=1) @ F.normalize(self.right(b), dim=1).T


@case("siglip_pairs", "pairs", "a sigmoid for each pair, offset -10, Adam", "sigmoid")
@case("temperature_multiplied", "pairs", "InfoNCE, but times 0.07, not over 0.07", "times")
def towers(seed, kind):
    a, b = pairs(seed)
    model = Towers(2.3, -10.0)
    if kind == "times":
        del model.scale, model.offset

    def loss(model, batch):
        alike = model(*batch)
        if kind == "times":
            wanted = torch.arange(len(alike))
            return F.cross_entropy(alike * 0.07, wanted) + F.cross_entropy(alike.T * 0.07, wanted)
        sign = 2 * torch.eye(len(alike)) - 1
        return -F.logsigmoid(sign * (alike * model.scale.exp() + model.offset)).sum() / len(alike)

    source = data.batches(a, b, 64, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, loss, 260, 2, 3, kind, 64)
    if kind == "sigmoid":
        return job, healthy()
    may = ["uniformly_small_gradient", "vanishing_gradient"]
    return job, sick({"loss_plateau": due(20, 258)}, may, "between ln 64 and 0.07 below, twice")


@case("triplets_hardest_collapse", "hardest", "the hardest triplets of noise: one point for all")
def triplets(seed):
    x, y = data.blobs(seed, classes=16, distance=0.5)
    model = MLP([24, 64, 64, 16], nn.ReLU)

    def loss(model, batch):
        codes = model(batch[0])
        apart = ((codes[:, None] - codes).square().sum(2) + 1e-12).sqrt()
        same = batch[1][:, None] == batch[1]
        far = (apart * same).max(1).values
        near = (apart + 1e6 * same).min(1).values
        return F.relu(far - near + 0.2).mean()

    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 300, 2, 3, "triplet", 64)
    may = """vanishing_gradient uniformly_small_gradient update_ratio_too_low unchanged_weights
        dead_relu gradient_spike""".split()
    return job, sick({"loss_plateau": due(20, 298)}, may, "the loss ends at the margin")


@case("dino_centred", "own_teacher", "a teacher of averages, centred and sharpened", "fine")
@case("dino_flat_teacher", "own_teacher", "no centre, a teacher's temperature of 1", "flat")
def dino(seed, kind):
    x, y = data.blobs(seed, distance=2.2)
    model = MLP([24, 64, 64, 24], nn.GELU)
    teacher = copy.deepcopy(model).requires_grad_(False)
    kept, g = {"centre": torch.zeros(24)}, data.generator(seed)

    def loss(model, batch):
        a, b = (batch[0] + 0.7 * torch.randn(batch[0].shape, generator=g) for _ in range(2))
        with torch.no_grad():
            wanted = teacher(a)
            if kind == "fine":
                share = ((wanted - kept["centre"]) / 0.04).softmax(1)
                kept["centre"].lerp_(wanted.mean(0), 0.1)
            else:
                share = wanted.softmax(1)
            for p, q in zip(teacher.parameters(), model.parameters()):
                p.lerp_(q, 0.02)
        logs = (model(b) / (0.1 if kind == "fine" else 1.0)).log_softmax(1)
        return -(share * logs).sum(1).mean()

    optimizer = AdamW(model.parameters(), 1e-3, weight_decay=0.04)
    job = Job(model, optimizer, data.batches(x, y, 64, seed), loss, 320, 2, 3, "dino", 64)
    if kind == "fine":
        moves = ["loss_plateau", "loss_divergence", "loss_spike", "gradient_spike"]
        return job, healthy("the target moves: the loss may rise", moves)
    may = "vanishing_gradient uniformly_small_gradient update_ratio_too_low".split()
    return job, sick({"loss_plateau": due(20, 318)}, may, "ln 24: all views get the same shares")


class Switch(nn.Module):
    """Each row goes to one expert; all experts are computed, those not chosen count 0."""

    def __init__(self):
        super().__init__()
        self.stem, self.gate = nn.Linear(24, 32), nn.Linear(32, 4)
        self.experts = nn.ModuleList(MLP([32, 32, 32], nn.GELU) for _ in range(4))
        self.head = nn.Linear(32, 8)

    def forward(self, x):
        x = self.stem(x)
        share = self.gate(x).softmax(1)
        chosen = F.one_hot(share.argmax(1), 4).float()
        y = sum(
            (chosen * share)[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts)
        )
        return self.head(x + y), (chosen.mean(0) * share.mean(0)).sum() * 4


@case("switch_balanced", "switched", "one of four experts a row, a loss for balance", 0.05)
@case("switch_balance_sign_lost", "switched", "the loss for balance has the wrong sign", -0.5)
def switch(seed, factor):
    x, y = data.blobs(seed, distance=1.5)
    model = Switch()

    def loss(model, batch):
        logits, load = model(batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(logits, batch[1]) + factor * load, {"acc": right}

    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 360, 1, 3, "ce + load", 64)
    if factor > 0:
        return job, healthy()

    def label(seen):
        rows = [line["p"] for line in seen.lines]
        # stem, gate: two rows each; then four rows an expert, its first weight first.
        idle = {}
        for i in range(4):
            norms = [row[4 + 4 * i][0] for row in rows]
            last = max((k for k, n in enumerate(norms) if n), default=-1)
            idle[f"experts.{i}"] = seen.steps[min(last + 1, len(norms) - 1)]
        names = [name for name, step in idle.items() if step < 300]
        if not names:
            raise ValueError("experts: expected idle ones, found none")
        first = min(idle[name] for name in names)
        stuck = ["vanishing_gradient", "update_ratio_too_low"]
        must = {"unchanged_weights": due(0, first + 120, names, stuck)}
        return sick(must, stuck, f"experts without a row for good: {idle}")

    return job, label


@case("highway_gates_shut", "shut_gates", "gates that start at a bias of -30, SGD", -30.0)
@case("highway_gates_at_minus_2", "shut_gates", "the usual start of -2, twelve layers", -2.0)
def highway(seed, shut):
    x, y = data.rings(seed, classes=3)
    x = torch.cat([x, x.square()[:, :1] * 0], 1)
    model = Highway(3, 32, 12, 3, shut)
    source = data.batches(x, y, 64, seed)
    job = Job(model, SGD(model.parameters(), 0.1, momentum=0.9), source, classify, 320, 2, 3)
    job.loss_name, job.batch_size = "cross_entropy", 64
    if shut > -10:
        return job, healthy("", ["loss_plateau"])
    alt = ["unchanged_weights", "update_ratio_too_low", "vanishing_gradient"]
    must = {"saturated_activation": due(0, 120, ["opens"], alt)}
    may = [*alt, "uniformly_small_gradient", "loss_plateau"]
    return job, sick(must, may, "what is left is a linear layer")


@case("activation_forgotten", "linear_only", "five layers with nothing between, on XOR")
def linear(seed):
    x = torch.randn(1500, 2, generator=data.generator(seed))
    y = (x[:, 0] * x[:, 1] > 0).long()
    layers = [nn.Linear(a, b) for a, b in zip([2, 64, 64, 64, 64], [64, 64, 64, 64, 2])]
    model = nn.Sequential(*layers)
    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, classify, 320, 2, 3, "ce", 64)
    return job, sick({"loss_plateau": due(20, 318)}, [], "ln 2: no line parts them")


@case("norm_over_one_feature", "norm_of_one", "a layer norm over the one number that is given")
def norm_of_one(seed):
    x, y = data.teacher(seed, offset=0.0)
    model = nn.Sequential(MLP([16, 48, 48, 1], nn.GELU), nn.LayerNorm(1))
    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, squares, 260, 2, 3, "mse", 64)
    alt = ["unchanged_weights", "uniformly_small_gradient", "update_ratio_too_low"]
    must = {"loss_plateau": due(20, 258), "vanishing_gradient": due(0, 120, ["0.fc"], alt)}
    return job, sick(must, alt, "the mean for all; below it slopes of 1e-7, from rounding")


@case("four_bit_learned_steps", "four_bits", "weights of 16 levels with learned steps", None)
@case("four_bit_range_too_small", "four_bits", "a range of 1e-5: no weight is inside", 1e-5)
def four_bits(seed, limit):
    x, y = data.blobs(seed, distance=1.6)
    layers = [FourBits(24, 64, limit), nn.ReLU(), FourBits(64, 64, limit), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(64, 8))
    source = data.batches(x, y, 64, seed)
    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, classify, 300, 2, 3, "cross_entropy", 64)
    if limit is None:
        return job, healthy()
    stuck = ["vanishing_gradient", "update_ratio_too_low", "uniformly_small_gradient"]
    must = {"loss_plateau": due(20, 298), "unchanged_weights": due(1, 120, ["0", "2"], stuck)}
    may = [*stuck, "dead_relu", "poor_initialization"]
    return job, sick(must, may, "inputs are scaled by 1e-5; outside of the range no slope")


@case("fixed_point_gain_3", "fixed_point", "60 rounds of tanh(Wz + Ux) with a gain of 3")
def fixed_point(seed):
    x, y = data.blobs(seed, distance=1.6)

    class Rounds(nn.Module):
        """The same layer, again and again."""

        def __init__(self):
            super().__init__()
            self.u, self.w = nn.Linear(24, 48), nn.Linear(48, 48, bias=False)
            self.act, self.head = nn.Tanh(), nn.Linear(48, 8)
            nn.init.normal_(self.w.weight, std=3 / 48**0.5)

        def forward(self, x):
            u, z = self.u(x), torch.zeros(len(x), 48)
            for _ in range(60):
                z = self.act(self.w(z) + u)
            return self.head(z)

    model = Rounds()
    source = data.batches(x, y, 48, seed)
    job = Job(model, SGD(model.parameters(), 0.05), source, classify, 200, 1, 3, "ce", 48)
    job.clip = ("norm", 1.0)
    alt = ["poor_initialization", "gradient_spike", "clipping_every_step"]
    must = {"exploding_gradient": due(0, 60, [], alt)}
    may = [*thrown(*must), "saturated_activation", "clipping_every_step"]
    return job, sick(must, may, "it never comes to rest; slopes grow with each round")


@case("euler_60_steps_grow", "euler_flow", "x += 0.2 f(x), 60 times, He start: states of 1e7")
def euler(seed):
    x, y = data.blobs(seed, distance=1.6)

    class Flow(nn.Module):
        """An explicit Euler scheme, and a head."""

        def __init__(self):
            super().__init__()
            self.f, self.head = MLP([24, 48, 24], nn.ReLU, "he"), nn.Linear(24, 8)

        def forward(self, x):
            for _ in range(60):
                x = x + 0.2 * self.f(x)
            return self.head(x)

    model = Flow()
    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, classify, 160, 1, 3, "ce", 48)

    def label(seen):
        alt = ["poor_initialization", "non_finite_loss", "non_finite_gradient"]
        must = {"exploding_gradient": due(0, 60, alt=alt)}
        for rule, column in (("non_finite_loss", "loss"), ("non_finite_gradient", "gn")):
            bad = seen.first_bad(column)
            if bad is not None:
                must[rule] = due(bad, bad + 2)
        may = [r for r in [*blown(*must), *thrown(*must), "dead_relu"] if r not in must]
        return sick(must, may, "states grow at each step of the scheme")

    return job, label


@case("pooled_power_of_zero", "power_pooling", "GeM pooling of masked places; a mask is empty")
def gem(seed):
    x, y = pictures(seed, classes=6)

    class Pooled(nn.Module):
        """Convolutions, and the cubic root of the mean of cubes."""

        def __init__(self):
            super().__init__()
            self.conv1, self.act1 = nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU()
            self.conv2, self.act2 = nn.Conv2d(12, 16, 3, 2, 1), nn.Softplus()
            self.head = nn.Linear(16, 6)

        def forward(self, batch):
            x = self.act2(self.conv2(self.act1(self.conv1(batch[0])))) * batch[1]
            return self.head(x.pow(3).mean((2, 3)).pow(1 / 3))

    model, plain = Pooled(), data.batches(x, y, 32, seed)

    def source(step):
        rows, labels = plain(step)
        seen = (rows.mean(1, keepdim=True)[..., ::4, ::4] > -0.2).float()
        if step == 140:
            seen[5] = 0.0
        return (rows, seen), labels

    job = Job(model, Adam(model.parameters(), 1e-3), source, classify, 300, 1, 3, "ce", 32)
    return job, broken(["weight_jump"])
