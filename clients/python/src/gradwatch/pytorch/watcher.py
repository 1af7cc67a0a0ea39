"""Follows a model and its optimizers, and fills in the reports of their steps."""

from __future__ import annotations

import functools
import math
import sys
from typing import Any, Callable, Iterable

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import optimizer as optim

from ..errors import GradwatchError
from ..log import LOGGER
from ..run import Run
from ..v1 import step_report_pb2
from . import anatomy, clipping, flat, scaling
from .activations import ActivationProbes
from .capture import Capture
from .describe import ACTIVATION_MODULES, Description, describe, framework


def _harmless(hook: Callable) -> Callable:
    """Keeps what a hook raises from the training that called it: the model is followed no more then.

    The hooks stay until `Watcher.close`: whoever called one is going through them.
    """

    @functools.wraps(hook)
    def guarded(self, *arguments: Any, **options: Any) -> None:
        try:
            hook(self, *arguments, **options)
        except Exception:
            LOGGER.exception("a model is followed no more")
            self._give_up()

    return guarded


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
        optimizers: list[Any],
        *,
        every: int,
        details_every: int,
        activations: bool,
        updates: bool,
    ):
        if every < 1 or details_every < 0:
            raise GradwatchError(
                f"every, details_every: expected at least 1 and 0, found {every} and {details_every}"
            )
        self._run = run
        self._model = _unwrapped(model)
        if run.watcher is not None and run.watcher._model is not self._model and not run.is_finished:
            raise GradwatchError(
                f"run {run.id}: expected one watched model, found a second: give it a run of its own,"
                " gradwatch.init(...), or watch both as one, gradwatch.watch(nn.ModuleList([...]), [...])"
            )
        self._every, self._details_every = every, details_every
        self._measures_updates = updates
        self._optimizers = [_unwrapped_optimizer(optimizer) for optimizer in optimizers]
        self._probes = ActivationProbes() if activations and details_every else None
        self._description: Description | None = None
        self._parameters = set(self._model.parameters())
        self._places: anatomy.Places = {}
        self._activation_order: dict[nn.Module, int] = {}
        self._owners: dict[nn.Parameter, Any] = {}
        # Of the report that is being filled in.
        self._capture: Capture | None = None
        self._count = -1
        self._is_stepping_scaled = False
        # Whether devices measure the next one carefully: for the last that was recorded one copy was not enough, or
        # would not have been.
        self._is_careful = False
        # Whether clipping waits for all optimizers that it concerns, and those that had stepped when it had to guess.
        self._waits_for_all, self._guessed = True, frozenset()
        # What a scaler said, to be taken along with the next gradients.
        self._scale: torch.Tensor | float | None = None
        self._found: dict[Any, torch.Tensor] = {}

        self._handles: list[Any] = []
        self._first_pass: list[Any] = []
        self._unseen = set(_passed(self._model))
        self._is_closed = False
        # What is registered stays, whatever this one would say.
        self._known = run.watcher._description if run.watcher is not None else None
        if run.watcher is not None:
            run.watcher.abandon()
        if run.is_enabled:
            self._install()
        run.expect(self.close)
        run.watcher = self

    def _install(self) -> None:
        self._first_pass = [module.register_forward_hook(self._did_forward) for module in self._unseen]
        if self._probes:
            self._probes.is_on = True
            for module in self._model.modules():
                if isinstance(module, ACTIVATION_MODULES):
                    self._first_pass.append(module.register_forward_hook(self._did_activate))
        self._handles = list(self._first_pass)
        if self._optimizers:
            for optimizer in self._optimizers:
                self._handles.append(optimizer.register_step_pre_hook(self._will_step))
                self._handles.append(optimizer.register_step_post_hook(self._did_step))
        else:
            self._handles.append(optim.register_optimizer_step_pre_hook(self._will_step))
            self._handles.append(optim.register_optimizer_step_post_hook(self._did_step))
        clipping.observe(self)
        scaling.observe(self)

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
        """Follows no more, and keeps what may be half filled in out of the report."""
        if self._capture and not self._capture.is_complete:
            self._capture.forget_all()
        self._stop()

    def _stop(self, is_replaced: bool = False) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._run.watcher is self:
            self._run.watcher = None
        if self._probes:
            self._probes.stop()
        self._optimizers.clear()
        self._parameters.clear()
        self._owners.clear()
        self._found.clear()
        if self._capture:
            self._capture.before.clear()
        if not is_replaced:
            self._run.leave()

    # The first pass

    @_harmless
    def _did_activate(self, module: nn.Module, _: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or self._is_closed:
            return
        if isinstance(output, torch.Tensor) and output.grad_fn is not None:
            self._activation_order.setdefault(module, output.grad_fn._sequence_nr())

    @_harmless
    def _did_forward(self, module: nn.Module, _: Any, output: Any) -> None:
        if torch.compiler.is_compiling() or self._is_closed or module not in self._unseen:
            return
        outputs = [tensor for tensor in _tensors(output) if tensor.grad_fn is not None]
        if not outputs or not module.training:
            return
        self._places = {**anatomy.read(outputs), **self._places}
        self._unseen.discard(module)
        if not self._unseen:
            for handle in self._first_pass:
                handle.remove()

    def _describe(self) -> Description:
        description = self._known or describe(self._model, self._places, self._activation_order)
        if self._probes:
            self._probe(description)
        for handle in self._first_pass:
            handle.remove()
        self._run.describe(description.model, framework())
        self._places.clear()
        return description

    def _probe(self, description: Description) -> None:
        for module, layer in description.layers.items():
            if module in self._activation_order:
                name = description.model.layers[layer].activation
                self._probes.add(module, layer, name, is_activation=True)
        seen = set(self._activation_order.values())
        owners = {parameter: module for module in description.layers for parameter in module.parameters(recurse=False)}
        for place, _ in self._places.values():
            module = owners.get(place.feeds)
            # Of a module of somebody's own nobody knows what it does behind its parameters.
            if module is None or place.applied in seen or not type(module).__module__.startswith("torch.nn"):
                continue
            seen.add(place.applied)
            self._probes.add(module, description.layers[module], place.activation, is_activation=False)

    # Each step

    @_harmless
    def will_clip_norm(self, parameters: list[torch.Tensor], bound: float, norm: torch.Tensor) -> None:
        """Takes the gradients before they are clipped by their common norm."""
        if ours := self._ours(parameters):
            capture = self._begin_clipping(ours)
            if 0 < bound < math.inf:
                capture.add_clipping(step_report_pb2.CLIPPING_KIND_GLOBAL_NORM, bound, norm)
            self._take(capture, ours, self._owner(ours[0]))

    @_harmless
    def will_clip_values(self, parameters: list[torch.Tensor], bound: float) -> None:
        """Takes the gradients before they are clipped element by element."""
        if ours := self._ours(parameters):
            capture = self._begin_clipping(ours)
            if 0 < bound < math.inf:
                largest = _largest([p.grad for p in ours])
                capture.add_clipping(step_report_pb2.CLIPPING_KIND_VALUE, bound, largest)
            self._take(capture, ours, self._owner(ours[0]))

    @_harmless
    def did_unscale(self, optimizer: Any, scale: torch.Tensor | float, found: torch.Tensor) -> None:
        """Notes the loss scale, and whether the step will be skipped: clipping may come next, and take them along."""
        if self._follows(optimizer):
            self._scale, self._found[optimizer] = scale, found

    @_harmless
    def will_step_scaled(self, optimizer: Any, scale: torch.Tensor | float, is_unscaled: bool) -> None:
        """Notes the loss scale of a step, unless it was taken before."""
        if not self._follows(optimizer):
            return
        self._is_stepping_scaled = True
        capture = self._begin_step(optimizer)
        if not capture.has_scale:
            self._scale = scale
        if not is_unscaled and self._has_taken(capture, _parameters(optimizer)):
            # They were clipped, and taken, before anybody divided them.
            capture.report.gradients_scaled = True

    @_harmless
    def did_step_scaled(self, optimizer: Any) -> None:
        """Reports the step if it was skipped: no hook was called then."""
        if self._follows(optimizer) and self._is_stepping_scaled:
            capture = self._begin(optimizer)
            self._take(capture, self._ours(_parameters(optimizer)), optimizer)
            capture.report.optimizer_skipped = True
            self._end(optimizer)
        self._is_stepping_scaled = False

    @_harmless
    def _will_step(self, optimizer: Any, arguments: tuple, options: dict) -> None:
        if not self._follows(optimizer):
            return
        closure = _closure(arguments, options)
        if _depth(optimizer) > 1:
            if self._capture and closure is None:
                # What the step has called a closure for is there by now.
                self._take(self._capture, self._ours(_parameters(optimizer)), optimizer)
            return
        capture = self._begin_step(optimizer)
        capture.under_way.add(optimizer)
        if closure is None:
            ours = self._ours(_parameters(optimizer))
        else:
            # Gradients are still to come.
            ours = [p for p in _parameters(optimizer) if p.requires_grad and p in self._parameters]
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

    @_harmless
    def _did_step(self, optimizer: Any, arguments: tuple, options: dict) -> None:
        capture = self._capture
        if not self._follows(optimizer) or capture is None or _depth(optimizer) > 1:
            return
        if _closure(arguments, options) is not None:
            self._take(capture, self._ours(_parameters(optimizer)), optimizer)
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
            self._capture = Capture(report, is_recorded, is_detailed, self._is_careful)
            self._run.defer(self._complete)
        return self._capture

    def _begin_step(self, optimizer: Any) -> Capture:
        """As `_begin`, when it is about to step: what was taken for one in which it failed is of no use any more."""
        if self._guessed:
            self._waits_for_all = optimizer not in self._guessed
            self._guessed = frozenset()
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
            given = {p for optimizer in self._optimizers for p in _parameters(optimizer)}
            owners |= {None for p in parameters if p not in self._owners and (p in given or not given)}
        is_open = self._capture is not None and not self._capture.is_complete
        ended = owners & self._capture.ended if is_open else set()
        waits = False
        if ended and (under_way := owners & self._capture.under_way):
            # It has called a closure, or has failed.
            waits = any(_depth(optimizer) for optimizer in under_way)
        elif ended and ended != owners:
            # The others may be about to step, or those that have are: as it was the last time.
            self._guessed, waits = frozenset(ended), self._waits_for_all
        capture = self._begin(next(iter(ended)) if ended and not waits else None)
        if self._has_taken(capture, parameters):
            capture.forget_gradients()
        return capture

    def _has_taken(self, capture: Capture, parameters: Iterable[torch.Tensor]) -> bool:
        """Whether a gradient of theirs was taken."""
        return bool(capture.tensors) and any(self._description.tensors.get(p) in capture.tensors for p in parameters)

    def _owner(self, parameter: nn.Parameter) -> Any:
        """The optimizer of a parameter; before its first step a guess, or `None`."""
        return self._owners.get(parameter) or next(iter(self._optimizers), None)

    def _take(self, capture: Capture, parameters: list[nn.Parameter], optimizer: Any) -> None:
        """Takes the gradients that were not taken for this report, and what a scaler said.

        An optimizer's rate that is on a device is taken along, and not where nothing is to be copied from there.
        """
        if self._description is None:
            self._description = self._describe()
        ids = self._description.tensors
        wanted = [p for p in parameters if ids[p] not in capture.tensors]
        capture.add_gradients([ids[p] for p in wanted], wanted)
        if self._probes and capture.is_detailed:
            capture.add_activations(self._probes.take())
        if wanted and capture.is_recorded and _is_on_device(rate := _rate(optimizer)):
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
        self._capture.end(optimizer, [ids[p] for p in _parameters(optimizer) if p in ids])
        if (rate := _rate(optimizer)) is not None and not _is_on_device(rate):
            self._capture.say_rate(float(rate))
        if self._probes and self._details_every:
            self._probes.is_on = (self._count + 1) % self._details_every == 0
        self._run.end(optimizer)

    @_harmless
    def _complete(self) -> None:
        if self._description:
            model = self._description.model
            self._capture.complete(len(model.tensors), len(model.layers))
            if self._capture.is_recorded:
                self._is_careful = not self._capture.takes_one_copy

    def _follows(self, optimizer: Any) -> bool:
        if not self._is_following():
            return False
        if self._optimizers:
            return any(optimizer is ours for ours in self._optimizers)
        return any(p in self._parameters for p in _parameters(optimizer))

    def _ours(self, parameters: Iterable[torch.Tensor]) -> list[nn.Parameter]:
        """Those of them that are the model's and have a gradient that isn't empty; none where reports go nowhere."""
        if not self._is_following():
            return []
        return [p for p in parameters if p.grad is not None and p.numel() > 0 and p in self._parameters]

    def _is_following(self) -> bool:
        """Whether reports go anywhere; copies of parameters are of no use any more if they don't."""
        is_following = not self._is_closed and self._run.is_enabled
        if not is_following and self._capture:
            self._capture.before.clear()
        return is_following


def _depth(optimizer: Any) -> int:
    """How many steps of an optimizer are under way.

    One that calls `super().step()` has two, and PyTorch calls its hooks in both. One that failed before has none.
    """
    count, frame = 0, sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_globals is vars(optim):
            count += frame.f_locals.get("self") is optimizer
        frame = frame.f_back
    return count


def _passed(model: nn.Module) -> list[nn.Module]:
    """The modules whose forward passes are the model's: a list of modules has none of its own."""
    if isinstance(model, (nn.ModuleList, nn.ModuleDict)):
        return [each for member in model.children() for each in _passed(_unwrapped(member))]
    return [model]


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model that DDP or torch.compile holds, whose names people know."""
    while True:
        if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        elif type(model).__name__ == "OptimizedModule":
            model = model._orig_mod
        else:
            return model


def _unwrapped_optimizer(optimizer: Any) -> optim.Optimizer:
    """The optimizer that Lightning's or Accelerate's holds."""
    while not isinstance(optimizer, optim.Optimizer):
        if not hasattr(optimizer, "optimizer"):
            raise GradwatchError(f"optimizer: expected one of torch.optim, found {type(optimizer).__name__}")
        optimizer = optimizer.optimizer
    return optimizer


def _parameters(optimizer: Any) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _rate(optimizer: Any) -> Any:
    """The learning rate of the first group, a number or a tensor; `None`: there is none."""
    return optimizer.param_groups[0].get("lr") if optimizer is not None and optimizer.param_groups else None


def _is_on_device(rate: Any) -> bool:
    """Whether a number can't be had without waiting for a device."""
    return isinstance(rate, torch.Tensor) and not flat.is_on_cpu(rate)


def _largest(gradients: list[torch.Tensor]) -> torch.Tensor:
    """The largest magnitude in gradients, which may be on several devices."""
    elements = [flat.Flat.of(gradient).elements for gradient in gradients]
    largest = [values.abs().max().to(flat.wide(values.device)) for values in elements if values.numel()]
    if not largest:
        return torch.zeros((), device="cpu")
    return torch.stack([each.to(largest[0].device) for each in largest]).max()


def _closure(arguments: tuple, options: dict) -> Any:
    """What an optimizer such as LBFGS calls to have gradients computed, inside its step."""
    return options.get("closure", arguments[1] if len(arguments) > 1 else None)


def _tensors(value: Any) -> Iterable[torch.Tensor]:
    """The tensors in what a model returns."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _tensors(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from _tensors(member)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name))
