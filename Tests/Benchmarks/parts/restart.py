"""How long a collector that was killed takes to serve again, by what its log holds."""

import tempfile
import time
from pathlib import Path

from measuring import Measured, Scale, eventually, v1
from table import Part


def measure(scale: Scale) -> Part:
    part = Part("Restart after a kill")
    listening = {}
    for steps in scale.pick([1000, 30_000, 300_000], [1000, 10_000]):
        found = [once(1, steps, tensors=20) for _ in range(scale.repeats)]
        name = f"1 run of {steps:,} reports of 20 tensors"
        part.add(f"until it listens, {name}", "ms", *(each["listening"] for each in found))
        part.add(f"until a report is acked, {name}", "ms", *(each["acked"] for each in found))
        listening[steps] = min(each["acked"] for each in found)
    part.grow("until a report is acked, by reports of the run", "ms", listening)
    watched = {}
    for runs in scale.pick([10, 100, 1000], [10, 100]):
        found = once(runs, 200, tensors=50)
        name = f"{runs:,} runs with 200 reports of 50 tensors each in the log"
        for key in ("listening", "acked", "watched"):
            what = {"listening": "it listens", "acked": "a report is acked", "watched": "all are watched"}
            part.add(f"until {what[key]}, {name}", "ms", found[key])
        watched[runs * 200] = found["watched"]
    part.grow("until all runs are watched, by reports in the log", "ms", watched)
    return part


def once(runs: int, steps: int, tensors: int) -> dict[str, float]:
    """Milliseconds since the start until each thing is so."""
    with tempfile.TemporaryDirectory(prefix="gradwatch-bench-") as folder:
        killed = Measured(Path(folder))
        killed.load("ingest", streams=runs, steps=steps, tensors=tensors, buckets=16)
        eventually(lambda: killed.stats().unsealed_reports <= 256 * runs, "all is sealed", 240)
        killed.collector.kill()
        killed.close()
        start = time.monotonic()
        restarted = Measured(Path(folder))
        try:
            found = {"listening": time.monotonic() - start}
            run = "bench" if runs == 1 else f"bench{runs - 1}"
            report = v1.StepReport(sequence=steps + 1, step=steps, wall_time_seconds=1.7e9)
            restarted.client.report(run, report, producer_id="p0")
            found["acked"] = time.monotonic() - start
            eventually(lambda: restarted.stats().live_producers == runs, "all are watched", 240)
            found["watched"] = time.monotonic() - start
        finally:
            restarted.close()
    return {name: seconds * 1000 for name, seconds in found.items()}
