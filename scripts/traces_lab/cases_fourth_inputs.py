"""Faults of data and loss, and runs that look like them but are fine."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam

from . import data
from .cases_blind_sequence import broken
from .cases_healthy_plain import classify, squares
from .labels import due, healthy, sick
from .models import MLP, Recurrent
from .models_fourth import Plain, Statistics
from .registry import case
from .trainer import Job


@case("bad_batch_poisons_adam", "bad_batch", "inputs x 1e4 at step 150: Adam's memory is full")
def poisons(seed):
    x, y = data.teacher(seed)
    model = MLP([16, 64, 64, 1], nn.GELU)
    plain = data.batches(x, y, 64, seed)

    def source(step):
        rows, wanted = plain(step)
        return rows * (1e4 if step == 150 else 1), wanted

    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, squares, 340, 1, 2, "mse_loss", 64)
    stands = ["unchanged_weights", "loss_plateau"]
    must = {
        "gradient_spike": due(150, 150),
        "loss_spike": due(150, 150),
        "update_ratio_too_low": due(155, 339, ["fc0", "fc2"], stands),
    }
    may = [*stands, "exploding_gradient", "loss_divergence"]
    return job, sick(must, may, "the second moments are full of 1e16: nothing moves any more")


@case("bad_batch_normed_away", "bad_batch", "pixels x 1e4 at step 150 into batch norms")
def normed_away(seed):
    x, y = data.gratings(seed)
    model = Plain([1, 12, 16, 16], 6)
    plain = data.batches(x, y, 32, seed)

    def source(step):
        rows, labels = plain(step)
        return rows * (1e4 if step == 150 else 1), labels

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, optimizer, source, classify, 260, 1, 3, "ce", 32)
    return job, healthy("nothing but the running averages is touched, and they are not used")


@case("column_of_timestamps", "columns", "one feature in 24 is a raw time of some 1e5")
def columns(seed):
    x, y = data.blobs(seed, distance=1.5)
    x[:, 7] = 4e5 + 1e5 * torch.rand(len(x), generator=data.generator(seed))
    model = MLP([24, 64, 64, 8])
    optimizer = Adam(model.parameters(), 1e-3)
    source = data.batches(x, y, 48, seed)
    job = Job(model, optimizer, source, classify, 300, 1, 3, "cross_entropy", 48)
    alt = ["loss_plateau", "exploding_gradient", "dead_relu", "loss_oscillation"]
    must = {"poor_initialization": due(0, 299, alt=alt)}
    may = [*alt, "loss_spike", "update_ratio_too_low", "saturated_activation"]
    return job, sick(must, may, "a loss of hundreds, the right class by chance only")


@case("targets_of_1e5", "targets", "prices of 2e5, not normalized: Adam's steps do not reach them")
def prices(seed):
    x, y = data.teacher(seed, scale=6e4, offset=2e5)
    model = MLP([16, 64, 64, 1])
    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 1e-3), source, squares, 320, 2, 2, "mse_loss", 64)
    may = """exploding_gradient loss_divergence poor_initialization dead_relu gradient_spike
        update_ratio_too_high""".split()
    return job, sick({"loss_plateau": due(20, 318)}, may, "norms from 1e6 to 1e8, and no gain")


class Certain(nn.Module):
    """A net for yes or no that ends in a sigmoid."""

    def __init__(self, last):
        super().__init__()
        self.body = MLP([20, 48, 48, 1], nn.GELU)
        self.last = nn.Sigmoid() if last else nn.Identity()

    def forward(self, x):
        return self.last(self.body(x))


@case("sigmoid_before_logit_loss", "rare", "a sigmoid before BCE with logits, 4 % positive", True)
@case("logit_loss_rare_class", "rare", "BCE with logits, 4 % positive: fast, then slow", False)
def rare(seed, last):
    g = data.generator(seed)
    x = torch.randn(4000, 20, generator=g)
    score = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * torch.randn(4000, generator=g)
    y = (score > score.quantile(0.96)).float().unsqueeze(1)

    def loss(model, batch):
        answer = model(batch[0])
        right = ((answer > 0) == (batch[1] > 0)).float().mean()
        return F.binary_cross_entropy_with_logits(answer, batch[1]), {"acc": right}

    model = Certain(last)
    source = data.batches(x, y, 64, seed)
    job = Job(model, Adam(model.parameters(), 3e-3), source, loss, 360, 2, 2, "bce_logits", 64)
    if not last:
        return job, healthy()
    may = """saturated_activation uniformly_small_gradient vanishing_gradient update_ratio_too_low
        unchanged_weights""".split()
    must = {"loss_plateau": due(20, 358, alt=["saturated_activation"])}
    return job, sick(must, may, "ln 2 for good; its only sigmoid is at its end")


@case("softmax_twice_stuck", "softmax_twice", "a softmax before cross-entropy; the first runs full")
def twice(seed):
    x, y = data.gratings(seed, noise=0.8)
    model = Plain([1, 12, 16, 16], 6, lambda width: nn.GroupNorm(4, width))

    def loss(model, batch):
        shares = model(batch[0]).softmax(1)
        right = (shares.argmax(1) == batch[1]).float().mean()
        return F.cross_entropy(shares, batch[1]), {"acc": right}

    optimizer = SGD(model.parameters(), 0.5, momentum=0.9)
    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, loss, 280, 2, 3, "cross_entropy", 32)
    alt = ["vanishing_gradient", "unchanged_weights", "update_ratio_too_low"]
    must = {
        "loss_plateau": due(15, 278),
        "uniformly_small_gradient": due(50, 278, alt=alt),
    }
    may = [*alt, "dead_relu", "poor_initialization", "gradient_spike", "loss_spike"]
    return job, sick(must, may, "learns a little, then the first softmax is exactly 0 and 1")


@case("reshape_mixes_rows", "reshape", "`view` where `transpose` was meant: rows and times mix")
def mixes(seed):
    plain = data.recall(seed, 12, 6, 32)

    def source(step):
        rows, first = plain(step)
        times = rows.transpose(0, 1).contiguous()
        return times.view(rows.shape), first

    model = Recurrent(nn.GRUCell(6, 32), 32, 6)
    job = Job(model, Adam(model.parameters(), 3e-3), source, classify, 280, 2, 3, "ce", 32)
    return job, sick({"loss_plateau": due(20, 278)}, [], "ln 6: all looks alive, nothing to learn")


@case("pooled_deviation_of_silence", "pooled", "std over time of a silent row at step 120", 0.0)
@case("pooled_deviation_with_eps", "pooled", "silent rows on every step, and an eps", 1e-5)
def pooled(seed, eps):
    g = data.generator(seed)
    kinds = torch.randint(5, (1500,), generator=g)
    pitch = 0.3 + 0.35 * kinds.view(-1, 1, 1)
    wave = (pitch * torch.arange(30).view(1, -1, 1) + torch.arange(8)).sin()
    x = wave * (0.5 + kinds.view(-1, 1, 1) / 5) + 0.6 * torch.randn(1500, 30, 8, generator=g)
    plain = data.batches(x, kinds, 32, seed)

    def source(step):
        rows, labels = plain(step)
        rows = rows.clone()
        if eps or step == 120:
            rows[4] = 0.0
        return rows, labels

    model = Statistics(8, 32, 5, eps)
    job = Job(model, Adam(model.parameters(), 2e-3), source, classify, 240, 1, 2, "ce", 32)
    return job, healthy() if eps else broken(["weight_jump"], ["frames"])


@case("log_of_a_negative_count", "counts", "log(1 + answer), and the answer passes -1", False)
@case("log_of_a_softplus_count", "counts", "the same behind a softplus", True)
def counts(seed, safe):
    x, y = data.teacher(seed, noise=0.1)
    y = torch.poisson((1.5 * y - 1).exp(), generator=data.generator(seed))
    model = MLP([16, 48, 48, 1], nn.SiLU)

    def loss(model, batch):
        answer = model(batch[0])
        answer = F.softplus(answer) if safe else answer
        return (answer.log1p() - batch[1].log1p()).square().mean()

    optimizer = SGD(model.parameters(), 0.2 if safe else 0.8, momentum=0.9)
    source = data.batches(x, y, 64, seed)
    job = Job(model, optimizer, source, loss, 260, 1, 2, "msle", 64)
    wild = ["loss_spike", "gradient_spike", "loss_oscillation", "loss_divergence", "weight_jump"]
    return job, healthy() if safe else broken([*wild, "update_ratio_too_high"])
