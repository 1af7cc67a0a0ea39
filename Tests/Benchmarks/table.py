"""What was measured, as Markdown: rows with median, least and most, and drawings of how cost grows."""

import math
import statistics
from dataclasses import dataclass, field


@dataclass
class Promise:
    """What the README promises of a row."""

    bound: float
    at_least: bool = False

    def verdict(self, value: float, unit: str) -> str:
        kept = value >= self.bound if self.at_least else value <= self.bound
        sign = ">=" if self.at_least else "<="
        return f"{sign} {number(self.bound)} {unit}: " + ("kept" if kept else "**missed**")


@dataclass
class Row:
    name: str
    unit: str
    samples: list[float]
    promise: Promise | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def line(self) -> str:
        values = [self.median, min(self.samples), max(self.samples)]
        verdict = self.promise.verdict(self.median, self.unit) if self.promise else ""
        return "| " + " | ".join([self.name, *map(number, values), self.unit, verdict]) + " |"


@dataclass
class Growth:
    """A cost at several sizes."""

    name: str
    unit: str
    costs: dict[int, float]

    @property
    def slope(self) -> float:
        """The power of the size with which the cost grew from the second largest to the largest: 1 is straight."""
        (small, little), (large, much) = sorted(self.costs.items())[-2:]
        return math.log(much / little) / math.log(large / small)

    def lines(self) -> list[str]:
        widest = max(self.costs.values())
        lines = [f"{self.name}, {self.unit}; last power {self.slope:.2f}"]
        for size, cost in sorted(self.costs.items()):
            bar = "#" * max(1, round(40 * cost / widest))
            lines.append(f"  {size:>9,}  {number(cost):>9}  {bar}")
        return lines


@dataclass
class Part:
    """The rows of one part of the benchmarks."""

    title: str
    rows: list[Row] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, unit: str, *samples: float, promise: Promise | None = None):
        self.rows.append(Row(name, unit, list(samples), promise))

    def grow(self, name: str, unit: str, costs: dict[int, float]):
        self.growths.append(Growth(name, unit, costs))

    def markdown(self) -> str:
        lines = [f"## {self.title}", ""]
        lines += ["| what | median | min | max | unit | promise |", "|---|---|---|---|---|---|"]
        lines += [row.line() for row in self.rows]
        if self.growths:
            lines += ["", "```"]
            lines += [line for growth in self.growths for line in growth.lines()]
            lines.append("```")
        lines += [line for note in self.notes for line in ("", note)]
        return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three digits, or all of a whole number."""
    if value != value:
        return "none"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
