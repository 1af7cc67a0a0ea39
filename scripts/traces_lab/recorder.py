"""Records a training run as trace lines: gradients, weights, updates and activations."""

import gzip
import json
import math

import numpy as np
import torch
from torch import nn

PARAMETER_COLUMNS = "norm mean mabs std min max zeros nans pinf ninf pnorm unorm hpos hneg".split()
ACTIVATION_COLUMNS = "mean std zero sat dead".split()


class Sine(nn.Module):
    """sin(frequency * x), the activation of implicit networks."""

    def __init__(self, frequency=1.0):
        super().__init__()
        self.frequency = frequency

    def forward(self, x):
        return torch.sin(self.frequency * x)


ACTIVATIONS = (
    nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.Softplus,
    Sine,
)  # fmt: skip
NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.RMSNorm)
CELLS = (nn.LSTMCell, nn.GRUCell, nn.LSTM, nn.GRU)


def number(value, digits=7):
    """A JSON value for a float: rounded, whole numbers as integers, non-finite as text."""
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def exponents(magnitudes):
    """The exponent histogram `[e0, c0, c1, ...]` of positive finite numbers; `[]` for none."""
    if magnitudes.size == 0:
        return []
    found = np.frexp(magnitudes)[1]
    lowest = int(found.min())
    return [lowest, *np.bincount(found - lowest).tolist()]


def array(tensor):
    """A tensor's elements, flat, in double precision."""
    return tensor.detach().reshape(-1).to(torch.float64).numpy()


def length(tensor):
    """A tensor's L2 norm in double precision; not finite if an element is not."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.square(array(tensor)).sum()))


def gradient_columns(gradient, with_histogram):
    """Columns 0 to 9 of a row, and its two histograms."""
    values = array(gradient)
    finite = values[np.isfinite(values)]
    counts = [
        int((finite == 0).sum()),
        int(np.isnan(values).sum()),
        int(np.isposinf(values).sum()),
        int(np.isneginf(values).sum()),
    ]
    if finite.size:
        moments = (
            np.sqrt(np.square(finite).sum()),
            finite.mean(),
            np.abs(finite).mean(),
            finite.std(),
            finite.min(),
            finite.max(),
        )
        moments = [number(moment, 6) for moment in moments]
    else:
        moments = [None] * 6
    if with_histogram:
        histograms = [exponents(finite[finite > 0]), exponents(-finite[finite < 0])]
    else:
        histograms = [None, None]
    return moments + counts, histograms


def activation_row(module, output):
    """Mean, deviation, zero, saturated and dead share of an activation's output.

    A unit is a column of a batch of vectors, or a channel of a batch of images.
    """
    output = output.detach().float()
    saturated = dead = None
    if isinstance(module, nn.Tanh):
        saturated = (output.abs() > 0.99).double().mean()
    elif isinstance(module, nn.Sigmoid):
        saturated = ((output < 0.01) | (output > 0.99)).double().mean()
    elif isinstance(module, nn.ReLU):
        units = output.movedim(1, -1) if output.dim() == 4 else output
        units = units.reshape(-1, units.shape[-1])
        dead = (units == 0).all(dim=0).double().mean()
    values = output.double()
    zero = (values == 0).double().mean()
    row = [values.mean(), values.std(unbiased=False), zero, saturated, dead]
    return [None if value is None else number(value, 5) for value in row]


class Recorder:
    """Watches a model and keeps its trace; the trainer calls it in the order of its methods."""

    def __init__(self, model, keep=None):
        """Watches `model`; `keep(name)` says which parameters get rows, all if absent."""
        self.model = model
        self.lines = []
        self.calls = []
        self.outputs = {}
        self.watching = False
        self.names = {module: name for name, module in model.named_modules()}
        for module in model.modules():
            if not list(module.children()) or isinstance(module, CELLS):
                module.register_forward_hook(self.called)
        rows = [(name, p) for name, p in model.named_parameters() if not keep or keep(name)]
        self.rows = rows
        self.frozen = None

    def called(self, module, _, output):
        """Notes the order of the first forward pass, and the outputs of activations."""
        if module not in self.calls:
            self.calls.append(module)
        if self.watching and isinstance(module, ACTIVATIONS):
            self.outputs[module] = output

    def describe(self, inits):
        """The meta line's `params` and `acts`, after one forward pass."""
        depths = {module: depth for depth, module in enumerate(self.calls)}
        aliases = {}
        for name, parameter in self.model.named_parameters(remove_duplicate=False):
            aliases.setdefault(id(parameter), []).append(name)
        parameters = []
        for index, (name, parameter) in enumerate(self.rows):
            layer, _, kind = name.rpartition(".")
            module = self.model.get_submodule(layer)
            inner = [depths[m] for m in module.modules() if m in depths]
            parameters.append(
                {
                    "i": index,
                    "name": name,
                    "layer": layer,
                    "parent": layer.rpartition(".")[0],
                    "type": type(module).__name__,
                    "kind": kind,
                    "shape": list(parameter.shape),
                    "n": parameter.numel(),
                    "depth": min(inner) if inner else 0,
                    "act": self.following(module),
                    "init": inits(name, module),
                    "trainable": parameter.requires_grad,
                    "tied": [other for other in aliases[id(parameter)] if other != name],
                }
            )
        self.activations = [module for module in self.calls if isinstance(module, ACTIVATIONS)]
        acts = [
            {
                "i": index,
                "name": self.names[module],
                "type": type(module).__name__,
                "depth": depths[module],
            }
            for index, module in enumerate(self.activations)
        ]
        return parameters, acts

    def following(self, module):
        """The class of the activation that follows a module, across a norm; `none` without one."""
        if isinstance(module, CELLS):
            return "gates"
        if isinstance(module, nn.RNNCell):
            return "Tanh" if module.nonlinearity == "tanh" else "ReLU"
        if isinstance(module, NORMS) or module not in self.calls:
            return "none"
        for later in self.calls[self.calls.index(module) + 1 :]:
            if isinstance(later, ACTIVATIONS):
                return type(later).__name__
            if not isinstance(later, (*NORMS, nn.Dropout, nn.MaxPool2d, nn.AvgPool2d)):
                break
        return "none"

    def begin(self, recorded):
        """Starts a step; outputs are kept only if it is `recorded`."""
        self.watching = recorded
        self.outputs = {}

    def global_norm(self):
        """The L2 norm of all gradients of the model; not finite if an element is not."""
        squares = [length(p.grad) ** 2 for p in self.model.parameters() if p.grad is not None]
        return math.sqrt(sum(squares)) if squares else 0.0

    def gradients(self, line, with_histogram):
        """Adds the gradients' rows, as they are, to `line`; notes the weights before the step."""
        self.before = [p.detach().clone() for _, p in self.rows]
        frozen = [i for i, (_, p) in enumerate(self.rows) if not p.requires_grad]
        if frozen != self.frozen:
            self.frozen = line["frozen"] = frozen
        line["p"] = rows = []
        for _, parameter in self.rows:
            if parameter.grad is None:
                rows.append(None)
                continue
            columns, histograms = gradient_columns(parameter.grad, with_histogram)
            rows.append([*columns, number(length(parameter), 6), None, *histograms])

    def updates(self, line):
        """Adds what the step changed to `line`, then the activations, and keeps the line."""
        moved = {}
        for index, ((_, parameter), before) in enumerate(zip(self.rows, self.before)):
            change = number(length(parameter.detach().double() - before.double()), 6)
            if line["p"][index] is not None:
                line["p"][index][PARAMETER_COLUMNS.index("unorm")] = change
            elif change != 0:
                moved[str(index)] = change
        if moved:
            line["u_nograd"] = moved
        line["a"] = [
            activation_row(module, self.outputs[module]) if module in self.outputs else None
            for module in self.activations
        ]
        self.lines.append(line)


def write(path, meta, lines):
    """Writes a trace; the same input gives the same bytes."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        for line in [meta, *lines]:
            packed.write((json.dumps(line, separators=(",", ":")) + "\n").encode())
