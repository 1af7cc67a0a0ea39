"""Data of the sixth batch: small targets, pairs of views, graphs, springs, pendulums, matches."""

import torch

from .data import generator


def specks(seed, rows=500, size=16, noise=0.25):
    """Noisy pictures with a speck of four to six pixels, and its mask; a third are empty."""
    g = generator(seed)
    mask = torch.zeros(rows, size, size)
    for i in range(rows):
        if i % 3 == 0:
            continue
        a, b = torch.randint(1, size - 3, (2,), generator=g).tolist()
        mask[i, a : a + 2, b : b + (2 if i % 2 else 3)] = 1
    images = 1.2 * mask + noise * torch.randn(rows, size, size, generator=g)
    return images.unsqueeze(1), mask.unsqueeze(1)


def pairs(seed, rows=2000, hidden=8, left=24, right=30, noise=0.2):
    """Two views of the same hidden things."""
    g = generator(seed)
    z = torch.randn(rows, hidden, generator=g)
    a = torch.tanh(z @ torch.randn(hidden, left, generator=g) / hidden**0.5)
    b = torch.tanh(z @ torch.randn(hidden, right, generator=g) / hidden**0.5)
    a = a + noise * torch.randn(a.shape, generator=g)
    return a, b + noise * torch.randn(b.shape, generator=g)


def molecules(seed, size=24, nodes=12):
    """Random graphs; half of them hold a clique of five, at random nodes."""

    def batch(step):
        g = generator(seed * 7919 + step)
        links = (torch.rand(size, nodes, nodes, generator=g) < 0.12).float().triu(1)
        y = torch.randint(2, (size,), generator=g)
        for i in range(size):
            if y[i]:
                chosen = torch.randperm(nodes, generator=g)[:5]
                links[i][chosen[:, None], chosen] = 1
        links = links.triu(1)
        links = links + links.transpose(1, 2)
        x = torch.cat([torch.ones(size, nodes, 1), torch.randn(size, nodes, 2, generator=g)], 2)
        return (x, links), y

    return batch


def springs(seed, size=32, count=5, scale=1.0):
    """Points with charges that attract or push each other; where they are a moment later."""

    def batch(step):
        g = generator(seed * 7919 + step)
        x = scale * torch.randn(size, count, 3, generator=g)
        v = 0.5 * scale * torch.randn(size, count, 3, generator=g)
        kind = torch.randint(2, (size, count), generator=g).float() * 2 - 1
        now, speed = x, v
        for _ in range(8):
            apart = now[:, :, None] - now[:, None]
            force = (kind[:, :, None] * kind[:, None])[..., None] * apart
            force = force / (1 + apart.square().sum(3, keepdim=True) / scale**2)
            speed = speed + 0.1 * force.sum(2)
            now = now + 0.1 * speed
        return (x, v, kind), now

    return batch


def pendulums(seed, size=32, steps=10, dt=0.1):
    """Angles and speeds of pendulums, and their ways."""

    def batch(step):
        g = generator(seed * 7919 + step)
        q = 3 * torch.rand(size, 1, generator=g) - 1.5
        p = 2 * torch.rand(size, 1, generator=g) - 1
        path, a, b = [], q, p
        for _ in range(steps):
            for _ in range(4):
                b = b - 0.125 * dt * a.sin() * 2
                a = a + 0.25 * dt * b
                b = b - 0.125 * dt * a.sin() * 2
            path.append(torch.cat([a, b], 1))
        return (q, p), torch.stack(path, 1)

    return batch


def spots(seed, size=32, side=12, count=3):
    """Pictures of three spots, and where they are, in no order."""
    line = torch.linspace(0, 1, side)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), 2)

    def batch(step):
        g = generator(seed * 7919 + step)
        at = torch.rand(size, count, 2, generator=g)
        far = (grid[None, None] - at[:, :, None, None]).square().sum(4)
        picture = (-far / 0.01).exp().sum(1)
        return (picture + 0.05 * torch.randn(picture.shape, generator=g)).flatten(1), at

    return batch


def sales(seed, length=20000, zeros=0):
    """A series of seasons with rare great outliers; a few days have no sales at all."""
    g = generator(seed)
    t = torch.arange(length).float()
    y = 2.0 + (t * 0.26).sin() + 0.5 * (t * 0.9).sin() + 0.1 * torch.randn(length, generator=g)
    odd = torch.rand(length, generator=g) < 0.01
    y = y + odd * 12 * torch.randn(length, generator=g).abs()
    y = y.clamp(min=0.3)
    for day in torch.randint(length, (zeros,), generator=g).tolist():
        y[day] = 0.0
    return y
