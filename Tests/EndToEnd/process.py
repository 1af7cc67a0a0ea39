"""The collector as a process: started, found by what it prints, killed."""

import functools
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

from client import Client
from wire import ROOT

SECONDS = 30
"""Deadline for whatever should take well under a second."""


def eventually(check, what: str, seconds: float = SECONDS):
    """Polls until `check` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return result


@functools.cache
def binary() -> str:
    """The collector's path: GRADWATCH_COLLECTOR, or what SwiftPM built."""
    if path := os.environ.get("GRADWATCH_COLLECTOR"):
        return path
    command = ["swift", "build", "-c", "release", "--show-bin-path"]
    folder = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return str(Path(folder.strip()) / "collector")


class Collector:
    """One `collector serve`. Use as a context manager: its end kills the process."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        limits: str = "",
    ):
        """Starts it in a folder.

        `environment` is added to ours, less what is for collectors; `limits` is shell that sets
        more limits.
        """
        self.folder = folder
        self.stderr_path = folder / f"stderr-{time.monotonic_ns()}"
        clean = {name: v for name, v in os.environ.items() if not name.startswith("GRADWATCH_")}
        self._output = b""
        with open(self.stderr_path, "wb") as stderr:
            # The limit is set by a shell, because Python can't run code between fork and exec
            # safely beside gRPC's threads. A collector that goes wild fails, and not the machine.
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f'ulimit -v 8000000 2>/dev/null; {limits}\nexec "$@"', "sh"]
                + [binary(), "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=clean | (environment or {}),
                cwd=folder,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def listening(self) -> list[str]:
        """The addresses that it has printed, once there is one."""
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + SECONDS
        while b"\n" not in self._output:
            assert selector.select(deadline - time.monotonic()), f"prints nothing: {self.stderr}"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, f"ended with {self.process.wait()} before it listened: {self.stderr}"
            self._output += more
        lines = self._output.decode().splitlines()
        assert all(line.startswith("listening on ") for line in lines), lines
        return [line.removeprefix("listening on ") for line in lines]

    @property
    def target(self) -> str:
        """What a gRPC client connects to."""
        return self.listening()[0]

    def client(self, *options: tuple[str, int]) -> Client:
        return Client(self.target, *options)

    def result(self) -> tuple[int, str, str]:
        """Waits for its end; its exit status, standard output and standard error."""
        self.process.wait(SECONDS)
        output = (self._output + self.process.stdout.read()).decode()
        return self.process.returncode, output, self.stderr

    def kill(self):
        """As the kernel does when memory is short: no chance to say anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        """As an operator does."""
        self.process.send_signal(signal.SIGTERM)

    def resident_bytes(self) -> int:
        """Its memory, as the system counts it."""
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(command, check=True, capture_output=True).stdout) * 1024


def serve(folder: Path, *arguments: str, database: str = "gradwatch.sqlite", **more) -> Collector:
    """Starts a collector on a free port, with its database in `folder`."""
    place = ["--listen", "127.0.0.1:0", "--database", str(folder / database)]
    return Collector(folder, *place, *arguments, **more)
