"""Networks for the third set of runs: fields, energies, gates of trees, splines, operators."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .models import MLP


class Rendered(nn.Module):
    """A density and a colour at each point of a ray, summed up along it (NeRF)."""

    def __init__(self, width=48, octaves=4, density=nn.Softplus, bias=0.0):
        super().__init__()
        self.body = MLP([4 * octaves, width, width, width], nn.ReLU)
        self.last = nn.ReLU()
        self.density, self.density_act = nn.Linear(width, 1), density()
        self.colour, self.colour_act = nn.Linear(width, 3), nn.Sigmoid()
        nn.init.constant_(self.density.bias, bias)
        self.octaves = octaves

    def forward(self, points, gap):
        wave = points[..., None, :] * (2.0 ** torch.arange(self.octaves))[:, None]
        code = torch.cat([wave.sin(), wave.cos()], -1).flatten(-2)
        y = self.last(self.body(code))
        opaque = 1 - (-gap * self.density_act(self.density(y))[..., 0]).exp()
        clear = torch.cumprod(1 - opaque + 1e-10, 1)
        share = opaque * torch.cat([torch.ones_like(clear[:, :1]), clear[:, :-1]], 1)
        return (share[..., None] * self.colour_act(self.colour(y))).sum(1)


class Uncertain(nn.Module):
    """A linear layer whose weights are drawn from learned Gaussians (Bayes by backprop)."""

    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.mu = nn.Parameter(torch.randn(fan_out, fan_in) / math.sqrt(fan_in))
        self.rho = nn.Parameter(torch.full((fan_out, fan_in), -4.0))
        self.bias = nn.Parameter(torch.zeros(fan_out))

    def forward(self, x):
        deviation = F.softplus(self.rho)
        self.divergence = (
            0.5 * (self.mu.square() + deviation.square() - 1) - deviation.log()
        ).sum()
        return F.linear(x, self.mu + deviation * torch.randn_like(self.mu), self.bias)


class Process(nn.Module):
    """A Gaussian process over the features of a net; answers with the negative log likelihood."""

    def __init__(self, features, width=16, safe=True):
        super().__init__()
        self.net = MLP([features, width, width, 2], nn.Tanh)
        self.log_length, self.log_scale, self.log_noise = (
            nn.Parameter(torch.zeros(())) for _ in range(3)
        )
        self.safe = safe

    def forward(self, x, y):
        z = self.net(x) / self.log_length.exp()
        apart = (z[:, None] - z).square().sum(-1)
        noise = self.log_noise.exp() * torch.eye(len(x))
        cover = self.log_scale.exp() * (-0.5 * apart).exp() + noise
        if self.safe:
            root = torch.linalg.cholesky(cover + 1e-4 * torch.eye(len(x)))
            fit = torch.cholesky_solve(y[:, None], root)[:, 0]
            size = 2 * root.diagonal().log().sum()
        else:
            fit, size = torch.linalg.solve(cover, y), torch.det(cover).log()
        return 0.5 * (y @ fit + size) / len(x)


class Trees(nn.Module):
    """Trees whose inner nodes are sigmoid gates and whose leaves are class scores."""

    def __init__(self, features, trees, depth, classes, steep=1.0):
        super().__init__()
        self.depth, self.trees, self.steep = depth, trees, steep
        self.split = nn.Linear(features, trees * (2**depth - 1))
        self.gate = nn.Sigmoid()
        self.leaf = nn.Parameter(0.1 * torch.randn(trees, 2**depth, classes))

    def forward(self, x):
        right = self.gate(self.steep * self.split(x)).view(len(x), self.trees, -1)
        share, first = torch.ones_like(right[..., :1]), 0
        for level in range(self.depth):
            gate = right[..., first : first + 2**level]
            share = torch.stack([share * (1 - gate), share * gate], -1).flatten(-2)
            first += 2**level
        return torch.einsum("btl,tlc->bc", share, self.leaf)


class Splines(nn.Module):
    """A layer of learned curves, one for each pair of input and output (KAN)."""

    def __init__(self, fan_in, fan_out, bumps=8, reach=2.0):
        super().__init__()
        self.register_buffer("grid", torch.linspace(-reach, reach, bumps))
        self.curve = nn.Parameter(torch.randn(fan_out, fan_in, bumps) * 0.3 / math.sqrt(fan_in))
        self.gap = 2 * reach / (bumps - 1)

    def forward(self, x):
        bump = (-((x[..., None] - self.grid) / self.gap).square()).exp()
        return torch.einsum("big,oig->bo", bump, self.curve)


class SpectralLayer(nn.Module):
    """Weights on the lowest frequencies, and a point-wise layer beside them (FNO)."""

    def __init__(self, width, modes, act, beside=True):
        super().__init__()
        size = 1 / width**2
        self.real = nn.Parameter(size * torch.rand(width, width, modes))
        self.imag = nn.Parameter(size * torch.rand(width, width, modes))
        self.beside = nn.Linear(width, width) if beside else None
        self.act, self.modes = act(), modes

    def forward(self, x):
        wave = torch.fft.rfft(x, dim=1)[:, : self.modes]
        wave = torch.einsum("bmi,iom->bmo", wave, torch.complex(self.real, self.imag))
        y = torch.fft.irfft(wave, n=x.shape[1], dim=1)
        return self.act(y + self.beside(x) if self.beside else y)


class Operator(nn.Module):
    """A map from functions to functions on a line."""

    def __init__(self, width=16, depth=3, modes=8, act=nn.GELU, beside=True):
        super().__init__()
        self.lift, self.lower = nn.Linear(2, width), nn.Linear(width, 1)
        self.layers = nn.ModuleList(SpectralLayer(width, modes, act, beside) for _ in range(depth))

    def forward(self, x):
        place = torch.linspace(0, 1, x.shape[1]).expand(len(x), -1)
        x = self.lift(torch.stack([x, place], -1))
        for layer in self.layers:
            x = layer(x)
        return self.lower(x)[..., 0]


class Lazy(nn.Module):
    """A very wide net in the kernel parametrization: weights of size one, scaled outputs."""

    def __init__(self, features, width, classes):
        super().__init__()
        self.first = nn.Parameter(torch.randn(width, features))
        self.second = nn.Parameter(torch.randn(width, width))
        self.last = nn.Parameter(torch.randn(classes, width))
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        root = math.sqrt(2 / self.second.shape[1])
        x = self.act1(x @ self.first.T / math.sqrt(x.shape[1]))
        return self.act2(x @ self.second.T * root) @ self.last.T * root


class Crossed(nn.Module):
    """Embeddings and dense features through a cross net and a deep net (DCN)."""

    def __init__(self, sizes, dense, width=6):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.05)
        full = len(sizes) * width + dense
        self.cross = nn.ModuleList(nn.Linear(full, 1) for _ in range(3))
        self.deep = MLP([full, 32, 32])
        self.last, self.head = nn.ReLU(), nn.Linear(full + 32, 1)

    def forward(self, ids, dense):
        x = torch.cat([t(ids[:, i]) for i, t in enumerate(self.tables)] + [dense], 1)
        y = x
        for layer in self.cross:
            y = x * layer(y) + y
        return self.head(torch.cat([y, self.last(self.deep(x))], 1))[:, 0]


class Ball(nn.Module):
    """Points of the Poincare ball, with the hyperbolic distance between them."""

    def __init__(self, count, width):
        super().__init__()
        self.points = nn.Embedding(count, width)
        nn.init.uniform_(self.points.weight, -0.01, 0.01)

    def forward(self, left, right):
        u, v = self.points(left), self.points(right)
        inside = (1 - u.square().sum(-1)) * (1 - v.square().sum(-1))
        x = 1 + 2 * (u - v).square().sum(-1) / inside
        return torch.acosh(x.clamp(min=1 + 1e-5))


class Turned(torch.autograd.Function):
    """The identity forward; the gradient is turned around and multiplied."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.factor * grad, None


class Adversary(nn.Module):
    """Features for classes that a second head must not tell the domain from (DANN)."""

    def __init__(self, features, width, classes):
        super().__init__()
        self.body = MLP([features, width, width], nn.ReLU)
        self.last, self.head = nn.ReLU(), nn.Linear(width, classes)
        self.domain = MLP([width, width, 1], nn.ReLU)

    def forward(self, x, factor):
        y = self.last(self.body(x))
        return self.head(y), self.domain(Turned.apply(y, factor))[:, 0]
