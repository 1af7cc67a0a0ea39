"""The built collector as a process, and what it says of a run."""

from __future__ import annotations

import functools
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

import gradwatch  # noqa: F401  Before grpc, so that forks are safe.
import grpc
from gradwatch.v1 import query_service_pb2 as query

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60
"""Deadline for whatever should take well under a second."""


@functools.cache
def binary() -> str:
    """The collector's path: GRADWATCH_COLLECTOR, or what SwiftPM built."""
    if path := os.environ.get("GRADWATCH_COLLECTOR"):
        return path
    command = ["swift", "build", "-c", "release", "--show-bin-path"]
    folder = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return str(Path(folder.strip()) / "collector")


def eventually(check, what: str, seconds: float = SECONDS):
    """Polls until `check` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return result


class Collector:
    """A collector with a database in a folder; started again it has the same address."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._process: subprocess.Popen | None = None
        self.address = "127.0.0.1:0"

    def start(self) -> Collector:
        """Starts it, and waits until it listens."""
        clean = {name: v for name, v in os.environ.items() if not name.startswith("GRADWATCH_")}
        path = self.address.removeprefix("unix:")
        place = ["--listen", path] if path == self.address else ["--listen", "none", "--unix-socket", path]
        arguments = ["serve", *place, "--database", str(self._folder / "db.sqlite")]
        with open(self._folder / "stderr", "ab") as stderr:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", 'ulimit -v 8000000; exec "$@"', "sh", binary(), *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=clean,
            )  # fmt: skip
        selector = selectors.DefaultSelector()
        selector.register(self._process.stdout, selectors.EVENT_READ)
        assert selector.select(SECONDS), (self._folder / "stderr").read_text()
        line = self._process.stdout.readline().decode()
        assert line.startswith("listening on "), (self._folder / "stderr").read_text()
        self.address = line.removeprefix("listening on ").strip()
        return self

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        if self._process:
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def pause(self) -> None:
        """Has it stop in the middle of whatever it does, with its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Has it go on."""
        self._process.send_signal(signal.SIGCONT)

    # What it says

    def ask(self, name: str, request, response):
        """A unary call of QueryService."""
        with grpc.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(
                f"/gradwatch.v1.QueryService/{name}", type(request).SerializeToString, response.FromString
            )
            return call(request, timeout=SECONDS)

    def listed(self, name: str, request, response) -> list:
        """A call of QueryService that streams its answer."""
        with grpc.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_stream(
                f"/gradwatch.v1.QueryService/{name}", type(request).SerializeToString, response.FromString
            )
            return list(call(request, timeout=SECONDS))

    def run(self, run_id: str):
        """The run."""
        return self.ask("GetRun", query.GetRunRequest(run_id=run_id), query.GetRunResponse).run

    def alerts(self, run_id: str) -> list:
        """All its alerts that fired, of any state."""
        request = query.ListAlertsRequest(run_id=run_id, page_size=1000)
        return list(self.ask("ListAlerts", request, query.ListAlertsResponse).alerts)

    def rules(self, run_id: str) -> set[str]:
        """The rules of its alerts above info."""
        return {alert.rule for alert in self.alerts(run_id) if alert.severity > 1 and alert.HasField("fired_step")}

    def timeline(self, run_id: str, metric: int = query.METRIC_GRADIENT_NORM) -> dict[str, dict[int, float]]:
        """A metric by tensor and step; fails if a step is there twice."""
        found: dict[str, dict[int, float]] = {}
        request = query.GetLayerTimelineRequest(run_id=run_id, metric=metric)
        for part in self.listed("GetLayerTimeline", request, query.GetLayerTimelineResponse):
            _add(found.setdefault(part.tensor_name, {}), part.points)
        return found

    def losses(self, run_id: str, metric: int = query.STEP_METRIC_LOSS, name: str = "") -> dict[int, float]:
        """The loss of that name, or another number of the step, by step; fails if a step is there twice."""
        found: dict[int, float] = {}
        request = query.GetLossTimelineRequest(run_id=run_id, metric=metric, name=name)
        for part in self.listed("GetLossTimeline", request, query.GetLossTimelineResponse):
            _add(found, part.points)
        return found


def _add(found: dict[int, float], points) -> None:
    for step, value in zip(points.steps, points.last, strict=True):
        assert step not in found, f"step {step} twice"
        found[step] = value
