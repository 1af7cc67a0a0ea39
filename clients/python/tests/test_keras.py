"""gradwatch.keras in real trainings with both back ends, against a collector and the same training in NumPy.

Keras takes its back end from the environment when it is imported, so each one trains in a process of its own.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collector import Collector

if importlib.util.find_spec("keras") is None:
    pytest.skip("keras is absent", allow_module_level=True)
np = pytest.importorskip("numpy")

from gradwatch.v1 import model_pb2 as m  # noqa: E402
from gradwatch.v1 import query_service_pb2 as query  # noqa: E402
from gradwatch.v1 import run_pb2  # noqa: E402

EPOCHS, BATCHES, SIZE = 3, 4, 8
TRAININGS = f"""
import json, os, sys
import numpy as np
import keras
import gradwatch
from gradwatch.keras import GradwatchCallback

if keras.backend.backend() == "torch":
    import torch
    torch.set_num_threads(1)

x = np.random.default_rng(0).normal(size=({BATCHES * SIZE}, 6)).astype("float32")
y = x.sum(1, keepdims=True)

def model(optimizer):
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    made = keras.Sequential([keras.Input((6,)), dense(5, "tanh", name="a"), dense(1, name="b")])
    made.compile(optimizer, "mse")
    return made

def fit(made, y=y, callback=None, others=(), **more):
    first = [np.asarray(weight).tolist() for weight in made.get_weights()]
    callback = callback or GradwatchCallback(details_every=0)
    options = dict(batch_size={SIZE}, shuffle=False, verbose=0, validation_data=(x, -9 * y)) | more
    made.fit(x, y, epochs={EPOCHS}, callbacks=[*others, callback], **options)
    return dict(id=gradwatch.run.id, weights=first, state=str(gradwatch.run.status.state))

SGD, scaled = keras.optimizers.SGD, keras.optimizers.LossScaleOptimizer
found = {{}}
decay = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.1)
found["plain"] = fit(model(SGD(decay, global_clipnorm=0.05)), callback=GradwatchCallback())
found["accumulated"] = fit(model(SGD(0.1, gradient_accumulation_steps=2)))
again = model(SGD(0.1))
again.fit(x[:{2 * SIZE}], y[:{2 * SIZE}], batch_size={SIZE}, verbose=0)
with gradwatch.init():
    callback = GradwatchCallback(every=2, details_every=0)
    found["again"] = fit(again, callback=callback)
    gradwatch.log(after=0.0)
    gradwatch.log(after=1.0)
    again.fit(x, y, batch_size={SIZE}, verbose=0)
    found["heard"] = len(callback._losses)
spoiled = y.copy()
spoiled[2 * {SIZE}] = np.nan
found["scaled"] = fit(model(scaled(SGD(0.1), initial_scale=1024.0)), spoiled)

class Beside(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        gradwatch.run.log(before=batch)

    def on_train_batch_end(self, batch, logs=None):
        gradwatch.run.log(after=batch)

class LossLast(GradwatchCallback):
    # JAX promises no order; in this one, what is logged can come between a step and its loss.
    said = {{}}

    def _hear(self, *arguments):
        self._wait_for_both(_hear=arguments)

    def _hear_loss(self, *arguments):
        self._wait_for_both(_hear_loss=arguments)

    def _wait_for_both(self, **said):
        self.said |= said
        if len(self.said) == 2:
            super()._hear(*self.said.pop("_hear"))
            gradwatch.run.log(between=0.0)
            super()._hear_loss(*self.said.pop("_hear_loss"))

with gradwatch.init():
    found["beside"] = fit(model(SGD(0.1)), callback=LossLast(details_every=0), others=[Beside()])

backend, keras.backend.backend = keras.backend.backend, lambda: "tensorflow"
try:
    GradwatchCallback()
except gradwatch.GradwatchError as error:
    found["refused"] = str(error)
keras.backend.backend = backend

class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise ValueError("enough")

failing = model(SGD(0.1))
run = gradwatch.init()
found["failed"] = dict(id=run.id)
print(json.dumps(found), flush=True)
callbacks = [GradwatchCallback(details_every=0), Stop()]
failing.fit(x, spoiled, batch_size={SIZE}, shuffle=False, verbose=0, callbacks=callbacks)
"""


@pytest.fixture(scope="module", params=["torch", "jax"])
def trained(request, tmp_path_factory):
    """A collector, and what the trainings said of themselves."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is absent")
    collector = Collector(tmp_path_factory.mktemp(request.param)).start()
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GRADWATCH_")}
    environment |= {"KERAS_BACKEND": request.param, "GRADWATCH_ADDRESS": collector.address}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")
    done = subprocess.run(
        [sys.executable, "-c", TRAININGS], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "ValueError: enough" in done.stderr and done.stdout, done.stderr
    yield collector, json.loads(done.stdout)
    collector.kill()


def timeline(collector, run_id: str, metric: int = query.METRIC_GRADIENT_NORM) -> dict[str, dict[int, float]]:
    """A metric by tensor, without the model's name, and step."""
    found = collector.timeline(run_id, metric)
    return {name.partition("/")[2]: series for name, series in found.items()}


class Expected:
    """The same training in float64: a hidden layer of tanh, mean squared error, gradient descent."""

    def __init__(self, weights, rate, bound=math.inf, accumulated=1, skipped=()):
        own = [np.asarray(weight, float) for weight in weights]
        x = np.random.default_rng(0).normal(size=(BATCHES * SIZE, 6)).astype("float32")
        y = x.sum(1, keepdims=True)
        self.losses, self.norms, self.gradients, self.parameters, self.updates = [], [], [], [], []
        names = ["a/kernel", "a/bias", "b/kernel", "b/bias"]
        total, losses = [0.0] * 4, []
        for batch in range(EPOCHS * BATCHES):
            rows = slice(batch % BATCHES * SIZE, (batch % BATCHES + 1) * SIZE)
            hidden = np.tanh(x[rows].astype(float) @ own[0] + own[1])
            off = hidden @ own[2] + own[3] - y[rows]
            back = 2 * off / SIZE @ own[2].T * (1 - hidden**2)
            gradient = [x[rows].T @ back, back.sum(0), hidden.T @ off * 2 / SIZE, off.sum(0) * 2 / SIZE]
            losses.append((off**2).mean())
            total = [sum + part / accumulated for sum, part in zip(total, gradient)]
            if len(losses) < accumulated:
                continue
            self.losses.append(np.mean(losses))
            self.gradients.append(dict(zip(names, total)))
            self.norms.append({name: np.linalg.norm(part) for name, part in zip(names, total)})
            self.parameters.append({name: np.linalg.norm(part) for name, part in zip(names, own)})
            factor = min(1.0, bound / math.hypot(*self.norms[-1].values())) * rate(batch) * (batch not in skipped)
            self.updates.append({name: factor * norm for name, norm in self.norms[-1].items()})
            own = [part - factor * slope for part, slope in zip(own, total)]
            total, losses = [0.0] * 4, []


def check(found: dict[str, dict[int, float]], rows: list[dict[str, float]], steps) -> None:
    assert set(found) == {"a/kernel", "a/bias", "b/kernel", "b/bias"}
    for name, series in found.items():
        assert series == pytest.approx({step: rows[step][name] for step in steps}, rel=1e-5), name


def test_a_fit_is_a_run(trained):
    collector, said = trained
    own = said["plain"]
    expected = Expected(own["weights"], lambda step: 0.1 / (1 + 0.1 * step), bound=0.05)
    recorded = collector.run(own["id"])
    assert own["state"] == "finished" and recorded.status == run_pb2.RUN_STATUS_FINISHED
    assert recorded.hyperparameters["optimizer.class"] == "SGD"
    assert collector.losses(own["id"]) == pytest.approx(dict(enumerate(expected.losses)), rel=1e-5)
    rates = collector.losses(own["id"], query.STEP_METRIC_LEARNING_RATE)
    assert rates == pytest.approx({step: 0.1 / (1 + 0.1 * step) for step in range(12)}, rel=1e-5)
    check(timeline(collector, own["id"]), expected.norms, range(12))
    check(timeline(collector, own["id"], query.METRIC_PARAMETER_NORM), expected.parameters, (0, 10))
    moved = timeline(collector, own["id"], query.METRIC_UPDATE_NORM)
    for name, series in moved.items():
        # A difference of floats.
        assert series == pytest.approx({i: expected.updates[i][name] for i in (0, 10)}, rel=1e-3, abs=1e-6), name
    histograms = collector.listed(
        "GetHistograms", query.GetHistogramsRequest(run_id=own["id"]), query.GetHistogramsResponse
    )
    assert len(histograms) == 4
    for part in histograms:
        for point in part.points:
            gradient = expected.gradients[point.first_step][part.tensor_name.partition("/")[2]]
            assert sum(point.exponential.positive_counts) == (gradient > 0).sum()
            assert sum(point.exponential.negative_counts) == (gradient < 0).sum()


def test_gradients_are_gathered_to_one_step(trained):
    collector, said = trained
    own = said["accumulated"]
    expected = Expected(own["weights"], lambda step: 0.1, accumulated=2)
    assert collector.losses(own["id"]) == pytest.approx(dict(enumerate(expected.losses)), rel=1e-5)
    check(timeline(collector, own["id"]), expected.norms, range(6))


def test_a_model_that_was_trained_before_is_followed_and_let_go(trained):
    collector, said = trained
    own = said["again"]
    expected = Expected(own["weights"], lambda step: 0.1)
    assert own["state"] != "finished", "others began it"
    assert said["heard"] == 0, "of the fit that followed without the callback"
    assert collector.losses(own["id"], name="loss") == pytest.approx(dict(enumerate(expected.losses)), rel=1e-5)
    check(timeline(collector, own["id"]), expected.norms, range(0, 12, 2))
    assert collector.losses(own["id"], name="after") == {12: 0.0, 13: 1.0}


def test_what_is_logged_beside_the_callback_moves_no_loss_to_another_step(trained):
    collector, said = trained
    own = said["beside"]
    expected = Expected(own["weights"], lambda step: 0.1)
    found = collector.losses(own["id"], name="loss")
    assert [found[step] for step in range(12)] == pytest.approx(expected.losses, rel=1e-5)
    check(timeline(collector, own["id"]), expected.norms, range(12))


def test_a_scaled_loss_a_skipped_step_and_a_nan(trained):
    collector, said = trained
    own = said["scaled"]
    expected = Expected(own["weights"], lambda step: 0.1, skipped=(2, 6, 10))
    sound = [step for step in range(12) if step % 4 != 2]
    losses = collector.losses(own["id"])
    assert len(losses) == 12 and all(math.isnan(losses[step]) for step in (2, 6, 10))
    assert [losses[step] for step in sound] == pytest.approx([expected.losses[step] for step in sound], rel=1e-5)
    found = timeline(collector, own["id"])
    for name, series in found.items():
        assert [series[i] for i in sound] == pytest.approx([expected.norms[i][name] for i in sound], rel=1e-5)
    scales = collector.losses(own["id"], query.STEP_METRIC_LOSS_SCALE)
    assert [scales[step] for step in (0, 2, 3, 7, 11)] == [1024, 1024, 512, 256, 128]
    assert timeline(collector, own["id"], query.METRIC_GRADIENT_NAN_COUNT)["a/kernel"][2] == 30


def test_a_nan_raises_the_alert_and_an_error_ends_the_run(trained):
    collector, said = trained
    recorded = collector.run(said["failed"]["id"])
    assert recorded.status == run_pb2.RUN_STATUS_FAILED
    assert list(collector.losses(said["failed"]["id"])) == [0, 1, 2]
    assert {"non_finite_gradient", "non_finite_loss"} & collector.rules(said["failed"]["id"])


def test_the_model_is_described(trained):
    collector, said = trained
    request = query.ListLayersRequest(run_id=said["plain"]["id"])
    first, last = collector.ask("ListLayers", request, query.ListLayersResponse).layers
    assert (first.layer.name, first.layer.module_type) == ("sequential/a", "Dense")
    assert (first.layer.activation, last.layer.activation) == ("tanh", "none")
    assert (first.layer.fan_in, first.layer.fan_out) == (6, 5)
    kernel, bias = (entry.tensor for entry in last.tensors)
    assert (kernel.role, bias.role) == (m.TENSOR_ROLE_HEAD, m.TENSOR_ROLE_BIAS)
    assert kernel.initialization == "glorot_uniform"


def test_another_back_end_is_refused(trained):
    _, said = trained
    assert said["refused"] == "KERAS_BACKEND: expected torch or jax, found tensorflow: it is not supported"
