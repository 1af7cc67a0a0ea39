"""Sees what GradScaler does: its scale, and the steps that it skips."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Protocol

import torch


class ScalingObserver(Protocol):
    """Somebody who is told of an optimizer's scaled steps."""

    def will_step_scaled(self, optimizer: Any, scale: torch.Tensor | float, is_unscaled: bool) -> None:
        """A scaler is about to step an optimizer; whether it has divided the gradients before."""

    def did_step_scaled(self, optimizer: Any) -> None:
        """It did, or skipped the step."""


_OBSERVERS: weakref.WeakSet[Any] = weakref.WeakSet()


def observe(observer: ScalingObserver) -> None:
    """Tells an observer of all scaled steps from now on, for as long as it is there."""
    _install()
    _OBSERVERS.add(observer)


@functools.cache
def _install() -> None:
    """Puts ourselves in front of `GradScaler.step`: a step that it skips calls no hook of the optimizer."""
    original = torch.amp.GradScaler.step

    @functools.wraps(original)
    def step(self, optimizer, *arguments, **options):
        if not self.is_enabled():
            return original(self, optimizer, *arguments, **options)
        observers = list(_OBSERVERS)
        for observer in observers:
            observer.will_step_scaled(optimizer, _scale(self), _is_unscaled(self, optimizer))
        result = original(self, optimizer, *arguments, **options)
        for observer in observers:
            observer.did_step_scaled(optimizer)
        return result

    torch.amp.GradScaler.step = step


def _scale(scaler: torch.amp.GradScaler) -> torch.Tensor | float:
    """The scale, on its device if it can be had there: `get_scale` waits for that."""
    scale = getattr(scaler, "_scale", None)
    return scale if scale is not None else scaler.get_scale()


def _is_unscaled(scaler: torch.amp.GradScaler, optimizer: Any) -> bool:
    states = getattr(scaler, "_per_optimizer_states", {})
    stage = states[id(optimizer)]["stage"] if id(optimizer) in states else None
    return getattr(stage, "name", "READY") != "READY"
