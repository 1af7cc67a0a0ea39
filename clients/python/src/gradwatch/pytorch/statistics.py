"""Statistics of many tensors in few passes, and with one copy from their device."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Sequence

import torch

from ..columns import Statistics
from . import flat, rows
from .flat import Flat
from .rows import Rows

_CHUNK = 1 << 18
"""Elements that stay in a core's cache over several passes, and that a float can sum up to six digits."""
_CHUNK_OF_DOUBLES = 1 << 16
"""Elements that stay there as doubles, with what is computed of them."""
_LEAST_SQUARES, _MOST_SQUARES = 1e-30, 1e30
"""Between them sums of squares can be had as they are; what is not finite is beyond them, as sums of it are."""
_LEAST_VARIANCE = 0.02
"""The share of the mean square below which the variance, a difference, has lost too many digits."""


@dataclass
class Numbers:
    """What was measured at once."""

    statistics: list[Statistics]
    """Of each tensor that was asked for; only norms and non-finite counts if no more was."""
    patterns: torch.Tensor | None
    """How often each pattern of sign and exponent is there: a row a tensor, on the CPU. 512 or 4,096 columns."""
    norms: list[float]
    """Of each tensor whose norm alone was asked for."""
    takes_two_looks: bool = False
    """Whether measuring quickly looks at a tensor again, or would have."""


@dataclass
class Measurement:
    """What was measured at once, on its way to the host."""

    values: torch.Tensor
    """What is to be copied, in a row on the device."""
    numbers: Callable[[torch.Tensor], Numbers]
    """Makes numbers of `values`, copied to the host."""


def measure(
    tensors: Sequence[Flat], *, details: bool, is_careful: bool = False, norms_of: Sequence[Flat] = ()
) -> Measurement:
    """Measures tensors of one device and dtype, and leaves the numbers there: norms, or with `details` everything.

    A device does so carefully with details, or if `is_careful`, and the tensors may change at once. Otherwise, and on
    the CPU, it is done quickly: the tensors must stay as they are until there are numbers, since one in which
    something is not finite, or too large or too small for that, is then measured again, carefully or in doubles.
    """
    is_quick = flat.is_on_cpu([*tensors, *norms_of][0].elements) or not (details or is_careful)
    return (_quick if is_quick else _careful)(tensors, details, norms_of)


def exact(tensors: Sequence[Flat], details: bool) -> list[Statistics]:
    """The statistics of tensors whatever is in them, with a copy from each device."""
    found: dict[int, Statistics] = {}
    for places in flat.groups(tensors):
        own = Rows.of([tensors[place] for place in places], details=details)
        values, unpacked = rows.packed([own.columns, own.counts])
        found |= zip(places, rows.statistics(*unpacked(values.cpu())))
    return [found[place] for place in range(len(tensors))]


def _careful(tensors: Sequence[Flat], details: bool, norms_of: Sequence[Flat]) -> Measurement:
    parts: list[torch.Tensor] = []
    if tensors:
        own = Rows.of(tensors, details=details, counts_patterns=details)
        parts += [part for part in (own.columns, own.counts, own.patterns) if part is not None]
    if norms_of:
        parts.append(Rows.of(norms_of).columns)
    values, unpacked = rows.packed(parts)
    zeros, has_norms = [tensor.zeros for tensor in tensors], bool(norms_of)
    bounds = _bounds([*tensors, *norms_of][0].elements)

    def numbers(copied: torch.Tensor) -> Numbers:
        found = unpacked(copied)
        norms = found.pop()[:, 0].tolist() if has_norms else []
        if not found:
            return Numbers([], None, norms)
        statistics = rows.statistics(*found[:2])
        patterns = _with_zeros(found[2], zeros) if details else None
        return Numbers(statistics, patterns, norms, not all(_is_sound(row, bounds) for row in statistics))

    return Measurement(values, numbers)


def _bounds(elements: torch.Tensor) -> tuple[float, float]:
    """Between what sums of squares can be had quickly."""
    is_exact = (elements.dtype, flat.wide(elements.device)) == (torch.float32, torch.float64)
    # Squares of floats don't leave the range of doubles, which a device sums them in.
    return (-1.0, math.inf) if is_exact and not flat.is_on_cpu(elements) else (_LEAST_SQUARES, _MOST_SQUARES)


def _is_sound(row: Statistics, bounds: tuple[float, float]) -> bool:
    """Whether a tensor could have been measured quickly."""
    is_finite = not (row.nan or row.positive_infinity or row.negative_infinity)
    return is_finite and bounds[0] < row.norm * row.norm < bounds[1]


@dataclass
class _Sums:
    """One number a chunk."""

    squares: list[torch.Tensor] = field(default_factory=list)
    totals: list[torch.Tensor] = field(default_factory=list)
    magnitudes: list[torch.Tensor] = field(default_factory=list)
    bounds: list[torch.Tensor] = field(default_factory=list)

    def add_details(self, part: torch.Tensor, buffer: torch.Tensor) -> None:
        """Adds a chunk, whose magnitudes fit into the buffer."""
        self.totals.append(part.sum())
        self.magnitudes.append(torch.abs(part, out=buffer[: part.numel()]).sum())
        if part.numel():
            self.bounds += torch.aminmax(part)
        else:
            self.bounds += (part.new_tensor(math.inf), part.new_tensor(-math.inf))


def _quick(tensors: Sequence[Flat], details: bool, norms_of: Sequence[Flat]) -> Measurement:
    everything = [*tensors, *norms_of]
    first = everything[0].elements
    on_cpu, real = flat.is_on_cpu(first), flat.wide(first.device)
    size = _CHUNK if on_cpu else 1 << 62
    longest = max((min(size, tensor.elements.numel()) for tensor in tensors), default=0)
    buffer = first.new_empty(longest) if details and tensors else None
    sums, owners, patterns = _Sums(), [], []
    for index, tensor in enumerate(everything):
        parts = tensor.elements.split(size) if tensor.elements.numel() > size else (tensor.elements,)
        is_detailed = details and index < len(tensors)
        for part in parts:
            owners.append(index)
            if on_cpu:
                sums.squares.append(torch.dot(part, part))
            if is_detailed:
                sums.add_details(part, buffer)
        if is_detailed:
            patterns.append(_patterns(parts, buffer))
    if on_cpu:
        squares = torch.stack(sums.squares).to(real)
    else:
        squares = torch.stack(list(_device_norms(everything, real))).square()
    columns = [torch.stack(values).to(real) for values in (sums.totals, sums.magnitudes, sums.bounds) if values]
    columns += [counts.to(real) for counts in patterns]

    def numbers(values: torch.Tensor) -> Numbers:
        return _decode(values, tensors, everything, owners, details, _bounds(first))

    return Measurement(torch.cat([squares, *columns]), numbers)


def _device_norms(tensors: Sequence[Flat], real: torch.dtype) -> Sequence[torch.Tensor]:
    """All norms in a few launches."""
    elements = [tensor.elements for tensor in tensors]
    try:
        return [norm.to(real) for norm in torch._foreach_norm(elements, 2, real)]
    except (AttributeError, TypeError, RuntimeError):
        # It is private, and may go.
        return [torch.linalg.vector_norm(values, dtype=real) for values in elements]


def _patterns(parts: Sequence[torch.Tensor], buffer: torch.Tensor) -> torch.Tensor:
    """How often each sign and exponent is there; the buffer has room for a part's."""
    bits, shift, count = flat.pattern_layout(parts[0].dtype)
    result = torch.zeros(count, dtype=torch.int64, device="cpu")
    for part in parts:
        indices = torch.bitwise_right_shift(part.view(bits), shift, out=buffer[: part.numel()].view(bits))
        indices.bitwise_and_(count - 1)
        result += torch.bincount(indices, minlength=count)
    return result


def _decode(
    values: torch.Tensor,
    tensors: Sequence[Flat],
    everything: Sequence[Flat],
    owners: list[int],
    details: bool,
    bounds: tuple[float, float],
) -> Numbers:
    place = 0

    def take(count: int) -> list[float]:
        nonlocal place
        place += count
        return values[place - count : place].tolist()

    detailed = sum(owner < len(tensors) for owner in owners) if details else 0
    squares, totals, magnitudes, extremes = take(len(owners)), take(detailed), take(detailed), take(2 * detailed)
    patterns = values[place:].reshape(len(tensors), -1).long() if detailed else None
    # Whether a tensor has zeros or subnormals, which the first pattern of each sign counts.
    small = (patterns.view(len(tensors), 2, -1)[:, :, 0] > 0).any(1).tolist() if detailed else []

    chunks: list[list[int]] = [[] for _ in everything]
    for chunk, owner in enumerate(owners):
        chunks[owner].append(chunk)
    found: list[Statistics | None] = []
    for index, (tensor, own) in enumerate(zip(everything, chunks)):
        total = sum(squares[chunk] for chunk in own)
        is_sound = bounds[0] < total < bounds[1] and tensor.count > 0
        if not details or index >= len(tensors):
            found.append(Statistics(math.sqrt(total)) if is_sound else None)
            continue
        count = tensor.count
        mean = sum(totals[chunk] for chunk in own) / count if count else math.nan
        variance = total / count - mean * mean if count else math.nan
        if not is_sound or variance < _LEAST_VARIANCE * total / count:
            found.append(None)
            continue
        least, most = min(extremes[2 * c] for c in own), max(extremes[2 * c + 1] for c in own)
        found.append(
            Statistics(
                norm=math.sqrt(total),
                mean=mean,
                mean_abs=sum(magnitudes[chunk] for chunk in own) / count,
                std=math.sqrt(variance),
                min=min(least, 0.0) if tensor.zeros else least,
                max=max(most, 0.0) if tensor.zeros else most,
                zero=count - _nonzero(tensor, small[index]),
            )
        )
    takes_two_looks = None in found
    for index, tensor in enumerate(everything):
        is_alone = not details or index >= len(tensors)
        if found[index] is None and is_alone and _squares_are_doubles(tensor.elements):
            found[index] = _norm_in_doubles(tensor)
    again = [index for index, row in enumerate(found) if row is None]
    for index, row in zip(again, exact([everything[index] for index in again], details)):
        found[index] = row
    if patterns is not None:
        _with_zeros(patterns, [tensor.zeros for tensor in tensors])
    return Numbers(found[: len(tensors)], patterns, [row.norm for row in found[len(tensors) :]], takes_two_looks)


def _squares_are_doubles(elements: torch.Tensor) -> bool:
    """Whether sums of squares can be had in doubles, whatever the elements are, and without waiting for a device."""
    return elements.dtype == torch.float32 and flat.is_on_cpu(elements)


def _norm_in_doubles(tensor: Flat) -> Statistics:
    """The norm of a tensor of floats, and what isn't finite: squares of floats don't leave the range of doubles."""
    squares, nan, positive, negative = 0.0, 0, 0, 0
    for part in tensor.elements.split(_CHUNK_OF_DOUBLES):
        wide = part.double()
        square = float(torch.dot(wide, wide))
        if not math.isfinite(square):
            nan += int(torch.count_nonzero(part != part))
            positive += int(torch.count_nonzero(part == math.inf))
            negative += int(torch.count_nonzero(part == -math.inf))
            wide.nan_to_num_(0.0, 0.0, 0.0)
            square = float(torch.dot(wide, wide))
        squares += square
    has_finite = tensor.count > nan + positive + negative
    return Statistics(
        math.sqrt(squares) if has_finite else math.nan,
        nan=nan,
        positive_infinity=positive,
        negative_infinity=negative,
    )


def _nonzero(tensor: Flat, has_small: bool) -> int:
    """The number of elements that are not 0; counted only if some are, or are subnormal."""
    return int(torch.count_nonzero(tensor.elements)) if has_small else tensor.elements.numel()


def _with_zeros(patterns: torch.Tensor, zeros: Sequence[int]) -> torch.Tensor:
    """Patterns with the elements, so many a tensor, that sparse ones leave out."""
    for row, count in enumerate(zeros):
        if count:
            patterns[row, 0] += count
    return patterns
