"""What became of the reports of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """What became of the reports so far."""

    state: str
    """`starting`, `connecting`, `streaming`, `waiting`, `finished`, `failed`, `offline` or `disabled`."""
    problem: str = ""
    """Why it waits, or failed; empty otherwise."""
    reported: int = 0
    """Steps that were reported."""
    delivered: int = 0
    """Steps that are durable at the collector, or in the file of the offline mode."""
    pending: int = 0
    """Steps that wait for that."""
    dropped: int = 0
    """Steps that were given up, because the buffer was full or the run failed."""
    stripped: int = 0
    """Steps whose histograms were given up because the buffer was full."""
    reduced: int = 0
    """Steps of which only the scalars were sent, because the message was too large."""
    refused: int = 0
    """Steps that the collector would not take."""
    first_refusal: str = ""
    """Why it would not take the first of them; empty: it took all."""

    def __str__(self) -> str:
        parts = [f"{self.delivered} of {self.reported} steps delivered"]
        for name in ("pending", "dropped", "refused", "reduced"):
            if count := getattr(self, name):
                parts.append(f"{count} {name}")
        if self.stripped:
            parts.append(f"{self.stripped} without their histograms")
        if self.problem:
            parts.append(f"{self.state}: {self.problem}")
        return ", ".join(parts)
