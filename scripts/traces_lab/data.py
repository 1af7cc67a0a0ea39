"""Small synthetic data sets, each a function of a seed; a source gives the batch of a step."""

import math

import torch


def generator(seed):
    return torch.Generator().manual_seed(seed)


def batches(inputs, targets, size, seed):
    """Random batches of `size` rows with replacement; the same step gives the same batch."""

    def batch(step):
        rows = torch.randint(len(inputs), (size,), generator=generator(seed * 7919 + step))
        return inputs[rows], targets[rows]

    return batch


def whole(inputs, targets):
    """All rows at every step."""
    return lambda step: (inputs, targets)


def blobs(seed, classes=8, width=24, rows=2000, spread=1.0, distance=1.2):
    """Gaussian clouds around random centres: inputs and class numbers."""
    g = generator(seed)
    centres = torch.randn(classes, width, generator=g) * distance / math.sqrt(2)
    labels = torch.randint(classes, (rows,), generator=g)
    return centres[labels] + spread * torch.randn(rows, width, generator=g), labels


def rings(seed, rows=1500, classes=3, noise=0.12):
    """Interleaved spirals in the plane."""
    g = generator(seed)
    labels = torch.randint(classes, (rows,), generator=g)
    t = torch.rand(rows, generator=g)
    angle = 4.0 * t + labels * (2 * math.pi / classes)
    points = torch.stack([t * angle.cos(), t * angle.sin()], 1) * 2
    return points + noise * torch.randn(rows, 2, generator=g), labels


def teacher(seed, width=16, outputs=1, rows=2000, noise=0.05, scale=1.0, offset=0.0):
    """A random two-layer network's answers: inputs and real targets."""
    g = generator(seed)
    x = torch.randn(rows, width, generator=g)
    hidden = torch.tanh(x @ torch.randn(width, 12, generator=g) / math.sqrt(width) * 1.5)
    y = hidden @ torch.randn(12, outputs, generator=g) / math.sqrt(12)
    y = y + noise * torch.randn(rows, outputs, generator=g)
    return x, y * scale + offset


def gratings(seed, classes=6, size=12, rows=1200, noise=0.5):
    """Images of oriented stripes with noise: `[rows, 1, size, size]` and class numbers."""
    g = generator(seed)
    labels = torch.randint(classes, (rows,), generator=g)
    line = torch.linspace(-1, 1, size)
    grid_y, grid_x = torch.meshgrid(line, line, indexing="ij")
    angle = (labels * math.pi / classes).view(-1, 1, 1)
    phase = torch.rand(rows, 1, 1, generator=g) * 2 * math.pi
    images = torch.sin(6 * (grid_x * angle.cos() + grid_y * angle.sin()) + phase)
    images = images + noise * torch.randn(rows, size, size, generator=g)
    return images.unsqueeze(1), labels


def discs(seed, size=16, rows=600, noise=0.4):
    """Noisy images of one disc, and its mask, for segmentation."""
    g = generator(seed)
    line = torch.arange(size).float()
    grid_y, grid_x = torch.meshgrid(line, line, indexing="ij")
    centre = torch.rand(rows, 2, 1, 1, generator=g) * (size - 6) + 3
    radius = torch.rand(rows, 1, 1, generator=g) * 2.5 + 2
    mask = ((grid_y - centre[:, 0]) ** 2 + (grid_x - centre[:, 1]) ** 2 < radius**2).float()
    images = mask + noise * torch.randn(rows, size, size, generator=g)
    return images.unsqueeze(1), mask.unsqueeze(1)


def text(seed, vocabulary=32, length=20000, sharpness=2.5):
    """A Markov chain's characters, as one long row of numbers."""
    g = generator(seed)
    table = (torch.randn(vocabulary, vocabulary, generator=g) * sharpness).softmax(1)
    rows = torch.cumsum(table, 1)
    draws = torch.rand(length, generator=g)
    found, current = [], 0
    for draw in draws.tolist():
        current = min(int(torch.searchsorted(rows[current], draw)), vocabulary - 1)
        found.append(current)
    return torch.tensor(found)


def windows(sequence, context, size, seed):
    """Batches of `(tokens, next tokens)`, each `[size, context]`."""

    def batch(step):
        starts = torch.randint(
            len(sequence) - context - 1, (size,), generator=generator(seed * 7919 + step)
        )
        index = starts.unsqueeze(1) + torch.arange(context + 1)
        chosen = sequence[index]
        return chosen[:, :-1], chosen[:, 1:]

    return batch


def recall(seed, length, symbols=4, size=32):
    """One-hot symbol, then noise `[size, length, symbols]`; the target is the first symbol."""

    def batch(step):
        g = generator(seed * 7919 + step)
        first = torch.randint(symbols, (size,), generator=g)
        x = torch.randn(size, length, symbols, generator=g) * 0.1
        x[:, 0] += torch.nn.functional.one_hot(first, symbols)
        return x, first

    return batch


def adding(seed, length, size=32):
    """The adding problem: two marked numbers among many; the target is their sum."""

    def batch(step):
        g = generator(seed * 7919 + step)
        values = torch.rand(size, length, generator=g)
        marks = torch.zeros(size, length)
        half = length // 2
        marks[torch.arange(size), torch.randint(half, (size,), generator=g)] = 1
        marks[torch.arange(size), half + torch.randint(length - half, (size,), generator=g)] = 1
        return torch.stack([values, marks], 2), (values * marks).sum(1, keepdim=True)

    return batch


def waves(seed, length, size=32, noise=0.05):
    """Sine waves of random pitch; the target is the wave one step later, `[size, length, 1]`."""

    def batch(step):
        g = generator(seed * 7919 + step)
        pitch = torch.rand(size, 1, generator=g) * 0.4 + 0.15
        phase = torch.rand(size, 1, generator=g) * 2 * math.pi
        wave = torch.sin(pitch * torch.arange(length + 1) + phase)
        wave = wave + noise * torch.randn(size, length + 1, generator=g)
        return wave[:, :-1, None], wave[:, 1:, None]

    return batch


def bags(seed, vocabulary=1500, words=20, rows=3000):
    """Bags of Zipf-distributed words whose hidden sentiments decide the class."""
    g = generator(seed)
    weights = 1.0 / torch.arange(1, vocabulary + 1).float()
    tokens = torch.multinomial(weights, rows * words, replacement=True, generator=g)
    tokens = tokens.view(rows, words)
    sentiment = torch.randn(vocabulary, generator=g)
    return tokens, (sentiment[tokens].mean(1) > 0).long()


def ratings(seed, users=300, items=200, rows=4000, rank=4):
    """Pairs of user and item, and a rating of low rank plus noise."""
    g = generator(seed)
    pairs = torch.stack(
        [
            torch.randint(users, (rows,), generator=g),
            torch.multinomial(
                1.0 / torch.arange(1, items + 1).float(), rows, replacement=True, generator=g
            ),
        ],
        1,
    )
    left = torch.randn(users, rank, generator=g)
    right = torch.randn(items, rank, generator=g)
    score = (left[pairs[:, 0]] * right[pairs[:, 1]]).sum(1) / rank**0.5
    return pairs, score + 0.2 * torch.randn(rows, generator=g)
