"""Runs the benchmarks and writes what they measured as Markdown; see scripts/bench."""

import argparse
import datetime
import importlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import measuring
from measuring import ROOT, Scale
from parts import disk, reference

PARTS = (
    "detectors", "ingest", "latency", "subscriptions", "disk", "queries", "restart", "memory", "client",
)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures, and writes a table.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="small work, once: to see that it runs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a file for the table, besides standard output")
    folder = os.environ.get("PEERS")
    parser.add_argument("--peers", type=Path, default=folder, help="the folder of peers.py [$PEERS]")
    folder = os.environ.get("TRACES")
    parser.add_argument("--traces", type=Path, default=folder, help="recorded runs [$TRACES]")
    options = parser.parse_args()
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"part: expected one of {', '.join(PARTS)}, found {name}")
    reference.FOLDER, disk.FOLDER = options.peers, options.traces
    measuring.allow_many_files()

    scale = Scale(repeats=1 if options.quick else options.repeats, quick=options.quick)
    text = head(scale)
    print(text, flush=True)
    for name in options.parts or PARTS:
        start = time.monotonic()
        part = importlib.import_module(f"parts.{name}").measure(scale).markdown()
        print(f"bench: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        print(part, flush=True)
        text += "\n" + part
    if options.output:
        options.output.write_text(text)


def head(scale: Scale) -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    model = models[0].split(":")[1].strip() if models else platform.machine()
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        "# Measured\n\n"
        f"{os.cpu_count()} cores, {model}, {gigabytes:.0f} GiB, {platform.platform()}; commit {commit};"
        f" {datetime.date.today()}; release build; {'--quick: small work, ' if scale.quick else ''}"
        f"{scale.repeats} repeats.\n"
    )


if __name__ == "__main__":
    main()
