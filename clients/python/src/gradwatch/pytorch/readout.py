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
    """Gathers what was measured, and copies it to the host at once."""

    def __init__(self) -> None:
        self.can_wait = True
        """Whether the tensors that were measured may change before `read`."""
        self._items: list[_Item] = []
        # In front of them, and not forgotten.
        self._kept: list[_Item] = []

    def measure(
        self,
        tensors: Sequence[Flat],
        norms_of: Sequence[Flat],
        details: bool,
        take: Callable[[list[int], Numbers], None],
    ) -> None:
        """Measures tensors as `statistics.measure` does, those of a device and dtype at once.

        `tensors` and `norms_of` are as many, or one of them is empty. Has `take` called for each such group, with its
        places in them and what was measured.
        """
        for places in flat.groups(tensors, norms_of):
            own, others = ([flats[place] for place in places] if flats else [] for flats in (tensors, norms_of))
            measurement = measure(own, details=details, norms_of=others)
            self.can_wait = self.can_wait and measurement.can_wait
            self._add(measurement.values, measurement.numbers, functools.partial(take, places), self._items)

    def add_numbers(
        self, numbers: Sequence[torch.Tensor], take: Callable[[list[float]], None], *, is_kept: bool = False
    ) -> None:
        """Has `take` called with numbers of one device, as they are now."""
        if numbers:
            values = torch.stack([number.detach().reshape(()) for number in numbers])
            values = values.to(flat.wide(values.device))
            self._add(values, torch.Tensor.tolist, take, self._kept if is_kept else self._items)

    def keep(self) -> None:
        """Has `forget` leave what there is."""
        self._kept += self._items
        self._items.clear()

    def forget(self) -> None:
        """Copies nothing of what was added since `keep`, but for numbers that are kept by themselves."""
        self._items.clear()

    def read(self) -> None:
        """Copies everything, from each device at once, and hands it on in the order in which it came."""
        items, self._kept, self._items, self.can_wait = self._kept + self._items, [], [], True
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

    @staticmethod
    def _add(
        values: torch.Tensor, decode: Callable[[torch.Tensor], Any], take: Callable[[Any], None], items: list[_Item]
    ) -> None:
        # They may be read on another stream than the one that computes them.
        is_cuda = values.device.type == "cuda"
        computed = torch.cuda.current_stream(values.device).record_event() if is_cuda else None
        items.append((values, computed, lambda copied: take(decode(copied))))
