"""Networks for the blind runs: scans, kernel attention, spikes, codes, graphs, capsules."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .models import MLP


class Scan(nn.Module):
    """A selective state-space layer: a diagonal state whose step size depends on the input."""

    def __init__(self, width, sign=-1.0, level=-1.0):
        super().__init__()
        self.sign = sign
        self.norm = nn.RMSNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.delta = nn.Linear(width, width)
        self.rate = nn.Parameter(torch.full((width,), level) + 0.3 * torch.randn(width))
        self.act = nn.SiLU()
        self.out = nn.Linear(width, width)

    def forward(self, x):
        u, gate = self.inner(self.norm(x)).chunk(2, -1)
        step = F.softplus(self.delta(u))
        keep = (self.sign * step * self.rate.exp()).exp()
        drive, state, states = step * u, torch.zeros_like(u[:, 0]), []
        for t in range(x.shape[1]):
            state = keep[:, t] * state + drive[:, t]
            states.append(state)
        return x + self.out(torch.stack(states, 1) * self.act(gate))


class StateSpace(nn.Module):
    """Scan layers over `[batch, time, 1]`."""

    def __init__(self, width, depth, **scan):
        super().__init__()
        self.stem, self.head = nn.Linear(1, width), nn.Linear(width, 1)
        self.layers = nn.ModuleList(Scan(width, **scan) for _ in range(depth))

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Kernel(nn.Module):
    """Causal linear attention with one head: features of q and k, running sums."""

    def __init__(self, width, safe=True):
        super().__init__()
        inner = width if safe else 3 * width // 4
        self.q, self.k = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.safe = safe

    def forward(self, x):
        if self.safe:
            q, k = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1
        else:
            q, k = F.relu(self.q(x)), F.relu(self.k(x))
        sums = (k[..., None] * self.v(x)[..., None, :]).cumsum(1)
        total = (q * k.cumsum(1)).sum(-1, keepdim=True)
        return self.o((q[..., None, :] @ sums)[..., 0, :] / total)


class Retention(nn.Module):
    """Retention: products of q and k under a decay, then a norm and a gate."""

    def __init__(self, width, heads=2):
        super().__init__()
        self.q, self.k, self.v, self.g, self.o = (
            nn.Linear(width, width, bias=False) for _ in range(5)
        )
        self.norm, self.act, self.heads = nn.GroupNorm(heads, width), nn.SiLU(), heads
        self.decay = [1 - 2.0 ** (-2 - 2 * h) for h in range(heads)]

    def forward(self, x):
        rows, length, width = x.shape
        q, k, v = (
            part(x).view(rows, length, self.heads, -1).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        gap = torch.arange(length)[:, None] - torch.arange(length)
        mask = torch.stack([(d ** gap.clamp(min=0)) * (gap >= 0) for d in self.decay])
        y = (q @ k.transpose(2, 3) / math.sqrt(width) * mask) @ v
        y = self.norm(y.transpose(1, 2).reshape(-1, width)).view_as(x)
        return self.o(y * self.act(self.g(x)))


class Tokens(nn.Module):
    """A small language model around any mixing layer."""

    def __init__(self, vocabulary, width, depth, mixing, context=24, **keywords):
        super().__init__()
        self.emb, self.pos = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.mix = nn.ModuleList(mixing(width, **keywords) for _ in range(depth))
        self.feed = nn.ModuleList(MLP([width, 2 * width, width], nn.GELU) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.emb(tokens) + self.pos(torch.arange(tokens.shape[1]))
        for i, (mix, feed) in enumerate(zip(self.mix, self.feed)):
            x = x + mix(self.norms[2 * i](x))
            x = x + feed(self.norms[2 * i + 1](x))
        return self.head(x)


class SpatialGate(nn.Module):
    """A gMLP block: half of the channels gate the other half, mixed over places."""

    def __init__(self, places, width, skip=True, gate=None):
        super().__init__()
        self.norm = nn.LayerNorm(width) if skip else nn.Identity()
        self.inner, self.act = nn.Linear(width, 4 * width), nn.GELU()
        self.spatial = nn.Linear(places, places)
        nn.init.normal_(self.spatial.weight, std=0.02)
        nn.init.ones_(self.spatial.bias)
        self.gate, self.skip = gate, skip
        self.out = nn.Linear(2 * width, width)

    def forward(self, x):
        u, v = self.act(self.inner(self.norm(x))).chunk(2, -1)
        v = self.spatial(v.transpose(1, 2)).transpose(1, 2)
        y = self.out(u * (self.gate(v) if self.gate else v))
        return x + y if self.skip else y


class Patches(nn.Module):
    """Patches of an image through blocks, then their mean and a head."""

    def __init__(self, patch, width, classes, blocks):
        super().__init__()
        self.patch = nn.Conv2d(1, width, patch, patch)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


class MinimalGRU(nn.Module):
    """A GRU whose gate sees the input only; its states are kept for the time profile."""

    def __init__(self, features, hidden, outputs, bias=0.0):
        super().__init__()
        self.gate, self.value = nn.Linear(features, hidden), nn.Linear(features, hidden)
        self.open, self.head = nn.Sigmoid(), nn.Linear(hidden, outputs)
        nn.init.constant_(self.gate.bias, bias)
        self.states = []

    def forward(self, x):
        share, value = self.open(self.gate(x)), self.value(x)
        state, self.states = torch.zeros_like(value[:, 0]), []
        for t in range(x.shape[1]):
            state = (1 - share[:, t]) * state + share[:, t] * value[:, t]
            state.retain_grad()
            self.states.append(state)
        return self.head(state)


class PaddedEncoder(nn.Module):
    """Self-attention over words under a padding mask, pooled over the real words."""

    def __init__(self, vocabulary, width, classes):
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.norm, self.feed = nn.LayerNorm(width), MLP([width, 2 * width, width], nn.ReLU)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens):
        real, x = tokens > 0, self.emb(tokens)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        scores = scores.masked_fill(~real[:, None, :], -math.inf)
        x = x + scores.softmax(-1) @ self.v(x)
        x = x + self.feed(self.norm(x))
        return self.head((x * real[..., None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1))


class Capsules(nn.Module):
    """Primary capsules of a convolution, routed by agreement to one capsule a class."""

    def __init__(self, classes, eps):
        super().__init__()
        self.eps = eps
        self.stem, self.act = nn.Conv2d(1, 16, 5), nn.ReLU()
        self.primary, self.act2 = nn.Conv2d(16, 32, 3, 2), nn.ReLU()
        self.vote = nn.Parameter(0.1 * torch.randn(36, classes, 8, 8))

    def squash(self, s):
        square = s.square().sum(-1, keepdim=True)
        return square / (1 + square) * s / (square + self.eps).sqrt()

    def forward(self, x):
        x = self.act2(self.primary(self.act(self.stem(x))))
        x = self.squash(x.flatten(1).view(len(x), -1, 8))
        votes = torch.einsum("bnd,ncde->bnce", x, self.vote)
        logits = torch.zeros(votes.shape[:3])
        for _ in range(2):
            out = self.squash((logits.softmax(2)[..., None] * votes).sum(1))
            logits = logits + (votes * out[:, None]).sum(-1).detach()
        return (out.square().sum(-1) + self.eps).sqrt()


class Spike(torch.autograd.Function):
    """A step forward, the slope of a fast sigmoid backward."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (1 + 10 * v.abs()) ** 2


class Spiking(nn.Module):
    """Layers of leaky integrate-and-fire units over a few steps of a constant input."""

    def __init__(self, widths, threshold=1.0, times=10):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.threshold, self.times = threshold, times

    def forward(self, x):
        volts, total = [0.0] * len(self.layers), 0.0
        for _ in range(self.times):
            y = x
            for i, layer in enumerate(self.layers):
                volts[i] = 0.8 * volts[i] + layer(y)
                if i == len(self.layers) - 1:
                    total = total + volts[i]
                else:
                    y = Spike.apply(volts[i] - self.threshold)
                    volts[i] = volts[i] - y.detach() * self.threshold
        return total / self.times


class Coarse(nn.Module):
    """Layers with activations rounded to a few levels; straight through, or not."""

    def __init__(self, widths, levels, through=True):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.acts = nn.ModuleList(nn.ReLU() for _ in widths[2:])
        self.levels, self.through = levels, through

    def forward(self, x):
        for layer, act in zip(self.layers, self.acts):
            x = act(layer(x))
            rounded = (x.clamp(max=4.0) * self.levels / 4).round() * 4 / self.levels
            x = x + (rounded - x).detach() if self.through else rounded
        return self.layers[-1](x)


class DeepSet(nn.Module):
    """A net for each element, a sum or mean, and a net for the whole."""

    def __init__(self, features, width, outputs, mean):
        super().__init__()
        self.each, self.all = MLP([features, width, width]), MLP([width, width, outputs])
        self.mean = mean

    def forward(self, x):
        y = self.each(x)
        return self.all(y.mean(1) if self.mean else y.sum(1))


class Radial(nn.Module):
    """Gaussian bumps around learned centres, and a linear head."""

    def __init__(self, features, bumps, outputs, width):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(bumps, features))
        self.width = nn.Parameter(torch.full((bumps,), math.log(width)))
        self.head = nn.Linear(bumps, outputs)

    def forward(self, x):
        apart = (x[:, None] - self.centres).square().sum(-1)
        return self.head((-0.5 * apart * (-2 * self.width).exp()).exp())


class Codes(nn.Module):
    """An auto-encoder whose code is the nearest entry of a book."""

    def __init__(self, features, width, entries, through):
        super().__init__()
        self.encoder = MLP([features, 48, width], nn.GELU)
        self.book = nn.Embedding(entries, width)
        self.decoder = MLP([width, 48, features], nn.GELU)
        self.through = through

    def forward(self, x):
        code = self.encoder(x)
        near = self.book(torch.cdist(code.detach(), self.book.weight.detach()).argmin(1))
        passed = code + (near - code).detach() if self.through else near
        return self.decoder(passed), code, near


class GraphAttention(nn.Module):
    """Attention over the neighbours of each node, with residuals after the first layer."""

    def __init__(self, adjacency, widths):
        super().__init__()
        self.register_buffer("edges", adjacency > 0)
        self.lift = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.here = nn.ModuleList(nn.Linear(b, 1) for b in widths[1:])
        self.there = nn.ModuleList(nn.Linear(b, 1) for b in widths[1:])
        self.acts = nn.ModuleList(nn.ELU() for _ in widths[2:])

    def forward(self, x):
        for i, lift in enumerate(self.lift):
            y = lift(x)
            scores = F.leaky_relu(self.here[i](y) + self.there[i](y).T, 0.2)
            y = scores.masked_fill(~self.edges, -1e9).softmax(1) @ y
            x = self.acts[i](y) if i < len(self.acts) else y
        return x
