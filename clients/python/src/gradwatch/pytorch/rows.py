"""Statistics of tensors whatever is in them, without waiting for their device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Iterator, Sequence

import torch

from ..columns import Statistics
from . import flat
from .flat import Flat

@dataclass
class Rows:
    """What tensors of one device and dtype are like, still on the device. Nothing needs to be looked at again.

    They are laid side by side in rows of equal length, which a device measures at once, and each row is measured in
    units of its largest element: squares neither overflow nor vanish. What isn't finite is masked, and counted.
    """

    columns: torch.Tensor
    """A row a tensor: norm; with details also mean, mean magnitude, deviation, extremes."""
    counts: torch.Tensor
    """A row a tensor, of integers: NaN, +Inf, -Inf; with details also zeros."""
    patterns: torch.Tensor | None
    """How often each pattern of sign and exponent is there, a row a tensor, if they are asked for."""

    @staticmethod
    def of(tensors: Sequence[Flat], *, details: bool = False, counts_patterns: bool = False) -> Rows:
        """Measures tensors, at least one; without details only norms and what isn't finite."""
        first = tensors[0].elements
        real, (width, _) = flat.wide(first.device), _layout(first)
        lengths = _host([-(-tensor.elements.numel() // width) for tensor in tensors])
        owners = torch.arange(len(tensors), device="cpu").repeat_interleave(lengths)
        owners = _moved(owners, first.device)
        count = flat.pattern_layout(first.dtype)[2] if counts_patterns else 0
        patterns = torch.zeros(len(tensors) * count, dtype=torch.int64, device=first.device)
        parts, start = [first.new_empty((0, 10 if details else 5), dtype=real)], 0
        for rows in _batches(tensors):
            parts.append(_measured(rows, details, real))
            if counts_patterns:
                _count_patterns(patterns, rows, owners[start : start + len(rows)])
            start += len(rows)
        zeros = [tensor.zeros for tensor in tensors]
        filling = [-tensor.elements.numel() % width for tensor in tensors]
        zeros, filling = _moved(_host([zeros, filling]), first.device)
        columns, counts = _merged(torch.cat(parts).unbind(1), owners, zeros, filling, width)
        return Rows(columns, counts, patterns.view(len(tensors), count) if counts_patterns else None)


def statistics(columns: torch.Tensor, counts: torch.Tensor) -> list[Statistics]:
    """`Rows.columns` and `Rows.counts`, copied to the host, as statistics."""
    found = []
    for (norm, *details), (nan, positive, negative, *zero) in zip(columns.tolist(), counts.tolist()):
        row = Statistics(norm, nan=nan, positive_infinity=positive, negative_infinity=negative)
        if details:
            row.mean, row.mean_abs, row.std, row.min, row.max = details
            (row.zero,) = zero
        found.append(row)
    return found


def packed(parts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, Callable[[torch.Tensor], list[torch.Tensor]]]:
    """Numbers and integers of one device in a row, to be copied at once, and what makes the same of the copy.

    A float holds integers below 2^24 alone: there it takes two for one.
    """
    real = flat.wide(parts[0].device)
    # Not the tensors, which would stay in memory until then.
    shapes, dtypes = [part.shape for part in parts], [part.dtype for part in parts]
    are_split = [real == torch.float32 and not dtype.is_floating_point for dtype in dtypes]
    row = [torch.stack([part >> 12, part & 4095]) if is_split else part for part, is_split in zip(parts, are_split)]
    lengths = [part.numel() for part in row]

    def unpacked(copied: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for part, shape, dtype, is_split in zip(copied.split(lengths), shapes, dtypes, are_split):
            part = part.to(dtype)
            if is_split:
                high, low = part.view(2, -1)
                part = (high << 12) + low
            found.append(part.view(shape))
        return found

    return torch.cat([part.to(real).view(-1) for part in row]), unpacked


def _host(numbers: list) -> torch.Tensor:
    """Integers on the host, whatever the default device is."""
    return torch.tensor(numbers, dtype=torch.int64, device="cpu")


def _moved(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Numbers of the host on a device, without waiting for it."""
    if device.type != "cuda":
        return numbers.to(device)
    # From other memory the copy may wait, or come too late for its own source.
    return numbers.pin_memory().to(device, non_blocking=True)


def _layout(elements: torch.Tensor) -> tuple[int, int]:
    """How many elements a row has, and how many are copied, as doubles, at a time.

    They stay in a core's cache, or take a device few launches. Up to twice as many are copied where tensors don't fit
    in evenly.
    """
    return (1 << 9, 1 << 16) if flat.is_on_cpu(elements) else (1 << 12, 1 << 22)


def _batches(tensors: Sequence[Flat]) -> Iterator[torch.Tensor]:
    """The tensors in rows, some at a time. NaN fills the last row of each: it is masked by itself."""
    width, size = _layout(tensors[0].elements)
    filler = tensors[0].elements.new_full((width,), math.nan)
    pieces, count = [], 0
    for tensor in tensors:
        for piece in tensor.elements.split(size):
            filling = filler[: -piece.numel() % width]
            pieces += piece, filling
            count += piece.numel() + filling.numel()
            if count >= size:
                yield torch.cat(pieces).view(-1, width)
                pieces, count = [], 0
    if count:
        yield torch.cat(pieces).view(-1, width)


def _count_patterns(patterns: torch.Tensor, rows: torch.Tensor, owners: torch.Tensor) -> None:
    """Adds to the patterns of all tensors, end to end, those of some rows."""
    bits, shift, count = flat.pattern_layout(rows.dtype)
    indices = (rows.view(bits) >> shift).bitwise_and_(count - 1)
    indices = (indices + count * owners[:, None]).view(-1)
    # `bincount` would wait for the device, to know the largest index.
    patterns.scatter_add_(0, indices, indices.new_ones(1).expand_as(indices))


def _measured(rows: torch.Tensor, details: bool, real: torch.dtype) -> torch.Tensor:
    """What each row is like, in the order in which `_merged` takes it; shares are of the row's largest element."""
    is_finite = rows.abs() < math.inf
    values = torch.where(is_finite, rows, 0.0)
    largest = torch.maximum(values.amax(1), -values.amin(1)).to(real)
    shares = values / _divisor(largest)[:, None]
    count, positive, negative = map(_count, (is_finite, rows == math.inf, rows == -math.inf))
    columns = [largest, count, positive, negative]
    if not details:
        columns.append(torch.linalg.vector_norm(shares, dim=1).square_())
    else:
        mean = shares.sum(1) / count.clamp(min=1)
        magnitude = torch.linalg.vector_norm(shares, 1, dim=1)
        # The mean lies between the extremes, and deviates from itself by nothing.
        filled = torch.where(is_finite, shares, mean[:, None])
        least, most = filled.amin(1) * largest, filled.amax(1) * largest
        deviations = torch.linalg.vector_norm(filled.sub_(mean[:, None]), dim=1).square_()
        zero = _count(rows == 0)
        columns += mean, magnitude, deviations, least, most, zero
    return torch.stack([column.to(real) for column in columns], 1)


def _merged(
    columns: Sequence[torch.Tensor], owners: torch.Tensor, left_out: torch.Tensor, filling: torch.Tensor, width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the rows of each tensor are like together, with the zeros that it leaves out, and without what fills it."""
    largest, count, positive, negative, *more = columns
    zeros = left_out.to(largest.dtype)

    def total(column: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(zeros).index_add_(0, owners, column)

    def counted(column: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(left_out).scatter_add_(0, owners, column.long())

    def extreme(column: torch.Tensor, start: float, way: str) -> torch.Tensor:
        return torch.full_like(zeros, start).scatter_reduce_(0, owners, column, way)

    unit = extreme(largest, 0.0, "amax")
    share = largest / _divisor(unit)[owners]
    finite = total(count) + zeros
    none = torch.where(finite > 0, 0.0, math.nan).to(zeros.dtype)
    infinities = [counted(positive), counted(negative)]
    counts = [counted(width - count) - filling - infinities[0] - infinities[1], *infinities]
    if len(more) == 1:
        norm = unit * total(more[0] * share.square()).sqrt() + none
        return norm[:, None], torch.stack(counts, 1)
    mean, magnitude, deviations, least, most, zero = more
    mean = mean * share
    means = total(count * mean) / finite
    # Chan, Golub, LeVeque 1979: the sums of squared deviations of parts, merged.
    spread = total(deviations * share.square() + count * (mean - means[owners]).square()) + zeros * means.square()
    norm = (spread + finite * means.square()).sqrt()
    found = [means, total(magnitude * share) / finite, (spread / finite).sqrt()]
    bounds = [
        extreme(torch.where(count > 0, least, math.inf), math.inf, "amin"),
        extreme(torch.where(count > 0, most, -math.inf), -math.inf, "amax"),
    ]
    bounds = [torch.where(zeros > 0, bounds[0].clamp(max=0), bounds[0]),
              torch.where(zeros > 0, bounds[1].clamp(min=0), bounds[1])]  # fmt: skip
    found = [unit * norm + none] + [unit * column for column in found] + [bound + none for bound in bounds]
    return torch.stack(found, 1), torch.stack([*counts, counted(zero) + left_out], 1)


def _count(mask: torch.Tensor) -> torch.Tensor:
    return mask.sum(1, dtype=torch.int32)


def _divisor(largest: torch.Tensor) -> torch.Tensor:
    return torch.where(largest > 0, largest, 1.0)
