"""A run: the steps of one training, on their way to the collector."""

from __future__ import annotations

import atexit
import math
import os
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Collection, Hashable, Iterable, Mapping

from .alert import Alert
from .config import hyperparameters
from .disabled import Disabled
from .errors import GradwatchError
from .listeners import Listeners
from .log import LOGGER, announce
from .rank import Rank
from .sender import Sender
from .settings import Settings
from .spool import SUFFIX, Spool
from .status import Status
from .text import line
from .v1 import ingest_service_pb2 as ingest
from .v1 import model_pb2, run_pb2, step_report_pb2

_STATUSES = {
    "finished": run_pb2.RUN_STATUS_FINISHED,
    "failed": run_pb2.RUN_STATUS_FAILED,
    "aborted": run_pb2.RUN_STATUS_ABORTED,
}
_MAXIMUM_ANNOTATIONS = 16


class Run:
    """One training run; made by `gradwatch.init`. As a context manager it ends with its block.

    A step is put together from what its parts say, in any order: the gradients, when an optimizer is about to
    step, and what calls of `log` say of it. It is sent when the next one begins: an optimizer is about to step again,
    or `log` says what belongs to that. Sooner with `log(commit=True)`, `settle` or `finish`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        name: str = "",
        tags: tuple[str, ...] = (),
        config: object = None,
        all_ranks: bool = False,
        finish_timeout: float = 30.0,
    ):
        rank = Rank.here()
        run_id = settings.run_id or f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        if all_ranks and not settings.run_id:
            run_id = rank.shared(run_id)
            if run_id is None:
                raise GradwatchError("all_ranks: expected a run_id that the ranks share, found none")
        self.id = run_id
        """The run's id; with it, a later process goes on with the run."""
        self.settings = settings
        """Where reports go."""
        self._finish_timeout = finish_timeout
        self._says_how_it_ends = (rank.index or 0) == 0
        self._registration = ingest.RegisterRunRequest(
            run_id=run_id,
            project=settings.project,
            name=line(name),
            tags=map(line, tags),
            hyperparameters=hyperparameters(config),
            framework=f"python {sys.version.split()[0]}",
            producer=run_pb2.Producer(
                producer_id=f"rank-{rank.index}" if all_ranks and rank.index is not None else "trainer",
                rank=rank.index,
                world_size=rank.world_size,
            ),
        )
        self._listeners = Listeners(run_id)
        # JAX says what it measured on threads of its own.
        self._lock = threading.RLock()
        self._annotations: list[step_report_pb2.StepAnnotation] = []
        self.is_finished = False
        """Whether `finish` was called: nothing more is taken then."""
        self._waits_for_model = self._is_started = False
        self._closers: list[Callable[[], None]] = []
        self.watcher: Any = None
        """Who follows a PyTorch model for it."""
        self._parts: set[Hashable] = set()
        self._stepped: set[Hashable] = set()
        self._draft = step_report_pb2.StepReport()
        self._fills: list[Callable[[], None]] = []
        # A step that is measured, of which more may be said; and whether its number is one that was counted.
        self._held: step_report_pb2.StepReport | None = None
        self._held_is_relative = False
        # Of the step that is put together: whether an optimizer began it, `log` was called, and whether that was all.
        self._has_begun = self._logged = self._committed = False
        # Of each name whether it was first said before an optimizer stepped: then it is what a step begins with.
        self._is_early: dict[str, bool] = {}
        self._step, self._step_is_given = 0, False
        self._parts_number_steps = False
        self._told: set[str] = set()
        # Not the error itself: it holds frames, and those hold tensors.
        self._earlier_error = id(getattr(sys, "last_value", None))
        if settings.mode == "disabled":
            self._sink = Disabled()
        elif rank.index and not all_ranks:
            LOGGER.info("rank %d: rank 0 reports", rank.index)
            self._sink = Disabled()
        elif settings.mode == "offline":
            producer = self._registration.producer.producer_id
            # An id may have what parts folders.
            name = f"{run_id}.{producer}{SUFFIX}".replace("/", "%2F").replace("\\", "%5C")
            self._sink = Spool(Path(settings.dir) / name)
        else:
            self._sink = Sender(settings, self._listeners.tell)
            if self._says_how_it_ends:
                question = f"what is wrong with it: collector-cli diagnose {run_id}"
                announce(f"run {run_id} goes to {settings.address}; {question}")
        _RUNS.add(self)

    # What a training loop says

    def log(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        step: int | None = None,
        learning_rate: Any = None,
        batch_size: int | None = None,
        commit: bool | None = None,
        **losses: Any,
    ) -> None:
        """Says what is known of a step: losses and other numbers, by name; the one that is minimized is `loss`.

        Call it as often as you like, before or after the optimizer: what is said after one is of the step that it took,
        but for names that were first said before one, which are of the step that it takes next. Where no model is
        watched, a step is over when a name comes again. Of a name that is said twice of a step the last value counts.

        Numbers may be tensors of one element; NaN and infinities are data. `step` is the number of the
        optimizer update, from 0 on; without it steps are counted, in a resumed run from its last step on. Give it in
        each call, or in none. `commit=True`: this is all, send the step as soon as the optimizers have stepped;
        `commit=False`: another call for the same step will follow.

        Where an optimizer knows the step's number, as in JAX, a `step` may be the one before as well, unless that was
        sent. What is said of others comes too late, and is left out.

        Raises GradwatchError for a `step` below 0, TypeError or ValueError for what is no number.
        """
        if self.is_finished:
            self._tell_once("run %s is finished: what is logged is left out")
            return
        numbers = {line(name): _number(value) for name, value in {**(values or {}), **losses}.items()}
        rate = None if learning_rate is None else _number(learning_rate)
        if step is not None and not 0 <= step < 1 << 63:
            raise GradwatchError(f"step: expected 0 to 2^63-1, found {step}")
        with self._lock:
            self._end_logged()
            if step is not None and not self._parts_number_steps and not self._is_good(step):
                step = None
            report = self._place(numbers, step)
            if report is None:
                self._tell_once("run %s: step %d was logged late, at step %d: left out", step, self._step)
                return
            if rate is not None and math.isfinite(rate):
                report.learning_rate = rate
            if batch_size is not None:
                report.batch_size = batch_size
            _add(report, numbers)
            is_early = report is self._draft and not self._stepped
            for name in numbers:
                self._is_early.setdefault(name, is_early)
            if report is self._held:
                if commit:
                    self._send_held()
                return
            if step is not None:
                self._step, self._step_is_given = int(step), True
            if commit is not False:
                self._logged, self._committed = True, self._committed or bool(commit)
                if self._parts <= self._stepped and (self._stepped or not self._waits_for_model):
                    self._send(holds=not self._committed)

    def annotate(self, action: str, detail: str = "", alert: Alert | str | None = None) -> None:
        """Says what was done about the training, such as `lower_rate`, and which alert it answers.

        Goes with the next step that is sent; the run's page shows it. Of more than 16 a step the first stay.

        Raises GradwatchError for an empty `action`.
        """
        if not action:
            raise GradwatchError("action: expected what was done, found an empty string")
        alert_id = alert.id if isinstance(alert, Alert) else alert or ""
        note = step_report_pb2.StepAnnotation(action=line(action), detail=line(detail), alert_id=line(alert_id))
        with self._lock:
            if len(self._annotations) < _MAXIMUM_ANNOTATIONS:
                self._annotations.append(note)

    def on_alert(self, callback: Callable[[Alert], None]) -> Callable[[Alert], None]:
        """Has a function called with each change of this run's alerts, on another thread; usable as decorator.

        All callbacks share that thread, so that they may take their time, and nothing else waits for them. While more
        than 256 changes wait, only the newest of each alert stays; how many were left out is said at the end. What a
        callback raises is logged, and goes no further.
        """
        self._listeners.add(callback)
        return callback

    def alerts(self) -> list[Alert]:
        """The run's open alerts, as far as was heard, in the order in which they began. Never waits."""
        return self._sink.open_alerts

    def settle(self, timeout: float = 10.0) -> bool:
        """Waits until all steps are durable and judged, with the one that was logged last, so that `alerts` is up to
        date.

        Returns whether they are; without a collector at once, with `False`. Until `timeout` also waits for callbacks of
        `on_alert` to return.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            self._end_logged()
            if self._held is not None and self._held.losses:
                self._send_held()
        is_settled = self._sink.settle(timeout)
        self._listeners.wait(deadline - time.monotonic())
        return is_settled

    @property
    def status(self) -> Status:
        """What became of the steps so far."""
        return self._sink.status

    def finish(self, status: str = "finished", reason: str = "", timeout: float | None = None) -> Status:
        """Ends the run: `finished`, `failed` or `aborted`. Waits for delivery and for callbacks of `on_alert`,
        `timeout` seconds at most; called by such a callback, not at all, but the process does then.

        Without it the run ends with the process. A second call changes nothing. A device that still computes what
        is measured there is waited for first, however long that takes.
        """
        if status not in _STATUSES:
            raise GradwatchError(f"status: expected one of {', '.join(_STATUSES)}, found {status!r}")
        if self.is_finished:
            return self._sink.status
        for close in self._closers:
            close()
        # They hold models.
        self._closers.clear()
        with self._lock:
            if self._stepped or self._logged or self._draft.losses:
                self._send()
            self._send_held()
            self.is_finished = True
        _RUNS.discard(self)
        self._start()
        ending = None
        if self._says_how_it_ends:
            ending = ingest.FinishRunRequest(run_id=self.id, status=_STATUSES[status], reason=line(reason))
        timeout = self._finish_timeout if timeout is None else timeout
        if self._listeners.is_here:
            # Not a daemon, so that the process waits for it.
            threading.Thread(target=self._close, args=(ending, timeout)).start()
            return self._sink.status
        return self._close(ending, timeout)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind, error, _) -> None:
        if kind is None:
            self.finish()
        else:
            self.finish(*_ending(kind, error))

    # What the integrations say

    @property
    def is_enabled(self) -> bool:
        """Whether steps go anywhere: else there is no use in measuring them."""
        return not self.is_finished and not self._sink.is_over

    @property
    def takes_model(self) -> bool:
        """Whether it is not registered yet, or with a model."""
        return not self._is_started or len(self._registration.model.tensors) > 0

    def expect(self, close: Callable[[], None] | None = None, parts: Iterable[Hashable] = ()) -> None:
        """Says that somebody will fill in each step: the run is not registered before `describe` then.

        `close` is called when the run ends. A step is complete when all `parts` took it, where they are known; until
        they turn out to take turns of another kind.
        """
        with self._lock:
            if self._stepped:
                # With what somebody else filled in.
                self._send()
            if self._held is not None and not self._is_started:
                # What was said before anybody took part is of the first step.
                self._draft, self._held, self._step = self._held, None, self._held.step
                self._draft.wall_time_seconds = 0
            self._send_held()
            self._parts = set(parts)
            self._is_early.clear()
            # A step that was given up has its loss replaced.
            self._logged = self._committed = False
            self._waits_for_model = True
            if close:
                self._closers.append(close)

    def leave(self) -> None:
        """Takes `expect` back: nobody fills in steps any more, and what `log` said or says is one by itself."""
        with self._lock:
            self._waits_for_model = False
            self._parts.clear()
            if self._logged:
                self._send(holds=not self._committed)

    def describe(self, model: model_pb2.Model, framework: str) -> None:
        """Says what is trained; the first time counts."""
        if not self._is_started:
            self._registration.model.CopyFrom(model)
            self._registration.framework = framework
            self._start()

    def begin(self, part: Hashable, step: int | None = None) -> step_report_pb2.StepReport:
        """The report of the step that a part (an optimizer) is about to take, for it to fill in.

        `step` is its number, if the part knows it.
        """
        with self._lock:
            if part in self._stepped:
                # So that much is a step; from now on it is known when one is complete.
                self._parts = set(self._stepped)
                self._send(holds=step is not None and not self._committed)
            if step is None:
                self._send_held()
            else:
                self._step, self._step_is_given, self._parts_number_steps = step, True, True
            self._has_begun = True
            return self._draft

    def defer(self, fill: Callable[[], None]) -> None:
        """Has a function called before the report that is being put together is sent, to fill the rest of it in."""
        with self._lock:
            self._fills.append(fill)

    def end(self, part: Hashable, loss: Any = None) -> None:
        """Says that a part took its step; with `loss`, as `log` does, if nothing more will be said of the step."""
        with self._lock:
            if not self._draft.wall_time_seconds:
                self._draft.wall_time_seconds = time.time()
            if loss is not None:
                _add(self._draft, {"loss": _number(loss)})
                self._logged = self._committed = True
            self._stepped.add(part)
            if self._logged and self._parts <= self._stepped and (self._parts or loss is not None):
                self._send(holds=not self._committed)

    # Inside

    def _end_logged(self) -> None:
        """Ends a step that was logged before its optimizers stepped, where nothing else told how many there are."""
        if self._logged and self._stepped and not self._parts:
            self._parts = set(self._stepped)
            self._send(holds=not self._committed)

    def _place(self, names: Collection[str], step: int | None) -> step_report_pb2.StepReport | None:
        """Where to put what is said now: into the step that is held, or the next; `None`: it comes too late."""
        held = self._held
        if self._parts_number_steps and step not in (None, self._step):
            return held if held is not None and held.step == step else None
        are_early = not self._parts_number_steps and any(self._is_early.get(name) for name in names)
        if held is None or self._has_begun:
            if self._stepped and are_early and step != self._step:
                self._parts = set(self._stepped)
                self._send()
            return self._draft
        if step is not None:
            is_next = held.step != step
        elif self._waits_for_model and not self._parts_number_steps:
            is_next = are_early
        else:
            is_next = any(loss.name in names for loss in held.losses)
        if is_next:
            self._send_held()
            return self._draft
        return held

    def _is_good(self, step: int) -> bool:
        """Whether a number may be a step's, after those that there were; says what is the case if it goes back."""
        if step >= self._step:
            return True
        if self._held is not None and step == self._held.step:
            return True
        newest = self._step if self._stepped else self._step - 1
        if self._step_is_given:
            self._tell_once("run %s: step %d comes after step %d: what was said from there on is replaced", step, newest)
            return True
        # It may count epochs, and would have all steps from there on replaced.
        self._tell_once(
            "run %s: step %d was given when step %d was counted: left out; give it in each call, or in none", step, newest
        )
        return False

    def _tell_once(self, text: str, *numbers: int) -> None:
        if text not in self._told:
            self._told.add(text)
            LOGGER.warning(text, self.id, *numbers)

    def _send(self, holds: bool = False) -> None:
        """Sends what was put together, behind what was held; or holds it, as something may be said of it yet."""
        self._send_held()
        # Whoever fills it in may leave.
        self._has_begun = self._logged = self._committed = False
        fills, self._fills = self._fills, []
        for fill in fills:
            fill()
        report, self._draft = self._draft, step_report_pb2.StepReport()
        self._stepped.clear()
        report.step = self._step
        if not report.wall_time_seconds:
            report.wall_time_seconds = time.time()
        report.annotations.extend(self._annotations)
        self._annotations.clear()
        self._step += 1
        self._held, self._held_is_relative = report, not self._step_is_given
        if not holds:
            self._send_held()

    def _send_held(self) -> None:
        report, self._held = self._held, None
        if report is not None:
            if not self._waits_for_model:
                self._start()
            self._sink.report(report, self._held_is_relative)

    def _finish_as_it_went(self) -> None:
        """Ends the run, if it has not ended, without being told how."""
        # What ended the main thread, if it was an error; or of a notebook, the last cell that failed.
        error = getattr(sys, "last_value", None)
        if error is None or id(error) == self._earlier_error:
            self.finish()
        else:
            self.finish(*_ending(type(error), error))

    def _close(self, ending: ingest.FinishRunRequest | None, timeout: float) -> Status:
        deadline = time.monotonic() + timeout
        result = self._sink.close(ending, timeout)
        if result.dropped or result.refused or result.stripped or result.reduced:
            LOGGER.warning("run %s: %s", self.id, result)
        self._listeners.close(deadline - time.monotonic())
        return result

    def _start(self) -> None:
        if not self._is_started:
            self._is_started = True
            self._sink.start(self._registration)

    def _leave_to_parent(self) -> None:
        """After a fork: the run is the parent's. Its locks may be held by threads that are not here."""
        _ABANDONED.append(self._sink)
        self._sink, self._lock, self._listeners = Disabled(), threading.RLock(), Listeners(self.id)
        self._fills.clear()
        self._closers.clear()
        self._held = None


_RUNS: set[Run] = set()
"""The runs of this process that are not finished."""
_ABANDONED: list[object] = []
"""What a child process must not even release: that would speak on the parent's connections."""


def _leave_all_to_parent() -> None:
    for run in _RUNS:
        run._leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


@atexit.register
def _finish_all() -> None:
    for run in list(_RUNS):
        try:
            run._finish_as_it_went()
        except Exception:
            LOGGER.exception("run %s: it was not ended", run.id)


def _ending(kind: type[BaseException], error: BaseException | None) -> tuple[str, str]:
    """The status and reason of a run that an error ended, or an exit."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "finished", ""
    aborted = issubclass(kind, (KeyboardInterrupt, GeneratorExit))
    return "aborted" if aborted else "failed", f"{kind.__name__}: {error}"


def _add(report: step_report_pb2.StepReport, numbers: Mapping[str, float]) -> None:
    """Says numbers of a step, in place of those that were said of it before."""
    known = {loss.name: loss for loss in report.losses}
    for name, number in numbers.items():
        if name in known:
            known[name].value = number
        else:
            report.losses.add(name=name, value=number)


def _number(value: Any) -> float:
    """A number of any kind, such as a tensor of one element that a gradient flows through."""
    return float(value.detach() if hasattr(value, "detach") else value)
