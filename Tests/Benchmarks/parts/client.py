"""What the Swift client costs a training loop."""

import subprocess
import tempfile
from pathlib import Path

from measuring import Scale, Shim, executable, finish, measured, start_load
from table import Part, Promise

ABSENT = 1
"""A port at which nobody listens."""


def measure(scale: Scale) -> Part:
    part = Part("The Swift client; reports of 200 tensors with a histogram each")
    steps = scale.pick(2000, 300)
    with tempfile.TemporaryDirectory(prefix="gradwatch-shim-") as folder:
        shim = Shim(Path(folder))
        shim.slow_syncs(200)
        for name, environment in (("a collector", None), ("a slow disk there", shim.environment)):
            with measured(environment) as collector:
                add(part, name, [collector.load("client", run=f"r{i}", steps=steps) for i in range(scale.repeats)])
        shim.slow_syncs(0)
        with measured() as collector:
            before = shim.allocations
            collector.load("client", steps=steps, environment=shim.environment)
            part.add("allocations", "/step", (shim.allocations - before) / steps)
    absent = [finish(start_load("client", ABSENT, steps=steps)) for _ in range(scale.repeats)]
    add(part, "no collector", absent)
    for key, name in (("ns_an_element", "statistics"), ("ns_an_element_with_histogram", "and histogram")):
        part.add(f"{name} of a gradient", "ns/element", *(each[key] for each in absent))
    if not scale.quick:
        add_training(part)
    return part


def add(part: Part, name: str, found: list[dict]):
    for key in ("p50", "p99"):
        microseconds = [each[f"{key}_ms"] * 1000 for each in found]
        part.add(f"the call that hands a report over, {key}, {name}", "us", *microseconds)
    processor = [each["processor_us_a_step"] for each in found]
    part.add(f"processor time, {name}", "us/step", *processor)


def add_training(part: Part):
    """What reports add to the steps of the training engine, as TrainingBenchmark says."""
    command = [executable("TrainingBenchmark"), "--reports"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for name, value in (line.split() for line in output.splitlines()):
        if name.endswith("_share"):
            workload, _, kind = name.partition("_report_")
            what = "processor time" if "processor" in kind else "time"
            promise = Promise(2) if kind == "share" else None
            part.add(f"reports' share of a training step, {what}, {workload}", "%", 100 * float(value), promise=promise)
