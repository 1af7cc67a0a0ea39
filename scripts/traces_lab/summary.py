"""Prints what the numbers of a run show, so that a person can judge its label."""

import gzip
import json
import math

import numpy as np


def load(path):
    """A trace's meta line and its other lines."""
    with gzip.open(path, "rt") as file:
        lines = [json.loads(line) for line in file]
    return lines[0], lines[1:]


def value(raw):
    return math.nan if raw is None else float(raw)


def spread(numbers):
    """Lowest, median and highest of the finite numbers, as text."""
    finite = [n for n in numbers if math.isfinite(n)]
    if not finite:
        return "-"
    return f"{min(finite):.1e} {float(np.median(finite)):.1e} {max(finite):.1e}"


def weights(meta):
    """Rows of matrices, in depth order."""
    rows = [p for p in meta["params"] if len(p["shape"]) > 1]
    return [p["i"] for p in sorted(rows, key=lambda p: p["depth"])]


def ratios(lines, rows):
    """Update ratios of the chosen rows, over all lines."""
    found = []
    for line in lines:
        for i in rows:
            row = line["p"][i]
            if row and value(row[10]) > 0 and not line.get("skipped"):
                found.append(value(row[11]) / value(row[10]))
    return found


def profile(meta, lines, rows):
    """log10 of each matrix's median gradient rms, first and last layer ends, as text."""
    levels = []
    for i in rows:
        scale = math.sqrt(meta["params"][i]["n"])
        norms = [value(line["p"][i][0]) / scale for line in lines if line["p"][i]]
        norms = [n for n in norms if math.isfinite(n)]
        if norms:
            level = float(np.median(norms))
            levels.append(f"{math.log10(level):.1f}" if level > 0 else "zero")
    middle = [".."] if len(levels) > 6 else []
    return " ".join(levels if len(levels) <= 6 else levels[:3] + middle + levels[-3:])


def highest(meta, lines, column):
    """The activation whose median over the second half of the run is highest in a column."""
    best = None
    for act in meta["acts"]:
        rows = [line["a"][act["i"]] for line in lines[len(lines) // 2 :]]
        numbers = [value(r[column]) for r in rows if r and r[column] is not None]
        if numbers:
            level = float(np.median(numbers))
            if best is None or level > best[0]:
                best = (level, act["name"])
    return f"{best[0]:.2f}@{best[1]}" if best else "-"


def jumps(numbers):
    """The largest ratios to the median of the 20 values before, as `ratio@index`."""
    found = []
    for k in range(20, len(numbers)):
        middle = float(np.median(numbers[k - 20 : k]))
        if middle > 0 and math.isfinite(numbers[k]):
            found.append((numbers[k] / middle, k))
    return " ".join(f"{ratio:.1f}@{k}" for ratio, k in sorted(found, reverse=True)[:2])


def table(meta, lines, family):
    """Five lines about a run."""
    losses = [value(line["loss"]) for line in lines]
    norms = [value(line["gn"]) for line in lines]
    rows = weights(meta)
    points = [losses[min(len(losses) - 1, len(losses) * k // 8)] for k in range(9)]
    label = meta["label"]
    clipped = [line["clipped"] for line in lines if "clipped" in line]
    early, late = lines[: max(3, len(lines) // 8)], lines[-len(lines) // 4 :]
    with np.errstate(invalid="ignore"):
        turns = np.sign(np.diff(np.array(losses)))
    turning = np.mean(turns[1:] * turns[:-1] < 0) if len(turns) > 2 else 0.0
    judged = f"must={list(label['must'])} may={label['may']}"
    text = [
        f"{meta['run']} [{family}] {label['verdict']} {judged}",
        f"   {meta['optimizer']} steps {meta['steps']}/{meta['every']} recorded {len(lines)}"
        f" loss " + " ".join(f"{p:.3g}" for p in points) + f" turns {turning:.2f}",
        f"   norm {spread(norms)} jumps {jumps(norms)} loss jumps {jumps(losses)}"
        f" clipped {np.mean(clipped) if clipped else 0:.2f}",
        f"   ratio early {spread(ratios(early, rows))} | late {spread(ratios(late, rows))}"
        f" dead {highest(meta, lines, 4)} sat {highest(meta, lines, 3)}"
        f" zero {highest(meta, lines, 2)}",
        f"   rms early {profile(meta, early, rows)} | late {profile(meta, late, rows)}",
    ]
    times = [line["tg"] for line in lines if "tg" in line]
    if times:
        text.append(f"   time first {times[0]} last {times[-1]}")
    bad = [
        line["s"] for line in lines if isinstance(line["loss"], str) or isinstance(line["gn"], str)
    ]
    if bad:
        text.append(f"   not finite from {bad[0]}, on {len(bad)} lines")
    last = [p for p in losses[-max(3, len(losses) // 20) :] if math.isfinite(p)]
    first = losses[: max(1, min(5, len(losses) // 20))]
    if label["verdict"] == "healthy" and (bad or not last or np.mean(last) > 0.8 * np.mean(first)):
        text.append("   CHECK: healthy, yet not finite or not learning")
    return "\n".join(text)
