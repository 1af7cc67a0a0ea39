"""Whether a step is over when gradients are clipped again."""

from __future__ import annotations

from typing import Any

from . import optimizers
from .capture import Capture


class StepGuess:
    """Tells whether gradients that are about to be clipped are those of the next step.

    Where only some of their optimizers have stepped, the others may be about to, or they step less often: then it is
    as it was the last time.
    """

    def __init__(self) -> None:
        self._waits_for_all = True
        # Those that had stepped when it had to guess.
        self._ended: frozenset[Any] = frozenset()

    def is_over(self, owners: set[Any], capture: Capture) -> bool:
        """Whether the step is over that was captured, when gradients of these optimizers are about to be clipped."""
        ended = owners & capture.ended
        if not ended:
            return False
        if under_way := owners & capture.under_way:
            # It has called a closure, or has failed.
            return not any(optimizers.depth(optimizer) for optimizer in under_way)
        if ended == owners:
            return True
        self._ended = frozenset(ended)
        return not self._waits_for_all

    def will_step(self, optimizer: Any) -> None:
        """Learns from whoever steps next how it is."""
        if self._ended:
            self._waits_for_all = optimizer not in self._ended
            self._ended = frozenset()
