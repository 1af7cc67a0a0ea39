"""Writes OracleValues.swift: what PyTorch computes of the networks below, of optimizers, clipping and schedules.

Run it with a Python that has torch and numpy:  python make_oracle.py
Everything is in float64. Weights are laid out [inputs, units] and images [height, width, channels], as
the engine has them. Parameters and inputs are waves, which the tests make again, so that only PyTorch's
results are in the file.
"""

import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call

torch.set_default_dtype(torch.float64)
EPSILON = 1e-7  # what Keras clips probabilities with


def wave(shape, seed, amplitude=1.0):
    """A sequence without a pattern that a mistake could hide in: sin(0.37 (i + 1)² + seed)."""
    i = np.arange(1, int(np.prod(shape)) + 1, dtype=float)
    return torch.tensor(amplitude * np.sin(0.37 * (i * i) + seed)).reshape(shape)


def whole(shape, below):
    """Whole numbers from 0: (7 i + 3) mod below."""
    i = np.arange(int(np.prod(shape)))
    return torch.tensor((7 * i + 3) % below).reshape(shape)


class Pass:
    """Hands out parameters in the engine's order, and notes what the engine reports."""

    def __init__(self, x):
        self.x, self.parameters, self.activations, self.states = x, [], [], []

    def take(self, *shape):
        parameter = wave(shape, len(self.parameters) + 1, 0.5).requires_grad_()
        self.parameters.append(parameter)
        return parameter

    def slot(self):
        """Keeps a place in the layers' order for a layer whose output comes later."""
        self.activations.append(None)
        return len(self.activations) - 1


ACTIVATIONS = {
    "linear": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leakyReLU": lambda x: F.leaky_relu(x, 0.01),
    "gelu": F.gelu,
    "silu": F.silu,
}


def activate(p, activation):
    if activation == "parametricReLU":
        p.x = F.prelu(p.x, p.take(1))
    else:
        p.x = ACTIVATIONS[activation](p.x)


def channels_first(function):
    """Applies a function of [batch, channels, ...] to [batch, ..., channels]."""
    return lambda x: function(x.movedim(-1, 1)).movedim(1, -1)


def normalize(p, kind):
    """Normalization without and with its learned part: PyTorch has these three as functions."""
    p.activations.append(None)
    n = p.x.shape[-1]
    gain, offset = p.take(n), p.take(n)
    if kind == "batch":
        f = channels_first(lambda x: F.batch_norm(x, None, None, gain, offset, training=True))
    elif kind == "layer":
        f = lambda x: F.layer_norm(x, (n,), gain, offset)
    else:
        f = channels_first(lambda x: F.group_norm(x, kind, gain, offset))
    p.x = f(p.x)


def dense(units, activation="linear", norm=None):
    def apply(p):
        slot = p.slot()
        weight = p.take(p.x.shape[-1], units)
        p.x = F.linear(p.x, weight.T, None if norm else p.take(units))
        if norm:
            normalize(p, norm)
        activate(p, activation)
        p.activations[slot] = p.x

    return apply


def conv(filters, size, stride=1, activation="linear", norm=None):
    def apply(p):
        slot = p.slot()
        channels, dimensions = p.x.shape[-1], p.x.dim() - 2
        sizes = [size] * dimensions
        weight = p.take(size**dimensions * channels, filters)
        # [(u, v, c), f] to [f, c, u, v]
        kernel = weight.reshape(*sizes, channels, filters).movedim((-1, -2), (0, 1))
        bias = None if norm else p.take(filters)
        f = F.conv1d if dimensions == 1 else F.conv2d
        p.x = channels_first(
            lambda x: f(x, kernel, bias, stride=stride, padding=size // 2)
        )(p.x)
        if norm:
            normalize(p, norm)
        activate(p, activation)
        p.activations[slot] = p.x

    return apply


def embedding(count, width):
    def apply(p):
        p.x = F.embedding(p.x, p.take(count, width))
        p.activations.append(p.x)

    return apply


def positions(p):
    p.activations.append(None)
    p.x = p.x + p.take(*p.x.shape[1:])


def recurrent(kind, units, norm=None, sequence=False, truncation=None, activation="tanh"):
    def apply(p):
        slot = p.slot()
        x, inputs = p.x, p.x.shape[-1]
        gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind] * units
        w = p.take(inputs, gates)
        b = torch.zeros(gates) if norm else p.take(gates)
        u = p.take(units, gates)
        b2 = p.take(gates) if kind == "gru" else torch.zeros(gates)
        if kind == "rnn" and norm:
            p.activations.append(None)
            gain, offset = p.take(units), p.take(units)
        cell = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[kind](inputs, units)
        weights = {"weight_ih": w.T, "weight_hh": u.T, "bias_ih": b, "bias_hh": b2}
        h = torch.zeros(len(x), units)
        c = h
        hidden, states = [], []
        for t in range(x.shape[1]):
            if truncation and t and t % truncation == 0:
                h, c = h.detach(), c.detach()
            if kind == "lstm":
                h, c = functional_call(cell, weights, (x[:, t], (h, c)))
            elif norm:
                h = torch.tanh(F.layer_norm(x[:, t] @ w + h @ u, (units,), gain, offset))
            elif activation != "tanh":
                h = ACTIVATIONS[activation](x[:, t] @ w + b + h @ u)
            else:
                h = functional_call(cell, weights, (x[:, t], h))
            states.append(c if kind == "lstm" else h)
            states[-1].retain_grad()
            hidden.append(h)
        if not p.states:
            p.states = states
        p.x = torch.stack(hidden, 1) if sequence else h
        p.activations[slot] = p.x

    return apply


def attention(heads, causal=True):
    def apply(p):
        n = p.x.shape[-1]
        slot = p.slot()
        w, b = p.take(n, 3 * n), p.take(3 * n)
        output = p.slot()
        v, c = p.take(n, n), p.take(n)
        mixed = F.linear(p.x, w.T, b)
        p.activations[slot] = mixed
        split = [y.unflatten(-1, (heads, -1)).transpose(1, 2) for y in mixed.chunk(3, -1)]
        y = F.scaled_dot_product_attention(*split, is_causal=causal)
        p.x = F.linear(y.transpose(1, 2).flatten(2), v.T, c)
        p.activations[output] = p.x

    return apply


def residual(*body, activation="linear", stride=1):
    def apply(p):
        x = p.x
        for layer in body:
            layer(p)
        if x.shape != p.x.shape:
            weight = p.take(x.shape[-1], p.x.shape[-1])
            skipped = [slice(None)] + [slice(None, None, stride)] * (x.dim() - 2)
            x = x[tuple(skipped)] @ weight
            p.activations.append(x)
        p.x = ACTIVATIONS[activation](x + p.x)

    return apply


def norm(kind):
    return lambda p: normalize(p, kind)


def mean(p):
    p.x = p.x.flatten(1, -2).mean(1)


def flatten(p):
    p.x = p.x.flatten(1)


def binary_cross_entropy(p, t):
    return F.binary_cross_entropy(torch.clamp(p, EPSILON, 1 - EPSILON), t)


def cross_entropy(p, t):
    return F.cross_entropy(p.flatten(0, -2), t.flatten())


LOSSES = {
    "binaryCrossEntropy": binary_cross_entropy,
    "meanSquaredError": F.mse_loss,
    "crossEntropy": cross_entropy,
}


def numbers(tensor):
    return "[" + ", ".join(repr(float(v)) for v in tensor.detach().reshape(-1)) + "]"


def nested(tensors, indent=6):
    pad = " " * indent
    lines = ["nil" if t is None else numbers(t) for t in tensors]
    return "[\n" + "".join(f"{pad}  {line},\n" for line in lines) + pad + "]"


def run(layers, batch, shape, loss, vocabulary=None, penalties=(0, 0)):
    """Applies layers, each a function of a Pass, to a batch, and differentiates the loss."""
    x = whole([batch] + shape, vocabulary) if vocabulary else wave([batch] + shape, 0)
    p = Pass(x)
    for layer in layers:
        layer(p)
    if loss == "crossEntropy":
        targets = whole(p.x.shape[:-1], p.x.shape[-1])
    elif loss == "binaryCrossEntropy":
        targets = whole(p.x.shape, 2).double()
    else:
        targets = wave(p.x.shape, 50)
    value = LOSSES[loss](p.x, targets)
    weights, activations = penalties
    if weights:
        value = value + weights * sum((w * w).sum() for w in p.parameters if w.dim() == 2)
    if activations:
        value = value + activations / batch * sum((a * a).sum() for a in p.activations[:-1])
    value.backward()
    return p, targets, value


def network(name, plan, layers, batch, shape, loss, vocabulary=None, penalties=(0, 0)):
    p, targets, value = run(layers, batch, shape, loss, vocabulary, penalties)
    norms = torch.stack([s.grad.norm() for s in p.states]) if p.states else torch.zeros(0)
    return (
        f'    OracleNetwork(\n      name: "{name}",\n      plan: {plan},\n'
        f"      inputShape: {shape}, vocabulary: {vocabulary or 'nil'}, batch: {batch},\n"
        f"      loss: .{loss}, targetShape: {list(targets.shape)},\n"
        f"      penalties: Penalties(weights: {penalties[0]}, activations: {penalties[1]}),\n"
        f"      value: {value.item()!r},\n"
        f"      gradients: {nested([q.grad for q in p.parameters])},\n"
        f"      activations: {nested(p.activations)},\n"
        f"      timeStepNorms: {numbers(norms)})"
    )


EVERY_ACTIVATION = ["sigmoid", "tanh", "relu", "leakyReLU", "parametricReLU", "gelu", "silu"]
NETWORKS = [
    network("sigmoid, binary cross-entropy", "[.dense(4, .sigmoid), .dense(1, .sigmoid)]",
            [dense(4, "sigmoid"), dense(1, "sigmoid")], 6, [2], "binaryCrossEntropy"),
    network("every activation",
            "[" + ", ".join(f".dense(4, .{a})" for a in EVERY_ACTIVATION) + ", .dense(2)]",
            [dense(4, a) for a in EVERY_ACTIVATION] + [dense(2)], 5, [3], "meanSquaredError"),
    network("penalties", "[.dense(4, .tanh), .dense(3, .relu), .dense(2)]",
            [dense(4, "tanh"), dense(3, "relu"), dense(2)], 5, [3], "meanSquaredError",
            penalties=(0.03, 0.02)),
    network("normalized sums",
            "[.dense(6, .tanh, normalization: .batch), .dense(6, .tanh, normalization: .layer), "
            ".dense(6, .tanh, normalization: .group(3)), .dense(2)]",
            [dense(6, "tanh", "batch"), dense(6, "tanh", "layer"), dense(6, "tanh", 3), dense(2)],
            5, [3], "meanSquaredError"),
    network("convolutions of an odd image",
            "[.convolution2D(3, size: 3, .tanh), .convolution2D(4, size: 5, stride: 2, .parametricReLU), "
            ".convolution2D(2, size: 1, stride: 2), .flatten, .dense(3)]",
            [conv(3, 3, 1, "tanh"), conv(4, 5, 2, "parametricReLU"), conv(2, 1, 2), flatten, dense(3)],
            2, [5, 7, 2], "crossEntropy"),
    network("convolutions of an even image",
            "[.convolution2D(3, size: 3, stride: 2, .gelu), .convolution2D(2, size: 5, .silu), "
            ".meanOverPositions, .dense(3)]",
            [conv(3, 3, 2, "gelu"), conv(2, 5, 1, "silu"), mean, dense(3)],
            2, [6, 4, 1], "crossEntropy"),
    network("normalized convolutions",
            "[.convolution2D(4, size: 3, .relu, normalization: .batch), "
            ".convolution2D(4, size: 3, .tanh, normalization: .group(2)), "
            ".convolution2D(4, size: 1, .tanh, normalization: .layer), .meanOverPositions]",
            [conv(4, 3, 1, "relu", "batch"), conv(4, 3, 1, "tanh", 2), conv(4, 1, 1, "tanh", "layer"),
             mean],
            3, [3, 4, 2], "meanSquaredError"),
    network("convolutions of a sequence",
            "[.convolution1D(3, size: 3, stride: 2, .tanh, normalization: .batch), "
            ".convolution1D(2, size: 5), .convolution1D(2, size: 1, stride: 2)]",
            [conv(3, 3, 2, "tanh", "batch"), conv(2, 5), conv(2, 1, 2)],
            2, [7, 2], "meanSquaredError"),
    network("plain recurrence, every output",
            "[.recurrent(.plain(.tanh), 3, returnsSequence: true), .dense(2)]",
            [recurrent("rnn", 3, sequence=True), dense(2)], 2, [5, 2], "meanSquaredError"),
    network("plain recurrence of relu", "[.recurrent(.plain(.relu), 3), .dense(2)]",
            [recurrent("rnn", 3, activation="relu"), dense(2)], 2, [5, 2], "meanSquaredError"),
    network("plain recurrence, normalized",
            "[.recurrent(.plain(.tanh), 4, normalization: .layer), .dense(2)]",
            [recurrent("rnn", 4, norm="layer"), dense(2)], 2, [4, 2], "meanSquaredError"),
    network("plain recurrence, truncated",
            "[.recurrent(.plain(.tanh), 3, returnsSequence: true, truncation: 3), .dense(2)]",
            [recurrent("rnn", 3, sequence=True, truncation=3), dense(2)], 2, [7, 2],
            "meanSquaredError"),
    network("long short-term memory", "[.recurrent(.longShortTermMemory, 3), .dense(3)]",
            [recurrent("lstm", 3), dense(3)], 2, [6, 2], "crossEntropy"),
    network("long short-term memories, one on the other, truncated",
            "[.recurrent(.longShortTermMemory, 3, returnsSequence: true, truncation: 2), "
            ".recurrent(.longShortTermMemory, 2, truncation: 4)]",
            [recurrent("lstm", 3, sequence=True, truncation=2), recurrent("lstm", 2, truncation=4)],
            2, [5, 2], "meanSquaredError"),
    network("gated units",
            "[.recurrent(.gatedUnit, 3, returnsSequence: true), .recurrent(.gatedUnit, 2), .dense(3)]",
            [recurrent("gru", 3, sequence=True), recurrent("gru", 2), dense(3)], 2, [5, 2],
            "crossEntropy"),
    network("residual blocks of dense layers",
            "[.residual([.dense(3, .tanh)]), .residual([.dense(4, .relu), .dense(5)], .relu), .dense(2)]",
            [residual(dense(3, "tanh")), residual(dense(4, "relu"), dense(5), activation="relu"),
             dense(2)], 4, [3], "meanSquaredError"),
    network("residual blocks of convolutions",
            "[.residual([.convolution2D(2, size: 3, .tanh)]), "
            ".residual([.convolution2D(3, size: 3, stride: 2, .tanh), .convolution2D(3, size: 3)], .relu), "
            ".meanOverPositions, .dense(3)]",
            [residual(conv(2, 3, 1, "tanh")),
             residual(conv(3, 3, 2, "tanh"), conv(3, 3), activation="relu", stride=2), mean, dense(3)],
            2, [5, 4, 2], "crossEntropy"),
    network("a residual block of a sequence with a stride",
            "[.residual([.convolution1D(3, size: 3, stride: 2)], .tanh)]",
            [residual(conv(3, 3, 2), activation="tanh", stride=2)], 2, [5, 2], "meanSquaredError"),
    network("attention to all positions", "[.attention(heads: 2, isCausal: false)]",
            [attention(2, causal=False)], 2, [5, 4], "meanSquaredError"),
    network("a transformer",
            "[.embedding(count: 7, width: 4), .positions(), .block([.residual([.normalization(.layer), "
            ".attention(heads: 2)]), .residual([.normalization(.layer), .dense(8, .gelu), .dense(4)])]), "
            ".normalization(.layer), .dense(7)]",
            [embedding(7, 4), positions, residual(norm("layer"), attention(2)),
             residual(norm("layer"), dense(8, "gelu"), dense(4)), norm("layer"), dense(7)],
            2, [5], "crossEntropy", vocabulary=7),
]


def trajectory(name, rule, make, steps=6, before_step=lambda optimizer, t: None):
    """Runs `steps` updates on one batch; the engine must end at the same parameters."""
    x, t = wave([5, 3], 0), wave([5, 2], 50)
    p = Pass(x)
    layers = [dense(4, "tanh"), dense(2)]
    for layer in layers:
        layer(p)
    optimizer = make(p.parameters)
    parameters = p.parameters
    for update in range(1, steps + 1):
        optimizer.zero_grad()
        w, b, v, c = parameters
        F.mse_loss(torch.tanh(x @ w + b) @ v + c, t).backward()
        before_step(optimizer, update)
        optimizer.step()
    return (
        f'    OracleTrajectory(\n      name: "{name}", rule: {rule}, updates: {steps},\n'
        f"      parameters: {nested(parameters)})"
    )


def keras_epsilon(epsilon, beta2):
    """PyTorch adds epsilon after the bias correction, Keras before: scale it so that they agree."""

    def set_epsilon(optimizer, t):
        for group in optimizer.param_groups:
            group["eps"] = epsilon / np.sqrt(1 - beta2**t)

    return set_epsilon


# Epsilon is far above any default, so that its place in the formula shows in the result.
TRAJECTORIES = [
    trajectory("sgd", ".sgd(learningRate: 0.1)", lambda p: torch.optim.SGD(p, lr=0.1)),
    trajectory("sgd with momentum", ".sgd(learningRate: 0.1, momentum: 0.8)",
               lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8)),
    trajectory("sgd with momentum and decay",
               ".sgd(learningRate: 0.1, momentum: 0.8, weightDecay: 0.05)",
               lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.05)),
    trajectory("rmsprop", ".rmsprop(learningRate: 0.05, rho: 0.8, epsilon: 0.01)",
               lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.8, eps=0.01)),
    trajectory("adam", ".adam(learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.01)",
               lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.95)),
               before_step=keras_epsilon(0.01, 0.95)),
    trajectory(
        "adamw",
        ".adam(learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.01, weightDecay: 0.1)",
        lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
        before_step=keras_epsilon(0.01, 0.95)),
]


def clipping(plan, clip):
    parameters = [torch.zeros(3, 2), torch.zeros(4)]
    for index, parameter in enumerate(parameters):
        parameter.grad = wave(parameter.shape, index + 1)
    clip(parameters)
    return (
        f"    OracleClipping(plan: {plan},\n      gradients: {nested([p.grad for p in parameters])})"
    )


CLIPPINGS = [
    clipping(".norm(0.7)", lambda p: nn.utils.clip_grad_norm_(p, 0.7)),
    clipping(".norm(7)", lambda p: nn.utils.clip_grad_norm_(p, 7)),
    clipping(".value(0.4)", lambda p: nn.utils.clip_grad_value_(p, 0.4)),
]


def schedule(text, make, steps=14):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return f"    OracleSchedule(schedule: {text},\n      factors: {numbers(torch.tensor(factors))})"


S = torch.optim.lr_scheduler


def warm_up(o, steps, then):
    """LinearLR counts the steps between the first and the last factor, one less than there are."""
    first = S.LinearLR(o, start_factor=1 / steps, end_factor=1, total_iters=steps - 1)
    return S.SequentialLR(o, [first, then(o)], milestones=[steps])


SCHEDULES = [
    schedule(".constant", lambda o: S.ConstantLR(o, factor=1)),
    schedule(".warmUp(steps: 5)", lambda o: warm_up(o, 5, lambda o: S.ConstantLR(o, factor=1))),
    schedule(".cosine(period: 6)", lambda o: S.CosineAnnealingWarmRestarts(o, T_0=6)),
    schedule(".cosine(period: 5, floor: 0.1)",
             lambda o: S.CosineAnnealingWarmRestarts(o, T_0=5, eta_min=0.1)),
    schedule(".steps(every: 4, factor: 0.3)", lambda o: S.StepLR(o, step_size=4, gamma=0.3)),
    schedule(".warmUp(steps: 3, then: .cosine(period: 6))",
             lambda o: warm_up(o, 3, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=6))),
]


def section(kind, cases):
    return f"extension {kind} {{\n  static let all: [{kind}] = [\n" + ",\n".join(cases) + ",\n  ]\n}\n"


text = (
    "// swift-format-ignore-file\n"
    f"// Made by make_oracle.py with PyTorch {torch.__version__}, NumPy {np.__version__}, "
    "on the CPU.\n"
    "// Do not edit.\n\n"
    "import TrainingEngine\n\n"
    + "\n".join([
        section("OracleNetwork", NETWORKS),
        section("OracleTrajectory", TRAJECTORIES),
        section("OracleClipping", CLIPPINGS),
        section("OracleSchedule", SCHEDULES),
    ])
)
pathlib.Path(__file__).with_name("OracleValues.swift").write_text(text)
