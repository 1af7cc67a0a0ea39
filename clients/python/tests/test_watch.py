"""What is reported of a PyTorch training, against the gradients as they were."""

import contextlib
import copy
import gc
import io
import math
import os
import pickle
import re
import subprocess
import sys
import weakref

import pytest

torch = pytest.importorskip("torch")
from recording import recorded  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import gradwatch  # noqa: E402
from gradwatch.pytorch import anatomy, flat, readout  # noqa: E402
from gradwatch.v1 import model_pb2 as m  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))


def loss_of(model, seed: int):
    torch.manual_seed(seed)
    return F.cross_entropy(model(torch.randn(8, 6)), torch.randint(0, 3, (8,)))


def gradients(model) -> dict[str, float]:
    """The norms of a model's gradients in float64, by name."""
    return {name: p.grad.double().norm().item() for name, p in model.named_parameters() if p.grad is not None}


def close(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_step_is_what_the_optimizer_is_about_to_take():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    losses, norms, before, moved = [], [], [], []
    for step in range(12):
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        norms.append(gradients(model))
        before.append({name: p.detach().clone() for name, p in model.named_parameters()})
        optimizer.step()
        moved.append({n: (p.detach() - before[-1][n]).double().norm().item() for n, p in model.named_parameters()})
        run.log(loss=loss)
        losses.append(loss.item())
    assert [r.step for r in found.reports] == list(range(12))
    assert [r.losses[0].value for r in found.reports] == losses
    for step, report in enumerate(found.reports):
        close(found.norms(step), norms[step])
        total = math.sqrt(sum(norm**2 for norm in norms[step].values()))
        assert report.global_norm == pytest.approx(total, rel=1e-5)
        assert report.learning_rate == 0.1
        assert report.HasField("histograms") == (step % 10 == 0)
        assert len(report.gradients.nan_count) == 6
        assert not report.gradients.tensor_ids, "all, in registration order"
    for step in (0, 10):
        report = found.reports[step]
        names = [tensor.name for tensor in found.model.tensors]
        close(dict(zip(names, report.parameters.norm)), {n: p.double().norm().item() for n, p in before[step].items()})
        close(dict(zip(names, report.parameters.update_norm)), moved[step])
        for column in ("mean", "mean_abs", "std", "min", "max", "zero_count"):
            assert len(getattr(report.gradients, column)) == 6


def test_log_may_come_before_the_optimizer_or_never():
    for order in ("before", "after", "never", "rarely"):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run, found = recorded()
        gradwatch.watch(model, optimizer)
        losses, norms = [], []
        for step in range(5):
            loss = loss_of(model, step)
            losses.append(loss.item())
            if order == "before":
                run.log(loss=loss)
            optimizer.zero_grad()
            loss.backward()
            norms.append(gradients(model))
            optimizer.step()
            if order == "after" or (order == "rarely" and step == 3):
                run.log(loss=loss)
        run.finish()
        assert [r.step for r in found.reports] == list(range(5)), order
        for step in range(5):
            close(found.norms(step), norms[step])
        said = [r.losses[0].value if r.losses else None for r in found.reports]
        expected = {"never": [None] * 5, "rarely": [None, None, None, losses[3], None]}.get(order, losses)
        assert said == expected, order


def test_several_calls_of_log_are_one_step():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    for step in range(3):
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=1.0, commit=False)
        run.log({"accuracy": 0.5}, learning_rate=0.7, batch_size=8, step=100 + step)
    assert [r.step for r in found.reports] == [100, 101, 102]
    assert [(loss.name, loss.value) for loss in found.reports[1].losses] == [("loss", 1.0), ("accuracy", 0.5)]
    assert (found.reports[2].learning_rate, found.reports[2].batch_size) == (0.7, 8)


def test_accumulated_gradients_are_one_step():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    norms = []
    for step in range(3):
        optimizer.zero_grad()
        for part in range(4):
            (loss_of(model, 10 * step + part) / 4).backward()
        norms.append(gradients(model))
        optimizer.step()
        run.log(loss=0.0)
    assert len(found.reports) == 3
    for step in range(3):
        close(found.norms(step), norms[step])


@pytest.mark.parametrize("how", ["norm", "norm, imported early", "value", "inf norm"])
def test_gradients_are_those_before_clipping(how):
    early = torch.nn.utils.clip_grad_norm_
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    norms, totals = [], []
    for step in range(4):
        optimizer.zero_grad()
        (loss_of(model, step) * (1 if step % 2 else 0.001)).backward()
        norms.append(gradients(model))
        if how == "value":
            totals.append(max(p.grad.abs().max().item() for p in model.parameters()))
            torch.nn.utils.clip_grad_value_(model.parameters(), 0.05)
        else:
            clip = early if "early" in how else torch.nn.utils.clip_grad_norm_
            kind = math.inf if how == "inf norm" else 2
            totals.append(clip(model.parameters(), 0.05, norm_type=kind).item())
        optimizer.step()
        run.log(loss=0.0)
    assert len(found.reports) == 4
    for step, report in enumerate(found.reports):
        close(found.norms(step), norms[step])
        assert report.clipping.threshold == 0.05
        assert report.clipping.kind == (2 if how == "value" else 1)
        assert report.clipping.clipped == (totals[step] > 0.05) == bool(step % 2)


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_step_that_is_given_up_after_clipping_leaves_nothing_behind(is_scaled):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=is_scaled)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    for step in range(4):
        is_given_up = step in (0, 2)
        optimizer.zero_grad()
        scale = scaler.get_scale()
        scaler.scale(loss_of(model, step) * (math.inf if is_scaled and is_given_up else 1)).backward()
        scaler.unscale_(optimizer)
        expected = gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if is_given_up:
            scaler.update(scale / 2)
            continue
        scaler.step(optimizer)
        scaler.update()
        run.log(loss=0.0)
        close(found.norms(-1), expected)
        assert found.reports[-1].loss_scale == (scale if is_scaled else 0)
        assert not found.reports[-1].optimizer_skipped
    assert len(found.reports) == 2
    assert len(found.reports[0].gradients.norm) == 6


def test_an_infinite_bound_is_no_clipping():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    loss_of(model, 0).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf)
    optimizer.step()
    run.log(loss=0.0)
    assert not found.reports[0].HasField("clipping")


@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("unscales", [False, True])
@pytest.mark.parametrize("clips", [False, True])
def test_mixed_precision(unscales, clips, is_fused):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=is_fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    raw, scales = [], []
    for step in range(6):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, step)
        scaler.scale(loss * (math.inf if step == 3 else 1)).backward()
        raw.append(gradients(model))
        scales.append(scaler.get_scale())
        if unscales:
            scaler.unscale_(optimizer)
        if clips:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        scaler.step(optimizer)
        scaler.update()
        run.log(loss=loss)
    assert len(found.reports) == 6
    are_scaled = (clips or is_fused) and not unscales
    for step, report in enumerate(found.reports):
        assert report.loss_scale == scales[step]
        assert report.optimizer_skipped == (step == 3)
        assert report.gradients_scaled == are_scaled
        if step != 3:
            divisor = 1 if are_scaled else scales[step]
            close(found.norms(step), {name: norm / divisor for name, norm in raw[step].items()})
    columns = found.reports[3].gradients
    assert sum(columns.nan_count) + sum(columns.positive_infinity_count) > 0
    assert not math.isfinite(found.reports[3].global_norm)


def test_a_training_in_half_precision_skips_what_overflows():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.autocast("cpu", torch.float16):
        assert model(torch.ones(8, 6)).dtype == torch.float16
    # Far more than fp16 holds, so that the first backward passes overflow by themselves.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**22)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    raw, scales, are_moved, losses = [], [], [], []
    for step in range(24):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = loss_of(model, 0)
        scaler.scale(loss).backward()
        raw.append(gradients(model))
        scales.append(scaler.get_scale())
        before = model[0].weight.clone()
        scaler.step(optimizer)
        scaler.update()
        are_moved.append(not torch.equal(before, model[0].weight))
        losses.append(loss.item())
        run.log(loss=loss)
    skipped = [report.optimizer_skipped for report in found.reports]
    first = skipped.index(False)
    assert 0 < first < 20 and skipped == [True] * first + [False] * (24 - first)
    assert are_moved == [not is_skipped for is_skipped in skipped]
    assert [report.loss_scale for report in found.reports] == scales
    for step, report in enumerate(found.reports):
        columns = report.gradients
        lost = sum(columns.nan_count) + sum(columns.positive_infinity_count) + sum(columns.negative_infinity_count)
        assert (lost > 0) == skipped[step]
        if not skipped[step]:
            close(found.norms(step), {name: norm / scales[step] for name, norm in raw[step].items()})
    assert losses[-1] < losses[0]


@pytest.fixture
def waits(monkeypatch):
    """What waits for a device: each way to ask for a number is counted, with tensors of the CPU in its place."""
    found = []

    def count(name):
        original = getattr(torch.Tensor, name)

        def method(self):
            if sys._getframe(1).f_globals["__name__"].startswith("gradwatch"):
                found.append(name)
            return original(self)

        monkeypatch.setattr(torch.Tensor, name, method)

    for name in ("cpu", "item", "__float__", "__int__", "__bool__"):
        count(name)
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: False)
    return found


@pytest.mark.parametrize("every, details_every", [(1, 0), (2, 0), (1, 1)])
@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("how", ["plain", "clipped", "scaled", "scaled, clipped by norm", "scaled, clipped by value"])
def test_a_step_waits_for_a_device_once(waits, how, is_fused, every, details_every):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.125), fused=is_fused)
    is_scaled = how.startswith("scaled")
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=is_scaled)
    run, found = recorded()
    gradwatch.watch(model, optimizer, every=every, details_every=details_every, activations=True)
    for step in range(3):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, step)).backward()
        if "clipped" in how:
            scaler.unscale_(optimizer)
            clip = torch.nn.utils.clip_grad_value_ if how.endswith("value") else torch.nn.utils.clip_grad_norm_
            clip(model.parameters(), 0.01)
        scaler.step(optimizer)
        scaler.update()
        run.log(loss=1.0)
        steps = step // every + 1 if how == "plain" else step + 1
        assert waits == ["cpu"] * steps
        optimizer.param_groups[0]["lr"].mul_(0.5)
    assert [report.loss_scale for report in found.reports] == [1024.0 if is_scaled else 0.0] * 3
    assert [report.clipping.clipped for report in found.reports] == ["clipped" in how] * 3
    assert [report.learning_rate for report in found.reports[::every]] == [0.125, 0.0625, 0.03125][::every]
    assert [bool(report.activations.mean) for report in found.reports] == [False] + [details_every > 0] * 2


class Rude(torch.optim.SGD):
    """Leaves nothing of the gradients that it takes, and fails in its third step."""

    count = 0

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            parameter.sub_(parameter.grad.mul_(self.param_groups[0]["lr"]))
            parameter.grad.fill_(math.nan)
        self.count += 1
        if self.count == 3:
            raise ZeroDivisionError


def train(how: str, details_every: int = 1) -> list:
    """The reports of a training."""
    model = network()
    run, found = recorded()
    make = Rude if how == "rude" else torch.optim.SGD
    parts = [model] if "two" not in how else [model[0], model[2:]]
    optimizers = [make(part.parameters(), lr=0.1, **({"fused": True} if "fused" in how else {})) for part in parts]
    if how == "lbfgs":
        optimizers = [torch.optim.LBFGS(model.parameters(), max_iter=2)]
    if how == "in backward":
        own = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}
        for p in model.parameters():
            p.register_post_accumulate_grad_hook(lambda p: own[p].step())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled="scaled" in how)
    watched = None if how == "in backward" else optimizers
    gradwatch.watch(model, watched, details_every=details_every, activations=True)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(4):
        model.zero_grad()
        is_sick = "sick" in how and step >= 2
        if is_sick:
            model.load_state_dict(weights)

        def closure():
            model.zero_grad()
            loss = loss_of(model, step)
            loss.backward()
            return loss

        scaler.scale(loss_of(model, step)).backward()
        if is_sick:
            model[0].weight.grad[0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
            model[2].bias.grad[:] = 0.0
        if "clipped" in how:
            for optimizer in optimizers:
                scaler.unscale_(optimizer)
            for part in parts if "apart" in how else [model]:
                torch.nn.utils.clip_grad_norm_(part.parameters(), 0.01)
        if how == "given up" and step == 1:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            continue
        if how == "lbfgs":
            optimizers[0].step(closure)
        elif how != "in backward":
            with pytest.raises(ZeroDivisionError) if how == "rude" and step == 2 else contextlib.nullcontext():
                for optimizer in optimizers:
                    scaler.step(optimizer)
        scaler.update()
        run.log(loss=float(step))
    run.finish()
    return found.reports


@pytest.mark.parametrize("details_every", [0, 1, 2])
@pytest.mark.parametrize(
    "how",
    [
        "plain", "rude", "sick", "clipped, sick", "given up", "lbfgs", "in backward", "scaled, sick",
        "scaled, fused, sick", "scaled, clipped, sick", "scaled, fused, clipped, sick", "two", "two, clipped",
        "two, clipped apart, scaled, sick",
    ],
)  # fmt: skip
def test_reports_are_the_same_from_a_device(how, details_every, monkeypatch, waits):
    """With details nothing is copied from there before the step is over, whatever becomes of the gradients."""
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: True)
    expected = train(how, details_every)
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: False)
    waits.clear()
    found = train(how, details_every)
    if details_every == 1:
        assert waits == ["cpu"] * (3 if how in ("given up", "rude") else 4)
        assert len(waits) == sum(bool(report.histograms.counts and report.gradients.norm) for report in expected)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        # A mean of both signs is as good as the sum that it comes from.
        least = 1e-6 * max(abs(value) for value in [0.0, *theirs.gradients.mean_abs] if value == value)
        for group in ("gradients", "parameters", "activations"):
            actual, wanted = getattr(ours, group), getattr(theirs, group)
            for field, values in wanted.ListFields():
                values = pytest.approx(list(values), rel=1e-5, abs=least if field.name == "mean" else 0, nan_ok=True)
                assert list(getattr(actual, field.name)) == values, field.name
        assert ours.global_norm == pytest.approx(theirs.global_norm, rel=1e-5, nan_ok=True)
        for report in (ours, theirs):
            for field in ("gradients", "parameters", "activations", "global_norm", "wall_time_seconds"):
                report.ClearField(field)
        assert ours == theirs


@pytest.mark.parametrize("value, count", [(0.0, 1), (1e-30, 1), (math.nan, 2)])
def test_gradients_that_are_not_finite_are_copied_once_more(waits, value, count):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=0)
    loss_of(model, 0).backward()
    for parameter in list(model.parameters())[1:]:
        parameter.grad.fill_(value)
    optimizer.step()
    run.log(loss=0.0)
    assert waits == ["cpu"] * count
    expected = [0 if value == value else parameter.numel() for parameter in model.parameters()]
    assert list(found.reports[0].gradients.nan_count) == [0, *expected[1:]]


@pytest.mark.parametrize(
    "how, options, copies",
    [
        ("finite", {}, [1] * 12),
        ("sick in 2, 3", {}, [1, 1, 2, *[1] * 9]),
        ("sick in 2, 10", {}, [1, 1, 2, *[1] * 9]),
        ("sick in 2, 11", {}, [1, 1, 2, *[1] * 8, 2]),
        ("sick in 1, 2, 10", {"details_every": 4}, [1, 2, *[1] * 10]),
        ("sick in 2, 3, 11", {"details_every": 2}, [1] * 12),
        ("sick in 2, 11", {"details_every": 2}, [1] * 11 + [2]),
        ("sick in 2, 4", {"every": 2}, [1, 0, 2, *[0, 1] * 4, 0]),
        ("two", {}, [2, *[1] * 11]),
        ("two", {"every": 3}, [2, *[0, 0, 1] * 3, 0, 0]),
        ("two", {"details_every": 4}, [1] * 12),
        ("two, clipped", {}, [1] * 12),
        ("clipped twice", {}, [2, *[1] * 11]),
        ("clipped, scaled", {}, [2, *[1] * 11]),
        ("two, clipped, scaled", {"details_every": 4}, [1] * 12),
        ("unscaled, clipped, scaled, sick in 2, 11", {}, [1, 1, 2, *[1] * 8, 2]),
        ("scaled, sick in 2, 5", {"details_every": 5}, [1, 1, 2, *[1] * 9]),
        ("tiny doubles in 2, 3, 11", {}, [1, 1, 2, *[1] * 9]),
        ("tiny doubles in 2, 11", {"details_every": 2}, [1] * 11 + [2]),
    ],
)
def test_steps_after_one_that_was_copied_more_than_once_are_copied_once(waits, how, options, copies):
    others = {int(number) for number in re.findall(r"\d+", how)}
    model = network().double() if "doubles" in how else network()
    parts = [model[:2], model[2:]] if "two" in how else [model]
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in parts]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled="scaled" in how)
    run, found = recorded()
    gradwatch.watch(model, optimizers, **{"details_every": 0} | options)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    counts = []
    for step in range(12):
        is_other = step in others
        model.load_state_dict(weights)
        model.zero_grad()
        loss = model(torch.ones(8, 6, dtype=model[0].weight.dtype)).square().sum()
        scaler.scale(loss * 1e-30 if is_other and "tiny" in how else loss).backward()
        if is_other and "sick" in how:
            model[2].weight.grad[0, 0] = math.nan
        if "unscaled" in how:
            scaler.unscale_(optimizers[0])
        if "clipped" in how:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        if "twice" in how:
            torch.nn.utils.clip_grad_value_(model.parameters(), 0.001)
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        run.log(loss=0.0)
        counts.append(waits.count("cpu"))
        waits.clear()
    assert counts == copies


def test_a_step_that_fails_shows_its_gradients(waits):
    model = network()
    optimizer = Rude(model.parameters(), lr=0.1)
    optimizer.count = 2
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    with pytest.raises(ZeroDivisionError), run:
        loss_of(model, 0).backward()
        expected = gradients(model)
        run.log(loss=0.0)
        optimizer.step()
    close(found.norms(0), expected)
    assert found.reports[0].histograms.counts


def test_fused_optimizers_scale_by_themselves():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    for step in range(3):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, step) * (math.inf if step == 1 else 1)).backward()
        expected = gradients(model)
        scaler.step(optimizer)
        scaler.update()
        run.log(loss=0.0)
        assert found.reports[-1].gradients_scaled
        assert found.reports[-1].optimizer_skipped == (step == 1)
        if step != 1:
            close(found.norms(-1), expected)


def test_nan_and_infinity_are_counted_on_every_step():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(3):
        model.load_state_dict(weights)
        optimizer.zero_grad()
        loss_of(model, step).backward()
        model[0].weight.grad[0, :3] = torch.tensor([math.nan, math.inf, -math.inf])
        expected = model[0].weight.grad.flatten()[3:].double().norm().item()
        optimizer.step()
        run.log(loss=0.0)
        columns = found.reports[-1].gradients
        assert (columns.nan_count[0], columns.positive_infinity_count[0], columns.negative_infinity_count[0]) == (1, 1, 1)
        assert columns.norm[0] == pytest.approx(expected, rel=1e-5)
        assert math.isnan(found.reports[-1].global_norm)


def test_two_optimizers_are_one_step_each_time_both_stepped():
    model = network()
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.Adam([*model[2].parameters(), *model[4].parameters()], lr=0.2)
    for explicit in (True, False):
        for before in (True, False):
            run, found = recorded()
            watched = gradwatch.watch(model, [first, second] if explicit else None)
            for step in range(4):
                model.zero_grad()
                loss_of(model, step).backward()
                expected = gradients(model)
                if before:
                    run.log(loss=float(step))
                first.step()
                second.step()
                if not before:
                    run.log(loss=float(step))
            run.finish()
            watched.close()
            assert [r.losses[0].value for r in found.reports] == [0, 1, 2, 3]
            close(found.norms(3), expected)


def test_gradients_of_two_optimizers_that_are_clipped_at_once():
    model = network()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.5) for part in (model[:2], model[2:])]
    run, found = recorded()
    gradwatch.watch(model, optimizers, details_every=1)
    for step in range(2):
        model.zero_grad()
        loss_of(model, step).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        clipped = gradients(model)
        for optimizer in optimizers:
            optimizer.step()
        run.log(loss=0.0)
        names = [tensor.name for tensor in found.model.tensors]
        updates = dict(zip(names, found.reports[step].parameters.update_norm, strict=True))
        assert updates == pytest.approx({name: norm / 2 for name, norm in clipped.items()}, rel=1e-3)


@pytest.mark.parametrize("in_turn", [False, True])
def test_each_of_two_optimizers_has_its_own_clipping(in_turn):
    model = network()
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.SGD([*model[2].parameters(), *model[4].parameters()], lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, [first, second])
    for step in range(3):
        model.zero_grad()
        loss_of(model, step).backward()
        expected = gradients(model)
        torch.nn.utils.clip_grad_norm_(model[0].parameters(), 0.01)
        if in_turn:
            first.step()
        torch.nn.utils.clip_grad_norm_(second.param_groups[0]["params"], 0.01)
        if not in_turn:
            first.step()
        second.step()
        run.log(loss=0.0)
        close(found.norms(-1), expected)


@pytest.mark.parametrize("is_fused", [False, True])
def test_two_optimizers_share_a_scaler(is_fused):
    model = network()
    first = torch.optim.SGD(model[0].parameters(), lr=0.1, fused=is_fused)
    second = torch.optim.SGD([*model[2].parameters(), *model[4].parameters()], lr=0.1, fused=is_fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    run, found = recorded()
    gradwatch.watch(model, [first, second])
    for step in range(3):
        model.zero_grad()
        scaler.scale(loss_of(model, step)).backward()
        if step == 1:
            model[0].bias.grad[0] = math.inf
        scale = scaler.get_scale()
        expected = {name: norm / (1 if is_fused else scale) for name, norm in gradients(model).items()}
        scaler.step(first)
        scaler.step(second)
        scaler.update()
        run.log(loss=0.0)
        assert found.reports[-1].loss_scale == scale
        assert found.reports[-1].optimizer_skipped == (step == 1)
        assert found.reports[-1].gradients_scaled == is_fused
        if step != 1:
            close(found.norms(-1), expected)
    assert len(found.reports) == 3


def test_an_optimizer_for_each_parameter_that_steps_in_backward():
    model = network()
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def step_now(parameter):
        norms[parameter] = parameter.grad.double().norm().item()
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step_now)
    run, found = recorded()
    gradwatch.watch(model)
    expected = []
    for step in range(4):
        norms = {}
        loss = loss_of(model, step)
        loss.backward()
        run.log(loss=loss)
        expected.append({name: norms[p] for name, p in model.named_parameters()})
    run.finish()
    assert len(found.reports) == 4
    for step in range(4):
        close(found.norms(step), expected[step])


def test_lbfgs_is_seen_after_its_closure():
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        return loss

    for _ in range(3):
        run.log(loss=optimizer.step(closure))
        close(found.norms(-1), gradients(model))
    assert len(found.reports) == 3


def test_intervals():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, every=2, details_every=4, updates=False)
    for step in range(9):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=0.0)
    assert [bool(r.gradients.norm) for r in found.reports] == [step % 2 == 0 for step in range(9)]
    assert [bool(r.histograms.counts) for r in found.reports] == [step % 4 == 0 for step in range(9)]
    assert not any(r.parameters.update_norm for r in found.reports)
    assert all(r.HasField("learning_rate") for r in found.reports)


def test_what_has_no_gradient_is_left_out():
    model = network()
    model[2].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    loss_of(model, 0).backward()
    optimizer.step()
    run.log(loss=0.0)
    assert sorted(found.norms(0)) == ["0.bias", "0.weight", "4.bias", "4.weight"]
    assert [tensor.frozen for tensor in found.model.tensors] == [False, False, True, True, False, False]


def test_what_no_optimizer_takes_is_shown_from_the_second_step_on():
    model = network()
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[4].parameters()], lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(3):
        model.zero_grad()
        loss_of(model, step).backward()
        expected = gradients(model)
        optimizer.step()
        run.log(loss=0.0)
    assert len(found.norms(0)) == 4
    close(found.norms(2), expected)
    report = found.reports[2]
    names = [found.model.tensors[i].name for i in report.parameters.tensor_ids]
    updates = dict(zip(names, report.parameters.update_norm))
    assert {name for name, norm in updates.items() if norm == 0} == {"2.weight", "2.bias"}


def test_sparse_and_half_precision_and_double_gradients():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(50, 8, sparse=True)
            self.low = nn.Linear(8, 8).bfloat16()
            self.high = nn.Linear(8, 1).double()

        def forward(self, ids):
            return self.high(self.low(self.table(ids).bfloat16()).double())

    torch.manual_seed(0)
    model = Mixed()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    model(torch.tensor([1, 2, 2, 7])).sum().backward()
    expected = {n: p.grad.to_dense().double().norm().item() for n, p in model.named_parameters()}
    optimizer.step()
    run.log(loss=0.0)
    close(found.norms(0), expected)
    report = found.reports[0]
    ids = list(report.histograms.tensor_ids) or list(range(5))
    lengths = [p + n for p, n in zip(report.histograms.positive_length, report.histograms.negative_length)]
    place = 0
    for tensor, zeros, length in zip(ids, report.histograms.zero_count, lengths):
        counted = zeros + sum(report.histograms.counts[place : place + length])
        place += length
        assert counted == found.model.tensors[tensor].element_count


def test_the_model_is_what_the_graph_says():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

        def forward(self, x):
            return x + self.down(F.gelu(self.up(self.norm(x))))

    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(8, 20, bias=False)  # Used last, made first.
            self.table = nn.Embedding(20, 8)
            self.head.weight = self.table.weight
            self.blocks = nn.ModuleList([Block(), Block()])
            self.gain = nn.Parameter(torch.ones(8))
            self.conv = nn.Conv1d(8, 8, 3, padding=1)
            self.batch = nn.BatchNorm1d(8)

        def forward(self, ids):
            x = self.table(ids)
            for block in self.blocks:
                x = block(x)
            x = F.relu(self.batch(self.conv(x.transpose(1, 2)))).transpose(1, 2)
            return self.head(x * self.gain)

    torch.manual_seed(0)
    model = Language()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    model(torch.randint(0, 20, (2, 5))).sum().backward()
    optimizer.step()
    run.log(loss=0.0)
    layers = {layer.name: layer for layer in found.model.layers}
    assert list(layers) == [
        "table", "blocks.0.norm", "blocks.0.up", "blocks.0.down", "blocks.1.norm", "blocks.1.up", "blocks.1.down",
        "conv", "batch", "Language", "head",
    ]  # fmt: skip
    assert {n for n, layer in layers.items() if layer.residual} == {n for n in layers if n.startswith("blocks")}
    assert [layers[n].activation for n in ("blocks.0.up", "blocks.0.down", "conv", "batch", "head")] == [
        "gelu", "none", "relu", "relu", "none",
    ]  # fmt: skip
    assert (layers["conv"].normalization, layers["batch"].normalization) == ("batch_norm", "batch_norm")
    assert (layers["conv"].fan_in, layers["conv"].fan_out) == (24, 24)
    assert (layers["blocks.0.up"].fan_in, layers["blocks.0.up"].fan_out) == (8, 32)
    assert layers["table"].fan_in == 0
    tensors = {tensor.name: tensor for tensor in found.model.tensors}
    assert tensors["head.weight"].tied_to == 0 and tensors["head.weight"].HasField("tied_to")
    assert tensors["table.weight"].role == m.TENSOR_ROLE_EMBEDDING
    assert tensors["batch.bias"].role == m.TENSOR_ROLE_NORM
    assert tensors["conv.bias"].role == m.TENSOR_ROLE_BIAS
    assert list(tensors["blocks.0.up.weight"].shape) == [32, 8]
    assert "head.weight" not in found.norms(0), "a tied tensor has one gradient"


@pytest.mark.parametrize("join", [torch.stack, torch.cat, sum])
def test_reading_a_graph_takes_a_look_at_each_input(join, monkeypatch):
    looks = []

    class Node(anatomy._Node):
        def __getattribute__(self, name):
            looks.extend([name] if name == "is_weight" else [])
            return super().__getattribute__(name)

    monkeypatch.setattr(anatomy, "_Node", Node)
    parameters = [nn.Parameter(torch.ones(4)) for _ in range(300)]
    places = anatomy.read([join([torch.ones(4) * parameter for parameter in parameters])])
    assert [place.operation for parameter in parameters for place in places[parameter]] == ["Mul"] * 600
    assert len(looks) < 20 * len(parameters)


def test_a_projection_around_a_block_is_its_skip_connection():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.shortcut = nn.Conv2d(4, 8, 1)

        def forward(self, x):
            return F.relu(self.b(F.relu(self.a(x))) + self.shortcut(x))

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(8, 2, 1), nn.Conv2d(8, 2, 1)

        def forward(self, x):
            return self.left(x) + self.right(x)

    model = nn.Sequential(nn.Conv2d(3, 4, 3), Block(), Sum())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    model(torch.randn(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    run.log(loss=0.0)
    assert {layer.name: layer.residual for layer in found.model.layers} == {
        "0": False, "1.a": True, "1.b": True, "1.shortcut": False, "2.left": False, "2.right": False,
    }  # fmt: skip


def test_activations_of_modules_and_of_functions():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.act = nn.Linear(6, 16), nn.Tanh()
            self.b, self.c = nn.Linear(16, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.c(F.relu(self.b(self.act(self.a(x)))))

    torch.manual_seed(0)
    model = Net()
    with torch.no_grad():
        model.a.weight *= 20
        model.b.bias[:4] = -100
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, activations=True, details_every=2)
    for step in range(5):
        optimizer.zero_grad()
        torch.manual_seed(step)
        x = torch.randn(8, 6)
        with torch.no_grad():
            tanh = model.act(model.a(x))
            relu = F.relu(model.b(tanh))
        F.cross_entropy(model(x), torch.randint(0, 3, (8,))).backward()
        model.eval()
        model(100 * torch.randn(8, 6))  # What is evaluated does not count.
        model.train()
        optimizer.step()
        run.log(loss=0.0)
    names = [layer.name for layer in found.model.layers]
    assert names == ["a", "act", "b", "c"]
    # The probes are set up when the model is described: the first step has none yet.
    assert [bool(r.activations.mean) for r in found.reports] == [False, False, True, False, True]
    columns = found.reports[4].activations
    assert [names[i] for i in columns.layer_ids] == ["act", "b"]
    assert columns.mean == pytest.approx([tanh.mean().item(), relu.mean().item()], rel=1e-5)
    assert columns.std == pytest.approx([t.std(correction=0).item() for t in (tanh, relu)], rel=1e-5)
    assert columns.zero_fraction == pytest.approx([0, (relu == 0).float().mean().item()])
    assert columns.saturated_fraction[0] == pytest.approx((tanh.abs() > 0.99).float().mean().item())
    assert math.isnan(columns.saturated_fraction[1]) and math.isnan(columns.dead_unit_fraction[0])
    assert columns.dead_unit_fraction[1] == pytest.approx((relu == 0).all(0).float().mean().item())
    assert columns.dead_unit_fraction[1] >= 0.25


def test_of_a_large_layer_as_many_samples_are_measured_as_have_so_many_elements(monkeypatch):
    from gradwatch.pytorch import activations

    monkeypatch.setattr(activations, "_MOST", 5 * 16 + 7)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 300), nn.Tanh(), nn.Linear(300, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(2):
        x = torch.randn(8, 6)
        with torch.no_grad():
            relu = model[1](model[0](x))
            tanh = model[3](model[2](relu))
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        run.log(loss=0.0, commit=True)
    columns = found.reports[1].activations
    # Five samples of one layer, and one of the other, which has more elements than that.
    assert columns.mean == pytest.approx([relu[:5].mean().item(), tanh[:1].mean().item()])
    assert columns.dead_unit_fraction[0] == pytest.approx((relu[:5] == 0).all(0).float().mean().item())


def test_compiled_models_keep_their_names():
    model = network()
    compiled = torch.compile(model, backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(compiled, optimizer, activations=True)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(compiled, step).backward()
        expected = gradients(model)
        optimizer.step()
        run.log(loss=0.0)
        close(found.norms(step), expected)
    assert [layer.name for layer in found.model.layers][0] == "0"


def test_compiled_steps_are_compiled_without_hooks():
    counts = []
    for is_watched in (False, True):
        torch._dynamo.reset()
        model, graphs = network(), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run, found = recorded()
        if is_watched:
            gradwatch.watch(model, optimizer)
        step = torch.compile(optimizer.step, backend=lambda graph, _: graphs.append(graph) or graph.forward)
        for index in range(3):
            optimizer.zero_grad()
            loss_of(model, index).backward()
            expected = gradients(model)
            step()
            run.log(loss=0.0)
            if is_watched:
                close(found.norms(index), expected)
        counts.append(len(graphs))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("is_seen", [False, True])
def test_copies_of_a_watched_model_are_models_that_nobody_watches(is_seen):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1, activations=True)
    for step in range(2 if is_seen else 0):
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=0.0)
    file = io.BytesIO()
    torch.save(model, file)
    assert b"gradwatch" not in file.getvalue(), "it can be read where there is none"
    file.seek(0)
    copies = [copy.deepcopy(model), torch.optim.swa_utils.AveragedModel(model), torch.load(file, weights_only=False)]
    copies += [pickle.loads(pickle.dumps(copies[0]))]
    inputs = torch.randn(8, 6)
    with torch.no_grad():
        expected = model(inputs)
    for each in copies:
        assert torch.equal(each(inputs), expected)
        loss_of(each, 0).backward()
    for step in range(2):
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=0.0)
    assert len(found.reports) == (4 if is_seen else 2)
    assert list(found.reports[-1].activations.layer_ids) == [1, 3]
    assert [layer.activation for layer in found.model.layers] == ["tanh", "tanh", "relu", "relu", "none"]


def test_a_watched_model_is_compiled_in_one_graph():
    model = network()
    run, found = recorded()
    gradwatch.watch(model, activations=True)
    loss_of(torch.compile(model, backend="eager", fullgraph=True), 0).backward()
    assert len(model._forward_hooks) == 1


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_passes_have_gradients(reentrant):
    from torch.utils.checkpoint import checkpoint

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner, self.last = nn.Linear(6, 8), network()[2:4], nn.Linear(16, 3)
            self.wide = nn.Linear(8, 16)

        def forward(self, x):
            return self.last(checkpoint(self.inner, self.wide(self.first(x)), use_reentrant=reentrant))

    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, activations=False)
    for step in range(2):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        expected = gradients(model)
        optimizer.step()
        run.log(loss=0.0)
        close(found.norms(step), expected)
    assert len(found.model.layers) == 4


def test_what_fails_in_a_hook_stops_no_training(monkeypatch, caplog):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    monkeypatch.setattr(readout, "measure", lambda *_, **__: 1 / 0)
    before = model[0].weight.detach().clone()
    for step in range(3):
        loss_of(model, step).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.log(loss=float(step))
    run.finish()
    assert not torch.equal(before, model[0].weight)
    assert caplog.text.count("a model is followed no more") == 1
    assert not optimizer._optimizer_step_pre_hooks


def test_a_run_that_goes_nowhere_measures_nothing(monkeypatch):
    monkeypatch.setattr(readout, "measure", lambda *_, **__: pytest.fail("measured"))
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = gradwatch.init(mode="disabled")
    gradwatch.watch(model, optimizer, activations=True)
    other, found = recorded()
    gradwatch.watch(model, optimizer)
    found.is_over = True
    loss_of(model, 0).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    run.log(loss=1.0)
    assert not found.reports


def test_a_closed_watcher_lets_go():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    watched = gradwatch.watch(model, optimizer)
    loss_of(model, 0).backward()
    optimizer.step()
    run.log(loss=0.0)
    watched.close()
    loss_of(model, 0).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(loss_of(model, 0)).backward()
    scaler.step(optimizer)
    run.log(loss=0.0)
    assert not found.reports[-1].optimizer_skipped and not found.reports[-1].loss_scale
    assert not model._forward_hooks and not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("is_detailed", [True, False])
def test_a_closure_that_clips_may_be_called_again(is_detailed):
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=int(is_detailed), activations=True)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        expected.append(gradients(model))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        return loss

    for step in range(2):
        expected = []
        before = [p.detach().clone() for p in model.parameters()]
        run.log(loss=optimizer.step(closure))
        assert len(expected) > 1
        close(found.norms(step), expected[-1])
        report = found.reports[step]
        moved = [(p - old).double().norm().item() for p, old in zip(model.parameters(), before)] if is_detailed else []
        assert report.parameters.update_norm == pytest.approx(moved, rel=1e-5)
        assert list(report.activations.layer_ids) == ([1, 3] if is_detailed else [])


def test_activations_of_two_passes_of_a_step_are_those_of_the_last(collector):
    model = network()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[:2], model[2:])]
    run = gradwatch.init(address=collector.address)
    gradwatch.watch(model, optimizers, details_every=1, activations=True)
    for step in range(3):
        for optimizer in optimizers:
            model.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()
        run.log(loss=0.0)
    status = run.finish()
    assert (status.delivered, status.refused) == (3, 0)


@pytest.fixture
def second_device(monkeypatch):
    """Has `meta` stand for a device: what is copied from there is 7."""
    original = torch.Tensor.cpu

    def cpu(self):
        return torch.full(self.shape, 7.0, dtype=self.dtype) if self.is_meta else original(self)

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    return torch.device("meta")


@pytest.mark.parametrize("details_every", [0, 1])
def test_a_model_on_two_devices(second_device, caplog, monkeypatch, details_every):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.far, self.near = nn.Linear(6, 4, device=second_device), nn.Linear(6, 4)

        def forward(self, x):
            return F.relu(self.near(x)), F.relu(self.far(x.to(second_device)))

    copies, copy = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: copies.append(tensor.device) or copy(tensor))
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=False)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=details_every, activations=True)
    for step in range(3):
        model(torch.randn(8, 6))
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        run.log(loss=0.0)
        assert copies.count(second_device) == step + 1
    assert not caplog.text
    near, far = (layer.name == "far" for layer in found.model.layers)
    assert (near, far) == (False, True)
    assert found.norms(2)["near.bias"] == 2 and found.norms(2)["far.bias"] > 0
    if details_every:
        means = found.reports[2].activations.mean
        assert means[1] == 7 and 0 < means[0] < 1
    assert found.reports[2].clipping.clipped


def test_complex_and_empty_parameters(collector):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.turn = nn.Parameter(torch.randn(3, 2, dtype=torch.complex64))
            self.none, self.empty = nn.Linear(5, 0), nn.Parameter(torch.empty(0))
            self.last = nn.Linear(2, 1)

        def forward(self, x):
            return self.last((x.to(torch.complex64) @ self.turn.conj()).abs()) + self.none(x.new_ones(5)).sum()

    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = gradwatch.init(address=collector.address)
    gradwatch.watch(model, optimizer, details_every=1)
    norms = []
    for step in range(3):
        optimizer.zero_grad()
        (model(torch.randn(4, 3)).sum() + model.empty.sum()).backward()
        if step == 2:
            model.turn.grad = model.turn.grad.clone().conj()
        norms.append(torch.view_as_real(model.turn.grad.resolve_conj()).double().norm().item())
        torch.nn.utils.clip_grad_value_([p for p in model.parameters() if not p.is_complex()], 0.01)
        optimizer.step()
        run.log(loss=0.0)
    status = run.finish()
    assert (status.delivered, status.refused) == (3, 0), status
    found = collector.timeline(run.id)
    assert sorted(found) == ["last.bias", "last.weight", "turn"]
    assert found["turn"] == pytest.approx(dict(enumerate(norms)), rel=1e-5)


@pytest.mark.parametrize("failing", ["measure", "activations"])
def test_losses_go_on_when_a_hook_has_failed(monkeypatch, caplog, failing):
    from gradwatch.pytorch import activations

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calls = []
    for hook in range(2):
        # PyTorch goes through its hooks while ours fails.
        optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    run, found = recorded()
    gradwatch.watch(model, optimizer, activations=True, details_every=1)
    for hook in range(2):
        optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
        optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    for step in range(5):
        if step == 2:
            monkeypatch.setattr(*((readout, "measure") if failing == "measure" else (activations, "_measure")), None)
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=float(step))
        assert len(found.reports) == step + 1
    run.finish()
    assert calls == (["before"] * 4 + ["after"] * 2) * 5
    assert [report.losses[0].value for report in found.reports] == [0, 1, 2, 3, 4]
    measured = range(2 if failing == "measure" else 5)
    assert [step for step, report in enumerate(found.reports) if report.gradients.norm] == list(measured)
    assert not found.reports[3].activations.mean
    assert caplog.text.count(" no more") == 1
    assert not model._forward_hooks and not model[3]._forward_hooks and len(optimizer._optimizer_step_post_hooks) == 2


def test_a_model_that_cannot_be_described_stops_no_losses(monkeypatch):
    from gradwatch.pytorch import first_pass

    monkeypatch.setattr(first_pass, "describe", None)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    for step in range(3):
        loss_of(model, step).backward()
        optimizer.step()
        run.log(loss=float(step))
        assert len(found.reports) == step + 1
    assert found.registration


def test_losses_go_on_when_a_watcher_was_closed():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    watched = gradwatch.watch(model, optimizer)
    for step in range(6):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()
        if step == 3:
            watched.close()
        run.log(loss=float(step))
        assert len(found.reports) == step + 1
    assert [bool(report.gradients.norm) for report in found.reports] == [True] * 4 + [False] * 2


def test_a_run_that_is_refused_meanwhile_keeps_no_copies():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    watched = gradwatch.watch(model, optimizer)
    optimizer.register_step_pre_hook(lambda *_: setattr(found, "is_over", True))
    loss_of(model, 0).backward()
    optimizer.step()
    assert not watched._capture.before


def test_clipping_first_what_nobody_steps_begins_a_step():
    model = network()
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[4].parameters()], lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    expected = []
    for step in range(4):
        model.zero_grad()
        loss_of(model, step).backward()
        expected.append(gradients(model))
        torch.nn.utils.clip_grad_norm_([*model[2].parameters(), *optimizer.param_groups[0]["params"]], 0.01)
        optimizer.step()
    run.finish()
    assert len(found.reports) == 4
    for step in range(4):
        close(found.norms(step), expected[step])


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_step_that_failed_and_is_tried_again_leaves_nothing_behind(is_scaled, clips):
    model = network()
    optimizer = Rude(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=is_scaled)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(5):
        model.zero_grad()
        scaler.scale(loss_of(model, step)).backward()
        if clips:
            scaler.unscale_(optimizer)
        scale = 1 if clips else scaler.get_scale()
        expected = {name: norm / scale for name, norm in gradients(model).items()}
        if clips:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01 if step == 2 else 1e9)
        try:
            scaler.step(optimizer)
        except ZeroDivisionError:
            scaler.update()
            continue
        scaler.update()
        run.log(loss=float(step))
        close(found.norms(-1), expected)
        report = found.reports[-1]
        assert len(report.gradients.norm) == len(report.parameters.update_norm) == 6
        assert not report.gradients_scaled and not report.optimizer_skipped and not report.clipping.clipped
        assert report.HasField("clipping") == clips
    assert [report.losses[0].value for report in found.reports] == [0, 1, 3, 4]


@pytest.mark.parametrize("clips", [False, True])
def test_what_one_of_two_optimizers_failed_in_is_not_of_the_next_step(clips):
    model = network()
    optimizers = [torch.optim.SGD(model[:2].parameters(), lr=0.1), Rude(model[2:].parameters(), lr=0.1)]
    run, found = recorded()
    gradwatch.watch(model, optimizers)
    for step in range(5):
        model.zero_grad()
        loss_of(model, step).backward()
        expected = gradients(model)
        if clips:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        with pytest.raises(ZeroDivisionError) if step == 2 else contextlib.nullcontext():
            for optimizer in optimizers:
                optimizer.step()
        run.log(loss=0.0)
        if step != 2:
            # A step that failed is sent when the next one begins.
            close(found.norms(-1), expected)


def test_what_was_sent_stays_when_a_hook_fails_later(monkeypatch):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer)
    for step in range(2):
        loss_of(model, step).backward()
        monkeypatch.setattr(run, "begin", None if step else run.begin)
        optimizer.step()
        run.log(loss=float(step))
    assert [len(report.gradients.norm) for report in found.reports] == [6, 0]


@pytest.mark.parametrize("is_device", [False, True])
def test_the_default_device_is_of_no_account(monkeypatch, caplog, is_device):
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: not is_device)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, activations=True, details_every=2)
    x = torch.randn(8, 6)
    with torch.device("meta"):
        for step in range(4):
            optimizer.zero_grad()
            model(x).square().sum().backward()
            if step == 3:
                model[0].weight.grad[0, 0] = math.nan
            expected = gradients(model)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            run.log(loss=0.0)
            if step < 3:
                close(found.norms(step), expected)
    assert not caplog.text
    assert found.reports[3].gradients.nan_count[0] == 1
    assert found.reports[2].histograms.counts and found.reports[2].activations.mean


def test_clipping_again_and_again_on_steps_that_are_not_recorded_keeps_one(monkeypatch):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    watched = gradwatch.watch(model, optimizer, every=2, details_every=0)
    for step in range(2):
        model.zero_grad()
        loss_of(model, step).backward()
        for bound in (1e9, 1e9, 0.01):
            torch.nn.utils.clip_grad_norm_(model.parameters(), bound)
        assert len(watched._capture._readout._items) <= 1
        optimizer.step()
        run.log(loss=0.0)
    assert found.reports[1].clipping.threshold == pytest.approx(0.01)
    assert found.reports[1].clipping.clipped
    assert not found.reports[1].gradients.norm and not found.reports[1].HasField("global_norm")


@pytest.mark.parametrize("is_clipped", [False, True])
@pytest.mark.parametrize("logs_before", [False, True])
def test_a_step_inside_of_the_step_is_the_same_one(logs_before, is_clipped):
    class Halved(torch.optim.SGD):
        def step(self, closure=None):
            for parameter in self.param_groups[0]["params"]:
                parameter.grad.mul_(0.5)
            return super().step(closure)

    # PyTorch's hooks are called by both then.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    model = network()
    optimizer = Halved(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    expected = []
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        expected.append(gradients(model))
        if is_clipped:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        if logs_before:
            run.log(loss=float(step))
        optimizer.step()
        if not logs_before:
            run.log(loss=float(step))
    run.finish()
    assert [[loss.value for loss in report.losses] for report in found.reports] == [[0], [1], [2], [3]]
    for step, report in enumerate(found.reports):
        close(found.norms(step), expected[step])
        assert report.HasField("clipping") == is_clipped
        moved = dict(zip([tensor.name for tensor in found.model.tensors], report.parameters.update_norm))
        assert moved == pytest.approx({name: 0.05 * norm for name, norm in expected[step].items()}, rel=1e-3)


def test_a_step_inside_of_a_step_with_a_closure():
    class Called(torch.optim.SGD):
        def step(self, closure):
            loss = closure()
            super().step()
            self.zero_grad()
            return loss

    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    model = network()
    optimizer = Called(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(3):

        def closure():
            nonlocal expected
            loss = loss_of(model, step)
            loss.backward()
            expected = gradients(model)
            return loss

        expected = {}
        run.log(loss=optimizer.step(closure))
        close(found.norms(step), expected)
        assert len(found.reports[step].parameters.update_norm) == 6


@pytest.mark.parametrize("numbers_steps", [False, True])
@pytest.mark.parametrize("is_explicit", [False, True])
@pytest.mark.parametrize("is_first_first", [False, True])
def test_all_is_clipped_before_each_of_two_optimizers_steps(is_first_first, is_explicit, numbers_steps):
    model = network()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[:2], model[2:])]
    optimizers = optimizers if is_first_first else optimizers[::-1]
    run, found = recorded()
    gradwatch.watch(model, optimizers if is_explicit else None, details_every=2)
    for step in range(4):
        expected = {}
        for optimizer in optimizers:
            model.zero_grad()
            loss_of(model, step).backward()
            own = {id(p) for p in optimizer.param_groups[0]["params"]}
            norms = gradients(model)
            expected |= {name: norms[name] for name, p in model.named_parameters() if id(p) in own}
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
        run.log(loss=0.0, **({"step": step} if numbers_steps else {}))
        if step > 0:
            # Before, nobody knows how many optimizers there are.
            assert [report.step for report in found.reports] == list(range(step + 1))
            close(found.norms(step), expected)
            assert found.reports[step].clipping.clipped
    run.finish()
    assert len(found.reports) == 4


def test_all_is_clipped_in_each_of_two_closures():
    model = network()
    optimizers = [torch.optim.LBFGS(part.parameters(), max_iter=1) for part in (model[:2], model[2:])]
    run, found = recorded()
    gradwatch.watch(model, optimizers, details_every=1)

    def closure():
        nonlocal norms
        model.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        norms = gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        return loss

    for step in range(4):
        expected, norms = {}, {}
        for optimizer, first in zip(optimizers, (True, False)):
            optimizer.step(closure)
            expected |= {name: norm for name, norm in norms.items() if (name[0] == "0") == first}
        run.log(loss=0.0)
        assert len(found.reports) == step + 1
        close(found.norms(step), expected)
        assert len(found.reports[step].parameters.update_norm) == 6


@pytest.mark.parametrize("is_first_rare", [False, True])
def test_all_is_clipped_and_one_of_two_optimizers_steps_every_other_time(is_first_rare):
    model = network()
    rare, often = (torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[:2], model[2:]))
    if not is_first_rare:
        rare, often = often, rare
    run, found = recorded()
    gradwatch.watch(model, [rare, often])
    expected = []
    for step in range(8):
        model.zero_grad()
        loss_of(model, step).backward()
        expected.append(gradients(model))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        if step % 2:
            rare.step()
        often.step()
        run.log(loss=0.0)
    run.finish()
    assert len(found.reports) == 8
    # It takes one of each kind to know.
    for step in range(4, 8):
        close(found.norms(step), expected[step])


def test_all_is_clipped_and_one_of_two_optimizers_steps_rarely_without_a_log():
    model = network()
    rare, often = (torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[:2], model[2:]))
    run, found = recorded()
    gradwatch.watch(model, [rare, often])
    expected = []
    for step in range(12):
        model.zero_grad()
        loss_of(model, step).backward()
        expected.append(gradients(model))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        if step % 4 == 0:
            rare.step()
        often.step()
    run.finish()
    assert len(found.reports) == 12
    right = [found.norms(step) == pytest.approx(expected[step], rel=1e-5) for step in range(12)]
    # The first two without the rare one are told apart when the second is taken.
    assert right == [step % 4 in (0, 3) for step in range(12)]


@pytest.mark.parametrize("is_device", [False, True])
@pytest.mark.parametrize("clips", [False, True])
def test_an_optimizer_is_tried_again_and_the_other_keeps_its_own(clips, is_device, monkeypatch):
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: not is_device)
    model = network()
    first, second = torch.optim.SGD(model[:2].parameters(), lr=0.1), Rude(model[2:].parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, [first, second], details_every=1)
    for step in range(4):
        model.zero_grad()
        loss_of(model, step).backward()
        expected = gradients(model)
        if clips:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        first.step()
        try:
            second.step()
        except ZeroDivisionError:
            model.zero_grad()
            loss_of(model, 10).backward()
            expected |= {name: norm for name, norm in gradients(model).items() if name[0] != "0"}
            if clips:
                torch.nn.utils.clip_grad_norm_(model[2:].parameters(), 1e9)
            second.step()
        run.log(loss=float(step))
        report = found.reports[step]
        close(found.norms(step), expected)
        names = [found.model.tensors[i].name for i in report.parameters.tensor_ids or range(6)]
        moved = dict(zip(names, report.parameters.update_norm, strict=True))
        assert moved["0.weight"] == pytest.approx(0.1 * expected["0.weight"], rel=1e-3)
        assert all(norm > 0 for norm in moved.values())
        assert report.HasField("clipping") == clips
    assert [report.losses[0].value for report in found.reports] == [0, 1, 2, 3]


@pytest.mark.parametrize("is_device", [False, True])
def test_activations_stay_when_gradients_are_clipped_twice(is_device, monkeypatch):
    monkeypatch.setattr(flat, "is_on_cpu", lambda tensor: not is_device)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, activations=True, details_every=1)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        run.log(loss=0.0)
    assert [list(report.activations.layer_ids) for report in found.reports] == [[], [1, 3], [1, 3]]
    assert found.reports[2].clipping.threshold == pytest.approx(0.1)


@pytest.mark.parametrize("failing", ["before", "after", "at the end"])
def test_losses_that_are_logged_before_a_hook_fails_stay(monkeypatch, failing):
    from gradwatch.pytorch import capture

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(5):
        if step == 2:
            place, name = {
                "before": (readout, "measure"), "after": (capture.Capture, "add_updates"),
                "at the end": (capture, "add_activations"),
            }[failing]  # fmt: skip
            monkeypatch.setattr(place, name, None)
        optimizer.zero_grad()
        loss_of(model, step).backward()
        run.log(loss=float(step))
        optimizer.step()
    run.finish()
    assert [(report.step, [loss.value for loss in report.losses]) for report in found.reports] == [
        (step, [step]) for step in range(5)
    ]
    assert [bool(report.gradients.norm) for report in found.reports] == [True] * 2 + [False] * 3


def test_parameters_that_a_closure_makes(caplog):
    torch.manual_seed(0)
    model = nn.Sequential(nn.LazyLinear(16), nn.Tanh(), nn.LazyLinear(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(3):

        def closure():
            optimizer.zero_grad()
            loss = loss_of(model, step)
            loss.backward()
            return loss

        run.log(loss=optimizer.step(closure))
        close(found.norms(step), gradients(model))
    assert not caplog.text
    assert len(found.reports[2].parameters.update_norm) == 4


def test_lazy_layers_are_left_out_until_they_are_used(caplog):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.rare = nn.LazyLinear(3), nn.LazyLinear(3)

        def forward(self, x, is_rare):
            return self.used(x) + self.rare(x) if is_rare else self.used(x)

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded()
    gradwatch.watch(model, optimizer, details_every=1)
    for step in range(4):
        model.zero_grad()
        model(torch.ones(2, 6), step >= 2).square().mean().backward()
        expected = {name: norm for name, norm in gradients(model).items() if name.startswith("used")}
        optimizer.step()
        run.log(loss=0.0)
        close(found.norms(step), expected)
    assert not caplog.text
    assert [tensor.name for tensor in found.model.tensors] == ["used.weight", "used.bias"]
    assert len(found.reports[3].parameters.update_norm) == 2


def test_a_model_whose_child_is_named_like_its_class(collector):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.Net = nn.Parameter(torch.ones(3)), nn.Linear(6, 3)

        def forward(self, x):
            return self.Net(x) * self.scale

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradwatch.init(run_id="named", address=collector.address) as run:
        gradwatch.watch(model, optimizer)
        loss_of(model, 0).backward()
        optimizer.step()
        run.log(loss=0.0)
    assert run.status.delivered == 1
    assert collector.run("named").layer_count == 2


def test_models_of_a_list_are_described_by_their_own_passes():
    torch.manual_seed(0)
    # In another order than they run in.
    critic, actor = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), nn.Sequential(nn.Linear(6, 4), nn.Tanh())
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (critic, actor)]
    run, found = recorded()
    gradwatch.watch(nn.ModuleList([critic, actor]), optimizers, activations=True, details_every=1)
    for step in range(3):
        for optimizer in optimizers:
            optimizer.zero_grad()
        critic(actor(torch.randn(8, 6))).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        run.log(loss=0.0)
    assert [layer.name for layer in found.model.layers] == ["1.0", "1.1", "0.0", "0.1", "0.2"]
    assert [layer.activation for layer in found.model.layers] == ["tanh", "tanh", "relu", "relu", "none"]
    assert list(found.reports[2].activations.layer_ids) == [1, 3]
    assert not critic._forward_hooks and not actor._forward_hooks


@pytest.mark.parametrize("how", ["stepped", "clipped", "clipped and stepped, logged before", "logged at once"])
def test_watching_the_same_model_again_follows_it_anew(collector, how):
    model = network()
    run = gradwatch.init(address=collector.address)
    for cell in range(2):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        gradwatch.watch(torch.compile(model) if cell else model, optimizer, details_every=1, activations=bool(cell))
        for step in range(3):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            if "before" in how:
                run.log(loss=0.0)
            if "clipped" in how:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            # The cell is interrupted.
            if how == "logged at once" and cell == 0:
                run.log(loss=0.0)
                break
            if how == "clipped" and cell == 0 and step == 2:
                break
            optimizer.step()
            if how == "stepped" and cell == 0 and step == 2:
                break
            if "before" not in how:
                run.log(loss=0.0)
        assert len(optimizer._optimizer_step_pre_hooks) == 1
    status = run.finish()
    assert (status.delivered, status.refused) == ({"clipped": 5, "logged at once": 3}.get(how, 6), 0)
    assert not model._forward_hooks


def test_what_is_wrong_is_said():
    run, _ = recorded()
    with pytest.raises(gradwatch.GradwatchError, match="every, details_every: expected at least 1 and 0, found 0 and 1"):
        gradwatch.watch(network(), every=0, details_every=1)
    with pytest.raises(gradwatch.GradwatchError, match="optimizer: expected one of torch.optim, found int"):
        gradwatch.watch(network(), 3)


@pytest.mark.parametrize("is_disabled", [False, True])
def test_a_run_has_one_watched_model_at_a_time(is_disabled):
    run = gradwatch.init(mode="disabled") if is_disabled else recorded()[0]
    model = network()
    watched = gradwatch.watch(model)
    with pytest.raises(gradwatch.GradwatchError, match=r"expected one watched model, found a second: .*gradwatch\.init"):
        gradwatch.watch(network())
    watched = gradwatch.watch(model)
    watched.close()
    gradwatch.watch(network())
    run.finish()
    gradwatch.watch(network())


WORKER = """
import os, sys
import torch, torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
import gradwatch
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
run = gradwatch.init(project="p", run_id=os.environ.get("RUN"), all_ranks="ALL" in os.environ)
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
gradwatch.watch(model, optimizer)
for step in range(5):
    optimizer.zero_grad()
    torch.manual_seed(10 * step + rank)
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    optimizer.step()
    run.log(loss=loss)
print(run.id, run.finish().delivered)
dist.destroy_process_group()
"""


@pytest.mark.parametrize("all_ranks", [False, True])
def test_data_parallel_jobs(collector, tmp_path, all_ranks):
    (tmp_path / "worker.py").write_text(WORKER)
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29671", "WORLD_SIZE": "2", "GRADWATCH_ADDRESS": collector.address,
    }  # fmt: skip
    if all_ranks:
        environment["ALL"] = "1"
    workers = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py")],
            env=environment | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        for rank in range(2)
    ]
    outputs = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert all(worker.returncode == 0 for worker in workers)
    run_id = outputs[0][0]
    found = collector.run(run_id)
    assert found.status == 2
    assert found.layer_count == 3, "names are those without DDP's wrapper"
    producers = {p.producer.producer_id: (p.producer.rank, p.last_step) for p in found.producers}
    if all_ranks:
        assert outputs[1] == [run_id, "5"]
        assert producers == {"rank-0": (0, 4), "rank-1": (1, 4)}
    else:
        assert outputs[1][1] == "0"
        assert producers == {"trainer": (0, 4)}


def test_an_optimizer_that_takes_the_place_of_another_is_followed():
    model = network()
    run, found = recorded()
    optimizer = torch.optim.Adam(model[4].parameters(), lr=0.1)
    gradwatch.watch(model, optimizer)
    earlier, norms = weakref.ref(optimizer), []
    for step in range(8):
        if step == 4:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        model.zero_grad()
        loss_of(model, step).backward()
        norms.append(gradients(model))
        optimizer.step()
        run.log(loss=step)
        run.log(accuracy=step)
    gc.collect()
    assert earlier() is None, "its state may be large"
    run.finish()
    assert [(r.step, [loss.value for loss in r.losses]) for r in found.reports] == [(i, [i, i]) for i in range(8)]
    assert [r.learning_rate for r in found.reports] == [0.1] * 4 + [0.5] * 4
    for step in range(1, 8):
        close(found.norms(step), norms[step])


def test_a_model_that_is_watched_too_late_costs_no_losses(collector, caplog):
    with gradwatch.init(address=collector.address, run_id="r") as run:
        run.log(loss=0.0, commit=True)
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        gradwatch.watch(model, optimizer)
        for step in range(1, 5):
            loss_of(model, step).backward()
            optimizer.step()
            run.log(loss=float(step))
    assert collector.losses("r") == {step: float(step) for step in range(5)}
    assert caplog.text.count("run r: a step was sent before its model was watched: gradients are left out") == 1
