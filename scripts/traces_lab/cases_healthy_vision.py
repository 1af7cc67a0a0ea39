"""Healthy runs on images and of generative or contrastive kinds."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, RMSprop

from . import data
from .cases_healthy_plain import classify
from .labels import healthy
from .models import MLP, ConvBlock, ConvNet, ScaleBlock, UNet
from .registry import case
from .trainer import Job


def groups(width):
    return nn.GroupNorm(4, width)


@case("cnn_plain", "vision", "plain convolutions, Adam", None, "adam", 32, 3)
@case("resnet_gn", "vision", "residual blocks with GroupNorm, batches of 8", groups, "sgd", 8, 3)
@case(
    "resnet_bn_wd",
    "vision",
    "residual blocks with BatchNorm, decay 5e-3",
    nn.BatchNorm2d,
    "wd",
    48,
    4,
)
@case("resnet_bn_batch4", "vision", "BatchNorm on batches of four", nn.BatchNorm2d, "sgd", 4, 2)
def convolutional(seed, norm, kind, size, blocks):
    x, y = data.gratings(seed)
    skip = norm is not None
    model = ConvNet(lambda width: ConvBlock(width, norm, skip=skip), blocks)
    if kind == "adam":
        optimizer = Adam(model.parameters(), 2e-3)
    else:
        decay = 5e-3 if kind == "wd" else 0.0
        optimizer = SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=decay)
    rate = (lambda s: 0.05 * 0.5 * (1 + math.cos(math.pi * s / 240))) if kind == "wd" else None
    job = Job(
        model,
        optimizer,
        data.batches(x, y, size, seed),
        classify,
        240,
        2,
        4,
        "cross_entropy",
        size,
        rate,
    )
    return job, healthy(may=["loss_spike", "gradient_spike"] if size == 4 else [])


@case("convnext_scale_1e6", "vision", "blocks with layer scale 1e-6: inner gradients start at 1e-9")
def convnext(seed):
    x, y = data.gratings(seed, noise=0.3)
    model = ConvNet(lambda width: ScaleBlock(width, 1e-6), 4, width=16, stem_act=nn.GELU)
    optimizer = AdamW(model.parameters(), 4e-3)
    rate = lambda s: 4e-3 * min(1, (s + 1) / 20)  # noqa: E731
    job = Job(
        model,
        optimizer,
        data.batches(x, y, 32, seed),
        classify,
        240,
        2,
        4,
        "cross_entropy",
        32,
        rate,
    )
    return job, healthy("block gradients are 1e-6 of the stem's by design", ["vanishing_gradient"])


@case("unet", "vision", "segmentation of discs, one level")
def unet(seed):
    x, y = data.discs(seed)
    model = UNet()

    def loss(model, batch):
        return F.binary_cross_entropy_with_logits(model(batch[0]), batch[1])

    job = Job(model, Adam(model.parameters(), 5e-3), data.batches(x, y, 16, seed), loss, 200, 1, 4)
    return job, healthy()


@case("sigmoid_output_pixels", "vision", "an auto-encoder whose output sigmoids rightly saturate")
def pixels(seed):
    _, masks = data.discs(seed, size=8, noise=0)
    flat = masks.flatten(1)
    model = MLP([64, 48, 12, 48, 64], nn.ReLU, out=nn.Sigmoid())

    def loss(model, batch):
        return F.binary_cross_entropy(model(batch[0]), batch[1])

    job = Job(
        model, Adam(model.parameters(), 4e-3), data.batches(flat, flat, 32, seed), loss, 500, 2, 3
    )
    return job, healthy("the output is near 0 or 1, as it should be")


class Variational(nn.Module):
    """An encoder with mean and log-variance, and a decoder."""

    def __init__(self, width, code, seed):
        super().__init__()
        self.encoder = MLP([width, 48, 2 * code])
        self.decoder = MLP([code, 48, width])
        self.noise = data.generator(seed)

    def forward(self, x):
        mean, spread = self.encoder(x).chunk(2, 1)
        sample = mean + (spread / 2).exp() * torch.randn(mean.shape, generator=self.noise)
        return self.decoder(sample), mean, spread


@case("vae", "generative", "VAE, Adam, summed loss", 1.0, Adam, 2e-3)
@case(
    "vae_collapse_beta4",
    "generative",
    "VAE with beta 4, RMSprop: some codes stay unused",
    4.0,
    RMSprop,
    1e-3,
)
def vae(seed, beta, optimizer, rate):
    x, _ = data.blobs(seed, classes=10, width=20, distance=3)
    model = Variational(20, 6, seed)

    def loss(model, batch):
        answer, mean, spread = model(batch[0])
        fit = (answer - batch[0]).square().sum(1).mean()
        divergence = 0.5 * (spread.exp() + mean**2 - 1 - spread).sum(1).mean()
        return fit + beta * divergence

    job = Job(
        model,
        optimizer(model.parameters(), rate),
        data.batches(x, x, 64, seed),
        loss,
        400,
        2,
        4,
        "elbo",
    )
    return job, healthy()


class Adversaries(nn.Module):
    """A generator of points and their critic."""

    def __init__(self, act):
        super().__init__()
        self.gen = MLP([4, 32, 32, 2], nn.ReLU)
        self.critic = MLP([2, 32, 32, 1], act)

    def forward(self, noise):
        return self.critic(self.gen(noise))


@case("gan_mixture", "generative", "a GAN on 4 clouds that works; two losses", False)
@case(
    "gan_wasserstein",
    "generative",
    "a critic with a gradient penalty; its loss is below zero",
    True,
)
def gan(seed, penalty):
    points, _ = data.blobs(seed, classes=4, width=2, spread=0.15, distance=2.0)
    model = Adversaries(lambda: nn.LeakyReLU(0.2))
    first = Adam(model.critic.parameters(), 1e-3, betas=(0.5, 0.9))
    second = Adam(model.gen.parameters(), 5e-4, betas=(0.5, 0.9))
    g = data.generator(seed)
    batch = data.batches(points, points, 64, seed)

    def backward(step):
        real, noise = batch(step)[0], torch.randn(64, 4, generator=g)
        fake = model.gen(noise)
        good, bad = model.critic(real), model.critic(fake.detach())
        if penalty:
            mix = (
                torch.rand(64, 1, generator=g) * (real - fake.detach()) + fake.detach()
            ).requires_grad_()
            slope = torch.autograd.grad(model.critic(mix).sum(), mix, create_graph=True)[0]
            loss = bad.mean() - good.mean() + 5 * (slope.norm(dim=1) - 1).square().mean()
        else:
            loss = F.softplus(-good).mean() + F.softplus(bad).mean()
        loss.backward()
        answer = model.critic(fake)
        other = -answer.mean() if penalty else F.softplus(-answer).mean()
        parts = list(model.gen.parameters())
        for part, gradient in zip(parts, torch.autograd.grad(other, parts)):
            part.grad = gradient
        return loss.item(), {"loss_g": other.item()}

    job = Job(
        model, first, batch, None, 500, 2, 4, "adversarial", 64, backward=backward, others=[second]
    )
    may = ["loss_plateau", "loss_spike"] if penalty else ["loss_plateau"]
    return job, healthy("two players: the loss need not fall", may)


@case("infonce", "contrastive", "two views of a row; 64-way contrast, temperature 0.1", "infonce")
@case("siamese", "contrastive", "pairs with a margin: most losses become exactly zero", "siamese")
@case("triplet", "contrastive", "triplets with a margin; SGD with momentum", "triplet")
def contrast(seed, kind):
    x, y = data.blobs(seed, classes=12, width=20, distance=2.2)
    model = MLP([20, 64, 16], norm=nn.BatchNorm1d if kind == "infonce" else None)
    g = data.generator(seed)

    def loss(model, batch):
        rows, labels = batch
        if kind == "infonce":
            left = model(rows + 0.3 * torch.randn(rows.shape, generator=g))
            right = model(rows + 0.3 * torch.randn(rows.shape, generator=g))
            scores = F.normalize(left) @ F.normalize(right).T / 0.1
            return F.cross_entropy(scores, torch.arange(len(rows)))
        codes = F.normalize(model(rows))
        other, partner = codes.roll(1, 0), labels.roll(1)
        apart = (codes - other).square().sum(1)
        same = (labels == partner).float()
        if kind == "siamese":
            return (same * apart + (1 - same) * F.relu(0.5 - apart)).mean()
        distances = (codes.unsqueeze(0) - codes.unsqueeze(1)).square().sum(2)
        alike = labels.unsqueeze(0) == labels.unsqueeze(1)
        far = (distances * alike).max(1).values
        near = (distances + 10 * alike).min(1).values
        return F.relu(far - near + 0.3).mean()

    optimizer = (
        SGD(model.parameters(), 0.1, momentum=0.9)
        if kind == "triplet"
        else Adam(model.parameters(), 2e-3)
    )
    job = Job(model, optimizer, data.batches(x, y, 64, seed), loss, 400, 2, 3, kind, 64)
    return job, healthy()


@case("diffusion", "generative", "noise prediction at random levels", 3e-3)
def diffusion(seed, rate):
    points, _ = data.rings(seed, noise=0.05)
    model = MLP([2 + 16, 64, 64, 64, 2], nn.SiLU)
    g = data.generator(seed)

    def loss(model, batch):
        rows = batch[0]
        level = torch.rand(len(rows), 1, generator=g)
        noise = torch.randn(rows.shape, generator=g)
        mixed = (math.pi / 2 * level).cos() * rows + (math.pi / 2 * level).sin() * noise
        waves = level * torch.arange(1, 9) * math.pi
        return F.mse_loss(model(torch.cat([mixed, waves.sin(), waves.cos()], 1)), noise)

    batch = data.batches(points, points, 64, seed)
    job = Job(model, Adam(model.parameters(), rate), batch, loss, 400, 2, 3, "mse_loss", 64)
    return job, healthy()
