"""Numbers, steps and pages: what is stored once, what replaces what, and where to go on."""

import pytest

from client import PRODUCER
from reports import (
    Recorded,
    assert_holds,
    lose_gradients,
    loss_timeline,
    registration,
    report,
    timeline,
)
from wire import v1


def reports(first: int, last: int, salt: str = "") -> list:
    return [report(sequence, salt=salt) for sequence in range(first, last + 1)]


def producer_of(client, run_id: str):
    """What the collector says of a run's only producer."""
    [producer] = client.query.GetRun(v1.GetRunRequest(run_id=run_id)).run.producers
    return producer


# Duplicates and gaps


def test_a_report_that_comes_again_is_acked_again_and_stored_once(client):
    client.register(registration("run"))
    sent = reports(1, 5)
    first = client.stream("run")
    first.send(*sent)
    first.close()
    assert first.end() is None and first.acked == 5

    again = client.stream("run")
    assert again.opened.last_sequence == 5
    # Another value under a number that was taken: what is durable stays.
    again.send(*reports(1, 5, salt="changed"), report(6))
    again.wait_for_ack(6)
    acks = [event.ack.sequence for event in again.events if event.HasField("ack")]
    assert min(acks) == 5, "a repeated report is answered with what is durable"
    answer = client.report("run", *reports(2, 4))
    assert answer.ack.sequence == 6 and not answer.ack.refusals and not answer.HasField("gap")
    assert_holds(client, "run", Recorded([*sent, report(6)]))


def test_a_repeated_report_alone_is_acked(client):
    client.register(registration("run"))
    client.report("run", *reports(1, 3))
    stream = client.stream("run")
    assert stream.opened.last_sequence == 3
    stream.send(report(2))
    stream.wait_for_ack(3)


def test_after_a_gap_nothing_is_stored_until_the_expected_report_comes(client):
    client.register(registration("run"))
    stream = client.stream("run")
    stream.send(report(1), report(4), report(5))
    stream.wait(lambda: stream.gaps, "SequenceGap")
    assert (stream.gaps[0].expected_sequence, stream.gaps[0].found_sequence) == (2, 4)
    stream.wait_for_ack(1)
    assert producer_of(client, "run").last_sequence == 1
    stream.send(*reports(2, 5))
    stream.wait_for_ack(5)
    assert len(stream.gaps) == 1, "one gap is told once"
    assert_holds(client, "run", Recorded(reports(1, 5)))

    answer = client.report("run", report(6), report(9), report(10))
    assert answer.ack.sequence == 6
    assert (answer.gap.expected_sequence, answer.gap.found_sequence) == (7, 9)
    assert producer_of(client, "run").last_sequence == 6


def test_a_run_begins_with_number_one(client):
    client.register(registration("run"))
    answer = client.report("run", report(2))
    assert answer.ack.sequence == 0
    assert (answer.gap.expected_sequence, answer.gap.found_sequence) == (1, 2)
    assert not producer_of(client, "run").HasField("last_step")


def test_a_refused_number_is_taken(client):
    client.register(registration("run"))
    wrong = report(2)
    wrong.wall_time_seconds = -1
    client.report("run", report(1), wrong)
    assert producer_of(client, "run").last_sequence == 2
    assert producer_of(client, "run").last_step == 0, "a refused report is no step"
    # Corrected under the same number it is a duplicate; the next number is the next report's.
    answer = client.report("run", report(2), report(3, step=1))
    assert answer.ack.sequence == 3 and not answer.HasField("gap")
    assert_holds(client, "run", Recorded([report(1), report(3, step=1)]))


# Rewinds


@pytest.mark.parametrize("length", [20, 600], ids=["in the log", "sealed"])
def test_a_rewind_replaces_the_steps_from_there_on(client, length):
    client.register(registration("run"))
    first = reports(1, length)
    back = length // 2
    second = [
        report(length + 1 + offset, step=back + offset, salt="again")
        for offset in range(length // 4)
    ]
    stream = client.stream("run")
    stream.send(*first, *second)
    stream.wait_for_ack(length + len(second))
    recorded = Recorded([*first, *second])
    assert recorded.steps == list(range(back + length // 4))
    assert producer_of(client, "run").last_step == recorded.steps[-1]
    assert_holds(client, "run", recorded)

    # Back to the very beginning, and to the same step twice.
    more = [
        report(length + len(second) + number, step=step, salt=f"more {number}")
        for number, step in enumerate([5, 6, 6, 0, 0, 3], 1)
    ]
    client.report("run", *more)
    recorded.add(*more)
    assert recorded.steps == [0, 3]
    assert_holds(client, "run", recorded)


def test_a_series_ascends_over_rewinds_and_sealing_when_it_is_downsampled(client):
    client.register(registration("run"))
    recorded = Recorded()
    sequence = 0
    for round_ in range(4):
        batch = [
            report(sequence + 1 + offset, step=100 * round_ + offset, salt=str(round_))
            for offset in range(250)
        ]
        sequence += len(batch)
        client.report("run", *batch)
        recorded.add(*batch)
    assert recorded.steps == list(range(550))
    assert_holds(client, "run", recorded)
    points = loss_timeline(client, "run", max_points=10)["loss"]
    assert sum(points.count) == 550
    values = [value for _, value in recorded.losses()["loss"]]
    assert (min(points.min), max(points.max)) == (min(values), max(values))


# Resuming


def test_a_client_resumes_after_the_last_durable_number(client, collector):
    answer = client.register(registration("run"))
    assert answer.producer.last_sequence == 0 and not answer.producer.HasField("last_step")
    stream = client.stream("run")
    stream.send(*reports(1, 30))
    stream.wait_for_ack(30)
    stream.cancel()

    with collector.client() as other:
        answer = other.register(registration("run"))
        assert (answer.producer.last_sequence, answer.producer.last_step) == (30, 29)
        stream = other.stream("run")
        assert (stream.opened.last_sequence, stream.opened.last_step) == (30, 29)
        stream.send(*reports(31, 40))
        stream.wait_for_ack(40)
    assert_holds(client, "run", Recorded(reports(1, 40)))


def test_registering_again_changes_names_and_keeps_reports(client):
    created = client.register(registration("run", name="first", tags=["a"])).run
    client.report("run", *reports(1, 3))
    client.ingest.FinishRun(v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_FAILED))
    again = client.register(registration("run", name="second", hyperparameters={"lr": "1"})).run
    assert (again.name, list(again.tags)) == ("second", [])
    assert dict(again.hyperparameters) == {"lr": "1"}
    assert again.status == v1.RUN_STATUS_RUNNING and not again.HasField("finished_at")
    assert again.created_at == created.created_at
    assert client.report("run", report(4)).ack.sequence == 4
    assert_holds(client, "run", Recorded(reports(1, 4)))


def test_a_run_without_an_id_is_given_one(client):
    ids = {client.register(registration("")).run.run_id for _ in range(2)}
    assert len(ids) == 2 and all(ids)
    run = client.query.GetRun(v1.GetRunRequest(run_id=ids.pop())).run
    assert (run.project, run.layer_count, run.tensor_count) == ("default", 2, 4)


# Streams and producers


def test_a_newer_stream_of_a_producer_ends_the_older_one(client, collector):
    client.register(registration("run"))
    older = client.stream("run")
    older.send(*reports(1, 10))
    assert older.opened.last_sequence == 0
    with collector.client() as other:
        newer = other.stream("run")
        last = newer.opened.last_sequence
        failure = older.end()
        assert (failure.code.name, failure.reason) == ("ABORTED", "SUPERSEDED")
        assert failure.domain == "gradwatch"
        assert older.acked == last, "what the older one brought in is acked on it"
        newer.send(*reports(last + 1, 20))
        newer.wait_for_ack(20)
    assert_holds(client, "run", Recorded(reports(1, 20)))


def test_two_producers_of_a_run_are_independent(client):
    for rank, producer_id in enumerate(["b", "a"]):
        request = registration("run", producer_id=producer_id)
        request.producer.rank, request.producer.world_size = rank, 2
        client.register(request)
    streams = {name: client.stream("run", producer_id=name) for name in "ab"}
    sent = {"a": reports(1, 30, salt="a"), "b": reports(1, 20, salt="b")}
    for name, stream in streams.items():
        stream.send(*sent[name])
    for name, stream in streams.items():
        stream.wait_for_ack(len(sent[name]))
    for name in "ab":
        assert_holds(client, "run", Recorded(sent[name]), producer_id=name)
    # Nobody named: the one of the lowest rank.
    assert_holds(client, "run", Recorded(sent["b"]))
    run = client.query.GetRun(v1.GetRunRequest(run_id="run")).run
    states = [(s.producer.producer_id, s.producer.rank, s.last_sequence) for s in run.producers]
    assert states == [("a", 1, 30), ("b", 0, 20)]
    assert run.last_step == 29
    # A rewind of one leaves the other alone.
    back = report(31, step=3, salt="back")
    client.report("run", back, producer_id="a")
    assert_holds(client, "run", Recorded([*sent["a"], back]), producer_id="a")
    assert_holds(client, "run", Recorded(sent["b"]), producer_id="b")


def test_unary_calls_and_streams_store_the_same(client):
    client.register(registration("unary"))
    client.register(registration("stream"))
    sent = reports(1, 300)
    sent[100] = lose_gradients(sent[100])
    stream = client.stream("stream")
    stream.send(*sent)
    for first in range(0, 300, 70):
        part = sent[first : first + 70]
        answer = client.report("unary", *part)
        assert answer.ack.sequence == part[-1].sequence and answer.ack.credits > 0
    stream.wait_for_ack(300)
    for run_id in ("unary", "stream"):
        assert_holds(client, run_id, Recorded(sent))

    def found(run_id: str) -> list:
        return [
            (alert.rule, alert.first_step, alert.state, alert.severity)
            for alert in client.list_alerts(run_id=run_id)
        ]

    assert found("unary") and sorted(found("unary")) == sorted(found("stream"))


def test_a_stream_resumes_its_runs_alerts_after_a_cursor(client):
    for run_id in ("run", "other"):
        client.register(registration(run_id))
    first = client.stream("run", want_alerts=True)
    start = first.opened.alert_cursor
    client.report("other", lose_gradients(report(1)))
    first.send(lose_gradients(report(1)))
    first.wait(lambda: first.transitions, "the first alert")
    first.cancel()
    client.report("run", *reports(2, 79))

    history = client.subscribe(run_ids=["run"], include_pending=True, cursor=0)
    history.wait_until_live()
    assert {t.alert.state for t in history.transitions} >= {v1.ALERT_STATE_RESOLVED}
    missed = client.stream("run", want_alerts=True, alert_cursor=first.transitions[0].cursor)
    missed.wait(
        lambda: first.transitions[:1] + missed.transitions == history.transitions,
        "the transitions after the first",
    )
    # A newer stream of the same producer ends the one before, whatever that still had to tell.
    whole = client.stream("run", want_alerts=True, alert_cursor=start, producer_id=PRODUCER)
    whole.wait(lambda: whole.transitions == history.transitions, "all of the run's transitions")
    assert missed.end().reason == "SUPERSEDED"


def test_readers_see_a_whole_prefix_while_reports_come_and_are_sealed(client, collector):
    client.register(registration("run"))
    sent = reports(1, 2000)
    norms = [(message.step, message.gradients.norm[2]) for message in sent]
    losses = [(message.step, message.losses[0].value) for message in sent]
    stream = client.stream("run")
    stream.send(*sent)
    stream.close()
    with collector.client() as reader:
        lengths = []
        while not lengths or lengths[-1] < len(sent):
            acked = stream.acked
            points = timeline(reader, "run", v1.METRIC_GRADIENT_NORM).get(2, v1.SeriesColumns())
            found = list(zip(points.steps, points.last))
            assert found == norms[: len(found)] and len(found) >= acked
            points = loss_timeline(reader, "run").get("loss", v1.SeriesColumns())
            assert list(zip(points.steps, points.last)) == losses[: len(points.steps)]
            lengths.append(len(found))
    assert lengths == sorted(lengths)


# The end of a run


def test_finishing_a_run_again_changes_nothing(client):
    client.register(registration("run"))
    client.report("run", *reports(1, 10))
    request = v1.FinishRunRequest(
        run_id="run", status=v1.RUN_STATUS_ABORTED, reason="out of budget"
    )
    ended = client.ingest.FinishRun(request).run
    assert (ended.status, ended.status_reason) == (v1.RUN_STATUS_ABORTED, "out of budget")
    assert ended.HasField("finished_at")
    assert client.ingest.FinishRun(request).run == ended
    assert client.query.GetRun(v1.GetRunRequest(run_id="run")).run == ended
    assert_holds(client, "run", Recorded(reports(1, 10)))


def test_an_alert_of_a_finished_run_stays_and_can_be_acknowledged(client):
    client.register(registration("run"))
    client.report("run", *reports(1, 5), lose_gradients(report(6)))
    client.ingest.FinishRun(v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_FAILED))
    firing = client.list_alerts(run_id="run", states=[v1.ALERT_STATE_FIRING])
    assert firing
    request = v1.AcknowledgeAlertRequest(alert_id=firing[0].alert_id, acknowledged_by="ada")
    assert client.alerts.AcknowledgeAlert(request).alert.state == v1.ALERT_STATE_ACKNOWLEDGED
    listed = client.list_alerts(run_id="run", states=[v1.ALERT_STATE_ACKNOWLEDGED])
    assert [alert.acknowledged_by for alert in listed] == ["ada"]


def test_a_finished_run_without_reports_can_be_read(client):
    client.register(registration("run"))
    ended = client.ingest.FinishRun(
        v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_FINISHED)
    ).run
    assert ended.status == v1.RUN_STATUS_FINISHED and not ended.HasField("last_step")
    assert_holds(client, "run", Recorded())


# Pages


def pages(call, request, **fields) -> list:
    """The answers of a paged listing, until the token is empty."""
    answers = [call(request(**fields))]
    while token := answers[-1].next_page_token:
        answers.append(call(request(page_token=token, **fields)))
    return answers


def test_runs_are_paged_newest_first(client):
    ids = [f"run {number}" for number in range(7)]
    for number, run_id in enumerate(ids):
        client.register(registration(run_id, project="odd" if number % 2 else "even"))
    for size, lengths in ((3, [3, 3, 1]), (7, [7]), (1000, [7]), (0, [7]), (1, [1] * 7)):
        answers = pages(client.query.ListRuns, v1.ListRunsRequest, page_size=size)
        assert [len(answer.runs) for answer in answers] == lengths
        assert [run.run_id for answer in answers for run in answer.runs] == ids[::-1]
    odd = pages(client.query.ListRuns, v1.ListRunsRequest, page_size=2, project="odd")
    assert [run.run_id for answer in odd for run in answer.runs] == ids[5::-2]


def test_a_run_that_comes_between_two_pages_moves_none(client):
    for number in range(4):
        client.register(registration(f"run {number}"))
    first = client.query.ListRuns(v1.ListRunsRequest(page_size=2))
    client.register(registration("new"))
    second = client.query.ListRuns(
        v1.ListRunsRequest(page_size=2, page_token=first.next_page_token)
    )
    assert [run.run_id for run in (*first.runs, *second.runs)] == [
        "run 3",
        "run 2",
        "run 1",
        "run 0",
    ]


def test_runs_are_listed_by_status_and_time(client):
    created = [client.register(registration(f"run {n}")).run.created_at for n in range(3)]
    client.ingest.FinishRun(v1.FinishRunRequest(run_id="run 1", status=v1.RUN_STATUS_FINISHED))

    def listed(**fields) -> list[str]:
        return [run.run_id for run in client.query.ListRuns(v1.ListRunsRequest(**fields)).runs]

    assert listed(status=v1.RUN_STATUS_FINISHED) == ["run 1"]
    assert listed(status=v1.RUN_STATUS_RUNNING) == ["run 2", "run 0"]
    assert listed(created_since=created[1]) == ["run 2", "run 1"]


def test_layers_are_paged_in_forward_order_with_their_tensors(client):
    request = registration("run", layers=250)
    client.register(request)
    model = request.model
    for size in (0, 1000, 99):
        answers = pages(client.query.ListLayers, v1.ListLayersRequest, run_id="run", page_size=size)
        entries = [entry for answer in answers for entry in answer.layers]
        assert [entry.layer_id for entry in entries] == list(range(250))
        assert [entry.layer for entry in entries] == list(model.layers)
        for entry in entries:
            ids = [tensor.tensor_id for tensor in entry.tensors]
            assert ids == [2 * entry.layer_id, 2 * entry.layer_id + 1]
            assert [t.tensor for t in entry.tensors] == [model.tensors[id_] for id_ in ids]
    biases = pages(
        client.query.ListLayers,
        v1.ListLayersRequest,
        run_id="run",
        page_size=4,
        selector=v1.Selector(layer="net.1?", roles=[v1.TENSOR_ROLE_BIAS]),
    )
    entries = [entry for answer in biases for entry in answer.layers]
    assert [len(answer.layers) for answer in biases] == [4, 4, 2]
    assert [entry.layer.name for entry in entries] == [f"net.{n}" for n in range(10, 20)]
    assert all([t.tensor.name for t in e.tensors] == [f"{e.layer.name}.bias"] for e in entries)


def test_alerts_are_paged_newest_first(client):
    for number in range(5):
        client.register(registration(f"run {number}", project="odd" if number % 2 else "even"))
        client.report(f"run {number}", lose_gradients(report(1)))
    [whole] = pages(client.query.ListAlerts, v1.ListAlertsRequest)
    assert len(whole.alerts) >= 5
    runs = [alert.run_id for alert in whole.alerts]
    assert runs == sorted(runs, reverse=True), "the newest first"
    for size in (1, 3):
        answers = pages(client.query.ListAlerts, v1.ListAlertsRequest, page_size=size)
        assert [alert for answer in answers for alert in answer.alerts] == list(whole.alerts)
        assert all(len(answer.alerts) == size for answer in answers[:-1])
    filters = {
        "run_id": ("run 2", lambda alert: alert.run_id == "run 2"),
        "project": ("odd", lambda alert: alert.run_id in {"run 1", "run 3"}),
        "rules": (["non_finite_loss"], lambda alert: alert.rule == "non_finite_loss"),
        "states": (
            [v1.ALERT_STATE_PENDING, v1.ALERT_STATE_FIRING],
            lambda a: a.state in {v1.ALERT_STATE_PENDING, v1.ALERT_STATE_FIRING},
        ),
        "minimum_severity": (
            v1.SEVERITY_CRITICAL,
            lambda alert: alert.severity == v1.SEVERITY_CRITICAL,
        ),
    }
    for field, (value, is_wanted) in filters.items():
        one = {field: value}
        answers = pages(client.query.ListAlerts, v1.ListAlertsRequest, page_size=2, **one)
        found = [alert for answer in answers for alert in answer.alerts]
        assert found == [alert for alert in whole.alerts if is_wanted(alert)], field
        assert found, field


def test_a_long_series_comes_in_several_messages_in_step_order(client):
    """More measurements than fit into one message."""
    client.register(registration("run", layers=1))
    count = 20_000
    messages = []
    for sequence in range(1, count + 1):
        message = v1.StepReport(sequence=sequence, step=sequence, wall_time_seconds=sequence)
        message.losses.add(name="loss", value=sequence)
        message.gradients.norm.extend([sequence % 1000, 1])
        messages.append(message)
    stream = client.stream("run")
    stream.send(*messages)
    stream.wait_for_ack(count)
    request = v1.GetLayerTimelineRequest(run_id="run", producer_id=PRODUCER)
    answers = list(client.query.GetLayerTimeline(request))
    assert len([answer for answer in answers if answer.tensor_id == 0]) > 1
    found = timeline(client, "run", v1.METRIC_GRADIENT_NORM)
    assert list(found[0].steps) == list(range(1, count + 1))
    assert list(found[0].last) == [sequence % 1000 for sequence in range(1, count + 1)]
    losses = loss_timeline(client, "run")["loss"]
    assert list(losses.steps) == list(losses.last) == list(range(1, count + 1))
