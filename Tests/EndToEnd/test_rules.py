"""Rules are changed, tried and silenced through collector-cli."""

import json
import math
import subprocess
from pathlib import Path

from process import binary, serve
from reports import registration, report
from wire import v1

OFF = """\
rules:
  non_finite_loss: off
"""


def cli(*arguments, collector=None, stdin: str | None = None) -> subprocess.CompletedProcess:
    """Runs a command, against a collector if one is given."""
    server = ["--server", collector.target] if collector else []
    command = [Path(binary()).with_name("collector-cli"), *map(str, arguments), *server]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input=stdin)


def answer(*arguments, collector=None, status: int = 0):
    """The JSON document that a command writes."""
    result = cli(*arguments, "-o", "json", collector=collector)
    assert result.returncode == status, result.stderr
    return json.loads(result.stdout)


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text)
    return path


def send(client, run_id: str, first: int = 1, last: int = 20, bad_from: int = 10):
    """Reports of a run whose loss is NaN from a step on."""
    reports = []
    for sequence in range(first, last + 1):
        reports.append(report(sequence))
        if sequence - 1 >= bad_from:
            reports[-1].losses[0].value = math.nan
    client.report(run_id, *reports)


def fired(client, run_id: str) -> set[str]:
    alerts = client.list_alerts(run_id=run_id)
    return {alert.rule for alert in alerts if alert.HasField("fired_step")}


def test_lint_needs_no_collector_and_tells_places(tmp_path):
    good = cli("rules", "lint", write(tmp_path, OFF))
    assert (good.returncode, good.stdout) == (0, "")
    bad = write(tmp_path, "rules:\n  dead_rely: off\n  dead_relu: {warning_share: 2}\n")
    result = cli("rules", "lint", bad)
    assert result.returncode == 1
    assert result.stdout.splitlines() == [
        f'{bad}:2:3: rules: expected a rule, perhaps dead_relu, found "dead_rely"',
        f"{bad}:3:30: rules.dead_relu.warning_share: expected a number from 0 to 1, "
        'found "2"',
    ]
    assert "found 2" in result.stderr
    problems = answer("rules", "lint", bad, status=1)["problems"]
    assert [(p["line"], p["column"]) for p in problems] == [(2, 3), (3, 30)]
    assert cli("rules", "lint", "-", stdin=OFF).returncode == 0
    assert cli("rules", "lint", tmp_path / "missing.yaml").returncode == 2


def test_rules_are_set_shown_and_survive_a_kill(tmp_path):
    file = write(tmp_path, OFF)
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("r", project="lm"))
        send(client, "r", last=5)
        done = answer("rules", "set", file, "--project", "lm", collector=collector)
        assert done["effective"] == {"rules": [{"rule": "non_finite_loss", "enabled": False}]}
        collector.kill()
    with serve(tmp_path) as collector, collector.client() as client:
        shown = cli("rules", "show", "--project", "lm", collector=collector)
        assert shown.stdout == OFF
        rules = answer("rules", "list", "--run", "r", collector=collector)["rules"]
        state = {rule["rule"]: rule.get("enabled", False) for rule in rules}
        assert state.pop("non_finite_loss") is False and all(state.values())
        send(client, "r", first=6)
        assert "non_finite_loss" not in fired(client, "r")
        # Taken back: what is still the case is found again.
        none = write(tmp_path, "rules: {}\n")
        answer("rules", "set", none, "--project", "lm", collector=collector)
        send(client, "r", first=21, last=40)
        assert "non_finite_loss" in fired(client, "r")
        rule = answer("rules", "show", "dead_relu", collector=collector)
        assert rule["rule"] == "dead_relu" and rule["thresholds"][0]["meaning"]
        assert cli("rules", "show", "nope", collector=collector).returncode == 3
        assert cli("rules", "set", file, "--run", "nope", collector=collector).returncode == 3
        bad = write(tmp_path, "rules: {nope: off}\n")
        assert cli("rules", "set", bad, "--run", "r", collector=collector).returncode == 1


def test_a_rule_file_is_tried_on_a_recorded_run(collector, client, tmp_path):
    client.register(registration("r"))
    send(client, "r")
    recorded = fired(client, "r")
    assert "non_finite_loss" in recorded
    same = answer(
        "rules", "test", write(tmp_path, "rules: {}\n"), "--run", "r", collector=collector
    )
    assert {a["comparison"] for a in same["alerts"]} == {"COMPARISON_SAME"}
    assert {a["alert"]["rule"] for a in same["alerts"]} == recorded
    assert same["run"]["reports"] == "20"
    file = write(
        tmp_path,
        OFF + "expect:\n  non_finite_loss: never\n  dead_relu: fires\n",
    )
    tried = answer("rules", "test", file, "--run", "r", collector=collector, status=1)
    removed = [a for a in tried["alerts"] if a["comparison"] == "COMPARISON_REMOVED"]
    assert {a["alert"]["rule"] for a in removed} == {"non_finite_loss"}
    assert tried["mismatches"] == [
        "dead_relu: expected an alert of severity info or higher, found none"
    ]
    page = cli(
        "rules", "test", write(tmp_path, OFF), "--run", "r", "-o", "table", collector=collector
    )
    assert page.returncode == 0
    assert page.stdout.startswith("-  ") and "20 reports replayed" in page.stdout
    met = "rules: {}\nexpect:\n  non_finite_loss: {from: 10, to: 10, severity: critical}\n"
    assert (
        cli("rules", "test", write(tmp_path, met), "--run", "r", collector=collector).returncode
        == 0
    )


def test_a_rule_that_does_not_exist_is_refused_with_the_nearest(collector):
    commands = [
        ["rules", "show", "loss_platau"],
        ["silence", "add", "--for", "1h", "--rule", "loss_platau"],
        ["query", "alerts", "--rule", "dead_relu", "--rule", "loss_platau"],
        ["watch", "--rule", "loss_platau"],
    ]
    for command in commands:
        result = cli(*command, collector=collector)
        assert (result.returncode, result.stdout) == (3, ""), command
        assert "rule loss_platau: expected one of those that 'rules list' shows" in result.stderr
        assert "perhaps loss_plateau" in result.stderr
    assert answer("silence", "list", collector=collector) == {"silences": []}
    assert cli("query", "alerts", "--rule", "loss_plateau", collector=collector).returncode == 0


def test_silenced_alerts_are_listed_and_not_pushed(collector, client):
    assert cli("silence", "add", "--for", "1h", collector=collector).returncode == 2
    matcher = ["--rule", "non_finite_loss", "--comment", "known", "--by", "ada"]
    made = answer("silence", "add", "--for", "1h", *matcher, collector=collector)
    listed = answer("silence", "list", collector=collector)["silences"]
    assert [s["silenceId"] for s in listed] == [made["silenceId"]]
    client.register(registration("r"))
    send(client, "r")
    alerts = client.list_alerts(run_id="r", rules=["non_finite_loss"])
    assert [list(alert.silenced_by) for alert in alerts] == [[made["silenceId"]]]

    def pushed() -> set[str]:
        rules = set()
        for message in client.alerts.SubscribeAlerts(v1.SubscribeAlertsRequest(cursor=0)):
            if message.HasField("caught_up"):
                return rules
            rules.add(message.transition.alert.rule)
        return rules

    assert "non_finite_loss" not in pushed()
    answer("silence", "remove", made["silenceId"], collector=collector)
    assert "non_finite_loss" in pushed()
    again = cli("silence", "remove", made["silenceId"], collector=collector)
    assert again.returncode == 3


def test_switching_the_comparison_of_ranks_off_resolves_what_it_has_raised(tmp_path):
    def step(client, sequence: int, broken: int | None = None):
        for rank in range(4):
            norm = math.nan if rank == broken else 1
            message = v1.StepReport(sequence=sequence, step=sequence - 1, global_norm=norm)
            client.report("ranks", message, producer_id=f"rank-{rank}")

    def states(client) -> dict[str, int]:
        return {alert.rule: alert.state for alert in client.list_alerts(run_id="ranks")}

    with serve(tmp_path) as collector, collector.client() as client:
        for rank in range(4):
            start = registration("ranks", producer_id=f"rank-{rank}")
            start.producer.rank, start.producer.world_size = rank, 4
            client.register(start)
        for sequence in range(1, 9):
            step(client, sequence, broken=2 if sequence > 5 else None)
        assert states(client)["rank_divergence"] == v1.ALERT_STATE_FIRING
        off = v1.RuleSet(rules=[v1.RuleSettings(rule="rank_divergence", enabled=False)])
        client.alerts.SetRules(v1.SetRulesRequest(run_id="ranks", rules=off))
        assert states(client)["rank_divergence"] == v1.ALERT_STATE_RESOLVED
        assert states(client)["non_finite_gradient"] == v1.ALERT_STATE_FIRING
