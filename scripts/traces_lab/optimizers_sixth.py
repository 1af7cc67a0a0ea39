"""Optimizers of the sixth batch: Sophia-like, distance over gradients, cautious steps."""

import torch
from torch.optim import Optimizer


class Curvature(Optimizer):
    """Sophia-like: momentum over a running mean of squared slopes, each step clipped at 1."""

    def __init__(self, parameters, lr, gamma=0.05, decay=0.1):
        super().__init__(parameters, {"lr": lr, "gamma": gamma, "decay": decay})
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                m = state.setdefault("m", torch.zeros_like(p))
                h = state.setdefault("h", torch.zeros_like(p))
                m.lerp_(p.grad, 0.04)
                if self.count % 5 == 1:
                    h.lerp_(200 * p.grad.square(), 0.05)
                p.mul_(1 - group["lr"] * group["decay"])
                step = m / (group["gamma"] * h).clamp(min=1e-12)
                p.sub_(group["lr"] * step.clamp(-1, 1))


class Distance(Optimizer):
    """DoG: the rate is the distance from the start over the root of all squared slopes."""

    def __init__(self, parameters, first=1e-6):
        super().__init__(parameters, {"lr": 1.0})
        params = [p for g in self.param_groups for p in g["params"]]
        self.start = [p.detach().clone() for p in params]
        length = sum(p.detach().square().sum() for p in params) ** 0.5
        self.far, self.squares = first * (1 + length), torch.tensor(1e-8)

    @torch.no_grad()
    def step(self):
        params = [p for g in self.param_groups for p in g["params"]]
        apart = sum((p - s).square().sum() for p, s in zip(params, self.start)) ** 0.5
        self.far = torch.maximum(self.far, apart)
        self.squares += sum(p.grad.square().sum() for p in params if p.grad is not None)
        rate = self.far / self.squares.sqrt()
        for p in params:
            if p.grad is not None:
                p.sub_(rate * p.grad)


class Cautious(Optimizer):
    """Adam's step only where it agrees with the slope of now."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                m = state.setdefault("m", torch.zeros_like(p)).lerp_(p.grad, 0.1)
                v = state.setdefault("v", torch.zeros_like(p)).lerp_(p.grad.square(), 0.01)
                step = m / (1 - 0.9**self.count)
                step = step / ((v / (1 - 0.99**self.count)).sqrt() + 1e-8)
                agrees = (step * p.grad > 0).float()
                p.sub_(group["lr"] * step * agrees / agrees.mean().clamp(min=1e-3))
