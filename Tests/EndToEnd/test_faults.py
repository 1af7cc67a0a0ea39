"""Disks that are full or fail, a clock that jumps: said, survived, and over when it is."""

import itertools

import grpc

from chance import seeded
from client import Failure, failure_of
from faults import Shim, filled, small_disk
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
    shim = Shim(tmp_path)
    chance = seeded("sync")
    acked = 0
    with serve(tmp_path, environment=shim.environment) as collector, collector.client() as client:
        client.register(registration("run", layers=LAYERS))
        for _ in range(6):
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

        for _ in range(3):
            send(chance.randrange(1, 200))
            shim.fail_writes()
            told = collector.stderr.count(words)
            # Only the log grows; what is to be moved is soon enough to be tried.
            while collector.stderr.count(words) == told:
                send(chance.randrange(20, 100))
                assert last < 10_000, "it is tried"
            assert collector.stderr.count(words) < told + 20
            shim.fail_writes(False)
        send(chance.randrange(1, 200))
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert_holds(client, "run", Recorded(wide(1, last)))


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
