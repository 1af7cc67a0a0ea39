"""A hook of a module that does nothing in copies of the module."""

from __future__ import annotations

import contextlib
from typing import Any, Callable


class Hook:
    """Calls a function; a copy of it, deep or pickled, does nothing, and takes nothing along."""

    def __init__(self, function: Callable[[Any, Any, Any], None]):
        self._function = function

    def __call__(self, module: Any, arguments: Any, output: Any) -> None:
        self._function(module, arguments, output)

    def __reduce__(self) -> tuple:
        # It takes whatever it is given and returns nothing, and is there where this package is not.
        return getattr, (contextlib.nullcontext(), "__exit__")
