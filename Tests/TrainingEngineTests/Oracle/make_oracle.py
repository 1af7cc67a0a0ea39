"""Writes OracleValues.swift: losses, gradients and optimizer trajectories that PyTorch computes.

Run it with a Python that has torch and numpy:  python make_oracle.py
Everything is in float64. Weights are laid out [inputs, units], as the engine has them.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F

EPSILON = 1e-7  # what Keras clips probabilities with
ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "linear": lambda x: x,
}


def binary_cross_entropy(p, t):
    return F.binary_cross_entropy(torch.clamp(p, EPSILON, 1 - EPSILON), t)


LOSSES = {"binaryCrossEntropy": binary_cross_entropy, "meanSquaredError": F.mse_loss}


def forward(parameters, activations, x):
    outputs = []
    for i, activation in enumerate(activations):
        x = ACTIVATIONS[activation](x @ parameters[2 * i] + parameters[2 * i + 1])
        outputs.append(x)
    return outputs


def make_parameters(rng, sizes):
    parameters = []
    for fan_in, units in zip(sizes, sizes[1:]):
        parameters.append(torch.tensor(rng.uniform(-1, 1, (fan_in, units))))
        parameters.append(torch.tensor(rng.uniform(-0.5, 0.5, units)))
    return [p.requires_grad_() for p in parameters]


def numbers(tensor):
    return "[" + ", ".join(repr(float(v)) for v in tensor.detach().reshape(-1)) + "]"


def nested(tensors, indent):
    pad = " " * indent
    return "[\n" + "".join(f"{pad}  {numbers(t)},\n" for t in tensors) + pad + "]"


def network(rng, name, sizes, activations, loss, batch, targets):
    parameters = make_parameters(rng, sizes)
    inputs = torch.tensor(rng.normal(size=(batch, sizes[0])))
    target = torch.tensor(targets(rng, (batch, sizes[-1])))
    outputs = forward(parameters, activations, inputs)
    value = LOSSES[loss](outputs[-1], target)
    value.backward()
    names = ", ".join("." + a for a in activations)
    text = (
        f'    OracleNetwork(\n      name: "{name}", sizes: {sizes}, activations: [{names}],\n'
        f"      lossFunction: .{loss},\n"
        f"      inputs: {numbers(inputs)},\n      targets: {numbers(target)},\n"
        f"      parameters: {nested(parameters, 6)},\n"
        f"      loss: {value.item()!r},\n"
        f"      gradients: {nested([p.grad for p in parameters], 6)},\n"
        f"      activationOutputs: {nested(outputs, 6)})"
    )
    return text, (parameters, activations, loss, inputs, target)


def trajectory(name, rule, make, setup, steps, before_step=lambda optimizer, t: None):
    """Runs `steps` updates on one batch; the engine must end at the same parameters."""
    parameters, activations, loss, inputs, target = setup
    parameters = [p.detach().clone().requires_grad_() for p in parameters]
    optimizer = make(parameters)
    for t in range(1, steps + 1):
        optimizer.zero_grad()
        LOSSES[loss](forward(parameters, activations, inputs)[-1], target).backward()
        before_step(optimizer, t)
        optimizer.step()
    return (
        f'    OracleTrajectory(\n      name: "{name}", rule: {rule}, updates: {steps},\n'
        f"      parameters: {nested(parameters, 6)})"
    )


def keras_epsilon(epsilon, beta2):
    """PyTorch adds epsilon after the bias correction, Keras before: scale it so that they agree."""

    def set_epsilon(optimizer, t):
        for group in optimizer.param_groups:
            group["eps"] = epsilon / np.sqrt(1 - beta2**t)

    return set_epsilon


rng = np.random.default_rng(20240607)
networks = [
    network(rng, "sigmoid, binary cross-entropy", [2, 10, 10, 5, 1], ["sigmoid"] * 4,
            "binaryCrossEntropy", 8, lambda r, s: r.integers(0, 2, s).astype(float)),
    network(rng, "tanh, mean squared error", [3, 6, 4, 1], ["tanh", "tanh", "linear"],
            "meanSquaredError", 5, lambda r, s: r.normal(scale=2.0, size=s)),
    network(rng, "relu, mean squared error", [4, 7, 5, 2], ["relu", "relu", "linear"],
            "meanSquaredError", 6, lambda r, s: r.normal(scale=2.0, size=s)),
]
# Epsilon is far above any default, so that its place in the formula shows in the result.
setup = networks[1][1]
trajectories = [
    trajectory("sgd", ".sgd(learningRate: 0.1)", lambda p: torch.optim.SGD(p, lr=0.1), setup, 6),
    trajectory("rmsprop", ".rmsprop(learningRate: 0.05, rho: 0.8, epsilon: 0.01)",
               lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.8, eps=0.01), setup, 6),
    trajectory("adam", ".adam(learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 0.01)",
               lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.95)), setup, 6,
               keras_epsilon(0.01, 0.95)),
]

text = (
    "// swift-format-ignore-file\n"
    f"// Made by make_oracle.py with PyTorch {torch.__version__}, NumPy {np.__version__}, "
    "on the CPU.\n"
    "// Do not edit.\n\n"
    "import TrainingEngine\n\n"
    "extension OracleNetwork {\n  static let all: [OracleNetwork] = [\n"
    + ",\n".join(n[0] for n in networks)
    + ",\n  ]\n}\n\n"
    "extension OracleTrajectory {\n"
    "  /// All start from the parameters, and see the batch, of this network.\n"
    "  static let network = OracleNetwork.all[1]\n\n"
    "  static let all: [OracleTrajectory] = [\n"
    + ",\n".join(trajectories)
    + ",\n  ]\n}\n"
)
pathlib.Path(__file__).with_name("OracleValues.swift").write_text(text)
