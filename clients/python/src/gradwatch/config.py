"""Hyper-parameters as text."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping

from .errors import GradwatchError
from .log import LOGGER
from .text import line

MAXIMUM_COUNT = 1024
MAXIMUM_BYTES = 16_384


def hyperparameters(config: object) -> dict[str, str]:
    """A configuration as the collector takes it: names with dots for what is nested, values as text.

    Takes a mapping, a dataclass, or an object with attributes such as argparse's. What is beyond the
    collector's limits is left out or cut, and said so. Raises GradwatchError for anything else.
    """
    flat: dict[str, str] = {}
    if config is not None:
        if _members(config) is None:
            raise GradwatchError(f"config: expected names and values, found {type(config).__name__}")
        _flatten("", config, flat)
    if len(flat) > MAXIMUM_COUNT:
        LOGGER.warning("config: expected at most %d values, found %d: the rest is left out", MAXIMUM_COUNT, len(flat))
    return dict(list(flat.items())[:MAXIMUM_COUNT])


def _flatten(prefix: str, value: Any, flat: dict[str, str]) -> None:
    members = _members(value)
    if members is None:
        text = str(value).encode(errors="replace")
        flat[prefix] = text[:MAXIMUM_BYTES].decode(errors="ignore")
        return
    for name, member in members.items():
        _flatten(line(f"{prefix}.{name}" if prefix else str(name)), member, flat)


def _members(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if type(value).__name__ in ("Namespace", "SimpleNamespace"):
        return vars(value)
    return None
