"""Sees what GradScaler does: its scale, the gradients that it divides, and the steps that it skips."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Protocol

import torch


class ScalingObserver(Protocol):
    """Somebody who is told of an optimizer's scaled steps."""

    def did_unscale(self, optimizer: Any, scale: torch.Tensor | float, found: torch.Tensor) -> None:
        """A scaler has divided an optimizer's gradients; `found` is 0 unless something in them was not finite."""

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
    """Puts ourselves around `GradScaler.step`, as a step that it skips calls no hook of the optimizer, and `unscale_`."""
    torch.amp.GradScaler.step = _with_step(torch.amp.GradScaler.step)
    torch.amp.GradScaler.unscale_ = _with_unscale(torch.amp.GradScaler.unscale_)


def _with_step(original):
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

    return step


def _with_unscale(original):
    @functools.wraps(original)
    def unscale_(self, optimizer):
        result = original(self, optimizer)
        if self.is_enabled() and (found := _found(self, optimizer)) is not None:
            for observer in list(_OBSERVERS):
                observer.did_unscale(optimizer, _scale(self), found)
        return result

    return unscale_


def _scale(scaler: torch.amp.GradScaler) -> torch.Tensor | float:
    """The scale, on its device if it can be had there: `get_scale` waits for that."""
    scale = getattr(scaler, "_scale", None)
    return scale if scale is not None else scaler.get_scale()


def _found(scaler: torch.amp.GradScaler, optimizer: Any) -> torch.Tensor | None:
    """What dividing found, on its device, the first one's if there are several."""
    found = list(_state(scaler, optimizer).get("found_inf_per_device", {}).values())
    return sum(other.to(found[0].device, non_blocking=True) for other in found) if found else None


def _is_unscaled(scaler: torch.amp.GradScaler, optimizer: Any) -> bool:
    return getattr(_state(scaler, optimizer).get("stage"), "name", "READY") != "READY"


def _state(scaler: torch.amp.GradScaler, optimizer: Any) -> dict[str, Any]:
    """What a scaler knows of an optimizer. Private, and may go; a look leaves no trace in it."""
    return getattr(scaler, "_per_optimizer_states", {}).get(id(optimizer), {})
