"""Statistics of many tensors in few passes, and with one copy from their device."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Sequence

import torch

from ..columns import Statistics

_CHUNK = 1 << 18
"""Elements that stay in a core's cache over several passes, and that a float can sum up to six digits."""
_DEVICE_CHUNK = 1 << 24
"""Elements whose bucket numbers a device holds at a time."""
_EXACT_CHUNK = 1 << 22
"""Elements that are held as doubles at a time."""
_LEAST_SQUARES, _MOST_SQUARES = 1e-30, 1e30
"""Between them sums of squares can be had in floats. Beyond them, or where something is not finite, doubles sum."""
_LEAST_VARIANCE = 0.02
"""The share of the mean square below which the variance, a difference, has lost too many digits."""


@dataclass
class Flat:
    """A tensor's elements in a row, as floats or doubles."""

    elements: torch.Tensor
    zeros: int = 0
    """How many more elements there are, all 0: those that a sparse tensor leaves out."""

    @property
    def count(self) -> int:
        """The number of elements."""
        return self.elements.numel() + self.zeros

    @staticmethod
    def of(tensor: torch.Tensor) -> Flat:
        """The elements of any tensor, in the order of memory where that saves a copy."""
        tensor, zeros = tensor.detach(), 0
        if tensor.layout == torch.sparse_coo:
            values = tensor.coalesce().values()
            zeros = tensor.numel() - values.numel()
            tensor = values
        elif tensor.layout != torch.strided:
            tensor = tensor.to_dense()
        if tensor.is_complex():
            tensor, zeros = torch.view_as_real(tensor), 2 * zeros
        if tensor.dtype not in (torch.float32, torch.float64):
            tensor = tensor.float()
        if not tensor.is_contiguous():
            # A transposed or channels-last tensor is a row of its own.
            order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
            tensor = tensor.permute(order).contiguous()
        return Flat(tensor.view(-1), zeros)


def groups(*lists: Sequence[Flat]) -> list[list[int]]:
    """The places of tensors that can be measured at once: of one device and dtype in each list; empty lists don't count."""
    found: dict[Any, list[int]] = {}
    for place, flats in enumerate(zip(*[flats for flats in lists if flats])):
        key = tuple((flat.elements.device, flat.elements.dtype) for flat in flats)
        found.setdefault(key, []).append(place)
    return list(found.values())


@dataclass
class Numbers:
    """What was measured at once."""

    statistics: list[Statistics]
    """Of each tensor that was asked for; only norms if no more was."""
    patterns: torch.Tensor | None
    """How often each pattern of sign and exponent is there: a row a tensor, on the CPU. 512 or 4,096 columns."""
    norms: list[float]
    """Of each tensor whose norm alone was asked for."""
    scalars: list[float]
    """The numbers that came along."""


@dataclass
class _Sums:
    """One number a chunk, on the device."""

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


def measure(
    tensors: Sequence[Flat],
    *,
    details: bool,
    norms_of: Sequence[Flat] = (),
    scalars: Sequence[torch.Tensor] = (),
) -> Numbers:
    """Measures tensors of one device and dtype, and copies everything from the device at once.

    Norms, or with `details` everything. A second copy follows only for a tensor in which something is not
    finite, or too large or too small for floats.
    """
    everything = [*tensors, *norms_of]
    if not everything and not scalars:
        return Numbers([], None, [], [])
    device = (everything[0].elements if everything else scalars[0]).device
    on_cpu = is_on_cpu(everything[0].elements if everything else scalars[0])
    size = _CHUNK if on_cpu else 1 << 62
    longest = max((min(size, tensor.elements.numel()) for tensor in tensors), default=0)
    buffer = tensors[0].elements.new_empty(longest) if details and tensors else None
    sums, owners = _Sums(), []
    patterns, zeros = [], []
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
            if not on_cpu:
                zeros.append(torch.count_nonzero(tensor.elements))
    if not on_cpu and everything:
        sums.squares = [norm * norm for norm in _device_norms(everything)]
    columns = [
        torch.stack(values).double()
        for values in (sums.squares, sums.totals, sums.magnitudes, sums.bounds, zeros)
        if values
    ]
    columns += [scalar.detach().reshape(1).to(device).double() for scalar in scalars]
    columns += [counts.double() for counts in patterns]
    numbers = torch.cat(columns).cpu()
    return _decode(numbers, tensors, everything, owners, details, len(zeros), len(scalars))


def is_on_cpu(tensor: torch.Tensor) -> bool:
    """Whether its numbers can be had without waiting for a device."""
    return tensor.device.type == "cpu"


def _device_norms(tensors: Sequence[Flat]) -> Sequence[torch.Tensor]:
    """All norms in a few launches, summed in doubles where the device has them."""
    elements = [tensor.elements for tensor in tensors]
    dtype = None if elements[0].device.type == "mps" else torch.float64
    try:
        return torch._foreach_norm(elements, 2, dtype)
    except (AttributeError, TypeError, RuntimeError):
        # It is private, and may go.
        return [torch.linalg.vector_norm(values, dtype=dtype) for values in elements]


def _patterns(parts: Sequence[torch.Tensor], buffer: torch.Tensor) -> torch.Tensor:
    """How often each sign and exponent is there: 512 patterns of floats, 4,096 of doubles.

    The buffer has room for a part's.
    """
    single = parts[0].dtype == torch.float32
    bits, shift, count = (torch.int32, 23, 512) if single else (torch.int64, 52, 4096)
    device = parts[0].device
    result = torch.zeros(count, dtype=torch.int64, device=device)
    for part in parts:
        if is_on_cpu(part):
            indices = torch.bitwise_right_shift(part.view(bits), shift, out=buffer[: part.numel()].view(bits))
            indices.bitwise_and_(count - 1)
            result += torch.bincount(indices, minlength=count)
            continue
        # There bincount waits for the device, to know its largest index.
        for piece in part.split(_DEVICE_CHUNK):
            indices = (piece.view(bits) >> shift).bitwise_and_(count - 1).long()
            result.scatter_add_(0, indices, indices.new_ones(1).expand_as(indices))
    return result


def _decode(
    numbers: torch.Tensor,
    tensors: Sequence[Flat],
    everything: Sequence[Flat],
    owners: list[int],
    details: bool,
    zero_count: int,
    scalar_count: int,
) -> Numbers:
    place = 0

    def take(count: int) -> list[float]:
        nonlocal place
        place += count
        return numbers[place - count : place].tolist()

    detailed = sum(owner < len(tensors) for owner in owners) if details else 0
    squares, totals, magnitudes, bounds = take(len(owners)), take(detailed), take(detailed), take(2 * detailed)
    nonzeros, scalars = take(zero_count), take(scalar_count)
    patterns = numbers[place:].reshape(len(tensors), -1).long() if detailed else None
    # Whether a tensor has zeros or subnormals, which the first pattern of each sign counts.
    small = (patterns.view(len(tensors), 2, -1)[:, :, 0] > 0).any(1).tolist() if detailed else []

    chunks: list[list[int]] = [[] for _ in everything]
    for chunk, owner in enumerate(owners):
        chunks[owner].append(chunk)
    statistics: list[Statistics] = []
    norms: list[float] = []
    for index, (tensor, own) in enumerate(zip(everything, chunks)):
        total = sum(squares[chunk] for chunk in own)
        is_sound = _LEAST_SQUARES < total < _MOST_SQUARES
        if index >= len(tensors):
            norms.append(math.sqrt(total) if is_sound else exact(tensor).norm)
            continue
        if not details:
            statistics.append(Statistics(math.sqrt(total)) if is_sound else exact(tensor))
            continue
        count = tensor.count
        mean = sum(totals[chunk] for chunk in own) / count if count else math.nan
        variance = total / count - mean * mean if count else math.nan
        if not is_sound or variance < _LEAST_VARIANCE * total / count:
            statistics.append(exact(tensor))
            continue
        least, most = min(bounds[2 * c] for c in own), max(bounds[2 * c + 1] for c in own)
        statistics.append(
            Statistics(
                norm=math.sqrt(total),
                mean=mean,
                mean_abs=sum(magnitudes[chunk] for chunk in own) / count,
                std=math.sqrt(variance),
                min=min(least, 0.0) if tensor.zeros else least,
                max=max(most, 0.0) if tensor.zeros else most,
                zero=count - (int(nonzeros[index]) if nonzeros else _nonzero(tensor, small[index])),
            )
        )
    if patterns is not None:
        for row, tensor in enumerate(tensors):
            if tensor.zeros:
                patterns[row, 0] += tensor.zeros
    return Numbers(statistics, patterns, norms, scalars)


def _nonzero(tensor: Flat, has_small: bool) -> int:
    """The number of elements that are not 0; counted only if some are, or are subnormal."""
    return int(torch.count_nonzero(tensor.elements)) if has_small else tensor.elements.numel()


def exact(tensor: Flat) -> Statistics:
    """The statistics of one tensor in doubles, whatever is in it."""
    zeros = tensor.zeros
    counts = {"nan": 0, "positive_infinity": 0, "negative_infinity": 0}
    count, mean, deviations, magnitude, scaled_squares = zeros, 0.0, 0.0, 0.0, 0.0
    least, most = (0.0, 0.0) if zeros else (math.inf, -math.inf)
    scale = _scale(tensor.elements)
    for part in tensor.elements.split(_EXACT_CHUNK):
        is_finite = part.isfinite()
        finite = part[is_finite].double()
        if finite.numel() < part.numel():
            rest = part[~is_finite]
            counts["nan"] += int(rest.isnan().sum())
            counts["positive_infinity"] += int((rest == math.inf).sum())
            counts["negative_infinity"] += int((rest == -math.inf).sum())
        if finite.numel() == 0:
            continue
        zeros += finite.numel() - int(torch.count_nonzero(finite))
        finite /= scale
        own, part_mean = finite.numel(), finite.mean().item()
        # Chan, Golub, LeVeque 1979: the sums of squared deviations of two parts, merged.
        delta = part_mean - mean
        deviations += (finite - part_mean).square_().sum().item() + delta * delta * count * own / (count + own)
        mean += delta * own / (count + own)
        count += own
        magnitude += finite.abs().sum().item()
        scaled_squares += finite.square().sum().item()
        least, most = min(least, finite.min().item() * scale), max(most, finite.max().item() * scale)
    if count == 0:
        return Statistics(math.nan, **counts)
    return Statistics(
        norm=scale * math.sqrt(scaled_squares),
        mean=scale * mean,
        mean_abs=scale * magnitude / count,
        std=scale * math.sqrt(deviations / count),
        min=least,
        max=most,
        zero=zeros,
        **counts,
    )


def _scale(elements: torch.Tensor) -> float:
    """What to divide by so that squares of doubles neither overflow nor vanish: a power of 2."""
    if elements.dtype != torch.float64 or elements.numel() == 0:
        return 1.0
    largest = torch.where(elements.isfinite(), elements.abs(), 0.0).max().item()
    return 2.0 ** math.frexp(largest)[1] if largest > 0 and not 1e-100 < largest < 1e100 else 1.0
