"""The collector is killed in the midst of work, again and again: nothing acked is lost or doubled."""

import random

from client import PRODUCER
from process import serve
from reports import Recorded, assert_holds, current_alerts, lose_gradients, registration, report
from wire import v1

SEED = 20_240_117
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


def check_alerts(client, acknowledged: dict[str, str]):
    """Alerts and their history agree, none is there twice, and what people said still counts."""
    listed = client.list_alerts(run_id="run")
    ids = [alert.alert_id for alert in listed]
    assert len(ids) == len(set(ids))
    episodes = [(a.rule, a.scope.SerializeToString(), a.first_step) for a in listed]
    assert len(episodes) == len(set(episodes))

    history = client.subscribe(run_ids=["run"], cursor=0, include_pending=True)
    history.wait_until_live()
    history.cancel()
    cursors = [transition.cursor for transition in history.transitions]
    assert cursors == sorted(set(cursors))
    assert current_alerts(history.transitions) == {alert.alert_id: alert for alert in listed}
    # Each change starts from where the one before it ended, so that none is lost or doubled.
    states: dict[str, int] = {}
    for transition in history.transitions:
        alert = transition.alert
        before = states.get(alert.alert_id, v1.ALERT_STATE_UNSPECIFIED)
        assert transition.from_state == before, transition
        states[alert.alert_id] = alert.state

    for alert in listed:
        if person := acknowledged.get(alert.alert_id):
            assert alert.acknowledged_by == person and alert.HasField("acknowledged_at")
            assert alert.state in {v1.ALERT_STATE_ACKNOWLEDGED, v1.ALERT_STATE_RESOLVED}


def acknowledge_one(client, acknowledged: dict[str, str], person: str):
    firing = client.list_alerts(run_id="run", states=[v1.ALERT_STATE_FIRING])
    if firing:
        alert_id = firing[0].alert_id
        request = v1.AcknowledgeAlertRequest(alert_id=alert_id, acknowledged_by=person)
        alert = client.alerts.AcknowledgeAlert(request).alert
        assert alert.state == v1.ALERT_STATE_ACKNOWLEDGED
        acknowledged[alert_id] = person


def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    acked = 0
    acknowledged: dict[str, str] = {}
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
    assert_same_alerts_as_undisturbed(tmp_path, acknowledged)


def assert_same_alerts_as_undisturbed(folder, acknowledged: dict[str, str]):
    """A collector that is never killed finds the same alerts in the same reports."""
    with serve(folder) as collector, collector.client() as client:
        after_kills = client.list_alerts(run_id="run")
    with serve(folder, database="calm.sqlite") as collector, collector.client() as client:
        client.register(registration("run"))
        client.report("run", *map(nth_report, range(1, TOTAL + 1)))
        calm = client.list_alerts(run_id="run")

    def episodes(alerts) -> dict:
        # A person's word is no part of what the rules found.
        return {a.alert_id: (a.rule, a.severity, a.first_step, a.fired_step) for a in alerts}

    assert episodes(after_kills) == episodes(calm)


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
