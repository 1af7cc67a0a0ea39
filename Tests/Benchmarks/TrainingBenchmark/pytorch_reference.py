"""Trains what the benchmark trains, with PyTorch on one thread, and compares.

python pytorch_reference.py                          samples a second of PyTorch, as the benchmark prints its own
python pytorch_reference.py ENGINE [ROUNDS] [NAME..] both in turn, ENGINE being the built benchmark: name, the engine's
                                                     median, PyTorch's, the ratio

Seconds are those of the process on the processor. Optimizers are PyTorch's fused ones, its fastest.
"""

import statistics
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.input = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.input(x).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(y.transpose(1, 2).reshape(batch, length, width))


class Residual(nn.Module):
    def __init__(self, *body):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class Positions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x):
        return x + self.table


class LastState(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.cell = nn.LSTM(inputs, units, batch_first=True)

    def forward(self, x):
        return self.cell(x)[0][:, -1]


def mlp():
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def transformer(width=128):
    blocks = []
    for _ in range(12):
        blocks += [
            Residual(nn.LayerNorm(width), Attention(width, 4)),
            Residual(
                nn.LayerNorm(width), nn.Linear(width, 512), nn.GELU(), nn.Linear(512, width)
            ),
        ]
    return nn.Sequential(
        nn.Embedding(256, width), Positions(64, width), *blocks, nn.LayerNorm(width),
        nn.Linear(width, 256),
    )


def lstm():
    return nn.Sequential(LastState(32, 128), nn.Linear(128, 10))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, fused=True)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.0003, fused=True)


# Model, optimizer, inputs, classes, updates to measure and to warm up with.
WORKLOADS = {
    "mlp": (mlp, sgd, torch.randn(64, 784), torch.randint(0, 10, (64,)), 300, 20),
    "transformer": (
        transformer, adam, torch.randint(0, 256, (8, 64)), torch.randint(0, 256, (8, 64)), 8, 2,
    ),
    "lstm": (lstm, adam, torch.randn(32, 100, 32), torch.randint(0, 10, (32,)), 15, 3),
}


def samples_per_second(name):
    make, make_optimizer, inputs, classes, updates, warm_up = WORKLOADS[name]
    model = make()
    optimizer = make_optimizer(model.parameters())
    for update in range(-warm_up, updates):
        if update == 0:
            start = time.process_time()
        optimizer.zero_grad()
        logits = model(inputs)
        F.cross_entropy(logits.reshape(-1, logits.shape[-1]), classes.reshape(-1)).backward()
        optimizer.step()
    return updates * len(inputs) / (time.process_time() - start)


def compare(engine, rounds, names):
    for name in names:
        ours, theirs = [], []
        for _ in range(rounds):
            output = subprocess.run([engine, name], check=True, capture_output=True, text=True)
            ours.append(float(output.stdout.split()[1]))
            theirs.append(samples_per_second(name))
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        print(f"{name} {ours:.1f} {theirs:.1f} {ours / theirs:.2f}", flush=True)


if len(sys.argv) > 1:
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    compare(sys.argv[1], rounds, sys.argv[3:] or list(WORKLOADS))
else:
    for name in WORKLOADS:
        print(name, samples_per_second(name))
