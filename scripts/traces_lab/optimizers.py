"""Optimizers that PyTorch lacks, or has in a form that needs a closure."""

import torch
from torch.optim import Optimizer


class Lion(Optimizer):
    """The sign of an interpolated momentum, with decoupled weight decay (arXiv 2302.06675)."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * (first * mean + (1 - first) * p.grad).sign())
                mean.mul_(second).add_(p.grad, alpha=1 - second)


class SignSGD(Optimizer):
    """Every weight moves by the rate, against its gradient's sign."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad.sign())


class Trusted(Optimizer):
    """Each tensor moves by one share of its own length, as in LARS without momentum."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    share = group["lr"] * (p.norm() + 1e-3) / (p.grad.norm() + 1e-9)
                    p.sub_(share * p.grad)


class LimitedBFGS(Optimizer):
    """The two-loop recursion with a fixed step and no line search; for whole batches."""

    def __init__(self, parameters, lr, history=10):
        super().__init__(parameters, {"lr": lr})
        self.history, self.pairs, self.last = history, [], None

    def direction(self, gradient):
        """The quasi-Newton direction of a flat gradient."""
        q, kept = gradient.clone(), []
        for s, y in reversed(self.pairs):
            share = (s @ q) / (y @ s)
            q -= share * y
            kept.append(share)
        if self.pairs:
            s, y = self.pairs[-1]
            q *= (s @ y) / (y @ y)
        for (s, y), share in zip(self.pairs, reversed(kept)):
            q += s * (share - (y @ q) / (y @ s))
        return q

    @torch.no_grad()
    def step(self):
        group = self.param_groups[0]
        gradient = torch.cat([p.grad.reshape(-1) for p in group["params"]])
        place = torch.cat([p.reshape(-1) for p in group["params"]])
        if self.last is not None:
            s, y = place - self.last[0], gradient - self.last[1]
            if y @ s > 1e-10:
                self.pairs = [*self.pairs, (s, y)][-self.history :]
        self.last = (place, gradient)
        change = self.direction(gradient) * group["lr"]
        change *= min(1.0, 1.0 / float(change.norm() + 1e-12))
        offset = 0
        for p in group["params"]:
            p.sub_(change[offset : offset + p.numel()].view_as(p))
            offset += p.numel()


class Rounded(Optimizer):
    """Another optimizer's step, after which the weights are rounded to a coarser type."""

    def __init__(self, inner, dtype):
        super().__init__([p for g in inner.param_groups for p in g["params"]], {"lr": 0.0})
        self.inner, self.dtype, self.param_groups = inner, dtype, inner.param_groups

    @torch.no_grad()
    def step(self):
        self.inner.step()
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(p.to(self.dtype))
