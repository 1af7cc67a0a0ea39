"""Healthy runs of plain networks: classifiers, regressions, odd losses and odd activations."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop

from . import data
from .labels import due, healthy, sick
from .models import MLP
from .recorder import Sine
from .registry import case
from .trainer import Job


def classify(model, batch):
    """Cross-entropy, with the batch's accuracy."""
    x, y = batch
    logits = model(x)
    return F.cross_entropy(logits, y), {"acc": (logits.argmax(1) == y).float().mean()}


def squares(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)


@case("plain_relu_sgd", "plain", "8 clouds, 3-layer ReLU net", SGD, 0.1, 64, 1)
@case("plain_relu_adagrad", "plain", "8 clouds, 3-layer ReLU net, Adagrad", Adagrad, 0.02, 32, 2)
@case("plain_relu_rmsprop", "plain", "8 clouds, 3-layer ReLU net, RMSprop", RMSprop, 1e-3, 48, 3)
@case("plain_batch1", "plain", "batches of one row", SGD, 0.01, 1, 1, 500)
@case("plain_batch4_adam", "plain", "batches of four rows, Adam", Adam, 2e-3, 4, 2, 500)
def plain(seed, optimizer, rate, size, every, steps=300):
    x, y = data.blobs(seed)
    model = MLP([24, 48, 48, 8])
    job = Job(
        model,
        optimizer(model.parameters(), rate),
        data.batches(x, y, size, seed),
        classify,
        steps,
        every,
        loss_name="cross_entropy",
        batch_size=size,
    )
    noisy = ["loss_spike", "gradient_spike"] if size <= 4 else []
    return job, healthy(
        "few rows a batch: one hard row is a spike by itself" if noisy else "", noisy
    )


@case("wide_sgd_momentum", "plain", "spirals, wide ReLU net, momentum", 192, 2, 0.05)
@case("deep_selu", "plain", "spirals, 10 SELU layers, Adam", 32, 10, None)
def spirals(seed, width, depth, momentum_rate):
    x, y = data.rings(seed)
    act = nn.SELU if depth > 4 else nn.ReLU
    model = MLP([2] + [width] * depth + [3], act)
    optimizer = (
        SGD(model.parameters(), momentum_rate, momentum=0.9)
        if momentum_rate
        else Adam(model.parameters(), 2e-3)
    )
    job = Job(model, optimizer, data.batches(x, y, 64, seed), classify, 400, 2, 3, "cross_entropy")
    return job, healthy()


@case("huge_targets_adam", "regression", "unscaled targets around 400", Adam, 0.02, 250.0, 400.0)
@case("huge_targets_sgd", "regression", "unscaled targets, small rate", SGD, 1e-4, 300.0, 0.0)
@case("tiny_targets", "regression", "targets of the size 1e-3", Adam, 2e-3, 1e-3, 0.0)
def targets(seed, optimizer, rate, scale, offset):
    x, y = data.teacher(seed, scale=scale, offset=offset)
    model = MLP([16, 64, 64, 1])
    job = Job(
        model,
        optimizer(model.parameters(), rate),
        data.batches(x, y, 64, seed),
        squares,
        500,
        2,
        loss_name="mse_loss",
    )
    return job, healthy("large numbers are the task's, not a fault" if scale > 1 else "")


@case("huber_outliers", "regression", "Huber loss, one target in fifty is off by 30", "huber")
@case("quantile", "regression", "three quantiles at once, pinball loss", "pinball")
@case("sum_loss", "regression", "squared errors summed over 512 rows", "sum")
def odd_losses(seed, kind):
    x, y = data.teacher(seed, noise=0.1)
    if kind == "huber":
        y = y + 30.0 * (torch.rand(len(y), 1, generator=data.generator(seed)) < 0.02)
    model = MLP([16, 48, 48, 3 if kind == "pinball" else 1], nn.SiLU)
    levels = torch.tensor([0.1, 0.5, 0.9])

    def loss(model, batch):
        answer, wanted = model(batch[0]), batch[1]
        if kind == "huber":
            return F.huber_loss(answer, wanted)
        if kind == "sum":
            return F.mse_loss(answer, wanted, reduction="sum")
        error = wanted - answer
        return torch.maximum(levels * error, (levels - 1) * error).mean()

    if kind == "sum":
        optimizer, size = SGD(model.parameters(), 1e-4, momentum=0.9), 512
    else:
        optimizer, size = AdamW(model.parameters(), 3e-3), 64
    job = Job(model, optimizer, data.batches(x, y, size, seed), loss, 400, 2, 2, kind)
    if kind == "huber":
        return job, healthy("batches with an outlier have 10 to 30x the loss", ["loss_spike"])
    return job, healthy()


@case("siren", "coordinates", "a SIREN fits a signal of many pitches", True)
@case("fourier_features", "coordinates", "random Fourier features and a ReLU net", False)
def coordinates(seed, siren):
    g = data.generator(seed)
    x = torch.linspace(-1, 1, 512).unsqueeze(1)
    y = torch.sin(12 * x) + 0.5 * torch.sin(31 * x + 1)
    if siren:
        model = MLP([1, 48, 48, 48, 1], lambda: Sine(1.0))
        with torch.no_grad():
            model.fc0.weight.uniform_(-30, 30)
            for layer in (model.fc1, model.fc2):
                layer.weight.uniform_(-((6 / 48) ** 0.5), (6 / 48) ** 0.5)
        features = x
    else:
        model = MLP([64, 64, 64, 1])
        angles = x @ (torch.randn(1, 32, generator=g) * 10)
        features = torch.cat([angles.sin(), angles.cos()], 1)
    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, data.whole(features, y), squares, 400, 2, 2, "mse_loss")
    return job, healthy(may=["poor_initialization"] if siren else [])


@case("autoencoder", "reconstruction", "8-unit bottleneck, tanh code", "plain")
@case("sparse_code", "reconstruction", "only the 6 largest of 96 units pass", "topk")
@case("sparse_relu", "reconstruction", "L1 on the code: most ReLU outputs are zero", "l1")
@case("denoiser", "reconstruction", "dropout 0.5 on the input, MSE", "denoise")
def reconstruct(seed, kind):
    x, _ = data.teacher(seed, 24, 24)
    x = torch.cat([x[:, :8], x[:, :8] ** 2 - 1, torch.tanh(x[:, :8] * 2)], 1)
    if kind == "plain":
        model = MLP([24, 48, 8, 48, 24], nn.Tanh)
    elif kind == "denoise":
        model = MLP([24, 64, 64, 24], nn.GELU)
    else:
        model = MLP([24, 96, 24])

    def loss(model, batch):
        rows = batch[0]
        if kind == "topk":
            code = model.act0(model.fc0(rows))
            kept = code * (code >= code.topk(6, 1).values[:, -1:])
            return F.mse_loss(model.fc1(kept), rows)
        if kind == "l1":
            code = model.act0(model.fc0(rows))
            return F.mse_loss(model.fc1(code), rows) + 0.6 * code.abs().mean()
        if kind == "denoise":
            return F.mse_loss(model(F.dropout(rows, 0.5)), rows)
        return F.mse_loss(model(rows), rows)

    job = Job(
        model,
        Adam(model.parameters(), 3e-3),
        data.batches(x, x, 64, seed),
        loss,
        400,
        2,
        4,
        "mse_loss",
    )
    return job, healthy()


@case("label_noise_30", "noise", "three labels in ten are random; loss stays high", 0.3)
@case("label_noise_60", "noise", "six labels in ten are random; loss stays high", 0.6)
def label_noise(seed, share):
    x, y = data.blobs(seed, distance=2.5)
    g = data.generator(seed + 1)
    wrong = torch.rand(len(y), generator=g) < share
    y = torch.where(wrong, torch.randint(8, y.shape, generator=g), y)
    model = MLP([24, 32, 8])
    optimizer = AdamW(model.parameters(), 3e-3, weight_decay=0.1)
    job = Job(
        model, optimizer, data.batches(x, y, 64, seed), classify, 400, 2, loss_name="cross_entropy"
    )
    return job, healthy("as low as the labels allow", ["loss_plateau"])


@case("dropout_heavy", "noise", "dropout 0.6 in each layer")
def dropout(seed):
    x, y = data.blobs(seed)
    model = MLP([24, 128, 128, 8], dropout=0.6)
    optimizer = SGD(model.parameters(), 0.01, momentum=0.9)
    job = Job(model, optimizer, data.batches(x, y, 32, seed), classify, 300, 1, 3, "cross_entropy")
    return job, healthy()


@case("random_labels", "plateau", "labels that have nothing to do with the inputs")
def random_labels(seed):
    g = data.generator(seed)
    x, y = torch.randn(50_000, 24, generator=g), torch.randint(6, (50_000,), generator=g)
    model = MLP([24, 48, 6], nn.Tanh)
    optimizer = SGD(model.parameters(), 0.03, momentum=0.9)
    job = Job(
        model, optimizer, data.batches(x, y, 64, seed), classify, 320, loss_name="cross_entropy"
    )
    return job, sick({"loss_plateau": due(60, 319)}, note="stays at ln 6; gradients look normal")
