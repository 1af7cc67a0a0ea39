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
import weakref
from typing import Any, Mapping, NamedTuple

import jax
import jax.numpy as jnp

import gradwatch

from . import arrays
from .errors import GradwatchError, check_intervals
from .run import Run
from .text import line
from .v1 import model_pb2
from .xla import Record, level_of, record

__all__ = ["WatchState", "watch"]

_WATCHED: weakref.WeakSet[Run] = weakref.WeakSet()
"""The runs that have a watched optimizer."""


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
    each step with its loss, before the next one begins: it waits for the step, as `float(loss)` does. Not to wait, say
    of which step a loss is, `run.log(loss=..., step=...)`, after the next step was begun, with whatever else is said of
    that step. Without `step` it would join the step that was measured last; and what is a step later still is left out.

    The order of the forward pass is not known: layers are in the order of the parameters, `Dense_2` before
    `Dense_10`. A learning rate is seen if `optax.inject_hyperparams` holds it. Under `shard_map` or `pmap` the first
    device to report a step is heard. Of several JAX processes only one may have a run that isn't disabled.

    A run has one watched optimizer: two, such as those of a GAN, count their updates apart, and have models of their
    own. Give each a run, `watch(optimizer, gradwatch.init(...))`.

    Raises GradwatchError for an interval below 0, if there is no run, or if it has a watched optimizer.
    """
    import optax

    check_intervals(every, details_every)
    run = run or gradwatch.run
    if run is None:
        raise GradwatchError("no run: call gradwatch.init first")
    if run in _WATCHED:
        raise GradwatchError(
            f"run {run.id}: expected one watched optimizer, found a second: give it a run of its own,"
            ' gradwatch.jax.watch(optimizer, gradwatch.init(reinit="create_new"))'
        )
    _WATCHED.add(run)
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
            report = self._run.begin(self, step)
            loss, rate = found.scalars
            if math.isfinite(rate):
                report.learning_rate = rate
            found.fill(report, [self._ids[path] for path in paths], len(self._ids))
            self._run.end(self, loss if has_loss else None)

    def close(self) -> None:
        """Waits for the steps that are under way, and follows no more."""
        jax.effects_barrier()
        self._is_closed = True


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
            model.layers.add(name=line(path or "parameters"), module_type=kind[1] if kind else "")
        layer = model.layers[layers[path]]
        layer.normalization = arrays.normalization(layer.module_type)
        shape = tuple(leaf.shape) + ((2,) if jnp.issubdtype(leaf.dtype, jnp.complexfloating) else ())
        role = arrays.role(parameter, len(leaf.shape), siblings[path])
        if role == model_pb2.TENSOR_ROLE_WEIGHT and (fans := arrays.fans(parameter, leaf.shape, layer.module_type)):
            layer.fan_in, layer.fan_out = fans
        ids["/".join(keys)] = len(model.tensors)
        model.tensors.add(
            name=line("/".join(keys)),
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
