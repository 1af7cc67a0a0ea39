"""Healthy runs with further optimizers, and with changes in the middle of a run."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adadelta, Adam, AdamW, NAdam, RAdam, Rprop

from . import data
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, transient
from .models import MLP, ConvBlock, ConvNet
from .optimizers import LimitedBFGS, Lion, SignSGD
from .registry import case
from .trainer import Job


@case(
    "lion_decay",
    "sign_steps",
    "Lion with decay: every weight moves alike",
    lambda p: Lion(p, 3e-4, weight_decay=0.3),
    True,
)
@case("sign_sgd", "sign_steps", "the sign of the gradient only", lambda p: SignSGD(p, 1e-3), False)
@case("nadam_images", "adaptive", "NAdam on images", lambda p: NAdam(p, 2e-3), True)
@case("radam_clouds", "adaptive", "RAdam on clouds", lambda p: RAdam(p, 3e-3), False)
@case("adadelta_clouds", "adaptive", "Adadelta at its rate of 1", lambda p: Adadelta(p, 1.0), False)
@case("adam_large_eps", "adaptive", "Adam with eps 1e-2", lambda p: Adam(p, 1e-2, eps=1e-2), False)
@case(
    "nesterov_fast",
    "momentum",
    "Nesterov momentum 0.95",
    lambda p: SGD(p, 0.02, momentum=0.95, nesterov=True),
    True,
)
def optimizers(seed, make, pictures):
    x, y = data.gratings(seed) if pictures else data.blobs(seed, distance=1.2)
    if pictures:
        model = ConvNet(lambda width: ConvBlock(width, lambda w: nn.GroupNorm(3, w)), 2)
    else:
        model = MLP([24, 64, 64, 8], nn.SiLU)
    batch = data.batches(x, y, 48, seed)
    job = Job(model, make(model.parameters()), batch, classify, 260, 2, 2, "cross_entropy", 48)
    return job, healthy()


@case("rprop_whole_batch", "whole_batch", "Rprop, all rows at each step", "rprop")
@case("quasi_newton", "whole_batch", "limited-memory BFGS without a line search", "lbfgs")
def whole_batch(seed, kind):
    x, y = data.teacher(seed, 8, rows=300)
    model = MLP([8, 24, 24, 1], nn.Tanh)
    optimizer = (
        Rprop(model.parameters(), 1e-3, step_sizes=(1e-6, 0.02))
        if kind == "rprop"
        else LimitedBFGS(model.parameters(), 0.5)
    )
    job = Job(model, optimizer, data.whole(x, y), squares, 200, 1, 2, "mse_loss", 300)
    return job, healthy("bumps while it seeks its way", ["loss_spike", "gradient_spike"])


@case("averaged_weights_swapped", "swap", "at step 180 the weights become their own average", "ema")
@case("rate_warmed_again", "restart", "restarts from a checkpoint; the rate warms up anew", "warm")
@case("stuck_on_one_batch", "loader", "from step 150 the loader gives the same batch", "stuck")
def changes(seed, kind):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 64, 64, 8], nn.GELU, norm=nn.LayerNorm if kind == "warm" else None)
    optimizer = AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    plain = data.batches(x, y, 48, seed)
    average, kept = {}, {}

    @torch.no_grad()
    def before(step):
        for name, parameter in model.named_parameters():
            if name not in average:
                average[name] = parameter.clone()
            average[name].lerp_(parameter, 0.05)
            if kind == "ema" and step == 180:
                parameter.copy_(average[name])
            if kind == "warm" and step == 140:
                kept[name] = parameter.clone()
            if kind == "warm" and step == 180:
                parameter.copy_(kept[name])
        if kind == "warm" and step == 180:
            optimizer.state.clear()

    def rate(step):
        if kind == "warm":
            return 2e-3 * min(1.0, ((step if step < 180 else step - 180) + 1) / 30)
        return 2e-3

    def source(step):
        return plain(150 if kind == "stuck" and step >= 150 else step)

    job = Job(model, optimizer, source, classify, 320, 1, 3, "ce", 48, rate, before=before)
    note = {
        "ema": "a small step to the side",
        "warm": "goes back 40 steps, then on",
        "stuck": "the numbers show a net that fits what it gets: no rule can know",
    }[kind]
    return job, healthy(note, ["loss_plateau"] if kind == "stuck" else [])


@case("tasks_in_turn", "continual", "a new task at steps 120 and 240: the loss jumps and recovers")
def continual(seed):
    x, y = data.blobs(seed, distance=2.2)
    g = data.generator(seed)
    orders = [torch.arange(24), torch.randperm(24, generator=g), torch.randperm(24, generator=g)]
    plain = data.batches(x, y, 64, seed)

    def source(step):
        rows, labels = plain(step)
        return rows[:, orders[min(2, step // 120)]], labels

    model = MLP([24, 96, 8])
    job = Job(model, Adam(model.parameters(), 2e-3), source, classify, 360, 1, 2, "ce", 64)
    return job, transient(
        {"loss_spike": due(120, 125)},
        ["gradient_spike", "loss_divergence", "exploding_gradient"],
        "each new task starts from the top again",
    )


@case("poisoned_moment", "bits", "a bit of Adam's second moment flips: one weight stops", 150)
def moment(seed, when):
    x, y = data.blobs(seed, distance=1.2)
    model = MLP([24, 64, 64, 8])
    optimizer = Adam(model.parameters(), 2e-3)

    def before(step):
        if step == when:
            optimizer.state[model.fc1.weight]["exp_avg_sq"].view(-1)[40] = 1e30

    batch = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, batch, classify, 300, 1, 2, "ce", 64, before=before)
    return job, healthy("one of 4096 weights stands still: nothing in the numbers")


@case("neural_ode", "continuous", "a net as the slope of a curve, twelve Euler steps")
def neural_ode(seed):
    class Flow(nn.Module):
        """Twelve steps along one net's slope."""

        def __init__(self):
            super().__init__()
            self.lift = nn.Linear(2, 16)
            self.slope = MLP([16, 32, 16], nn.Tanh)
            self.head = nn.Linear(16, 3)

        def forward(self, x):
            x = self.lift(x)
            for _ in range(12):
                x = x + self.slope(x) / 4
            return self.head(x)

    x, y = data.rings(seed)
    model = Flow()
    batch = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 5e-3), batch, classify, 320, 2, 3, "ce", 64)
    may = ["saturated_activation"]
    return job, healthy("one net, used twelve times", may)


@case("ctc_alignment", "alignment", "CTC: a short text in a long signal; huge, then small")
def ctc(seed):
    class Reader(nn.Module):
        """A convolution and a linear layer over time."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(5, 32, 3, padding=1)
            self.act = nn.ReLU()
            self.head = nn.Linear(32, 6)

        def forward(self, x):
            return self.head(self.act(self.conv(x.transpose(1, 2))).transpose(1, 2))

    def source(step):
        g = data.generator(seed * 31 + step)
        text = torch.randint(5, (16, 6), generator=g)
        x = F.one_hot(text.repeat_interleave(4, 1), 5) + 0.4 * torch.randn(16, 24, 5, generator=g)
        return x, text + 1

    def loss(model, batch):
        scores = model(batch[0]).log_softmax(2).transpose(0, 1)
        return F.ctc_loss(scores, batch[1], torch.full((16,), 24), torch.full((16,), 6))

    model = Reader()
    job = Job(model, Adam(model.parameters(), 4e-3), source, loss, 360, 2, 3, "ctc_loss", 16)
    return job, healthy("first learns to say nothing, then to read", ["loss_plateau"])
