"""Numbers on their way from a device, and what is done with them."""

from __future__ import annotations

import functools
from typing import Any, Callable, Sequence

import torch

from . import flat
from .flat import Flat
from .statistics import Numbers, measure

_Item = tuple[torch.Tensor, "torch.cuda.Event | None", Callable[[torch.Tensor], None]]
"""Numbers, when they are computed, and who is given the copy."""


class Readout:
    """Gathers what was measured on devices, and copies it to the host at once. The CPU's part is handed on at once.

    What was measured quickly is copied by `settle`, while the tensors are as they were: some may have to be looked at
    again. What was measured carefully waits for `read`.
    """

    def __init__(self, is_careful: bool = False) -> None:
        self.quick_copies = 0
        """How many copies it took to measure all but what is extra quickly, or would have taken."""
        self._is_careful = is_careful
        # Whether there is something for the next of those copies, and whether that could not wait.
        self._has_more = self._is_urgent = False
        self._items: list[_Item] = []
        # In front of them, and not forgotten.
        self._kept: list[_Item] = []

    def measure(
        self,
        tensors: Sequence[Flat],
        norms_of: Sequence[Flat],
        details: bool,
        take: Callable[[list[int], Numbers], None],
        *,
        is_extra: bool = False,
    ) -> None:
        """Measures tensors as `statistics.measure` does, those of a device and dtype at once.

        `tensors` and `norms_of` are as many, or one of them is empty. Has `take` called for each such group, with its
        places in them and what was measured. What is extra is there on steps with details alone, and never forgotten.
        """
        for places in flat.groups(tensors, norms_of):
            own, others = ([flats[place] for place in places] if flats else [] for flats in (tensors, norms_of))
            measurement = measure(own, details=details, is_careful=self._is_careful, norms_of=others)
            if flat.is_on_cpu(measurement.values):
                take(places, measurement.numbers(measurement.values))
            else:
                hand_on = functools.partial(self._hand_on, measurement.numbers, take, places)
                self._add(measurement.values, hand_on, is_extra)
                self._is_urgent = True

    def add_numbers(
        self, numbers: Sequence[torch.Tensor], take: Callable[[list[float]], None], *, is_extra: bool = False
    ) -> None:
        """Has `take` called with numbers of one device, as they are now."""
        if numbers:
            values = torch.stack([number.detach().reshape(()) for number in numbers])
            self._add(values.to(flat.wide(values.device)), lambda copied: take(copied.tolist()), is_extra)

    def keep(self) -> None:
        """Has `forget` leave what there is."""
        self._kept += self._items
        self._items.clear()

    def forget(self) -> None:
        """Copies nothing of what was added since `keep`, but for what is extra."""
        self._items.clear()

    def settle(self) -> None:
        """Copies everything, if something was measured quickly since the last time."""
        if self._is_urgent:
            self._count()
            if not self._is_careful:
                self._copy()

    def read(self) -> None:
        """Copies what is left, from each device at once, and hands it on in the order in which it came."""
        self._count()
        self._copy()

    def _count(self) -> None:
        self.quick_copies += self._has_more
        self._has_more = self._is_urgent = False

    def _copy(self) -> None:
        items, self._kept, self._items = self._kept + self._items, [], []
        places: dict[Any, list[int]] = {}
        for place, (values, computed, _) in enumerate(items):
            if computed is not None:
                torch.cuda.current_stream(values.device).wait_event(computed)
            places.setdefault(values.device, []).append(place)
        copied: dict[int, torch.Tensor] = {}
        for own in places.values():
            values = [items[place][0] for place in own]
            copied |= zip(own, torch.cat(values).cpu().split([len(part) for part in values]))
        for place, (_, _, take) in enumerate(items):
            take(copied[place])

    def _hand_on(
        self,
        numbers: Callable[[torch.Tensor], Numbers],
        take: Callable[[list[int], Numbers], None],
        places: list[int],
        copied: torch.Tensor,
    ) -> None:
        found = numbers(copied)
        self.quick_copies += found.takes_two_looks
        take(places, found)

    def _add(self, values: torch.Tensor, take: Callable[[torch.Tensor], None], is_extra: bool) -> None:
        # They may be read on another stream than the one that computes them.
        is_cuda = values.device.type == "cuda"
        computed = torch.cuda.current_stream(values.device).record_event() if is_cuda else None
        (self._kept if is_extra else self._items).append((values, computed, take))
        self._has_more |= not is_extra
