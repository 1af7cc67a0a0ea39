"""Third set: adversarial domains, pseudo labels, survival, self-weighing tasks, clients, clicks."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adagrad, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify
from .labels import due, healthy, sick
from .models import MLP
from .models_third_fields import Adversary, Crossed
from .registry import case
from .trainer import Job


@case("domain_reversal", "reversal", "DANN: the features hide the domain, ramped to 1", 1.0)
@case("domain_reversal_of_120", "reversal", "the reversed gradient is multiplied by 120", 120.0)
def reversal(seed, most):
    x, y = data.blobs(seed, distance=1.8)
    shift = torch.randn(24, generator=data.generator(seed + 1))
    here, there = data.batches(x, y, 48, seed), data.batches(x + shift, y, 48, seed + 1)
    model, now = Adversary(24, 40, 8), {"step": 0}

    def source(step):
        now["step"] = step
        return (*here(step), there(step)[0])

    def loss(model, batch):
        done = torch.tensor(10.0 * now["step"] / 300)
        factor = float(2 / (1 + (-done).exp()) - 1) if most == 1 else most
        scores, domain = model(torch.cat([batch[0], batch[2]]), factor)
        wanted = (torch.arange(96) >= 48).float()
        right = (scores[:48].argmax(1) == batch[1]).float().mean()
        rival = F.binary_cross_entropy_with_logits(domain, wanted)
        return F.cross_entropy(scores[:48], batch[1]) + rival, {"acc": right}

    optimizer = SGD(model.parameters(), 0.03, momentum=0.0 if most == 1 else 0.9)
    job = Job(model, optimizer, source, loss, 300, 2, 3, "class + domain", 96)
    if most == 1:
        may = ["loss_plateau", "loss_oscillation", "loss_spike", "gradient_spike"]
        return job, healthy("the second half of the loss rises: that is its aim", may)

    def label(seen):
        either = ["exploding_gradient", "loss_spike", "non_finite_loss", "loss_plateau"]
        must = {"loss_divergence": due(0, 200, alt=either)}
        bad = seen.first_bad("loss")
        if bad is not None:
            must["non_finite_loss"] = due(bad, bad + 2)
        may = [
            *blown(*must),
            "dead_relu",
            "loss_plateau",
            "vanishing_gradient",
            "unchanged_weights",
        ]
        return sick(must, [*may, "update_ratio_too_low", "uniformly_small_gradient"])

    return job, label


@case("pseudo_labels_late", "pseudo_labels", "FixMatch: unlabelled rows count once a net is sure")
def pseudo(seed):
    x, y = data.blobs(seed, distance=1.3)
    model = MLP([24, 48, 48, 8], nn.ReLU)
    few, many = data.batches(x[:64], y[:64], 32, seed), data.batches(x[64:], y[64:], 96, seed + 1)

    def source(step):
        return (*few(step), many(step)[0])

    def loss(model, batch):
        value, extras = classify(model, batch[:2])
        with torch.no_grad():
            share, guess = model(batch[2] + 0.1 * torch.randn_like(batch[2])).softmax(1).max(1)
        hard = model(batch[2] + 0.8 * torch.randn_like(batch[2]))
        sure = (share > 0.9).float()
        return value + (F.cross_entropy(hard, guess, reduction="none") * sure).mean(), extras

    optimizer = SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    job = Job(model, optimizer, source, loss, 320, 2, 3, "ce + pseudo", 32)
    note = "falls, then rises by the unlabelled rows, then falls"
    return job, healthy(note, ["loss_divergence", "loss_plateau"])


@case("survival_risk_sets", "survival", "Cox: partial likelihood over whole risk sets", True)
@case("survival_other_unit", "survival", "a few values in another unit, plain exponentials", False)
def survival(seed, fine):
    g = data.generator(seed)
    count = 240 if fine else 1500
    x = torch.randn(count, 12, generator=g)
    risk = x @ torch.randn(12, generator=g) / 3 + torch.tanh(x[:, 0] * x[:, 1])
    time = torch.empty(count).exponential_(generator=g) * (-risk).exp()
    seen = torch.rand(count, generator=g) < 0.6
    if not fine:
        x[:6, 3] = 1000 * x[:6, 3].abs()
    order = time.argsort(descending=True)
    x, seen = x[order], seen[order]
    model = MLP([12, 32, 32, 1], nn.ReLU)

    def loss(model, batch):
        score = model(batch[0])[:, 0]
        if fine:
            total = score.logcumsumexp(0)
        else:
            total = score.exp().cumsum(0).log()
        return -((score - total) * batch[1]).sum() / batch[1].sum()

    rate = 2e-3
    whole, usual = data.whole(x, seen.float()), (x[:, 3] < 100).nonzero()[:, 0]

    def shard(step):
        g = data.generator(seed * 7919 + step)
        rows = usual[torch.randperm(len(usual), generator=g)[:64]]
        if step >= 90:
            rows = torch.randperm(count, generator=g)[:64]
        rows = rows.sort()[0]
        return x[rows], seen[rows].float()

    optimizer = AdamW(model.parameters(), rate, weight_decay=0.01)
    job = Job(
        model, optimizer, whole if fine else shard, loss, 240, 1, 3, "cox", 240 if fine else 64
    )
    if fine:
        return job, healthy(
            "starts at the mean log size of a risk set; overfits slowly", ["loss_plateau"]
        )
    return job, broken([*blown(), "dead_relu"])


@case("tasks_weigh_themselves", "self_weighing", "two tasks over a learned variance each", True)
@case("task_deviation_crosses_zero", "self_weighing", "the deviation itself is learned", False)
def self_weighing(seed, logarithm):
    x, y = data.teacher(seed, outputs=2, noise=0.02)
    y = y * torch.tensor([1.0, 0.05 if logarithm else 0.01])

    class Tasks(nn.Module):
        """A shared body, two heads, and how sure each task may be."""

        def __init__(self):
            super().__init__()
            self.body, self.act = MLP([16, 48, 48], nn.GELU), nn.GELU()
            self.heads = nn.Linear(48, 2)
            self.width = nn.Parameter(torch.zeros(2) if logarithm else torch.ones(2))

        def forward(self, x):
            return self.heads(self.act(self.body(x)))

    def loss(model, batch):
        apart = (model(batch[0]) - batch[1]).square().mean(0)
        if logarithm:
            return (0.5 * apart * (-model.width).exp() + 0.5 * model.width).sum()
        return (0.5 * apart / model.width.square() + model.width.log()).sum()

    model = Tasks()
    source = data.batches(x, y, 64, seed)
    optimizer = Adam(model.parameters(), 0.01)
    if not logarithm:
        optimizer = SGD(model.parameters(), 0.005)
    job = Job(model, optimizer, source, loss, 320, 2, 3)
    job.loss_name, job.batch_size = "likelihood", 64
    if logarithm:
        return job, healthy("falls through zero", ["loss_oscillation"])
    may = """loss_spike gradient_spike exploding_gradient weight_jump loss_divergence
        loss_oscillation""".split()
    return job, broken(may)


@case("clients_averaged", "federated", "four clients, averaged every 12 steps; one is watched")
def federated(seed):
    x, y = data.blobs(seed, distance=1.4)
    parts = [(y % 4 == k) | (torch.rand(len(y)) < 0.05) for k in range(4)]
    sources = [data.batches(x[part], y[part], 32, seed + k) for k, part in enumerate(parts)]
    model = MLP([24, 48, 48, 8], nn.ReLU)
    optimizer = SGD(model.parameters(), 0.05)

    def before(step):
        if step == 0 or step % 12:
            return
        states = [model.state_dict()]
        for k in range(1, 4):
            other = before.clients[k]
            learn = SGD(other.parameters(), 0.05)
            for local in range(step - 12, step):
                learn.zero_grad()
                classify(other, sources[k](local))[0].backward()
                learn.step()
            states.append(other.state_dict())
        mean = {name: sum(s[name] for s in states) / 4 for name in states[0]}
        for net in [model, *before.clients[1:]]:
            net.load_state_dict(mean)

    before.clients = [copy.deepcopy(model) for _ in range(4)]
    job = Job(model, optimizer, sources[0], classify, 300, 1, 3, "ce", 32, before=before)
    may = ["loss_spike", "loss_oscillation", "gradient_spike"]
    return job, healthy("the loss leaps up at each round and comes down again", may)


@case("clicks_cross_net", "clicks", "rare clicks, rare ids, a cross net; Adagrad", True)
@case("clicks_raw_counts", "clicks", "counts up to 1e5 go into the cross net as they are", False)
def clicks(seed, fine):
    g = data.generator(seed)
    ids = torch.stack(
        [
            torch.multinomial(1.0 / torch.arange(1, n + 1).float(), 8000, True, generator=g)
            for n in (900, 200, 30)
        ],
        1,
    )
    counts = (torch.randn(8000, 4, generator=g) * 2 + 5).exp().round()
    taste = [torch.randn(n, generator=g) for n in (900, 200, 30)]
    score = sum(t[ids[:, i]] for i, t in enumerate(taste)) + counts[:, 0].log1p() / 2 - 5.5
    y = (torch.rand(8000, generator=g) < score.sigmoid()).float()
    dense = (counts.log1p() - 5) / 2 if fine else counts
    model = Crossed([900, 200, 30], 4)

    def loss(model, batch):
        return F.binary_cross_entropy_with_logits(model(batch[0][0], batch[0][1]), batch[1])

    def source(step):
        rows = torch.randint(8000, (96,), generator=data.generator(seed * 7919 + step))
        return (ids[rows], dense[rows]), y[rows]

    optimizer = Adagrad(model.parameters(), 0.05) if fine else Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, loss, 320, 2, 3, "bce", 96)
    if fine:
        return job, healthy("", ["loss_plateau"])
    either = ["poor_initialization", "loss_spike", "gradient_spike", "loss_oscillation"]
    must = {"exploding_gradient": due(0, 60, alt=either)}
    may = [*thrown(*must), "dead_relu"]
    return job, sick(must, may, "the cross net takes a fourth power of the counts")
