"""What becomes of a run, and of what it watches, when another one begins."""

import gc
import sys
import weakref

import pytest
from collector import Collector

import gradwatch

CELL = """
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = gradwatch.init(address=address, run_id=run_id, finish_timeout=30)
gradwatch.watch(model, optimizer if is_given else None, activations=True, details_every=1)
for step in range(5):
    optimizer.zero_grad()
    loss = model(torch.ones(2, 4)).square().sum()
    loss.backward()
    optimizer.step()
    run.log(loss=loss)
"""


@pytest.mark.parametrize("is_given", [False, True])
def test_a_cell_that_is_run_again_ends_the_run_before_and_lets_go_of_its_model(collector: Collector, is_given):
    torch = pytest.importorskip("torch")
    notebook = {"gradwatch": gradwatch, "torch": torch, "address": collector.address, "is_given": is_given}
    earlier = []
    for cell in range(3):
        exec(CELL, notebook | {"run_id": f"r{cell}"}, names := {})
        earlier.append([weakref.ref(names[name]) for name in ("model", "optimizer")])
        del names
        for before in range(cell):
            found = collector.run(f"r{before}")
            assert (found.status, found.last_step) == (2, 4)
        gc.collect()
        assert [reference() for references in earlier[:-1] for reference in references] == [None] * (2 * cell)
    gradwatch.finish()


def test_a_run_that_was_interrupted_is_aborted_when_the_next_begins(collector: Collector, monkeypatch):
    gradwatch.init(address=collector.address, run_id="r").log(loss=1.0)
    monkeypatch.setattr(sys, "last_value", KeyboardInterrupt(), raising=False)
    with gradwatch.init(address=collector.address, run_id="s") as run:
        run.log(loss=1.0)
    assert (collector.run("r").status, collector.run("s").status) == (4, 2)


def test_runs_may_be_under_way_side_by_side(collector: Collector):
    runs = [gradwatch.init(address=collector.address, run_id=f"r{i}", reinit="create_new") for i in range(3)]
    for run in runs:
        run.log(loss=1.0)
    assert [run.finish().delivered for run in runs] == [1, 1, 1]
    with pytest.raises(gradwatch.GradwatchError, match="reinit: expected one of finish_previous, create_new, found 'x'"):
        gradwatch.init(reinit="x")


def test_a_run_goes_on_under_its_id(collector: Collector):
    for _ in range(3):
        for _ in range(5):
            run = gradwatch.run if gradwatch.run and not gradwatch.run.is_finished else None
            run = run or gradwatch.init(address=collector.address, run_id="r")
            run.log(loss=1.0)
        gradwatch.init(address=collector.address, run_id="r")
    gradwatch.finish()
    assert collector.losses("r") == dict.fromkeys(range(15), 1.0)


def test_a_setting_that_is_none_leaves_the_run_before_alone():
    run = gradwatch.init(mode="disabled")
    with pytest.raises(gradwatch.GradwatchError):
        gradwatch.init(mode="x")
    assert gradwatch.run is run and not run.is_finished


def test_what_is_logged_behind_the_end_is_told_once(caplog):
    run = gradwatch.init(mode="disabled", run_id="r")
    run.finish()
    for _ in range(3):
        run.log(loss=1.0)
    assert caplog.text.count("run r is finished: what is logged is left out") == 1
