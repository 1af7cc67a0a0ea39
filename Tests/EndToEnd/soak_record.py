"""What the runs of a soak have sent, known without the collector, and what the collector has of them."""

import struct
import zlib
from array import array
from dataclasses import dataclass, field

import grpc

from client import Client
from reports import loss_timeline, timeline
from scripted import Script
from wire import v1

TENSORS = 4


@dataclass
class Record:
    """What one run has sent, known without the collector."""

    script: Script
    is_pruned: bool
    """Whether it is of the project of which few runs are kept."""
    steps: array = field(default_factory=lambda: array("Q"))
    checksums: array = field(default_factory=lambda: array("I"))
    acked: int = 0
    is_finished: bool = False
    is_deleted: bool = False
    """Whether its deletion was asked for."""

    @property
    def run_id(self) -> str:
        return self.script.run_id

    @property
    def project(self) -> str:
        return "soak pruned" if self.is_pruned else "soak"

    @property
    def may_be_gone(self) -> bool:
        return self.is_deleted or (self.is_pruned and self.is_finished)

    def note(self, message):
        if message.sequence == len(self.steps) + 1:
            self.steps.append(message.step)
            losses = [loss.value for loss in message.losses]
            self.checksums.append(checksum(message.step, losses, message.gradients.norm))

    def timeline(self, last: int) -> list[tuple[int, int]]:
        """The step and checksum of each report up to `last` that none after it went back over."""
        kept: list[tuple[int, int]] = []
        for step, sum_ in zip(self.steps[:last], self.checksums):
            while kept and kept[-1][0] >= step:
                kept.pop()
            kept.append((step, sum_))
        return kept


def checksum(step: int, losses, norms) -> int:
    return zlib.crc32(struct.pack(f"<Q{len(losses)}d{len(norms)}d", step, *losses, *norms))


def stored(client: Client, run_id: str) -> list[tuple[int, int]]:
    """The step and checksum of every report that the collector has of a run."""
    losses = loss_timeline(client, run_id)
    norms = timeline(client, run_id, v1.METRIC_GRADIENT_NORM)
    columns = [losses[name] for name in ("loss", "auxiliary") if name in losses]
    columns += [norms[tensor] for tensor in sorted(norms)]
    if not columns:
        return []
    assert len(columns) == 2 + TENSORS
    steps = list(columns[0].steps)
    for column in columns:
        assert list(column.steps) == steps, f"{run_id}: columns of different steps"
    rows = zip(steps, *(column.last for column in columns))
    return [(step, checksum(step, values[:2], values[2:])) for step, *values in rows]


def is_gone(client: Client, record: Record) -> bool:
    """Whether the collector knows nothing of a run."""
    try:
        client.query.GetRun(v1.GetRunRequest(run_id=record.run_id))
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.NOT_FOUND
    return False


def difference(client: Client, record: Record) -> str:
    """Where what is stored of a run parts from what was sent; empty if nowhere."""
    run = client.query.GetRun(v1.GetRunRequest(run_id=record.run_id)).run
    last = run.producers[0].last_sequence
    if not record.acked <= last <= len(record.steps):
        return f"acked {record.acked}, sent {len(record.steps)}, has {last}"
    expected = record.timeline(last)
    found = stored(client, record.run_id) if expected else []
    if found == expected:
        return ""
    place = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), "the end")
    return (
        f"up to report {last} expected {len(expected)} steps, found {len(found)}, they part at {place}"
    )
