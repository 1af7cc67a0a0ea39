"""Which step it is that something is said of, wherever a loop says it."""

import pytest

torch = pytest.importorskip("torch")
from recording import recorded  # noqa: E402
from torch import nn  # noqa: E402

import gradwatch  # noqa: E402

STEPS = 25


def before(log, step, optimizers):
    log(loss=step)
    log(accuracy=step)
    optimizers()


def after(log, step, optimizers):
    optimizers()
    log(loss=step)
    log(accuracy=step)


def around(log, step, optimizers):
    log(loss=step)
    optimizers()
    log(accuracy=step)


def now_and_then(log, step, optimizers):
    optimizers()
    log(loss=step)
    if step % 10 == 9:
        log(accuracy=step)


def from_the_middle_on(log, step, optimizers):
    optimizers()
    log(loss=step)
    if step > 12:
        log(accuracy=step)


def each_tenth_after(log, step, optimizers):
    optimizers()
    if step % 10 == 0:
        log(loss=step)
        log(accuracy=step)


def each_tenth_before(log, step, optimizers):
    if step % 10 == 0:
        log(loss=step)
        log(accuracy=step)
    optimizers()


def with_numbers_after(log, step, optimizers):
    optimizers()
    log(loss=step, step=step)
    log(accuracy=step, step=step)


def with_numbers_before(log, step, optimizers):
    log(loss=step, step=step)
    log(accuracy=step, step=step)
    optimizers()


def with_numbers_each_tenth_before(log, step, optimizers):
    if step % 10 == 0:
        log(loss=step, step=step)
    optimizers()


def with_numbers_each_tenth_after(log, step, optimizers):
    optimizers()
    if step % 10 == 9:
        log(loss=step, step=step)


def one_number(log, step, optimizers):
    optimizers()
    log(loss=step)
    if step % 10 == 9:
        log(step=step, accuracy=step)


def said_to_be_more(log, step, optimizers):
    optimizers()
    log(loss=step, commit=False)
    log(accuracy=step, commit=True)


def said_to_be_all_before(log, step, optimizers):
    log(loss=step, commit=True)
    optimizers()


def micro_batches_before(log, step, optimizers):
    for _ in range(3):
        log(loss=-1)
    log(loss=step)
    optimizers()


def micro_batches_after(log, step, optimizers):
    optimizers()
    for _ in range(3):
        log(loss=-1)
    log(loss=step)


LOOPS = [
    before, after, around, now_and_then, from_the_middle_on, each_tenth_after, each_tenth_before, with_numbers_after,
    with_numbers_before, with_numbers_each_tenth_before, with_numbers_each_tenth_after, one_number, said_to_be_more,
    said_to_be_all_before, micro_batches_before, micro_batches_after,
]  # fmt: skip


def expected_of(loop) -> list[dict[str, float]]:
    """What is said in each turn of a loop, the last of each name."""
    said = []
    for step in range(STEPS):
        said.append({})
        loop(lambda step=None, commit=None, **values: said[-1].update(values), step, lambda: None)
    return said


def said_in(reports) -> list[dict[str, float]]:
    return [{loss.name: loss.value for loss in report.losses} for report in reports]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_said_in_a_turn_of_the_loop_is_of_its_step(loop, count):
    parts = [nn.Linear(2, 2) for _ in range(count)]
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.0) for part in parts]
    run, found = recorded()
    gradwatch.watch(nn.ModuleList(parts), optimizers)

    def step_all(size: float):
        for part, optimizer in zip(parts, optimizers):
            for parameter in part.parameters():
                parameter.grad = torch.full_like(parameter, size)
            optimizer.step()

    for step in range(STEPS):
        loop(run.log, step, lambda: step_all(float(step)))
    run.finish()
    assert [report.step for report in found.reports] == list(range(STEPS))
    assert said_in(found.reports) == expected_of(loop)
    for step, report in enumerate(found.reports):
        assert report.gradients.norm == pytest.approx([step * 2, step * 2**0.5] * count)


@pytest.mark.parametrize("loop", [after, now_and_then, with_numbers_after, one_number, said_to_be_more])
def test_what_is_said_without_a_model_is_of_one_step_until_it_is_said_again(loop):
    run, found = recorded()
    for step in range(STEPS):
        loop(run.log, step, lambda: None)
    run.finish()
    assert [report.step for report in found.reports] == list(range(STEPS))
    assert said_in(found.reports) == expected_of(loop)


def test_two_networks_in_turns_are_one_step():
    parts = [nn.Linear(2, 2), nn.Linear(2, 2)]
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.0) for part in parts]
    for names in (["d_loss", "g_loss"], ["loss", "loss"]):
        run, found = recorded()
        gradwatch.watch(nn.ModuleList(parts), optimizers)
        for step in range(5):
            for part, optimizer, name in zip(parts, optimizers, names):
                for parameter in part.parameters():
                    parameter.grad = torch.full_like(parameter, float(step))
                optimizer.step()
                run.log({name: step})
                run.log({f"{name} again": step})
        run.finish()
        said = [said for name in names for said in (name, f"{name} again")]
        assert said_in(found.reports) == [dict.fromkeys(said, step) for step in range(5)]
        assert [len(report.gradients.norm) for report in found.reports] == [4] * 5


def test_whoever_settles_has_heard_of_all_that_was_logged(collector):
    with gradwatch.init(address=collector.address) as run:
        for step in range(5):
            run.log(loss=float("nan") if step == 3 else 1.0)
            assert run.settle() and run.status.delivered == step + 1
            assert [alert.rule for alert in run.alerts()] == (["non_finite_loss"] if step >= 3 else [])


def test_what_is_logged_before_a_model_is_watched_hides_no_model():
    run, found = recorded()
    run.log(accuracy=0.1)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gradwatch.watch(model, optimizer)
    for step in range(3):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        run.log(loss=step)
    run.finish()
    assert [tensor.name for tensor in found.model.tensors] == ["weight", "bias"]
    assert said_in(found.reports) == [{"accuracy": pytest.approx(0.1), "loss": 0}, {"loss": 1}, {"loss": 2}]


def test_an_epoch_is_no_step(caplog):
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run, found = recorded(run_id="r")
    gradwatch.watch(model, optimizer)
    for epoch in range(3):
        for _ in range(4):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        run.log(loss=epoch, step=epoch)
    run.finish()
    assert [report.step for report in found.reports] == list(range(12))
    assert [step for step, said in enumerate(said_in(found.reports)) if said] == [3, 7, 11]
    assert caplog.text.count("run r: step 0 was given when step 3 was counted") == 1
    assert caplog.text.count("was given when") == 1


def test_going_back_is_said(caplog):
    run, found = recorded(run_id="r")
    for step in (0, 1, 2, 1, 2, 0):
        run.log(loss=step, step=step)
    run.finish()
    assert [report.step for report in found.reports] == [0, 1, 2, 1, 2, 0]
    assert caplog.text.count("run r: step 1 comes after step 2") == 1 and caplog.text.count("comes after") == 1
