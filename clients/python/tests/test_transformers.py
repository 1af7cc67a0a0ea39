"""gradwatch.transformers in real trainings, against a collector."""

import math

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import gradwatch  # noqa: E402
from gradwatch.transformers import GradwatchCallback  # noqa: E402
from gradwatch.v1 import run_pb2  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def no_current_run(monkeypatch):
    """None is left of other tests."""
    monkeypatch.setattr(gradwatch, "run", None)


def network():
    """A language model of two thousand parameters."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = transformers.GPT2Config(
        vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    )
    return transformers.GPT2LMHeadModel(config)


def rows(count: int) -> list[dict]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 32, (count, 8), generator=generator)
    return [{"input_ids": row, "labels": row} for row in tokens]


def trained(callback, folder, model=None, *, count: int = 6, kind=transformers.Trainer, **options):
    """A trainer after a training of `count` batches."""
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=4, num_train_epochs=1, learning_rate=0.1, use_cpu=True,
        lr_scheduler_type="constant", optim="sgd", report_to=[], save_strategy="no", disable_tqdm=True, seed=3,
        dataloader_num_workers=0, logging_steps=100, max_grad_norm=0.5, train_sampling_strategy="sequential",
        **options,
    )  # fmt: skip
    trainer = kind(model or network(), arguments, train_dataset=rows(4 * count), callbacks=[callback])
    trainer.train()
    return trainer


def expected(count: int, accumulated: int = 1) -> tuple[list[float], list[dict]]:
    """The losses, and the norms before clipping, of the same training in plain PyTorch."""
    model = network().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    tokens = torch.stack([row["input_ids"] for row in rows(4 * count)]).split(4 * accumulated)
    found_losses, norms = [], []
    for part in tokens:
        optimizer.zero_grad()
        # So the Trainer counts: with the labels that nothing comes before.
        loss = model(input_ids=part, labels=part, num_items_in_batch=part.numel()).loss
        loss.backward()
        found_losses.append(loss.item())
        norms.append({name: p.grad.double().norm().item() for name, p in model.named_parameters()})
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    return found_losses, norms


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_training_is_a_run(collector, tmp_path, accumulated):
    callback = GradwatchCallback(address=collector.address)
    trained(callback, tmp_path, gradient_accumulation_steps=accumulated)
    run, steps = gradwatch.run, 6 // accumulated
    status = run.status
    assert (status.delivered, status.refused, status.state) == (steps, 0, "finished")
    recorded = collector.run(run.id)
    assert recorded.status == run_pb2.RUN_STATUS_FINISHED
    assert recorded.hyperparameters["learning_rate"] == "0.1"
    expected_losses, norms = expected(6, accumulated)
    assert collector.losses(run.id) == pytest.approx(dict(enumerate(expected_losses)), rel=1e-5)
    found = collector.timeline(run.id)
    assert set(found) == set(norms[0])
    for name, series in found.items():
        # Sums of micro-batches are rounded in another order.
        tolerance = 1e-5 if accumulated == 1 else 1e-4
        wanted = {i: row[name] for i, row in enumerate(norms)}
        assert series == pytest.approx(wanted, rel=tolerance, abs=1e-8), name


def test_a_given_run_stays_open(collector, tmp_path):
    with gradwatch.init(address=collector.address) as run:
        trained(GradwatchCallback(run, watch={"details_every": 0}), tmp_path, count=2)
        assert run.status.state != "finished"
    assert list(collector.losses(run.id)) == [0, 1]


def test_a_trainer_of_ones_own_and_a_nan(collector, tmp_path):
    class Own(transformers.Trainer):
        def training_step(self, model, inputs, *more):
            if self.state.global_step == 3:
                model.transformer.wte.weight.data[0, 0] = math.nan
            return super().training_step(model, inputs, *more)

    trained(GradwatchCallback(address=collector.address), tmp_path, count=5, kind=Own)
    found = collector.losses(gradwatch.run.id)
    assert len(found) == 5 and math.isnan(found[3]) and math.isfinite(found[2])
    assert {"non_finite_gradient", "non_finite_loss"} & collector.rules(gradwatch.run.id)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, run_pb2.RUN_STATUS_FAILED), (KeyboardInterrupt, run_pb2.RUN_STATUS_ABORTED)]
)
def test_an_error_ends_the_run(collector, tmp_path, error, status):
    class Own(transformers.Trainer):
        def training_step(self, model, inputs, *more):
            if self.state.global_step == 2:
                raise error("no")
            return super().training_step(model, inputs, *more)

    with pytest.raises(error):
        trained(GradwatchCallback(address=collector.address), tmp_path, count=4, kind=Own)
    assert collector.run(gradwatch.run.id).status == status
    assert list(collector.losses(gradwatch.run.id)) == [0, 1]


def test_a_training_that_begins_again_goes_on_with_its_run(collector, tmp_path):
    class Own(transformers.Trainer):
        count = 0

        def training_step(self, model, inputs, *more):
            self.count += 1
            if self.count == 1:
                raise RuntimeError("CUDA out of memory.")
            return super().training_step(model, inputs, *more)

    trained(GradwatchCallback(address=collector.address), tmp_path, kind=Own, auto_find_batch_size=True)
    status = gradwatch.run.status
    # With batches that are smaller.
    assert status.delivered > 6 and (status.refused, status.state) == (0, "finished")
    assert collector.run(gradwatch.run.id).status == run_pb2.RUN_STATUS_FINISHED
    assert list(collector.losses(gradwatch.run.id)) == list(range(status.delivered))
