"""Further networks: graphs, sets, sequences in both directions, gates, reparametrized layers."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .models import MLP


class Scaled(nn.Module):
    """A linear layer with weight norm: a direction and a length for each unit."""

    def __init__(self, fan_in, fan_out, gain=1.0):
        super().__init__()
        self.v = nn.Parameter(torch.randn(fan_out, fan_in) / math.sqrt(fan_in))
        self.g = nn.Parameter(torch.full((fan_out,), gain))
        self.bias = nn.Parameter(torch.zeros(fan_out))

    def forward(self, x):
        return F.linear(x, self.g[:, None] * self.v / self.v.norm(dim=1, keepdim=True), self.bias)


class Spectral(nn.Linear):
    """A linear layer divided by its largest singular value, found by power iteration."""

    def __init__(self, fan_in, fan_out):
        super().__init__(fan_in, fan_out)
        self.register_buffer("u", F.normalize(torch.randn(fan_out), dim=0))

    def forward(self, x):
        with torch.no_grad():
            v = F.normalize(self.u @ self.weight, dim=0)
            self.u.copy_(F.normalize(self.weight @ v, dim=0))
        return F.linear(x, self.weight / (self.u @ self.weight @ v), self.bias)


class Chain(nn.Module):
    """Layers `lin0..` of any kind with activations `act0..` between."""

    def __init__(self, layer, widths, act=nn.ReLU, **keywords):
        super().__init__()
        self.count = len(widths) - 1
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            setattr(self, f"lin{i}", layer(fan_in, fan_out, **keywords))
            if i < self.count - 1:
                setattr(self, f"act{i}", act())

    def forward(self, x):
        for i in range(self.count):
            x = getattr(self, f"lin{i}")(x)
            x = getattr(self, f"act{i}")(x) if i < self.count - 1 else x
        return x


class Graph(nn.Module):
    """Graph convolutions over one fixed, normalized adjacency matrix."""

    def __init__(self, adjacency, widths):
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.acts = nn.ModuleList(nn.ReLU() for _ in widths[2:])

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = self.adjacency @ layer(x)
            x = self.acts[i](x) if i < len(self.acts) else x
        return x


class Sets(nn.Module):
    """Self-attention over a set, pooled by a learned query."""

    def __init__(self, features, width, outputs):
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.norm = nn.LayerNorm(width)
        self.feed = MLP([width, 2 * width, width], nn.GELU)
        self.query = nn.Parameter(torch.randn(width) * 0.1)
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        x = self.embed(x)
        x = x + F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))
        x = x + self.feed(self.norm(x))
        share = (x @ self.query).softmax(1)
        return self.head((share[..., None] * x).sum(1))


class Stacked(nn.Module):
    """Recurrent cells on top of each other; the top one's states are kept for the profile."""

    def __init__(self, cells, outputs, every_step=False):
        super().__init__()
        self.cells, self.every_step = nn.ModuleList(cells), every_step
        self.head = nn.Linear(cells[-1].hidden_size, outputs)
        self.states = []

    def forward(self, x):
        hidden = [x.new_zeros(len(x), cell.hidden_size) for cell in self.cells]
        memory = list(hidden)
        self.states, answers = [], []
        for t in range(x.shape[1]):
            below = x[:, t]
            for i, cell in enumerate(self.cells):
                if isinstance(cell, nn.LSTMCell):
                    hidden[i], memory[i] = cell(below, (hidden[i], memory[i]))
                else:
                    hidden[i] = cell(below, hidden[i])
                below = hidden[i]
            kept = memory[-1] if isinstance(self.cells[-1], nn.LSTMCell) else below
            kept.retain_grad()
            self.states.append(kept)
            answers.append(self.head(below) if self.every_step else below)
        return torch.stack(answers, 1) if self.every_step else self.head(answers[-1])


class Tagger(nn.Module):
    """A GRU in both directions with a label at every place."""

    def __init__(self, vocabulary, width, hidden, labels):
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, labels)

    def forward(self, tokens):
        return self.head(self.gru(self.emb(tokens))[0])


class Translator(nn.Module):
    """A GRU encoder and a GRU decoder that attends to it; teacher forcing."""

    def __init__(self, vocabulary, width):
        super().__init__()
        self.emb = nn.Embedding(vocabulary + 1, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.join = nn.Linear(2 * width, width)
        self.act = nn.Tanh()
        self.head = nn.Linear(width, vocabulary)
        self.start = vocabulary

    def forward(self, source, wanted):
        notes, last = self.encoder(self.emb(source))
        begin = torch.full_like(wanted[:, :1], self.start)
        states, _ = self.decoder(self.emb(torch.cat([begin, wanted[:, :-1]], 1)), last)
        share = (states @ notes.transpose(1, 2) / notes.shape[-1] ** 0.5).softmax(-1)
        return self.head(self.act(self.join(torch.cat([states, share @ notes], 2))))


class Causal(nn.Module):
    """Dilated causal convolutions with residual connections, over `[batch, time, 1]`."""

    def __init__(self, width, depth):
        super().__init__()
        self.stem = nn.Conv1d(1, width, 1)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 2, dilation=2**i) for i in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.head = nn.Conv1d(width, 1, 1)

    def forward(self, x):
        x = self.stem(x.transpose(1, 2))
        for i, (conv, act) in enumerate(zip(self.convs, self.acts)):
            x = x + act(conv(F.pad(x, (2**i, 0))))
        return self.head(x).transpose(1, 2)


class Mixer(nn.Module):
    """Patches of an image, mixed over places, then over channels."""

    def __init__(self, patch, places, width, depth, classes):
        super().__init__()
        self.patch = nn.Conv2d(1, width, patch, patch)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.places = nn.ModuleList(
            MLP([places, 2 * places, places], nn.GELU) for _ in range(depth)
        )
        self.channels = nn.ModuleList(MLP([width, 2 * width, width], nn.GELU) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for i, (over_places, over_channels) in enumerate(zip(self.places, self.channels)):
            x = x + over_places(self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + over_channels(self.norms[2 * i + 1](x))
        return self.head(x.mean(1))


class Dense(nn.Module):
    """Each convolution sees the outputs of all before it."""

    def __init__(self, depth, growth, classes):
        super().__init__()
        self.stem = nn.Conv2d(1, growth, 3, padding=1)
        wide = [growth * (i + 1) for i in range(depth)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(w) for w in wide)
        self.acts = nn.ModuleList(nn.ReLU() for _ in wide)
        self.convs = nn.ModuleList(nn.Conv2d(w, growth, 3, padding=1, bias=False) for w in wide)
        self.head = nn.Linear(growth * (depth + 1), classes)

    def forward(self, x):
        x = self.stem(x)
        for norm, act, conv in zip(self.norms, self.acts, self.convs):
            x = torch.cat([x, conv(act(norm(x)))], 1)
        return self.head(x.mean((2, 3)))


class Squeeze(nn.Module):
    """A convolution block whose channels are scaled by sigmoid gates."""

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.GroupNorm(2, width)
        self.act = nn.ReLU()
        self.down, self.up = nn.Linear(width, width // 4), nn.Linear(width // 4, width)
        self.middle, self.gate = nn.ReLU(), nn.Sigmoid()

    def forward(self, x):
        y = self.norm(self.conv(x))
        share = self.gate(self.up(self.middle(self.down(y.mean((2, 3))))))
        return self.act(x + y * share[..., None, None])


class Gated(nn.Module):
    """A SwiGLU feed-forward net."""

    def __init__(self, width, hidden):
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, False), nn.Linear(width, hidden, False)
        self.act = nn.SiLU()
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.down(self.act(self.gate(x)) * self.up(x))


class Coupling(nn.Module):
    """Affine couplings of a normalizing flow; answers with the code and the log determinant."""

    def __init__(self, width, depth, hidden):
        super().__init__()
        half = width // 2
        self.nets = nn.ModuleList(
            MLP([half, hidden, hidden, 2 * half], nn.ReLU) for _ in range(depth)
        )

    def forward(self, x):
        total = x.new_zeros(len(x))
        for net in self.nets:
            kept, moved = x.chunk(2, 1)
            scale, shift = net(kept).chunk(2, 1)
            scale = 2 * torch.tanh(scale / 2)
            x = torch.cat([moved * scale.exp() + shift, kept], 1)
            total = total + scale.sum(1)
        return x, total
