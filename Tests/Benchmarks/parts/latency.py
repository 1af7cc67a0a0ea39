"""How long acks and alerts take at a rate that leaves the machine room."""

from measuring import Scale, finish, measured
from table import Part, Promise

# 100,000 tensor-reports a second.
BACKGROUND = {"tensors": 200, "streams": 5, "rate": 100}


def measure(scale: Scale) -> Part:
    part = Part("Latency")
    acks = [a_thousand_runs(scale) for _ in range(scale.repeats)]

    def of(results: list[dict], key: str) -> list[float]:
        return [result[key] for result in results]

    name = "1,000 runs, 150 tensors, a step a second each"
    part.add(f"ack p50, {name}", "ms", *of(acks, "p50_ms"))
    part.add(f"ack p99, {name}", "ms", *of(acks, "p99_ms"), promise=Promise(100))
    part.add(f"peak memory, {name}", "MB", *of(acks, "peak"), promise=Promise(1000))
    part.add(f"processor, {name}", "% of a core", *of(acks, "share"))
    for name, background in {"an idle collector": None, "100,000 tensor-reports/s": BACKGROUND}.items():
        alerts = [alert(scale, background) for _ in range(scale.repeats)]
        promise = Promise(20) if background else None
        part.add(f"alert at a subscriber p50, {name}", "ms", *of(alerts, "p50_ms"))
        part.add(f"alert at a subscriber p99, {name}", "ms", *of(alerts, "p99_ms"), promise=promise)
    return part


def a_thousand_runs(scale: Scale) -> dict:
    with measured() as collector:
        steps = scale.pick(30, 6)
        load = collector.start_load("ingest", tensors=150, streams=1000, rate=1, steps=steps)
        before = collector.processor_seconds
        result = finish(load)
        share = (collector.processor_seconds - before) / result["seconds"] * 100
        return result | {"peak": collector.peak_bytes / 1e6, "share": share}


def alert(scale: Scale, background: dict | None) -> dict:
    alerts, rate = scale.pick(300, 60), 20
    with measured() as collector:
        load = None
        if background:
            steps = (alerts // rate + 5) * background["rate"]
            load = collector.start_load("ingest", **background, steps=steps)
        result = collector.load("alerts", alerts=alerts, rate=rate)
        if load:
            finish(load)
        if result["missing"]:
            raise RuntimeError(f"{result['missing']} alerts were not heard of")
        return result
