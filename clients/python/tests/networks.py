"""Three networks of our own, and data that they can learn."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """A transformer block: normalization first."""

    def __init__(self, width: int, heads: int, residual: bool = True):
        super().__init__()
        self.heads, self.residual = heads, residual
        self.norm1, self.attention = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        count, time, width = x.shape

        def split(t):
            return t.view(count, time, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = map(split, self.attention(self.norm1(x)).chunk(3, -1))
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(seen.transpose(1, 2).reshape(count, time, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """A small GPT with a tied head."""

    def __init__(self, words: int = 64, width: int = 64, depth: int = 4, time: int = 32):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(time, width)
        self.blocks = nn.ModuleList(Block(width, 4) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                small = name.endswith(("projection.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * depth) if small else 1))
        self.head.weight = self.words.weight

    def forward(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def text(step: int, count: int = 8, time: int = 32, words: int = 64):
    """Sequences in which each word follows from the one before, with some noise."""
    dice = torch.Generator().manual_seed(step)
    rows = [torch.randint(0, words, (count,), generator=dice)]
    for _ in range(time):
        noise = torch.rand(count, generator=dice) < 0.1
        other = torch.randint(0, words, (count,), generator=dice)
        rows.append(torch.where(noise, other, (rows[-1] * 5 + 3) % words))
    ids = torch.stack(rows, 1)
    return ids[:, :-1], ids[:, 1:]


class ResidualBlock(nn.Module):
    """Two convolutions, and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


def resnet() -> nn.Sequential:
    """A small ResNet for images of 12 x 12."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(), ResidualBlock(12, 12, 1),
        ResidualBlock(12, 24, 2), ResidualBlock(24, 24, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 6),
    )  # fmt: skip


def images(step: int, count: int = 32):
    """Gratings of six directions, with noise."""
    dice = torch.Generator().manual_seed(step)
    labels = torch.randint(0, 6, (count,), generator=dice)
    angle = labels * math.pi / 6
    place = torch.linspace(-3, 3, 12)
    wave = angle.cos()[:, None, None] * place[:, None] + angle.sin()[:, None, None] * place
    phase = torch.rand(count, generator=dice)[:, None, None] * 2 * math.pi
    pictures = (2 * wave + phase).sin()[:, None].expand(-1, 3, -1, -1)
    return pictures + 1.1 * torch.randn(count, 3, 12, 12, generator=dice), labels


class Recurrent(nn.Module):
    """An LSTM that reads a sequence and names what it began with."""

    def __init__(self, width: int = 48):
        super().__init__()
        self.words, self.lstm, self.head = nn.Embedding(12, 16), nn.LSTM(16, width, 2, batch_first=True), nn.Linear(width, 12)

    def forward(self, ids):
        return self.head(self.lstm(self.words(ids))[0][:, -1])


def sequences(step: int, count: int = 32, time: int = 8):
    """Sequences, and the word that each began with."""
    dice = torch.Generator().manual_seed(step)
    ids = torch.randint(0, 12, (count, time), generator=dice)
    return ids, ids[:, 0]
