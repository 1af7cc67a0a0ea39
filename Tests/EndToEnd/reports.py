"""Runs to send, and what the contract says that must come back."""

import math
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterable

from client import PRODUCER, Client
from wire import v1

WALL_TIME = 1_700_000_000.0
"""When every run begins."""

METRICS = {
    **{
        getattr(v1, f"METRIC_GRADIENT_{column.upper()}"): ("gradients", column)
        for column in v1.GradientColumns.DESCRIPTOR.fields_by_name
        if column != "tensor_ids"
    },
    v1.METRIC_PARAMETER_NORM: ("parameters", "norm"),
    v1.METRIC_UPDATE_NORM: ("parameters", "update_norm"),
    **{
        getattr(v1, f"METRIC_ACTIVATION_{column.upper()}"): ("activations", column)
        for column in v1.ActivationColumns.DESCRIPTOR.fields_by_name
        if column != "layer_ids"
    },
}
"""Every metric of the contract, and the group and column that it is of."""

STEP_METRICS = {
    v1.STEP_METRIC_LEARNING_RATE: "learning_rate",
    v1.STEP_METRIC_GLOBAL_NORM: "global_norm",
    v1.STEP_METRIC_LOSS_SCALE: "loss_scale",
}
"""Every metric of a step as a whole but the losses, and the field that it is of."""


def registration(run_id: str, producer_id: str = PRODUCER, layers: int = 2, **more):
    """A net of fully connected layers, each with a weight of 4 x 3 and a bias of 4."""
    model = v1.Model()
    for index in range(layers):
        name = f"net.{index}"
        model.layers.add(name=name, module_type="Linear", activation="relu", fan_in=3, fan_out=4)
        model.tensors.add(
            name=f"{name}.weight",
            layer_id=index,
            role=v1.TENSOR_ROLE_WEIGHT,
            shape=[4, 3],
            element_count=12,
        )
        model.tensors.add(
            name=f"{name}.bias", layer_id=index, role=v1.TENSOR_ROLE_BIAS, element_count=4
        )
    producer = v1.Producer(producer_id=producer_id)
    return v1.RegisterRunRequest(run_id=run_id, producer=producer, model=model, **more)


def report(sequence: int, step: int | None = None, layers: int = 2, salt: str = ""):
    """A healthy step of that net: every column, a histogram, small noise around steady values."""
    step = sequence - 1 if step is None else step
    noise = random.Random(f"{salt} {step}")
    tensors = range(2 * layers)

    def around(value: float, count: int) -> list[float]:
        return [value * noise.uniform(0.95, 1.05) for _ in range(count)]

    message = v1.StepReport(
        sequence=sequence,
        step=step,
        wall_time_seconds=WALL_TIME + sequence,
        learning_rate=0.01,
        global_norm=noise.uniform(0.95, 1.05),
        loss_scale=1024,
    )
    message.losses.add(name="loss", value=noise.uniform(0.95, 1.05))
    message.losses.add(name="auxiliary", value=noise.uniform(-1, 1))
    gradients = message.gradients
    gradients.norm.extend(around(0.5, len(tensors)))
    gradients.mean.extend(around(-0.01, len(tensors)))
    gradients.mean_abs.extend(around(0.1, len(tensors)))
    gradients.std.extend(around(0.1, len(tensors)))
    gradients.min.extend(around(-0.4, len(tensors)))
    gradients.max.extend(around(0.4, len(tensors)))
    gradients.zero_count.extend(1 for _ in tensors)
    gradients.nan_count.extend(0 for _ in tensors)
    gradients.positive_infinity_count.extend(0 for _ in tensors)
    gradients.negative_infinity_count.extend(0 for _ in tensors)
    message.parameters.norm.extend(around(2, len(tensors)))
    message.parameters.update_norm.extend(around(0.005, len(tensors)))
    for tensor in tensors:
        elements = 4 if tensor % 2 else 12
        positive = noise.randint(1, elements - 2)
        histogram = message.histograms
        histogram.zero_count.append(1)
        histogram.positive_offset.append(-4)
        histogram.positive_length.append(2)
        histogram.negative_offset.append(-3)
        histogram.negative_length.append(1)
        histogram.counts.extend([1, positive - 1, elements - 1 - positive])
    activations = message.activations
    activations.mean.extend(around(0.3, layers))
    activations.std.extend(around(0.5, layers))
    activations.zero_fraction.extend(around(0.4, layers))
    activations.saturated_fraction.extend(math.nan for _ in range(layers))
    activations.dead_unit_fraction.extend(0 for _ in range(layers))
    return message


def lose_gradients(message):
    """Makes the gradients of a report NaN, its loss too, as after an overflow."""
    tensors = range(len(message.gradients.norm))
    message.losses[0].value = math.nan
    message.global_norm = math.nan
    for column in ("norm", "mean", "mean_abs", "std", "min", "max"):
        getattr(message.gradients, column)[:] = [math.nan for _ in tensors]
    message.gradients.zero_count[:] = [0 for _ in tensors]
    message.gradients.nan_count[:] = [4 if tensor % 2 else 12 for tensor in tensors]
    message.ClearField("histograms")
    return message


def float32_bits(value: float) -> bytes:
    return struct.pack("<f", value)


def float64_bits(value: float) -> bytes:
    return struct.pack("<d", value)


Histogram = tuple[int, int, Counter, Counter]
"""Scale, zeros, and the positive and negative counts by bucket."""


class Recorded:
    """What a producer's timeline must hold after its reports, by the contract alone."""

    def __init__(self, reports: Iterable = ()):
        self.by_step: dict = {}
        self.add(*reports)

    def add(self, *reports):
        for message in reports:
            # A step that is not above the last rewinds: it and what was above it are replaced.
            while self.by_step and next(reversed(self.by_step)) >= message.step:
                self.by_step.popitem()
            self.by_step[message.step] = message

    @property
    def steps(self) -> list[int]:
        return list(self.by_step)

    def series(self, metric: int) -> dict[int, list[tuple[int, float]]]:
        """One metric's points by tensor or layer."""
        group, column = METRICS[metric]
        series: dict[int, list] = {}
        for step, message in self.by_step.items():
            columns = getattr(message, group)
            values = getattr(columns, column)
            ids = columns.layer_ids if group == "activations" else columns.tensor_ids
            for index, value in zip(ids or range(len(values)), values):
                series.setdefault(index, []).append((step, value))
        return series

    def losses(self) -> dict[str, list[tuple[int, float]]]:
        series: dict[str, list] = {}
        for step, message in self.by_step.items():
            for loss in message.losses:
                series.setdefault(loss.name, []).append((step, loss.value))
        return series

    def step_values(self, field: str) -> list[tuple[int, float]]:
        return [
            (step, getattr(message, field))
            for step, message in self.by_step.items()
            if message.HasField(field)
        ]

    def histograms(self) -> dict[int, list[tuple[int, Histogram]]]:
        series: dict[int, list] = {}
        for step, message in self.by_step.items():
            column = message.histograms
            start = 0
            for row in range(len(column.zero_count)):
                middle = start + column.positive_length[row]
                end = middle + column.negative_length[row]
                tensor = column.tensor_ids[row] if column.tensor_ids else row
                histogram = (
                    column.scale,
                    column.zero_count[row],
                    buckets(column.positive_offset[row], column.counts[start:middle]),
                    buckets(column.negative_offset[row], column.counts[middle:end]),
                )
                series.setdefault(tensor, []).append((step, histogram))
                start = end
        return series


def buckets(offset: int, counts: Iterable[int]) -> Counter:
    return Counter({offset + index: count for index, count in enumerate(counts) if count})


def points_of(responses, key: Callable) -> dict:
    """The columns of each series, of which a long one comes in several messages, end to end."""
    series: dict = {}
    for response in responses:
        series.setdefault(key(response), v1.SeriesColumns()).MergeFrom(response.points)
    return series


def timeline(client: Client, run_id: str, metric: int, **request) -> dict:
    """One metric's columns by tensor or layer."""
    responses = client.query.GetLayerTimeline(
        v1.GetLayerTimelineRequest(run_id=run_id, metric=metric, **request)
    )
    of_layer = METRICS[metric][0] == "activations"

    def key(response) -> int:
        assert response.HasField("tensor_id") != of_layer
        return response.layer_id if of_layer else response.tensor_id

    return points_of(responses, key)


def loss_timeline(client: Client, run_id: str, **request) -> dict:
    """The columns of losses, or of another value of the step, by name."""
    responses = client.query.GetLossTimeline(v1.GetLossTimelineRequest(run_id=run_id, **request))
    return points_of(responses, lambda response: response.name)


def histograms(client: Client, run_id: str, **request) -> dict[int, list]:
    """The histogram points by tensor."""
    series: dict[int, list] = {}
    for response in client.query.GetHistograms(v1.GetHistogramsRequest(run_id=run_id, **request)):
        series.setdefault(response.tensor_id, []).extend(response.points)
    return series


def histogram_of(point) -> Histogram:
    form = point.exponential
    assert point.WhichOneof("form") == "exponential"
    return (
        form.scale,
        form.zero_count,
        buckets(form.positive_offset, form.positive_counts),
        buckets(form.negative_offset, form.negative_counts),
    )


def steps_and_bits(points, bits: Callable) -> list[tuple[int, bytes]]:
    assert len(points.steps) == len(points.last)
    assert not points.last_steps and not points.count, "full resolution has plain measurements"
    return [(step, bits(value)) for step, value in zip(points.steps, points.last)]


def expected_bits(pairs, bits: Callable) -> list[tuple[int, bytes]]:
    return [(step, bits(value)) for step, value in pairs]


def assert_holds(client: Client, run_id: str, recorded: Recorded, **request):
    """Reads all of a run at full resolution: what was sent, bit for bit, and nothing else."""
    for metric in METRICS:
        bits = float64_bits if v1.Metric.Name(metric).endswith("COUNT") else float32_bits
        found = timeline(client, run_id, metric, **request)
        expected = recorded.series(metric)
        name = v1.Metric.Name(metric)
        assert found.keys() == expected.keys(), name
        for index, pairs in expected.items():
            assert steps_and_bits(found[index], bits) == expected_bits(pairs, bits), (name, index)

    losses = loss_timeline(client, run_id, **request)
    expected_losses = recorded.losses()
    assert losses.keys() == expected_losses.keys()
    for name, pairs in expected_losses.items():
        found = steps_and_bits(losses[name], float64_bits)
        assert found == expected_bits(pairs, float64_bits), name

    for metric, field in STEP_METRICS.items():
        pairs = recorded.step_values(field)
        values = loss_timeline(client, run_id, metric=metric, **request)
        assert list(values) == ([field] if pairs else []), field
        for points in values.values():
            assert steps_and_bits(points, float64_bits) == expected_bits(pairs, float64_bits), field

    found = histograms(client, run_id, **request)
    expected_histograms = recorded.histograms()
    assert found.keys() == expected_histograms.keys()
    for tensor, pairs in expected_histograms.items():
        points = found[tensor]
        assert all(point.merged_count == 1 for point in points)
        assert all(point.first_step == point.last_step for point in points)
        assert [(point.first_step, histogram_of(point)) for point in points] == pairs, tensor


def current_alerts(transitions) -> dict[str, object]:
    """The alerts as the last of their transitions left them."""
    return {transition.alert.alert_id: transition.alert for transition in transitions}
