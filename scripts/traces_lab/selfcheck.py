"""Recomputes two short runs with plain torch, in double precision, and compares."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from . import data
from .models import MLP, Recurrent
from .trainer import Job, train

STEPS = 4


def close(place, found, expected, tolerance=2e-5):
    """Fails with the place if two numbers differ by more than rounding."""
    expected = torch.as_tensor(expected).detach()
    if abs(float(found) - float(expected)) > tolerance * max(abs(float(expected)), 1e-6):
        raise SystemExit(f"{place}: expected {float(expected)}, found {found}")


def check_row(place, row, gradient, before, after):
    g = gradient.double().flatten()
    expected = [
        torch.linalg.vector_norm(g),
        g.sum() / g.numel(),
        g.abs().sum() / g.numel(),
        torch.std(g, correction=0),
        g.amin(),
        g.amax(),
        (g == 0).sum(),
        0,
        0,
        0,
        torch.linalg.vector_norm(before.double()),
        torch.linalg.vector_norm(after.double() - before.double()),
    ]
    for column, (found, wanted) in enumerate(zip(row, expected)):
        close(f"{place} column {column}", found, wanted, 1e-4 if column == 1 else 2e-5)
    for histogram, part in ((row[12], g[g > 0]), (row[13], -g[g < 0])):
        for k, count in enumerate(histogram[1:]):
            low = 2.0 ** (histogram[0] + k - 1)
            close(f"{place} bucket {k}", count, ((part >= low) & (part < 2 * low)).sum())


def feed_forward():
    """A clipped net with a tanh and a ReLU layer."""

    def make():
        torch.manual_seed(5)
        model = MLP([24, 16, 8])
        return nn.Sequential(model, nn.Tanh()), SGD(model.parameters(), 0.5, momentum=0.9)

    source = data.batches(*data.blobs(3), 16, 1)

    def loss(model, batch):
        return F.cross_entropy(4 * model(batch[0]), batch[1])

    model, optimizer = make()
    job = Job(model, optimizer, source, loss, STEPS, 1, 1, clip=("norm", 0.5))
    meta, lines = train("check", job)
    model, optimizer = make()
    for step, line in enumerate(lines):
        optimizer.zero_grad()
        hidden = F.relu(model[0].fc0(source(step)[0]))
        answer = torch.tanh(model[0].fc1(hidden))
        value = F.cross_entropy(4 * answer, source(step)[1])
        value.backward()
        close("loss", line["loss"], value)
        gradients = [p.grad.clone() for p in model.parameters()]
        total = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
        close("gn", line["gn"], total)
        if line["clipped"] != (total > 0.5):
            raise SystemExit(f"clipped: expected {total > 0.5}, found {line['clipped']}")
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.step()
        for i, (gradient, old, new) in enumerate(zip(gradients, before, model.parameters())):
            check_row(f"step {step} row {i}", line["p"][i], gradient, old, new.detach())
        relu, tanh = line["a"]
        close("ReLU mean", relu[0], hidden.double().mean(), 1e-4)
        close("ReLU zero", relu[2], (hidden == 0).double().mean(), 1e-4)
        close("ReLU dead", relu[4], (hidden.amax(0) == 0).double().mean(), 1e-4)
        close("tanh deviation", tanh[1], answer.double().std(correction=0), 1e-4)
        close("tanh saturated", tanh[3], (answer.abs() > 0.99).double().mean(), 1e-4)
    return meta


def through_time():
    """The time profile against the chain rule by hand: dL/dh_t of a tanh cell."""
    torch.manual_seed(6)
    model = Recurrent(nn.RNNCell(4, 6), 6, 4)
    source = data.recall(2, 15, size=8)
    start = {k: v.clone() for k, v in model.state_dict().items()}

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]), batch[1])

    _, lines = train("check", Job(model, SGD(model.parameters(), 0.1), source, loss, 1))
    model.load_state_dict(start)
    model.double()
    x, wanted = source(0)
    answer = model(x.double())
    slope = answer.softmax(1)
    slope[torch.arange(8), wanted] -= 1
    slope = slope @ model.head.weight / 8
    norms = [slope.norm()]
    for state in reversed(model.states[1:]):
        slope = (slope * (1 - state**2)) @ model.cell.weight_hh
        norms.insert(0, slope.norm())
    for t, found in zip(lines[0]["tp"], lines[0]["tg"]):
        close(f"dL/dh_{t}", found, norms[t], 1e-4)


if __name__ == "__main__":
    feed_forward()
    through_time()
    print("the recorder agrees with torch")
