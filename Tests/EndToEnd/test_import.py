"""A recorded run is imported through collector-cli, read back, and imported again."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from process import binary
from reports import loss_timeline, timeline
from wire import ROOT, v1

sys.path.insert(0, str(ROOT / "scripts"))
import score_detectors  # noqa: E402

NAME = "reg_uniform45_explode"
TRACE = Path(__file__).parent / "traces" / f"{NAME}.jsonl.gz"


def import_traces(collector, *arguments) -> subprocess.CompletedProcess:
    """Runs the command against a collector."""
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "import", "traces", "--server", collector.target, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def lines() -> list[dict]:
    with gzip.open(TRACE, "rt") as file:
        return [json.loads(line) for line in file]


def write(path: Path, content: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in content))
    return path


def run_of(client, run_id: str):
    return client.query.GetRun(v1.GetRunRequest(run_id=run_id)).run


def test_a_trace_is_read_back_and_sent_only_once(collector, client):
    meta, *steps = lines()
    first = import_traces(collector, TRACE, "-o", "json")
    assert first.returncode == 0, first.stderr
    expected = {
        "run_id": NAME,
        "file": str(TRACE),
        "steps": len(steps),
        "sent": len(steps),
        "refused": 0,
        "last_step": steps[-1]["s"],
    }
    assert json.loads(first.stdout) == {"runs": [expected]}
    before = run_of(client, NAME)
    assert before.status == v1.RUN_STATUS_FINISHED
    assert before.project == "traces"
    assert before.tensor_count == len(meta["params"])
    losses = loss_timeline(client, NAME)
    norms = timeline(client, NAME, v1.METRIC_GRADIENT_NORM)
    assert losses and norms

    second = import_traces(collector, TRACE, "-o", "json")
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout) == {"runs": [expected | {"sent": 0}]}
    after = run_of(client, NAME)
    assert after.status == v1.RUN_STATUS_FINISHED
    assert after.producers[0].last_sequence == len(steps)
    assert after.open_alerts == before.open_alerts
    # As text, because NaN is not equal to itself.
    assert str(loss_timeline(client, NAME)) == str(losses)
    assert str(timeline(client, NAME, v1.METRIC_GRADIENT_NORM)) == str(norms)


def test_an_import_goes_on_where_it_ended(collector, client, tmp_path):
    meta, *steps = lines()
    part = write(tmp_path / "run.jsonl", [meta, *steps[:5]])
    assert import_traces(collector, part).returncode == 0
    write(part, [meta, *steps])
    result = import_traces(collector, part, "-o", "jsonl")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["steps"], summary["sent"]) == (len(steps), len(steps) - 5)
    assert run_of(client, "run").producers[0].last_sequence == len(steps)


def test_its_name_and_label_stay_behind(collector, client, tmp_path):
    meta, *steps = lines()
    meta["run"], meta["label"] = "secret_name", {"verdict": "secret_verdict"}
    path = write(tmp_path / "x.jsonl", [meta, *steps])
    arguments = ("--project", "mine", "--run-prefix", "night/")
    assert import_traces(collector, path, *arguments).returncode == 0
    run = run_of(client, "night/x")
    assert run.project == "mine"
    assert "secret" not in str(run)
    assert b"secret" not in b"".join(p.read_bytes() for p in tmp_path.glob("gradwatch.sqlite*"))


def test_another_run_under_the_same_id_is_left_alone(collector, client, tmp_path):
    meta, *steps = lines()
    path = write(tmp_path / "run.jsonl", [meta, *steps])
    assert import_traces(collector, path).returncode == 0
    before = run_of(client, "run")
    for other in ([meta, *steps[:3]], [meta, *({**line, "s": line["s"] + 100} for line in steps)]):
        write(path, other)
        result = import_traces(collector, path)
        assert result.returncode == 2
        assert "found others in" in result.stderr and "--run-prefix" in result.stderr
    # A trace of the same steps is another run by what it says of them.
    last = steps[-1]
    write(path, [meta, *steps[:-1], last | {"gn": 7}, last | {"s": last["s"] + 1}])
    result = import_traces(collector, path)
    assert result.returncode == 2
    place = f"{path}: expected at step {last['s']} what the collector has, global norm "
    assert place in result.stderr and "--run-prefix" in result.stderr
    write(path, [meta | {"params": meta["params"][:-1]}, *steps])
    assert import_traces(collector, path).returncode == 2
    assert run_of(client, "run") == before


def test_what_is_wrong_with_a_trace_is_named(collector, tmp_path):
    meta, *steps = lines()
    bad = write(tmp_path / "bad.jsonl", [meta, steps[0], {**steps[1], "lr": "fast"}])
    result = import_traces(collector, bad)
    assert result.returncode == 2
    assert f"{bad}: line 3: lr: expected a number" in result.stderr
    # A histogram that does not add up is for the collector to see.
    steps[1]["p"][0][6] += 1
    odd = write(tmp_path / "odd.jsonl", [meta, *steps])
    result = import_traces(collector, odd, "-o", "json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["runs"][0]["refused"] == 1
    assert "steps refused: 1" in result.stderr and "histogram" in result.stderr
    assert import_traces(collector, tmp_path / "none.jsonl").returncode == 2
    assert import_traces(collector, odd, odd).returncode == 2


def test_no_collector_is_status_4(tmp_path):
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "import", "traces", "--server", f"unix:{tmp_path}/none", TRACE]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 4, result.stderr


def test_a_folder_of_runs_is_scored(tmp_path):
    traces = tmp_path / "traces"
    traces.mkdir()
    (traces / TRACE.name).write_bytes(TRACE.read_bytes())
    label = {"verdict": "sick", "must": {}, "must_not": []}
    label["must"]["exploding_gradient"] = {"layers": [], "earliest": 0, "latest": 20, "alt": []}
    (traces / "labels.json").write_text(json.dumps({NAME: label}))
    kept = tmp_path / "alerts.json"
    command = [ROOT / "scripts/evaluate-detectors", traces, "--output", kept]
    command += ["--binaries", Path(binary()).parent]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    alerts = json.loads(kept.read_text())
    found = next(a for a in alerts[NAME] if a["rule"] == "exploding_gradient")
    assert found["severity"] == "critical" and found["layers"]
    assert result.stdout.rstrip().endswith("runs wholly right 1/1")


def test_the_score_counts_what_was_missed_early_false_and_located():
    must = {
        "vanishing_gradient": {"layers": ["fc1"], "earliest": 10, "latest": 20, "alt": []},
        "loss_plateau": {"layers": [], "earliest": 5, "latest": 9, "alt": ["dead_relu"]},
    }
    labels = {
        "sick": {"verdict": "sick", "must": must, "must_not": ["loss_spike"]},
        "well": {"verdict": "healthy", "must": {}, "must_not": ["loss_spike"]},
    }

    def alert(rule, step, severity="warning", layers=()):
        return {"rule": rule, "step": step, "severity": severity, "layers": list(layers)}

    alerts = {
        "sick": [
            alert("vanishing_gradient", 9),
            alert("vanishing_gradient", 25, layers=["fc1.weight"]),
            alert("dead_relu", 7, severity="critical"),
            alert("loss_spike", 1, severity="info"),
        ],
        "well": [alert("loss_spike", 3)],
    }
    score = score_detectors.score(alerts, labels)
    total = score.total
    assert (total["tp"], total["fp"], total["fn"]) == (2, 2, 0)
    assert (total["on_time"], total["located"], total["named"]) == (1, 1, 1)
    assert (score.right, score.runs, score.alarmed, score.healthy) == (0, 2, 1, 1)
    assert sorted(score.delays) == [2, 15]
    assert score.complaints == [
        "too early     sick: vanishing_gradient at step 9, the fault is at 10",
        "false alarm   well: loss_spike at step 3",
    ]
