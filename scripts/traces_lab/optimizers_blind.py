"""Further optimizers: orthogonalized momentum, schedule-free averages, a Shampoo-like one."""

import torch
from torch.optim import Optimizer


class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal by Newton-Schulz; signs for vectors."""

    def __init__(self, parameters, lr, momentum=0.9):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.mul_(group["momentum"]).add_(p.grad)
                if p.dim() < 2:
                    p.sub_(0.1 * group["lr"] * mean.sign())
                    continue
                x = mean.flatten(1) / (mean.norm() + 1e-7)
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.T if tall else x
                p.sub_(group["lr"] * max(1.0, x.shape[0] / x.shape[1]) ** 0.5 * x.view_as(p))


class ScheduleFree(Optimizer):
    """SGD at a point between the fast weights and their running average (arXiv 2405.15682)."""

    def __init__(self, parameters, lr, beta=0.9):
        super().__init__(parameters, {"lr": lr, "beta": beta})
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            beta = group["beta"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["z"], state["x"] = p.clone(), p.clone()
                state["z"].sub_(group["lr"] * p.grad)
                state["x"].lerp_(state["z"], 1 / (self.count + 1))
                p.copy_((1 - beta) * state["z"] + beta * state["x"])


class Kronecker(Optimizer):
    """Shampoo-like: matrices are whitened from the left and the right, grafted on SGD's length."""

    def __init__(self, parameters, lr, eps=1e-4):
        super().__init__(parameters, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                step = p.grad
                if p.dim() == 2:
                    state = self.state[p]
                    if not state:
                        state["l"] = group["eps"] * torch.eye(p.shape[0])
                        state["r"] = group["eps"] * torch.eye(p.shape[1])
                    state["l"].add_(step @ step.T)
                    state["r"].add_(step.T @ step)
                    step = self.root(state["l"]) @ step @ self.root(state["r"])
                    step = step * (p.grad.norm() / (step.norm() + 1e-12))
                p.sub_(group["lr"] * step)

    @staticmethod
    def root(matrix):
        """The matrix to the power of -1/4."""
        values, vectors = torch.linalg.eigh(matrix)
        return vectors * values.clamp(min=1e-8) ** -0.25 @ vectors.T
