"""Runs whose every report follows from the run's name, so that any process can say what must be there.

Reports are copies of a few hundred prepared ones, because a test that kills hundreds of collectors
sends hundreds of thousands of them; a loss of its own number tells each from all others.
"""

import functools
import random
import struct
from array import array

from client import Client
from reports import (
    WALL_TIME,
    Recorded,
    assert_holds,
    lose_gradients,
    loss_timeline,
    registration,
    report,
    timeline,
)
from wire import v1

TEMPLATES = 251
"""Prepared reports: a prime below 256, so that no two rows of a segment are alike."""


@functools.cache
def _template(number: int, is_lost: bool):
    message = report(1, step=number, salt="scripted")
    return lose_gradients(message) if is_lost else message


class Script:
    """What one run sends: steps that now and then skip or go back, and troubles that come and go."""

    def __init__(self, run_id: str, total: int, rewinds: float = 0.003):
        """Makes a run of so many reports, of which that share goes back."""
        chance = random.Random(run_id)
        self.run_id = run_id
        self.total = total
        self._salt = chance.randrange(TEMPLATES)
        self._mark = chance.randrange(1, 1 << 20) << 20
        self._steps: list[int] = []
        self._lost: list[bool] = []
        step, troubled = -1, 0
        for _ in range(total):
            if step > 20 and chance.random() < rewinds:
                step = chance.randrange(max(0, step - 300), step + 1)
            else:
                step += 3 if chance.random() < 0.02 else 1
            if not troubled and chance.random() < 0.008:
                troubled = chance.choice([1, 2, 25])
            self._steps.append(step)
            self._lost.append(troubled > 0)
            troubled -= troubled > 0

    def registration(self, **more):
        return registration(self.run_id, **more)

    def nth(self, sequence: int):
        """The report of this number, the same whenever it is asked for."""
        step = self._steps[sequence - 1]
        message = v1.StepReport()
        message.CopyFrom(_template((7 * step + self._salt) % TEMPLATES, self._lost[sequence - 1]))
        message.sequence = sequence
        message.step = step
        message.wall_time_seconds = WALL_TIME + sequence
        message.losses[1].value = self._mark + sequence
        return message

    def reports(self, first: int, last: int | None = None) -> list:
        return [self.nth(sequence) for sequence in range(first, (last or self.total) + 1)]

    def kept(self, last: int) -> list[int]:
        """The numbers whose steps are in the timeline after the report `last`, by step."""
        kept: list[int] = []
        for sequence in range(1, last + 1):
            while kept and self._steps[kept[-1] - 1] >= self._steps[sequence - 1]:
                kept.pop()
            kept.append(sequence)
        return kept


def assert_stored(client: Client, script: Script, last: int):
    """Reads the norms and the losses of a run: those up to report `last`, each once, no others."""
    reports = [script.nth(sequence) for sequence in script.kept(last)]
    steps = array("Q", [message.step for message in reports]).tobytes()

    def same(points, values, what: str):
        place = (script.run_id, last, what)
        found = array("Q", points.steps)
        assert found.tobytes() == steps, (place, first_difference(found, steps, "Q"))
        found = array("d", points.last)
        expected = array("d", values).tobytes()
        assert found.tobytes() == expected, (place, first_difference(found, expected, "d"))

    norms = timeline(client, script.run_id, v1.METRIC_GRADIENT_NORM)
    losses = loss_timeline(client, script.run_id)
    assert (norms.keys(), losses.keys()) == (
        (set(range(4)), {"loss", "auxiliary"}) if last else (set(), set())
    ), script.run_id
    for tensor, points in norms.items():
        same(points, [message.gradients.norm[tensor] for message in reports], f"tensor {tensor}")
    for index, name in enumerate(("loss", "auxiliary") if last else ()):
        same(losses[name], [message.losses[index].value for message in reports], name)


def first_difference(found: array, expected: bytes, code: str) -> str:
    expected = array(code, expected)
    pairs = zip(found, expected)
    bits = struct.Struct("<" + code).pack
    index = next((i for i, (a, b) in enumerate(pairs) if bits(a) != bits(b)), None)
    return f"{len(found)} points, expected {len(expected)}, first difference at {index}"


def assert_stored_wholly(client: Client, script: Script):
    """Reads every metric and histogram of a run that has sent all, bit for bit."""
    assert_holds(client, script.run_id, Recorded(script.reports(1)))


def transitions_of(client: Client, run_id: str) -> list:
    """All transitions of a run's alerts, from the beginning."""
    history = client.subscribe(run_ids=[run_id], cursor=0, include_pending=True)
    history.wait_until_live()
    history.cancel()
    return history.transitions


def life(transitions) -> list[str]:
    """Transitions without what differs between two collectors: the clock, and the other runs."""
    lines = []
    for transition in transitions:
        copy = v1.AlertTransition()
        copy.CopyFrom(transition)
        copy.ClearField("at")
        copy.ClearField("cursor")
        for field in ("started_at", "fired_at", "acknowledged_at", "resolved_at"):
            copy.alert.ClearField(field)
        lines.append(str(copy))
    return lines
