"""What a training loop did about an alert: sent with the step, kept, and shown."""

import json
import subprocess
from pathlib import Path

from client import PRODUCER
from process import binary, serve
from reports import WALL_TIME, lose_gradients, registration, report
from wire import v1

ALERT = "0123456789abcdef"


def query(collector, *arguments) -> subprocess.CompletedProcess:
    cli = Path(binary()).with_name("collector-cli")
    command = [cli, "query", *map(str, arguments), "--server", collector.target]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def annotated(sequence: int, action: str, detail: str = "", alert_id: str = "", **more):
    message = report(sequence, **more)
    message.annotations.add(action=action, detail=detail, alert_id=alert_id)
    return message


def listed(client, **request) -> list[tuple[int, str]]:
    """Step and action, over all pages."""
    found, token = [], ""
    while True:
        page = client.query.ListAnnotations(
            v1.ListAnnotationsRequest(run_id="run", page_size=2, page_token=token, **request)
        )
        found += [(entry.step, entry.annotation.action) for entry in page.annotations]
        if not (token := page.next_page_token):
            return found


def test_annotations_outlive_a_kill_sealing_and_a_rewind(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        reports = [report(sequence) for sequence in range(1, 301)]
        for sequence in (10, 200, 300):
            reports[sequence - 1] = annotated(sequence, f"act_{sequence}", "a -> b", ALERT)
        ack = client.report("run", *reports).ack
        assert ack.sequence == 300 and not ack.refusals
        collector.kill()

    expected = [(299, "act_300"), (199, "act_200"), (9, "act_10")]
    with serve(tmp_path) as collector, collector.client() as client:
        assert listed(client) == expected
        entry = client.query.ListAnnotations(v1.ListAnnotationsRequest(run_id="run")).annotations[0]
        assert entry.producer_id == PRODUCER
        assert entry.annotation.detail == "a -> b" and entry.annotation.alert_id == ALERT
        assert entry.received_at.seconds > WALL_TIME
        # A finished run is sealed as a whole.
        client.ingest.FinishRun(
            v1.FinishRunRequest(run_id="run", status=v1.RUN_STATUS_FINISHED)
        )
        assert listed(client) == expected
        client.register(registration("run"))
        client.report("run", annotated(301, "act_again", step=150))
        assert listed(client) == [(150, "act_again"), (9, "act_10")]
        collector.kill()

    with serve(tmp_path) as collector, collector.client() as client:
        assert listed(client) == [(150, "act_again"), (9, "act_10")]
        assert listed(client, steps=v1.StepRange(first=1, last=9)) == [(9, "act_10")]


def test_a_loop_that_answers_an_alert_says_so_and_people_see_it(collector, client):
    client.register(registration("run"))
    reports = [report(sequence) for sequence in range(1, 22)]
    lose_gradients(reports[-1])
    client.report("run", *reports)
    alert_id = client.list_alerts(run_id="run")[0].alert_id
    client.report("run", annotated(22, "lower_rate", "learning rate 0.01 -> 0.002", alert_id))

    page = query(collector, "run", "run")
    assert page.returncode == 0, page.stderr
    done, story = page.stdout.split("done about it")[1].split("open,")
    for word in ("21", "lower_rate", "learning rate 0.01 -> 0.002", alert_id):
        assert word in done
    assert "non_finite" in story
    document = json.loads(query(collector, "run", "run", "-o", "json").stdout)
    assert document["annotations"][0]["step"] == "21"
    assert document["annotations"][0]["annotation"] == {
        "action": "lower_rate",
        "detail": "learning rate 0.01 -> 0.002",
        "alertId": alert_id,
    }

    rows = query(collector, "annotations", "run").stdout.splitlines()
    assert rows[0].split("\t")[:5] == ["step", "producer_id", "action", "detail", "alert_id"]
    assert rows[1].split("\t")[:5] == [
        "21", PRODUCER, "lower_rate", "learning rate 0.01 -> 0.002", alert_id,
    ]
    assert len(rows) == 2
    table = query(collector, "annotations", "run", "-o", "table", "--steps", "21").stdout
    assert "lower_rate" in table and "ANSWERS ALERT" in table
    assert query(collector, "annotations", "run", "-o", "table", "--steps", "0:20").stdout == (
        "no annotations\n"
    )
    unknown = query(collector, "annotations", "nowhere")
    assert unknown.returncode == 3 and "nowhere" in unknown.stderr


def test_wrong_annotations_are_refused_naming_the_place(client):
    client.register(registration("run"))
    too_many = report(1)
    for _ in range(17):
        too_many.annotations.add(action="clip")
    ack = client.report("run", too_many, annotated(2, "clip", "x" * 513), report(3)).ack
    assert ack.sequence == 3
    assert [(refusal.sequence, refusal.field) for refusal in ack.refusals] == [
        (1, "annotations"),
        (2, "annotations[0].detail"),
    ]
    assert "expected at most 16, found 17" in ack.refusals[0].reason
    assert "expected at most 512 bytes of UTF-8, found 513 bytes" in ack.refusals[1].reason
    assert listed(client) == []
