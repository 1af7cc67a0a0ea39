"""Sees gradients before PyTorch clips them, and by how much it does."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Callable, Iterable, Protocol

import torch
from torch.nn.utils import clip_grad


class ClippingObserver(Protocol):
    """Somebody who is told that gradients are about to be clipped."""

    def will_clip_norm(self, parameters: list[torch.Tensor], bound: float, norm: torch.Tensor) -> None:
        """By their common norm, which is known already."""

    def will_clip_values(self, parameters: list[torch.Tensor], bound: float) -> None:
        """Element by element."""


_OBSERVERS: weakref.WeakSet[Any] = weakref.WeakSet()


def observe(observer: ClippingObserver) -> None:
    """Tells an observer of all clipping from now on, for as long as it is there."""
    _install()
    _OBSERVERS.add(observer)


def _listed(parameters: torch.Tensor | Iterable[torch.Tensor]) -> list[torch.Tensor]:
    return [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)


@functools.cache
def _install() -> None:
    """Puts ourselves in front of PyTorch's functions.

    Of clipping by norm, in front of the part that changes gradients: it is looked up at each call, so that
    whoever imported `clip_grad_norm_` before is seen too. Its names are private and may go.
    """
    inner = [name for name in ("_clip_grads_with_norm_", "clip_grads_with_norm_") if hasattr(clip_grad, name)]
    for name in inner:
        _replace(name, _with_norm)
    if "_clip_grads_with_norm_" not in inner:
        _replace("clip_grad_norm_", _whole)
    _replace("clip_grad_value_", _by_value)


def _replace(name: str, make: Callable[[Callable], Callable]) -> None:
    original = getattr(clip_grad, name)
    wrapped = functools.wraps(original)(make(original))
    setattr(clip_grad, name, wrapped)
    if getattr(torch.nn.utils, name, None) is original:
        setattr(torch.nn.utils, name, wrapped)


def _with_norm(original):
    def clip(parameters, max_norm, total_norm, *more, **options):
        parameters = _listed(parameters)
        for observer in list(_OBSERVERS):
            observer.will_clip_norm(parameters, float(max_norm), total_norm)
        return original(parameters, max_norm, total_norm, *more, **options)

    return clip


def _whole(original):
    def clip(parameters, max_norm, *more, **options):
        parameters = _listed(parameters)
        norms = [torch.linalg.vector_norm(p.grad) for p in parameters if p.grad is not None]
        if norms:
            norm = torch.linalg.vector_norm(torch.stack([norm.to(norms[0].device) for norm in norms]))
            for observer in list(_OBSERVERS):
                observer.will_clip_norm(parameters, float(max_norm), norm)
        return original(parameters, max_norm, *more, **options)

    return clip


def _by_value(original):
    def clip(parameters, clip_value, *more, **options):
        parameters = _listed(parameters)
        for observer in list(_OBSERVERS):
            observer.will_clip_values(parameters, float(clip_value))
        return original(parameters, clip_value, *more, **options)

    return clip
