"""Healthy runs whose loss is of an odd kind: negative, exactly zero, rising or never low."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify
from .labels import healthy
from .models import MLP, ConvBlock, ConvNet
from .models_further import Coupling
from .registry import case
from .trainer import Job


@case("flow_couplings", "density", "a normalizing flow on small data: its loss falls below zero", 8)
@case("mixture_density", "density", "a mixture density net: negative log-likelihood", 5)
def density(seed, parts):
    if parts == 8:
        points, _ = data.blobs(seed, classes=3, width=4, spread=0.1, distance=0.6)
        model = Coupling(4, 6, 32)
        source = data.batches(points, points, 64, seed)

        def loss(model, batch):
            code, volume = model(batch[0])
            return (0.5 * code.square().sum(1) + 2 * math.log(2 * math.pi) - volume).mean()

        optimizer, clip = Adam(model.parameters(), 2e-3), ("norm", 10.0)
    else:
        g = data.generator(seed)
        y = torch.rand(3000, 1, generator=g) * 2 - 1
        x = y + 0.3 * torch.sin(6 * y) + 0.03 * torch.randn(3000, 1, generator=g)
        model = MLP([1, 40, 40, 3 * parts], nn.Tanh)
        source = data.batches(x, y, 64, seed)

        def loss(model, batch):
            share, mean, spread = model(batch[0]).chunk(3, 1)
            apart = (batch[1] - mean) * (-spread).exp()
            each = share.log_softmax(1) - 0.5 * apart.square() - spread
            return -(each.logsumexp(1) - 0.5 * math.log(2 * math.pi)).mean()

        optimizer, clip = RMSprop(model.parameters(), 1e-3), None
    job = Job(model, optimizer, source, loss, 400, 2, 3, "nll", 64, clip=clip)
    return job, healthy("the loss passes zero", ["gradient_spike"])


@case("score_matching", "score", "denoising score matching at three noise levels")
def score(seed):
    points, _ = data.blobs(seed, classes=4, width=3, spread=0.2, distance=2.0)
    model = MLP([4, 64, 64, 3], nn.SiLU)

    def loss(model, step):
        g = data.generator(seed * 31 + step)
        x = points[torch.randint(len(points), (96,), generator=g)]
        level = torch.tensor([0.1, 0.3, 1.0])[torch.randint(3, (96, 1), generator=g)]
        noise = torch.randn(x.shape, generator=g)
        found = model(torch.cat([x + level * noise, level.log()], 1))
        return (found + noise).square().sum(1).mean()

    job = Job(model, AdamW(model.parameters(), 2e-3), lambda s: s, loss, 360, 2, 3, "dsm", 96)
    return job, healthy("a high floor: most of the noise can't be foretold", ["loss_plateau"])


@case("hinge_margins", "margin", "multi-class hinge loss: exactly zero on many batches", 3.2, 1)
@case("hinge_squared", "margin", "squared hinge with overlap", 1.4, 2)
def hinge(seed, distance, power):
    x, y = data.blobs(seed, distance=distance)
    model = MLP([24, 48, 8], nn.ReLU)

    def loss(model, batch):
        logits = model(batch[0])
        right = (logits.argmax(1) == batch[1]).float().mean()
        return F.multi_margin_loss(logits, batch[1], p=power), {"acc": right}

    batch = data.batches(x, y, 32, seed)
    job = Job(model, SGD(model.parameters(), 0.1, 0.9), batch, loss, 360, 2, 3, "multi_margin", 32)
    may = ["gradient_spike", "loss_spike", "loss_plateau"] if power == 1 else []
    return job, healthy("no gradient where every margin is kept" if power == 1 else "", may)


@case("distilled_student", "distillation", "a small net copies a large one's soft answers at T=4")
def distilled(seed):
    x, y = data.blobs(seed, distance=1.3)
    torch.manual_seed(seed)
    teacher = MLP([24, 128, 8])
    learn, batch = Adam(teacher.parameters(), 3e-3), data.batches(x, y, 128, seed + 1)
    for step in range(200):
        learn.zero_grad()
        classify(teacher, batch(step))[0].backward()
        learn.step()
    model = MLP([24, 20, 20, 8])

    def loss(model, rows):
        with torch.no_grad():
            soft = (teacher(rows[0]) / 4).softmax(1)
        logits = model(rows[0])
        hard = F.cross_entropy(logits, rows[1])
        return 16 * F.kl_div((logits / 4).log_softmax(1), soft, reduction="batchmean") + hard

    source = data.batches(x, y, 48, seed)
    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 300, 1, 3, "kl + ce", 48)
    return job, healthy()


@case("label_smoothing", "softened", "smoothed labels: the loss can't go below 0.9", "smooth")
@case("focal_loss", "softened", "focal loss on rare classes: tiny from the start", "focal")
@case(
    "mixup_pairs", "softened", "inputs and labels are mixed in pairs: the loss stays high", "mixup"
)
def softened(seed, kind):
    x, y = data.gratings(seed) if kind == "mixup" else data.blobs(seed, distance=2.0)
    if kind == "focal":
        keep = (y > 1) | (torch.rand(len(y), generator=data.generator(seed)) < 0.05)
        x, y = x[keep], y[keep]
    if kind == "mixup":
        model = ConvNet(lambda width: ConvBlock(width, nn.BatchNorm2d), 2)
    else:
        model = MLP([24, 64, 64, 8], nn.GELU)
    now = {"step": 0}
    plain = data.batches(x, y, 48, seed)

    def source(step):
        now["step"] = step
        return plain(step)

    def loss(model, batch):
        rows, labels = batch
        if kind == "mixup":
            share = torch.rand(1, generator=data.generator(seed + 3 * now["step"])).item()
            logits = model(share * rows + (1 - share) * rows.flip(0))
            first = F.cross_entropy(logits, labels)
            return share * first + (1 - share) * F.cross_entropy(logits, labels.flip(0))
        logits = model(rows)
        if kind == "smooth":
            return F.cross_entropy(logits, labels, label_smoothing=0.2)
        each = F.cross_entropy(logits, labels, reduction="none")
        return ((1 - (-each).exp()) ** 2 * each).mean()

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, source, loss, 300, 2, 2, kind, 48)
    return job, healthy("", ["loss_plateau"] if kind != "focal" else [])


@case("curriculum_harder", "curriculum", "clouds come closer from step to step: the loss rises")
def curriculum(seed):
    g = data.generator(seed)
    centres = torch.randn(8, 24, generator=g)

    def source(step):
        draw = data.generator(seed * 31 + step)
        labels = torch.randint(8, (64,), generator=draw)
        distance = 2.2 - 1.5 * min(1.0, max(0, step - 60) / 200)
        rows = centres[labels] * distance / math.sqrt(2)
        return rows + torch.randn(64, 24, generator=draw), labels

    model = MLP([24, 64, 64, 8])
    job = Job(model, Adam(model.parameters(), 2e-3), source, classify, 360, 2, 2, "ce", 64)
    may = ["loss_divergence", "loss_spike", "exploding_gradient"]
    return job, healthy("the loss rises because the data gets harder", may)


@case("beta_annealed", "annealing", "a VAE whose divergence term is switched on slowly")
def annealed(seed):
    class Variational(nn.Module):
        """An encoder of means and log variances, and a decoder."""

        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = MLP([20, 48, 12], nn.ELU), MLP([6, 48, 20], nn.ELU)

        def forward(self, x, noise):
            mean, spread = self.encoder(x).chunk(2, 1)
            return self.decoder(mean + noise * (spread / 2).exp()), mean, spread

    x, _ = data.blobs(seed, classes=10, width=20, distance=3)

    def loss(model, step):
        g = data.generator(seed * 31 + step)
        rows = x[torch.randint(len(x), (64,), generator=g)]
        answer, mean, spread = model(rows, torch.randn(64, 6, generator=g))
        fit = (answer - rows).square().sum(1).mean()
        divergence = 0.5 * (spread.exp() + mean**2 - 1 - spread).sum(1).mean()
        return fit + min(1.0, max(0.0, (step - 80) / 160)) * divergence

    model = Variational()
    job = Job(model, Adam(model.parameters(), 3e-3), lambda s: s, loss, 360, 2, 3, "elbo", 64)
    return job, healthy("the loss rises while the weight of its second term does", ["loss_plateau"])


@case("learned_temperature", "temperature", "pairs of views, cosine scores over a learned scale")
def temperature(seed):
    class Pairs(nn.Module):
        """Two encoders and one scale."""

        def __init__(self):
            super().__init__()
            self.left, self.right = MLP([20, 48, 16]), MLP([14, 48, 16])
            self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

        def forward(self, a, b):
            a, b = F.normalize(self.left(a), dim=1), F.normalize(self.right(b), dim=1)
            return self.scale.exp() * a @ b.T

    g = data.generator(seed)
    first, second = torch.randn(6, 20, generator=g), torch.randn(6, 14, generator=g)

    def source(step):
        draw = data.generator(seed * 31 + step)
        code = torch.randn(48, 6, generator=draw)
        a = code @ first + 0.5 * torch.randn(48, 20, generator=draw)
        return a, code @ second + 0.5 * torch.randn(48, 14, generator=draw)

    def loss(model, batch):
        logits, places = model(*batch), torch.arange(48)
        return (F.cross_entropy(logits, places) + F.cross_entropy(logits.T, places)) / 2

    model = Pairs()
    job = Job(model, AdamW(model.parameters(), 2e-3), source, loss, 300, 2, 2, "clip", 48)
    return job, healthy("the scale's gradient is of another size than all others")


@case("dqn_corridor", "value_learning", "DQN with replay and a target net; the values grow")
def dqn(seed):
    size, gamma = 6, 0.95
    model, target = MLP([2, 64, 64, 4]), MLP([2, 64, 64, 4])
    target.load_state_dict(model.state_dict())
    moves = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])

    def loss(model, step):
        g = data.generator(seed * 17 + step)
        if step % 40 == 0:
            target.load_state_dict(model.state_dict())
        place = torch.randint(size, (64, 2), generator=g)
        action = torch.randint(4, (64,), generator=g)
        after = (place + moves[action]).clamp(0, size - 1)
        done = (after == size - 1).all(1).float()
        with torch.no_grad():
            best = model(after / size).argmax(1, keepdim=True)
            future = target(after / size).gather(1, best)[:, 0] * (1 - done)
        value = model(place / size).gather(1, action[:, None])[:, 0]
        wanted = 10 * done - 0.1 + gamma * future
        return F.smooth_l1_loss(value, wanted), {"reward": wanted.mean()}

    job = Job(model, Adam(model.parameters(), 2e-3), lambda s: s, loss, 600, 3, 3, "smooth_l1", 64)
    may = ["loss_spike", "loss_plateau", "loss_divergence", "gradient_spike"]
    return job, healthy("rare rewards; a new target every 40 steps", may)


@case("clipped_actor_critic", "actor_critic", "PPO: policy, value and entropy in one loss")
def actor_critic(seed):
    class Agent(nn.Module):
        """A trunk with a policy and a value."""

        def __init__(self):
            super().__init__()
            self.trunk = MLP([8, 48, 48], nn.Tanh)
            self.act = nn.Tanh()
            self.policy, self.value = nn.Linear(48, 4), nn.Linear(48, 1)

        def forward(self, x):
            x = self.act(self.trunk(x))
            return self.policy(x), self.value(x)[:, 0]

    model, kept = Agent(), {}
    best = torch.randn(8, 4, generator=data.generator(seed))

    def loss(model, step):
        if step % 4 == 0:
            g = data.generator(seed * 31 + step)
            x = torch.randn(96, 8, generator=g)
            with torch.no_grad():
                logits, value = model(x)
                action = torch.multinomial(logits.softmax(1), 1, generator=g)
                pay = (x @ best).gather(1, action)[:, 0] + torch.randn(96, generator=g)
                old = logits.log_softmax(1).gather(1, action)[:, 0]
            gain = pay - value
            kept["batch"] = x, action, pay, old, (gain - gain.mean()) / gain.std()
        x, action, pay, old, gain = kept["batch"]
        logits, value = model(x)
        chosen = logits.log_softmax(1)
        ratio = (chosen.gather(1, action)[:, 0] - old).exp()
        policy = -torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
        entropy = -(chosen.exp() * chosen).sum(1).mean()
        total = policy + 0.5 * (value - pay).square().mean() - 0.01 * entropy
        return total, {"reward": pay.mean()}

    optimizer = Adam(model.parameters(), 2e-3)
    job = Job(model, optimizer, lambda s: s, loss, 480, 2, 3, "ppo", 96, clip=("norm", 0.5))
    may = ["loss_plateau", "clipping_every_step", "loss_oscillation", "gradient_spike"]
    return job, healthy("the loss jumps with each new batch; the reward rises", may)


@case("poisson_rates", "counts", "Poisson regression with a log link: the loss is negative")
def poisson(seed):
    x, y = data.teacher(seed, 10, noise=0.0, scale=1.0, offset=1.5)
    counts = torch.poisson(y.exp(), generator=data.generator(seed))
    model = MLP([10, 32, 1], nn.Softplus)
    source = data.batches(x, counts, 48, seed)

    def loss(model, batch):
        return F.poisson_nll_loss(model(batch[0]), batch[1])

    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 300, 1, 4, "poisson_nll", 48)
    return job, healthy("negative, and noisy", ["gradient_spike"])


@case("two_tasks_two_scales", "multi_task", "two heads whose losses differ ten-thousandfold")
def two_tasks(seed):
    class Heads(nn.Module):
        """A trunk with a classifier and a regression."""

        def __init__(self):
            super().__init__()
            self.trunk = MLP([24, 64, 64], nn.GELU)
            self.norm = nn.LayerNorm(64)
            self.label, self.amount = nn.Linear(64, 8), nn.Linear(64, 1)

        def forward(self, x):
            x = self.norm(self.trunk(x))
            return self.label(x), self.amount(x)

    x, y = data.blobs(seed, distance=1.5)
    model = Heads()

    def loss(model, batch):
        logits, amount = model(batch[0])
        wanted = 100 * batch[0][:, :2].sum(1, keepdim=True)
        return F.cross_entropy(logits, batch[1]) + (amount - wanted).square().mean()

    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 1e-2), source, loss, 400, 2, 3, "ce + mse", 64)
    return job, healthy("norms of 1e3 and more, from one head", ["loss_plateau"])
