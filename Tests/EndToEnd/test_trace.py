"""A client of another language streams recorded training runs and reads them back."""

import math
import struct
from collections import Counter

import pytest

from client import PRODUCER
from process import eventually
from reports import (
    METRICS,
    Recorded,
    assert_holds,
    current_alerts,
    float64_bits,
    histogram_of,
    histograms,
    lose_gradients,
    loss_timeline,
    registration,
    report,
    timeline,
)
from traces import Trace
from wire import v1

TRACES = ["reg_uniform45_explode", "moons_relu", "mlp20_sigmoid"]


def replay(client, name: str) -> Recorded:
    """Streams a trace and waits until all of it is durable."""
    trace = Trace(name)
    client.register(trace.registration(name))
    reports = trace.reports()
    stream = client.stream(name)
    stream.send(*reports)
    stream.close()
    stream.wait_for_ack(len(reports))
    assert stream.end() is None
    assert not stream.refusals and not stream.gaps
    return Recorded(reports)


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_read_back_bit_for_bit(client, name):
    recorded = replay(client, name)
    assert_holds(client, name, recorded)


@pytest.mark.parametrize("max_points", [1, 7, 40])
@pytest.mark.parametrize("name", TRACES)
def test_downsampling_loses_no_spike_and_no_nan(client, name, max_points):
    recorded = replay(client, name)
    for metric in METRICS:
        found = timeline(client, name, metric, max_points=max_points)
        expected = recorded.series(metric)
        assert found.keys() == expected.keys()
        for index, pairs in expected.items():
            assert_summarizes(found[index], pairs, max_points)
    losses = loss_timeline(client, name, max_points=max_points)
    assert_summarizes(losses["loss"], recorded.losses()["loss"], max_points)


def assert_summarizes(points, pairs: list[tuple[int, float]], max_points: int):
    """Holds downsampled points against every measurement that they stand for."""
    assert 1 <= len(points.steps) <= max_points
    rest = list(pairs)
    for place, (first, last) in enumerate(zip(points.steps, points.last_steps, strict=True)):
        covered = [(step, value) for step, value in rest if step <= last]
        rest = rest[len(covered) :]
        finite = [value for _, value in covered if math.isfinite(value)]
        assert (covered[0][0], covered[-1][0]) == (first, last)
        assert points.count[place] == len(covered)
        assert points.non_finite_count[place] == len(covered) - len(finite)
        assert float64_bits(points.last[place]) == float64_bits(covered[-1][1])
        if finite:
            assert points.min[place] == min(finite)
            assert points.max[place] == max(finite)
            mean = math.fsum(finite) / len(finite)
            assert math.isclose(points.mean[place], mean, rel_tol=1e-9, abs_tol=1e-30)
        else:
            assert all(map(math.isnan, (points.min[place], points.max[place], points.mean[place])))
    assert not rest, "every measurement is in a point"


@pytest.mark.parametrize("max_points", [1, 7])
@pytest.mark.parametrize("name", TRACES)
def test_merged_histograms_are_the_sum_of_those_sent(client, name, max_points):
    recorded = replay(client, name)
    found = histograms(client, name, max_points=max_points)
    expected = recorded.histograms()
    assert found.keys() == expected.keys()
    for tensor, pairs in expected.items():
        assert 1 <= len(found[tensor]) <= max_points
        rest = list(pairs)
        for point in found[tensor]:
            covered = [(step, form) for step, form in rest if step <= point.last_step]
            rest = rest[len(covered) :]
            assert (covered[0][0], covered[-1][0]) == (point.first_step, point.last_step)
            assert point.merged_count == len(covered)
            scale, zeros, positive, negative = histogram_of(point)
            assert scale == 0
            assert zeros == sum(form[1] for _, form in covered)
            assert positive == sum((form[2] for _, form in covered), Counter())
            assert negative == sum((form[3] for _, form in covered), Counter())
        assert not rest


def test_a_part_of_the_steps_and_of_the_tensors_is_read_alone(client):
    recorded = replay(client, "moons_relu")
    steps = recorded.steps[20:50]
    part = v1.StepRange(first=steps[0], last=steps[-1])
    norms = timeline(
        client,
        "moons_relu",
        v1.METRIC_GRADIENT_NORM,
        steps=part,
        selector=v1.Selector(layer="fc?", tensor="*.weight", roles=[v1.TENSOR_ROLE_HEAD]),
    )
    assert list(norms) == [6], "fc3.weight alone is the head"
    assert list(norms[6].steps) == steps
    assert list(loss_timeline(client, "moons_relu", steps=part)["loss"].steps) == steps
    after = v1.StepRange(first=recorded.steps[-1] + 1)
    assert not timeline(client, "moons_relu", v1.METRIC_GRADIENT_NORM, steps=after)
    assert not loss_timeline(client, "moons_relu", steps=after, max_points=5)


def test_losses_are_chosen_by_a_glob_of_their_name(client):
    client.register(registration("run"))
    client.report("run", report(1))
    assert list(loss_timeline(client, "run")) == ["loss", "auxiliary"]
    assert list(loss_timeline(client, "run", name="aux*")) == ["auxiliary"]
    assert list(loss_timeline(client, "run", name="l?s*")) == ["loss"]
    assert not loss_timeline(client, "run", name="los")


def test_an_exploding_run_raises_critical_alerts_on_the_stream_and_to_subscribers(client):
    name = "reg_uniform45_explode"
    trace = Trace(name)
    client.register(trace.registration(name))
    subscription = client.subscribe(run_ids=[name], include_pending=True)
    subscription.wait_until_live()

    stream = client.stream(name, want_alerts=True)
    reports = trace.reports()
    stream.send(*reports)
    stream.wait_for_ack(len(reports))

    def critical(transitions) -> set[str]:
        return {
            transition.alert.rule
            for transition in transitions
            if transition.alert.severity == v1.SEVERITY_CRITICAL
            and transition.alert.state == v1.ALERT_STATE_FIRING
        }

    rules = {"exploding_gradient", "non_finite_gradient"}
    stream.wait(lambda: critical(stream.transitions) >= rules, "critical alerts on the stream")
    listed = {alert.alert_id: alert for alert in client.list_alerts(run_id=name)}
    for heard in (stream, subscription):
        heard.wait(lambda: current_alerts(heard.transitions) == listed, "all that is listed")
    assert list(stream.transitions) == list(subscription.transitions)
    cursors = [transition.cursor for transition in stream.transitions]
    assert cursors == sorted(set(cursors))

    for alert in listed.values():
        assert alert.run_id == name and alert.producer_id == PRODUCER
        assert len(alert.alert_id) == 16 and int(alert.alert_id, 16) >= 0
        assert alert.summary and alert.cause and alert.remedies and 0 <= alert.confidence <= 1
        assert alert.first_step in {message.step for message in reports}
    counts = client.query.GetRun(v1.GetRunRequest(run_id=name)).run.open_alerts
    is_open = {v1.ALERT_STATE_FIRING, v1.ALERT_STATE_ACKNOWLEDGED}
    open_alerts = [alert for alert in listed.values() if alert.state in is_open]
    by_severity = Counter(alert.severity for alert in open_alerts)
    assert counts.critical == by_severity[v1.SEVERITY_CRITICAL] > 0
    assert counts.warning == by_severity[v1.SEVERITY_WARNING]
    assert counts.info == by_severity[v1.SEVERITY_INFO]


def test_a_deep_sigmoid_net_raises_vanishing_gradient(client):
    replay(client, "mlp20_sigmoid")
    alerts = client.list_alerts(run_id="mlp20_sigmoid", rules=["vanishing_gradient"])
    fired = [alert for alert in alerts if alert.HasField("fired_step")]
    assert fired and fired[0].severity >= v1.SEVERITY_WARNING
    assert "fc0" in fired[0].evidence.layers


def test_pending_alerts_are_told_only_to_those_who_ask(client):
    eager = client.subscribe(include_pending=True)
    patient = client.subscribe()
    for subscription in (eager, patient):
        subscription.wait_until_live()
    replay(client, "mlp20_sigmoid")
    newest = client.stream("mlp20_sigmoid").opened.alert_cursor
    eager.wait(lambda: eager.cursor >= newest, "all transitions")
    assert v1.ALERT_STATE_PENDING in {t.alert.state for t in eager.transitions}
    wanted = [t for t in eager.transitions if t.alert.HasField("fired_step")]
    assert wanted
    patient.wait(lambda: len(patient.transitions) >= len(wanted), "what fired")
    assert patient.transitions == wanted


def test_a_healthy_run_raises_no_warning(client):
    replay(client, "moons_relu")
    alerts = client.list_alerts(run_id="moons_relu", minimum_severity=v1.SEVERITY_WARNING)
    assert not [alert for alert in alerts if alert.HasField("fired_step")]


def test_a_subscriber_that_comes_later_hears_of_open_alerts_or_resumes_after_its_cursor(client):
    client.register(registration("later"))
    client.report("later", lose_gradients(report(1)))
    late = client.subscribe(run_ids=["later"])
    cursor = late.wait_until_live()
    listed = client.list_alerts(run_id="later", states=[v1.ALERT_STATE_FIRING])
    assert listed and not late.transitions
    by_id = sorted(late.open_alerts, key=lambda alert: alert.alert_id)
    assert by_id == sorted(listed, key=lambda alert: alert.alert_id)

    history = client.subscribe(run_ids=["later"], cursor=0)
    assert history.wait_until_live() == cursor
    assert {alert.alert_id for alert in listed} <= current_alerts(history.transitions).keys()
    assert not history.open_alerts


def test_subscriptions_are_filtered_by_run_project_rule_and_severity(client):
    client.register(registration("one", project="red"))
    client.register(registration("two", project="blue"))
    filters = {
        "run": {"run_ids": ["one"]},
        "project": {"projects": ["red"]},
        "rule": {"rules": ["non_finite_loss"]},
        "severity": {"minimum_severity": v1.SEVERITY_CRITICAL},
    }
    live = {name: client.subscribe(**filter) for name, filter in filters.items()}
    for subscription in live.values():
        subscription.wait_until_live()
    for run_id in ("one", "two"):
        client.report(run_id, lose_gradients(report(1)))
    alerts = [alert for alert in client.list_alerts() if alert.HasField("fired_step")]
    wanted = {
        "run": {alert.alert_id for alert in alerts if alert.run_id == "one"},
        "project": {alert.alert_id for alert in alerts if alert.run_id == "one"},
        "rule": {alert.alert_id for alert in alerts if alert.rule == "non_finite_loss"},
        "severity": {a.alert_id for a in alerts if a.severity == v1.SEVERITY_CRITICAL},
    }
    assert {alert.run_id for alert in alerts} == {"one", "two"}
    assert len({alert.rule for alert in alerts}) > 1
    for name, subscription in live.items():

        def heard(subscription=subscription) -> set[str]:
            return set(current_alerts(subscription.transitions))

        eventually(lambda: heard() >= wanted[name], f"alerts by {name}")
        assert heard() == wanted[name], name


def test_nan_payloads_infinities_and_negative_zero_keep_their_bits(client):
    patterns = [0x7FC12345, 0xFFC00001, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001, 0x7F7FFFFF]
    doubles = [0x7FF8000000ABCDEF, 0xFFF8000000000001, 0x7FF0000000000000, 0x8000000000000000, 1]
    client.register(registration("bits"))
    messages = []
    for sequence, pattern in enumerate(patterns, 1):
        message = report(sequence)
        value = struct.unpack("<f", struct.pack("<I", pattern))[0]
        for column in ("norm", "mean", "min", "max"):
            getattr(message.gradients, column)[:] = [value] * 4
        message.activations.mean[:] = [value] * 2
        double = struct.unpack("<d", struct.pack("<Q", doubles[sequence % len(doubles)]))[0]
        message.losses[0].value = double
        message.global_norm = double
        messages.append(message)
    client.report("bits", *messages)
    assert_holds(client, "bits", Recorded(messages))


def test_tensors_may_be_left_out_and_come_in_any_order(client):
    client.register(registration("some"))
    some = v1.StepReport(sequence=1, step=10, wall_time_seconds=1)
    some.gradients.tensor_ids.extend([3, 0])
    some.gradients.norm.extend([3.5, 0.5])
    some.parameters.tensor_ids.extend([2])
    some.parameters.update_norm.extend([2.5])
    some.activations.layer_ids.extend([1])
    some.activations.mean.extend([1.5])
    histogram = some.histograms
    histogram.tensor_ids.extend([1])
    histogram.zero_count.append(1)
    histogram.positive_offset.append(-1100)
    histogram.positive_length.append(1)
    histogram.negative_offset.append(1097)
    histogram.negative_length.append(3)
    histogram.counts.extend([1, 1, 0, 1])
    nothing = v1.StepReport(sequence=2, step=11, wall_time_seconds=2)
    messages = [some, nothing, report(3, step=12)]
    client.report("some", *messages)
    assert_holds(client, "some", Recorded(messages))


def test_explicit_histograms_are_kept_as_what_they_are(client):
    client.register(registration("explicit"))
    message = report(1)
    message.explicit_histograms.tensor_ids.extend([1, 3])
    message.explicit_histograms.bounds.extend([-0.5, 0, 0.5])
    message.explicit_histograms.counts.extend([1, 2, 0, 1, 0, 0, 4, 0])
    message.ClearField("histograms")
    client.report("explicit", message)
    found = histograms(client, "explicit")
    assert {tensor: list(points[0].explicit.counts) for tensor, points in found.items()} == {
        1: [1, 2, 0, 1],
        3: [0, 0, 4, 0],
    }
    assert list(found[1][0].explicit.bounds) == [-0.5, 0, 0.5]


def test_a_run_without_reports_has_no_series(client):
    client.register(registration("empty"))
    assert_holds(client, "empty", Recorded())
    run = client.query.GetRun(v1.GetRunRequest(run_id="empty")).run
    assert not run.HasField("last_step")
    assert not client.list_alerts(run_id="empty")
