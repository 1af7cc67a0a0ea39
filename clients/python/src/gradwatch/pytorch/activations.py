"""What activation functions put out, on the steps that measure it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from ..log import LOGGER
from ..v1 import step_report_pb2
from .hook import Hook

_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "elu": functional.elu, "gelu": functional.gelu, "leaky_relu": functional.leaky_relu,
    "relu": functional.relu, "sigmoid": torch.sigmoid, "silu": functional.silu,
    "softplus": functional.softplus, "tanh": torch.tanh,
}  # fmt: skip
_BOUNDS = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99)}
"""One percent of the range from either bound."""
_MOST = 1 << 18
"""Elements of a layer that are measured."""


@dataclass
class _Probe:
    """A place where activations are seen."""

    layer: int
    activation: str
    function: Callable[[torch.Tensor], torch.Tensor] | None
    """What is still to be done to what comes out of the module; `None`: it is the activation itself."""
    channels_first: bool


class ActivationProbes:
    """Measures activations in forward hooks, while `is_on`."""

    def __init__(self) -> None:
        self.is_on = False
        """Whether the next pass is measured."""
        self._is_stopped = False
        self._found: dict[int, list[torch.Tensor]] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def add(self, module: nn.Module, layer: int, activation: str, is_activation: bool) -> None:
        """Looks at what comes out of a module: an activation function, or what one is applied to next.

        Does nothing for a function that is not known.
        """
        function = None if is_activation else _FUNCTIONS.get(activation)
        if not is_activation and function is None:
            return
        kinds = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase)
        probe = _Probe(layer, activation, function, isinstance(module, kinds))
        hook = Hook(lambda module, _, output: self._look(probe, module, output))
        self._handles.append(module.register_forward_hook(hook))

    def _look(self, probe: _Probe, module: nn.Module, output: object) -> None:
        # First of all, so that no compiled model depends on what is on and is compiled anew when it changes.
        if torch.compiler.is_compiling() or not self.is_on or self._is_stopped or not isinstance(output, torch.Tensor):
            return
        if module.training and torch.is_grad_enabled() and output.is_floating_point() and output.numel():
            try:
                with torch.no_grad():
                    self._found[probe.layer] = _measure(probe, output.detach())
            except Exception:
                LOGGER.exception("activations are measured no more")
                self.stop()

    def take(self) -> dict[int, list[torch.Tensor]]:
        """Five numbers of each layer that was seen, still on its device."""
        found, self._found = self._found, {}
        return found

    def stop(self) -> None:
        """Looks no more; may be called from a hook."""
        self._is_stopped = True
        self._found.clear()

    def close(self) -> None:
        """Looks no more, and takes the hooks away."""
        self.stop()
        for handle in self._handles:
            handle.remove()


def add_activations(report: step_report_pb2.StepReport, found: Mapping[int, Sequence[float]]) -> None:
    """Fills the columns in from what `take` gave, copied."""
    columns = report.activations
    for layer in sorted(found):
        mean, std, zero, saturated, dead = found[layer]
        columns.layer_ids.append(layer)
        columns.mean.append(mean)
        columns.std.append(std)
        columns.zero_fraction.append(zero)
        columns.saturated_fraction.append(saturated)
        columns.dead_unit_fraction.append(dead)


def _sampled(output: torch.Tensor) -> torch.Tensor:
    """As many of the first samples as have `_MOST` elements between them, one at least.

    A fraction of so many is known to a thousandth, and no layer costs more than that, in time or memory.
    """
    if output.numel() <= _MOST or output.dim() == 0:
        return output
    return output[: max(1, _MOST * len(output) // output.numel())]


def _measure(probe: _Probe, output: torch.Tensor) -> list[torch.Tensor]:
    values = _sampled(output).float()
    if probe.function:
        values = probe.function(values)
    std, mean = torch.std_mean(values, correction=0)
    is_zero = values == 0
    none = values.new_tensor(math.nan)
    saturated = dead = none
    if probe.activation in _BOUNDS:
        low, high = _BOUNDS[probe.activation]
        saturated = ((values < low) | (values > high)).float().mean()
    if probe.activation == "relu":
        # A unit is a channel of images, and else the last dimension.
        is_image = values.dim() == 4 or (probe.channels_first and values.dim() >= 3)
        units = is_zero.movedim(1, -1) if is_image else is_zero
        dead = units.reshape(-1, units.shape[-1]).all(0).float().mean()
    return [mean, std, is_zero.float().mean(), saturated, dead]
