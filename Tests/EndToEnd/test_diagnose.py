"""A run's story, asked of the collector and through collector-cli diagnose."""

import json
import subprocess
from pathlib import Path

from process import binary
from reports import lose_gradients, registration, report
from traces import Trace
from wire import v1

EXPLODING = "reg_uniform45_explode"


def diagnose(collector, *arguments) -> subprocess.CompletedProcess:
    """Runs the command against a collector."""
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "diagnose", "--server", collector.target, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def story_of(client, run_id: str):
    return client.query.DiagnoseRun(v1.DiagnoseRunRequest(run_id=run_id)).diagnosis


def replay(client, name: str):
    trace = Trace(name)
    client.register(trace.registration(name))
    client.report(name, *trace.reports())


def below(finding) -> list:
    """What follows from a finding, however indirectly."""
    return [one for next in finding.consequences for one in (next, *below(next))]


def findings(diagnosis) -> list:
    return [one for root in diagnosis.roots for one in (root.finding, *below(root.finding))]


def test_an_explosion_explains_what_is_not_finite(client):
    replay(client, EXPLODING)
    diagnosis = story_of(client, EXPLODING)
    assert diagnosis.verdict == v1.VERDICT_SICK
    assert diagnosis.open_severity == v1.SEVERITY_CRITICAL
    # Weights from U(4, 5): whatever the first rule that saw it, it came before the first NaN.
    root = diagnosis.roots[0]
    assert root.finding.rule in ("poor_initialization", "exploding_gradient")
    assert root.finding.first_step <= 1
    assert not root.finding.HasField("claim")
    consequences = {finding.rule: finding for finding in below(root.finding)}
    assert {"non_finite_gradient", "non_finite_loss"} <= consequences.keys()
    for finding in consequences.values():
        assert finding.claim.reason and 0.3 <= finding.claim.confidence <= 1
        assert finding.first_step == root.finding.first_step or finding.first_step > 0
    assert "initialize" in root.remedies[0].action
    assert diagnosis.summary.startswith(root.finding.rule.replace("_", " "))

    # All that fired is told, once, with its evidence.
    fired = [a for a in client.list_alerts(run_id=EXPLODING) if a.HasField("fired_step")]
    told = [alert_id for finding in findings(diagnosis) for alert_id in finding.alert_ids]
    assert sorted(told) == sorted(alert.alert_id for alert in fired)
    assert all(finding.alerts[0].alert_id == finding.alert_ids[0] for finding in findings(diagnosis))


def test_the_command_tells_the_same_story(collector, client):
    replay(client, EXPLODING)
    diagnosis = story_of(client, EXPLODING)
    result = diagnose(collector, EXPLODING, "-o", "json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["verdict"] == "VERDICT_SICK"
    assert document["summary"] == diagnosis.summary
    rules = [root["finding"]["rule"] for root in document["roots"]]
    assert rules == [root.finding.rule for root in diagnosis.roots]
    assert json.loads(diagnose(collector, EXPLODING, "-o", "jsonl").stdout) == document

    text = diagnose(collector, EXPLODING).stdout
    assert diagnosis.summary in " ".join(text.split())
    for finding in findings(diagnosis):
        assert finding.rule in text
    assert diagnosis.roots[0].remedies[0].action in " ".join(text.split())
    assert "\x1b" not in text, "no colours in a pipe"
    assert "\x1b[" in diagnose(collector, EXPLODING, "--color", "always").stdout


def test_only_what_is_asked_for_fails_the_command(collector, client):
    replay(client, EXPLODING)
    client.register(registration("well"))
    client.report("well", *(report(sequence) for sequence in range(1, 60)))
    assert diagnose(collector, EXPLODING).returncode == 0
    for severity in ("warning", "critical"):
        bad = diagnose(collector, EXPLODING, "--fail-on", severity)
        assert bad.returncode == 1 and EXPLODING in bad.stdout
        assert bad.stderr.count("\n") == 1 and "found critical" in bad.stderr
        good = diagnose(collector, "well", "--fail-on", severity)
        assert good.returncode == 0, good.stdout + good.stderr
    assert story_of(client, "well").verdict == v1.VERDICT_HEALTHY
    assert "healthy: nothing above info in 59 steps" in diagnose(collector, "well").stdout


def test_what_was_never_sent_is_named(client):
    client.register(registration("blind"))
    for sequence in range(1, 40):
        message = report(sequence)
        message.ClearField("activations")
        message.ClearField("histograms")
        message.parameters.ClearField("update_norm")
        client.report("blind", message)
    spots = {tuple(spot.columns): set(spot.rules) for spot in story_of(client, "blind").blind_spots}
    assert spots.keys() == {
        ("activations.dead_unit_fraction",),
        ("histograms",),
        ("parameters.update_norm",),
    }
    assert "dead_relu" in spots[("activations.dead_unit_fraction",)]
    assert "gradient_underflow" in spots[("histograms",)]
    assert "update_ratio_too_high" in spots[("parameters.update_norm",)]


def test_ranks_with_the_same_fault_are_one_finding(client):
    for rank in range(3):
        request = registration("ddp", producer_id=f"rank-{rank}")
        request.producer.rank, request.producer.world_size = rank, 3
        client.register(request)
        reports = [report(sequence) for sequence in range(1, 22)]
        lose_gradients(reports[-1])
        client.report("ddp", *reports, producer_id=f"rank-{rank}")
    diagnosis = story_of(client, "ddp")
    assert [root.finding.rule for root in diagnosis.roots] == ["non_finite_loss"]
    for finding in findings(diagnosis):
        assert list(finding.ranks) == [0, 1, 2]
        assert list(finding.producer_ids) == ["rank-0", "rank-1", "rank-2"]
        assert finding.first_step == 20


def test_the_newest_run_of_a_project_is_taken_and_wrong_ones_are_refused(collector, client):
    for run_id, project in [("old", "lm"), ("new", "lm"), ("other", "vision")]:
        client.register(registration(run_id, project=project))
    newest = diagnose(collector, "--project", "lm", "-o", "json")
    assert json.loads(newest.stdout)["runId"] == "new"
    assert json.loads(newest.stdout)["verdict"] == "VERDICT_NO_DATA"
    assert diagnose(collector, "old", "--project", "lm").returncode == 0
    for arguments, status, words in [
        (["old", "--project", "vision"], 3, "expected to be of project vision, found lm"),
        (["--project", "none"], 3, "project none: has no run"),
        (["nowhere"], 3, "nowhere"),
        ([], 2, "expected a run, or --project"),
        (["old", "-o", "csv"], 2, "Please provide one of 'table', 'json'"),
    ]:
        result = diagnose(collector, *arguments)
        assert result.returncode == status, (arguments, result.stderr)
        assert words in result.stderr
        assert result.stdout == ""
