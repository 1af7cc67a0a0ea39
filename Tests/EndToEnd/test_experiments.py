"""Every experiment is trained by training-client against a collector, and both say what it declares."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from process import Collector, binary
from wire import ROOT, v1


def training_client(*arguments, environment=None) -> subprocess.CompletedProcess:
    program = Path(binary()).with_name("training-client")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def cli(collector, *arguments) -> subprocess.CompletedProcess:
    program = Path(binary()).with_name("collector-cli")
    command = [program, *map(str, arguments), "--server", collector.target]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def trained(collector, name: str, *arguments) -> dict:
    """Trains one experiment as a run of its name; what it came to."""
    result = training_client(
        "run", name, "--run-id", name, "--collector", collector.target, "-o", "json", "--quiet", *arguments
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_all_experiments_say_what_they_declare_and_the_table_is_current():
    script = ROOT / "scripts/experiments"
    folder = Path(binary()).parent
    result = subprocess.run(
        [sys.executable, script, "--check", "--binaries", folder],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    count = int(result.stdout.split()[0])
    assert count >= 40


def test_the_collector_is_named_as_for_collector_cli(collector):
    result = training_client(
        "run", "healthy-clusters", "--server", collector.target, "--steps", 5, "--quiet", "-o", "json"
    )
    assert result.returncode == 0, result.stderr
    wrong = training_client("run", "healthy-clusters", "--server", "a/b")
    assert wrong.returncode == 2 and "expected HOST:PORT or unix:PATH" in wrong.stderr


def test_a_seed_gives_the_same_bits_and_another_seed_others():
    runs = [
        training_client("run", "healthy-clusters", "--dry-run", "--quiet", "-o", "json", "--run-id", "a", *more)
        for more in ([], [], ["--seed", 7])
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout != runs[2].stdout


@pytest.mark.parametrize(
    ("reaction", "action"), [("clip", "clip"), ("lower-rate", "lower_rate")]
)
def test_a_loop_that_acts_is_saved_from_nan(collector, client, reaction, action):
    name = "glorot-relu-regression"
    untouched = trained(collector, name)
    assert untouched["first_non_finite_step"] is not None
    saved = training_client(
        "run", name, "--run-id", f"{name}-{reaction}", "--collector", collector.target,
        "--on-alert", reaction, "-o", "json", "--quiet", "--steps", 400,
    )  # fmt: skip
    assert saved.returncode == 0, saved.stderr
    outcome = json.loads(saved.stdout)
    assert outcome["first_non_finite_step"] is None
    assert outcome["steps"] == 400
    assert outcome["last_loss"] < outcome["first_loss"]
    listed = client.query.ListAnnotations(v1.ListAnnotationsRequest(run_id=f"{name}-{reaction}"))
    assert {entry.annotation.action for entry in listed.annotations} == {action}
    assert all(entry.annotation.alert_id for entry in listed.annotations)
    shown = cli(collector, "query", "run", f"{name}-{reaction}")
    assert action in shown.stdout


def test_a_loop_that_stops_ends_before_the_loss_is_nan(collector, client):
    name = "glorot-relu-regression"
    outcome = trained(collector, name, "--on-alert", "stop")
    assert outcome["stopped"]
    assert outcome["first_non_finite_step"] is None
    run = client.query.GetRun(v1.GetRunRequest(run_id=name)).run
    assert run.status == v1.RUN_STATUS_ABORTED


@pytest.fixture
def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_training_goes_on_without_a_collector_and_says_so_once(free_port):
    result = training_client(
        "run", "healthy-clusters", "--on-alert", "clip", "-o", "json", "--quiet",
        environment={"GRADWATCH_ADDRESS": f"127.0.0.1:{free_port}"},
    )  # fmt: skip
    assert json.loads(result.stdout)["steps"] == 512
    assert result.returncode == 4
    (complaint,) = result.stderr.splitlines()
    assert "512 reports not delivered" in complaint


def test_what_was_trained_before_the_collector_came_is_sent(tmp_path, free_port):
    address = f"127.0.0.1:{free_port}"
    program = Path(binary()).with_name("training-client")
    command = [program, "run", "sigmoid-moons", "--run-id", "early", "--steps", "2000", "--quiet"]
    with subprocess.Popen(command, env={"GRADWATCH_ADDRESS": address}) as training:
        # Training is over in a second, and what it reported waits for ten.
        time.sleep(1)
        database = str(tmp_path / "gradwatch.sqlite")
        with Collector(tmp_path, "--listen", address, "--database", database) as late:
            assert training.wait(60) == 0
            with late.client() as client:
                run = client.query.GetRun(v1.GetRunRequest(run_id="early")).run
                assert run.status == v1.RUN_STATUS_FINISHED
                assert run.producers[0].last_step == 1999


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "no-such"], "found no-such"),
        (["run", "healthy-clusters", "--set", "learning-rat=1"], "found learning-rat"),
        (["run", "healthy-clusters", "--set", "learning-rate=fast"], "found fast"),
        (["run", "healthy-clusters", "--set", "learning-rate"], "expected key=value"),
        (["run", "healthy-clusters", "--set", "batch-size=4096"], "1 to the 2048 samples"),
        (["run", "healthy-clusters", "--every", "0"], "at least 1"),
        (["run", "healthy-clusters", "--on-alert", "pray"], "pray"),
        (["compare", "sigmoid-moons"], "fixes no fault"),
        (["compare"], "Missing expected argument"),
    ],
)
def test_wrong_usage_names_the_place_the_expected_and_the_found(arguments, expected):
    result = training_client(*arguments)
    assert result.returncode == 2
    assert expected in result.stderr


def test_a_fault_and_its_fix_stand_side_by_side(collector):
    result = training_client(
        "compare", "deep-sigmoid", "deep-sigmoid-batch-norm", "--collector", collector.target, "--steps", 60, "--quiet"
    )
    assert result.returncode == 0, result.stderr
    assert "DEEP-SIGMOID" in result.stdout
    assert "collector-cli diff" in result.stdout
