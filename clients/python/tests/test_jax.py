"""gradwatch.jax in real trainings, against a collector."""

import math
import sys
import threading

import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from recording import recorded  # noqa: E402

import gradwatch  # noqa: E402
import gradwatch.jax  # noqa: E402
from gradwatch.v1 import model_pb2 as m  # noqa: E402
from gradwatch.v1 import query_service_pb2 as query  # noqa: E402
from gradwatch.v1 import run_pb2  # noqa: E402


DATA = np.random.default_rng(7).normal(size=(12, 8, 6)).astype(np.float32)


def norm(array) -> float:
    return float(np.linalg.norm(np.asarray(array, np.float64)))


def named(tree) -> dict[str, np.ndarray]:
    """A tree's leaves as NumPy has them, by layer and parameter."""
    return {f"{layer}/{name}": np.asarray(leaf) for layer, own in tree.items() for name, leaf in own.items()}


def network(*sizes: tuple[int, int]) -> dict:
    """Layers, as Flax's init gives them when it is jitted: in the order of their names."""
    random = np.random.default_rng(0)
    names = ("Dense_0", "Dense_2", "Dense_10")
    sizes = dict(zip(names, sizes or ((6, 1),)))
    made = {
        layer: {"kernel": jnp.asarray(random.normal(size=size) / 4, jnp.float32), "bias": jnp.zeros(size[1])}
        for layer, size in sizes.items()
    }
    return jax.jit(lambda tree: tree)(made)


def loss_of(parameters, seed) -> jax.Array:
    x = jnp.asarray(DATA)[seed]
    for layer in ("Dense_0", "Dense_2", "Dense_10"):
        if layer in parameters:
            x = jnp.tanh(x @ parameters[layer]["kernel"] + parameters[layer]["bias"])
    return jnp.mean((x - 1) ** 2)


def step_of(optimizer, says_loss: bool = True):
    """A jitted step, which returns what it had of everything."""

    @jax.jit
    def step(parameters, state, seed):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, seed)
        more = {"value": loss} if says_loss else {}
        updates, state = optimizer.update(gradients, state, parameters, **more)
        return optax.apply_updates(parameters, updates), state, loss, gradients, updates

    return step


def test_a_jitted_training_arrives(collector):
    run = gradwatch.init(address=collector.address)
    schedule = optax.linear_schedule(0.1, 0.0, 20)
    chain = optax.chain(optax.clip_by_global_norm(0.01), optax.inject_hyperparams(optax.adam)(schedule))
    optimizer = gradwatch.jax.watch(chain)
    parameters = network((6, 6), (6, 6), (6, 6))
    state, step = optimizer.init(parameters), step_of(optimizer)
    losses, gradients, before, updates = [], [], [], []
    for seed in range(12):
        before.append(named(parameters))
        parameters, state, loss, gradient, update = step(parameters, state, seed)
        losses.append(loss)
        gradients.append(named(gradient))
        updates.append(named(update))
    status = run.finish()
    assert (status.delivered, status.refused, status.state) == (12, 0, "finished")
    assert collector.run(run.id).status == run_pb2.RUN_STATUS_FINISHED
    assert collector.losses(run.id) == pytest.approx({i: float(loss) for i, loss in enumerate(losses)})
    rates = collector.losses(run.id, query.STEP_METRIC_LEARNING_RATE)
    assert rates == pytest.approx({i: float(schedule(i)) for i in range(12)}, rel=1e-5)
    totals = collector.losses(run.id, query.STEP_METRIC_GLOBAL_NORM)
    assert totals == pytest.approx(
        {i: math.hypot(*(norm(leaf) for leaf in tree.values())) for i, tree in enumerate(gradients)}, rel=1e-5
    )
    for metric, trees, steps in (
        (query.METRIC_GRADIENT_NORM, gradients, range(12)),
        (query.METRIC_PARAMETER_NORM, before, (0, 10)),
        (query.METRIC_UPDATE_NORM, updates, (0, 10)),
    ):
        found = collector.timeline(run.id, metric)
        assert len(found) == 6
        for name, series in found.items():
            assert series == pytest.approx({i: norm(trees[i][name]) for i in steps}, rel=1e-5), name
    request = query.GetHistogramsRequest(run_id=run.id)
    histograms = collector.listed("GetHistograms", request, query.GetHistogramsResponse)
    assert len(histograms) == 6
    for part in histograms:
        assert [point.first_step for point in part.points] == [0, 10]
        for point in part.points:
            own = point.exponential
            gradient = gradients[point.first_step][part.tensor_name]
            assert sum(own.positive_counts) == (gradient > 0).sum()
            assert sum(own.negative_counts) == (gradient < 0).sum()
            assert own.zero_count == (gradient == 0).sum()
    layers = collector.ask("ListLayers", query.ListLayersRequest(run_id=run.id), query.ListLayersResponse).layers
    assert [entry.layer.name for entry in layers] == ["Dense_0", "Dense_2", "Dense_10"]


def test_a_loss_that_is_logged_afterwards_joins_its_step(collector):
    run = gradwatch.init(address=collector.address)
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), run, every=2, details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer, says_loss=False)
    losses, norms = {}, {}
    for seed in range(8):
        parameters, state, loss, gradient, _ = step(parameters, state, seed)
        run.log(loss=loss)
        losses[seed], norms[seed] = float(loss), norm(gradient["Dense_0"]["bias"])
    assert run.finish().delivered == 8
    assert collector.losses(run.id) == pytest.approx(losses)
    found = collector.timeline(run.id)["Dense_0/bias"]
    assert found == pytest.approx({i: norms[i] for i in (0, 2, 4, 6)}, rel=1e-5)


def test_what_is_logged_beside_the_loss_moves_no_loss_to_another_step():
    run, found = recorded()
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), run, details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer)
    losses, norms = [], []
    for seed in range(5):
        parameters, state, loss, gradient, _ = step(parameters, state, seed)
        jax.effects_barrier()
        run.log(accuracy=0.5)
        losses.append(float(loss))
        norms.append(norm(gradient["Dense_0"]["kernel"]))
    run.finish()
    reports = [report for report in found.reports if report.HasField("gradients")]
    assert [report.step for report in reports] == list(range(5))
    assert [{loss.name: loss.value for loss in report.losses}["loss"] for report in reports] == losses
    assert [found.norms(i)["Dense_0/kernel"] for i in range(5)] == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("lateness", [0, 1, 2])
def test_a_loss_that_says_its_step_may_come_a_step_late(caplog, lateness):
    run, found = recorded()
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), run, details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer, says_loss=False)
    losses = []
    for seed in range(5):
        parameters, state, loss, *_ = step(parameters, state, seed)
        jax.effects_barrier()
        losses.append(float(loss))
        if seed >= lateness:
            said = seed - lateness
            run.log(accuracy=0.5, step=said, commit=False)
            run.log(loss=losses[said], step=said)
    run.finish()
    assert [report.step for report in found.reports] == list(range(5))
    assert all(len(found.norms(i)) == 2 for i in range(5))
    expected = [[0.5, loss] for loss in losses[: 5 - lateness]] + [[]] * lateness
    actual = [[loss.value for loss in report.losses] for report in found.reports]
    assert actual == (expected if lateness < 2 else [[]] * 5)
    assert caplog.text.count("left out") == (lateness == 2)


def test_a_loss_without_its_step_joins_the_one_measured_last():
    run, found = recorded()
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), run, details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer, says_loss=False)
    for seed in range(4):
        parameters, state, *_ = step(parameters, state, seed)
        jax.effects_barrier()
        if seed % 2:
            run.log(loss=float(seed))
    run.finish()
    assert [report.step for report in found.reports] == list(range(4))
    assert [[loss.value for loss in report.losses] for report in found.reports] == [[], [1.0], [], [3.0]]


def test_threads_that_speak_of_a_run_at_once_lose_nothing():
    run, found = recorded()
    run.expect()
    sent = []
    found.report = lambda report, relative: sent.append({loss.name for loss in report.losses})

    def train():
        for _ in range(3000):
            run.begin("optimizer")
            run.end("optimizer", 1.0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=train)
        thread.start()
        for number in range(3000):
            run.log({f"number {number}": 0.0}, commit=False)
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    run.finish()
    assert set().union(*sent) == {"loss"} | {f"number {number}" for number in range(3000)}


def test_micro_batches_are_one_step(collector):
    run = gradwatch.init(address=collector.address)
    optimizer = gradwatch.jax.watch(optax.MultiSteps(optax.sgd(0.1), 2), run, details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer)
    losses, gradients = [], []
    for seed in range(8):
        parameters, state, loss, gradient, _ = step(parameters, state, seed)
        losses.append(float(loss))
        gradients.append(named(gradient))
    assert run.finish().delivered == 4
    expected = {i: (losses[2 * i] + losses[2 * i + 1]) / 2 for i in range(4)}
    assert collector.losses(run.id) == pytest.approx(expected)
    for name, series in collector.timeline(run.id).items():
        means = {i: norm((gradients[2 * i][name].astype(float) + gradients[2 * i + 1][name]) / 2) for i in range(4)}
        assert series == pytest.approx(means, rel=1e-5)


def test_a_nan_raises_the_alert_and_a_resumed_state_goes_on(collector):
    with pytest.raises(KeyboardInterrupt), gradwatch.init(address=collector.address) as run:
        optimizer = gradwatch.jax.watch(optax.sgd(0.1), details_every=0)
        parameters = network()
        state, step = optimizer.init(parameters), step_of(optimizer)
        state = state._replace(count=state.count + 100)
        for seed in range(4):
            if seed == 3:
                parameters["Dense_0"]["kernel"] = parameters["Dense_0"]["kernel"].at[0, 0].set(jnp.nan)
            parameters, state, *_ = step(parameters, state, seed)
        raise KeyboardInterrupt
    assert collector.run(run.id).status == run_pb2.RUN_STATUS_ABORTED
    assert {"non_finite_gradient", "non_finite_loss"} & collector.rules(run.id)
    assert list(collector.losses(run.id)) == [100, 101, 102, 103]
    assert collector.timeline(run.id, query.METRIC_GRADIENT_NAN_COUNT)["Dense_0/kernel"][103] == 6


def test_without_a_collector_training_goes_on_and_the_end_waits_for_its_steps(monkeypatch):
    # On a CPU, JAX has no more under way by then.
    barrier, waits = jax.effects_barrier, []
    monkeypatch.setattr(jax, "effects_barrier", lambda: waits.append(barrier()))
    run = gradwatch.init(address="127.0.0.1:1")
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), details_every=0)
    parameters = network()
    state, step = optimizer.init(parameters), step_of(optimizer)
    for seed in range(3):
        parameters, state, loss, *_ = step(parameters, state, seed)
    status = run.finish(timeout=0.1)
    assert (status.reported, status.delivered, len(waits)) == (3, 0, 1)
    assert math.isfinite(loss)


def test_two_optimizers_have_two_runs():
    (run, found), (other, others) = recorded(), recorded()
    first, parameters = gradwatch.jax.watch(optax.sgd(0.1), run, details_every=0), network()
    with pytest.raises(gradwatch.GradwatchError, match="expected one watched optimizer, found a second"):
        gradwatch.jax.watch(optax.sgd(0.1), run)
    second = gradwatch.jax.watch(optax.sgd(0.1), other, details_every=0)
    states, steps = [first.init(parameters), second.init(parameters)], [step_of(first), step_of(second)]
    for seed in range(4):
        for which in (0, 1) if seed % 2 else (0,):
            parameters, states[which], *_ = steps[which](parameters, states[which], seed)
    run.finish()
    other.finish()
    assert [report.step for report in found.reports] == [0, 1, 2, 3]
    assert [report.step for report in others.reports] == [0, 1]


def test_what_fails_on_the_host_stops_nothing(caplog, monkeypatch):
    run, found = recorded()
    optimizer = gradwatch.jax.watch(optax.sgd(0.1), details_every=0)
    monkeypatch.setattr(run, "begin", lambda part: 1 / 0)
    parameters = network()
    _, _, loss, *_ = step_of(optimizer)(parameters, optimizer.init(parameters), 0)
    jax.effects_barrier()
    assert math.isfinite(loss) and "could not be reported" in caplog.text


RANDOM = np.random.default_rng(1).normal(size=300).astype(np.float32)
EXTREMES = {
    "plain": RANDOM,
    "tiny": RANDOM * np.float32(1e-30),
    "huge": RANDOM * np.float32(1e30),
    "constant": np.full(300, 0.1, np.float32),
    "zeros": np.zeros(300, np.float32),
    "subnormal": np.tile(np.array([1e-40, -1e-40, 0.0, 1.0], np.float32), 75),
    "none": np.tile(np.array([np.nan, np.inf, -np.inf], np.float32), 100),
    "some": np.tile(np.array([np.nan, 3.0, -4.0, np.inf], np.float32), 75),
    "half": RANDOM.astype(np.float16),
    "scalar": np.float32(-2.0),
}
"""One shape, mostly: it is compiled once."""


@pytest.mark.parametrize("doubles", [False, True])
def test_statistics_are_those_of_float64(doubles):
    with jax.enable_x64(doubles):
        kind = (lambda a: a.astype(np.float64)) if doubles else (lambda a: a)
        tensors = {name: jnp.asarray(kind(array)) for name, array in EXTREMES.items()}
        run, found = recorded()
        optimizer = gradwatch.jax.watch(optax.sgd(1.0), run)
        jax.jit(optimizer.update)(tensors, optimizer.init(tensors), tensors, value=jnp.asarray(1 / 3))
        run.finish()
    (report,) = found.reports
    assert report.losses[0].value == (1 / 3 if doubles else np.float32(1 / 3))
    columns, histograms, counts = report.gradients, report.histograms, iter(report.histograms.counts)
    assert math.isnan(report.global_norm)
    names = [found.model.tensors[i].name for i in columns.tensor_ids]
    assert sorted(names) == sorted(EXTREMES)
    for i, name in enumerate(names):
        array = kind(EXTREMES[name])
        values = np.asarray(array, np.float64).reshape(-1)
        finite = values[np.isfinite(values)]
        expected = [math.nan] * 6
        if len(finite):
            mean = finite.mean()
            expected = [norm(finite), mean, np.abs(finite).mean(), finite.std(), finite.min(), finite.max()]
        actual = [getattr(columns, c)[i] for c in ("norm", "mean", "mean_abs", "std", "min", "max")]
        # What is 0 on paper is the last digits of a sum, and subnormal numbers are 0 to XLA.
        least = 1e-38 if name == "subnormal" else 2e-7 * np.nan_to_num(expected[2])
        assert actual == pytest.approx(expected, rel=1e-5, abs=least, nan_ok=True), name
        others = (columns.nan_count[i], columns.positive_infinity_count[i], columns.negative_infinity_count[i])
        assert others == (np.isnan(values).sum(), (values == np.inf).sum(), (values == -np.inf).sum())
        assert columns.zero_count[i] == (np.abs(values) < np.finfo(array.dtype).tiny).sum()
        own = [next(counts) for _ in range(histograms.positive_length[i] + histograms.negative_length[i])]
        assert sum(own) + histograms.zero_count[i] + sum(others) == values.size
        if name == "plain":
            octaves = np.floor(np.log2(finite[finite > 0])).astype(int)
            assert histograms.positive_offset[i] == octaves.min()
            assert own[: histograms.positive_length[i]] == np.bincount(octaves - octaves.min()).tolist()
    assert next(counts, None) is None


def test_a_model_is_what_its_tree_says():
    tree = {
        "params": {
            "LayerNorm_0": {"scale": jnp.ones(3), "bias": jnp.ones(3)},
            "Embed_0": {"embedding": jnp.ones((9, 3))},
            "Conv_0": {"kernel": jnp.ones((3, 3, 2, 4)), "bias": jnp.ones(4)},
            "blocks": [{"w": jnp.ones((2, 5)), "b": jnp.ones(5)}, (jnp.ones((5, 2)), jnp.arange(3))],
        }
    }
    model, ids = gradwatch.jax.describe(tree)
    assert [layer.name.removeprefix("params/") for layer in model.layers] == [
        "LayerNorm_0", "Embed_0", "Conv_0", "blocks/0", "blocks/1",
    ]  # fmt: skip
    assert [layer.module_type for layer in model.layers] == ["LayerNorm", "Embed", "Conv", "", ""]
    assert model.layers[0].normalization == "layer_norm"
    assert [(layer.fan_in, layer.fan_out) for layer in model.layers[2:]] == [(18, 36), (2, 5), (5, 2)]
    assert not model.layers[1].HasField("fan_in")
    assert [tensor.role for tensor in model.tensors] == [
        m.TENSOR_ROLE_NORM, m.TENSOR_ROLE_NORM, m.TENSOR_ROLE_EMBEDDING, m.TENSOR_ROLE_WEIGHT,
        m.TENSOR_ROLE_BIAS, m.TENSOR_ROLE_WEIGHT, m.TENSOR_ROLE_BIAS, m.TENSOR_ROLE_WEIGHT,
    ]  # fmt: skip
    assert list(ids.values()) == list(range(8)), "integers have no gradients"
    with pytest.raises(gradwatch.GradwatchError, match="every"):
        gradwatch.jax.watch(optax.sgd(1.0), recorded()[0], every=0)
