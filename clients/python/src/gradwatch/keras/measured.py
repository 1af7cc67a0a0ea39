"""What was measured of a step, by PyTorch or by JAX."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Sequence

from ..columns import Statistics


@dataclass
class Measured:
    """What was measured of a step; lists without members: nothing."""

    ids: Sequence[int] = ()
    """The tensors whose gradients were taken."""
    statistics: Sequence[Statistics] = ()
    parameter_norms: Sequence[float] = ()
    update_norms: Sequence[float] = ()
    patterns: Sequence[Any] = ()
    """How often each pattern of sign and exponent is there, an array a tensor."""

    def take(self, gradients: list[Any], values: list[Any]) -> None:
        """Measures gradients of PyTorch; in full with the values of their parameters."""
        from ..pytorch.flat import Flat
        from ..pytorch.readout import Numbers, Readout

        self.statistics, self.parameter_norms = [None] * len(gradients), [math.nan] * len(values)
        self.patterns = [None] * len(values)

        def keep(places: list[int], numbers: Numbers) -> None:
            for index, place in enumerate(places):
                self.statistics[place] = numbers.statistics[index]
                if values:
                    self.parameter_norms[place] = numbers.norms[index]
                    self.patterns[place] = numbers.patterns[index].numpy()

        readout = Readout()
        readout.measure(list(map(Flat.of, gradients)), list(map(Flat.of, values)), bool(values), keep)
        readout.read()

    def take_updates(self, changes: list[Any]) -> None:
        """Measures what a step changed."""
        from ..pytorch.flat import Flat
        from ..pytorch.readout import Numbers, Readout

        self.update_norms = [math.nan] * len(changes)

        def keep(places: list[int], numbers: Numbers) -> None:
            for place, norm in zip(places, numbers.norms):
                self.update_norms[place] = norm

        readout = Readout()
        readout.measure([], list(map(Flat.of, changes)), False, keep)
        readout.read()
