"""Sends what runs wrote while they were offline."""

from __future__ import annotations

import math
import sys
from collections import deque
from pathlib import Path
from typing import Iterable, Iterator

from .errors import GradwatchError
from .sender import CALL_SECONDS, Sender
from .service import Problem, Service, connect, grpc
from .settings import Settings
from .spool import SUFFIX, SpoolReader
from .status import Status
from .v1 import ingest_service_pb2 as ingest
from .v1 import query_service_pb2 as query
from .v1 import run_pb2, spool_pb2


def sync(paths: Iterable[Path], settings: Settings, patience: float = 60.0) -> bool:
    """Sends all spools in files and folders; returns whether the collector could be reached for each of them.

    Of a spool of which it acks nothing for `patience` seconds, the rest is left. Prints a line a spool. Raises
    GradwatchError for a path that is none, if there is no spool, and after all were looked at, if something in one
    can't be sent.
    """
    files = [file for path in paths for file in _spools(path)]
    if not files:
        raise GradwatchError(f"expected files that end in {SUFFIX}, found none")
    failed, is_reached = 0, True
    for file in files:
        try:
            try:
                _send(file, settings, patience)
            except _Overtaken:
                # Our stream ended that of another sync, or of an earlier one, so that now it is settled what is known.
                _send(file, settings, patience)
        except GradwatchError as error:
            print(f"gradwatch: {error}", file=sys.stderr)
            failed += 1
        except (ConnectionError, grpc.RpcError) as error:
            problem = Problem.of(error) if isinstance(error, grpc.RpcError) else Problem(str(error))
            print(f"gradwatch: {file}: {settings.address}: {problem.text}", file=sys.stderr)
            if problem.permanent:
                failed += 1
            else:
                is_reached = False
    if failed:
        raise GradwatchError(f"spools not sent whole: {failed} of {len(files)}")
    return is_reached


class _Overtaken(GradwatchError):
    """The collector has other reports of a spool's process than it said before they were sent."""


class _Sender(Sender):
    """Sends what follows on the reports that a collector has of a spool; stops if it has others."""

    def __init__(self, settings: Settings, known: int):
        super().__init__(settings, on_alert=lambda alert: None)
        self._queue.first = known + 1
        self.is_overtaken = False

    def _opened(self, opened: ingest.StreamOpened) -> None:
        first, sent = self._queue.first, self._queue.sent
        if not first - 1 <= opened.last_sequence < first + sent:
            # Numbered anew, some would be there twice.
            self.is_overtaken = True
            self._state = "failed"
            self._problem = (
                f"expected the collector to have {first - 1} reports, found {opened.last_sequence}: another process "
                "sends some; try again when that is done"
            )
            raise ConnectionError(self._problem)
        super()._opened(opened)


def _spools(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(f"*{SUFFIX}"))
    if path.is_file():
        return [path]
    raise GradwatchError(f"{path}: expected a file or a folder, found nothing")


def _send(path: Path, settings: Settings, patience: float) -> None:
    reader = SpoolReader(path)
    records = iter(reader)
    first = next(records, None)
    if first is None or not first.HasField("registration"):
        raise GradwatchError(f"{path}: expected a registration first, found {reader.damage or 'none'}")
    registration = first.registration
    before = _known_run(registration.run_id, settings)
    own = [s for s in before.producers if s.producer.producer_id == registration.producer.producer_id]
    if own:
        _check_same(_skip(records, own[0], path), registration, own[0], path, settings)
    # To register a run that ended lets it run again, and so is done for what is new alone.
    is_known = bool(own) and before.layer_count == len(registration.model.layers)
    skipped = own[0].last_sequence if own else 0
    sender = None if is_known else _started(registration, settings, skipped)
    ending = None
    for record in records:
        ending = record.ending if record.HasField("ending") else None
        if record.HasField("report"):
            sender = sender or _started(registration, settings, skipped)
            sender.wait_for_room(patience)
            if sender.is_over:
                break
            sender.report(record.report, relative=False)
    if sender is not None:
        sender.wait_for_room(patience, all_of_it=True)
    if reader.damage:
        # Whatever was begun there, the run went on.
        ending = None
    elif ending is None and registration.producer.rank and before.status not in _GOING_ON:
        # One of several, and not the one that says how the run ends, which it did.
        ending = ingest.FinishRunRequest(run_id=before.run_id, status=before.status, reason=before.status_reason)
    if sender is not None:
        status = sender.close(ending, timeout=patience)
        if status.state != "finished":
            text = f"stopped behind step report {skipped + status.delivered + status.refused}: {status.problem}"
            if sender.is_overtaken:
                raise _Overtaken(f"{path}: {text}")
            raise GradwatchError(f"{path}: {text}") if sender.is_rejected else ConnectionError(text)
    else:
        status = Status("finished")
        if ending is not None and ending.status != before.status:
            with connect(settings) as channel:
                Service(channel, settings.token).finish_run(ending, CALL_SECONDS)
    print(f"{registration.run_id}: {status}" + (f", {skipped} known before" if skipped else ""))
    _check(path, reader, status)


_GOING_ON = (run_pb2.RUN_STATUS_UNSPECIFIED, run_pb2.RUN_STATUS_RUNNING)


def _known_run(run_id: str, settings: Settings) -> run_pb2.Run:
    """The run as the collector has it; an empty one if it has none of that id."""
    with connect(settings) as channel:
        try:
            return Service(channel, settings.token).run(query.GetRunRequest(run_id=run_id), CALL_SECONDS).run
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return run_pb2.Run()
            raise


def _started(registration: ingest.RegisterRunRequest, settings: Settings, known: int) -> _Sender:
    sender = _Sender(settings, known)
    sender.start(registration)
    return sender


_Numbers = dict[tuple[int, str, int], set[float]]
"""Numbers of steps by metric, name and step; several if a run went back and took a step again."""
_COMPARED = 1000
"""Reports up to the last known one that are held against what the collector has."""


def _skip(records: Iterator[spool_pb2.SpoolRecord], known: run_pb2.ProducerState, path: Path) -> _Numbers:
    """Reads as many reports as the collector has; returns what the last of them say.

    Raises GradwatchError if they can't be those.
    """
    count, has_last_step = 0, not known.HasField("last_step")
    numbers: deque[tuple[tuple[int, str, int], float]] = deque()
    while count < known.last_sequence and (record := next(records, None)) is not None:
        if record.HasField("report"):
            count += 1
            report = record.report
            has_last_step |= report.step == known.last_step
            if count + _COMPARED > known.last_sequence:
                numbers.extend(((query.STEP_METRIC_LOSS, loss.name, report.step), loss.value) for loss in report.losses)
                if report.HasField("global_norm"):
                    numbers.append(((query.STEP_METRIC_GLOBAL_NORM, "", report.step), report.global_norm))
    if count < known.last_sequence or not has_last_step:
        raise GradwatchError(
            f"{path}: expected {known.last_sequence} reports up to step {known.last_step}, which the collector has, "
            f"found others: it has another run of that id"
        )
    found: _Numbers = {}
    for key, value in numbers:
        found.setdefault(key, set()).add(_comparable(value))
    return found


def _check_same(
    ours: _Numbers,
    registration: ingest.RegisterRunRequest,
    known: run_pb2.ProducerState,
    path: Path,
    settings: Settings,
) -> None:
    """Raises GradwatchError unless the collector has from this spool what it has.

    A spool numbers its reports from 1. If the run was online as well, as many of them as the collector had from there
    would count as known, and be lost.
    """
    if not ours or not known.HasField("last_step"):
        return
    steps = query.StepRange(first=min(step for _, _, step in ours), last=known.last_step)
    is_found = False
    with connect(settings) as channel:
        service = Service(channel, settings.token)
        for metric in (query.STEP_METRIC_LOSS, query.STEP_METRIC_GLOBAL_NORM):
            request = query.GetLossTimelineRequest(
                run_id=registration.run_id,
                producer_id=registration.producer.producer_id,
                metric=metric,
                steps=steps,
            )
            for part in service.loss_timeline(request, CALL_SECONDS):
                name = part.name if metric == query.STEP_METRIC_LOSS else ""
                # Where steps were rolled up, the last of each range.
                for step, theirs in zip(part.points.last_steps or part.points.steps, part.points.last):
                    own = ours.get((metric, name, step))
                    if own is not None and _comparable(theirs) not in own:
                        raise GradwatchError(
                            f"{path}: expected at step {step} what the collector has, {name or 'global norm'} {theirs},"
                            f" found {min(own)}: the collector has {known.last_sequence} reports of the run's process,"
                            " not all from this spool, and its own have the same numbers; nothing was sent"
                        )
                    is_found |= own is not None
    if not is_found:
        raise GradwatchError(
            f"{path}: expected losses or norms of steps {steps.first} to {steps.last}, which the collector should have"
            " from this spool, found none there; nothing was sent"
        )


def _comparable(value: float) -> float:
    """The number; for each NaN the same object, which a set finds by its identity."""
    return math.nan if value != value else value


def _check(path: Path, reader: SpoolReader, status: Status) -> None:
    """Tells of what was not sent; raises GradwatchError, as doing it again would not help."""
    if status.dropped:
        raise GradwatchError(f"{path}: {status.dropped} steps not sent: larger than GRADWATCH_BUFFERED_BYTES")
    if status.refused:
        raise GradwatchError(f"{path}: {status.refused} steps refused; the first is {status.first_refusal}")
    if reader.damage:
        if not reader.is_cut_off:
            raise GradwatchError(f"{reader.damage}; what follows was not read")
        print(f"gradwatch: {reader.damage}; what follows was not read", file=sys.stderr)
