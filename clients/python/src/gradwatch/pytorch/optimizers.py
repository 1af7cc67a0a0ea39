"""What optimizers say of themselves."""

from __future__ import annotations

import sys
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ..errors import GradwatchError

_STEP = getattr(Optimizer, "profile_hook_step", lambda step: step)(lambda optimizer: None).__code__
"""What PyTorch puts around the step of each class of optimizers, to call hooks. Not documented, and may go."""


def unwrapped(optimizer: Any) -> Optimizer:
    """The optimizer that Lightning's or Accelerate's holds.

    Raises GradwatchError for what is none.
    """
    while not isinstance(optimizer, Optimizer):
        if not hasattr(optimizer, "optimizer"):
            raise GradwatchError(f"optimizer: expected one of torch.optim, found {type(optimizer).__name__}")
        optimizer = optimizer.optimizer
    return optimizer


def parameters(optimizer: Any) -> list[nn.Parameter]:
    """All that it steps."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def rate(optimizer: Any) -> Any:
    """The learning rate of the first group, a number or a tensor; `None`: there is none."""
    return optimizer.param_groups[0].get("lr") if optimizer is not None and optimizer.param_groups else None


def closure(arguments: tuple, options: dict) -> Any:
    """What an optimizer such as LBFGS calls to have gradients computed, inside its step, as a hook is told of it."""
    return options.get("closure", arguments[1] if len(arguments) > 1 else None)


def depth(optimizer: Any) -> int:
    """How many steps of an optimizer are under way.

    One that calls `super().step()` has two, and PyTorch calls its hooks in both. One that failed before has none, and
    called no hook when it did: only the stack knows.
    """
    count, frame = 0, sys._getframe(1)
    while frame is not None:
        if frame.f_code is _STEP:
            count += frame.f_locals.get("self") is optimizer
        frame = frame.f_back
    return count
