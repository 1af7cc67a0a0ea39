"""What is taken of one step's gradients."""

from __future__ import annotations

import functools
import math
from typing import Any, Callable, Iterable, Mapping, Sequence

import torch
from torch import nn

from .. import columns
from ..v1 import step_report_pb2
from .activations import add_activations
from .flat import Flat
from .histograms import add_histograms
from .readout import Readout
from .statistics import Numbers


class Capture:
    """Fills a report in with what is measured for it; made for each step.

    ```
    add gradients, numbers ──▶ settle ──▶ (optimizer steps) ──▶ add updates ──▶ complete
                               quick: copied                                    careful: copied
    ```
    A device measures carefully if everything is measured, or if `is_careful`; see `Readout`.
    """

    def __init__(
        self, report: step_report_pb2.StepReport, is_recorded: bool, is_detailed: bool, is_careful: bool = False
    ):
        self.report = report
        self.is_recorded = is_recorded
        """Whether gradients are measured."""
        self.is_detailed = is_detailed
        """Whether everything is."""
        self.tensors: set[int] = set()
        """Those whose gradients were taken, or passed by on a step that is not recorded."""
        self.before: dict[nn.Parameter, torch.Tensor] = {}
        """Copies of parameters that are about to change."""
        self.under_way: set[Any] = set()
        """The optimizers that are stepping, or failed."""
        self.ended: set[Any] = set()
        """Those that have stepped, or skipped it: what was taken of them stays."""
        self.is_skipped: dict[Any, bool] = {}
        """Whether a scaler found that an optimizer has to skip the step; `False` until that was copied."""
        self.has_scale = False
        """Whether the loss scale was taken along."""
        self.is_complete = False
        """Whether everything is in the report, which may be on its way then."""
        self._readout = Readout(is_careful or is_detailed)
        self._stepping: set[Any] = set()
        self._kept: set[int] = set()
        # Of a tensor that was measured twice the last one counts.
        self._gradients: list[tuple[list[int], Numbers]] = []
        self._updates: dict[int, float] = {}
        self._activations: dict[int, list[float]] = {}

    def add_gradients(self, ids: Sequence[int], parameters: Sequence[nn.Parameter]) -> None:
        """Measures gradients, and the parameters themselves if everything is measured."""
        self.tensors.update(ids)
        if not self.is_recorded:
            return
        values = [Flat.of(p) for p in parameters] if self.is_detailed else []
        self._readout.measure(
            [Flat.of(p.grad) for p in parameters],
            values,
            self.is_detailed,
            lambda places, numbers: self._gradients.append(([ids[place] for place in places], numbers)),
        )

    def add_updates(self, ids: Sequence[int], parameters: Sequence[nn.Parameter]) -> None:
        """Measures what became of parameters that are in `before`."""

        def take(places: list[int], numbers: Numbers) -> None:
            self._updates |= zip([ids[place] for place in places], numbers.norms)

        before = [self.before.pop(p) for p in parameters]
        # In its place: new memory costs more than the difference.
        changes = [Flat.of(torch.sub(p.detach(), old, out=old)) for p, old in zip(parameters, before)]
        self._readout.measure([], changes, self.is_detailed, take, is_extra=True)

    def add_activations(self, found: Mapping[int, Sequence[torch.Tensor]]) -> None:
        """Takes along what `ActivationProbes.take` gave; of a layer that was seen before, what is new."""
        layers: dict[torch.device, list[int]] = {}
        for layer, numbers in found.items():
            layers.setdefault(numbers[0].device, []).append(layer)
        for own in layers.values():
            numbers = [number for layer in own for number in found[layer]]
            self._readout.add_numbers(numbers, functools.partial(self._take_activations, own), is_extra=True)

    def add_clipping(self, kind: int, bound: float, found: torch.Tensor) -> None:
        """Says how gradients are clipped; `found` is what the bound is for, before that."""
        clipping = self.report.clipping
        clipping.kind, clipping.threshold = kind, bound

        def say(number: float) -> None:
            clipping.clipped = number > bound

        self._add_number(found, say)

    def add_rate(self, rate: torch.Tensor) -> None:
        """Takes a learning rate along."""
        self._add_number(rate, self.say_rate)

    def say_rate(self, rate: float) -> None:
        """Says a learning rate, unless somebody else did."""
        if not self.report.HasField("learning_rate") and math.isfinite(rate):
            self.report.learning_rate = rate

    def add_scale(self, scale: torch.Tensor | float) -> None:
        """Takes the loss scale along."""

        def say(number: float) -> None:
            self.report.loss_scale = number

        self.has_scale = True
        self._add_number(scale if isinstance(scale, torch.Tensor) else torch.tensor(scale, device="cpu"), say)

    def add_found(self, optimizer: Any, found: torch.Tensor) -> None:
        """Takes along whether an optimizer has to skip the step: `found` is not 0 then."""

        def say(number: float) -> None:
            self.is_skipped[optimizer] = number != 0

        self.is_skipped[optimizer] = False
        self._add_number(found, say)

    @property
    def takes_one_copy(self) -> bool:
        """Whether one copy was enough to measure quickly, or would have been; known when it is complete."""
        return self._readout.quick_copies <= 1

    def forget_gradients(self) -> None:
        """Begins anew with what is taken before a step, but for what an optimizer that has ended took.

        Copies of parameters stay, and activations, which newer ones replace.
        """
        self.tensors &= self._kept
        self._gradients = [group for group in self._gradients if not self._kept.isdisjoint(group[0])]
        self.under_way.clear()
        self.is_skipped = {optimizer: found for optimizer, found in self.is_skipped.items() if optimizer in self.ended}
        self._readout.forget()
        if not self.ended:
            self.has_scale = False
            for name in ("clipping", "loss_scale", "gradients_scaled"):
                self.report.ClearField(name)

    def forget_all(self) -> None:
        """Leaves nothing in the report of what is measured."""
        self.ended.clear()
        self._kept.clear()
        self._readout = Readout()
        self.forget_gradients()
        self._activations.clear()
        for name in ("gradients", "histograms", "parameters", "activations"):
            self.report.ClearField(name)

    def will_step(self, optimizer: Any) -> None:
        """Notes that an optimizer is stepping: whether it had to skip that counts."""
        self._stepping.add(optimizer)

    def end(self, optimizer: Any, ids: Iterable[int]) -> None:
        """Notes that an optimizer has stepped, or skipped that, with these tensors."""
        self.under_way.discard(optimizer)
        self.ended.add(optimizer)
        self._kept.update(ids)
        self._readout.keep()

    def settle(self) -> None:
        """Copies everything if something of it can't wait."""
        self._readout.settle()

    def complete(self, tensor_count: int, layer_count: int) -> None:
        """Copies what is left, and says what follows from all."""
        self._readout.read()
        report = self.report
        squares = self._fill_gradients()
        report.optimizer_skipped |= any(self.is_skipped.get(optimizer) for optimizer in self._stepping)
        if self._updates:
            ids = report.parameters.tensor_ids
            report.parameters.update_norm.extend(self._updates.get(tensor, math.nan) for tensor in ids)
        add_activations(report, self._activations)
        if self.tensors and self.is_recorded:
            report.global_norm = math.sqrt(squares) if squares == squares else math.nan
            columns.complete(report, tensor_count, layer_count)
        self.is_complete = True

    def _add_number(self, number: torch.Tensor, take: Callable[[float], None]) -> None:
        """Takes a number along, as it is now, and has `take` called with it."""
        self._readout.add_numbers([number], lambda copied: take(*copied))

    def _take_activations(self, layers: list[int], numbers: list[float]) -> None:
        for place, layer in enumerate(layers):
            self._activations[layer] = numbers[5 * place : 5 * place + 5]

    def _fill_gradients(self) -> float:
        """Says what gradients are like, and gives the sum of their squares."""
        squares = 0.0
        newest = {tensor: group for group, (ids, _) in enumerate(self._gradients) for tensor in ids}
        for group, (ids, numbers) in enumerate(self._gradients):
            places = [i for i, tensor in enumerate(ids) if newest[tensor] == group and tensor in self.tensors]
            if not places:
                continue
            ids, statistics = [ids[place] for place in places], [numbers.statistics[place] for place in places]
            columns.add_gradients(self.report, ids, statistics, self.is_detailed)
            squares = _added(squares, statistics)
            if self.is_detailed:
                self.report.parameters.tensor_ids.extend(ids)
                self.report.parameters.norm.extend(numbers.norms[place] for place in places)
                add_histograms(self.report, ids, numbers.patterns[places])
        return squares


def _added(squares: float, statistics: list[columns.Statistics]) -> float:
    """The sum of squares with more tensors, as arithmetic has it: NaN wins over infinity, infinity over numbers."""
    for row in statistics:
        if row.nan:
            squares += math.nan
        elif row.positive_infinity or row.negative_infinity:
            squares += math.inf
        elif row.norm == row.norm:
            squares += row.norm * row.norm
    return squares
