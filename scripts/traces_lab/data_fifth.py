"""Data of the fifth batch of runs: pictures, house prices, moons, a citation graph, a cart."""

import math

import torch
from torch.nn import functional as F

from .data import generator


def pictures(seed, classes=10, size=16, channels=3, rows=1200, noise=0.35):
    """Colour pictures: a smooth template for each class, shifted and mirrored, with noise."""
    g = generator(seed)
    coarse = torch.randn(classes, channels, 5, 5, generator=g)
    templates = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)
    labels = torch.randint(classes, (rows,), generator=g)
    images = templates[labels]
    shifts = torch.randint(-2, 3, (rows, 2), generator=g)
    images = torch.stack(
        [torch.roll(image, tuple(s.tolist()), (1, 2)) for image, s in zip(images, shifts)]
    )
    mirrored = torch.rand(rows, generator=g) < 0.5
    images[mirrored] = images[mirrored].flip(-1)
    images = images + noise * torch.randn(images.shape, generator=g)
    return (images - images.mean()) / images.std(), labels


def digits(seed, rows=1200):
    """Flat grey pictures of ten things, with pixels from 0 to 1."""
    x, y = pictures(seed, channels=1, rows=rows, noise=0.25)
    return (x.flatten(1) * 0.25 + 0.3).clamp(0, 1), y


def houses(seed, rows=1500):
    """Thirteen standardized features, some skewed, and a standardized price with outliers."""
    g = generator(seed)
    x = torch.randn(rows, 13, generator=g)
    x[:, :4] = x[:, :4].exp()
    x[:, 4] = (x[:, 4] > 0.8).float()
    x = (x - x.mean(0)) / x.std(0)
    w = torch.randn(13, generator=g) / 13**0.5
    price = x @ w + 0.5 * (x[:, 5] * x[:, 6]).tanh() + 0.3 * (x[:, 7] * 2).sin()
    price = price + 0.2 * torch.randn(rows, generator=g).pow(3)
    return x, ((price - price.mean()) / price.std()).unsqueeze(1)


def moons(seed, size=128, noise=0.08):
    """Batches of points of two interleaved half circles."""

    def batch(step):
        g = generator(seed * 7919 + step)
        angle = math.pi * torch.rand(size, generator=g)
        upper = torch.randint(2, (size,), generator=g).float()
        x = angle.cos() * (2 * upper - 1) + (1 - upper)
        y = angle.sin() * (2 * upper - 1) + 0.5 * (1 - upper)
        points = torch.stack([x - 0.5, y - 0.25], 1)
        return points + noise * torch.randn(size, 2, generator=g)

    return batch


def citations(seed, nodes=300, classes=5, width=64):
    """A graph whose nodes prefer their own class: features, normalized adjacency, classes."""
    g = generator(seed)
    labels = torch.randint(classes, (nodes,), generator=g)
    same = (labels[:, None] == labels[None]).float()
    links = torch.rand(nodes, nodes, generator=g) < 0.035 * same + 0.004
    links = (links | links.T | torch.eye(nodes, dtype=torch.bool)).float()
    degree = links.sum(1).rsqrt()
    words = torch.rand(nodes, width, generator=g) < 0.05 + 0.15 * (
        (torch.arange(width)[None] % classes) == labels[:, None]
    )
    words = words.float() / words.sum(1, keepdim=True).clamp(min=1)
    return words, degree[:, None] * links * degree[None], labels


class CartPole:
    """The pole on a cart of the textbooks, many at a time; an episode has at most 200 steps."""

    def __init__(self, count, seed):
        self.g = generator(seed)
        self.state = self.fresh(count)
        self.age = torch.zeros(count)

    def fresh(self, count):
        return torch.rand(count, 4, generator=self.g) * 0.1 - 0.05

    def step(self, action):
        """Answers with the state after the action and whether the episode ended there."""
        place, speed, angle, turn = self.state.unbind(1)
        force = 20.0 * action.float() - 10.0
        drive = (force + 0.05 * turn.square() * angle.sin()) / 1.1
        push = (9.8 * angle.sin() - drive * angle.cos()) / (
            0.5 * (4 / 3 - 0.1 * angle.cos().square() / 1.1)
        )
        pull = drive - 0.05 * push * angle.cos() / 1.1
        after = torch.stack(
            [place + 0.02 * speed, speed + 0.02 * pull, angle + 0.02 * turn, turn + 0.02 * push], 1
        )
        self.age += 1
        fell = (after[:, 0].abs() > 2.4) | (after[:, 2].abs() > 0.2095)
        ended = fell | (self.age >= 200)
        self.state = torch.where(ended[:, None], self.fresh(len(after)), after)
        self.age[ended] = 0
        return after, fell
