"""Networks of the fourth batch of runs: pooled statistics, plain norms, encoders, two heads."""

import math

import torch
from torch import nn

from .models import MLP
from .recorder import CELLS


class Plain(nn.Module):
    """Convolutions, each with a norm and a ReLU, no skips; global mean and a head."""

    def __init__(self, widths, classes, norm=nn.BatchNorm2d):
        super().__init__()
        layers = []
        for fan_in, fan_out in zip(widths, widths[1:]):
            layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), norm(fan_out), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


class Statistics(nn.Module):
    """Frames through a net, then their mean and deviation over time, then a head."""

    def __init__(self, features, width, classes, eps):
        super().__init__()
        self.frames = MLP([features, width, width])
        self.act = nn.ReLU()
        self.head = MLP([2 * width, width, classes])
        self.eps = eps

    def forward(self, x):
        y = self.act(self.frames(x))
        middle = y.mean(1, keepdim=True)
        apart = ((y - middle).square().mean(1) + self.eps).sqrt()
        return self.head(torch.cat([middle[:, 0], apart], 1))


class Looking(nn.Module):
    """Self-attention of one head in both directions; `lost` takes the softmax over one number."""

    def __init__(self, width, lost):
        super().__init__()
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.o = nn.Linear(width, width)
        self.lost = lost

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        shares = scores.unsqueeze(-1).softmax(-1)[..., 0] if self.lost else scores.softmax(-1)
        return self.o(shares @ self.v(x))


class Encoder(nn.Module):
    """Pre-norm encoder layers over tokens, with positions or without, and a class for all."""

    def __init__(self, tokens, width, depth, classes, length, places=True, lost=False):
        super().__init__()
        self.emb = nn.Embedding(tokens, width)
        self.pos = nn.Embedding(length, width) if places else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.attn = nn.ModuleList(Looking(width, lost) for _ in range(depth))
        self.feed = nn.ModuleList(MLP([width, 2 * width, width], nn.GELU) for _ in range(depth))
        self.final = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.emb(tokens)
        if self.pos:
            x = x + self.pos(torch.arange(tokens.shape[1]))
        for i, (attn, feed) in enumerate(zip(self.attn, self.feed)):
            x = x + attn(self.norms[2 * i](x))
            x = x + feed(self.norms[2 * i + 1](x))
        return self.head(self.final(x).mean(1))


class Coder(nn.Module):
    """An auto-encoder of two plain nets."""

    def __init__(self, widths, act=nn.ReLU, out=None):
        super().__init__()
        self.encoder = MLP(widths, act)
        self.decoder = MLP(widths[::-1], act, out=out)

    def forward(self, x):
        return self.decoder(self.encoder(x))


class TwoHeads(nn.Module):
    """A trunk with a main head, and a second head whose gradient stops at the trunk."""

    def __init__(self, features, width, classes):
        super().__init__()
        self.trunk = MLP([features, width, width, width], nn.GELU)
        self.head = nn.Linear(width, classes)
        self.aux = MLP([width, width, classes], nn.GELU)

    def forward(self, x):
        y = self.trunk(x)
        return self.head(y), self.aux(y.detach())


def radius(cell, wanted):
    """Scales a cell's recurrent matrix to a spectral radius; an orthogonal one for 1."""
    if not isinstance(cell, (nn.RNNCell, *CELLS)):
        raise TypeError(f"cell {type(cell).__name__}: expected a recurrent one")
    with torch.no_grad():
        if wanted == 1.0:
            nn.init.orthogonal_(cell.weight_hh)
            return
        nn.init.normal_(cell.weight_hh)
        cell.weight_hh.mul_(wanted / torch.linalg.eigvals(cell.weight_hh).abs().max())
