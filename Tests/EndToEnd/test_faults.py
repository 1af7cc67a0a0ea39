"""Disks that are full or fail, a clock that jumps: said, survived, and over when it is."""

import itertools
import signal
from pathlib import Path

import grpc
import pytest

from chance import seeded
from client import PRODUCER, Failure, failure_of
from faults import Disk, Shim, filled, small_disk
from process import eventually, serve
from reports import (
    Recorded,
    assert_holds,
    lose_gradients,
    loss_timeline,
    registration,
    report,
    timeline,
)
from scripted import Script, assert_stored, assert_stored_wholly
from stored_file import assert_is_whole, count
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


def test_a_disk_that_fills_at_any_moment_loses_and_doubles_nothing(tmp_path):
    chance = seeded("full disk")
    script = Script(f"full disk {chance.random()}", 5_000)
    last, refusals, round_ = 0, 0, 0
    with small_disk(tmp_path / "disk", 24) as disk:
        while last < script.total:
            with serve(disk, "--log-level", "error") as collector, collector.client() as client:
                for _ in range(chance.randrange(2, 5)):
                    found = client.register(script.registration()).producer.last_sequence
                    # What was not acked may be there, too.
                    assert last <= found
                    last = found
                    if last == script.total:
                        break
                    stream = client.stream(script.run_id)
                    stream.send(*script.reports(last + 1))
                    most = min(last + chance.randrange(1, 800), script.total)
                    stream.wait(lambda: stream.acked >= most or stream.ended, "acks")
                    with filled(disk):
                        # Enough for all that is left, unless the disk is full before.
                        stream.wait(lambda: stream.ended or stream.acked == script.total, "the end")
                        if stream.ended:
                            assert_refused_for_now(stream.end())
                            refusals += 1
                        last = max(last, stream.acked)
                        # Whoever asks is answered while there is no room.
                        assert_stored(client, script, client_last(client, script.run_id))
                        if killed := chance.random() < 0.3:
                            collector.kill()
                    if killed:
                        break
                    stream.cancel()
            round_ += 1
        with serve(disk, "--log-level", "error") as collector, collector.client() as client:
            assert client.register(script.registration()).producer.last_sequence == script.total
            assert_stored_wholly(client, script)
    print(f"{refusals} times full, {round_} collectors")
    assert refusals > 2


def client_last(client, run_id: str) -> int:
    """The number of the last report that the collector has."""
    return client.query.GetRun(v1.GetRunRequest(run_id=run_id)).run.producers[0].last_sequence


def test_a_report_whose_sync_failed_is_not_acked(tmp_path):
    """When syncs end again, reports are taken, whether or not the file lost a part of the log."""
    shim = Shim(tmp_path)
    chance = seeded("sync")
    acked = 0
    # Whether the file loses a part is chance.
    for _ in range(6):
        with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
            client.register(registration("run", layers=LAYERS))
            ahead = client.stream("run")
            ahead.send(*wide(acked + 1, acked + 400))
            ahead.wait_for_ack(acked + chance.randrange(1, 200))
            shim.fail_syncs()
            # All others may be acked by now.
            ahead.send(*wide(acked + 401, acked + 401))
            assert_refused_for_now(ahead.end())
            acked = max(acked, ahead.acked)
            assert_refused_for_now(failure_of(client.report, "run", *wide(acked + 1, acked + 1)))
            assert_refused_for_now(failure_of(client.register, registration("another")))
            run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
            assert run.producers[0].last_sequence == acked
            assert list(loss_timeline(client, "run")["loss"].steps) == list(range(acked))
            shim.fail_syncs(False)
            few = chance.randrange(1, 20)
            client.report("run", *wide(acked + 1, acked + few))
            acked += few
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
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
    chance = seeded("file")
    words = "move the write-ahead log into the file: disk I/O error"
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run", layers=LAYERS))
        last = 0

        def send(count: int):
            nonlocal last
            client.report("run", *wide(last + 1, last + count))
            last += count

        for place in range(3):
            send(chance.randrange(1, 200))
            shim.fail_writes()
            # Only the log grows; what is to be moved is soon enough to be tried, and told once a minute.
            while words not in collector.stderr:
                send(chance.randrange(20, 100))
                assert last < 10_000, "it is tried"
            for _ in range(place * 20):
                send(chance.randrange(20, 100))
            shim.fail_writes(False)
        assert collector.stderr.count(words) < 10
        send(chance.randrange(1, 200))
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert_holds(client, "run", Recorded(wide(1, last)))


# A disk that fails once


def narrow(first: int, last: int) -> list:
    """Reports that are soon compared."""
    return list(map(report, range(first, last + 1)))


def assert_found(folder: Path, last: int):
    """A collector finds all that was acked, once, and takes more."""
    with serve(folder) as collector, collector.client() as client:
        assert client.register(registration("run")).producer.last_sequence == last
        client.report("run", *narrow(last + 1, last + 20))
        assert_holds(client, "run", Recorded(narrow(1, last + 20)))
        collector.terminate()
        assert collector.result()[0] == 0
    assert_is_whole(folder)


def test_a_power_cut_after_one_failed_write_back_of_the_log_takes_nothing_that_was_acked(tmp_path):
    chance = seeded("write-back")
    # More than once, because all of the log may happen to be moved in time, and then nothing of it is needed.
    for round_ in range(5):
        folder = tmp_path / str(round_)
        folder.mkdir()
        disk = Disk(folder)
        with serve(folder, environment=disk.environment) as collector, collector.client() as client:
            client.register(registration("run"))
            client.report("run", *narrow(1, 255))
            lost = disk.lose("seal")
            # With its snapshot there is something to seal.
            client.report("run", *narrow(256, 256))
            eventually(lambda: not lost.exists(), "sealed")
            acked, refusals = 256, 0
            for _ in range(chance.randrange(1, 4)):
                few = chance.randrange(1, 20)
                while not is_done(client.report, "run", *narrow(acked + 1, acked + few)):
                    refusals += 1
                    assert refusals <= 2, "it is over"
                acked += few
            collector.kill()
        print(f"{acked} acked, {refusals} refused")
        assert_found(disk.after_a_power_cut(folder / "disk taken"), acked)


def send_until_lost(client, lost: Path) -> int:
    """Reports until the disk has lost something, or no more is taken; the last number that was acked."""
    last = 0
    while lost.exists() and is_done(client.report, "run", *narrow(last + 1, last + 20)):
        last += 20
        assert last < 10_000, "it is lost"
    return last


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_file_that_lost_a_part_of_the_log_is_given_it_by_a_new_start(tmp_path, end):
    disk = Disk(tmp_path)
    with serve(tmp_path, environment=disk.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        send_until_lost(client, disk.lose("part"))
        last = client_last(client, "run")
        collector.process.send_signal(end)
        collector.process.wait()
    assert_found(disk.after_a_power_cut(tmp_path / "disk taken"), last)
    assert_found(tmp_path, last)


def test_a_file_that_lost_a_part_of_the_log_is_given_it_again_and_takes_reports(tmp_path):
    disk = Disk(tmp_path)
    with serve(tmp_path, environment=disk.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        last = send_until_lost(client, disk.lose("part"))
        # Long enough for the log to begin anew.
        for _ in range(100):
            reports = narrow(last + 1, last + 20)
            # It is told beside the commits, and other files hear of it later, each once.
            eventually(lambda: is_done(client.report, "run", *reports), "reports are taken", 5)
            last += 20
        assert_holds(client, "run", Recorded(narrow(1, last)))
        assert "move the write-ahead log into the file: disk I/O error" in collector.stderr
        collector.kill()
    assert_found(disk.after_a_power_cut(tmp_path / "disk taken"), last)
    assert_found(tmp_path, last)


def test_a_file_that_lost_the_rest_of_the_log_is_given_it_again(tmp_path):
    disk = Disk(tmp_path)
    with serve(tmp_path, environment=disk.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        last = send_until_lost(client, disk.lose("rest"))
        # Until the log that it was lost of began anew.
        for _ in range(40):
            reports = v1.ReportStepsRequest(run_id="run", producer_id=PRODUCER, reports=narrow(last + 1, last + 20))
            # Other files hear of the loss later, and once: then the call is refused, and comes again.
            if not is_done(client.ingest.ReportSteps, reports):
                client.ingest.ReportSteps(reports)
            last += 20
        collector.kill()
    assert_found(disk.after_a_power_cut(tmp_path / "disk taken"), last)


def test_a_run_whose_end_was_not_stored_goes_on_until_it_is(tmp_path):
    disk = Disk(tmp_path)
    with serve(tmp_path, environment=disk.environment) as collector, collector.client() as client:

        def finish(run_id: str) -> bool:
            request = v1.FinishRunRequest(run_id=run_id, status=v1.RUN_STATUS_FINISHED)
            return is_done(client.ingest.FinishRun, request)

        names, refusals = [], 0
        # What is committed together with something else is tried again alone, and then nobody hears of it.
        while refusals < 1:
            names.append(f"run {len(names)}")
            assert len(names) < 1500, "it is refused"
            client.register(registration(names[-1]))
            client.report(names[-1], *narrow(1, 100))
            # The next commit is the snapshot of the end.
            lost = disk.lose("commit")
            if not finish(names[-1]):
                refusals += 1
                run = client.query.GetRun(v1.GetRunRequest(run_id=names[-1])).run
                assert run.status == v1.RUN_STATUS_RUNNING
                assert finish(names[-1])
            assert not lost.exists()
        # Sealing is tried again after the next snapshot, which is this one's.
        client.register(registration("last"))
        client.report("last", report(1))
        assert finish("last")
        eventually(lambda: count(tmp_path, "log") == 0, "sealed")
        for name in names:
            assert_holds(client, name, Recorded(narrow(1, 100)))


# Time


def test_a_clock_that_jumps_leaves_no_alert_behind(tmp_path):
    shim = Shim(tmp_path)
    chance = seeded("clock")
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        begin = client.server_info().server_time.ToSeconds()
        # From half an hour to some years, there and back.
        jumps = [chance.choice([-1, 1]) * 10 ** chance.uniform(3.3, 8.2) for _ in range(6)]
        offsets = [0, *map(int, jumps), 0]
        lost = chance.randrange(len(offsets))
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
            if index == lost:
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


def test_a_producer_that_falls_silent_after_a_failed_commit_is_announced(tmp_path):
    shim = Shim(tmp_path)
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run"))
        for sequence in range(1, 61):
            client.report("run", report(sequence))
        shim.fail_syncs()
        assert_refused_for_now(failure_of(client.report, "run", report(61)))
        shim.fail_syncs(False)

        def fires_an_hour_later() -> bool:
            nonlocal latest
            latest += 3600
            shim.set_clock(latest)
            return any(alert.state == v1.ALERT_STATE_FIRING for alert in client.list_alerts(rules=["stalled_run"]))

        latest = 0
        eventually(fires_an_hour_later, "fires", 15)
