"""Sends what runs wrote while they were offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterable

from .errors import GradwatchError
from .sender import CALL_SECONDS, Sender
from .service import Problem, Service, connect, grpc
from .settings import Settings
from .spool import SUFFIX, SpoolReader
from .v1 import ingest_service_pb2 as ingest


def sync(paths: Iterable[Path], settings: Settings) -> bool:
    """Sends all spools in files and folders; returns whether everything in them is durable.

    Prints a line a spool. Raises GradwatchError for a path that is none, or if there is no spool.
    """
    files = [file for path in paths for file in _spools(path)]
    if not files:
        raise GradwatchError(f"expected files that end in {SUFFIX}, found none")
    # A list, so that one that fails keeps no other from being sent.
    return all([_send(file, settings) for file in files])


def _spools(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(f"*{SUFFIX}"))
    if path.is_file():
        return [path]
    raise GradwatchError(f"{path}: expected a file or a folder, found nothing")


def _send(path: Path, settings: Settings) -> bool:
    reader = SpoolReader(path)
    records = iter(reader)
    first = next(records, None)
    if first is None or not first.HasField("registration"):
        raise GradwatchError(f"{path}: expected a registration first, found {reader.damage or 'none'}")
    registration = first.registration
    try:
        known = _register(registration, settings)
    except grpc.RpcError as error:
        print(f"gradwatch: {path}: {settings.address}: {Problem.of(error).text}", file=sys.stderr)
        return False
    sender = Sender(settings, on_alert=lambda alert: None)
    sender.start(registration)
    ending, steps = None, 0
    for record in records:
        ending = record.ending if record.HasField("ending") else None
        if not record.HasField("report"):
            continue
        steps += 1
        report = record.report
        if report.sequence == known.last_sequence and report.step != known.last_step:
            sender.close(None, 0)
            raise GradwatchError(
                f"{path}: expected step {known.last_step} as report {report.sequence}, which the collector has, "
                f"found step {report.step}: it has another run of that id"
            )
        if report.sequence > known.last_sequence:
            sender.wait_for_room()
            sender.report(report, relative=False)
    status = sender.close(ending, timeout=60.0)
    skipped = steps - status.reported
    print(f"{registration.run_id}: {status}" + (f", {skipped} known before" if skipped else ""))
    if reader.damage:
        print(f"gradwatch: {reader.damage}; what follows was not read", file=sys.stderr)
    return status.state == "finished" and not status.dropped


def _register(registration: ingest.RegisterRunRequest, settings: Settings):
    """The producer, with where its durable reports end."""
    with connect(settings) as channel:
        service = Service(channel, settings.token)
        return service.register_run(registration, CALL_SECONDS).producer
