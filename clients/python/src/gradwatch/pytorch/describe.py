"""A PyTorch model in the words of the contract."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Mapping

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ..text import line
from ..v1 import model_pb2
from .anatomy import NORMALIZATIONS, Place, Places

ACTIVATION_MODULES = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid, nn.Mish,
    nn.PReLU, nn.ReLU, nn.ReLU6, nn.RReLU, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softsign, nn.Tanh,
)  # fmt: skip
RECURRENT_MODULES = (nn.RNNBase, nn.RNNCellBase)
_ACTIVATION_NAMES = {"LeakyReLU": "leaky_relu", "ReLU6": "relu6", "LogSigmoid": "log_sigmoid", "RReLU": "rrelu"}
_NORM_MODULES = {"BatchNorm": "batch_norm", "LayerNorm": "layer_norm", "GroupNorm": "group_norm",
                 "InstanceNorm": "instance_norm", "RMSNorm": "rms_norm"}  # fmt: skip


@dataclass
class Description:
    """The model as it is registered, and where to find its parts."""

    model: model_pb2.Model = field(default_factory=model_pb2.Model)
    """The layers in forward order and their tensors."""
    tensors: dict[nn.Parameter, int] = field(default_factory=dict)
    """The id of each parameter; of one with several names, the first."""
    layers: dict[nn.Module, int] = field(default_factory=dict)
    """The id of each module that is a layer."""


def describe(
    model: nn.Module, places: Places, activations: Mapping[nn.Module, int]
) -> Description:
    """Describes a model by what is in it, and by where its first pass used what.

    `activations` are the activation modules that are measured, with their place in the first pass. Without
    a place for each layer they stay in the order in which the model has them. Lazy parameters that the pass did not
    use are left out.
    """
    described = Description()
    owners: dict[nn.Module, list[tuple[str, nn.Parameter]]] = {}
    names: dict[nn.Module, str] = {}
    root = type(model).__name__
    # Names of layers are different.
    root += " (root)" if root in dict(model.named_children()) else ""
    for path, module in model.named_modules():
        own = module.named_parameters(path, recurse=False, remove_duplicate=False)
        # What has no elements, or no shape yet, has no gradient to speak of, and the collector wants some.
        own = [(name, parameter) for name, parameter in own if not is_lazy(parameter) and parameter.numel() > 0]
        if own or module in activations:
            owners[module], names[module] = own, path or root
    modules = _in_forward_order(owners, places, activations)
    head = _head(modules, owners, places)
    for module in modules:
        index = described.layers[module] = len(described.model.layers)
        layer = described.model.layers.add(name=line(names[module]), module_type=type(module).__name__)
        _fill(layer, module, [parameter for _, parameter in owners[module]], places)
        for path, parameter in owners[module]:
            # Complex elements are pairs of numbers, and are counted so.
            shape = [*parameter.shape, 2] if parameter.is_complex() else list(parameter.shape)
            tensor = described.model.tensors.add(
                name=line(path),
                layer_id=index,
                role=model_pb2.TENSOR_ROLE_HEAD
                if parameter is head
                else _role(module, path.rpartition(".")[2], parameter, _place(places, module, parameter)),
                shape=shape,
                element_count=math.prod(shape),
                frozen=not parameter.requires_grad,
            )
            if parameter in described.tensors:
                tensor.tied_to = described.tensors[parameter]
            else:
                described.tensors[parameter] = len(described.model.tensors) - 1
    return described


def unwrapped(model: nn.Module) -> nn.Module:
    """The model that DDP or torch.compile holds, whose names people know."""
    while True:
        if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        elif type(model).__name__ == "OptimizedModule":
            model = model._orig_mod
        else:
            return model


def framework() -> str:
    """The framework and its version."""
    return f"torch {torch.__version__}"


def _in_forward_order(owners, places, activations) -> list[nn.Module]:
    def place(module: nn.Module) -> int | None:
        if module in activations:
            return activations[module]
        orders = [found.order for _, p in owners[module] if (found := _place(places, module, p))]
        return min(orders) if orders else None

    orders = {module: place(module) for module in owners}
    if any(order is None for module, order in orders.items() if _is_trained(owners[module])):
        return list(owners)
    # What has no place is frozen, or was not used: it stays behind what stands before it.
    last, keys = -1, {}
    for position, (module, order) in enumerate(orders.items()):
        last = last if order is None else order
        keys[module] = (last, position)
    return sorted(owners, key=keys.__getitem__)


def _is_trained(parameters) -> bool:
    return any(parameter.requires_grad for _, parameter in parameters)


def _head(modules, owners, places) -> nn.Parameter | None:
    """The matrix that is used last, unless a skip connection goes around it; `None` if that is not known."""
    used = [
        (place, parameter)
        for module in modules
        for _, parameter in owners[module]
        if parameter.dim() >= 2 and (place := _place(places, module, parameter))
    ]
    if len(used) < 2:
        return None
    place, last = max(used, key=lambda item: item[0].order)
    # A tied one is a lookup table too.
    return last if place.residual is not True and not places[last][0].operation.startswith("Embedding") else None


def _place(places: Places, module: nn.Module, parameter: nn.Parameter) -> Place | None:
    """Where a module uses a parameter, which another one may use as well."""
    if parameter not in places:
        return None
    first, last = places[parameter]
    is_lookup = isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    return last if first.operation.startswith("Embedding") and not is_lookup else first


def _fill(layer, module: nn.Module, parameters: list[nn.Parameter], places) -> None:
    kind = type(module).__name__
    main = max(parameters, key=lambda parameter: parameter.dim(), default=None)
    place = _place(places, module, main) if main is not None else None
    if place:
        layer.activation, layer.normalization = place.activation, place.normalization
        if place.residual is not None:
            layer.residual = place.residual
    for name, normalization in _NORM_MODULES.items():
        if name in kind:
            layer.normalization = normalization
    if isinstance(module, (nn.RNN, nn.RNNCell)):
        layer.activation = module.nonlinearity
    elif isinstance(module, RECURRENT_MODULES):
        layer.activation = "gates"
    elif isinstance(module, ACTIVATION_MODULES):
        layer.activation = _ACTIVATION_NAMES.get(kind, kind.lower())
    if main is not None and main.dim() >= 2 and not _is_embedding(module, place):
        layer.fan_in, layer.fan_out = _fans(module, main)


def _fans(module: nn.Module, weight: nn.Parameter) -> tuple[int, int]:
    """As torch.nn.init counts them, but for layers that keep their weights the other way around."""
    receptive = weight[0, 0].numel()
    fan_in, fan_out = weight.shape[1] * receptive, weight.shape[0] * receptive
    # transformers' Conv1D is x @ W.
    is_turned = getattr(module, "transposed", False) or type(module).__name__ == "Conv1D"
    return (fan_out, fan_in) if is_turned else (fan_in, fan_out)


def _is_embedding(module: nn.Module, place: Place | None) -> bool:
    return isinstance(module, (nn.Embedding, nn.EmbeddingBag)) or (
        place is not None and place.operation.startswith("Embedding")
    )


def _role(module: nn.Module, name: str, parameter: nn.Parameter, place: Place | None) -> int:
    kind = type(module).__name__
    if "Norm" in kind or (place and place.operation in NORMALIZATIONS and parameter.dim() < 2):
        return model_pb2.TENSOR_ROLE_NORM
    if _is_embedding(module, place):
        return model_pb2.TENSOR_ROLE_EMBEDDING
    if name.startswith("weight_hh"):
        return model_pb2.TENSOR_ROLE_RECURRENT
    if "bias" in name:
        return model_pb2.TENSOR_ROLE_BIAS
    return model_pb2.TENSOR_ROLE_WEIGHT if parameter.dim() >= 2 else model_pb2.TENSOR_ROLE_UNSPECIFIED
