"""The collector's memory under loads that could make it grow: many streams, a slow disk, clients without end."""

import tempfile
import time
from pathlib import Path

from measuring import Scale, Shim, finish, measured
from table import Part, Promise

SLOW_SYNC_MS = 200


def measure(scale: Scale) -> Part:
    part = Part(f"Memory; reports of 150 tensors, 23 KB each; a slow disk takes {SLOW_SYNC_MS} ms to sync")
    streams = scale.pick(1000, 200)
    for name, slow, options in (
        ("1 stream", False, {"streams": 1, "steps": 4000}),
        (f"{streams:,} streams", False, {"streams": streams, "steps": 15}),
        (f"{streams:,} streams, slow disk", True, {"streams": streams, "steps": 15}),
        (f"{streams:,} streams that send without end, slow disk", True, {"streams": streams, "steps": 40, "in_flight": 0}),
    ):
        found = once(slow, options)
        part.add(f"peak memory, {name}", "MB", found["peak"], promise=Promise(1000))
        part.add(f"pending bytes at most, {name}", "MB", found["pending"], promise=Promise(found["bound"]))
    part.notes.append(
        "Pending bytes are those that GetStats tells; their bound is --max-pending-bytes. What waits in"
        " network buffers is not among them."
    )
    return part


def once(slow: bool, options: dict) -> dict:
    with tempfile.TemporaryDirectory(prefix="gradwatch-shim-") as folder:
        shim = Shim(Path(folder))
        with measured(shim.environment) as collector:
            load = collector.start_load("ingest", tensors=150, **options)
            pending = bound = 0
            while load.poll() is None:
                stats = collector.stats()
                # Not before: each run is registered in a transaction of its own.
                if slow and stats.streams == options["streams"]:
                    shim.slow_syncs(SLOW_SYNC_MS)
                pending = max(pending, stats.pending_bytes)
                bound = stats.maximum_pending_bytes
                time.sleep(0.05)
            finish(load)
            return {"peak": collector.peak_bytes / 1e6, "pending": pending / 1e6, "bound": bound / 1e6}
