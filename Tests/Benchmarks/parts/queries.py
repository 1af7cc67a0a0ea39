"""How long queries take, from the call to the last message, by steps of the run."""

import statistics
import time
from collections.abc import Callable

import grpc
from measuring import Measured, Scale, measured, v1
from parts import echo
from table import Part, Promise

TENSORS = 8
ASKED = 15
TIMELINE = "/gradwatch.v1.QueryService/GetLayerTimeline"


def measure(scale: Scale) -> Part:
    part = Part(f"Queries through a Python client; runs of {TENSORS} tensors unless it says more")
    by_query: dict[str, dict[int, list[float]]] = {}
    with measured() as collector:
        for steps in scale.pick([1000, 100_000, 1_000_000], [1000, 10_000, 100_000]):
            run = f"steps-{steps}"
            fill(collector, run, tensors=TENSORS, steps=steps, buckets=16)
            for name, ask in queries(collector, run).items():
                by_query.setdefault(name, {})[steps] = times(ask)
        beside_an_echo(part, collector, f"steps-{scale.pick(100_000, 10_000)}")
    for name, found in by_query.items():
        for steps, milliseconds in found.items():
            kept = name == "timeline of a tensor, all points" and steps == 100_000
            promise = Promise(5) if kept else None
            part.add(f"{name}, {steps:,} steps", "ms", *milliseconds, promise=promise)
    for name, found in by_query.items():
        part.grow(f"{name}, by steps", "ms", {steps: min(values) for steps, values in found.items()})
    with measured() as collector:
        steps = scale.pick(100_000, 2000)
        fill(collector, "wide", tensors=1000, steps=steps, buckets=0)
        request = v1.GetHeatmapRequest(run_id="wide", max_columns=300)
        milliseconds = times(lambda: list(collector.client.query.GetHeatmap(request)))
        name = f"heatmap of 1,000 tensors x 300 columns, {steps:,} steps"
        part.add(name, "ms", *milliseconds, promise=Promise(100))
        one = v1.Selector(tensor="layer500.weight")
        whole = v1.GetLayerTimelineRequest(run_id="wide", selector=one)
        milliseconds = times(lambda: list(collector.client.query.GetLayerTimeline(whole)))
        part.add(f"timeline of one of 1,000 tensors, all of {steps:,} points", "ms", *milliseconds)
    return part


def beside_an_echo(part: Part, collector: Measured, run: str):
    """A timeline's points, in turn from the collector and from a server that has the same messages ready."""
    request = v1.GetLayerTimelineRequest(run_id=run, selector=v1.Selector(tensor="layer3.weight"))

    def messages() -> list[bytes]:
        return list(collector.client.channel.unary_stream(TIMELINE, v1.GetLayerTimelineRequest.SerializeToString)(request))

    with echo.served(TIMELINE, messages()) as address, grpc.insecure_channel(address) as channel:
        ready = channel.unary_stream(
            TIMELINE, v1.GetLayerTimelineRequest.SerializeToString, v1.GetLayerTimelineResponse.FromString
        )
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(3):
            ours += times(lambda: list(collector.client.query.GetLayerTimeline(request)))
            theirs += times(lambda: list(ready(request)))
    name = "timeline of a tensor, all points"
    part.add(f"the reference: {name}, from a Python server that has them ready", "ms", *theirs)
    part.add(f"Gradwatch against it, {name}", "times", statistics.median(ours) / statistics.median(theirs))


def fill(collector: Measured, run: str, **options):
    collector.load("ingest", run=run, **options)
    collector.finish(run)
    collector.settle()


def queries(collector: Measured, run: str) -> dict[str, Callable]:
    query = collector.client.query
    one = v1.Selector(tensor="layer3.weight")
    points = v1.GetLayerTimelineRequest(run_id=run, selector=one, max_points=1000)
    whole = v1.GetLayerTimelineRequest(run_id=run, selector=one)
    histograms = v1.GetHistogramsRequest(run_id=run, selector=one, max_points=100)
    heatmap = v1.GetHeatmapRequest(run_id=run, max_columns=300)
    losses = v1.GetLossTimelineRequest(run_id=run, max_points=1000)
    return {
        "timeline of a tensor, 1,000 points": lambda: list(query.GetLayerTimeline(points)),
        "timeline of a tensor, all points": lambda: list(query.GetLayerTimeline(whole)),
        "losses, 1,000 points": lambda: list(query.GetLossTimeline(losses)),
        "100 histograms of a tensor": lambda: list(query.GetHistograms(histograms)),
        f"heatmap of {TENSORS} tensors x 300 columns": lambda: list(query.GetHeatmap(heatmap)),
    }


def times(ask: Callable) -> list[float]:
    """Milliseconds of each time but the first, which reads from the disk."""
    found = []
    for _ in range(ASKED + 1):
        start = time.perf_counter()
        if not ask():
            raise RuntimeError("the answer is empty")
        found.append((time.perf_counter() - start) * 1000)
    return found[1:]
