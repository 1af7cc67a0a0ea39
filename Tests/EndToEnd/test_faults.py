"""Disks that are full or fail, data that is damaged, a clock that jumps: said, survived, and over when it is."""

import itertools
import random
import sqlite3
from contextlib import closing

import grpc
import pytest

from client import Failure, failure_of
from faults import Shim, small_disk
from process import eventually, serve
from reports import (
    METRICS,
    Recorded,
    assert_holds,
    lose_gradients,
    loss_timeline,
    registration,
    report,
    timeline,
)
from wire import v1

LAYERS = 20


def wide(first: int, last: int) -> list:
    """Reports of several kilobytes each."""
    return [report(sequence, layers=LAYERS) for sequence in range(first, last + 1)]


def assert_refused_for_now(failure):
    """As whoever sends must hear it: not the report's fault, and worth trying again."""
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE"), failure
    assert (failure.domain, failure.has_retry) == ("gradwatch", True)


def send_until_refused(client, last: int) -> int:
    """Streams until the collector can't keep any more; the last number that it acked."""
    stream = client.stream("run")
    assert stream.opened.last_sequence == last
    stream.send(*wide(last + 1, last + 1000))
    assert_refused_for_now(stream.end())
    assert stream.acked < last + 1000
    return max(last, stream.acked)


def is_done(call, *arguments) -> bool:
    """Whether a call is answered; else it is refused for now."""
    try:
        call(*arguments)
    except grpc.RpcError as error:
        assert_refused_for_now(Failure.of(error))
        return False
    return True


def test_a_disk_that_is_full_takes_reports_again_when_there_is_space(tmp_path):
    with small_disk(tmp_path / "disk", 9) as disk:
        ballasts = [disk / f"ballast {number}" for number in range(3)]
        # The first one goes last: what was left to seal takes of its space too.
        for ballast, megabytes in zip(ballasts, (3, 1, 1)):
            ballast.write_bytes(bytes(megabytes << 20))
        with serve(disk, "--log-level", "error") as collector, collector.client() as client:
            last = client.register(registration("run", layers=LAYERS)).producer.last_sequence
            for ballast in [*ballasts[1:], None]:
                acked = send_until_refused(client, last)
                assert acked > last, "there was room for some"
                # The process lives, and answers all that needs no room. What is sealed meanwhile may give some back.
                while is_done(client.report, "run", *wide(acked + 1, acked + 1)):
                    acked += 1
                run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
                assert run.producers[0].last_sequence == acked
                norms = timeline(client, "run", v1.METRIC_GRADIENT_NORM)
                assert list(norms[0].steps) == list(range(acked))
                assert not client.list_alerts(run_id="run")
                others = (registration(f"another-{last}-{number}", layers=1000) for number in itertools.count())
                while is_done(client.register, next(others)):
                    pass
                last = acked
                if ballast:
                    ballast.unlink()
            assert_holds(client, "run", Recorded(wide(1, last)))
            collector.kill()
        # To register again is to write that the run goes on.
        ballasts[0].unlink()
        with serve(disk, "--log-level", "error") as collector, collector.client() as client:
            # Clients try again, too.
            run = registration("run", layers=LAYERS)
            eventually(lambda: is_done(client.register, run), "there is space again")
            assert client.register(run).producer.last_sequence == last
            assert_holds(client, "run", Recorded(wide(1, last)))


def test_a_report_whose_sync_failed_is_not_acked(tmp_path):
    shim = Shim(tmp_path)
    chance = random.Random(7)
    acked = 0
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run", layers=LAYERS))
        for _ in range(4):
            ahead = client.stream("run")
            ahead.send(*wide(acked + 1, acked + 400))
            ahead.wait_for_ack(acked + chance.randrange(1, 200))
            shim.fail_syncs()
            assert_refused_for_now(ahead.end())
            acked = max(acked, ahead.acked)
            assert_refused_for_now(failure_of(client.report, "run", *wide(acked + 1, acked + 1)))
            assert_refused_for_now(failure_of(client.register, registration("another")))
            run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
            assert run.producers[0].last_sequence == acked
            assert list(loss_timeline(client, "run")["loss"].steps) == list(range(acked))
            shim.fail_syncs(False)
            client.report("run", *wide(acked + 1, acked + 10))
            acked += 10
        shim.fail_syncs()
        failure_of(client.report, "run", *wide(acked + 1, acked + 10))
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        # Written and not synced may be there or not; acked is there.
        last = client.register(registration("run", layers=LAYERS)).producer.last_sequence
        assert acked <= last <= acked + 10
        client.report("run", *wide(last + 1, acked + 300))
        assert_holds(client, "run", Recorded(wide(1, acked + 300)))
        assert [run.run_id for run in client.query.ListRuns(v1.ListRunsRequest()).runs] == ["run"]


def test_a_file_that_takes_nothing_is_logged_and_nothing_is_lost(tmp_path):
    shim = Shim(tmp_path)
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run", layers=LAYERS))
        shim.fail_writes()
        client.report("run", *wide(1, 1000))
        words = "move the write-ahead log into the file: disk I/O error"
        eventually(lambda: words in collector.stderr, "logged")
        # Only the log grows.
        assert collector.stderr.count(words) < 20
        client.report("run", *wide(1001, 1100))
        shim.fail_writes(False)
        client.report("run", *wide(1101, 2000))
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert_holds(client, "run", Recorded(wide(1, 2000)))


# Damage


def flip(path, table: str, condition: str, column: str = "body"):
    """Flips a bit in the middle of one blob."""
    with closing(sqlite3.connect(path)) as database:
        [(key, body)] = database.execute(f"SELECT rowid, {column} FROM {table} WHERE {condition}")
        damaged = bytearray(body)
        damaged[len(damaged) // 2] ^= 4
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (damaged, key))
        database.commit()


@pytest.fixture
def three_runs(tmp_path):
    """A closed file with three runs of 300 reports, 256 of them sealed."""
    with serve(tmp_path) as collector, collector.client() as client:
        for name in ("chunk", "log", "whole"):
            client.register(registration(name))
            client.report(name, *map(report, range(1, 301)))
        database = sqlite3.connect(tmp_path / "gradwatch.sqlite")
        with closing(database):
            sealed = "SELECT count(*) FROM segments"
            eventually(lambda: database.execute(sealed).fetchone() == (3,), "sealed")
        collector.terminate()
        assert collector.result()[0] == 0
    return tmp_path / "gradwatch.sqlite"


def test_a_damaged_chunk_or_log_row_is_named_and_the_rest_is_served(tmp_path, three_runs):
    [segment, producer] = [
        f"(SELECT s.{column} FROM segments s JOIN producers p ON p.key = s.producer"
        f" JOIN runs r ON r.key = p.run WHERE r.id = '{run}')"
        for column, run in (("id", "chunk"), ("producer", "log"))
    ]
    flip(three_runs, "chunks", f"key = {segment} * 262144 + 2")
    flip(three_runs, "log", f"producer = {producer} AND sequence = 280")
    sent = Recorded(map(report, range(1, 301)))
    with serve(tmp_path) as collector, collector.client() as client:

        def norms(run: str, **request):
            return timeline(client, run, v1.METRIC_GRADIENT_NORM, **request)

        # All columns of the damaged chunk but one are whole, and which one was hit is not ours to say.
        failures = []
        for metric, (group, _) in METRICS.items():
            if group != "activations":
                try:
                    timeline(client, "chunk", metric)
                except Exception as error:
                    failures.append((metric, error))
        assert len(failures) == 1, failures
        metric = failures[0][0]
        failure = failure_of(
            client.query.GetLayerTimeline,
            v1.GetLayerTimelineRequest(run_id="chunk", metric=metric),
        )
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for place in ("run chunk", "net.1.weight", "0...255"):
            assert place in failure.message, failure.message
        others = v1.Selector(tensor="net.0.*")
        assert timeline(client, "chunk", metric, selector=others).keys() == {0, 1}
        after = timeline(client, "chunk", metric, steps=v1.StepRange(first=256))
        assert list(after[2].steps) == list(range(256, 300))

        request = v1.GetLayerTimelineRequest(run_id="log")
        failure = failure_of(client.query.GetLayerTimeline, request)
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for place in ("run log", "report of step 279"):
            assert place in failure.message, failure.message
        before = norms("log", steps=v1.StepRange(first=0, last=255))
        assert list(before[0].steps) == list(range(256))
        # Its detector is rebuilt without that report, which is said, and all go on.
        for run in ("chunk", "log", "whole"):
            assert client.report(run, report(301)).ack.sequence == 301
        assert "run log, producer trainer, report 280: damaged" in collector.stderr, collector.stderr
        after = norms("log", steps=v1.StepRange(first=280))
        assert list(after[0].steps) == list(range(280, 301))
        sent.add(report(301))
        assert_holds(client, "whole", sent)


def test_a_run_goes_on_without_a_damaged_snapshot_of_its_detector(tmp_path, three_runs):
    flip(three_runs, "snapshots", "producer = (SELECT max(producer) FROM snapshots)", "state")
    with serve(tmp_path) as collector, collector.client() as client:
        for run in ("chunk", "log", "whole"):
            assert client.report(run, *map(report, range(301, 601))).ack.sequence == 600
        [told] = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert "run whole, producer trainer, detector snapshot: damaged" in told
        collector.kill()
    # There is a new one by now.
    with serve(tmp_path) as collector, collector.client() as client:
        assert client.report("whole", report(601)).ack.sequence == 601
        assert "damaged" not in collector.stderr


def test_the_others_are_watched_if_a_run_can_not_be_restored(tmp_path, three_runs):
    # Of the newest run, which is restored first.
    flip(three_runs, "models", "run = (SELECT key FROM runs WHERE id = 'whole')")
    with serve(tmp_path) as collector, collector.client() as client:
        eventually(lambda: "count=2" in collector.stderr, "restored")
        [told] = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert "cannot restore a run in progress" in told and "run whole" in told
        failure = failure_of(client.report, "whole", report(301))
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for run in ("chunk", "log"):
            assert client.report(run, report(301)).ack.sequence == 301


def test_a_torn_page_is_named_and_the_collector_lives(tmp_path, three_runs):
    with closing(sqlite3.connect(three_runs)) as database:
        [(page, size)] = database.execute(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'chunks'"
        )
    with open(three_runs, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(1).randbytes(size))
    with serve(tmp_path) as collector, collector.client() as client:
        failure = failure_of(
            client.query.GetLayerTimeline, v1.GetLayerTimelineRequest(run_id="whole")
        )
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED"), failure
        assert str(three_runs) in failure.message
        # Losses lie in another table, and the tail in the log.
        assert list(loss_timeline(client, "whole")["loss"].steps) == list(range(300))
        tail = timeline(client, "whole", v1.METRIC_GRADIENT_NORM, steps=v1.StepRange(first=256))
        assert list(tail[0].steps) == list(range(256, 300))
        assert client.report("whole", report(301)).ack.sequence == 301


# Time


def test_a_clock_that_jumps_leaves_no_alert_behind(tmp_path):
    shim = Shim(tmp_path)
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        begin = client.server_info().server_time.ToSeconds()
        offsets = [0, 6 * 3600, -12 * 3600, 400 * 86400, 30, -5 * 365 * 86400, 0]
        sent = []

        def stalled() -> list:
            return client.list_alerts(run_id="run", rules=["stalled_run"])

        def fires_an_hour_later() -> bool:
            nonlocal latest
            latest += 3600
            shim.set_clock(latest)
            return any(alert.state == v1.ALERT_STATE_FIRING for alert in stalled())

        latest = 0
        for index, offset in enumerate(offsets):
            shim.set_clock(offset)
            now = client.server_info().server_time.ToSeconds()
            assert abs(now - begin - offset) < 60, "the collector's clock is the system's"
            if offset > latest:
                # Nobody can tell a jump ahead from silence: it is said, once, until the next report. The
                # rule looks once a second, and counts from when it first looked.
                latest = offset
                eventually(fires_an_hour_later, "fires")
            batch = [report(len(sent) + number) for number in range(1, 51)]
            if index == 2:
                batch[25:28] = map(lose_gradients, batch[25:28])
            client.report("run", *batch)
            sent += batch
            states = {alert.state for alert in stalled()}
            assert states <= {v1.ALERT_STATE_RESOLVED}, "a report ends the silence"
        assert_holds(client, "run", Recorded(sent))
        for alert in client.list_alerts(run_id="run"):
            assert alert.state == v1.ALERT_STATE_RESOLVED, alert
            for time in (alert.started_at, alert.fired_at, alert.resolved_at):
                assert min(offsets) - 60 < time.ToSeconds() - begin < latest + 60, alert
        assert {alert.rule for alert in client.list_alerts(run_id="run")} >= {"non_finite_loss"}
        run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
        assert run.producers[0].last_sequence == len(sent)
        collector.kill()
    # Found again by a collector whose clock stands years before the last report.
    shim.set_clock(-20 * 365 * 86400)
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        last = client.register(registration("run")).producer.last_sequence
        assert last == len(sent)
        sent.append(report(last + 1))
        client.report("run", sent[-1])
        assert_holds(client, "run", Recorded(sent))
        collector.terminate()
        assert collector.result()[0] == 0
