"""gradwatch.lightning in real trainings, against a collector."""

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from lightning.pytorch import LightningModule, Trainer  # noqa: E402
from torch import nn  # noqa: E402

import gradwatch  # noqa: E402
from gradwatch.lightning import GradwatchCallback  # noqa: E402
from gradwatch.v1 import run_pb2  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def no_current_run(monkeypatch):
    """None is left of other tests."""
    monkeypatch.setattr(gradwatch, "run", None)


class Module(LightningModule):
    """A small network; `spoil` is called with each batch's number."""

    def __init__(self, width: int = 16, spoil=lambda model, index: None):
        super().__init__()
        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.save_hyperparameters("width")
        self.net = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 1))
        self.spoil = spoil

    def training_step(self, batch, index):
        self.spoil(self, index)
        return loss_of(self, batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loss_of(model, batch):
    return (model.net(batch[0]) - batch[1]).square().mean()


def batches(count: int):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count * 8, 6, generator=generator)
    data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
    return torch.utils.data.DataLoader(data, batch_size=8)


def trainer(callback, **options) -> Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return Trainer(accelerator="cpu", callbacks=[callback], max_epochs=1, **quiet, **options)


def expected(count: int, accumulated: int = 1, bound: float | None = None) -> tuple[list[float], list[dict]]:
    """The losses, and the norms before clipping, of the same training in plain PyTorch."""
    model = Module()
    optimizer = model.configure_optimizers()
    found_losses, norms, parts = [], [], []
    data = list(batches(count))
    for index, batch in enumerate(data):
        loss = loss_of(model, batch)
        (loss / accumulated).backward()
        parts.append(loss.item())
        if len(parts) == accumulated or index == len(data) - 1:
            norms.append({name: p.grad.double().norm().item() for name, p in model.named_parameters()})
            if bound:
                nn.utils.clip_grad_norm_(model.parameters(), bound)
            optimizer.step()
            optimizer.zero_grad()
            found_losses.append(sum(parts) / len(parts))
            parts.clear()
    return found_losses, norms


def check(collector, run_id: str, found_losses: list[float], norms: list[dict], first: int = 0) -> None:
    assert collector.losses(run_id) == pytest.approx({first + i: v for i, v in enumerate(found_losses)}, rel=1e-5)
    found = collector.timeline(run_id)
    assert set(found) == set(norms[0])
    for name, series in found.items():
        assert series == pytest.approx({first + i: row[name] for i, row in enumerate(norms)}, rel=1e-5)


@pytest.mark.parametrize(("accumulated", "steps"), [(1, 7), (2, 4)])
def test_a_fit_is_a_run(collector, accumulated, steps):
    callback = GradwatchCallback(project="p", address=collector.address)
    trainer(callback, accumulate_grad_batches=accumulated, gradient_clip_val=0.01).fit(Module(), batches(7))
    run = gradwatch.run
    status = run.status
    assert (status.delivered, status.refused, status.state) == (steps, 0, "finished")
    recorded = collector.run(run.id)
    assert recorded.status == run_pb2.RUN_STATUS_FINISHED
    assert recorded.hyperparameters["width"] == "16"
    check(collector, run.id, *expected(7, accumulated, bound=0.01))


def test_a_resumed_fit_goes_on_with_its_numbers(collector, tmp_path):
    run = gradwatch.init(address=collector.address)
    first = trainer(GradwatchCallback(run))
    first.fit(Module(), batches(3))
    first.save_checkpoint(tmp_path / "c")
    assert run.status.state != "finished", "it was given: its end is for others to say"
    second = trainer(GradwatchCallback())
    second.fit_loop.max_epochs = 2
    second.fit(Module(), batches(3), ckpt_path=tmp_path / "c", weights_only=False)
    assert run.finish().delivered == 6
    assert list(collector.losses(run.id)) == [0, 1, 2, 3, 4, 5]


def test_manual_optimization_is_a_step_a_batch(collector):
    class ByHand(Module):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, index):
            loss = loss_of(self, batch)
            for optimizer in self.optimizers():
                optimizer.zero_grad()
            self.manual_backward(loss)
            for optimizer in self.optimizers():
                optimizer.step()
            return loss

        def configure_optimizers(self):
            return [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (self.net[0], self.net[2])]

    trainer(GradwatchCallback(address=collector.address)).fit(ByHand(), batches(4))
    assert gradwatch.run.status.delivered == 4
    check(collector, gradwatch.run.id, *expected(4))


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no"), run_pb2.RUN_STATUS_FAILED), (KeyboardInterrupt(), run_pb2.RUN_STATUS_ABORTED)],
)
def test_an_error_ends_the_run(collector, error, status):
    def spoil(model, index):
        if index == 3:
            raise error

    with pytest.raises((ValueError, SystemExit, KeyboardInterrupt)):
        trainer(GradwatchCallback(address=collector.address)).fit(Module(spoil=spoil), batches(5))
    assert collector.run(gradwatch.run.id).status == status
    assert list(collector.losses(gradwatch.run.id)) == [0, 1, 2]


def test_a_nan_raises_the_alert(collector):
    def spoil(model, index):
        if index == 3:
            model.net[0].weight.data[0, 0] = math.nan

    trainer(GradwatchCallback(address=collector.address)).fit(Module(spoil=spoil), batches(5))
    assert {"non_finite_gradient", "non_finite_loss"} & collector.rules(gradwatch.run.id)
    assert math.isnan(collector.losses(gradwatch.run.id)[3])


def test_a_fit_that_begins_again_goes_on_with_its_run(collector):
    class Again(GradwatchCallback):
        def on_fit_start(self, trainer, module):
            super().on_fit_start(trainer, module)
            super().on_fit_start(trainer, module)

    trainer(Again(address=collector.address)).fit(Module(), batches(3))
    assert (gradwatch.run.status.delivered, gradwatch.run.status.state) == (3, "finished")
    check(collector, gradwatch.run.id, *expected(3))
