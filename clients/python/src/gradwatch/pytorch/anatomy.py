"""What the autograd graph of a model's first output says of its layers.

The graph knows what no module tells: functional activations, skip connections, and the order in which layers
really ran.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Iterable

import torch

MAXIMUM_NODES = 50_000
"""Above it nothing is read: the graph of a long recurrence."""

ACTIVATIONS = {
    "Celu": "celu", "Elu": "elu", "Gelu": "gelu", "Glu": "glu", "Hardshrink": "hardshrink",
    "Hardsigmoid": "hardsigmoid", "Hardswish": "hardswish", "Hardtanh": "hardtanh",
    "LeakyRelu": "leaky_relu", "LogSigmoid": "log_sigmoid", "Mish": "mish", "PreluKernel": "prelu",
    "Relu": "relu", "RreluWithNoise": "rrelu", "Sigmoid": "sigmoid", "Silu": "silu", "Sin": "sine",
    "Softplus": "softplus", "Softshrink": "softshrink", "Tanh": "tanh", "Threshold": "threshold",
}  # fmt: skip
NORMALIZATIONS = {
    "CudnnBatchNorm": "batch_norm", "MiopenBatchNorm": "batch_norm", "NativeBatchNorm": "batch_norm",
    "NativeGroupNorm": "group_norm", "NativeLayerNorm": "layer_norm", "FusedRmsNorm": "rms_norm",
}  # fmt: skip
_OPAQUE = ("CompiledFunction", "Checkpoint")
"""Nodes that hide what is inside."""


@dataclass
class Place:
    """Where a parameter is used."""

    order: int
    """Ascends in forward order."""
    operation: str
    """The operation that uses it first, such as `Addmm`."""
    activation: str = ""
    """The activation that follows, `none`, or empty if that can't be seen."""
    normalization: str = ""
    """The normalization between it and the activation, or that it is part of; as `activation`."""
    residual: bool | None = None
    """Whether a skip connection goes around it."""
    feeds: torch.nn.Parameter | None = None
    """A parameter of the last operation before the activation: this one, or that of the normalization."""
    applied: int = -1
    """The activation's own number in forward order."""


@dataclass(eq=False)
class _Node:
    """A node of the graph."""

    name: str
    sequence: int
    inputs: list[_Node] = field(default_factory=list)
    consumers: list[_Node] = field(default_factory=list)
    has_constant: bool = False
    """Whether one of its inputs needs no gradient."""
    parameters: list[torch.nn.Parameter] = field(default_factory=list)
    """The parameters that it uses, through nothing but views and casts."""
    is_weight: bool = False
    """Whether it is a parameter, or a view or cast of parameters alone."""
    bits: int = 0
    """A bit for each node that it derives from."""
    used: int = 0
    """A bit for each operation with parameters that it derives from."""

    @cached_property
    def sides(self) -> list[_Node]:
        """The inputs that are no weights; to be asked for when it is known which are."""
        return [source for source in self.inputs if not source.is_weight]


Places = dict[torch.nn.Parameter, list[Place]]
"""Where each parameter is used first, and last: a tied one as a lookup table, say, and as a matrix."""


def read(outputs: Iterable[torch.Tensor]) -> Places:
    """Where each parameter is used that the outputs derive from; empty if the graph can't be read."""
    nodes = _nodes(output.grad_fn for output in outputs)
    if not nodes:
        return {}
    nodes.sort(key=lambda node: node.sequence)
    for node in nodes:
        if not node.is_weight:
            node.parameters = [p for source in node.inputs if source.is_weight for p in source.parameters]
    is_opaque = any(node.name.startswith(_OPAQUE) for node in nodes)
    residual = None if is_opaque else _residual_parameters(nodes)
    uses: dict[torch.nn.Parameter, list[_Node]] = {}
    for node in nodes:
        if not node.is_weight and not node.name.startswith(_OPAQUE):
            for parameter in node.parameters:
                uses.setdefault(parameter, []).append(node)
    return {
        parameter: [_place(node, parameter, residual) for node in (nodes[0], nodes[-1])]
        for parameter, nodes in uses.items()
    }


def _place(node: _Node, parameter: torch.nn.Parameter, residual: set[torch.nn.Parameter] | None) -> Place:
    place = Place(node.sequence, node.name, feeds=parameter)
    place.residual = None if residual is None else parameter in residual
    _follow(node, place)
    return place


def _nodes(roots: Iterable[Any]) -> list[_Node]:
    """The graph behind the roots; nothing if it is too large."""
    found: dict[Any, _Node] = {}
    order: list[Any] = []
    waiting = [root for root in roots if root is not None]
    while waiting:
        function = waiting.pop()
        if function in found:
            continue
        if len(found) == MAXIMUM_NODES:
            return []
        name = type(function).__name__
        variable = getattr(function, "variable", None)
        if variable is not None:
            # Its own number is the largest there is: it would come last.
            found[function] = _Node(name, -1, parameters=[variable], is_weight=True)
        else:
            found[function] = _Node(name.partition("Backward")[0], function._sequence_nr())
        order.append(function)
        waiting += [source for source, _ in function.next_functions if source is not None]
    for function in order:
        node = found[function]
        for source, _ in function.next_functions:
            if source is None:
                node.has_constant = True
            else:
                node.inputs.append(found[source])
                found[source].consumers.append(node)
    nodes = list(found.values())
    for node in sorted(nodes, key=lambda node: node.sequence):
        if node.inputs and not node.has_constant and not node.name.startswith("Embedding"):
            if all(source.is_weight for source in node.inputs):
                node.is_weight = True
                node.parameters = [p for source in node.inputs for p in source.parameters]
    return nodes


def _residual_parameters(nodes: list[_Node]) -> set[torch.nn.Parameter]:
    """The parameters that a sum goes around: of its two sides, which part at a common node, the one with more."""
    operations: list[_Node] = []
    found: set[torch.nn.Parameter] = set()
    for index, node in enumerate(nodes):
        if node.is_weight:
            continue
        node.bits = 1 << index
        for source in node.inputs:
            node.bits |= source.bits
            node.used |= source.used
        if node.parameters:
            node.used |= 1 << len(operations)
            operations.append(node)
        sides = node.sides
        if node.name != "Add" or len(sides) != 2 or not sides[0].bits & sides[1].bits:
            continue
        ours, theirs = sides[0].used & ~sides[1].used, sides[1].used & ~sides[0].used
        if ours.bit_count() == theirs.bit_count():
            continue
        more = max(ours, theirs, key=int.bit_count)
        while more:
            lowest = more & -more
            found.update(operations[lowest.bit_length() - 1].parameters)
            more ^= lowest
    return found


def _follow(node: _Node, place: Place) -> None:
    """Walks from an operation to the activation that follows, over whatever has one input that counts."""
    place.normalization = NORMALIZATIONS.get(node.name, "none")
    while True:
        following = [n for n in node.consumers if n.name in ACTIVATIONS] or node.consumers
        if not following:
            place.activation = "none"
            return
        node = following[0]
        if node.name.startswith(_OPAQUE):
            return
        if node.name in ACTIVATIONS:
            place.activation, place.applied = ACTIVATIONS[node.name], node.sequence
            return
        is_normalization = node.name in NORMALIZATIONS
        if (
            len(following) > 1
            or len(node.sides) != 1
            or (node.parameters and not is_normalization and node.name not in ("Add", "Mul"))
        ):
            place.activation = "none"
            return
        if is_normalization:
            place.normalization = NORMALIZATIONS[node.name]
            place.feeds = node.parameters[0] if node.parameters else None
        elif node.name not in _PASSING:
            # What it does to the values is not known, so nothing can be said of them from what came before.
            place.feeds = None


_PASSING = frozenset({
    "Add", "AsStrided", "Clone", "Expand", "Flatten", "Permute", "Reshape", "ReshapeAlias", "Squeeze", "T",
    "ToCopy", "Transpose", "Unsafe", "UnsafeView", "Unsqueeze", "View",
})  # fmt: skip
"""Operations that keep values as they are, or add a bias: statistics before and after them are of the same kind."""
