"""The training loop of all runs: schedules, clipping, loss scaling, tampering, recording."""

import math
from dataclasses import dataclass, field
from typing import Any, Callable

import torch
from torch import nn

from .recorder import ACTIVATION_COLUMNS, NORMS, PARAMETER_COLUMNS, Recorder, number

# A run goes on for so many steps after its loss is no longer finite.
STEPS_AFTER_THE_END = 12


@dataclass
class Scaler:
    """Dynamic loss scaling: halves on overflow, doubles after `interval` good steps."""

    scale: float = 65536.0
    interval: int = 200
    shown_scaled: bool = False
    dtype: str = "float16"
    good: int = 0

    def update(self, overflow):
        if overflow:
            self.scale, self.good = self.scale / 2, 0
        else:
            self.good += 1
            if self.good == self.interval:
                self.scale, self.good = self.scale * 2, 0


@dataclass
class Job:
    """What to train and how; `loss(model, batch)` gives a tensor, or a tensor and extra columns."""

    model: nn.Module
    optimizer: Any
    data: Callable[[int], Any]
    loss: Callable[..., Any]
    steps: int = 300
    every: int = 1
    hist_every: int = 2
    loss_name: str = "loss"
    batch_size: int | None = None
    rate: Callable[[int], float] | None = None
    clip: tuple[str, float] | None = None
    accum: int = 1
    scaler: Scaler | None = None
    init: str = "default"
    keep: Callable[[str], bool] | None = None
    intent: dict | None = None
    before: Callable[[int], None] | None = None
    shape: Callable[[int], None] | None = None
    backward: Callable[[int], tuple] | None = None
    others: list = field(default_factory=list)
    autocast: bool = False
    meta: dict = field(default_factory=dict)


def split(result):
    """The tensor and the extra columns of a loss's result."""
    return result if isinstance(result, tuple) else (result, {})


def plain_backward(job, step):
    """Sums the gradients of all micro-batches; answers with the mean loss and the last extras."""
    total, scale = 0.0, job.scaler.scale if job.scaler else 1.0
    for part in range(job.accum):
        batch = job.data(step * job.accum + part)
        with torch.autocast("cpu", torch.float16, enabled=job.autocast):
            loss, extras = split(job.loss(job.model, batch))
        (loss.float() / job.accum * scale).backward()
        total += loss.item() / job.accum
    return total, extras


def describe(job, recorder, name):
    """The meta line, without the label."""

    def inits(parameter, module):
        kind = parameter.rpartition(".")[2]
        if isinstance(module, NORMS) or (job.init == "default" and kind == "bias"):
            return "-"
        return job.init

    parameters, acts = recorder.describe(inits)
    meta = {
        "type": "meta",
        "format": 1,
        "run": name,
        "framework": f"torch {torch.__version__}",
        "every": job.every,
        "hist_every": job.hist_every,
        "optimizer": type(job.optimizer).__name__,
        "loss_fn": job.loss_name,
        "steps": job.steps,
        "accum": job.accum,
        "pcols": PARAMETER_COLUMNS,
        "acols": ACTIVATION_COLUMNS,
        "all_params": len(list(job.model.parameters())),
    }
    if job.batch_size:
        meta["batch_size"] = job.batch_size
    if job.scaler:
        meta["amp"] = {"grads_are_scaled": job.scaler.shown_scaled, "dtype": job.scaler.dtype}
    if job.intent:
        meta["intent"] = job.intent
    return {**meta, **job.meta, "params": parameters, "acts": acts}


def all_finite(model):
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def multiply_gradients(model, factor):
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(factor)


def train(name, job):
    """Trains and records; answers with the meta line and the lines of the recorded steps."""
    recorder = Recorder(job.model, job.keep)
    optimizers = [job.optimizer, *job.others]
    meta, ended = None, None
    for step in range(job.steps):
        if job.before:
            job.before(step)
        if job.rate:
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = job.rate(step) * group.get("factor", 1.0)
        for parameter in job.model.parameters():
            parameter.grad = None
        recorded = step % job.every == 0
        recorder.begin(recorded)
        loss, extras = job.backward(step) if job.backward else plain_backward(job, step)
        if meta is None:
            meta = describe(job, recorder, name)
        scaler = job.scaler
        line = {"s": step, "loss": number(loss), "lr": number(job.optimizer.param_groups[0]["lr"])}
        if scaler and not scaler.shown_scaled:
            multiply_gradients(job.model, 1 / scaler.scale)
        if job.shape:
            job.shape(step)
        norm = recorder.global_norm()
        line["gn"] = number(norm)
        if recorded:
            recorder.gradients(line, len(recorder.lines) % job.hist_every == 0)
        if scaler and scaler.shown_scaled:
            multiply_gradients(job.model, 1 / scaler.scale)
        if job.clip:
            clip(job, line, norm)
        overflow = scaler is not None and not all_finite(job.model)
        if scaler:
            line["scale"] = number(scaler.scale)
            if overflow:
                line["skipped"] = True
            scaler.update(overflow)
        if not overflow:
            for optimizer in optimizers:
                optimizer.step()
        line.update({key: number(value, 4) for key, value in extras.items()})
        line.update({k: line.pop(k) for k in ("tg", "tp", "frozen", "p") if k in line})
        if recorded:
            attach_time_profile(job.model, line)
            recorder.updates(line)
        if not math.isfinite(loss) and ended is None:
            ended = step
        if ended is not None and step >= ended + STEPS_AFTER_THE_END:
            break
    return meta, recorder.lines


def clip(job, line, norm):
    kind, limit = job.clip
    if kind == "norm":
        clipped = not norm <= limit
        nn.utils.clip_grad_norm_(job.model.parameters(), limit)
    else:
        clipped = any(
            bool((p.grad.abs() > limit).any()) for p in job.model.parameters() if p.grad is not None
        )
        nn.utils.clip_grad_value_(job.model.parameters(), limit)
    line.update({"clip": number(limit), "clip_kind": kind, "clipped": clipped})


def attach_time_profile(model, line):
    """Adds the gradient's norms at eight steps of time, if the model kept its states."""
    states = getattr(model, "states", None)
    if not states or states[0].grad is None:
        return
    last = len(states) - 1
    chosen = sorted({last * k // 7 for k in range(8)})
    line["tg"] = [number(states[t].grad.double().norm()) for t in chosen]
    line["tp"] = chosen
