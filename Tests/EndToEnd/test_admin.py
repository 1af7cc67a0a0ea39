"""What an operator does: deletes runs, sets how much is kept, checks and copies the database."""

import json
import sqlite3
import subprocess
from pathlib import Path

import grpc

from client import failure_of
from process import binary, eventually, serve
from reports import Recorded, assert_holds, registration, report
from wire import v1


def cli(collector, *arguments) -> subprocess.CompletedProcess:
    tool = Path(binary()).with_name("collector-cli")
    command = [tool, *map(str, arguments), "--server", collector.target]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def store(command: str, *arguments) -> subprocess.CompletedProcess:
    line = [binary(), "store", command, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


def record(client, run_id: str, count: int = 300, project: str = "", finish: bool = True):
    client.register(registration(run_id, project=project))
    client.report(run_id, *(report(sequence) for sequence in range(1, count + 1)))
    if finish:
        finished = v1.FinishRunRequest(run_id=run_id, status=v1.RUN_STATUS_FINISHED)
        client.ingest.FinishRun(finished)


def run_ids(client) -> set[str]:
    return {run.run_id for run in client.query.ListRuns(v1.ListRunsRequest()).runs}


def stats(client):
    return client.admin.GetStats(v1.GetStatsRequest())


def rows(path: Path, table: str) -> int:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_deleted_run_is_gone_also_after_a_kill(tmp_path):
    path = tmp_path / "gradwatch.sqlite"
    with serve(tmp_path) as collector, collector.client() as client:
        for run_id in ("goes", "stays"):
            record(client, run_id)
        deleted = client.admin.DeleteRun(v1.DeleteRunRequest(run_id="goes")).run
        assert deleted.run_id == "goes" and deleted.last_step == 299
        # Wherever the work was: it is taken up again.
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert run_ids(client) == {"stays"}
        again = failure_of(client.admin.DeleteRun, v1.DeleteRunRequest(run_id="goes"))
        assert again.code == grpc.StatusCode.NOT_FOUND and again.reason == "UNKNOWN_RUN"
        eventually(lambda: stats(client).deletions_in_progress == 0, "nothing is left to delete")
        eventually(lambda: stats(client).unsealed_reports == 0, "all is sealed")
        recorded = Recorded(report(sequence) for sequence in range(1, 301))
        assert_holds(client, "stays", recorded)
        collector.kill()
    assert rows(path, "producers") == 1
    assert rows(path, "deletions") == 0


def test_streams_of_a_run_that_is_deleted_by_force_end(collector, client):
    record(client, "run", 3, finish=False)
    stream = client.stream("run")
    assert stream.opened.last_sequence == 3
    refused = cli(collector, "run", "delete", "run")
    assert refused.returncode == 2 and "force" in refused.stderr
    done = cli(collector, "run", "delete", "run", "--force", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"][0]["runId"] == "run"
    ending = stream.end()
    assert ending.code == grpc.StatusCode.FAILED_PRECONDITION
    assert ending.reason == "RUN_DELETED"
    assert cli(collector, "run", "delete", "run").returncode == 3
    assert run_ids(client) == set()


def test_pruning_and_retention(collector, client):
    for index in range(4):
        record(client, f"a{index}", 2, project="a")
    record(client, "b0", 2, project="b")
    record(client, "running", 2, project="a", finish=False)

    named = cli(collector, "run", "prune", "--project", "a", "--keep", 3, "--dry-run")
    lines = [line.split("\t") for line in named.stdout.splitlines()]
    assert lines[0] == ["run_id", "project", "ended_at", "reports", "bytes", "limit"]
    assert [(line[0], line[3], line[5]) for line in lines[1:]] == [
        ("a0", "2", "runs"),
        ("a1", "2", "runs"),
    ]
    table = cli(collector, "run", "prune", "--keep", 3, "--dry-run", "-o", "table").stdout
    assert "would delete 2 runs" in table
    assert len(run_ids(client)) == 6
    pruned = cli(collector, "run", "prune", "--keep", 3, "-o", "json")
    assert [entry["run"]["runId"] for entry in json.loads(pruned.stdout)["pruned"]] == ["a0", "a1"]
    assert run_ids(client) == {"a2", "a3", "b0", "running"}
    assert cli(collector, "run", "prune", "-o", "table").stdout == "no run is beyond a limit\n"

    limits = ("--older-than", "30d", "--max-bytes", "20GB")
    assert cli(collector, "retention", "set", *limits).returncode == 0
    kept = cli(collector, "retention", "set", "--project", "a", "--keep", 2, "-o", "json")
    assert [entry["limit"] for entry in json.loads(kept.stdout)["pruned"]] == [
        "RETENTION_LIMIT_RUNS"
    ]
    shown = json.loads(cli(collector, "retention", "show", "-o", "json").stdout)["retention"]
    assert shown == [
        {"retention": {"maximumAgeSeconds": 30 * 86_400, "maximumBytes": str(20 * 10**9)}},
        {"project": "a", "retention": {"maximumRuns": "2"}},
    ]
    assert run_ids(client) == {"a3", "b0", "running"}
    for wrong in ([], ["--keep", "1", "--unset"], ["--max-bytes", "much"]):
        assert cli(collector, "retention", "set", *wrong).returncode == 2
    assert cli(collector, "retention", "set", "--unset").returncode == 0
    shown = cli(collector, "retention", "show").stdout.splitlines()
    assert [line.split("\t")[0] for line in shown] == ["project", "a"]


def test_statistics(collector, client):
    record(client, "run", 5, finish=False)
    answer = stats(client)
    assert answer.reports.accepted == 5 and answer.runs == 1
    assert answer.resident_bytes > 5_000_000
    assert abs(answer.resident_bytes - collector.resident_bytes()) < 50_000_000
    text = cli(collector, "stats").stdout
    values = dict(line.split("\t") for line in text.splitlines())
    assert values["reports_accepted"] == "5" and values["live_producers"] == "1"
    assert "5 accepted" in cli(collector, "stats", "-o", "table").stdout
    assert json.loads(cli(collector, "stats", "-o", "json").stdout)["reports"]["accepted"] == "5"
    size = client.admin.Checkpoint(v1.CheckpointRequest()).size
    assert size.write_ahead_log_bytes == 0 and size.database_bytes > 0


def test_verify_and_backup_beside_a_collector_that_ingests(tmp_path):
    path, copy = tmp_path / "gradwatch.sqlite", tmp_path / "copy.sqlite"
    with serve(tmp_path) as collector, collector.client() as client:
        record(client, "run", 400)
        sound = store("verify", path)
        assert sound.returncode == 0, sound.stdout + sound.stderr
        assert "1 of 1 runs" in sound.stdout and "400 of 400 reports" in sound.stdout
        done = store("backup", path, copy)
        assert done.returncode == 0, done.stderr
        client.register(registration("later"))
        client.report("later", *(report(sequence) for sequence in range(1, 11)))
        assert "2 of 2 runs" in store("verify", path).stdout
    taken = store("backup", path, copy)
    assert taken.returncode == 2 and "expected nothing there" in taken.stderr
    assert "400 of 400 reports" in store("verify", copy).stdout
    with serve(tmp_path, database="copy.sqlite") as collector, collector.client() as client:
        assert run_ids(client) == {"run"}
        assert client.register(registration("run")).producer.last_sequence == 400


def test_a_database_that_can_not_be_opened_is_named(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        record(client, "run", 3)
        collector.terminate()
        assert collector.result()[0] == 0
    # Not even root can use a folder as the log's index or as the log.
    for suffix in ("shm", "wal"):
        folder = tmp_path / f"gradwatch.sqlite-{suffix}"
        folder.unlink(missing_ok=True)
        folder.mkdir()
    refused = store("verify", tmp_path / "gradwatch.sqlite")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert str(tmp_path / "gradwatch.sqlite") in refused.stderr


def test_verify_names_what_is_damaged(tmp_path):
    path = tmp_path / "gradwatch.sqlite"
    with serve(tmp_path) as collector, collector.client() as client:
        record(client, "run", 300)
        record(client, "other", 20)
        eventually(lambda: stats(client).unsealed_reports == 0, "all is sealed")
        collector.kill()
    with sqlite3.connect(path) as database:
        key, body = database.execute(
            "SELECT key, body FROM chunks WHERE key / 262144 = 1 AND key % 262144 = 2"
        ).fetchone()
        broken = body[:-1] + bytes([body[-1] ^ 1])
        database.execute("UPDATE chunks SET body = ? WHERE key = ?", (broken, key))
    damaged = store("verify", path)
    assert damaged.returncode == 1
    line, sound, count = damaged.stdout.splitlines()
    assert line.startswith("run ") and ", producer trainer, tensor net.1.weight, steps 0..." in line
    assert "checksum mismatch: expected" in line and "can still be read: gradientNorm" in line
    assert "1 of 2 runs, 2 of 3 segments" in sound
    assert count == "damaged: 1 place"
    for wrong in (tmp_path / "missing", tmp_path):
        refused = store("verify", wrong)
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
        assert str(wrong) in refused.stderr


def test_an_answer_under_way_is_not_of_another_run_of_the_same_name(tmp_path):
    def send(salt: str):
        for first in range(1, 2001, 100):
            client.report("run", *(report(sequence, layers=40, salt=salt) for sequence in range(first, first + 100)))

    # What the client has not read waits in the collector.
    with serve(tmp_path) as collector, collector.client(("grpc.http2.bdp_probe", 0)) as client:
        client.register(registration("run", layers=40))
        send("")
        answer = client.query.GetHistograms(v1.GetHistogramsRequest(run_id="run"))
        next(answer)
        client.admin.DeleteRun(v1.DeleteRunRequest(run_id="run", force=True))
        other = registration("run", layers=40)
        for tensor in other.model.tensors:
            tensor.name = f"other.{tensor.name}"
        client.register(other)
        send("other")
        failure = failure_of(list, answer)
        assert (failure.code.name, failure.reason) == ("FAILED_PRECONDITION", "RUN_DELETED")


def test_a_dry_run_of_retention_says_what_would_go(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        for project in ("own", "others"):
            for number in range(3):
                record(client, f"{project} {number}", count=3, project=project)

        def said(*arguments) -> list[str]:
            result = cli(collector, *arguments, "-o", "json")
            assert result.returncode == 0, result.stderr
            return sorted(pruned["run"]["runId"] for pruned in json.loads(result.stdout)["pruned"])

        assert said("retention", "set", "--project", "own", "--keep-all") == []
        limits = ["retention", "set", "--keep", "1"]
        before = said(*limits, "--dry-run")
        assert before == ["others 0", "others 1"]
        assert len(run_ids(client)) == 6
        assert not client.admin.ListRetention(v1.ListRetentionRequest()).HasField("standard")
        assert said(*limits) == before
        # Taken back, what was set for all counts.
        unset = ["retention", "set", "--project", "own", "--unset"]
        before = said(*unset, "--dry-run")
        assert before == ["own 0", "own 1"] == said(*unset)
        assert said("retention", "set", "--keep", "0", "--project", "own", "--dry-run") == ["own 2"]
        assert said("retention", "set", "--keep-all", "--project", "own", "--dry-run") == []
        assert said("retention", "set", "--unset", "--dry-run") == []
        assert run_ids(client) == {"own 2", "others 2"}
