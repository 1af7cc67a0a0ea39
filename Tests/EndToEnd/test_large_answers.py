"""Answers above gRPC's usual limit of 4 MiB reach whoever asked through our own clients."""

import json
import struct
import subprocess
import zlib
from pathlib import Path

from process import binary, serve
from reports import registration, report
from wire import v1

LARGE = {f"argument {index}": "v" * 16_000 for index in range(400)}
"""Hyper-parameters of 6 MB, as of a dumped configuration."""


def cli(collector, *arguments) -> str:
    """Runs a command that must succeed; what it writes."""
    program = Path(binary()).with_name("collector-cli")
    command = [program, *map(str, arguments), "--server", collector.target]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


def record(**content) -> bytes:
    """A record of a spool."""
    payload = v1.SpoolRecord(**content).SerializeToString()
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def test_collector_cli_shows_runs_of_more_than_4_mib(tmp_path):
    unlimited = ("grpc.max_receive_message_length", -1)
    with serve(tmp_path) as collector, collector.client(unlimited) as client:
        client.register(registration("large", hyperparameters=LARGE))
        client.report("large", report(1))
        [run] = json.loads(cli(collector, "query", "runs", "-o", "json"))["runs"]
        assert run["hyperparameters"] == LARGE
        shown = json.loads(cli(collector, "query", "run", "large", "-o", "json"))
        assert shown["run"]["hyperparameters"] == LARGE


def test_the_swift_client_registers_a_run_of_more_than_4_mib(tmp_path):
    path = tmp_path / "large.gwspool"
    start = registration("large", hyperparameters=LARGE)
    path.write_bytes(b"GWSPOOL1" + record(registration=start) + record(report=report(1)))
    with serve(tmp_path) as collector:
        cli(collector, "import", "spool", path)
        assert cli(collector, "query", "loss", "large", "-o", "jsonl")
