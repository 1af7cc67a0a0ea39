"""Wrong, hostile and careless clients: told what is wrong, and no trouble to anybody else."""

import contextlib
import itertools
import math
import random
import socket
from collections.abc import Callable

import grpc
import pytest

from client import DEADLINE, PRODUCER, Inbox, failure_of
from process import eventually
from reports import Recorded, assert_holds, lose_gradients, registration, report, timeline
from wire import v1

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND

MEMORY = 600 << 20
"""What the collector may hold whatever a client does."""

TOO_LARGE = {
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
}
"""How a bare reset of the stream may look to a client."""


@pytest.fixture(autouse=True)
def bystander(collector):
    """Another client with an open stream, who must not notice any of this."""
    with collector.client() as other:
        other.register(registration("bystander"))
        stream = other.stream("bystander")
        stream.send(report(1))
        stream.wait_for_ack(1)
        yield stream
        stream.send(report(2))
        stream.wait_for_ack(2)
        assert other.server_info().version
        assert not stream.refusals and not stream.gaps


def assert_invalid(failure, field: str):
    """The status of a request that has to be corrected, with the field at fault."""
    assert (failure.code, failure.domain) == (INVALID, "gradwatch"), failure
    assert failure.reason == "INVALID_FIELD"
    assert failure.fields == [field]
    assert "expected" in failure.descriptions[0] and "found" in failure.descriptions[0]
    assert not failure.has_retry


# Runs and producers that do not exist


def test_a_report_before_registration_is_not_found(client):
    failure = failure_of(client.report, "nowhere", report(1))
    assert (failure.code, failure.reason, failure.domain) == (NOT_FOUND, "UNKNOWN_RUN", "gradwatch")
    failure = client.stream("nowhere").end()
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_RUN")


def test_a_producer_that_did_not_register_is_not_found(client):
    client.register(registration("run"))
    failure = failure_of(client.report, "run", report(1), producer_id="stranger")
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_PRODUCER")
    failure = client.stream("run", producer_id="stranger").end()
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_PRODUCER")
    request = v1.GetLossTimelineRequest(run_id="run", producer_id="stranger")
    failure = failure_of(client.query.GetLossTimeline, request)
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_PRODUCER")


QUERIES = {
    "GetRun": v1.GetRunRequest,
    "ListLayers": v1.ListLayersRequest,
    "GetLayerTimeline": v1.GetLayerTimelineRequest,
    "GetHistograms": v1.GetHistogramsRequest,
    "GetLossTimeline": v1.GetLossTimelineRequest,
    "ListAlerts": v1.ListAlertsRequest,
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_an_unknown_run_is_not_found(client, name):
    failure = failure_of(getattr(client.query, name), QUERIES[name](run_id="nowhere"))
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_RUN")


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "ListAlerts"])
def test_a_query_without_a_run_is_invalid(client, name):
    assert_invalid(failure_of(getattr(client.query, name), QUERIES[name]()), "run_id")


def test_an_unknown_run_can_not_be_finished(client):
    request = v1.FinishRunRequest(run_id="nowhere", status=v1.RUN_STATUS_FINISHED)
    assert failure_of(client.ingest.FinishRun, request).reason == "UNKNOWN_RUN"


@pytest.mark.parametrize("status", [v1.RUN_STATUS_UNSPECIFIED, v1.RUN_STATUS_RUNNING, 99])
def test_a_run_can_only_end_in_a_way_that_is_an_end(client, status):
    client.register(registration("run"))
    request = v1.FinishRunRequest(run_id="run", status=status)
    assert_invalid(failure_of(client.ingest.FinishRun, request), "status")


# The order of messages


def test_a_report_before_stream_open_ends_the_stream(client):
    client.register(registration("run"))
    requests = iter([v1.StreamTelemetryRequest(report=report(1))])
    failure = failure_of(client.ingest.StreamTelemetry, requests)
    assert (failure.code, failure.reason, failure.domain) == (INVALID, "FIRST_MESSAGE", "gradwatch")


def test_a_stream_without_any_message_is_refused(client):
    failure = failure_of(client.ingest.StreamTelemetry, iter([]))
    assert (failure.code, failure.reason) == (INVALID, "FIRST_MESSAGE")


@pytest.mark.parametrize("kind", ["open", "empty"])
def test_only_reports_may_follow_stream_open(client, kind):
    client.register(registration("run"))
    stream = client.stream("run")
    stream.send(report(1))
    message = v1.StreamTelemetryRequest()
    if kind == "open":
        message.open.run_id, message.open.producer_id = "run", PRODUCER
    stream.send_message(message)
    failure = stream.end()
    assert (failure.code, failure.reason) == (INVALID, "NOT_A_REPORT")
    assert stream.acked == 1, "what came before is durable and acked"


def test_sequence_zero_ends_the_stream(client):
    client.register(registration("run"))
    stream = client.stream("run")
    stream.send(report(1), report(0, step=5))
    failure = stream.end()
    assert (failure.code, failure.reason, failure.fields) == (INVALID, "SEQUENCE", ["sequence"])
    assert stream.acked == 1, "what came before is durable and acked"
    failure = failure_of(client.report, "run", report(0, step=5))
    assert (failure.code, failure.reason) == (INVALID, "SEQUENCE")
    assert_holds(client, "run", Recorded([report(1)]))


# Reports that are refused, by number


def _set(field: str, value) -> Callable:
    return lambda message: setattr(message, field, value)


def _extend(path: str, *values) -> Callable:
    group, column = path.split(".")
    return lambda message: getattr(getattr(message, group), column).extend(values)


def _drop(path: str) -> Callable:
    group, column = path.split(".")
    return lambda message: getattr(getattr(message, group), column).pop()


def _first(path: str, value) -> Callable:
    group, column = path.split(".")
    return lambda message: getattr(getattr(message, group), column).__setitem__(0, value)


def _clip(**clipping) -> Callable:
    return lambda message: message.clipping.CopyFrom(v1.Clipping(**clipping))


def _loss(name: str) -> Callable:
    return lambda message: message.losses.add(name=name, value=1)


def _profile(**norms) -> Callable:
    return lambda message: message.time_step_norms.add(**norms)


def _explicit(bounds: list[float], counts: list[int]) -> Callable:
    def change(message):
        message.explicit_histograms.tensor_ids.append(1)
        message.explicit_histograms.bounds.extend(bounds)
        message.explicit_histograms.counts.extend(counts)

    return change


NORM = v1.CLIPPING_KIND_GLOBAL_NORM

REFUSED = {
    "column too short": (_drop("gradients.mean"), "gradients.mean"),
    "column too long": (_extend("gradients.nan_count", 0), "gradients.nan_count"),
    "parameter column": (_drop("parameters.update_norm"), "parameters.update_norm"),
    "activation column": (_drop("activations.std"), "activations.std"),
    "ids without values": (_extend("gradients.tensor_ids", 0, 1), "gradients.norm"),
    "unknown tensor": (_extend("gradients.tensor_ids", 0, 1, 2, 4), "gradients.tensor_ids"),
    "largest tensor": (_extend("parameters.tensor_ids", 2**32 - 1), "parameters.tensor_ids"),
    "repeated tensor": (_extend("gradients.tensor_ids", 0, 1, 2, 2), "gradients.tensor_ids"),
    "unknown layer": (_extend("activations.layer_ids", 0, 2), "activations.layer_ids"),
    "wall time NaN": (_set("wall_time_seconds", math.nan), "wall_time_seconds"),
    "wall time infinite": (_set("wall_time_seconds", math.inf), "wall_time_seconds"),
    "wall time -infinite": (_set("wall_time_seconds", -math.inf), "wall_time_seconds"),
    "wall time negative": (_set("wall_time_seconds", -1), "wall_time_seconds"),
    "wall time huge": (_set("wall_time_seconds", 1e300), "wall_time_seconds"),
    "step 2^63": (_set("step", 2**63), "step"),
    "step 2^64-1": (_set("step", 2**64 - 1), "step"),
    "learning rate NaN": (_set("learning_rate", math.nan), "learning_rate"),
    "learning rate infinite": (_set("learning_rate", math.inf), "learning_rate"),
    "batch size": (_set("batch_size", 2**64 - 1), "batch_size"),
    "phase": (_set("phase", 99), "phase"),
    "clipping kind": (_clip(threshold=1), "clipping.kind"),
    "clipping at 0": (_clip(kind=NORM, threshold=0), "clipping.threshold"),
    "clipping at NaN": (_clip(kind=NORM, threshold=math.nan), "clipping.threshold"),
    "clipping at infinity": (_clip(kind=NORM, threshold=math.inf), "clipping.threshold"),
    "loss without name": (_loss(""), "losses[2].name"),
    "loss twice": (_loss("loss"), "losses[2].name"),
    "loss with escape": (_loss("\x1b[31mred"), "losses[2].name"),
    "loss with long name": (_loss("l" * (1 << 20)), "losses[2].name"),
    "histogram sum": (_first("histograms.zero_count", 2), "histograms"),
    "histogram overflow": (_first("histograms.counts", 2**64 - 1), "histograms"),
    "histogram counts": (_extend("histograms.counts", 1), "histograms.counts"),
    "histogram lengths": (_drop("histograms.positive_length"), "histograms.positive_length"),
    "histogram huge": (_first("histograms.negative_length", 2**32 - 1), "histograms"),
    "histogram offset": (_first("histograms.positive_offset", 2**31 - 1), "histograms"),
    "histogram scale": (lambda m: setattr(m.histograms, "scale", 21), "histograms.scale"),
    "histogram tensor": (
        _extend("histograms.tensor_ids", 0, 1, 2, 9),
        "histograms.tensor_ids",
    ),
    "bounds descend": (_explicit([1, 0], [1, 1, 2]), "explicit_histograms.bounds"),
    "bounds NaN": (_explicit([math.nan], [1, 3]), "explicit_histograms.bounds"),
    "explicit counts": (_explicit([0], [1, 1, 1]), "explicit_histograms.counts"),
    "explicit sum": (_explicit([0], [1, 1]), "histograms"),
    "profile of no layer": (_profile(layer_id=2), "time_step_norms.layer_id"),
    "profile twice": (
        lambda message: message.time_step_norms.extend([v1.TimeStepNorms(layer_id=1)] * 2),
        "time_step_norms.layer_id",
    ),
    "profile length": (_profile(positions=[0, 1], norms=[1]), "time_step_norms.norms"),
    "profile order": (_profile(positions=[1, 1], norms=[1, 1]), "time_step_norms.positions"),
}


def _is_field(found: str, expected: str) -> bool:
    # Of a histogram's sum, no single column is at fault.
    return found.startswith(expected) if expected == "histograms" else found == expected


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_report_is_refused_by_number_and_the_next_one_is_taken(client, name):
    change, field = REFUSED[name]
    client.register(registration("run"))
    good = [report(1), report(3), report(5)]
    bad = [report(2), report(4)]
    for message in bad:
        change(message)

    stream = client.stream("run")
    stream.send(good[0], bad[0], good[1])
    stream.wait_for_ack(3)
    answer = client.report("run", bad[1], good[2])
    assert answer.ack.sequence == 5 and not answer.HasField("gap")

    refusals = [*stream.refusals, *answer.ack.refusals]
    assert [refusal.sequence for refusal in refusals] == [2, 4]
    for refusal in refusals:
        assert _is_field(refusal.field, field), refusal
        assert "expected" in refusal.reason and "found" in refusal.reason
        assert len(refusal.reason) < 1024, "what a client sent is not sent back at length"
        assert refusal.reason.isprintable()
    assert_holds(client, "run", Recorded(good))


def test_the_largest_step_is_taken(client):
    client.register(registration("run"))
    last = report(2, step=2**63 - 1)
    answer = client.report("run", report(1), last)
    assert answer.ack.sequence == 2 and not answer.ack.refusals
    assert_holds(client, "run", Recorded([report(1), last]))
    found = timeline(client, "run", v1.METRIC_GRADIENT_NORM, max_points=2)
    assert list(found[0].steps) == [0, 2**63 - 1]


# Registrations


def _first_layer(**fields) -> Callable:
    return lambda request: request.model.layers[0].MergeFrom(v1.Layer(**fields))


def _tensor(**fields) -> Callable:
    def change(request):
        tensor = request.model.tensors[0]
        for name, value in fields.items():
            if name == "shape":
                tensor.shape[:] = value
            else:
                setattr(tensor, name, value)

    return change


def _hyperparameter(key: str, value: str) -> Callable:
    return lambda request: request.hyperparameters.update({key: value})


LONG = "n" * (1 << 20)

UNREGISTRABLE = {
    "run id of 1 MB": (_set("run_id", LONG), "run_id"),
    "run id of 513 bytes": (_set("run_id", "é" * 256 + "n"), "run_id"),
    "run id with newline": (_set("run_id", "a\nb"), "run_id"),
    "run id with zero": (_set("run_id", "a\0b"), "run_id"),
    "run id with C1 control": (_set("run_id", "a\x9bb"), "run_id"),
    "project with escape": (_set("project", "\x1b]0;title\x07"), "project"),
    "name of 1 MB": (_set("name", LONG), "name"),
    "framework with tab": (_set("framework", "torch\t2"), "framework"),
    "tag of 1 MB": (lambda request: request.tags.extend(["a", LONG]), "tags[1]"),
    "1,025 tags": (lambda request: request.tags.extend(["tag"] * 1025), "tags"),
    "hyper-parameter name": (_hyperparameter("a\rb", "1"), "hyperparameters key"),
    "hyper-parameter value": (_hyperparameter("a", "1" * 16_385), "hyperparameters value"),
    "no producer": (lambda request: request.ClearField("producer"), "producer_id"),
    "producer with newline": (
        lambda request: setattr(request.producer, "producer_id", "a\nb"),
        "producer_id",
    ),
    "layer without name": (
        lambda request: request.model.layers[0].ClearField("name"),
        "model.layers[0].name",
    ),
    "layer of 1 MB": (_first_layer(name=LONG), "model.layers[0].name"),
    "layer twice": (_first_layer(name="net.1"), "model.layers[1].name"),
    "layer type with escape": (_first_layer(module_type="\x1b[2J"), "model.layers[0].module_type"),
    "tensor twice": (_tensor(name="net.0.bias"), "model.tensors[1].name"),
    "tensor with escape": (_tensor(name="\x1b[2J"), "model.tensors[0].name"),
    "tensor of no layer": (_tensor(layer_id=2), "model.tensors[0].layer_id"),
    "unknown role": (_tensor(role=99), "model.tensors[0].role"),
    "no elements": (_tensor(element_count=0, shape=[]), "model.tensors[0].element_count"),
    "shape of another size": (_tensor(shape=[4, 4]), "model.tensors[0].shape"),
    "shape that overflows": (_tensor(shape=[2**63, 2]), "model.tensors[0].shape"),
    "shape with 0": (_tensor(shape=[0, 12]), "model.tensors[0].shape"),
    "17 dimensions": (_tensor(shape=[12] + [1] * 16), "model.tensors[0].shape"),
    "tied to itself": (_tensor(tied_to=0), "model.tensors[0].tied_to"),
    "tied to none": (_tensor(tied_to=4), "model.tensors[0].tied_to"),
    "131,073 layers": (
        lambda request: request.model.layers.extend(
            v1.Layer(name=str(index)) for index in range(131_071)
        ),
        "model.layers",
    ),
}


@pytest.mark.parametrize("name", UNREGISTRABLE)
def test_a_wrong_registration_is_refused_with_the_field_at_fault(client, name):
    change, field = UNREGISTRABLE[name]
    request = registration("run")
    change(request)
    failure = failure_of(client.register, request)
    assert_invalid(failure, field)
    assert failure.message.isprintable() and len(failure.message) < 1024
    runs = client.query.ListRuns(v1.ListRunsRequest()).runs
    assert [run.run_id for run in runs] == ["bystander"]


def test_the_longest_names_and_odd_letters_are_taken_as_they_are(client):
    run_id = "é" * 256
    name = "\u8bad\u7ec3 \U0001f680 \u202ertl"
    request = registration(run_id, name=name, tags=["'; DROP TABLE run; --", "100%"])
    request.model.layers[0].name = "%s/../../*?"
    client.register(request)
    client.report(run_id, report(1))
    run = client.query.GetRun(v1.GetRunRequest(run_id=run_id)).run
    assert (run.name, list(run.tags)) == (request.name, list(request.tags))
    layers = client.query.ListLayers(v1.ListLayersRequest(run_id=run_id)).layers
    assert [entry.layer for entry in layers] == list(request.model.layers)
    assert_holds(client, run_id, Recorded([report(1)]))


def test_another_model_under_the_same_run_id_is_refused(client):
    client.register(registration("run"))
    client.report("run", report(1))
    for change in (_tensor(element_count=13, shape=[]), _first_layer(activation="tanh")):
        other = registration("run")
        change(other)
        failure = failure_of(client.register, other)
        assert failure.code == grpc.StatusCode.FAILED_PRECONDITION
        assert (failure.reason, failure.domain) == ("MODEL_DIFFERS", "gradwatch")
    assert client.register(registration("run")).producer.last_sequence == 1


# Queries


def test_a_page_token_of_nobody_and_a_page_too_large_are_invalid(client):
    client.register(registration("run"))
    requests = [
        (client.query.ListRuns, v1.ListRunsRequest, {}),
        (client.query.ListLayers, v1.ListLayersRequest, {"run_id": "run"}),
        (client.query.ListAlerts, v1.ListAlertsRequest, {}),
    ]
    for call, request, fields in requests:
        for token in ("x", "-1", "1.5", "9" * 30, "\x00"):
            assert_invalid(failure_of(call, request(page_token=token, **fields)), "page_token")
        for size in (1001, 2**32 - 1):
            assert_invalid(failure_of(call, request(page_size=size, **fields)), "page_size")


@pytest.mark.parametrize(
    "selector",
    [
        {"layer": "net.7"},
        {"tensor": "net.?.gain"},
        {"layer": "net.0", "tensor": "net.1.*"},
        {"roles": [v1.TENSOR_ROLE_EMBEDDING]},
    ],
)
def test_a_selector_that_matches_nothing_is_not_found(client, selector):
    client.register(registration("run"))
    client.report("run", report(1))
    for call, request in (
        (client.query.GetLayerTimeline, v1.GetLayerTimelineRequest),
        (client.query.GetHistograms, v1.GetHistogramsRequest),
    ):
        failure = failure_of(call, request(run_id="run", selector=v1.Selector(**selector)))
        assert (failure.code, failure.reason) == (NOT_FOUND, "NOTHING_MATCHES")
    listed = client.query.ListLayers(
        v1.ListLayersRequest(run_id="run", selector=v1.Selector(**selector))
    )
    assert not listed.layers


def test_wrong_fields_of_a_timeline_request_are_named(client):
    client.register(registration("run"))
    backward = v1.StepRange(first=5, last=4)
    wrong = {
        "steps": {"steps": backward},
        "max_points": {"max_points": 2**32 - 1},
        "metric": {"metric": 99},
        "selector.layer": {"selector": v1.Selector(layer=LONG)},
        "selector.roles[0]": {"selector": v1.Selector(roles=[99])},
    }
    for field, fields in wrong.items():
        request = v1.GetLayerTimelineRequest(run_id="run", **fields)
        assert_invalid(failure_of(client.query.GetLayerTimeline, request), field)
    request = v1.GetLossTimelineRequest(run_id="run", metric=99)
    assert_invalid(failure_of(client.query.GetLossTimeline, request), "metric")
    request = v1.GetHistogramsRequest(run_id="run", steps=backward)
    assert_invalid(failure_of(client.query.GetHistograms, request), "steps")


def test_a_glob_of_many_stars_is_answered(client):
    """Backtracking matchers take exponential time for such a glob."""
    request = registration("run")
    request.model.layers[0].name = "a" * 512
    client.register(request)
    selector = v1.Selector(layer="*a" * 255 + "b")
    listed = client.query.ListLayers(v1.ListLayersRequest(run_id="run", selector=selector))
    assert not listed.layers


# Alerts


def test_only_a_firing_alert_can_be_acknowledged_and_by_somebody(client):
    client.register(registration("run"))
    client.report("run", lose_gradients(report(1)))
    firing = client.list_alerts(run_id="run", states=[v1.ALERT_STATE_FIRING])[0].alert_id

    def acknowledge(alert_id: str, person: str):
        return client.alerts.AcknowledgeAlert(
            v1.AcknowledgeAlertRequest(alert_id=alert_id, acknowledged_by=person)
        )

    failure = failure_of(acknowledge, "0123456789abcdef", "ada")
    assert (failure.code, failure.reason) == (NOT_FOUND, "UNKNOWN_ALERT")
    assert_invalid(failure_of(acknowledge, firing, ""), "acknowledged_by")
    assert_invalid(failure_of(acknowledge, firing, "a" * 513), "acknowledged_by")
    assert_invalid(failure_of(acknowledge, "", "ada"), "alert_id")

    # Fifty-odd clean steps resolve it; what is over can't be acknowledged any more.
    client.report("run", *[report(sequence) for sequence in range(2, 80)])
    listed = {alert.alert_id: alert for alert in client.list_alerts(run_id="run")}
    assert listed[firing].state == v1.ALERT_STATE_RESOLVED
    failure = failure_of(acknowledge, firing, "ada")
    assert failure.code == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.reason == "NOT_FIRING"


def test_a_negative_cursor_is_invalid(client):
    failure = client.subscribe(cursor=-1).end()
    assert_invalid(failure, "cursor")


# Bytes


METHODS = {
    f"/{service.full_name}/{method.name}": method
    for message in (v1.RegisterRunRequest, v1.GetRunRequest, v1.AcknowledgeAlertRequest)
    for service in message.DESCRIPTOR.file.services_by_name.values()
    for method in service.methods
}


def raw(channel: grpc.Channel, path: str, *messages: bytes):
    """Makes a call with bytes as they are."""
    kind = METHODS[path] if path in METHODS else None
    if kind is not None and kind.client_streaming:
        return channel.stream_stream(path)(iter(messages), timeout=DEADLINE)
    if kind is not None and kind.server_streaming:
        return channel.unary_stream(path)(messages[0], timeout=DEADLINE)
    return channel.unary_unary(path)(messages[0], timeout=DEADLINE)


@pytest.mark.parametrize("path", METHODS)
def test_bytes_that_are_no_message_are_refused(client, path):
    failure = failure_of(raw, client.channel, path, b"\xff" * 12)
    assert failure.code in {INVALID, grpc.StatusCode.INTERNAL}, failure


@pytest.mark.parametrize("path", METHODS)
def test_random_bytes_do_no_harm(client, path):
    noise = random.Random(f"noise for {path}")
    for _ in range(50):
        message = noise.randbytes(noise.randrange(1, 300))
        call = Inbox(_as_stream(raw, client.channel, path, message))
        # Some random bytes are a message of unknown fields, and a subscription then just goes on.
        if path.endswith("SubscribeAlerts"):
            call.wait(lambda call=call: call.events or call.ended, "an answer")
            continue
        failure = call.end()
        broken = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        assert failure is None or failure.code not in broken, (failure, message.hex())


def _as_stream(call, *arguments):
    """Any call's answers one by one, so that unary and streaming ones are read alike."""
    answer = call(*arguments)
    yield from answer if hasattr(answer, "__next__") else [answer]


def test_a_mutated_report_does_no_harm(client):
    """Flips bytes of a good stream's messages: most are still messages, few are still right."""
    client.register(registration("run"))
    noise = random.Random("mutations")
    path = "/gradwatch.v1.IngestService/StreamTelemetry"
    opening = v1.StreamTelemetryRequest(open={"run_id": "run", "producer_id": PRODUCER})
    for _ in range(200):
        sequence = client.register(registration("run")).producer.last_sequence + 1
        message = v1.StreamTelemetryRequest(report=report(sequence, step=noise.randrange(50)))
        bytes_ = bytearray(message.SerializeToString())
        for _ in range(noise.randrange(1, 6)):
            bytes_[noise.randrange(len(bytes_))] = noise.randrange(256)
        call = Inbox(raw(client.channel, path, opening.SerializeToString(), bytes(bytes_)))
        failure = call.end()
        broken = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        assert failure is None or failure.code not in broken, (failure, bytes_.hex())
    # Whatever was taken of it can be read.
    for metric in (v1.METRIC_GRADIENT_NORM, v1.METRIC_GRADIENT_ZERO_COUNT):
        for points in timeline(client, "run", metric).values():
            assert list(points.steps) == sorted(set(points.steps))


def test_text_that_is_no_utf8_is_refused(client):
    good = registration("run-in-latin-1").SerializeToString()
    bad = good.replace(b"run-in-latin-1", b"run-in-latin-\xe9")
    failure = failure_of(raw, client.channel, "/gradwatch.v1.IngestService/RegisterRun", bad)
    assert failure.code in {INVALID, grpc.StatusCode.INTERNAL}


def test_a_method_that_does_not_exist_is_unimplemented(client):
    failure = failure_of(raw, client.channel, "/gradwatch.v1.QueryService/Nothing", b"")
    assert failure.code == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_of_100_mb_is_not_held(collector, client, compression):
    """Compressed, it takes 100 kB on the wire, and only inflating it shows what it is."""
    register = client.channel.unary_unary("/gradwatch.v1.IngestService/RegisterRun")
    message = b"\x7a" + _length(100 << 20) + bytes(100 << 20)
    failure = failure_of(register, message, timeout=DEADLINE, compression=compression)
    assert failure.code in TOO_LARGE, failure
    stream = client.channel.stream_stream("/gradwatch.v1.IngestService/StreamTelemetry")
    client.register(registration("run"))
    opening = v1.StreamTelemetryRequest(open={"run_id": "run", "producer_id": PRODUCER})
    messages = iter([opening.SerializeToString(), message])
    failure = failure_of(stream, messages, timeout=DEADLINE, compression=compression)
    assert failure.code in TOO_LARGE, failure
    assert client.report("run", report(1)).ack.sequence == 1, "the connection is still good"
    assert collector.resident_bytes() < MEMORY


def _length(count: int) -> bytes:
    """A length as protobuf writes it."""
    digits = bytearray()
    while count > 0x7F:
        digits.append(count & 0x7F | 0x80)
        count >>= 7
    return bytes([*digits, count])


# Connections


def address_of(collector) -> tuple[str, int]:
    host, port = collector.target.rsplit(":", 1)
    return host, int(port)


def test_bytes_that_are_no_http_do_no_harm(collector):
    noise = random.Random("no http")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for start in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", preface):
        for _ in range(30):
            with socket.create_connection(address_of(collector), timeout=DEADLINE) as connection:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(start + noise.randbytes(noise.randrange(2000)))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass


def test_connections_that_say_nothing_keep_nobody_out(collector):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(address_of(collector), timeout=DEADLINE))
        with collector.client() as client:
            client.register(registration("run"))
            assert client.report("run", report(1)).ack.sequence == 1


def test_a_client_that_vanishes_in_mid_stream_leaves_what_was_acked(collector, client):
    client.register(registration("run"))
    with collector.client() as other:
        stream = other.stream("run")
        stream.send(*[report(sequence) for sequence in range(1, 501)])
        stream.wait_for_ack(100)
    # The channel is closed, with reports on their way.
    again = client.stream("run")
    last = again.opened.last_sequence
    assert last >= stream.acked >= 100
    assert_holds(client, "run", Recorded(report(number) for number in range(1, last + 1)))


def test_metadata_of_a_megabyte_are_refused(client):
    huge = [("x-huge", "a" * (1 << 20))]
    failure = failure_of(client.query.GetServerInfo, v1.GetServerInfoRequest(), metadata=huge)
    assert failure.code != grpc.StatusCode.DEADLINE_EXCEEDED


def test_many_streams_share_one_connection(client):
    """A job's launcher may stream for all of its ranks over one channel."""
    count = 300
    producers = [f"rank-{number}" for number in range(count)]
    for producer_id in producers:
        client.register(registration("run", producer_id=producer_id))
    streams = [client.stream("run", producer_id=producer_id) for producer_id in producers]
    for stream in streams:
        stream.send(report(1), report(2))
    for stream in streams:
        stream.wait_for_ack(2)


# Clients that do not read


@pytest.fixture
def deaf(collector):
    """A connection on which little arrives that is not read: by default it may be megabytes."""
    narrow = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16))
    with collector.client(*narrow) as connected:
        yield connected


def _send_and_never_read(client, run_id: str, messages):
    """A stream whose answers nobody takes."""
    opening = v1.StreamTelemetryRequest(open={"run_id": run_id, "producer_id": PRODUCER})
    requests = (v1.StreamTelemetryRequest(report=message) for message in messages)
    return client.ingest.StreamTelemetry(itertools.chain([opening], requests))


def test_a_client_that_never_reads_its_acks_slows_nobody(collector, deaf):
    deaf.register(registration("deaf", layers=100))
    first = report(1, layers=100)

    def messages():
        for sequence in range(1, 5001):
            first.sequence, first.step = sequence, sequence
            yield first

    call = _send_and_never_read(deaf, "deaf", messages())
    with collector.client() as other:

        def last_sequence() -> int:
            run = other.query.GetRun(v1.GetRunRequest(run_id="deaf")).run
            assert collector.resident_bytes() < MEMORY
            return run.producers[0].last_sequence

        eventually(lambda: last_sequence() == 5000, "all that the deaf client sent", DEADLINE)
        other.register(registration("hearing"))
        stream = other.stream("hearing")
        stream.send(*[report(sequence) for sequence in range(1, 101)])
        stream.wait_for_ack(100)
    call.cancel()


def test_a_client_that_never_reads_its_refusals_is_not_read_from_for_ever(collector, deaf):
    deaf.register(registration("deaf"))
    wrong = report(1)
    wrong.losses[0].name = "\x1b" * 500
    taken = 0

    def messages():
        nonlocal taken
        for taken in itertools.count(1):
            wrong.sequence = taken
            yield wrong

    call = _send_and_never_read(deaf, "deaf", messages())
    with collector.client() as other:
        other.register(registration("hearing"))
        stream = other.stream("hearing")
        sequences = itertools.count(1)

        def is_stuck() -> bool:
            before = taken
            for sequence in itertools.islice(sequences, 50):
                stream.send(report(sequence))
                stream.wait_for_ack(sequence)
            assert collector.resident_bytes() < MEMORY
            return taken == before > 0

        eventually(is_stuck, "the deaf client is not read from any more", DEADLINE)
    call.cancel()


def test_a_subscriber_that_does_not_read_is_cut_off_and_can_resume(collector, client, deaf):
    subscription = deaf.alerts.SubscribeAlerts(v1.SubscribeAlertsRequest(include_pending=True))
    events = iter(subscription)
    assert next(events).HasField("caught_up")

    # A run that takes the same broken step again resolves and raises its alerts each time.
    client.register(registration("restless"))
    listener = client.subscribe(include_pending=True)
    listener.wait_until_live()
    sequences = itertools.count(1)
    while len(listener.events) < 4096 + 1000:
        numbers = itertools.islice(sequences, 100)
        client.report("restless", *[lose_gradients(report(n, step=0)) for n in numbers])
        with_cursor = client.stream("restless")
        newest = with_cursor.opened.alert_cursor
        with_cursor.close()
        # The one that reads is given time to: only the other one is to be cut off.
        listener.wait(lambda: listener.cursor >= newest, "all transitions so far")
        assert collector.resident_bytes() < MEMORY

    heard = []

    def read_on():
        for event in events:
            heard.append(event.transition)

    failure = failure_of(read_on)
    assert failure.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failure.reason, failure.domain) == ("SLOW_SUBSCRIBER", "gradwatch")
    assert 0 < len(heard) < len(listener.transitions)
    cursor = int(failure.metadata["cursor"])
    assert cursor == heard[-1].cursor

    resumed = client.subscribe(include_pending=True, cursor=cursor)
    resumed.wait_until_live()
    assert heard + resumed.transitions == listener.transitions
