"""A Keras model in the words of the contract."""

from __future__ import annotations

import math
from typing import Any, Iterator

import keras

from .. import arrays
from ..text import line
from ..v1 import model_pb2

_ACTIVATION_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ReLU": "relu", "Softmax": "softmax"}
_PASSING_LAYERS = ("Dropout", "Flatten", "Reshape", "Permute")
"""Layers that keep values as they are."""


def describe(model: keras.Model) -> tuple[model_pb2.Model, dict[int, int]]:
    """The model, in the order in which it has its layers; and the tensors' ids, by the `id` of their variables."""
    described, ids = model_pb2.Model(), {}
    layers = list(_layers(model, set()))
    owners = {id(variable): layer for layer in layers for variable in layer.weights}
    in_row = list(model.layers) if isinstance(model, keras.Sequential) else []
    taken: set[str] = set()
    for layer in layers:
        own = [v for v in layer.weights if owners[id(v)] is layer and not v.name.startswith("moving_")]
        own = [v for v in own if math.prod(v.shape) > 0]
        if not own:
            continue
        kind = type(layer).__name__
        entry = described.layers.add(
            name=_unique(own[0].path.rpartition("/")[0] or layer.name, taken), module_type=kind
        )
        entry.activation, entry.normalization = _what_follows(layer, in_row)
        siblings = [variable.name for variable in own]
        for variable in own:
            shape = tuple(variable.shape)
            role = arrays.role(variable.name, len(shape), siblings)
            if role == model_pb2.TENSOR_ROLE_WEIGHT:
                if layer is model.layers[-1]:
                    role = model_pb2.TENSOR_ROLE_HEAD
                if fans := arrays.fans(variable.name, shape, kind):
                    entry.fan_in, entry.fan_out = fans
            ids[id(variable)] = len(described.tensors)
            initializer = getattr(layer, f"{variable.name.replace('t_kernel', 't')}_initializer", None)
            described.tensors.add(
                name=_unique(variable.path, taken),
                layer_id=len(described.layers) - 1,
                role=role,
                shape=shape,
                element_count=math.prod(shape),
                initialization=arrays.snake_case(type(initializer).__name__) if initializer is not None else "",
                frozen=not variable.trainable,
            )
    return described, ids


def _layers(layer: Any, seen: set[int]) -> Iterator[Any]:
    """A layer and all that are in it, each once."""
    seen.add(id(layer))
    yield layer
    for inside in layer._layers:
        if id(inside) not in seen:
            yield from _layers(inside, seen)


def _what_follows(layer: Any, in_row: list[Any]) -> tuple[str, str]:
    """The activation and the normalization of a layer, or of those behind it in a row; empty: unknown."""
    normalization = arrays.normalization(type(layer).__name__)
    if type(layer).__name__ in ("GRUCell", "LSTMCell"):
        return "gates", normalization
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if activation not in ("", "linear") or layer not in in_row:
        return ("none" if activation == "linear" else activation), normalization
    for following in in_row[in_row.index(layer) + 1 :]:
        kind = type(following).__name__
        if kind == "Activation":
            return following.activation.__name__, normalization
        if kind in _ACTIVATION_LAYERS:
            return _ACTIVATION_LAYERS[kind], normalization
        if found := arrays.normalization(kind):
            normalization = normalization or found
        elif not kind.endswith(_PASSING_LAYERS) and "Pooling" not in kind:
            break
    return "none", normalization


def _unique(text: str, taken: set[str]) -> str:
    """A name as the collector takes it, that nobody else has."""
    name = line(text)
    number = 2
    while name in taken:
        name, number = f"{line(text)[:500]}_{number}", number + 1
    taken.add(name)
    return name
