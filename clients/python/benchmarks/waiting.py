"""How long a training loop waits for us, whatever the collector does: the call that hands a step over.

    python clients/python/benchmarks/waiting.py --collector PATH/TO/collector [--steps 5000]

Steps of 150 tensors with their histograms, a millisecond apart, to a collector that is there, that hangs, that is
killed and started again, and that is not there; the first line, without one, is what the machine itself adds. Prints a
Markdown table of the call's wall time, and how many calls waited: those in which the thread gave up its processor by
itself, for a lock, the interpreter or the network. What the others take long for, the machine does. The buffer is
small, so that it is full where nobody takes anything.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import gradwatch
import torch
from gradwatch.columns import add_gradients
from gradwatch.pytorch.histograms import add_histograms
from gradwatch.pytorch.flat import Flat
from gradwatch.pytorch.statistics import measure
from gradwatch.v1 import model_pb2

TENSORS, ELEMENTS = 150, 2000


class Served:
    """A collector, and what is done to it meanwhile."""

    def __init__(self, binary: str, folder: str):
        self._command = [binary, "serve", "--database", f"{folder}/db.sqlite"]
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [*self._command, "--listen", self.address]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().removeprefix("listening on ").strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def handed_over(address: str, mode: str, steps: int) -> tuple[list[float], list[float], gradwatch.Status]:
    """The seconds of each call, and of those that waited."""
    model = model_pb2.Model(
        layers=[model_pb2.Layer(name=f"l{i}") for i in range(TENSORS)],
        tensors=[model_pb2.Tensor(name=f"l{i}.w", layer_id=i, element_count=ELEMENTS) for i in range(TENSORS)],
    )
    flats = [Flat.of(torch.randn(ELEMENTS)) for _ in range(TENSORS)]
    measurement = measure(flats, details=True)
    numbers = measurement.numbers(measurement.values)
    run = gradwatch.init(project="waiting", address=address, mode=mode, buffered_reports=500, finish_timeout=5)
    run.expect()
    run.describe(model, "waiting")
    found, waited = [], []

    def waits() -> int:
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

    for _ in range(steps):
        report = run.begin("optimizer")
        add_gradients(report, range(TENSORS), numbers.statistics, details=True)
        add_histograms(report, range(TENSORS), numbers.patterns)
        run.end("optimizer")
        before, start = waits(), time.perf_counter()
        run.log(loss=1.0, commit=True)
        found.append(time.perf_counter() - start)
        if waits() > before:
            waited.append(found[-1])
        time.sleep(0.001)
    return found, waited, run.status if run.status.state == "failed" else run.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collector", required=True, help="the collector's binary")
    parser.add_argument("--steps", type=int, default=5000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("gradwatch").setLevel(logging.CRITICAL)
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    print(f"{models[0].split(':')[1].strip()}, {os.cpu_count()} cores, {datetime.date.today()}; {options.steps} steps\n")
    print("| the collector | median, us | 99 % | 99.9 % | longest | calls that waited | longest | delivered | dropped | without histograms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ("is not asked: the mode disabled", "is there", "hangs", "is killed and started again, each second", "is not there"):
        with tempfile.TemporaryDirectory() as folder:
            served = Served(options.collector, folder)
            over = threading.Event()
            if name == "is not there":
                served.kill()
            elif name == "hangs":
                threading.Timer(1, served.process.send_signal, [signal.SIGSTOP]).start()
            elif name != "is there":

                def again() -> None:
                    while not over.wait(1):
                        served.kill()
                        served.start()

                threading.Thread(target=again, daemon=True).start()
            mode = "disabled" if "disabled" in name else "online"
            times, waited, status = handed_over(served.address, mode, options.steps)
            over.set()
            time.sleep(0.1)
            served.kill()
            times.sort()
            picked = [times[int(len(times) * share)] for share in (0.5, 0.99, 0.999)] + [times[-1]]
            cells = " | ".join(f"{value * 1e6:.0f}" for value in picked)
            cells += f" | {len(waited)} | {max(waited, default=0) * 1e6:.0f}"
            print(f"| {name} | {cells} | {status.delivered} | {status.dropped} | {status.stripped} |", flush=True)


if __name__ == "__main__":
    main()
