"""Delivers the reports of one run, on a thread of its own."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import Callable, Iterator

from .alert import Alert
from .log import LOGGER
from .queue import TABLES, ReportQueue
from .service import (
    MESSAGE_BYTES, Problem, Service, check_process, connect, grpc, is_refused_thread, report_request,
)  # fmt: skip
from .settings import Settings
from .status import Status
from .v1 import ingest_service_pb2 as ingest
from .v1 import query_service_pb2 as query
from .v1 import step_report_pb2

CALL_SECONDS = 10.0
"""How long a call that registers or ends a run may take, and the collector to open a stream."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds: the longest pause after one failure, which doubles with each further one; and the longest at all."""
MAXIMUM_GAPS = 3
"""Sequence gaps in a row, without an ack between them, before a stream is given up."""
OPEN_ALERTS = 1024
"""Open alerts that are kept."""
LOOK_SECONDS = 1.0
"""How often an idle stream looks for a report that came in the instant before it began to wait."""
NOBODY_THERE = "; 'collector serve' starts one, and mode=\"offline\" writes to a file meanwhile"
"""What to do if there never was a collector."""


class Sender:
    """Registers the run, streams its reports and hears its alerts; tries again for as long as it takes.

    ```
      starting ──▶ connecting ──▶ streaming ──(all delivered, run closed)──▶ finished
                       ▲              │
                    waiting ◀─────────┘ any failure that may pass      failed: from anywhere
    ```
    A report is handed over without waiting: not for the network, and not for the lock, because a thread that
    has it may itself wait for the interpreter or a processor. Whoever has the lock next takes what was handed
    over meanwhile.

    An interrupt of the training thread may come behind any call, also behind one that takes a lock. `with` of a
    lock that is not written in Python is safe from that, as `with` of a condition or of a generator is not.
    """

    def __init__(self, settings: Settings, on_alert: Callable[[Alert], None]):
        """Calls `on_alert`, which must not wait, on the thread that delivers.

        Raises GradwatchError in a process in which nothing can be sent.
        """
        check_process()
        self._settings = settings
        self._on_alert = on_alert
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        self._queue = ReportQueue(settings.buffered_reports, settings.buffered_bytes)
        self._handed_over: deque[tuple[step_report_pb2.StepReport, bool]] = deque()
        self._thread: threading.Thread | None = None
        self._registration: ingest.RegisterRunRequest | None = None
        self._ending: ingest.FinishRunRequest | None = None
        self._closed = False
        self._deadline = math.inf
        self.is_rejected = False
        """Whether delivery is over because the collector will not have it."""
        self._state, self._problem = "starting", ""
        self._first_step: int | None = None
        self._credits = 1
        self._failures = self._gaps = 0
        self._message_bytes = MESSAGE_BYTES
        self._cursor: int | None = None
        self._open_alerts: dict[str, Alert] = {}
        self._reported = self._delivered = self._reduced = self._refused = 0
        self._first_refusal = ""
        self._was_open = False

    # The training side

    def start(self, registration: ingest.RegisterRunRequest) -> None:
        """Begins to deliver, once the model is known."""
        with self._lock:
            self._take()
            self._registration = registration
            self._state = "connecting"
            self._thread = threading.Thread(target=self._run, name="gradwatch", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # Whoever closes delivers.
                self._thread = None

    def report(self, report: step_report_pb2.StepReport, relative: bool) -> None:
        """Takes a report. If `relative`, its step counts from where the collector's record of the run ends."""
        self._handed_over.append((report, relative))
        try:
            if self._condition.acquire(blocking=False):
                self._take()
        finally:
            # Without asking whether it was taken: an interrupt may have come before that was known.
            try:
                self._condition.release()
            except RuntimeError:
                pass  # It was not.

    def wait_for_room(self, patience: float, *, all_of_it: bool = False) -> None:
        """Waits until half of the buffer is free, or all of it, for a source of reports that can wait; or delivery
        is over, as it is once no report was acked for `patience` seconds.
        """
        with self._lock:
            self._take()
            while not self.is_over and len(self._queue) > 0 and (all_of_it or not self._queue.is_half_empty):
                waiting = len(self._queue)
                if not self._condition.wait_for(lambda: self.is_over or len(self._queue) < waiting, patience):
                    why = f"; {self._problem}" if self._problem else ""
                    self._fail(f"no step was acked for {patience:g} s{why}")

    def close(self, ending: ingest.FinishRunRequest | None, timeout: float) -> Status:
        """Delivers what is left, and how the run ended unless `None`; waits for that `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._take()
            self._closed, self._ending, self._deadline = True, ending, deadline
            # What was a long pause is now all the time there is.
            self._failures = 0
            self._condition.notify_all()
            if self._thread is not None:
                self._condition.wait_for(lambda: self.is_over, max(0.0, deadline - time.monotonic()))
        if self._thread is None and self._registration is not None:
            self._run()
        with self._lock:
            if not self.is_over:
                left = "no time is left" + (f"; {self._problem}" if self._problem else "")
                self._fail(left)
        if self._thread is not None:
            self._thread.join(1.0)
        return self.status

    def settle(self, timeout: float) -> bool:
        """Waits until all that was reported is acked, or nobody is there to do so; returns whether it is acked.

        An attempt to reach the collector counts as somebody only until the first one failed.
        """
        with self._lock:
            self._take()
            self._condition.wait_for(lambda: len(self._queue) == 0 or self._is_alone, timeout)
            return len(self._queue) == 0

    @property
    def status(self) -> Status:
        """What became of the reports so far."""
        with self._lock:
            self._take()
            queue = self._queue
            return Status(
                state=self._state,
                problem=self._problem if self._state in ("waiting", "failed") else "",
                reported=self._reported,
                delivered=self._delivered,
                pending=sum(not entry.refused for entry in queue),
                dropped=queue.dropped,
                stripped=queue.stripped,
                reduced=self._reduced,
                refused=self._refused,
                first_refusal=self._first_refusal,
            )

    @property
    def open_alerts(self) -> list[Alert]:
        """The run's open alerts, as far as was heard, in the order in which they began."""
        with self._lock:
            return sorted(self._open_alerts.values(), key=lambda alert: (alert.first_step, alert.id))

    # Both sides

    def _take(self) -> None:
        """Puts what was handed over into the queue."""
        while self._handed_over:
            report, relative = self._handed_over.popleft()
            self._reported += 1
            if self.is_over or self._closed:
                self._queue.dropped += 1
                continue
            if relative and self._first_step is not None:
                report.step += self._first_step
            self._queue.append(report, relative and self._first_step is None)
            self._condition.notify_all()

    # The sending side

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the lock, and has the queue whole: also with what is handed over meanwhile."""
        with self._lock:
            self._take()
            yield
        while self._handed_over:
            with self._lock:
                self._take()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be sent."""
        return self._state in ("finished", "failed")

    @property
    def _is_alone(self) -> bool:
        is_trying_again = self._state == "connecting" and self._failures > 0
        return self.is_over or self._thread is None or self._state == "waiting" or is_trying_again

    @property
    def _run_id(self) -> str:
        return self._registration.run_id if self._registration else ""

    def _fail(self, problem: str) -> None:
        self._state, self._problem = "failed", problem
        LOGGER.error("run %s: %s", self._run_id, problem)
        self._queue.clear()
        self._condition.notify_all()

    def _run(self) -> None:
        try:
            self._deliver()
        except BaseException as error:  # Nobody else would hear of it.
            with self._alone():
                if not self.is_over:
                    self._fail(Problem.of(error).text)

    def _deliver(self) -> None:
        channel = connect(self._settings)
        try:
            service = Service(channel, self._settings.token)
            is_registered = False
            while not self.is_over and time.monotonic() < self._deadline:
                try:
                    if not is_registered:
                        self._register(service)
                        is_registered = True
                    try:
                        self._stream(service)
                    except RuntimeError as error:
                        if not is_refused_thread(error):
                            raise
                        # gRPC needs one for each stream.
                        self._report_one_by_one(service)
                    problem = self._finish(service)
                except Exception as error:  # Whatever it is, training goes on.
                    problem = Problem.of(error)
                if problem:
                    is_registered = is_registered and not problem.unknown_run
                    self._pause(problem)
        finally:
            channel.close()

    def _register(self, service: Service) -> None:
        response = service.register_run(self._registration, CALL_SECONDS)
        with self._alone():
            if self._first_step is None:
                state = response.producer
                self._first_step = state.last_step + 1 if state.HasField("last_step") else 0
                self._queue.number(self._first_step)
        try:
            info = service.server_info(query.GetServerInfoRequest(), CALL_SECONDS)
        except grpc.RpcError:
            return  # It keeps the default.
        if info.limits.maximum_message_bytes:
            self._message_bytes = min(MESSAGE_BYTES, info.limits.maximum_message_bytes)

    def _finish(self, service: Service) -> Problem | None:
        """Says how the run ended, once everything is delivered; a problem if it is not."""
        with self._alone():
            if not self._closed or len(self._queue) > 0:
                return Problem("the collector ended the stream")
        if self._ending is not None:
            service.finish_run(self._ending, CALL_SECONDS)
        with self._alone():
            if not self.is_over:
                self._state = "finished"
            self._condition.notify_all()
        return None

    def _pause(self, problem: Problem) -> None:
        """Waits a random time, so that a thousand jobs don't come back in the same instant."""
        with self._alone():
            if self.is_over:
                return
            if problem.permanent:
                self.is_rejected = True
                self._fail(problem.text)
                return
            if problem.unknown_run:
                # Another database counts its transitions from the start.
                self._cursor = None
            self._state, self._problem = "waiting", problem.text
            if self._failures == 0:
                hint = "" if self._was_open else NOBODY_THERE
                LOGGER.warning("run %s: trying again: %s%s", self._run_id, problem.text, hint)
            self._failures += 1
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
            self._condition.notify_all()
            closed = self._closed
            end = min(self._deadline, time.monotonic() + random.uniform(0, longest))
            # It ends when the run does: then there is little time left.
            self._condition.wait_for(lambda: self.is_over or self._closed != closed, end - time.monotonic())
            if not self.is_over:
                self._state = "connecting"

    def _stream(self, service: Service) -> None:
        """Streams until the stream ends, from either side."""
        ended = threading.Event()

        def end() -> None:
            ended.set()
            with self._alone():
                self._condition.notify_all()

        call = None
        opening = threading.Timer(CALL_SECONDS, lambda: call and call.cancel())
        opening.daemon = True
        # Before the call: where no thread can be started a channel with one could not be closed.
        opening.start()
        try:
            call = service.stream_telemetry(self._requests(service, ended))
            if not call.add_callback(end):
                end()
            for response in call:
                self._receive(response)
                if self._state == "streaming":
                    opening.cancel()
        except grpc.RpcError:
            if opening.finished.is_set() and self._state == "connecting":
                raise TimeoutError(f"the stream was not opened within {CALL_SECONDS:g} s") from None
            raise
        finally:
            opening.cancel()
            if call is not None:
                call.cancel()
            end()

    def _report_one_by_one(self, service: Service) -> None:
        """Delivers what is there without a stream."""
        state = service.register_run(self._registration, CALL_SECONDS).producer
        with self._alone():
            self._delivered += self._queue.restart(state.last_sequence)
        while True:
            with self._alone():
                report = None if self.is_over else self._queue.next(1)
            if report is None:
                return
            self._reduce(report)
            request = ingest.ReportStepsRequest(
                run_id=self._run_id, producer_id=self._registration.producer.producer_id, reports=[report]
            )
            answer = service.report_steps(request, CALL_SECONDS)
            with self._alone():
                if not self.is_over:
                    self._acknowledge(answer.ack)

    def _requests(self, service: Service, ended: threading.Event) -> Iterator[bytes]:
        """What is sent on one stream; gRPC asks for the next when there is room for it."""
        registration = self._registration
        yield ingest.StreamTelemetryRequest(
            open=ingest.StreamOpen(
                run_id=registration.run_id,
                producer_id=registration.producer.producer_id,
                want_alerts=True,
                alert_cursor=self._cursor,
            )
        ).SerializeToString()
        while not ended.is_set():
            with self._alone():
                report = self._queue.next(self._credits) if self._state == "streaming" else None
                if report is None:
                    if self._closed and self._state == "streaming" and len(self._queue) == 0:
                        return
                    self._condition.wait(LOOK_SECONDS)
                    continue
            # What is under way is changed by nobody else, so the training thread need not wait for this.
            self._reduce(report)
            yield report_request(report)

    def _reduce(self, report: step_report_pb2.StepReport) -> None:
        """Leaves only the scalars of a report that is larger than a message may be."""
        # What goes around it are the tag, the length and what a queue adds to it.
        if report.ByteSize() + 64 > self._message_bytes:
            self._reduced += 1
            for name in TABLES:
                report.ClearField(name)

    def _receive(self, response: ingest.StreamTelemetryResponse) -> None:
        event = response.WhichOneof("event")
        if event == "alert":
            self._hear(response.alert)
            return
        with self._alone():
            if self.is_over:
                return
            if event == "opened":
                self._opened(response.opened)
            elif event == "ack":
                self._acknowledge(response.ack)
            elif event == "gap":
                self._gaps += 1
                if self._gaps > MAXIMUM_GAPS or not self._queue.go_back(response.gap.expected_sequence):
                    raise ConnectionError(f"report {response.gap.expected_sequence} is asked for again")
            self._condition.notify_all()

    def _opened(self, opened: ingest.StreamOpened) -> None:
        self._state, self._problem = "streaming", ""
        self._was_open = True
        self._gaps = 0
        self._credits = max(1, opened.credits)
        # A collector that is behind what was heard has an earlier copy of its database, and counts on from there.
        if self._cursor is None or opened.alert_cursor < self._cursor:
            self._cursor = opened.alert_cursor
            self._open_alerts.clear()
        self._delivered += self._queue.restart(opened.last_sequence)

    def _acknowledge(self, ack: ingest.Ack) -> None:
        for refusal in ack.refusals:
            if self._queue.refuse(refusal.sequence):
                self._refused += 1
                self._first_refusal = self._first_refusal or f"report {refusal.sequence}: {refusal.reason}"
        # With 0 nothing could be sent, and so nothing acked, ever again.
        self._credits = max(1, ack.credits)
        taken = self._queue.acknowledge(ack.sequence)
        if taken is None:
            raise ConnectionError(f"report {ack.sequence} is acked, and was never sent")
        if taken:
            self._failures = self._gaps = 0
        self._delivered += taken

    def _hear(self, transition) -> None:
        with self._alone():
            if self._cursor is not None and transition.cursor <= self._cursor:
                return
            self._cursor = transition.cursor
            alert = Alert.of(transition.alert)
            if not alert.is_open:
                self._open_alerts.pop(alert.id, None)
            elif len(self._open_alerts) < OPEN_ALERTS or alert.id in self._open_alerts:
                self._open_alerts[alert.id] = alert
        self._on_alert(alert)
