"""What subscribers cost those who report: none, and 1,000 of whom a quarter never read."""

from measuring import Scale, finish, measured
from parts.latency import BACKGROUND
from table import Part

ALERTS_A_SECOND = 4


def measure(scale: Scale) -> Part:
    part = Part("Subscriptions, 4 alerts a second")
    for name, awake, asleep in (("1 subscriber", 1, 0), ("1,000 subscribers, 250 of them asleep", 750, 250)):
        paced = [once(scale, BACKGROUND, awake, asleep) for _ in range(scale.repeats)]
        flat = [once(scale, {"tensors": 200}, awake, asleep) for _ in range(scale.repeats)]

        def of(results: list[dict], key: str) -> list[float]:
            return [result[key] for result in results]

        part.add(f"ack p50 at 100,000 tensor-reports/s, {name}", "ms", *of(paced, "p50_ms"))
        part.add(f"ack p99 at 100,000 tensor-reports/s, {name}", "ms", *of(paced, "p99_ms"))
        part.add(f"alert p99 at 100,000 tensor-reports/s, {name}", "ms", *of(paced, "alert_p99_ms"))
        part.add(f"alerts not heard of, {name}", "", *of(paced, "missing"))
        part.add(f"ingest flat out, {name}", "tensor-reports/s", *of(flat, "rate"))
        part.add(f"peak memory, {name}", "MB", *of(paced, "peak"))
    return part


def once(scale: Scale, background: dict, awake: int, asleep: int) -> dict:
    alerts = scale.pick(60, 16)
    seconds = alerts / ALERTS_A_SECOND
    with measured() as collector:
        heard = collector.start_load(
            "alerts", subscribers=awake, asleep=asleep, alerts=alerts, rate=ALERTS_A_SECOND
        )
        collector.wait_for_subscribers(awake + asleep)
        rate = background.get("rate", 1700)
        result = collector.load("ingest", **background, steps=int(seconds * rate))
        alert = finish(heard)
        return result | {
            "rate": result["tensor_reports"] / result["seconds"],
            "alert_p99_ms": alert["p99_ms"],
            "missing": alert["missing"],
            "peak": collector.peak_bytes / 1e6,
        }
