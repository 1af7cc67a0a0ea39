"""Optimizers around others: adaptive clipping, slow weights, one norm a tensor; Adafactor."""

import torch
from torch.optim import Optimizer


class Wrapped(Optimizer):
    """Another optimizer, before or after whose step something more is done."""

    def __init__(self, inner):
        super().__init__([p for g in inner.param_groups for p in g["params"]], {"lr": 0.0})
        self.inner, self.param_groups = inner, inner.param_groups

    def each(self):
        return [p for g in self.param_groups for p in g["params"] if p.grad is not None]


def unit_norm(x):
    """The norm of each unit of a tensor, in a shape that spreads over it."""
    if x.dim() < 2:
        return x.abs() if x.dim() == 0 else x.norm()
    return x.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))


class AdaptiveClip(Wrapped):
    """Clips each unit's gradient to a share of its weights' length (NFNet)."""

    def __init__(self, inner, limit, eps=1e-3):
        super().__init__(inner)
        self.limit, self.eps = limit, eps

    @torch.no_grad()
    def step(self):
        for p in self.each():
            most = unit_norm(p).clamp(min=self.eps) * self.limit
            p.grad.mul_((most / unit_norm(p.grad).clamp(min=1e-6)).clamp(max=1.0))
        self.inner.step()


class UnitGradients(Wrapped):
    """Divides each tensor's gradient by its own norm."""

    @torch.no_grad()
    def step(self):
        for p in self.each():
            p.grad.div_(p.grad.norm() + 1e-8)
        self.inner.step()


class SlowWeights(Wrapped):
    """Lookahead: every few steps the weights go back half of their way."""

    def __init__(self, inner, every=6, share=0.5):
        super().__init__(inner)
        self.every, self.share, self.count = every, share, 0
        self.slow = [p.detach().clone() for g in self.param_groups for p in g["params"]]

    @torch.no_grad()
    def step(self):
        self.inner.step()
        self.count += 1
        if self.count % self.every == 0:
            weights = [p for g in self.param_groups for p in g["params"]]
            for p, slow in zip(weights, self.slow):
                slow.lerp_(p, self.share)
                p.copy_(slow)


class Factored(Optimizer):
    """Adafactor: second moments of rows and columns, steps relative to the weights' size."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        keep = 1 - self.count**-0.8
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                square, state = p.grad.square() + 1e-30, self.state[p]
                if p.dim() == 2:
                    row = state.setdefault("row", torch.zeros(p.shape[0]))
                    column = state.setdefault("column", torch.zeros(p.shape[1]))
                    row.lerp_(square.mean(1), 1 - keep)
                    column.lerp_(square.mean(0), 1 - keep)
                    step = p.grad / ((row / row.mean())[:, None] * column).sqrt()
                else:
                    full = state.setdefault("full", torch.zeros_like(p))
                    full.lerp_(square, 1 - keep)
                    step = p.grad / full.sqrt()
                size = step.square().mean().sqrt().clamp(min=1.0)
                scale = p.square().mean().sqrt().clamp(min=1e-3)
                p.sub_(group["lr"] * scale * step / size)
