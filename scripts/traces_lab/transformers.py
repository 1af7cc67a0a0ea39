"""Small language models: pre- or post-norm blocks, tied embeddings, experts."""

import torch
from torch import nn
from torch.nn import functional as F

from .models import Experts


class Attention(nn.Module):
    """Causal self-attention with separate projections."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)

    def forward(self, x):
        rows, length, width = x.shape
        q, k, v = (
            part(x).view(rows, length, self.heads, -1).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(mixed.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    """Attention and a feed-forward net, with the norm before (`pre`), after (`post`) or absent."""

    def __init__(
        self, width, heads, place="pre", experts=0, dropout=0.0, skip=True, norm=nn.LayerNorm
    ):
        super().__init__()
        self.place, self.skip = place, skip
        if place != "none":
            self.ln1, self.ln2 = norm(width), norm(width)
        self.attn = Attention(width, heads)
        self.moe = Experts(width, experts, 2 * width) if experts else None
        if not experts:
            self.fc1 = nn.Linear(width, 3 * width)
            self.act = nn.GELU()
            self.fc2 = nn.Linear(3 * width, width)
        self.drop = nn.Dropout(dropout) if dropout else None

    def feed(self, x):
        y = self.moe(x) if self.moe else self.fc2(self.act(self.fc1(x)))
        return self.drop(y) if self.drop else y

    def forward(self, x):
        base = x if self.skip else 0
        if self.place == "pre":
            x = base + self.attn(self.ln1(x))
            return (x if self.skip else 0) + self.feed(self.ln2(x))
        if self.place == "post":
            x = self.ln1(base + self.attn(x))
            return self.ln2((x if self.skip else 0) + self.feed(x))
        x = base + self.attn(x)
        return (x if self.skip else 0) + self.feed(x)


class Language(nn.Module):
    """Token and position embeddings, blocks, a final norm (pre only) and a head."""

    def __init__(
        self, vocabulary, width, depth, heads=4, context=24, tied=False, std=0.02, **block
    ):
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width)
        self.pos = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, **block) for _ in range(depth))
        self.final = nn.LayerNorm(width) if block.get("place", "pre") == "pre" else None
        self.head = nn.Linear(width, vocabulary, bias=False)
        for parameter in self.parameters():
            if parameter.dim() == 2 and std:
                nn.init.normal_(parameter, std=std)
        if tied:
            self.head.weight = self.emb.weight

    def forward(self, tokens):
        x = self.emb(tokens) + self.pos(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.final(x) if self.final else x)


def token_loss(model, batch):
    """Cross-entropy of the next token."""
    tokens, following = batch
    return F.cross_entropy(model(tokens).flatten(0, 1), following.flatten())
