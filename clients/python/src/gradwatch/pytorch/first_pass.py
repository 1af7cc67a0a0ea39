"""Sees a model's first pass: the order of its layers, and the activations between them."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import torch
from torch import nn

from . import anatomy
from .activations import ActivationProbes
from .describe import ACTIVATION_MODULES, Description, describe, unwrapped
from .harmless import harmless
from .hook import Hook


class FirstPass:
    """Looks at the first pass of a model, with hooks, until it is over or `close` is called."""

    def __init__(self, model: nn.Module, give_up: Callable[[], None]):
        """Calls `give_up` if it fails."""
        self._model = model
        self._give_up = give_up
        self._unseen = set(_passed(model))
        self._places: anatomy.Places = {}
        self._activations: dict[nn.Module, int] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def follow(self, with_activations: bool) -> None:
        """Begins to look; with activations also at what the modules of activation functions put out."""
        self._handles = [module.register_forward_hook(Hook(self._did_forward)) for module in self._unseen]
        if with_activations:
            for module in self._model.modules():
                if isinstance(module, ACTIVATION_MODULES):
                    self._handles.append(module.register_forward_hook(Hook(self._did_activate)))

    def close(self) -> None:
        """Looks no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def describe(self) -> Description:
        """The model, as far as it was seen."""
        return describe(self._model, self._places, self._activations)

    def add_probes(self, probes: ActivationProbes, description: Description) -> None:
        """Has the activations measured that were seen."""
        for module, layer in description.layers.items():
            if module in self._activations:
                name = description.model.layers[layer].activation
                probes.add(module, layer, name, is_activation=True)
        seen = set(self._activations.values())
        owners = {parameter: module for module in description.layers for parameter in module.parameters(recurse=False)}
        for place, _ in self._places.values():
            module = owners.get(place.feeds)
            # Of a module of somebody's own nobody knows what it does behind its parameters.
            if module is None or place.applied in seen or not type(module).__module__.startswith("torch.nn"):
                continue
            seen.add(place.applied)
            probes.add(module, description.layers[module], place.activation, is_activation=False)

    @harmless
    def _did_activate(self, module: nn.Module, _: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if isinstance(output, torch.Tensor) and output.grad_fn is not None:
            self._activations.setdefault(module, output.grad_fn._sequence_nr())

    @harmless
    def _did_forward(self, module: nn.Module, _: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or module not in self._unseen:
            return
        outputs = [tensor for tensor in _tensors(output) if tensor.grad_fn is not None]
        if not outputs or not module.training:
            return
        self._places = {**anatomy.read(outputs), **self._places}
        self._unseen.discard(module)
        if not self._unseen:
            self.close()


def _passed(model: nn.Module) -> list[nn.Module]:
    """The modules whose forward passes are the model's: a list of modules has none of its own."""
    if isinstance(model, (nn.ModuleList, nn.ModuleDict)):
        return [each for member in model.children() for each in _passed(unwrapped(member))]
    return [model]


def _tensors(value: Any) -> Iterable[torch.Tensor]:
    """The tensors in what a model returns."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _tensors(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from _tensors(member)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name))
