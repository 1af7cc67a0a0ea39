"""Networks for the third set of runs: image encoders, masked convolutions, tags, memories."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .transformers import Attention


class EncoderBlock(nn.Module):
    """Pre-norm self-attention over patches and a feed-forward net."""

    def __init__(self, width, heads=2):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.act = nn.Linear(width, 3 * width), nn.GELU()
        self.fc2 = nn.Linear(3 * width, width)

    def forward(self, x):
        rows, length, width = x.shape
        parts = self.qkv(self.ln1(x)).view(rows, length, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self.proj(mixed.reshape(rows, length, width))
        return x + self.fc2(self.act(self.fc1(self.ln2(x))))


class PatchEncoder(nn.Module):
    """A vision transformer with a class token; whole layers are left out at random."""

    def __init__(self, patch, places, width, depth, classes, drop=0.0):
        super().__init__()
        self.patch = nn.Conv2d(1, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(width))
        self.pos = nn.Parameter(0.02 * torch.randn(places + 1, width))
        self.blocks = nn.ModuleList(EncoderBlock(width) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        self.drop, self.seen = drop, False

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), 1, -1), x], 1) + self.pos
        for i, block in enumerate(self.blocks):
            left_out = torch.rand(()) < self.drop * i / len(self.blocks)
            if not (self.drop and self.seen and left_out):
                x = block(x)
        self.seen = True
        return self.head(self.norm(x)[:, 0])


class MaskedConv(nn.Conv2d):
    """A convolution that sees only the pixels before (`A`), or before and at, its own (`B`)."""

    def __init__(self, kind, fan_in, fan_out, size):
        super().__init__(fan_in, fan_out, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + (kind == "B") :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelNet(nn.Module):
    """Logits of binary pixels, each from those before it."""

    def __init__(self, width, depth):
        super().__init__()
        self.first = MaskedConv("A", 1, width, 7)
        self.convs = nn.ModuleList(MaskedConv("B", width, width, 3) for _ in range(depth))
        self.acts = nn.ModuleList(nn.ReLU() for _ in range(depth + 1))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        x = self.first(x)
        for conv, act in zip(self.convs, self.acts):
            x = x + conv(act(x))
        return self.head(self.acts[-1](x))


class Warped(nn.Module):
    """A spatial transformer that starts as the identity, then a small convolution net."""

    def __init__(self, classes, width=10):
        super().__init__()
        self.look, self.look_act = nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU()
        self.place = nn.Linear(8 * 36, 6)
        nn.init.zeros_(self.place.weight)
        self.place.bias.data = torch.tensor([1.0, 0, 0, 0, 1, 0])
        self.conv1, self.act1 = nn.Conv2d(1, width, 3, padding=1), nn.ReLU()
        self.conv2, self.act2 = nn.Conv2d(width, width, 3, 2, 1), nn.ReLU()
        self.head = nn.Linear(width * 36, classes)

    def forward(self, x):
        theta = self.place(self.look_act(self.look(x)).flatten(1)).view(-1, 2, 3)
        x = F.grid_sample(
            x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False
        )
        return self.head(self.act2(self.conv2(self.act1(self.conv1(x)))).flatten(1))


class Detector(nn.Module):
    """A class score and a box at each cell of an 8 by 8 grid; scores start at one in a hundred."""

    def __init__(self, width=12, prior=0.01):
        super().__init__()
        self.stem, self.act0 = nn.Conv2d(1, width, 3, 2, 1), nn.ReLU()
        self.tower, self.act1 = nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        self.tower2, self.act2 = nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        self.score, self.box = nn.Conv2d(width, 1, 1), nn.Conv2d(width, 3, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.constant_(self.score.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        x = self.act2(self.tower2(self.act1(self.tower(self.act0(self.stem(x))))))
        return self.score(x), self.box(x)


class Standardized(nn.Conv2d):
    """A convolution whose weights are standardized a unit, with a learned gain (NFNet)."""

    def __init__(self, fan_in, fan_out, size):
        super().__init__(fan_in, fan_out, size, padding=size // 2)
        self.gain = nn.Parameter(torch.ones(fan_out, 1, 1, 1))

    def forward(self, x):
        w = self.weight
        mean, var = w.mean((1, 2, 3), keepdim=True), w.var((1, 2, 3), keepdim=True)
        w = (w - mean) * torch.rsqrt(var * w[0].numel() + 1e-4) * self.gain
        return F.conv2d(x, w, self.bias, padding=self.padding)


class FreeBlock(nn.Module):
    """A residual block without a norm: inputs scaled down, a branch that starts at zero."""

    def __init__(self, width, beta):
        super().__init__()
        self.act1, self.conv1 = nn.ReLU(), Standardized(width, width, 3)
        self.act2, self.conv2 = nn.ReLU(), Standardized(width, width, 3)
        self.skip_gain, self.beta = nn.Parameter(torch.zeros(())), beta

    def forward(self, x):
        y = self.conv1(1.7 * self.act1(x / self.beta))
        return x + 0.2 * self.skip_gain * self.conv2(1.7 * self.act2(y))


class Automaton(nn.Module):
    """A neural cellular automaton: each cell sees its slopes, and changes by a small net."""

    def __init__(self, channels=8, hidden=32, times=16, zero=True):
        super().__init__()
        edge = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        same = torch.zeros(3, 3)
        same[1, 1] = 1
        self.register_buffer(
            "sees", torch.stack([same, edge, edge.T]).repeat(channels, 1, 1)[:, None]
        )
        self.inner, self.act = nn.Conv2d(3 * channels, hidden, 1), nn.ReLU()
        self.change = nn.Conv2d(hidden, channels, 1)
        if zero:
            nn.init.zeros_(self.change.weight)
            nn.init.zeros_(self.change.bias)
        self.channels, self.times = channels, times

    def forward(self, x):
        for _ in range(self.times):
            seen = F.conv2d(x, self.sees, padding=1, groups=self.channels)
            alive = (torch.rand(len(x), 1, *x.shape[2:]) < 0.5).float()
            x = x + alive * self.change(self.act(self.inner(seen)))
        return x


class FieldTagger(nn.Module):
    """A packed two-way LSTM under a linear-chain conditional random field."""

    def __init__(self, vocabulary, width, hidden, tags, safe=True):
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * hidden, tags)
        self.moves = nn.Parameter(0.1 * torch.randn(tags, tags))
        self.safe = safe

    def scores(self, tokens, lengths):
        packed = pack_padded_sequence(
            self.emb(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        return self.score(pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0])

    def forward(self, tokens, lengths, tags):
        """The negative log likelihood of each row's tags."""
        s = self.scores(tokens, lengths)
        real = (torch.arange(s.shape[1]) < lengths[:, None]).float()
        right = (s.gather(2, tags[:, : s.shape[1], None])[..., 0] * real).sum(1)
        right = right + (
            self.moves[tags[:, :-1], tags[:, 1:]][:, : s.shape[1] - 1] * real[:, 1:]
        ).sum(1)
        if self.safe:
            total = s[:, 0]
            for t in range(1, s.shape[1]):
                after = (total[:, :, None] + self.moves).logsumexp(1) + s[:, t]
                total = torch.where(real[:, t, None] > 0, after, total)
            return total.logsumexp(1) - right
        total = s[:, 0].exp()
        for t in range(1, s.shape[1]):
            after = total @ self.moves.exp() * s[:, t].exp()
            total = torch.where(real[:, t, None] > 0, after, total)
        return total.sum(1).log() - right


class Pointer(nn.Module):
    """An LSTM reads numbers; another one points at them in turn."""

    def __init__(self, width):
        super().__init__()
        self.lift = nn.Linear(1, width)
        self.encoder = nn.LSTM(width, width, batch_first=True)
        self.decoder = nn.LSTM(width, width, batch_first=True)
        self.start = nn.Parameter(torch.zeros(width))
        self.ref, self.query = nn.Linear(width, width, False), nn.Linear(width, width, False)
        self.act, self.score = nn.Tanh(), nn.Linear(width, 1, bias=False)

    def forward(self, x, order):
        x = self.lift(x)
        notes, last = self.encoder(x)
        picked = x.gather(1, order[..., None].expand(-1, -1, x.shape[-1]))
        begin = self.start.expand(len(x), 1, -1)
        states, _ = self.decoder(torch.cat([begin, picked[:, :-1]], 1), last)
        scores = self.score(self.act(self.ref(notes)[:, None] + self.query(states)[:, :, None]))[
            ..., 0
        ]
        used = F.one_hot(order, x.shape[1]).cumsum(1) - F.one_hot(order, x.shape[1])
        return scores.masked_fill(used > 0, -1e9)


class ExponentialLSTM(nn.Module):
    """An sLSTM: exponential input gates, a normalizer and a stabilizer."""

    def __init__(self, features, hidden, outputs, forget=1.0):
        super().__init__()
        self.inner, self.again = (
            nn.Linear(features, 4 * hidden),
            nn.Linear(hidden, 4 * hidden, False),
        )
        nn.init.constant_(self.inner.bias[hidden : 2 * hidden], forget)
        self.head, self.hidden = nn.Linear(hidden, outputs), hidden

    def forward(self, x):
        h = c = n = m = x.new_zeros(len(x), self.hidden)
        answers, before = [], self.inner(x)
        for t in range(x.shape[1]):
            i, f, z, o = (before[:, t] + self.again(h)).chunk(4, 1)
            f = F.logsigmoid(f)
            top = torch.maximum(f + m, i) if t else i
            i, f, m = (i - top).exp(), (f + m - top).exp(), top
            c, n = f * c + i * z.tanh(), f * n + i
            h = o.sigmoid() * c / n
            answers.append(self.head(h))
        return torch.stack(answers, 1)


class Independent(nn.Module):
    """ReLU units that each see only themselves in time (IndRNN)."""

    def __init__(self, features, hidden, low, high):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(hidden, features) / math.sqrt(features))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.again = nn.Parameter(torch.empty(hidden).uniform_(low, high))

    def forward(self, x, state):
        return F.relu(x @ self.weight.T + self.bias + self.again * state)


class Rezero(nn.Module):
    """A language model without norms; each branch is multiplied by a scalar that starts at zero."""

    def __init__(self, vocabulary, width, depth, context=24):
        super().__init__()
        self.emb, self.pos = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(nn.Module() for _ in range(depth))
        for block in self.blocks:
            block.attn, block.alpha = Attention(width, 4), nn.Parameter(torch.zeros(()))
            block.fc1, block.act = nn.Linear(width, 3 * width), nn.GELU()
            block.fc2 = nn.Linear(3 * width, width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.emb(tokens) + self.pos(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = x + block.alpha * block.attn(x)
            x = x + block.alpha * block.fc2(block.act(block.fc1(x)))
        return self.head(x)
