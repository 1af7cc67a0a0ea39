"""Two runs compared: asked of the collector, and through collector-cli diff."""

import json
import math
import subprocess
from pathlib import Path

from client import failure_of
from process import binary, serve
from reports import lose_gradients, registration, report
from wire import v1

FAULT = 40


def diff(collector, *arguments, **environment) -> subprocess.CompletedProcess:
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "diff", *map(str, arguments), "--server", collector.target]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin", **environment}
    )


def compare(client, a: str, b: str, **request):
    parts = list(client.query.CompareRuns(v1.CompareRunsRequest(run_a=a, run_b=b, **request)))
    assert parts[0].WhichOneof("part") == "comparison"
    return parts[0].comparison, [part.layer for part in parts[1:]]


def send(client, run_id: str, steps: int, fault: int | None = None, salt: str = "", **more):
    """A run whose second layer explodes from one step on, and is lost five steps later."""
    client.register(registration(run_id, hyperparameters={"lr": "0.01", "fault": f"{fault}"}))
    reports = [report(sequence, salt=salt, **more) for sequence in range(1, steps + 1)]
    for message in reports[fault:] if fault is not None else []:
        message.gradients.norm[2] *= 1000
        if message.step >= fault + 5:
            lose_gradients(message)
    client.report(run_id, *reports)


def test_the_layer_and_the_step_of_a_fault_are_found_before_and_after_a_restart(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        send(client, "good", 300)
        send(client, "bad", 300, FAULT)
        before = compare(client, "good", "bad")
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        comparison, layers = compare(client, "good", "bad")
        assert (comparison, layers) == before
        assert comparison.identical_until_step == FAULT - 1
        assert comparison.first_difference_step == FAULT
        assert list(comparison.first_differences) == ["net.1.weight"]
        assert comparison.common_step_count == 300
        first = comparison.first_parting
        assert first.layer_name == "net.1" and first.parting.step == FAULT
        assert first.parting.kind == v1.PARTING_KIND_RATIO
        assert first.parting.b > 500 * first.parting.a
        assert [layer.layer_name for layer in layers] == ["net.0", "net.1"]
        assert layers[0].parting.step == FAULT + 5
        assert layers[0].parting.kind == v1.PARTING_KIND_NON_FINITE
        assert len(layers[1].a.steps) == 100 and layers[1].a.steps == layers[1].b.steps
        assert sum(layers[1].b.non_finite_count) == 300 - FAULT - 5
        losses = {loss.name: loss for loss in comparison.losses}
        assert losses["loss"].parting.step == FAULT + 5
        assert math.isnan(losses["loss"].b.last) and not math.isnan(losses["loss"].a.last)
        assert not losses["auxiliary"].HasField("parting")
        assert [(s.name, s.a, s.b) for s in comparison.hyperparameters] == [
            ("fault", "None", str(FAULT))
        ]
        only_b = [rule for rule in comparison.rules if not rule.HasField("a")]
        assert "non_finite_gradient" in {rule.rule for rule in only_b}


def test_the_command_says_where_which_and_how_far_and_draws_both(collector, client):
    send(client, "good", 120)
    send(client, "bad", 100, FAULT)
    result = diff(collector, "good", "bad", LC_ALL="C.UTF-8", COLUMNS="100")
    assert result.returncode == 0, result.stderr
    text = " ".join(result.stdout.split())
    assert f"They part at step {FAULT} in net.1: its gradient norm is" in text
    assert "times as large in b as in a" in text
    assert "b ends at step 99, a goes on to 119" in text
    assert f"Identical bit for bit up to step {FAULT - 1}" in text
    assert f"fault None {FAULT}" in text
    assert "non_finite_gradient only b" in text
    assert "×" in result.stdout and "█" in result.stdout and "NaN or Inf" in text
    assert "\x1b" not in result.stdout, "no colours in a pipe"
    pictures = [line for line in result.stdout.splitlines() if line[:6] in ("net.0 ", "net.1 ")]
    assert len(pictures) == 2 + 2 * 2, "a table and two pictures"
    assert all(len(line) <= 100 for line in pictures)
    plain = diff(collector, "good", "bad").stdout
    assert plain.isascii() and "!!!" in plain
    coloured = diff(collector, "good", "bad", "--color", "always").stdout
    assert "\x1b[1;31m" in coloured

    document = json.loads(diff(collector, "good", "bad", "-o", "json").stdout)
    assert document["comparison"]["firstParting"]["layerName"] == "net.1"
    assert [layer["layerName"] for layer in document["layers"]] == ["net.0", "net.1"]
    lines = diff(collector, "good", "bad", "-o", "jsonl").stdout.splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == ["comparison", "layer", "layer"]
    assert json.loads(lines[0])["comparison"] == document["comparison"]

    updates = diff(collector, "good", "bad", "--metric", "update-norm")
    assert "No layer parts in 100 common steps, but loss does" in " ".join(updates.stdout.split())


def test_runs_of_two_seeds_do_not_part(collector, client):
    send(client, "one", 200, salt="one")
    send(client, "two", 200, salt="two")
    comparison, layers = compare(client, "one", "two")
    assert not comparison.HasField("first_parting")
    assert not comparison.HasField("identical_until_step")
    assert comparison.first_difference_step == 0
    assert not any(layer.HasField("parting") for layer in layers)
    assert "No layer parts in 200 common steps" in diff(collector, "one", "two").stdout


def test_what_can_not_be_compared_is_said(collector, client):
    send(client, "one", 20)
    client.register(registration("later"))
    client.report("later", *(report(n, step=n + 99) for n in range(1, 20)))
    other = registration("other")
    for tensor in other.model.tensors:
        tensor.name = f"other.{tensor.name}"
    for layer in other.model.layers:
        layer.name = f"other.{layer.name}"
    client.register(other)
    client.report("other", report(1))
    for arguments, status, words in [
        (["one", "nowhere"], 3, "run nowhere: not in the store"),
        (["nowhere", "one"], 3, "run nowhere: not in the store"),
        (["", "one"], 2, "run_a: expected a name, found an empty string"),
        (["one", "one"], 2, "expected another one beside it, found the same"),
        (["one", "later"], 2, "runs one and later: expected a common step, found none"),
        (["one", "other"], 2, "expected a tensor or layer of the same name, found none"),
        (["one", "later", "-o", "csv"], 2, "Please provide one of 'table', 'json'"),
        (["one", "later", "--factor", "1"], 2, "expected a number above 1"),
    ]:
        result = diff(collector, *arguments)
        assert result.returncode == status, (arguments, result.stderr)
        assert words in result.stderr
        assert result.stdout == ""
    failure = failure_of(
        client.query.CompareRuns, v1.CompareRunsRequest(run_a="one", run_b="later")
    )
    assert failure.reason == "NO_COMMON_STEP"
