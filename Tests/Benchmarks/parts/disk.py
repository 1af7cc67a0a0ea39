"""Bytes on disk of recorded runs; those of synthetic work are with ingest, which is what makes them."""

import gzip
import json
import os
import subprocess
from pathlib import Path

from measuring import Scale, executable, measured, v1
from table import Part, Promise

FOLDER: Path | None = None
"""Where recorded runs are; set once at the start."""


def measure(scale: Scale) -> Part:
    part = Part("Disk, recorded runs")
    if FOLDER is None:
        part.notes.append("No recorded runs: --traces names a folder of them.")
        return part
    traces = sorted(FOLDER.glob("*.jsonl.gz"))[: 8 if scale.quick else None]
    reports = sum(map(tensor_reports, traces))
    with measured() as collector:
        subprocess.run(
            [executable("collector-cli"), "import", "traces", *traces, "--quiet", "-o", "jsonl"],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"GRADWATCH_ADDRESS": collector.collector.target},
        )
        collector.settle()
        collector.client.admin.Checkpoint(v1.CheckpointRequest())
        size = collector.file_bytes
        part.add(f"{len(traces)} recorded runs", "bytes/tensor-report", size / reports, promise=Promise(60))
        part.add("tensor-reports in them", "", reports)
    return part


def tensor_reports(trace: Path) -> int:
    with gzip.open(trace, "rt") as lines:
        steps = (json.loads(line) for line in lines)
        return sum(row is not None for step in steps if "p" in step for row in step["p"])
