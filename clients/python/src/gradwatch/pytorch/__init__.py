"""PyTorch: every layer's gradients, as the optimizer is about to take them."""

from __future__ import annotations

from typing import Any, Iterable

from torch import nn

from ..run import Run
from .watcher import Watcher

__all__ = ["Watcher", "watch"]


def watch(
    run: Run,
    model: nn.Module,
    optimizer: Any = None,
    *,
    every: int = 1,
    details_every: int = 10,
    activations: bool = True,
    updates: bool = True,
) -> Watcher:
    """Has a model's gradients reported at each step of its optimizers, until `Watcher.close`.

    Gradients are taken as they are before clipping, with all micro-batches summed up. Call it before the first
    step, on the model itself or on what DDP or torch.compile made of it.

    - optimizer: the optimizers to follow, one or several, and whatever comes to step their parameters in their place;
      `None`: whichever steps a parameter of the model.
    - every: norms and non-finite counts on each step that it divides. Other steps carry what `log` says.
    - details_every: mean, mean magnitude, deviation, extremes, zeros and histograms, and the norms of parameters and
      of what the step changes, on each step that it divides; 0: never.
    - activations: on those steps also what the activation functions put out, of so many samples as have 262,144
      elements in a layer: two hooks a layer. Dead and saturated units are seen by nothing else. Not under
      torch.compile.
    - updates: whether what a step changes is measured; it holds a copy of the parameters for that step.

    Tensors with NaN or infinity are measured carefully, and those counted, on each step. A run has one watched model:
    those of a GAN are watched as one, `watch(run, nn.ModuleList([...]), [...])`, or have a run each. Whoever watches
    the same one again, as a notebook's cell does, has it followed anew.

    Raises GradwatchError for an interval below 0, an optimizer that is none, or a run that has another watched model.
    """
    return Watcher(
        run,
        model,
        _listed(optimizer),
        every=every,
        details_every=details_every,
        activations=activations,
        updates=updates,
    )


def _listed(optimizer: Any) -> list[Any]:
    if optimizer is None:
        return []
    return list(optimizer) if isinstance(optimizer, Iterable) else [optimizer]
