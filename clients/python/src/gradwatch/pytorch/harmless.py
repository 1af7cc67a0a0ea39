"""Keeps our failures from the training."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ..log import LOGGER


def harmless(hook: Callable) -> Callable:
    """Keeps what a method raises from the training that called it: its object gives up then, with `_give_up`."""

    @functools.wraps(hook)
    def guarded(self, *arguments: Any, **options: Any) -> None:
        try:
            hook(self, *arguments, **options)
        except Exception:
            LOGGER.exception("a model is followed no more")
            self._give_up()

    return guarded
