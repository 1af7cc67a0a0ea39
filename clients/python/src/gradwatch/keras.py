"""Keras 3: a callback that reports each optimizer step of `fit`, with the PyTorch and the JAX back end.

```python
model.fit(x, y, callbacks=[gradwatch.keras.GradwatchCallback(project="digits")])
```
"""

from __future__ import annotations

import functools
import math
import threading
from typing import Any, Callable, Iterator, Sequence

import keras

from . import arrays
from .columns import Statistics
from .errors import GradwatchError
from .run import Run
from .text import line
from .v1 import model_pb2, step_report_pb2

__all__ = ["GradwatchCallback"]

_ACTIVATION_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "PReLU": "prelu", "ReLU": "relu", "Softmax": "softmax"}
_PASSING_LAYERS = ("Dropout", "Flatten", "Reshape", "Permute")
"""Layers that keep values as they are."""


class GradwatchCallback(keras.callbacks.Callback):
    """Watches the model that is fitted: gradients before clipping, and the loss of each optimizer step.

    The loss is the batch's own, not the mean since the epoch began that Keras shows. With
    `gradient_accumulation_steps` a step has the mean of the gradients and losses of its batches. With the JAX back
    end everything is measured inside the jitted step.

    A training step of one's own is followed if it calls `optimizer.apply` (or `stateless_apply`); its loss is seen
    if it updates a metric that is called `loss`. What is logged beside the callback when a step was taken joins the
    next one. Keras tells no callback of errors: a run of which `fit` raises
    ends with the process, or with `with gradwatch.init(...)`, and as failed then.
    """

    def __init__(
        self, run: Run | None = None, *, every: int = 1, details_every: int = 10, updates: bool = True, **options: Any
    ):
        """Reports to a run, by default the current one.

        If there is none, each fit has a run of its own, which ends with it: with `options` for `gradwatch.init`, and
        the optimizer's settings unless they have a `config`. `every`, `details_every` and `updates` are those of
        `gradwatch.watch`.

        Raises GradwatchError for an interval below 0, or with another back end.
        """
        super().__init__()
        if keras.backend.backend() not in ("torch", "jax"):
            raise GradwatchError(
                f"KERAS_BACKEND: expected torch or jax, found {keras.backend.backend()}: it is not supported"
            )
        if every < 1 or details_every < 0:
            raise GradwatchError(f"every, details_every: expected at least 1 and 0, found {every} and {details_every}")
        self._given, self._options = run, options
        self._every, self._details_every, self._measures_updates = every, details_every, updates
        self._run: Run | None = None
        # With JAX, asking for `self.model` takes the state out of the step that is under way.
        self._watched: Any = None
        self._optimizer: Any = None
        self._is_ours = self._is_testing = False
        self._replaced: list[tuple[Any, str]] = []
        self._lock = threading.Lock()
        self._losses: list[Any] = []
        # With JAX a step and its loss are heard of apart, in either order.
        self._has_loss = self._is_loss_whole = False
        self._heard: tuple | None = None
        self._ids: dict[int, int] = {}
        self._tensor_count = 0
        self._batches = 0
        self._is_update: Any = True

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins the run, and follows the optimizer."""
        self.close()
        self._watched = model = self.model
        self._optimizer = optimizer = model.optimizer
        config = {"optimizer": {"class": type(optimizer).__name__, **optimizer.get_config()}, "fit": self.params}
        self._run, self._is_ours = arrays.open_run(self._given, {"config": config, **self._options})
        described, ids = describe(model)
        self._tensor_count = len(described.tensors)
        self._ids = {id(variable): ids[id(variable)] for variable in model.trainable_variables}
        self._losses.clear()
        self._has_loss = self._is_loss_whole = False
        self._batches = int(_inner(optimizer)._iterations)
        self._run.expect(self.close)
        self._run.describe(described, f"keras {keras.__version__} {keras.backend.backend()}")
        if tracker := next((metric for metric in model.metrics if metric.name == "loss"), None):
            self._replace(tracker, "update_state", self._update_state)
        if keras.backend.backend() == "torch":
            self._replace(optimizer, "apply", self._apply)
        else:
            self._replace(optimizer, "stateless_apply", self._stateless_apply)
            # It may have been traced before.
            model.make_train_function(force=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Logs a loss that was not known when the optimizer stepped. Not with JAX, which says it itself."""
        if keras.backend.backend() == "torch" and self._run is not None and self._is_update and self._losses:
            self._run.log(loss=self._loss())

    def on_test_begin(self, logs: Any = None) -> None:
        """Looks away: losses are those of a validation now."""
        self._is_testing = True

    def on_test_end(self, logs: Any = None) -> None:
        """Looks at losses again."""
        self._is_testing = False

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the run, if it is the callback's own."""
        run = self._run
        self.close()
        if run is not None and self._is_ours:
            run.finish()

    def close(self) -> None:
        """Waits for the steps that are under way, and follows no more."""
        for owner, name in self._replaced:
            vars(owner).pop(name, None)
        if self._replaced and keras.backend.backend() == "jax":
            import jax

            jax.effects_barrier()
            with self._lock:
                self._say_heard()
            self._watched.train_function = None
        self._replaced.clear()
        if self._run is not None:
            self._run.leave()
        self._run = None

    def _replace(self, owner: Any, name: str, method: Callable) -> None:
        """Puts a method of ours in front of one of an object; it is given that as its first argument."""
        original = getattr(owner, name)
        setattr(owner, name, functools.wraps(original)(functools.partial(method, original)))
        self._replaced.append((owner, name))

    def _update_state(self, update_state: Callable, values: Any, *more: Any, **options: Any) -> Any:
        if not self._is_testing and self._run is not None:
            if keras.backend.backend() == "torch":
                self._losses.append(keras.ops.convert_to_tensor(values).detach().float())
            else:
                import jax

                self._has_loss = True
                jax.debug.callback(self._hear_loss, values, self._is_update)
                # What was traced is of no use outside of this trace.
                self._is_update = True
        return update_state(values, *more, **options)

    # PyTorch

    def _apply(self, apply: Callable, gradients: Sequence[Any], variables: Any = None) -> Any:
        """In place of `optimizer.apply`, which is called on each batch."""
        optimizer, inner = self._optimizer, _inner(self._optimizer)
        variables = list(inner._trainable_variables if variables is None else variables)
        steps = inner.gradient_accumulation_steps or 1
        number, self._batches = self._batches // steps, self._batches + 1
        self._is_update = self._batches % steps == 0
        if not self._is_update:
            return apply(gradients, variables)
        # Both change with the step.
        rate, scale = float(optimizer.learning_rate), _scale(optimizer)
        scale = None if scale is None else float(scale)
        is_detailed = self._details_every > 0 and number % self._details_every == 0
        found = _Measured()
        if is_detailed or number % self._every == 0:
            taken = [(v, g) for v, g in zip(variables, gradients) if g is not None]
            found.ids = [self._ids[id(variable)] for variable, _ in taken]
            whole = [_whole(inner, v, g, scale, steps) for v, g in taken]
            found.take(whole, [v.value for v, _ in taken] if is_detailed else [])
        before = [v.value.detach().clone() for v, _ in taken] if is_detailed and self._measures_updates else []
        count = int(optimizer.iterations) if scale is not None else 0
        result = apply(gradients, variables)
        is_skipped = scale is not None and count == int(optimizer.iterations)
        if before:
            found.take_updates([v.value.detach() - old for (v, _), old in zip(taken, before)])
        self._tell(found, rate, scale, is_skipped, self._loss())
        return result

    # JAX

    def _stateless_apply(
        self, apply: Callable, optimizer_variables: Sequence[Any], gradients: Sequence[Any], variables: Sequence[Any]
    ) -> Any:
        """In place of `optimizer.stateless_apply`, which is called once, when the step is traced."""
        from .xla import level_of, record

        optimizer, inner = self._optimizer, _inner(self._optimizer)
        steps = inner.gradient_accumulation_steps or 1
        with keras.StatelessScope(state_mapping=list(zip(optimizer.variables, optimizer_variables))):
            batches = keras.ops.convert_to_tensor(inner._iterations)
            rate = keras.ops.convert_to_tensor(optimizer.learning_rate)
            scale = _scale(optimizer)
            taken = [place for place, gradient in enumerate(gradients) if gradient is not None]
            whole = [_whole(inner, inner._trainable_variables[p], gradients[p], scale, steps) for p in taken]
        result = apply(optimizer_variables, gradients, variables)
        with keras.StatelessScope(state_mapping=list(zip(optimizer.variables, result[1]))):
            is_skipped = keras.ops.convert_to_tensor(inner._iterations) == batches
        self._is_update = (batches + 1) % steps == 0
        level = level_of(batches // steps, self._every, self._details_every)
        record(
            keras.ops.where(self._is_update, level, 0),
            self._details_every > 0,
            [is_skipped],
            [rate, math.nan if scale is None else scale],
            whole,
            [variables[p] for p in taken],
            [result[0][p] - variables[p] for p in taken] if self._measures_updates else None,
            functools.partial(self._hear, [self._ids[id(inner._trainable_variables[p])] for p in taken]),
        )
        return result

    def _hear(self, ids: list[int], record: Any) -> None:
        """Takes what was measured of a step; called on another thread, as the next."""
        found = _Measured(ids, record.statistics, record.parameter_norms, record.update_norms, record.patterns)
        rate, scale = record.scalars
        with self._lock:
            self._say_heard()
            self._heard = found, rate, None if math.isnan(scale) else scale, bool(record.integers[0])
            if self._is_loss_whole or not self._has_loss:
                self._say_heard()

    def _hear_loss(self, loss: Any, is_update: Any) -> None:
        with self._lock:
            self._losses.append(float(loss))
            self._is_loss_whole |= bool(is_update)
            if self._is_loss_whole and self._heard is not None:
                self._say_heard()

    def _say_heard(self) -> None:
        """Tells of the step that was heard of, if there is one, with the loss as far as that was heard of."""
        heard, self._heard = self._heard, None
        if heard is not None and self._run is not None:
            self._is_loss_whole = False
            self._tell(*heard, self._loss())

    # Both

    def _loss(self) -> Any:
        """The mean of the losses since the last step; `None`: there was none."""
        losses, self._losses = self._losses, []
        return sum(losses) / len(losses) if losses else None

    def _tell(self, found: _Measured, rate: float, scale: float | None, is_skipped: bool, loss: Any) -> None:
        report = self._run.begin(self)
        if math.isfinite(rate):
            report.learning_rate = rate
        if scale is not None:
            report.loss_scale = scale
        report.optimizer_skipped = is_skipped
        if found.statistics:
            arrays.fill(
                report,
                found.ids,
                found.statistics,
                tensor_count=self._tensor_count,
                parameter_norms=found.parameter_norms,
                update_norms=found.update_norms,
                patterns=found.patterns,
            )
            _say_clipped(report, _inner(self._optimizer), found.statistics)
        # With the loss it is sent at once: whatever is logged beside us can't come between the two.
        self._run.end(self, loss)


class _Measured:
    """What was measured of a step; lists without members: nothing."""

    def __init__(
        self,
        ids: Sequence[int] = (),
        statistics: Sequence[Statistics] = (),
        parameter_norms: Sequence[float] = (),
        update_norms: Sequence[float] = (),
        patterns: Sequence[Any] = (),
    ):
        self.ids, self.statistics, self.patterns = ids, statistics, patterns
        self.parameter_norms, self.update_norms = parameter_norms, update_norms

    def take(self, gradients: list[Any], values: list[Any]) -> None:
        """Measures gradients of PyTorch; in full with the values of their parameters."""
        from .pytorch.flat import Flat
        from .pytorch.readout import Numbers, Readout

        self.statistics, self.parameter_norms = [None] * len(gradients), [math.nan] * len(values)
        self.patterns = [None] * len(values)

        def keep(places: list[int], numbers: Numbers) -> None:
            for index, place in enumerate(places):
                self.statistics[place] = numbers.statistics[index]
                if values:
                    self.parameter_norms[place] = numbers.norms[index]
                    self.patterns[place] = numbers.patterns[index].numpy()

        readout = Readout()
        readout.measure(list(map(Flat.of, gradients)), list(map(Flat.of, values)), bool(values), keep)
        readout.read()

    def take_updates(self, changes: list[Any]) -> None:
        """Measures what a step changed."""
        from .pytorch.flat import Flat
        from .pytorch.readout import Numbers, Readout

        self.update_norms = [math.nan] * len(changes)

        def keep(places: list[int], numbers: Numbers) -> None:
            for place, norm in zip(places, numbers.norms):
                self.update_norms[place] = norm

        readout = Readout()
        readout.measure([], list(map(Flat.of, changes)), False, keep)
        readout.read()


def _inner(optimizer: Any) -> Any:
    """The optimizer that LossScaleOptimizer holds."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _scale(optimizer: Any) -> Any:
    """What the loss was multiplied by; `None`: by nothing."""
    if hasattr(optimizer, "dynamic_scale"):
        return keras.ops.convert_to_tensor(optimizer.dynamic_scale)
    return optimizer.loss_scale_factor


def _whole(optimizer: Any, variable: Any, gradient: Any, scale: Any, steps: int) -> Any:
    """The gradient that the optimizer is about to use: with those it has gathered, divided by the loss scale."""
    gradient = gradient if scale is None else gradient / scale
    if steps == 1:
        return gradient
    gathered = optimizer._accumulated_gradients[optimizer._get_variable_index(variable)]
    return (gradient + keras.ops.convert_to_tensor(gathered)) / steps


def _say_clipped(report: step_report_pb2.StepReport, optimizer: Any, statistics: Sequence[Statistics]) -> None:
    """Says how the optimizer clips, as it does next."""
    if bound := optimizer.global_clipnorm:
        report.clipping.kind, report.clipping.threshold = step_report_pb2.CLIPPING_KIND_GLOBAL_NORM, bound
        report.clipping.clipped = report.global_norm > bound
    elif bound := optimizer.clipnorm:
        report.clipping.kind, report.clipping.threshold = step_report_pb2.CLIPPING_KIND_ADAPTIVE, bound
        report.clipping.clipped = any(row.norm > bound for row in statistics)
    elif (bound := optimizer.clipvalue) and not math.isnan(max(row.max for row in statistics)):
        report.clipping.kind, report.clipping.threshold = step_report_pb2.CLIPPING_KIND_VALUE, bound
        report.clipping.clipped = any(max(-row.min, row.max) > bound for row in statistics)


# The model


def describe(model: keras.Model) -> tuple[model_pb2.Model, dict[int, int]]:
    """The model, in the order in which it has its layers; and the tensors' ids, by the `id` of their variables."""
    described, ids = model_pb2.Model(), {}
    layers = list(_layers(model, set()))
    owners = {id(variable): layer for layer in layers for variable in layer.weights}
    in_row = list(model.layers) if isinstance(model, keras.Sequential) else []
    taken: set[str] = set()
    for layer in layers:
        own = [v for v in layer.weights if owners[id(v)] is layer and not v.name.startswith("moving_")]
        own = [v for v in own if math.prod(v.shape) > 0]
        if not own:
            continue
        kind = type(layer).__name__
        entry = described.layers.add(
            name=_unique(own[0].path.rpartition("/")[0] or layer.name, taken), module_type=kind
        )
        entry.activation, entry.normalization = _what_follows(layer, in_row)
        siblings = [variable.name for variable in own]
        for variable in own:
            shape = tuple(variable.shape)
            role = arrays.role(variable.name, len(shape), siblings)
            if role == model_pb2.TENSOR_ROLE_WEIGHT:
                if layer is model.layers[-1]:
                    role = model_pb2.TENSOR_ROLE_HEAD
                if fans := arrays.fans(variable.name, shape, kind):
                    entry.fan_in, entry.fan_out = fans
            ids[id(variable)] = len(described.tensors)
            initializer = getattr(layer, f"{variable.name.replace('t_kernel', 't')}_initializer", None)
            described.tensors.add(
                name=_unique(variable.path, taken),
                layer_id=len(described.layers) - 1,
                role=role,
                shape=shape,
                element_count=math.prod(shape),
                initialization=arrays.snake_case(type(initializer).__name__) if initializer is not None else "",
                frozen=not variable.trainable,
            )
    return described, ids


def _layers(layer: Any, seen: set[int]) -> Iterator[Any]:
    """A layer and all that are in it, each once."""
    seen.add(id(layer))
    yield layer
    for inside in layer._layers:
        if id(inside) not in seen:
            yield from _layers(inside, seen)


def _what_follows(layer: Any, in_row: list[Any]) -> tuple[str, str]:
    """The activation and the normalization of a layer, or of those behind it in a row; empty: unknown."""
    normalization = arrays.normalization(type(layer).__name__)
    if type(layer).__name__ in ("GRUCell", "LSTMCell"):
        return "gates", normalization
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if activation not in ("", "linear") or layer not in in_row:
        return ("none" if activation == "linear" else activation), normalization
    for following in in_row[in_row.index(layer) + 1 :]:
        kind = type(following).__name__
        if kind == "Activation":
            return following.activation.__name__, normalization
        if kind in _ACTIVATION_LAYERS:
            return _ACTIVATION_LAYERS[kind], normalization
        if found := arrays.normalization(kind):
            normalization = normalization or found
        elif not kind.endswith(_PASSING_LAYERS) and "Pooling" not in kind:
            break
    return "none", normalization


def _unique(text: str, taken: set[str]) -> str:
    """A name as the collector takes it, that nobody else has."""
    name = line(text)
    number = 2
    while name in taken:
        name, number = f"{line(text)[:500]}_{number}", number + 1
    taken.add(name)
    return name
