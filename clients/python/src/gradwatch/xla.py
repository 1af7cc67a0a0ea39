"""Statistics of many tensors inside of a computation of XLA, and one array of them to the host."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import arrays
from .columns import Statistics
from .log import LOGGER

SCALARS, NORMS, DETAILS = 1, 2, 3
"""How much is measured on a step: nothing but the loss; norms and non-finite counts; everything."""
_TOGETHER = 1 << 20
"""Elements up to which tensors of a kind are copied side by side, to be measured at once."""


@dataclass
class Record:
    """What was measured of one step, on the host."""

    integers: list[int]
    scalars: list[float]
    statistics: list[Statistics]
    """Of each gradient; empty: not measured."""
    parameter_norms: list[float]
    """Of each parameter; empty: not measured, as below."""
    update_norms: list[float]
    patterns: list[np.ndarray]

    def fill(self, report: Any, ids: Sequence[int], tensor_count: int) -> None:
        """Fills a report in; `ids` are the tensors that were measured."""
        if self.statistics:
            arrays.fill(
                report,
                ids,
                self.statistics,
                tensor_count=tensor_count,
                parameter_norms=self.parameter_norms,
                update_norms=self.update_norms,
                patterns=self.patterns,
            )


@dataclass(frozen=True)
class _Layout:
    """What an array of `_packed` holds, word by word."""

    level: int
    integers: int
    scalars: int
    widths: tuple[int, ...]
    """The number of patterns of each tensor."""
    real: Any
    """The type of floating-point numbers."""
    has_parameters: bool
    has_updates: bool

    def unpacked(self, words: np.ndarray) -> Record:
        """The record that was packed."""
        place = 0

        def take(rows: int, columns: int, kind: Any) -> np.ndarray:
            nonlocal place
            start, place = place, place + rows * columns * np.dtype(kind).itemsize // 4
            return words[start:place].view(kind).reshape(rows, columns)

        count = len(self.widths)
        integers = take(1, self.integers, np.int32)[0].tolist()
        scalars = take(1, self.scalars, self.real)[0].tolist()
        statistics, parameter_norms, update_norms, patterns = [], [], [], []
        if self.level == NORMS:
            reals, counts = take(count, 1, self.real).tolist(), take(count, 3, np.uint32).tolist()
            statistics = [
                Statistics(norm, nan=nan, positive_infinity=positive, negative_infinity=negative)
                for (norm,), (nan, positive, negative) in zip(reals, counts)
            ]
        elif self.level == DETAILS:
            reals, counts = take(count, 6, self.real).tolist(), take(count, 4, np.uint32).tolist()
            statistics = [
                Statistics(*real, zero=zero, nan=nan, positive_infinity=positive, negative_infinity=negative)
                for real, (nan, positive, negative, zero) in zip(reals, counts)
            ]
            if self.has_parameters:
                parameter_norms = take(count, 1, self.real)[:, 0].tolist()
            if self.has_updates:
                update_norms = take(count, 1, self.real)[:, 0].tolist()
            patterns = [take(1, width, np.uint32)[0].astype(np.int64) for width in self.widths]
        return Record(integers, scalars, statistics, parameter_norms, update_norms, patterns)


def level_of(step: jax.Array, every: int, details_every: int) -> jax.Array:
    """How much is measured on a step of that number."""
    level = jnp.where(step % every == 0, NORMS, SCALARS)
    return jnp.where(step % details_every == 0, DETAILS, level) if details_every else level


def record(
    level: jax.Array,
    has_details: bool,
    integers: Sequence[Any],
    scalars: Sequence[Any],
    gradients: Sequence[jax.Array],
    parameters: Sequence[jax.Array] | None,
    updates: Sequence[jax.Array] | None,
    receive: Callable[[Record], None],
) -> None:
    """Has a step measured as its level says, and `receive` called with that on the host, on another thread.

    Level 0: nothing happens. Without `has_details` the level is never DETAILS, and no time goes into compiling that.
    What `receive` raises is logged, and goes no further.
    """
    real = jnp.result_type(float)
    widths = tuple(_bits(gradient)[2] for gradient in gradients)

    def branch(level: int) -> Callable[[], None]:
        layout = _Layout(
            level, len(integers), len(scalars), widths, np.dtype(real), parameters is not None, updates is not None
        )

        def run() -> None:
            words = _packed(layout, integers, scalars, gradients, parameters, updates)
            jax.debug.callback(functools.partial(_deliver, layout, receive), words)

        return run

    levels = (SCALARS, NORMS, DETAILS) if has_details else (SCALARS, NORMS)
    lax.switch(level, [lambda: None, *map(branch, levels)])


def _deliver(layout: _Layout, receive: Callable[[Record], None], words: Any) -> None:
    try:
        receive(layout.unpacked(np.array(words)))
    except Exception:  # Whatever it is, training goes on.
        LOGGER.exception("a step could not be reported")


def _packed(layout, integers, scalars, gradients, parameters, updates) -> jax.Array:
    """Everything as one array of 32-bit words, so that one copy brings it to the host."""
    parts = [_words(jnp.stack([jnp.asarray(number, jnp.int32).reshape(()) for number in integers]))]
    parts.append(_words(jnp.stack([jnp.asarray(number).astype(layout.real).reshape(()) for number in scalars])))
    if layout.level >= NORMS and gradients:
        is_detailed = layout.level == DETAILS
        reals, counts = (_measured if is_detailed else _norms)(gradients, layout.real)
        parts += [_words(reals), _words(counts)]
        if is_detailed:
            for tensors in (parameters, updates):
                if tensors is not None:
                    parts.append(_words(_norms(tensors, layout.real)[0]))
            parts += _of_each(gradients, _patterns)
    return jnp.concatenate(parts)


def _words(numbers: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(numbers, jnp.uint32).reshape(-1)


def _norms(tensors: Sequence[jax.Array], real: Any) -> tuple[jax.Array, jax.Array]:
    """Norms, and non-finite counts: the first columns of `_measured`."""

    def plain() -> tuple[jax.Array, jax.Array]:
        norms = jnp.stack([jnp.sqrt(square).astype(real) for square in squares])
        return norms[:, None], jnp.zeros((len(tensors), 3), jnp.uint32)

    def careful() -> tuple[jax.Array, jax.Array]:
        reals, counts = _measured(tensors, real)
        return reals[:, :1], counts[:, :3]

    values = [_real(tensor) for tensor in tensors]
    squares = [jnp.sum(elements * elements) for elements in values]
    # Between these bounds nothing was lost; what isn't finite is beyond them, as sums of it are.
    is_sound = [
        ((1e-30 < square) & (square < 1e30)) | (jnp.abs(elements).max() == 0)
        for square, elements in zip(squares, values)
    ]
    return lax.cond(jnp.stack(is_sound).all(), plain, careful)


def _measured(tensors: Sequence[jax.Array], real: Any) -> tuple[jax.Array, jax.Array]:
    """Floating-point statistics and counts, a row a tensor, in the order of `_Layout.unpacked`."""
    rows = _of_each(tensors, functools.partial(_statistics, real))
    return jnp.stack([reals for reals, _ in rows]), jnp.stack([counts for _, counts in rows])


def _of_each(tensors: Sequence[jax.Array], function: Callable[[jax.Array], Any]) -> list[Any]:
    """A function of each tensor. Small ones of a kind go together: it is compiled once for them."""
    groups: dict[Any, list[int]] = {}
    for place, tensor in enumerate(tensors):
        alone = place if tensor.size > _TOGETHER else None
        groups.setdefault((tensor.shape, tensor.dtype, alone), []).append(place)
    results: list[Any] = [None] * len(tensors)
    for places in groups.values():
        if len(places) == 1:
            results[places[0]] = function(tensors[places[0]])
            continue
        found = jax.vmap(function)(jnp.stack([tensors[place] for place in places]))
        for index, place in enumerate(places):
            results[place] = jax.tree.map(lambda column: column[index], found)
    return results


def _statistics(real: Any, tensor: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A row of statistics of the finite elements, and one of counts."""
    values = _real(tensor)
    is_finite = jnp.isfinite(values)
    # To XLA on a CPU, subnormal numbers are 0.
    masks = [is_finite, values == math.inf, values == -math.inf, values == 0]
    (finite_count, positive, negative, zero), least, most = _folded(masks, values, is_finite)
    # As shares of the largest element: squares neither overflow nor vanish.
    largest = jnp.maximum(-least, most)
    unit = jnp.where((0 < largest) & (largest < math.inf), largest, 1)
    shares = jnp.where(is_finite, values, 0) / unit
    none = jnp.where(finite_count > 0, 0.0, math.nan)
    count = finite_count.astype(values.dtype)
    mean = shares.sum() / count
    deviations = jnp.where(is_finite, shares - mean, 0)
    reals = [
        unit * jnp.sqrt(jnp.sum(shares * shares)) + none,
        unit * mean,
        unit * jnp.abs(shares).sum() / count,
        unit * jnp.sqrt(jnp.sum(deviations * deviations) / count),
        least + none,
        most + none,
    ]
    counts = [values.size - finite_count - positive - negative, positive, negative, zero]
    return jnp.stack(reals).astype(real), jnp.stack(counts).astype(jnp.uint32)


def _folded(masks: list[jax.Array], values: jax.Array, is_finite: jax.Array) -> tuple[tuple, jax.Array, jax.Array]:
    """How often each mask holds, and the least and largest finite value, in one pass.

    XLA's own sums of integers take 20 times as long on a CPU. Its sums of floats don't, and lose fewer digits
    than sums that share a pass: those are not made here.
    """
    infinity = jnp.asarray(math.inf, values.dtype)
    operands = [mask.astype(jnp.uint32) for mask in masks]
    operands += [jnp.where(is_finite, values, infinity), jnp.where(is_finite, values, -infinity)]
    starts = [jnp.uint32(0)] * len(masks) + [infinity, -infinity]

    def fold(left: tuple, right: tuple) -> tuple:
        sums = [a + b for a, b in zip(left[:-2], right[:-2])]
        return *sums, lax.min(left[-2], right[-2]), lax.max(left[-1], right[-1])

    *counts, least, most = lax.reduce(tuple(operands), tuple(starts), fold, tuple(range(values.ndim)))
    return tuple(counts), least, most


def _patterns(tensor: jax.Array) -> jax.Array:
    """How often each pattern of sign and exponent is there."""
    bits, shift, count = _bits(tensor)
    indices = (bits >> shift).astype(jnp.int32).reshape(-1)
    return jnp.zeros(count, jnp.uint32).at[indices].add(1)


def _bits(tensor: jax.Array) -> tuple[jax.Array, int, int]:
    """The bits of the elements, where the exponent begins, and how many patterns of it and the sign there are."""
    values = _real(tensor)
    if values.dtype == jnp.float64:
        return lax.bitcast_convert_type(values, jnp.uint64), 52, 4096
    return lax.bitcast_convert_type(values, jnp.uint32), 23, 512


def _real(tensor: jax.Array) -> jax.Array:
    """The elements as floats or doubles; of complex ones, both parts."""
    tensor = jnp.asarray(tensor)
    if jnp.iscomplexobj(tensor):
        tensor = jnp.stack([tensor.real, tensor.imag], -1)
    return tensor if tensor.dtype == jnp.float64 else tensor.astype(jnp.float32)
