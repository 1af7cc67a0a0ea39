"""The collector is killed in the midst of work, again and again: nothing is lost or doubled."""

import pytest

from chance import seeded
from client import PRODUCER, failure_of
from process import serve
from reports import Recorded, assert_holds, current_alerts, lose_gradients, registration, report
from traces import Trace
from wire import v1

ROUNDS = 10
TOTAL = 1400
"""Reports in all: several times 256, so that many are sealed, and some while the collector dies."""

REWIND_AFTER, REWIND_TO = 700, 430
"""Report 701 goes back to step 430, as a job that restarts from a checkpoint does."""


def nth_report(sequence: int):
    """The report of this number, the same whenever it is asked for."""
    back = sequence > REWIND_AFTER
    step = REWIND_TO + sequence - REWIND_AFTER - 1 if back else sequence - 1
    message = report(sequence, step=step, salt="back" if back else "")
    # Short troubles that resolve, and from step 100 on one that comes back before it can.
    if step % 200 == 60 or (step > 100 and step % 30 == 0):
        lose_gradients(message)
    return message


def all_transitions(client) -> list:
    """All transitions of the run's alerts, from the beginning."""
    history = client.subscribe(run_ids=["run"], cursor=0, include_pending=True)
    history.wait_until_live()
    history.cancel()
    return history.transitions


def check_alerts(client, acknowledged: dict):
    """Alerts and their history agree, none is there twice, and what people said still counts."""
    listed = client.list_alerts(run_id="run")
    ids = [alert.alert_id for alert in listed]
    assert len(ids) == len(set(ids))
    episodes = [(a.rule, a.scope.SerializeToString(), a.first_step) for a in listed]
    assert len(episodes) == len(set(episodes))

    history = all_transitions(client)
    cursors = [transition.cursor for transition in history]
    assert cursors == sorted(set(cursors))
    assert current_alerts(history) == {alert.alert_id: alert for alert in listed}
    # Each change starts from where the one before it ended, so that none is lost or doubled.
    states: dict[str, int] = {}
    for transition in history:
        alert = transition.alert
        before = states.get(alert.alert_id, v1.ALERT_STATE_UNSPECIFIED)
        assert transition.from_state == before, transition
        states[alert.alert_id] = alert.state

    for alert in listed:
        before = acknowledged.get(alert.alert_id)
        # Who knew of an alert does not know that it came back.
        if before and alert.reopened_count == before.reopened_count:
            assert alert.acknowledged_by == before.acknowledged_by
            assert alert.acknowledged_at == before.acknowledged_at
            assert alert.state in {v1.ALERT_STATE_ACKNOWLEDGED, v1.ALERT_STATE_RESOLVED}


def acknowledge_one(client, acknowledged: dict, person: str):
    firing = client.list_alerts(run_id="run", states=[v1.ALERT_STATE_FIRING])
    if firing:
        alert_id = firing[0].alert_id
        request = v1.AcknowledgeAlertRequest(alert_id=alert_id, acknowledged_by=person)
        alert = client.alerts.AcknowledgeAlert(request).alert
        assert alert.state == v1.ALERT_STATE_ACKNOWLEDGED
        acknowledged[alert_id] = alert


def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path):
    chance = seeded("one run")
    acked = 0
    acknowledged: dict = {}
    for round_ in range(ROUNDS):
        with serve(tmp_path) as collector, collector.client() as client:
            last = client.register(registration("run")).producer.last_sequence
            assert last >= acked, f"round {round_}: acked {acked}, and {last} is there"
            assert_holds(client, "run", Recorded(map(nth_report, range(1, last + 1))))
            check_alerts(client, acknowledged)
            acknowledge_one(client, acknowledged, f"person {round_}")

            stream = client.stream("run", want_alerts=True)
            assert stream.opened.last_sequence == last
            stream.send(*map(nth_report, range(last + 1, TOTAL + 1)))
            # Until this many are acked; more are on their way when it dies.
            stream.wait_for_ack(last + chance.randrange(1, 130))
            collector.kill()
            stream.end()
            acked = max(last, stream.acked)

    with serve(tmp_path) as collector, collector.client() as client:
        last = client.register(registration("run")).producer.last_sequence
        assert acked <= last < TOTAL
        stream = client.stream("run")
        stream.send(*map(nth_report, range(stream.opened.last_sequence + 1, TOTAL + 1)))
        stream.close()
        assert stream.end() is None and stream.acked == TOTAL
        assert_holds(client, "run", Recorded(map(nth_report, range(1, TOTAL + 1))))
        check_alerts(client, acknowledged)
        assert len(acknowledged) >= 2, "some were acknowledged on the way"


def troubled(first: int, last: int) -> list:
    """Reports with short troubles, some close together, and quiet in between."""
    sent = [report(sequence) for sequence in range(first, last + 1)]
    for message in sent:
        if message.step % 130 in {10, 12, 40}:
            lose_gradients(message)
    return sent


SERIES = {
    "reg_uniform45_explode": (1, []),
    "mlp20_sigmoid": (9, []),
    "troubled": (31, []),
    "troubled and acknowledged": (31, [30, 160]),
}
"""Runs; every how many reports the collector is killed; when somebody acknowledges an alert."""


@pytest.mark.parametrize("name", SERIES)
def test_restarts_change_nothing_in_what_the_rules_find(tmp_path, name):
    """The detectors after a restart are those that would have been there without it."""
    every, acknowledged_after = SERIES[name]
    if name.startswith("troubled"):
        register, reports = registration("run"), troubled(1, 600)
    else:
        register, reports = Trace(name).registration("run"), Trace(name).reports()

    def history(database: str, kills: set[int]) -> list[str]:
        ends = sorted({*kills, *acknowledged_after, len(reports)})
        start = 0
        while start < len(reports):
            with serve(tmp_path, database=database) as collector, collector.client() as client:
                assert client.register(register).producer.last_sequence == start
                while start < len(reports):
                    end = next(end for end in ends if end > start)
                    client.report("run", *reports[start:end])
                    start = end
                    if end in acknowledged_after:
                        acknowledge_one(client, {}, "ada")
                    if end in kills:
                        break
                transitions = all_transitions(client)
                collector.kill()
        return [without_clock(transition) for transition in transitions]

    calm = history("calm.sqlite", set())
    assert calm
    disturbed = history("disturbed.sqlite", set(range(every, len(reports), every)))
    for with_restarts, without in zip(disturbed, calm):
        assert with_restarts == without
    assert len(disturbed) == len(calm)


def without_clock(transition) -> str:
    transition.ClearField("at")
    for field in ("started_at", "fired_at", "acknowledged_at", "resolved_at"):
        transition.alert.ClearField(field)
    return str(transition)


def test_kill_9_while_many_runs_report_at_once(tmp_path):
    """Many runs' reports share a commit: a kill must not tear one run's from its acks."""
    chance = seeded("many runs")
    names = [f"run {number}" for number in range(5)]
    acked = dict.fromkeys(names, 0)

    def of(name: str, last: int, first: int = 1) -> list:
        return [report(sequence, salt=name) for sequence in range(first, last + 1)]

    for _ in range(4):
        with serve(tmp_path) as collector, collector.client() as client:
            streams = {}
            for name in names:
                last = client.register(registration(name)).producer.last_sequence
                assert last >= acked[name]
                assert_holds(client, name, Recorded(of(name, last)))
                streams[name] = client.stream(name)
                streams[name].send(*of(name, last + 300, first=last + 1))
                acked[name] = last
            chosen = chance.choice(names)
            streams[chosen].wait_for_ack(acked[chosen] + chance.randrange(1, 250))
            collector.kill()
            for name, stream in streams.items():
                stream.end()
                acked[name] = max(acked[name], stream.acked)
    with serve(tmp_path) as collector, collector.client() as client:
        for name in names:
            last = client.register(registration(name)).producer.last_sequence
            assert last >= acked[name]
            assert_holds(client, name, Recorded(of(name, last)))


def test_an_acknowledgement_survives_kill_9(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        client.report("run", lose_gradients(report(1)))
        alert_id = client.list_alerts(run_id="run")[0].alert_id
        request = v1.AcknowledgeAlertRequest(alert_id=alert_id, acknowledged_by="ada")
        acknowledged = client.alerts.AcknowledgeAlert(request).alert
        assert client.alerts.AcknowledgeAlert(request).alert == acknowledged, "idempotent"
        collector.kill()

    def listed(client) -> dict:
        return {alert.alert_id: alert for alert in client.list_alerts(run_id="run")}

    with serve(tmp_path) as collector, collector.client() as client:
        assert listed(client)[alert_id] == acknowledged
        # The trouble goes on, and is still known to somebody.
        client.report("run", lose_gradients(report(2)))
        assert listed(client)[alert_id].state == v1.ALERT_STATE_ACKNOWLEDGED
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert listed(client)[alert_id].state == v1.ALERT_STATE_ACKNOWLEDGED
        client.report("run", *[report(sequence) for sequence in range(3, 80)])
        assert listed(client)[alert_id].state == v1.ALERT_STATE_RESOLVED


def test_what_a_unary_call_or_a_registration_answered_survives_kill_9(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        registered = client.register(registration("run", name="kept", tags=["a"])).run
        client.report("run", *map(report, range(1, 11)))
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
        assert (run.name, run.tags, run.created_at) == (
            registered.name,
            registered.tags,
            registered.created_at,
        )
        assert [s.producer.producer_id for s in run.producers] == [PRODUCER]
        assert_holds(client, "run", Recorded(map(report, range(1, 11))))
        ended = client.ingest.FinishRun(
            v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_FINISHED, reason="done")
        ).run
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        assert client.query.GetRun(v1.GetRunRequest(run_id="run")).run == ended


def test_a_full_disk_is_told_and_takes_nothing_that_was_acked(tmp_path):
    # No file may grow past 2 MiB: a write that would make it larger fails, as on a full disk.
    full = "trap '' XFSZ; ulimit -f 4096"
    with serve(tmp_path, limits=full) as collector, collector.client() as client:
        client.register(registration("run", layers=50))
        stream = client.stream("run")
        stream.send(*[report(sequence, layers=50) for sequence in range(1, 501)])
        failure = stream.end()
        assert failure.code.name == "UNAVAILABLE" and failure.has_retry, failure
        assert (failure.reason, failure.domain) == ("STORE_UNAVAILABLE", "gradwatch")
        acked = stream.acked
        assert 0 < acked < 500
        # What is there can still be read, and what can't be kept is not acked.
        run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
        assert run.producers[0].last_sequence == acked
        again = failure_of(client.report, "run", report(acked + 1, layers=50))
        assert (again.code.name, again.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        collector.terminate()
        collector.result()

    with serve(tmp_path) as collector, collector.client() as client:
        last = client.register(registration("run", layers=50)).producer.last_sequence
        assert last == acked
        stream = client.stream("run")
        stream.send(*[report(sequence, layers=50) for sequence in range(last + 1, last + 101)])
        stream.wait_for_ack(last + 100)
        sent = Recorded(report(number, layers=50) for number in range(1, last + 101))
        assert_holds(client, "run", sent)
