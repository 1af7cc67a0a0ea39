"""A client in another language: the generated stubs, and as little around them as tests need."""

import functools
import queue
import threading
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status

from wire import v1

DEADLINE = 60
"""Seconds after which a call is given up, so that a test fails and does not hang."""

PRODUCER = "trainer"
"""The producer's id wherever a test has only one."""


class _WithDeadline:
    """A stub whose calls all have a deadline."""

    def __init__(self, stub):
        self._stub = stub

    def __getattr__(self, name):
        return functools.partial(getattr(self._stub, name), timeout=DEADLINE)


class Client:
    """A connection of its own to a collector, and the stubs of its services."""

    def __init__(self, target: str, *options: tuple[str, int]):
        # Else two channels to one address share a connection.
        own = ("grpc.use_local_subchannel_pool", 1)
        self.channel = grpc.insecure_channel(target, options=[own, *options])
        self.ingest = _WithDeadline(v1.IngestServiceStub(self.channel))
        self.query = _WithDeadline(v1.QueryServiceStub(self.channel))
        self.alerts = _WithDeadline(v1.AlertServiceStub(self.channel))
        self.admin = _WithDeadline(v1.AdminServiceStub(self.channel))
        self.health = _WithDeadline(health_pb2_grpc.HealthStub(self.channel))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def register(self, registration):
        return self.ingest.RegisterRun(registration)

    def report(self, run_id: str, *reports, producer_id: str = PRODUCER):
        """Sends reports in one unary call."""
        return self.ingest.ReportSteps(
            v1.ReportStepsRequest(run_id=run_id, producer_id=producer_id, reports=reports)
        )

    def stream(self, run_id: str, producer_id: str = PRODUCER, **open) -> "TelemetryStream":
        return TelemetryStream(self, v1.StreamOpen(run_id=run_id, producer_id=producer_id, **open))

    def subscribe(self, **request) -> "Subscription":
        return Subscription(self.alerts.SubscribeAlerts(v1.SubscribeAlertsRequest(**request)))

    def list_alerts(self, **request) -> list:
        """All alerts, over all pages."""
        alerts, token = [], ""
        while True:
            page = self.query.ListAlerts(v1.ListAlertsRequest(page_token=token, **request))
            alerts += page.alerts
            if not (token := page.next_page_token):
                return alerts

    def server_info(self):
        return self.query.GetServerInfo(v1.GetServerInfoRequest())


@dataclass
class Failure:
    """How a call failed, with the details of google.rpc.Status decoded."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    has_retry: bool = False

    @staticmethod
    def of(error: grpc.RpcError) -> "Failure":
        failure = Failure(error.code(), error.details())
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(info):
                failure.reason, failure.domain = info.reason, info.domain
                failure.metadata = dict(info.metadata)
            elif detail.Unpack(bad):
                failure.fields = [violation.field for violation in bad.field_violations]
                failure.descriptions = [v.description for v in bad.field_violations]
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                failure.has_retry = True
        return failure


def failure_of(call, *arguments, **more) -> Failure:
    """Makes a call that must fail, unary or streaming, and returns how it did."""
    with pytest.raises(grpc.RpcError) as caught:
        answer = call(*arguments, **more)
        if hasattr(answer, "__next__"):
            list(answer)
    return Failure.of(caught.value)


class Inbox:
    """Everything that comes on a streaming call, taken by a thread of its own."""

    def __init__(self, call):
        self.events: list = []
        self._call = call
        self._changed = threading.Condition()
        self._ended = False
        self._failure: Failure | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        failure = None
        try:
            for event in self._call:
                with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()
        except grpc.RpcError as error:
            failure = Failure.of(error)
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def _of(self, kind: str) -> list:
        """The events of one kind; they all are of a oneof of that name."""
        return [getattr(event, kind) for event in self.events if event.HasField(kind)]

    def wait(self, check, what: str):
        """Waits until `check` gives something true, and returns it; fails if the call ends."""
        with self._changed:
            self._changed.wait_for(lambda: check() or self._ended, DEADLINE)
            result = check()
            assert result, f"{what}: ended: {self._ended} {self._failure}, last: {self.events[-3:]}"
            return result

    @property
    def ended(self) -> bool:
        return self._ended

    def end(self) -> Failure | None:
        """Waits for the call's end; how it failed, or `None` if it did not."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, DEADLINE), "the call does not end"
            return self._failure

    def cancel(self):
        self._call.cancel()


class TelemetryStream(Inbox):
    """An open telemetry stream."""

    def __init__(self, client: Client, open, **options):
        self._outgoing = queue.SimpleQueue()
        call = client.ingest.StreamTelemetry(iter(self._outgoing.get, None), **options)
        super().__init__(call)
        self.send_message(v1.StreamTelemetryRequest(open=open))

    def _read(self):
        super()._read()
        self.close()

    def send_message(self, message):
        self._outgoing.put(message)

    def send(self, *reports):
        for report in reports:
            self.send_message(v1.StreamTelemetryRequest(report=report))

    def close(self):
        """Says that nothing more will be sent."""
        self._outgoing.put(None)

    @property
    def opened(self):
        return self.wait(lambda: self._of("opened"), "StreamOpened")[0]

    @property
    def acked(self) -> int:
        """The last number acked so far."""
        acks = (e.ack.sequence for e in reversed(self.events) if e.HasField("ack"))
        return next(acks, 0)

    @property
    def refusals(self) -> list:
        return [refusal for ack in self._of("ack") for refusal in ack.refusals]

    @property
    def gaps(self) -> list:
        return self._of("gap")

    @property
    def transitions(self) -> list:
        return self._of("alert")

    def wait_for_ack(self, sequence: int):
        self.wait(lambda: self.acked >= sequence, f"ack of {sequence}")


class Subscription(Inbox):
    """A live subscription to alerts."""

    @property
    def open_alerts(self) -> list:
        return self._of("open_alert")

    @property
    def transitions(self) -> list:
        return self._of("transition")

    @property
    def cursor(self) -> int:
        """Where a later subscription would resume."""
        last = self.events[-1]
        return (last.transition if last.HasField("transition") else last.caught_up).cursor

    def wait_until_live(self) -> int:
        """Waits for CaughtUp; its cursor."""
        return self.wait(lambda: self._of("caught_up"), "CaughtUp")[0].cursor
