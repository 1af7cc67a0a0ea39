"""Durable, acked ingest: rate, processor time, acks, memory, bytes; beside the reference in turn."""

import statistics
import tempfile
import time
from pathlib import Path

from measuring import Scale, Shim, measured
from parts import reference
from table import Part, Promise

SMALL, MEDIUM, LARGE = "small, 50 tensors", "medium, 200 tensors", "large, 1,000 tensors"
DETECTORS_OFF = "medium, detectors off"
SCALARS = "1,000 tensors without histograms"
EIGHT, THOUSAND = "8 runs of 200 tensors", "1,000 runs of 150 tensors"
NARROW, WIDE = "20 tensors", "2,000 tensors"

# Options of the load.
WORK = {
    SMALL: {"tensors": 50, "steps": 12_000},
    MEDIUM: {"tensors": 200, "steps": 4000},
    LARGE: {"tensors": 1000, "steps": 1000},
    DETECTORS_OFF: {"tensors": 200, "steps": 4000},
    SCALARS: {"tensors": 1000, "steps": 3000, "buckets": 0},
    EIGHT: {"tensors": 200, "steps": 600, "streams": 8},
    THOUSAND: {"tensors": 150, "steps": 20, "streams": 1000},
    NARROW: {"tensors": 20, "steps": 20_000},
    WIDE: {"tensors": 2000, "steps": 400},
}
# What the reference does of it, by its own name.
REFERENCE = {"small": SMALL, "medium": MEDIUM, "large": LARGE}


def measure(scale: Scale) -> Part:
    part = Part("Ingest, acked; 7 statistics and 64 buckets of noise a tensor; client on the same cores")
    results = {name: [] for name in WORK}
    references = {name: [] for name in REFERENCE}
    for _ in range(scale.repeats):
        for name in WORK:
            results[name].append(once(scale, name))
        for name, rate in reference.rates(["medium"] if scale.quick else list(REFERENCE)).items():
            references[name].append(rate)

    def of(name: str, key: str) -> list[float]:
        return [result[key] for result in results[name]]

    for name in WORK:
        promise = Promise(1e6, at_least=True) if name == MEDIUM else None
        part.add(name, "tensor-reports/s", *of(name, "rate"), promise=promise)
    part.add(f"{MEDIUM}, until all is sealed", "tensor-reports/s", *of(MEDIUM, "sealed_rate"))
    for name, rates in references.items():
        if rates:
            ours = of(REFERENCE[name], "rate")
            part.add(f"the reference (plain-acked), {name}", "tensor-reports/s", *rates)
            promise = Promise(20, at_least=True) if name == "medium" else None
            ratios = [ours / theirs for ours, theirs in zip(ours, rates)]
            part.add(f"Gradwatch against it, {name}", "times", *ratios, promise=promise)
    if not references["medium"]:
        part.notes.append("No reference: --peers names the folder of its peers.py.")
    for name in WORK:
        promise = Promise(1.5) if name == MEDIUM else None
        part.add(f"processor time, {name}", "us/tensor-report", *of(name, "processor"), promise=promise)
    for name in (MEDIUM, EIGHT, THOUSAND):
        for key in ("p50", "p99"):
            part.add(f"ack {key}, 48 reports in flight, {name}", "ms", *of(name, f"{key}_ms"))
    part.add(f"peak memory, {MEDIUM}", "MB", *of(MEDIUM, "peak"))
    part.add(f"on disk, {MEDIUM}", "bytes/tensor-report", *of(MEDIUM, "bytes"))
    part.add(f"on disk, {SCALARS}", "bytes/tensor-report", *of(SCALARS, "bytes"))
    for name in (MEDIUM, SCALARS):
        part.add(f"allocations, {name}", "/report", allocations(scale, name))

    processor = {name: statistics.median(of(name, "processor")) for name in WORK}
    costs = {WORK[name]["tensors"]: processor[name] for name in (NARROW, MEDIUM, WIDE)}
    milliseconds = {tensors: cost * tensors / 1000 for tensors, cost in costs.items()}
    part.grow("processor time of a report, by its tensors", "ms", milliseconds)
    # Without sealing, which has a cost a run that does not grow with its reports.
    by_runs = {
        WORK[name].get("streams", 1): statistics.median(of(name, "streaming")) * 0.15
        for name in (MEDIUM, EIGHT, THOUSAND)
    }
    milliseconds = {runs: cost * runs for runs, cost in by_runs.items()}
    part.grow("processor time of a report of 150 tensors of each run, unsealed, by runs", "ms", milliseconds)
    return part


def once(scale: Scale, name: str) -> dict:
    options = WORK[name] | ({"steps": max(5, WORK[name]["steps"] // 8)} if scale.quick else {})
    with measured() as collector:
        if name == DETECTORS_OFF:
            collector.disable_rules()
        before = collector.processor_seconds
        result = collector.load("ingest", **options)
        done, streamed = time.monotonic(), collector.processor_seconds
        for run in runs(options):
            collector.finish(run)
        collector.settle()
        reports = result["tensor_reports"]
        return result | {
            "rate": reports / result["seconds"],
            "sealed_rate": reports / (result["seconds"] + time.monotonic() - done),
            "streaming": (streamed - before) / reports * 1e6,
            "processor": (collector.processor_seconds - before) / reports * 1e6,
            "peak": collector.peak_bytes / 1e6,
            "bytes": collector.file_bytes / reports,
        }


def runs(options: dict) -> list[str]:
    """What the load calls its runs."""
    streams = options.get("streams", 1)
    return ["bench"] if streams == 1 else [f"bench{index}" for index in range(streams)]


def allocations(scale: Scale, name: str) -> float:
    """The collector's allocations a report, sealing included."""
    options = WORK[name] | {"steps": scale.pick(2048, 512)}
    with tempfile.TemporaryDirectory(prefix="gradwatch-shim-") as folder:
        shim = Shim(Path(folder))
        with measured(shim.environment) as collector:
            before = shim.allocations
            collector.load("ingest", **options)
            collector.finish("bench")
            collector.settle()
            return (shim.allocations - before) / options["steps"]
