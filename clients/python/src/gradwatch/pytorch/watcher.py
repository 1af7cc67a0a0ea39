"""Follows a model and its optimizers, and fills in the reports of their steps."""

from __future__ import annotations

import math
import weakref
from typing import Any, Iterable

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ..errors import GradwatchError, check_intervals
from ..log import LOGGER
from ..run import Run
from ..v1 import step_report_pb2
from . import clipping, flat, optimizers, scaling
from .activations import ActivationProbes
from .capture import Capture
from .describe import Description, framework, unwrapped
from .first_pass import FirstPass
from .harmless import harmless
from .step_guess import StepGuess

_STAYS_CAREFUL = 8
"""Recorded steps after one for which one copy is not enough, or would not have been: a network may take turns."""


class Watcher:
    """Follows one model; made by `gradwatch.watch`.

    ```
    forward ──▶ (clip_grad_norm_) ──▶ optimizer about to step ──▶ optimizer stepped ──▶ report about to be sent
    order,           gradients,            gradients, if they         update norms,         what is still on a
    activations      if it comes           were not taken before      the part is complete  device is copied
    ```
    """

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        followed: list[Any],
        *,
        every: int,
        details_every: int,
        activations: bool,
        updates: bool,
    ):
        check_intervals(every, details_every)
        self._run = run
        self._model = unwrapped(model)
        if run.watcher is not None and run.watcher._model is not self._model and not run.is_finished:
            raise GradwatchError(
                f"run {run.id}: expected one watched model, found a second: begin another run,"
                " gradwatch.init(...), or watch both as one, gradwatch.watch(nn.ModuleList([...]), [...])"
            )
        self._every, self._details_every = every, details_every
        self._measures_updates = updates
        # By weak references: one that was replaced may have as much state as the model has parameters, and more.
        given = [optimizers.unwrapped(optimizer) for optimizer in followed]
        self._optimizers = weakref.WeakKeyDictionary(dict.fromkeys(given))
        self._probes = ActivationProbes() if activations and details_every else None
        self._description: Description | None = None
        self._parameters = set(self._model.parameters())
        self._owners: dict[nn.Parameter, Any] = {}
        # Of the report that is being filled in.
        self._capture: Capture | None = None
        self._count = -1
        self._is_stepping_scaled = False
        # How many recorded steps more devices measure carefully.
        self._careful = 0
        self._guess = StepGuess()
        # What a scaler said, to be taken along with the next gradients.
        self._scale: torch.Tensor | float | None = None
        self._found: dict[Any, torch.Tensor] = {}

        self._handles: list[Any] = []
        self._first_pass = FirstPass(self._model, self._give_up)
        self._is_closed = False
        # What is registered stays, whatever this one would say.
        self._known = run.watcher._description if run.watcher is not None else None
        # The parameters but for those that were lazy when they were described; all as long as they are not.
        self._described = self._parameters & self._known.tensors.keys() if self._known else self._parameters
        if run.watcher is not None:
            run.watcher.abandon()
        if run.is_enabled and not run.takes_model:
            LOGGER.error(
                "run %s: a step was sent before its model was watched: gradients are left out; call watch first", run.id
            )
            self._is_closed = True
            return
        if run.is_enabled:
            self._install()
        run.expect(self.close, self._optimizers)
        run.watcher = self

    def _install(self) -> None:
        self._first_pass.follow(with_activations=self._probes is not None)
        if self._probes:
            self._probes.is_on = True
        if self._optimizers:
            for optimizer in list(self._optimizers):
                self._follow(optimizer)
            self._handles.append(register_optimizer_step_pre_hook(torch.compiler.disable(self._will_step_other)))
        else:
            self._handles.append(register_optimizer_step_pre_hook(torch.compiler.disable(self._will_step)))
            self._handles.append(register_optimizer_step_post_hook(torch.compiler.disable(self._did_step)))
        clipping.observe(self)
        scaling.observe(self)

    def _follow(self, optimizer: Any) -> None:
        # A compiled step calls hooks, and would be compiled with them.
        self._optimizers[optimizer] = None
        self._handles.append(optimizer.register_step_pre_hook(torch.compiler.disable(self._will_step)))
        self._handles.append(optimizer.register_step_post_hook(torch.compiler.disable(self._did_step)))

    def close(self) -> None:
        """Follows no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._probes:
            self._probes.close()
        self._stop()

    def abandon(self) -> None:
        """As `close`, where another watcher comes next: nothing is left of a step that no optimizer has taken."""
        if self._capture and not self._capture.is_complete and not self._capture.ended:
            self._capture.forget_all()
        self._stop(is_replaced=True)
        self.close()

    def _give_up(self) -> None:
        """Follows no more, and keeps what may be half filled in out of the report.

        The optimizers' hooks stay until `close`: whoever called one is going through them.
        """
        if self._capture and not self._capture.is_complete:
            self._capture.forget_all()
        self._stop()

    def _stop(self, is_replaced: bool = False) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._first_pass.close()
        if self._run.watcher is self:
            self._run.watcher = None
        if self._probes:
            self._probes.stop()
        self._optimizers.clear()
        self._parameters.clear()
        self._described.clear()
        self._owners.clear()
        self._found.clear()
        if self._capture:
            self._capture.before.clear()
        if not is_replaced:
            self._run.leave()

    @harmless
    def will_clip_norm(self, parameters: list[torch.Tensor], bound: float, norm: torch.Tensor) -> None:
        """Takes the gradients before they are clipped by their common norm."""
        if ours := self._ours(parameters):
            capture = self._begin_clipping(ours)
            if 0 < bound < math.inf:
                capture.add_clipping(step_report_pb2.CLIPPING_KIND_GLOBAL_NORM, bound, norm)
            self._take(capture, ours, self._owner(ours[0]))

    @harmless
    def will_clip_values(self, parameters: list[torch.Tensor], bound: float) -> None:
        """Takes the gradients before they are clipped element by element."""
        if ours := self._ours(parameters):
            capture = self._begin_clipping(ours)
            if 0 < bound < math.inf:
                largest = flat.largest([p.grad for p in ours])
                capture.add_clipping(step_report_pb2.CLIPPING_KIND_VALUE, bound, largest)
            self._take(capture, ours, self._owner(ours[0]))

    @harmless
    def did_unscale(self, optimizer: Any, scale: torch.Tensor | float, found: torch.Tensor) -> None:
        """Notes the loss scale, and whether the step will be skipped: clipping may come next, and take them along."""
        if self._follows(optimizer):
            self._scale, self._found[optimizer] = scale, found

    @harmless
    def will_step_scaled(self, optimizer: Any, scale: torch.Tensor | float, is_unscaled: bool) -> None:
        """Notes the loss scale of a step, unless it was taken before."""
        if not self._follows(optimizer):
            return
        self._is_stepping_scaled = True
        capture = self._begin_step(optimizer)
        if not capture.has_scale:
            self._scale = scale
        if not is_unscaled and self._has_taken(capture, optimizers.parameters(optimizer)):
            # They were clipped, and taken, before anybody divided them.
            capture.report.gradients_scaled = True

    @harmless
    def did_step_scaled(self, optimizer: Any) -> None:
        """Reports the step if it was skipped: no hook was called then."""
        if self._follows(optimizer) and self._is_stepping_scaled:
            capture = self._begin(optimizer)
            self._take(capture, self._ours(optimizers.parameters(optimizer)), optimizer)
            capture.report.optimizer_skipped = True
            self._end(optimizer)
        self._is_stepping_scaled = False

    @harmless
    def _will_step_other(self, optimizer: Any, arguments: tuple, options: dict) -> None:
        """Follows whatever takes the place of a followed one, such as that of another phase; not what that is made of."""
        if not self._is_following() or optimizer in self._optimizers:
            return
        is_inside = self._capture and any(optimizers.depth(outer) for outer in self._capture.under_way)
        if not is_inside and any(p in self._owners for p in optimizers.parameters(optimizer)):
            self._follow(optimizer)

    @harmless
    def _will_step(self, optimizer: Any, arguments: tuple, options: dict) -> None:
        if not self._follows(optimizer):
            return
        closure = optimizers.closure(arguments, options)
        if optimizers.depth(optimizer) > 1:
            if self._capture and closure is None:
                # What the step has called a closure for is there by now.
                self._take(self._capture, self._ours(optimizers.parameters(optimizer)), optimizer)
            return
        capture = self._begin_step(optimizer)
        capture.under_way.add(optimizer)
        if closure is None:
            ours = self._ours(optimizers.parameters(optimizer))
        else:
            # Gradients are still to come.
            ours = [p for p in optimizers.parameters(optimizer) if p.requires_grad and p in self._described]
            ours = [p for p in ours if not is_lazy(p) and p.numel() > 0]
        self._owners |= dict.fromkeys(ours, optimizer)
        if self._count > 0 and self._description:
            # After one step it is known which gradients no optimizer takes: those are news.
            ours += [p for p in self._ours(self._description.tensors) if p not in self._owners]
        if closure is None:
            found = getattr(optimizer, "found_inf", None)
            if found is not None and optimizer not in capture.is_skipped:
                self._found[optimizer] = found
            self._take(capture, ours, optimizer)
            capture.will_step(optimizer)
            capture.report.gradients_scaled |= getattr(optimizer, "grad_scale", None) is not None
        if capture.is_detailed and self._measures_updates:
            capture.before |= {p: p.detach().clone() for p in ours}

    @harmless
    def _did_step(self, optimizer: Any, arguments: tuple, options: dict) -> None:
        capture = self._capture
        if not self._follows(optimizer) or capture is None or optimizers.depth(optimizer) > 1:
            return
        if optimizers.closure(arguments, options) is not None:
            self._take(capture, self._ours(optimizers.parameters(optimizer)), optimizer)
        changed = [p for p in capture.before if self._owners.get(p, optimizer) is optimizer]
        capture.add_updates([self._description.tensors[p] for p in changed], changed)
        self._end(optimizer)

    def _begin(self, optimizer: Any) -> Capture:
        """What is taken for the step that an optimizer is taking."""
        report = self._run.begin(optimizer)
        if self._capture is None or report is not self._capture.report:
            self._count += 1
            is_detailed = self._details_every > 0 and self._count % self._details_every == 0
            is_recorded = is_detailed or self._count % self._every == 0
            self._capture = Capture(report, is_recorded, is_detailed, self._careful > 0)
            self._run.defer(self._complete)
        return self._capture

    def _begin_step(self, optimizer: Any) -> Capture:
        """As `_begin`, when it is about to step: what was taken for one in which it failed is of no use any more."""
        self._guess.will_step(optimizer)
        capture = self._begin(optimizer)
        if optimizer in capture.under_way:
            capture.forget_gradients()
        return capture

    def _begin_clipping(self, parameters: list[nn.Parameter]) -> Capture:
        """What is taken for the step that is coming.

        Gradients that were taken for it before were given up, and never stepped: nothing taken with them is of use.
        """
        owners = {self._owners[p] for p in parameters if p in self._owners}
        if self._count == 0:
            # As long as it isn't known what nobody steps.
            given = {p for optimizer in self._optimizers for p in optimizers.parameters(optimizer)}
            owners |= {None for p in parameters if p not in self._owners and (p in given or not given)}
        capture = self._capture
        is_over = capture is not None and not capture.is_complete and self._guess.is_over(owners, capture)
        capture = self._begin(next(iter(owners & capture.ended)) if is_over else None)
        if self._has_taken(capture, parameters):
            capture.forget_gradients()
        return capture

    def _has_taken(self, capture: Capture, parameters: Iterable[torch.Tensor]) -> bool:
        """Whether a gradient of theirs was taken."""
        return bool(capture.tensors) and any(self._description.tensors.get(p) in capture.tensors for p in parameters)

    def _owner(self, parameter: nn.Parameter) -> Any:
        """The optimizer of a parameter; before its first step a guess, or `None`."""
        return self._owners.get(parameter) or next(iter(self._optimizers), None)

    def _describe(self) -> Description:
        description = self._known or self._first_pass.describe()
        if self._probes:
            self._first_pass.add_probes(self._probes, description)
        self._first_pass.close()
        self._run.describe(description.model, framework())
        return description

    def _take(self, capture: Capture, parameters: list[nn.Parameter], optimizer: Any) -> None:
        """Takes the gradients that were not taken for this report, and what a scaler said.

        An optimizer's rate that is on a device is taken along, and not where nothing is to be copied from there.
        """
        if self._description is None:
            self._description = self._describe()
            self._described = self._parameters & self._description.tensors.keys()
        ids = self._description.tensors
        wanted = [p for p in parameters if ids[p] not in capture.tensors]
        capture.add_gradients([ids[p] for p in wanted], wanted)
        if self._probes and capture.is_detailed:
            capture.add_activations(self._probes.take())
        if wanted and capture.is_recorded and _is_on_device(rate := optimizers.rate(optimizer)):
            capture.add_rate(rate)
        if self._scale is not None:
            capture.add_scale(self._scale)
        for scaled, found in self._found.items():
            capture.add_found(scaled, found)
        self._scale, self._found = None, {}
        capture.settle()

    def _end(self, optimizer: Any) -> None:
        self._is_stepping_scaled = False
        ids = self._description.tensors
        self._capture.end(optimizer, [ids[p] for p in optimizers.parameters(optimizer) if p in ids])
        if (rate := optimizers.rate(optimizer)) is not None and not _is_on_device(rate):
            self._capture.say_rate(float(rate))
        if self._probes and self._details_every:
            self._probes.is_on = (self._count + 1) % self._details_every == 0
        self._run.end(optimizer)

    @harmless
    def _complete(self) -> None:
        if self._description:
            model = self._description.model
            self._capture.complete(len(model.tensors), len(model.layers))
            if self._capture.is_recorded:
                self._careful = max(0, self._careful - 1) if self._capture.takes_one_copy else _STAYS_CAREFUL

    def _follows(self, optimizer: Any) -> bool:
        if not self._is_following():
            return False
        if self._optimizers:
            return optimizer in self._optimizers
        return any(p in self._parameters for p in optimizers.parameters(optimizer))

    def _ours(self, parameters: Iterable[torch.Tensor]) -> list[nn.Parameter]:
        """Those of them that are the model's and have a gradient that isn't empty; none where reports go nowhere."""
        if not self._is_following():
            return []
        return [p for p in parameters if p.grad is not None and p.numel() > 0 and p in self._described]

    def _is_following(self) -> bool:
        """Whether reports go anywhere; copies of parameters are of no use any more if they don't."""
        is_following = not self._is_closed and self._run.is_enabled
        if not is_following and self._capture:
            self._capture.before.clear()
        return is_following


def _is_on_device(rate: Any) -> bool:
    """Whether a number can't be had without waiting for a device."""
    return isinstance(rate, torch.Tensor) and not flat.is_on_cpu(rate)
