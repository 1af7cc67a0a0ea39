"""The list of runs: a case is a function of a seed that gives a job and a label."""

from dataclasses import dataclass
from typing import Callable


@dataclass
class Case:
    """A run to make: `build(seed)` gives a job and a label, or a function of what was seen."""

    name: str
    family: str
    scenario: str
    build: Callable


CASES: dict[str, Case] = {}


def case(name, family, scenario, *arguments, **keywords):
    """Registers the function below under a name; it gets the further arguments too."""

    def register(build):
        if name in CASES:
            raise ValueError(f"case {name}: expected a new name, found it twice")
        CASES[name] = Case(name, family, scenario, lambda seed: build(seed, *arguments, **keywords))
        return build

    return register
