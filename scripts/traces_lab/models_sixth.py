"""Networks of the sixth batch: modulated blocks, hash grids, splats, kernels of states, graphs."""

import torch
from torch import nn
from torch.nn import functional as F

from .models import MLP


class Mixing(nn.Module):
    """Self-attention over all places, not causal."""

    def __init__(self, width, heads=2):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        rows, length, width = x.shape
        parts = self.qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts)
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width))


class Modulated(nn.Module):
    """A block of a diffusion transformer: shifts, scales and gates come from the time, from 0."""

    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.attn = Mixing(width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.fc1, self.act, self.fc2 = (
            nn.Linear(width, 3 * width),
            nn.GELU(),
            nn.Linear(3 * width, width),
        )
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, c):
        a, b, g, d, e, h = self.modulation(c).unsqueeze(1).chunk(6, -1)
        x = x + g * self.attn(self.norm1(x) * (1 + b) + a)
        return x + h * self.fc2(self.act(self.fc1(self.norm2(x) * (1 + e) + d)))


class DiT(nn.Module):
    """Patches, modulated blocks, and a last layer of zeros; gives a velocity for each pixel."""

    def __init__(self, size=16, patch=4, width=32, depth=3):
        super().__init__()
        self.patch, self.side = patch, size // patch
        self.embed = nn.Linear(patch * patch, width)
        self.place = nn.Parameter(0.02 * torch.randn(self.side**2, width))
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Modulated(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, patch * patch)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x, t):
        waves = t[:, None] * 2.0 ** torch.arange(8) * 3.14
        c = self.time(torch.cat([waves.sin(), waves.cos()], 1))
        tokens = F.unfold(x, self.patch, stride=self.patch).transpose(1, 2)
        y = self.embed(tokens) + self.place
        for block in self.blocks:
            y = block(y, c)
        y = self.last(self.norm(y)).transpose(1, 2)
        return F.fold(y, x.shape[-2:], self.patch, stride=self.patch)


class HashGrid(nn.Module):
    """A field over the plane: tables of several resolutions, hashed, and a small net."""

    def __init__(self, levels=(4, 9, 20, 44), entries=256, features=2):
        super().__init__()
        self.levels, self.entries = levels, entries
        self.tables = nn.ModuleList(nn.Embedding(entries, features) for _ in levels)
        for table in self.tables:
            nn.init.uniform_(table.weight, -1e-4, 1e-4)
        self.net = MLP([features * len(levels), 32, 32, 1])

    def forward(self, xy):
        found = []
        for level, table in zip(self.levels, self.tables):
            place = xy * level
            corner = place.floor()
            part = place - corner
            total = 0.0
            for dx in (0, 1):
                for dy in (0, 1):
                    at = (corner + torch.tensor([dx, dy])).long()
                    row = (at[:, 0] ^ (at[:, 1] * 2654435761)) % self.entries
                    share = (part[:, 0] if dx else 1 - part[:, 0]) * (
                        part[:, 1] if dy else 1 - part[:, 1]
                    )
                    total = total + share[:, None] * table(row)
            found.append(total)
        return self.net(torch.cat(found, 1))


class Splats(nn.Module):
    """A picture as a sum of Gaussian spots."""

    def __init__(self, count, g):
        super().__init__()
        self.centre = nn.Parameter(torch.rand(count, 2, generator=g))
        self.log_size = nn.Parameter(torch.full((count, 2), -2.3))
        self.colour = nn.Parameter(0.1 * torch.randn(count, generator=g))

    def forward(self, xy):
        apart = (xy[:, None] - self.centre) / self.log_size.exp()
        return (-0.5 * apart.square().sum(2)).exp() @ self.colour


class TimeMix(nn.Module):
    """RWKV's mixing over time: a weighted mean whose weights decay, and a gate."""

    def __init__(self, width, half=False):
        super().__init__()
        self.half = half
        self.mix = nn.Parameter(torch.full((3, width), 0.5))
        self.decay = nn.Parameter(torch.linspace(-3.0, 1.0, width))
        self.bonus = nn.Parameter(torch.zeros(width))
        self.r, self.k = nn.Linear(width, width, False), nn.Linear(width, width, False)
        self.v, self.o = nn.Linear(width, width, False), nn.Linear(width, width, False)
        self.gate = nn.Sigmoid()

    def forward(self, x):
        before = F.pad(x, (0, 0, 1, 0))[:, :-1]
        r, k, v = (
            part(x * m + before * (1 - m)) for part, m in zip((self.r, self.k, self.v), self.mix)
        )
        keep = (-self.decay.exp()).exp()
        above = below = torch.zeros_like(x[:, 0])
        found = []
        for t in range(x.shape[1]):
            weight, now = k[:, t].exp(), (k[:, t] + self.bonus).exp()
            if self.half:
                weight, now = weight.half().float(), now.half().float()
            found.append((above + now * v[:, t]) / (below + now))
            above, below = keep * above + weight * v[:, t], keep * below + weight
        return self.o(self.gate(r) * torch.stack(found, 1))


class RWKV(nn.Module):
    """Embedding, time and channel mixing, a head."""

    def __init__(self, vocabulary, width, depth, half=False):
        super().__init__()
        self.emb, self.first = nn.Embedding(vocabulary, width), nn.LayerNorm(width)
        self.norms1 = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.norms2 = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.times = nn.ModuleList(TimeMix(width, half) for _ in range(depth))
        self.ups = nn.ModuleList(nn.Linear(width, 3 * width, False) for _ in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.downs = nn.ModuleList(nn.Linear(3 * width, width, False) for _ in range(depth))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, False)
        nn.init.uniform_(self.emb.weight, -1e-2, 1e-2)

    def forward(self, tokens):
        x = self.first(self.emb(tokens))
        for n1, n2, time, up, act, down in zip(
            self.norms1, self.norms2, self.times, self.ups, self.acts, self.downs
        ):
            x = x + time(n1(x))
            x = x + down(act(up(n2(x))).square())
        return self.head(self.last(x))


class StateKernel(nn.Module):
    """S4D: a diagonal state space as one long convolution, by FFT."""

    def __init__(self, width, states=8):
        super().__init__()
        self.log_dt = nn.Parameter(torch.rand(width) * 3 - 5)
        self.log_a = nn.Parameter(torch.full((width, states), -0.7))
        self.a_im = nn.Parameter(3.14 * torch.arange(states).float().repeat(width, 1))
        self.c_re = nn.Parameter(torch.randn(width, states) * 0.5)
        self.c_im = nn.Parameter(torch.randn(width, states) * 0.5)
        self.d = nn.Parameter(torch.randn(width))
        self.act, self.mix = nn.GELU(), nn.Linear(width, width)

    def forward(self, x):
        length = x.shape[1]
        dt = self.log_dt.exp()[:, None]
        a = torch.complex(-self.log_a.exp(), self.a_im)
        c = torch.complex(self.c_re, self.c_im) * (torch.exp(a * dt) - 1) / a
        kernel = (c[..., None] * torch.exp((a * dt)[..., None] * torch.arange(length))).sum(1)
        kernel = 2 * kernel.real
        u = x.transpose(1, 2)
        y = torch.fft.irfft(
            torch.fft.rfft(u, 2 * length) * torch.fft.rfft(kernel, 2 * length), 2 * length
        )
        return self.mix(self.act((y[..., :length] + self.d[:, None] * u).transpose(1, 2)))


class LongKernels(nn.Module):
    """Blocks of state kernels with norms and skips; the mean over time decides."""

    def __init__(self, width, depth, classes):
        super().__init__()
        self.enter = nn.Linear(1, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.kernels = nn.ModuleList(StateKernel(width) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.enter(x)
        for norm, kernel in zip(self.norms, self.kernels):
            x = x + kernel(norm(x))
        return self.head(x.mean(1))


class Hamiltonian(nn.Module):
    """An energy; leapfrog steps follow its slopes."""

    def __init__(self):
        super().__init__()
        self.potential = MLP([1, 32, 32, 1], nn.Tanh)
        self.kinetic = MLP([1, 32, 32, 1], nn.Tanh)

    def forward(self, q, p, steps, dt=0.1):
        q, p, path = q.requires_grad_(), p.requires_grad_(), []

        def slope(net, x):
            return torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]

        for _ in range(steps):
            p = p - 0.5 * dt * slope(self.potential, q)
            q = q + dt * slope(self.kinetic, p)
            p = p - 0.5 * dt * slope(self.potential, q)
            path.append(torch.cat([q, p], 1))
        return torch.stack(path, 1)


class GIN(nn.Module):
    """Sums over neighbours, small nets with batch norms, a sum over the graph."""

    def __init__(self, features, width, depth, classes):
        super().__init__()
        widths = [features] + [width] * depth
        self.first = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.eps = nn.Parameter(torch.zeros(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x, links):
        rows, nodes = x.shape[:2]
        for i, (one, norm, act, two) in enumerate(
            zip(self.first, self.norms, self.acts, self.second)
        ):
            y = one((1 + self.eps[i]) * x + links @ x)
            y = norm(y.flatten(0, 1)).view(rows, nodes, -1)
            x = two(act(y))
        return self.head(x.mean(1))


class Equivariant(nn.Module):
    """EGNN: messages from distances move the points and their features."""

    def __init__(self, width, depth, mean=True):
        super().__init__()
        self.mean = mean
        self.enter, self.push = nn.Linear(2, width), nn.Linear(width, 1)
        sizes = [2 * width + 1, width, width]
        self.edges = nn.ModuleList(MLP(sizes, nn.SiLU) for _ in range(depth))
        self.moves = nn.ModuleList(MLP([width, width, 1], nn.SiLU) for _ in range(depth))
        self.nodes = nn.ModuleList(MLP([2 * width, width, width], nn.SiLU) for _ in range(depth))

    def forward(self, x, speed, kind):
        count = x.shape[1]
        h = self.enter(torch.stack([kind, speed.norm(dim=2)], 2))
        x = x + self.push(h) * speed
        for edge, move, node in zip(self.edges, self.moves, self.nodes):
            apart = x[:, :, None] - x[:, None]
            square = apart.square().sum(3, keepdim=True)
            left = h[:, :, None].expand(-1, -1, count, -1)
            m = edge(torch.cat([left, left.transpose(1, 2), square], 3))
            change = (apart * move(m)).sum(2)
            x = x + (change / count if self.mean else change)
            total = m.mean(2) if self.mean else m.sum(2)
            h = h + node(torch.cat([h, total], 2))
        return x


class Rounding(torch.autograd.Function):
    """Rounds; the slope is 1."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, slope):
        return slope


class FourBits(nn.Linear):
    """A linear layer of 16 levels whose step is learned, or fixed by a range."""

    def __init__(self, fan_in, fan_out, limit=None):
        super().__init__(fan_in, fan_out)
        self.limit = limit
        if limit is None:
            start = 2 * self.weight.detach().abs().mean() / 7**0.5
            self.step = nn.Parameter(start.clone())

    def forward(self, x):
        step = self.limit / 7 if self.limit else self.step
        w = Rounding.apply((self.weight / step).clamp(-7, 7)) * step
        return F.linear(x, w, self.bias)


class Highway(nn.Module):
    """Layers that are carried past, as far as their gates are shut."""

    def __init__(self, features, width, depth, classes, shut):
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.plain = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.gate = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.opens = nn.ModuleList(nn.Sigmoid() for _ in range(depth))
        self.head = nn.Linear(width, classes)
        for gate in self.gate:
            nn.init.constant_(gate.bias, shut)

    def forward(self, x):
        x = self.enter(x)
        for plain, gate, act, opens in zip(self.plain, self.gate, self.acts, self.opens):
            share = opens(gate(x))
            x = share * act(plain(x)) + (1 - share) * x
        return self.head(x)
