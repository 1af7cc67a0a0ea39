#!/usr/bin/env python3
"""Scores the alerts that were raised on labelled runs.

    scripts/score_detectors.py ALERTS.json LABELS.json [--verbose] [--by-family]

ALERTS.json: {run: [{"rule": …, "severity": …, "step": …, "layers": [names]}]}, an entry for each
time that an alert began to fire, or rose to that severity, at that step; [] for a run without.
LABELS.json: {run: {"verdict", "must": {diagnosis: {"layers", "earliest", "latest", "alt"}},
"must_not": [diagnosis], …}}, and perhaps "family".

Warnings and critical alerts are findings; info counts neither for nor against.

true positive   a diagnosis of `must`, or one of its `alt`, fired at or after its `earliest` step
on time         it did so up to its `latest` step
false negative  it did not
false positive  a diagnosis of `must_not` fired, or one of `must` before its `earliest` step
located         an alert that counts for a diagnosis named one of the layers of its label
"""

import argparse
import json
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

FINDINGS = ("warning", "critical")


@dataclass
class Score:
    """What counts for and against the rules, over some runs."""

    rows: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    """By diagnosis: tp, fp, fn, on_time, named (the label names layers) and located."""
    delays: list[int] = field(default_factory=list)
    """Steps from a fault's `earliest` to the first alert."""
    complaints: list[str] = field(default_factory=list)
    runs: int = 0
    right: int = 0
    """Runs without anything missed, early or false."""
    healthy: int = 0
    alarmed: int = 0
    """Healthy runs with a false alarm."""

    def add(self, name: str, label: dict, alerts: list[dict]):
        """Counts one run."""
        fired = defaultdict(list)
        for alert in alerts:
            if alert["severity"] in FINDINGS:
                fired[alert["rule"]].append(alert)
        wrong = [self._demand(name, fired, *item) for item in label["must"].items()].count(False)
        false_alarms = [diagnosis for diagnosis in label["must_not"] if fired[diagnosis]]
        for diagnosis in false_alarms:
            self.rows[diagnosis]["fp"] += 1
            first = min(alert["step"] for alert in fired[diagnosis])
            self.complaints.append(f"false alarm   {name}: {diagnosis} at step {first}")
        self.runs += 1
        self.right += not wrong and not false_alarms
        if label["verdict"] == "healthy":
            self.healthy += 1
            self.alarmed += bool(false_alarms)

    def _demand(self, name: str, fired: dict, diagnosis: str, must: dict) -> bool:
        """Counts one diagnosis that must be made; whether it was made, and not too early."""
        row = self.rows[diagnosis]
        earliest, latest = must["earliest"], must["latest"]
        accepted = [alert for rule in [diagnosis, *must["alt"]] for alert in fired[rule]]
        steps = sorted(alert["step"] for alert in accepted if alert["step"] >= earliest)
        if steps:
            row["tp"] += 1
            row["on_time"] += steps[0] <= latest
            self.delays.append(steps[0] - earliest)
            if must["layers"]:
                row["named"] += 1
                row["located"] += any(
                    wanted in found or found in wanted
                    for alert in accepted
                    for found in alert.get("layers", [])
                    for wanted in must["layers"]
                )
        else:
            row["fn"] += 1
            window = f"expected from step {earliest} to {latest}"
            self.complaints.append(f"missed        {name}: {diagnosis} ({window})")
        early = [alert["step"] for alert in fired[diagnosis] if alert["step"] < earliest]
        if early:
            row["fp"] += 1
            self.complaints.append(
                f"too early     {name}: {diagnosis} at step {min(early)}, the fault is at {earliest}"
            )
        return bool(steps) and not early

    @property
    def total(self) -> Counter:
        """The sum over all diagnoses."""
        return sum(self.rows.values(), Counter())

    @property
    def summary(self) -> str:
        """One line."""
        total = self.total
        demanded = total["tp"] + total["fn"]
        precision = total["tp"] / max(1, total["tp"] + total["fp"])
        recall = total["tp"] / max(1, demanded)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        delay = f"{statistics.median_high(self.delays)} steps" if self.delays else "-"
        return (
            f"precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}  "
            f"on time {total['on_time']}/{demanded}  located {total['located']}/{total['named']}  "
            f"median delay {delay}  healthy runs with a false alarm {self.alarmed}/{self.healthy}  "
            f"runs wholly right {self.right}/{self.runs}"
        )

    @property
    def table(self) -> str:
        """A line a diagnosis."""
        lines = [f"{'diagnosis':28}  TP  FP  FN  on time  located"]
        for diagnosis, row in sorted(self.rows.items()):
            located = f"{row['located']}/{row['named']}"
            lines.append(
                f"{diagnosis:28} {row['tp']:3} {row['fp']:3} {row['fn']:3}"
                f"  {row['on_time']:7}  {located:>7}"
            )
        return "\n".join(lines)


def score(alerts: dict, labels: dict) -> Score:
    """The score of all labelled runs."""
    result = Score()
    for name, label in sorted(labels.items()):
        if name not in alerts:
            sys.exit(f"score: {name}: expected its alerts ([] if there are none), found nothing")
        result.add(name, label, alerts[name])
    return result


def report(alerts: dict, labels: dict, verbose: bool = False, by_family: bool = False) -> str:
    """What is printed."""
    result = score(alerts, labels)
    parts = [result.table]
    if verbose:
        parts += result.complaints
    if by_family:
        families = defaultdict(dict)
        for name, label in labels.items():
            families[label.get("family", "-")][name] = label
        parts += [f"{name}: {score(alerts, runs).summary}" for name, runs in sorted(families.items())]
    return "\n".join([*parts, result.summary])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("alerts", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--verbose", action="store_true", help="name what is missed, early or false")
    parser.add_argument("--by-family", action="store_true", help="a line for each family of runs")
    options = parser.parse_args()
    alerts, labels = (json.loads(path.read_text()) for path in (options.alerts, options.labels))
    print(report(alerts, labels, options.verbose, options.by_family))


if __name__ == "__main__":
    main()
