"""The callback that reports the steps of `fit`."""

from __future__ import annotations

import functools
import math
import threading
from typing import Any, Callable, Sequence

import keras

from .. import arrays
from ..columns import Statistics
from ..errors import GradwatchError, check_intervals
from ..run import Run
from ..v1 import step_report_pb2
from .describe import describe
from .measured import Measured


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
        check_intervals(every, details_every)
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
            self._run.log(loss=self._loss(), commit=True)

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
        found = Measured()
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
        from ..xla import level_of, record

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
        found = Measured(ids, record.statistics, record.parameter_norms, record.update_norms, record.patterns)
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

    def _tell(self, found: Measured, rate: float, scale: float | None, is_skipped: bool, loss: Any) -> None:
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
