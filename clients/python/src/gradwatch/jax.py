"""JAX: every parameter's gradients, as an optax optimizer is given them, from inside a jitted step.

```python
optimizer = gradwatch.jax.watch(optax.adam(1e-3))

@jax.jit
def step(parameters, state, batch):
    loss, gradients = jax.value_and_grad(loss_of)(parameters, batch)
    updates, state = optimizer.update(gradients, state, parameters, value=loss)
    return optax.apply_updates(parameters, updates), state
```

Everything is measured on the device, by XLA; a step's numbers come to the host as one small array.
"""

from __future__ import annotations

import functools
import math
import re
import threading
from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import gradwatch

from . import arrays
from .columns import Statistics
from .errors import GradwatchError
from .log import LOGGER
from .run import Run
from .v1 import model_pb2

__all__ = ["WatchState", "watch"]

SCALARS, NORMS, DETAILS = 1, 2, 3
"""How much is measured on a step: nothing but the loss; norms and non-finite counts; everything."""
_TOGETHER = 1 << 20
"""Elements up to which tensors of a kind are copied side by side, to be measured at once."""


class WatchState(NamedTuple):
    """The state of a watched optimizer."""

    count: jax.Array
    """Updates so far: the number of the next one."""
    total: jax.Array
    """The sum of the losses of the micro-batches since the last update."""
    inner: Any
    """The state of the optimizer itself."""


def watch(optimizer: Any, run: Run | None = None, *, every: int = 1, details_every: int = 10) -> Any:
    """An optax optimizer that does what the given one does, and reports each step to a run, or to the current one.

    Put it around the whole optimizer: it sees gradients before clipping, and what becomes of them. Around
    `optax.MultiSteps` it reports one step an update, with the mean of the gradients and losses.

    - every: norms and non-finite counts on each step that it divides. Other steps carry the loss alone.
    - details_every: mean, mean magnitude, deviation, extremes, zeros and histograms, and the norms of parameters and
      of what the step changes, on each step that it divides; 0: never.

    Steps have the numbers of the optimizer's state, which a checkpoint keeps. Losses come as
    `optimizer.update(..., value=loss)`, and the step is sent at once. Where that can't be had, call `run.log` after
    each step with its loss, before the next one begins: it waits for the step, as `float(loss)` does.

    The order of the forward pass is not known: layers are in the order of the parameters, `Dense_2` before
    `Dense_10`. A learning rate is seen if `optax.inject_hyperparams` holds it. Under `shard_map` or `pmap` the first
    device to report a step is heard. Of several JAX processes only one may have a run that isn't disabled.

    Raises GradwatchError for an interval below 0, or if there is no run.
    """
    import optax

    if every < 1 or details_every < 0:
        raise GradwatchError(f"every, details_every: expected at least 1 and 0, found {every} and {details_every}")
    run = run or gradwatch.run
    if run is None:
        raise GradwatchError("no run: call gradwatch.init first")
    inner = optax.with_extra_args_support(optimizer)
    watcher = _Watcher(run)
    run.expect(watcher.close)

    def init(parameters: Any) -> WatchState:
        watcher.describe(parameters)
        return WatchState(jnp.zeros([], jnp.int32), jnp.zeros([], float), inner.init(parameters))

    def update(
        gradients: Any, state: WatchState, params: Any = None, *, value: Any = None, **more: Any
    ) -> tuple[Any, WatchState]:
        if value is not None:
            more["value"] = value
        updates, after = inner.update(gradients, state.inner, params, **more)
        watcher.describe(gradients if params is None else params)
        found = _leaves(gradients)
        total = state.total + (0.0 if value is None else jnp.asarray(value, float).reshape(()))
        is_update, batches = True, 1
        if isinstance(state.inner, optax.MultiStepsState):
            before = state.inner
            is_update, batches = after.gradient_step != before.gradient_step, before.mini_step + 1
            means = _leaves(before.acc_grads)
            found = {path: means[path] + (leaf - means[path]) / batches for path, leaf in found.items()}
        record(
            jnp.where(is_update, level_of(state.count, every, details_every), 0),
            details_every > 0,
            [state.count],
            [math.nan if value is None else total / batches, _learning_rate(after)],
            list(found.values()),
            None if params is None else _same(found, params),
            _same(found, updates),
            functools.partial(watcher.receive, tuple(found), value is not None),
        )
        return updates, WatchState(
            jnp.where(is_update, optax.safe_increment(state.count), state.count),
            jnp.where(is_update, 0.0, total),
            after,
        )

    return optax.GradientTransformationExtraArgs(init, update)


class _Watcher:
    """Fills in the reports of one optimizer; called by JAX's threads."""

    def __init__(self, run: Run):
        self._run = run
        self._lock = threading.Lock()
        self._ids: dict[str, int] = {}
        self._last_step = -1
        self._is_closed = False

    def describe(self, parameters: Any) -> None:
        """Registers the model; the first time counts."""
        if not self._ids:
            model, self._ids = describe(parameters)
            self._run.describe(model, f"jax {jax.__version__}")

    def receive(self, paths: tuple[str, ...], has_loss: bool, found: Record) -> None:
        """Takes what was measured of a step, with gradients of the leaves at these paths."""
        with self._lock:
            step = found.integers[0]
            if self._is_closed or step == self._last_step:
                return
            self._last_step = step
            report = self._run.begin(self)
            self._run.log(step=step, commit=False)
            loss, rate = found.scalars
            if math.isfinite(rate):
                report.learning_rate = rate
            found.fill(report, [self._ids[path] for path in paths], len(self._ids))
            self._run.end(self)
            if has_loss:
                self._run.log(loss=loss)

    def close(self) -> None:
        """Waits for the steps that are under way, and follows no more."""
        jax.effects_barrier()
        self._is_closed = True


# On the device


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


def _learning_rate(state: Any) -> Any:
    """The first learning rate that `optax.inject_hyperparams` holds in a state; NaN if there is none."""
    for node in jax.tree.leaves(state, is_leaf=lambda node: hasattr(node, "hyperparams")):
        if "learning_rate" in (getattr(node, "hyperparams", None) or {}):
            return node.hyperparams["learning_rate"]
    return math.nan


# The model


def describe(parameters: Any) -> tuple[model_pb2.Model, dict[str, int]]:
    """The model of a tree of parameters, a layer for each innermost container; and the tensors' ids by their paths."""
    model, ids = model_pb2.Model(), {}
    layers: dict[str, int] = {}
    leaves = _in_order(parameters)
    siblings: dict[str, list[str]] = {}
    for keys, _ in leaves:
        siblings.setdefault("/".join(keys[:-1]), []).append(keys[-1])
    for keys, leaf in leaves:
        path, parameter = "/".join(keys[:-1]), keys[-1]
        if path not in layers:
            layers[path] = len(model.layers)
            # Flax calls a layer that has no name of its own by its class and a number.
            kind = re.fullmatch(r"([A-Z]\w*)_\d+", keys[-2] if len(keys) > 1 else "")
            model.layers.add(name=arrays.name(path or "parameters"), module_type=kind[1] if kind else "")
        layer = model.layers[layers[path]]
        layer.normalization = arrays.normalization(layer.module_type)
        shape = tuple(leaf.shape) + ((2,) if jnp.issubdtype(leaf.dtype, jnp.complexfloating) else ())
        role = arrays.role(parameter, len(leaf.shape), siblings[path])
        if role == model_pb2.TENSOR_ROLE_WEIGHT and (fans := arrays.fans(parameter, leaf.shape, layer.module_type)):
            layer.fan_in, layer.fan_out = fans
        ids["/".join(keys)] = len(model.tensors)
        model.tensors.add(
            name=arrays.name("/".join(keys)),
            layer_id=layers[path],
            role=role,
            shape=shape,
            element_count=math.prod(shape),
        )
    return model, ids


def _in_order(tree: Any) -> list[tuple[list[str], Any]]:
    """The leaves that are watched, and their paths: in a dict by name and number, unless it has an order of its own."""
    found = []
    ranks: dict[tuple, dict[str, int]] = {}
    for path, leaf in _flat(tree):
        place, node = [], tree
        for depth, key in enumerate(path):
            known = ranks.setdefault(path[:depth], _ranks(node))
            place.append(known.setdefault(_text(key), len(known)))
            node = _member(node, key)
        found.append((place, _keys(path), leaf))
    return [(keys, leaf) for _, keys, leaf in sorted(found, key=lambda item: item[0])]


def _ranks(node: Any) -> dict[str, int]:
    """The places of a dict's members. Whatever passed through JAX is sorted by name, `Dense_10` before `Dense_2`."""
    if not isinstance(node, Mapping):
        return {}
    names = [str(name) for name in node]
    if names == sorted(names):
        names.sort(key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])
    return {name: rank for rank, name in enumerate(names)}


def _member(node: Any, key: Any) -> Any:
    """What is in a container at a step of a path; `None` if it can't be reached so."""
    if isinstance(node, Mapping):
        return node.get(getattr(key, "key", None))
    return node[key.idx] if isinstance(node, (list, tuple)) and hasattr(key, "idx") else None


def _leaves(tree: Any) -> dict[str, Any]:
    """The leaves that are watched, by their paths."""
    return {"/".join(_keys(path)): leaf for path, leaf in _flat(tree)}


def _same(found: Mapping[str, Any], tree: Any) -> list[Any]:
    """The leaves of another tree at the same paths."""
    leaves = _leaves(tree)
    return [leaves[path] for path in found]


def _flat(tree: Any) -> list[tuple[Any, Any]]:
    """The leaves that can have gradients, and their paths."""
    return [
        (path, leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
        if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) and math.prod(jnp.shape(leaf)) > 0
    ]


def _keys(path: Any) -> list[str]:
    return [_text(key) for key in path] or ["parameters"]


def _text(key: Any) -> str:
    """The name, or number, of a step on the way to a leaf."""
    return str(next((getattr(key, name) for name in ("key", "name", "idx") if hasattr(key, name)), key))
