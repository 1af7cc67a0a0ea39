"""The calls of the collector that a client makes, and what their failures mean."""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

# gRPC's own handlers of fork can hang or crash a child, such as a worker of a DataLoader, while a thread of ours
# is inside of gRPC. A child needs none: it leaves the run to its parent.
_FORKS_ARE_SAFE = "grpc" not in sys.modules or "GRPC_ENABLE_FORK_SUPPORT" in os.environ
_SURVIVES_FORKS = os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0").lower() in ("1", "true", "yes", "y")

import grpc  # noqa: E402

from .errors import GradwatchError  # noqa: E402
from .log import LOGGER  # noqa: E402
from .settings import Settings  # noqa: E402
from .v1 import ingest_service_pb2 as ingest  # noqa: E402
from .v1 import query_service_pb2 as query  # noqa: E402
from .v1 import step_report_pb2  # noqa: E402

MESSAGE_BYTES = 32 << 20
"""The largest message that the collector takes unless it says otherwise."""

_process: int | None = None
"""The process in which gRPC was used first."""


def check_process() -> None:
    """Raises GradwatchError in a process that was forked from one that had used gRPC, whose calls never return here."""
    if _process not in (None, os.getpid()) and not _SURVIVES_FORKS:
        raise GradwatchError(
            "expected a process of its own, found a fork of one that has had a run, and gRPC can't work in it: start"
            ' it by spawn or forkserver (multiprocessing.set_start_method), or write to a file with mode="offline"'
        )


def connect(settings: Settings) -> grpc.Channel:
    """A channel to the collector; it connects by itself, again and again. Raises what `check_process` does."""
    global _process
    check_process()
    _process = os.getpid()
    if not _FORKS_ARE_SAFE:
        LOGGER.warning(
            "grpc was imported before gradwatch: a process that is forked, such as a worker of a DataLoader, may hang"
            " or crash. Import gradwatch first, or set GRPC_ENABLE_FORK_SUPPORT=0"
        )
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        # Not as long as gRPC's two minutes, after which a collector that is back would be news.
        ("grpc.max_reconnect_backoff_ms", 5000),
        # Runs of one process must not share a connection, and its flow control.
        ("grpc.use_local_subchannel_pool", 1),
        # A connection may die without a word, as in a firewall that forgot it. The collector allows a ping every 10 s.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # While it trains slowly there is nothing to send between two pings.
        ("grpc.http2.max_pings_without_data", 0),
    ]
    if _is_loopback(settings.address):
        # A proxy is for what is elsewhere, and can't reach this machine by that name.
        options.append(("grpc.enable_http_proxy", 0))
    if not (settings.ca_cert or settings.client_cert):
        return grpc.insecure_channel(settings.address, options=options)

    def content(path: str) -> bytes | None:
        return Path(path).read_bytes() if path else None

    credentials = grpc.ssl_channel_credentials(
        content(settings.ca_cert), content(settings.client_key), content(settings.client_cert)
    )
    return grpc.secure_channel(settings.address, credentials, options=options)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Service:
    """The collector's calls, by hand: generated stubs would tie the package to one version of grpcio."""

    def __init__(self, channel: grpc.Channel, token: str = ""):
        self._metadata = [("authorization", f"Bearer {token}")] if token else None

        def unary(service: str, name: str, request, response):
            call = channel.unary_unary(
                f"/gradwatch.v1.{service}/{name}", request.SerializeToString, response.FromString
            )
            return lambda message, timeout: call(message, timeout=timeout, metadata=self._metadata)

        self.register_run = unary(
            "IngestService", "RegisterRun", ingest.RegisterRunRequest, ingest.RegisterRunResponse
        )
        self.report_steps = unary(
            "IngestService", "ReportSteps", ingest.ReportStepsRequest, ingest.ReportStepsResponse
        )
        self.finish_run = unary(
            "IngestService", "FinishRun", ingest.FinishRunRequest, ingest.FinishRunResponse
        )
        self.run = unary("QueryService", "GetRun", query.GetRunRequest, query.GetRunResponse)
        loss_timeline = channel.unary_stream(
            "/gradwatch.v1.QueryService/GetLossTimeline",
            query.GetLossTimelineRequest.SerializeToString,
            query.GetLossTimelineResponse.FromString,
        )
        self.loss_timeline = lambda message, timeout: loss_timeline(message, timeout=timeout, metadata=self._metadata)
        self.server_info = unary(
            "QueryService", "GetServerInfo", query.GetServerInfoRequest, query.GetServerInfoResponse
        )
        self._stream = channel.stream_stream(
            "/gradwatch.v1.IngestService/StreamTelemetry",
            lambda request: request,
            ingest.StreamTelemetryResponse.FromString,
        )

    def stream_telemetry(self, requests: Iterator[bytes]):
        """Opens a telemetry stream without a deadline; the requests are serialized."""
        return self._stream(requests, metadata=self._metadata)


def report_request(report: step_report_pb2.StepReport) -> bytes:
    """A serialized StreamTelemetryRequest that holds a report, which is not copied into one for that."""
    payload = report.SerializeToString()
    head = bytearray([_REPORT_TAG])
    length = len(payload)
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + payload


_REPORT_TAG = ingest.StreamTelemetryRequest.DESCRIPTOR.fields_by_name["report"].number << 3 | 2


@dataclass(frozen=True)
class Problem:
    """How a call failed, by what a client can do about it."""

    text: str
    permanent: bool = False
    """Whether trying again is of no use."""
    unknown_run: bool = False
    """Whether the collector does not know the run, so that it must be registered again."""

    @staticmethod
    def of(error: BaseException) -> Problem:
        """Sorts what a call raised."""
        if not isinstance(error, grpc.RpcError):
            return Problem(f"{type(error).__name__}: {error}")
        code, text = error.code(), error.details() or ""
        text = f"{code.name}: {text}" if text else code.name
        return Problem(text, permanent=code in _PERMANENT, unknown_run=code is grpc.StatusCode.NOT_FOUND)


def is_refused_thread(error: BaseException) -> bool:
    """Whether no thread could be started: there are too many, or the process ends, in Python 3.12.0 to 3.12.2."""
    return isinstance(error, RuntimeError) and "new thread" in str(error)


_PERMANENT = frozenset({
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.ALREADY_EXISTS,
    # A newer process streams as this producer.
    grpc.StatusCode.ABORTED,
})
