"""Answers of few points, held against what was sent: sums and histograms that the collector made, and we again."""

import math
from collections import Counter
from collections.abc import Iterator

from client import Client
from reports import (
    METRICS,
    Histogram,
    Recorded,
    float32_bits,
    float64_bits,
    histogram_of,
    histograms,
    loss_timeline,
    timeline,
)
from wire import v1

SUMMED_UP = [
    v1.METRIC_GRADIENT_NORM,
    v1.METRIC_GRADIENT_MEAN,
    v1.METRIC_GRADIENT_NAN_COUNT,
    v1.METRIC_ACTIVATION_MEAN,
]
"""A metric that is positive, one that is not, a count, and one of layers."""


def assert_timelines_sum_up(
    client: Client, run_id: str, recorded: Recorded, max_points: int, metrics=SUMMED_UP
) -> int:
    """Reads metrics of a run in so many points, each of which says what its reports say.

    Returns how many points reach into the next range of steps, as only those do that come from a rollup.
    """
    width = recorded.steps[-1] // max_points + 1
    # There may be more by now.
    until = v1.StepRange(last=recorded.steps[-1])
    reaching = 0
    for metric in metrics:
        found = timeline(client, run_id, metric, max_points=max_points, steps=until)
        expected = recorded.series(metric)
        name = v1.Metric.Name(metric)
        assert found.keys() == expected.keys(), (run_id, name)
        bits = float64_bits if name.endswith("COUNT") else float32_bits
        for index, measured in expected.items():
            points = found[index]
            ranges = list(zip(points.steps, points.last_steps, points.count))
            place = (run_id, name, index)
            for point, covered in enumerate(covered_by(ranges, measured, width, place)):
                assert_is_sum(points, point, covered, bits, (*place, ranges[point]))
            reaching += sum(last // width > first // width for first, last, _ in ranges)
    return reaching


def assert_losses_sum_up(client: Client, run_id: str, recorded: Recorded, max_points: int) -> int:
    """Reads the losses of a run in so many points; returns how many come from a rollup, as above."""
    width = recorded.steps[-1] // max_points + 1
    until = v1.StepRange(last=recorded.steps[-1])
    found = loss_timeline(client, run_id, max_points=max_points, steps=until)
    expected = recorded.losses()
    assert found.keys() == expected.keys(), run_id
    reaching = 0
    for name, measured in expected.items():
        points = found[name]
        ranges = list(zip(points.steps, points.last_steps, points.count))
        place = (run_id, name)
        for point, covered in enumerate(covered_by(ranges, measured, width, place)):
            assert_is_sum(points, point, covered, float64_bits, (*place, ranges[point]))
        reaching += sum(last // width > first // width for first, last, _ in ranges)
    return reaching


def assert_histograms_sum_up(client: Client, run_id: str, recorded: Recorded, max_points: int):
    """Reads the histograms of a run in so many points, each of which is those of its reports, merged."""
    width = recorded.steps[-1] // max_points + 1
    until = v1.StepRange(last=recorded.steps[-1])
    found = histograms(client, run_id, max_points=max_points, steps=until)
    expected = recorded.histograms()
    assert found.keys() == expected.keys(), run_id
    for tensor, measured in expected.items():
        ranges = [(p.first_step, p.last_step, p.merged_count) for p in found[tensor]]
        place = (run_id, "histograms", tensor)
        for point, covered in zip(found[tensor], covered_by(ranges, measured, width, place), strict=True):
            assert histogram_of(point) == merged(covered), (*place, point.first_step)


def covered_by(ranges: list, measured: list, width: int, place) -> Iterator[list]:
    """The values that each point covers: none is left out, none is in two of them."""
    end, part = 0, -1
    for first, last, count in ranges:
        steps, values = zip(*measured[end : end + count])
        assert (steps[0], steps[-1], len(steps)) == (first, last, count), (place, first)
        assert part < first // width, (place, first, "two points of one range")
        part = first // width
        # A point of a rollup goes where its first step does, and may span a quarter of a range.
        assert last < (part + 1) * width + width // 4, (place, first, last)
        end += count
        yield list(values)
    assert end == len(measured), (place, end, len(measured))


def assert_is_sum(points, point: int, covered: list[float], bits, place):
    finite = [value for value in covered if math.isfinite(value)]
    assert bits(points.last[point]) == bits(covered[-1]), place
    assert points.non_finite_count[point] == len(covered) - len(finite), place
    found = points.min[point], points.max[point], points.mean[point]
    if not finite:
        assert all(map(math.isnan, found)), place
        return
    assert [bits(value) for value in found[:2]] == [bits(min(finite)), bits(max(finite))], place
    # Means of means are floats.
    largest = max(map(abs, finite))
    mean = math.fsum(finite) / len(finite)
    assert math.isclose(found[2], mean, rel_tol=0, abs_tol=1e-6 * largest), (place, found[2], mean)


def merged(all_: list[Histogram]) -> Histogram:
    scales, zeros, positive, negative = zip(*all_)
    assert len(set(scales)) == 1
    return scales[0], sum(zeros), sum(positive, Counter()), sum(negative, Counter())
