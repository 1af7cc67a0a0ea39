"""The reports that are not acked yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Iterator

from .v1 import step_report_pb2

TABLES = ("gradients", "parameters", "histograms", "explicit_histograms", "activations", "time_step_norms")
"""The fields of a report that grow with the model."""
HISTOGRAMS = ("histograms", "explicit_histograms")
"""Those of them that are given up first."""


@dataclass(eq=False)
class Entry:
    """A report that waits."""

    report: step_report_pb2.StepReport
    size: int
    """Its bytes."""
    relative: bool = False
    """Whether its step counts from a number that is not known yet."""
    refused: bool = False
    """Whether the collector said that it will never take it."""

    def strip(self, fields: tuple[str, ...]) -> None:
        """Takes fields out of the report."""
        for name in fields:
            self.report.ClearField(name)
        self.size = self.report.ByteSize()


class ReportQueue:
    """The reports that are not acked yet, first to last; without a clock, a lock or a socket.

    A report's sequence number is its place: the first has `first`, the next one more. So numbers are given
    only to reports that are in it, and have no gaps. While a stream is open the numbers of what was sent stay;
    `restart` gives them anew to what the collector does not have.

    Bounded in reports and bytes. When it is full, histograms of what was not sent go first, the oldest before
    the others. When there are none left, every other report that was not sent goes, one at a time from the
    oldest on and then over again, so that what is left covers the whole time; the report behind it says so.
    """

    def __init__(self, maximum_count: int, maximum_bytes: int):
        self._maximum_count = maximum_count
        self._maximum_bytes = maximum_bytes
        self._entries: deque[Entry] = deque()
        self._with_histograms: deque[Entry] = deque()
        self._thinning = 0
        self._dropped_last = 0
        self.bytes = 0
        self.first = 1
        """The number of the first report in it."""
        self.sent = 0
        """How many from the first on were sent."""
        self.dropped = 0
        """Reports that were given up."""
        self.stripped = 0
        """Reports whose histograms were given up."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def is_half_empty(self) -> bool:
        """Whether half of what may be in it has room."""
        return 2 * len(self._entries) <= self._maximum_count and 2 * self.bytes <= self._maximum_bytes

    def number(self, first_step: int) -> None:
        """Says where relative steps count from."""
        for entry in self._entries:
            if entry.relative:
                entry.report.step += first_step
                entry.relative = False

    def append(self, report: step_report_pb2.StepReport, relative: bool = False) -> None:
        """Takes a report at the end; gives up others, or this one, if it does not fit."""
        entry = Entry(report, report.ByteSize(), relative)
        if any(report.HasField(name) for name in HISTOGRAMS):
            self._with_histograms.append(entry)
        self._entries.append(entry)
        self.bytes += entry.size
        report.dropped_steps += self._dropped_last
        self._dropped_last = 0
        while self.bytes > self._maximum_bytes and self._with_histograms:
            self._strip(self._with_histograms.popleft())
        while self.bytes > self._maximum_bytes or len(self._entries) > self._maximum_count:
            if self.sent == len(self._entries):
                break
            self._drop_one()

    def _strip(self, entry: Entry) -> None:
        self.bytes -= entry.size
        entry.strip(HISTOGRAMS)
        self.bytes += entry.size
        self.stripped += 1

    def _drop_one(self) -> None:
        """Gives up the report at the place where thinning is, and moves that on by one survivor."""
        place = max(self._thinning, self.sent)
        if place >= len(self._entries) - 1:
            # Around once. The newest stays, unless it is all there is to give up.
            place = self.sent
        entry = self._entries[place]
        del self._entries[place]
        if entry in self._with_histograms:
            self._with_histograms.remove(entry)
        self.bytes -= entry.size
        self.dropped += 1
        lost = 1 + entry.report.dropped_steps
        if place < len(self._entries):
            self._entries[place].report.dropped_steps += lost
        else:
            self._dropped_last += lost
        self._thinning = place + 1

    def next(self, credits: int) -> step_report_pb2.StepReport | None:
        """The next report to send, with its number, if fewer than `credits` are under way."""
        if self.sent >= credits or self.sent >= len(self._entries):
            return None
        entry = self._entries[self.sent]
        if self._with_histograms and self._with_histograms[0] is entry:
            self._with_histograms.popleft()
        entry.report.sequence = self.first + self.sent
        self.sent += 1
        return entry.report

    def refuse(self, sequence: int) -> bool:
        """Notes that a report will never be taken; returns whether that is news."""
        index = sequence - self.first
        if not 0 <= index < self.sent or self._entries[index].refused:
            return False
        self._entries[index].refused = True
        return True

    def acknowledge(self, sequence: int) -> int | None:
        """Lets go of everything up to a number; returns how many were taken, `None` if it was never sent."""
        count = sequence - self.first + 1
        if count > self.sent:
            return None
        return self._let_go(max(0, count))

    def go_back(self, sequence: int) -> bool:
        """Has everything from a number on sent again; returns whether it was under way."""
        index = sequence - self.first
        if not 0 <= index <= self.sent:
            return False
        self.sent = index
        return True

    def restart(self, last: int) -> int:
        """Begins anew on a new stream, whose collector has everything up to the number `last`.

        Returns how many of ours that made durable.
        """
        taken = 0
        if self.first <= last < self.first + self.sent:
            taken = self._let_go(last - self.first + 1)
        self.first, self.sent = last + 1, 0
        return taken

    def clear(self) -> int:
        """Gives up everything; returns how many reports went."""
        count = sum(not entry.refused for entry in self._entries)
        self._entries.clear()
        self._with_histograms.clear()
        self.bytes = self.sent = 0
        self.dropped += count
        return count

    def _let_go(self, count: int) -> int:
        taken = 0
        for _ in range(count):
            entry = self._entries.popleft()
            self.bytes -= entry.size
            taken += not entry.refused
        self._thinning = max(0, self._thinning - count)
        self.first += count
        self.sent -= count
        return taken
