"""Alerts, as the collector tells of them."""

from __future__ import annotations

from dataclasses import dataclass

from .v1 import alert_pb2


@dataclass(frozen=True)
class Remedy:
    """One thing to try."""

    action: str
    """The change to make."""
    reason: str
    """Why it helps here."""


@dataclass(frozen=True)
class Alert:
    """One episode of a condition that a rule found, as it was at a moment."""

    id: str
    """Stays the same over all changes of the episode."""
    rule: str
    """The rule, such as `exploding_gradient`."""
    severity: str
    """`info`, `warning` or `critical`; another word for what a later collector may know."""
    state: str
    """`pending`, `firing`, `acknowledged` or `resolved`."""
    summary: str
    """What is the case, where and since when."""
    cause: str
    """Why this is thought to be the case."""
    layers: tuple[str, ...]
    """The affected layers, in forward order; empty: the run as a whole."""
    first_step: int
    """The first step at which it was seen."""
    fired_step: int | None
    """The step at which it began to fire; `None`: it never did."""
    remedies: tuple[Remedy, ...]
    """What to try, the first thing first."""

    @property
    def is_open(self) -> bool:
        """Whether it fires, acknowledged or not."""
        return self.state in ("firing", "acknowledged")

    def __str__(self) -> str:
        if self.state == "resolved":
            return f"[{self.severity}, resolved] {self.rule}: {self.summary}"
        first = f"\n  try: {self.remedies[0].action}" if self.remedies else ""
        return f"[{self.severity}] {self.rule}: {self.summary}{first}"

    @staticmethod
    def of(wire: alert_pb2.Alert) -> Alert:
        """The alert that a message holds."""
        return Alert(
            id=wire.alert_id,
            rule=wire.rule,
            severity=_word(alert_pb2.Severity, wire.severity),
            state=_word(alert_pb2.AlertState, wire.state),
            summary=wire.summary,
            cause=wire.cause,
            layers=tuple(wire.evidence.layers),
            first_step=wire.first_step,
            fired_step=wire.fired_step if wire.HasField("fired_step") else None,
            remedies=tuple(Remedy(r.action, r.reason) for r in wire.remedies),
        )


def _word(enum, value: int) -> str:
    """`SEVERITY_WARNING` is `warning`."""
    try:
        return enum.Name(value).rpartition("_")[2].lower()
    except ValueError:
        return str(value)
