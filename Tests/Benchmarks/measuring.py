"""A collector to be measured, and the programs that put load on it."""

import contextlib
import functools
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

from client import Client  # noqa: E402
from process import binary, eventually, serve  # noqa: E402
from wire import v1  # noqa: E402

PROJECT = "bench"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Scale:
    """How much is measured."""

    repeats: int
    quick: bool

    def pick(self, full, quick):
        return quick if self.quick else full


class Measured:
    """A collector that serves the database of a folder; an empty one, if there is none."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None):
        self.folder = folder
        self.collector = serve(folder, "--log-level", "warning", environment=environment)
        self.port = int(self.collector.target.rsplit(":", 1)[1])
        # Reports of a million points are larger than gRPC's own limit.
        self.client = Client(self.collector.target, ("grpc.max_receive_message_length", 1 << 30))

    def close(self):
        self.client.channel.close()
        self.collector.__exit__()

    @property
    def processor_seconds(self) -> float:
        fields = self._proc("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def peak_bytes(self) -> int:
        return self._status("VmHWM")

    @property
    def resident_bytes(self) -> int:
        return self._status("VmRSS")

    @property
    def file_bytes(self) -> int:
        return (self.folder / "gradwatch.sqlite").stat().st_size

    def stats(self):
        return self.client.admin.GetStats(v1.GetStatsRequest())

    def settle(self, unsealed: int = 0, seconds: float = 240):
        """Waits until no more than so many reports wait to be sealed, and the processor is idle again."""
        eventually(lambda: self.stats().unsealed_reports <= unsealed, "all is sealed", seconds)
        spent = -1.0
        while self.processor_seconds - spent > 0.02:
            spent = self.processor_seconds
            time.sleep(0.1)

    def wait_for_subscribers(self, count: int):
        eventually(lambda: self.stats().subscribers >= count, f"{count} subscribers", 60)

    def finish(self, run: str):
        """Ends a run, so that all of it is sealed."""
        request = v1.FinishRunRequest(run_id=run, status=v1.RUN_STATUS_FINISHED)
        self.client.ingest.FinishRun(request)

    def disable_rules(self):
        """Switches every rule off, for what it costs to have them."""
        rules = self.client.alerts.ListRules(v1.ListRulesRequest()).rules
        off = [v1.RuleSettings(rule=rule.rule, enabled=False) for rule in rules]
        request = v1.SetRulesRequest(project=PROJECT, rules=v1.RuleSet(rules=off))
        self.client.alerts.SetRules(request)

    def load(self, kind: str, **options) -> dict:
        """Has LoadBenchmark do its work; what it printed."""
        return finish(self.start_load(kind, **options))

    def start_load(self, kind: str, **options) -> subprocess.Popen:
        return start_load(kind, self.port, **options)

    def _status(self, field: str) -> int:
        line = next(line for line in self._proc("status").splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.collector.process.pid}/{name}").read_text()


@contextlib.contextmanager
def measured(environment: dict[str, str] | None = None):
    """A collector with an empty database, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="gradwatch-bench-") as folder:
        collector = Measured(Path(folder), environment)
        try:
            yield collector
        finally:
            collector.close()


def start_load(
    kind: str, port: int, environment: dict[str, str] | None = None, **options
) -> subprocess.Popen:
    """Starts LoadBenchmark with options by their names."""
    command = [executable("LoadBenchmark"), kind, "--port", str(port)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    # The client's writer has no back-pressure of its own: whatever goes wrong must not eat the machine.
    return subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -v 8000000; exec "$@"', "sh", *command],
        stdout=subprocess.PIPE,
        env=os.environ | (environment or {}),
        text=True,
    )


def finish(process: subprocess.Popen) -> dict:
    """Waits for its end; what it printed."""
    output = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"{process.args[5:]} ended with {process.returncode}")
    return json.loads(output)


def executable(name: str) -> str:
    return str(Path(binary()).with_name(name))


class Shim:
    """What shim.c does to a program that is started with `environment`."""

    def __init__(self, folder: Path):
        self._numbers = folder / "numbers"
        self._numbers.write_bytes(bytes(16))
        self.environment = {"LD_PRELOAD": _library(), "BENCH_SHIM": str(self._numbers)}

    @property
    def allocations(self) -> int:
        return struct.unpack("<QQ", self._numbers.read_bytes())[0]

    def slow_syncs(self, milliseconds: int):
        with open(self._numbers, "r+b") as file:
            file.seek(8)
            file.write(struct.pack("<Q", milliseconds))


@functools.cache
def _library() -> str:
    folder = Path(tempfile.mkdtemp(prefix="gradwatch-shim-"))
    compiler = shutil.which("cc") or shutil.which("clang")
    source = Path(__file__).parent / "shim.c"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", folder / "shim.so", source]
    subprocess.run(command, check=True)
    return str(folder / "shim.so")


def allow_many_files():
    """A thousand streams have a thousand connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
