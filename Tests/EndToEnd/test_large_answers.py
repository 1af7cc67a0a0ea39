"""Answers above gRPC's usual limit of 4 MiB reach whoever asked through our own clients."""

import json
import struct
import subprocess
import zlib
from pathlib import Path

import grpc

from client import failure_of
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


def wide_histogram(sequence: int, bounds: int):
    """A report of one tensor's histogram, of bounds that no other report has."""
    message = v1.StepReport(sequence=sequence, step=sequence - 1, wall_time_seconds=1e9 + sequence)
    column = message.explicit_histograms
    column.tensor_ids.append(0)
    column.bounds.extend(sequence + index for index in range(bounds))
    counts = [0] * (bounds + 1)
    counts[sequence % bounds] = 12
    column.counts.extend(counts)
    return message


def test_histograms_of_any_size_reach_a_client_with_the_usual_limit(tmp_path):
    """Of 4,096 bounds 400 are more than the collector holds at once, and 100 more than a message may be."""
    bounds, steps = 4096, 400
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("wide", layers=1))
        for first in range(1, steps + 1, 20):
            client.report("wide", *(wide_histogram(first + index, bounds) for index in range(20)))
        # Each point by itself, and two to a range: as they can't be merged, there are as many points.
        for request in ({}, {"max_points": steps}, {"max_points": steps // 2}):
            answer = list(client.query.GetHistograms(v1.GetHistogramsRequest(run_id="wide", **request)))
            assert max(message.ByteSize() for message in answer) < 4 << 20
            points = [point for message in answer for point in message.points]
            assert [point.first_step for point in points] == list(range(steps)), request
            assert [point.last_step for point in points] == list(range(steps)), request
            for step, point in enumerate(points):
                assert point.explicit.bounds[0] == step + 1
                assert point.explicit.counts[(step + 1) % bounds] == 12


def test_one_call_may_refuse_any_number_of_reports(tmp_path):
    """And tells each with its number and its reason."""
    count = 100_000
    unlimited = ("grpc.max_receive_message_length", -1)
    with serve(tmp_path) as collector, collector.client(unlimited) as client:
        client.register(registration("refused"))
        wrong = [v1.StepReport(sequence=number, step=1 << 63) for number in range(1, count + 1)]
        ack = client.report("refused", *wrong).ack
        assert ack.sequence == count
        assert [refusal.sequence for refusal in ack.refusals] == list(range(1, count + 1))
        assert {refusal.field for refusal in ack.refusals} == {"step"}


def test_more_reports_than_a_call_may_have_are_counted_before_they_are_decoded(tmp_path):
    """Decoded, four bytes are hundreds; and the next call is served."""
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("many"))
        reports = [v1.StepReport(sequence=1)] * ((1 << 17) + 1)
        failure = failure_of(client.report, "many", *reports)
        assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
        assert failure.descriptions == ["reports: expected at most 131072, found 131073"]
        assert client.report("many", report(1)).ack.sequence == 1
