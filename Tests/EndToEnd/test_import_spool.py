"""What a client wrote while it had no collector is imported through collector-cli, and again."""

import json
import math
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from process import binary
from reports import (
    Recorded,
    assert_holds,
    lose_gradients,
    loss_timeline,
    registration,
    report,
)
from wire import v1


def import_spools(collector, *arguments) -> subprocess.CompletedProcess:
    """Runs the command against a collector."""
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "import", "spool", "--server", collector.target, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def record(**content) -> bytes:
    payload = v1.SpoolRecord(**content).SerializeToString()
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def spool(run_id: str, reports, status: int | None = None, reason: str = "", rank=None) -> bytes:
    """A spool of a run; without a status it does not say how the run ended."""
    start = registration(run_id, project="cluster")
    if rank is not None:
        start.producer.producer_id = f"rank {rank}"
        start.producer.rank, start.producer.world_size = rank, 2
    content = b"GWSPOOL1" + record(registration=start)
    content += b"".join(record(report=one) for one in reports)
    if status is not None:
        ending = v1.FinishRunRequest(run_id=run_id, status=status, reason=reason)
        content += record(ending=ending)
    return content


def healthy(count: int) -> list:
    return [report(sequence) for sequence in range(1, count + 1)]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def run_of(client, run_id: str):
    return client.query.GetRun(v1.GetRunRequest(run_id=run_id)).run


def test_a_spool_is_read_back_and_sent_only_once(collector, client, tmp_path):
    reports = healthy(30)
    lose_gradients(reports[-1])
    content = spool("run", reports, v1.RUN_STATUS_FAILED, "the loss is NaN")
    path = write(tmp_path / "a.gwspool", content)
    first = import_spools(collector, path, "-o", "json")
    assert first.returncode == 0, first.stderr
    expected = {
        "run_id": "run",
        "file": str(path),
        "steps": 30,
        "sent": 30,
        "refused": 0,
        "last_step": 29,
    }
    assert json.loads(first.stdout) == {"runs": [expected]}
    assert_holds(client, "run", Recorded(reports))
    before = run_of(client, "run")
    assert (before.status, before.status_reason) == (v1.RUN_STATUS_FAILED, "the loss is NaN")
    assert before.project == "cluster"
    assert before.producers[0].producer.producer_id == "trainer"
    alerts = client.list_alerts(run_id="run")
    assert "non_finite_gradient" in {alert.rule for alert in alerts}

    second = import_spools(collector, path, "-o", "json")
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout) == {"runs": [expected | {"sent": 0}]}
    assert run_of(client, "run") == before
    assert client.list_alerts(run_id="run") == alerts
    assert_holds(client, "run", Recorded(reports))


def test_a_file_that_is_cut_off_is_imported_up_to_there_and_later_the_rest(
    collector, client, tmp_path
):
    reports = healthy(12)
    whole = spool("run", reports, v1.RUN_STATUS_ABORTED)
    place = len(spool("run", reports[:9]))
    path = write(tmp_path / "a.gwspool", whole[: place + 100])
    result = import_spools(collector, path, "--quiet", "-o", "jsonl")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["sent"] == 9
    size = len(record(report=reports[9])) - 8
    warning = f"{path}: byte {place}: record: expected {size} bytes, found 92"
    assert warning in result.stderr
    assert run_of(client, "run").status == v1.RUN_STATUS_RUNNING
    assert_holds(client, "run", Recorded(reports[:9]))

    write(path, whole)
    result = import_spools(collector, path, "-o", "jsonl")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 12
    assert json.loads(result.stdout)["sent"] == 3
    assert run_of(client, "run").status == v1.RUN_STATUS_ABORTED
    assert_holds(client, "run", Recorded(reports))


def test_of_a_damaged_file_what_comes_before_is_imported(collector, client, tmp_path):
    reports = healthy(8)
    content = bytearray(spool("run", reports, v1.RUN_STATUS_FINISHED))
    place = len(spool("run", reports[:5]))
    content[place + 50] ^= 1
    damaged = write(tmp_path / "a.gwspool", bytes(content))
    other = write(tmp_path / "b.gwspool", spool("other", reports, v1.RUN_STATUS_FINISHED))
    result = import_spools(collector, damaged, other)
    assert result.returncode == 2
    assert f"{damaged}: byte {place}: checksum: expected " in result.stderr
    assert "spools not imported whole: 1 of 2" in result.stderr
    run = run_of(client, "run")
    assert run.status == v1.RUN_STATUS_RUNNING
    assert run.producers[0].last_sequence == 5
    assert run_of(client, "other").status == v1.RUN_STATUS_FINISHED


@pytest.mark.parametrize("bit", range(10, 32))
def test_a_length_that_is_damaged_is_no_end_of_the_file(collector, client, tmp_path, bit):
    reports = healthy(8)
    content = bytearray(spool("run", reports, v1.RUN_STATUS_FINISHED))
    place = len(spool("run", reports[:5]))
    content[place + bit // 8] ^= 1 << bit % 8
    damaged = write(tmp_path / "a.gwspool", bytes(content))
    result = import_spools(collector, damaged)
    assert result.returncode == 2, result.stderr
    assert f"{damaged}: byte {place}: " in result.stderr
    assert run_of(client, "run").producers[0].last_sequence == 5


def test_of_a_folder_the_spools_are_taken_by_name(collector, client, tmp_path):
    folder = tmp_path / "spools"
    folder.mkdir()
    reports = healthy(4)
    write(folder / "rank0.gwspool", spool("run", reports, v1.RUN_STATUS_FINISHED, rank=0))
    write(folder / "rank1.gwspool", spool("run", reports, rank=1))
    write(folder / "notes.txt", b"no spool")
    result = import_spools(collector, folder, "-o", "json")
    assert result.returncode == 0, result.stderr
    runs = json.loads(result.stdout)["runs"]
    assert [Path(run["file"]).name for run in runs] == ["rank0.gwspool", "rank1.gwspool"]
    run = run_of(client, "run")
    assert [state.last_sequence for state in run.producers] == [4, 4]
    # A rank that does not say when it ends does not let the run go on.
    assert run.status == v1.RUN_STATUS_FINISHED

    empty = tmp_path / "empty"
    empty.mkdir()
    result = import_spools(collector, empty)
    assert result.returncode == 2
    assert f"{empty}: expected files named *.gwspool, found none" in result.stderr


def test_a_run_that_went_on_runs_again(collector, client, tmp_path):
    reports = healthy(6)
    content = spool("run", reports[:3], v1.RUN_STATUS_FAILED)
    path = write(tmp_path / "a.gwspool", content)
    assert import_spools(collector, path).returncode == 0
    assert run_of(client, "run").status == v1.RUN_STATUS_FAILED
    write(path, content + b"".join(record(report=one) for one in reports[3:]))
    assert import_spools(collector, path).returncode == 0
    assert run_of(client, "run").status == v1.RUN_STATUS_RUNNING
    assert_holds(client, "run", Recorded(reports))


def test_an_end_that_is_known_stays_when_nothing_is_left_to_send(collector, client, tmp_path):
    reports = healthy(3)
    path = write(tmp_path / "a.gwspool", spool("run", reports))
    assert import_spools(collector, path).returncode == 0
    assert run_of(client, "run").status == v1.RUN_STATUS_RUNNING
    client.ingest.FinishRun(v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_ABORTED))
    before = run_of(client, "run")
    assert import_spools(collector, path).returncode == 0
    assert run_of(client, "run") == before


def test_another_run_under_the_same_id_is_left_alone(collector, client, tmp_path):
    path = write(tmp_path / "a.gwspool", spool("run", healthy(5), v1.RUN_STATUS_FINISHED))
    assert import_spools(collector, path).returncode == 0
    before = run_of(client, "run")
    shorter = spool("run", healthy(3), v1.RUN_STATUS_FAILED)
    later = spool("run", [report(n, step=n + 100) for n in range(1, 6)], v1.RUN_STATUS_FAILED)
    for other in (shorter, later):
        result = import_spools(collector, write(path, other))
        assert result.returncode == 2
        assert f"found others in {path}" in result.stderr
    model = b"GWSPOOL1" + record(registration=registration("run", layers=1))
    model += b"".join(record(report=one) for one in healthy(5))
    result = import_spools(collector, write(path, model))
    assert result.returncode == 2
    assert "MODEL_DIFFERS" in result.stderr
    assert run_of(client, "run") == before


@pytest.mark.parametrize("says", ["losses", "global_norm"])
@pytest.mark.parametrize("first", ["online", "offline"])
def test_a_run_that_was_online_as_well_loses_no_step_silently(
    collector, client, tmp_path, first, says
):
    def steps(*counts: int, salt: str) -> list:
        """Reports of as many steps, again and again from step 0, that say one thing of each."""
        reports = [report(0, step=step, salt=salt) for count in counts for step in range(count)]
        for sequence, one in enumerate(reports, 1):
            other = "global_norm" if says == "losses" else "losses"
            one.sequence = sequence
            one.ClearField(other)
        if says == "losses":
            reports[1].losses[0].value = math.nan
        else:
            reports[1].global_norm = math.nan
        return reports

    offline = steps(3, 9, salt="offline")
    online = steps(3, salt="online")
    if first == "offline":
        path = write(tmp_path / "a.gwspool", spool("run", offline[:3]))
        for _ in range(2):
            assert import_spools(collector, path).returncode == 0
        for one in online:
            one.sequence += 3
    else:
        client.register(registration("run", project="cluster"))
    client.report("run", *online)
    path = write(tmp_path / "a.gwspool", spool("run", offline, v1.RUN_STATUS_FINISHED))
    metric = v1.STEP_METRIC_LOSS if says == "losses" else v1.STEP_METRIC_GLOBAL_NORM
    before = run_of(client, "run"), str(loss_timeline(client, "run", metric=metric))
    result = import_spools(collector, path)
    assert result.returncode == 2
    name = "loss" if says == "losses" else "global norm"
    assert f"{path}: expected at step 0 what the collector has, {name} " in result.stderr
    assert "nothing was sent" in result.stderr
    assert (run_of(client, "run"), str(loss_timeline(client, "run", metric=metric))) == before


def test_known_reports_of_which_the_collector_has_no_number_are_told(collector, client, tmp_path):
    reports = healthy(3)
    for one in reports:
        one.ClearField("losses")
        one.ClearField("global_norm")
    client.register(registration("run", project="cluster"))
    client.report("run", *reports)
    before = run_of(client, "run")
    path = write(tmp_path / "a.gwspool", spool("run", healthy(5)))
    result = import_spools(collector, path)
    assert result.returncode == 2
    expected = f"{path}: expected losses or norms in steps 0 to 2, which the collector should have"
    assert expected in result.stderr
    assert run_of(client, "run") == before
    # A file that says neither can't be held against anything.
    assert import_spools(collector, write(path, spool("run", reports))).returncode == 0


def test_only_the_last_of_many_known_reports_are_compared(collector, client, tmp_path):
    reports = [report(sequence, layers=1) for sequence in range(1, 1202)]
    start = registration("run", layers=1)
    content = b"GWSPOOL1" + record(registration=start)
    content += b"".join(record(report=one) for one in reports)
    path = write(tmp_path / "a.gwspool", content)
    for sent in (1201, 0):
        result = import_spools(collector, path, "-o", "jsonl")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["sent"] == sent
    reports[300].losses[1].value = 7
    content = b"GWSPOOL1" + record(registration=start)
    content += b"".join(record(report=one) for one in reports)
    result = import_spools(collector, write(path, content))
    assert result.returncode == 2
    assert f"{path}: expected at step 300 what the collector has, auxiliary " in result.stderr
    assert ", found 7.0: " in result.stderr


def test_what_is_wrong_is_named(collector, client, tmp_path):
    text = write(tmp_path / "notes.txt", b"not a spool at all")
    result = import_spools(collector, text)
    assert result.returncode == 2
    problem = "byte 0: expected the first bytes of a spool, GWSPOOL1, found others"
    assert f"{text}: {problem}" in result.stderr
    assert import_spools(collector, tmp_path / "none.gwspool").returncode == 2
    # A histogram that does not add up is for the collector to see.
    reports = healthy(3)
    reports[1].histograms.zero_count[0] += 1
    odd = write(tmp_path / "odd.gwspool", spool("odd", reports, v1.RUN_STATUS_FINISHED))
    result = import_spools(collector, odd, "-o", "json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["runs"][0]["refused"] == 1
    assert "steps refused: 1" in result.stderr and "histogram" in result.stderr
    assert run_of(client, "odd").producers[0].last_sequence == 3


def test_reports_that_no_collector_takes_are_named_and_the_others_imported(
    collector, client, tmp_path
):
    reports = healthy(6)
    reports[2].learning_rate = math.nan
    reports[4].losses[0].name = "two\nlines"
    path = write(tmp_path / "a.gwspool", spool("run", reports, v1.RUN_STATUS_FINISHED))
    result = import_spools(collector, path, "-o", "json")
    assert result.returncode == 2
    named = f"{path}: report 3: learning_rate: expected a finite number, found nan"
    assert named in result.stderr
    other = f"{path}: report 5: losses[0].name: expected no control character, found U+A"
    assert other in result.stderr
    total = f"steps refused: 2; the first in {path}: step 2: learning_rate: expected a finite"
    assert total in result.stderr
    run = json.loads(result.stdout)["runs"][0]
    assert (run["steps"], run["sent"], run["refused"], run["last_step"]) == (6, 4, 2, 5)
    found = run_of(client, "run")
    assert (found.status, found.producers[0].last_sequence) == (v1.RUN_STATUS_FINISHED, 6)
    sound = [one for one in reports if one.sequence not in (3, 5)]
    assert_holds(client, "run", Recorded(sound))

    # What is known is neither sent nor told again, whoever sent it.
    result = import_spools(collector, path, "-o", "json")
    assert result.returncode == 0, result.stderr
    assert "report 3" not in result.stderr
    assert run_of(client, "run") == found


def test_a_report_that_the_client_library_has_no_room_for_is_told(collector, client, tmp_path):
    reports = healthy(2)
    column = v1.ExponentialHistogramColumn(
        tensor_ids=[0], scale=20, zero_count=[0], negative_offset=[0], negative_length=[0]
    )
    column.positive_offset.append(0)
    column.positive_length.append(9_000_000)
    column.counts.extend([1] * 9_000_000)
    reports[1].histograms.CopyFrom(column)
    path = write(tmp_path / "a.gwspool", spool("run", reports, v1.RUN_STATUS_FINISHED))
    result = import_spools(collector, path)
    assert result.returncode == 2
    expected = f"{path}: expected reports that take at most 67108864 bytes of memory, found 1 larger"
    assert expected in result.stderr
    run = run_of(client, "run")
    assert (run.status, run.producers[0].last_sequence) == (v1.RUN_STATUS_RUNNING, 1)


def test_no_collector_is_status_4(tmp_path):
    path = write(tmp_path / "a.gwspool", spool("run", healthy(1)))
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "import", "spool", "--server", f"unix:{tmp_path}/none", path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 4, result.stderr
