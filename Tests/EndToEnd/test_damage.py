"""Data that is damaged: named, and all else is served."""

import itertools
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from chance import seeded
from client import Failure, failure_of
from coarse import SUMMED_UP, assert_losses_sum_up, assert_timelines_sum_up
from process import eventually, serve
from reports import (
    METRICS,
    Recorded,
    assert_holds,
    histograms,
    loss_timeline,
    registration,
    report,
    timeline,
)
from scripted import Script
from stored_file import PARENTS, count, last_page, verified
from wire import v1


def flip(path, table: str, condition: str, column: str = "body"):
    """Flips a bit in the middle of one blob."""
    with closing(sqlite3.connect(path)) as database:
        [(key, body)] = database.execute(f"SELECT rowid, {column} FROM {table} WHERE {condition}")
        damaged = bytearray(body)
        damaged[len(damaged) // 2] ^= 4
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (damaged, key))
        database.commit()


def overwrite(path: Path, page: int, size: int, chance: random.Random, share: float = 1):
    """Makes the last part of a page noise."""
    torn = int(size * share)
    with open(path, "r+b") as file:
        file.seek(page * size - torn)
        file.write(chance.randbytes(torn))


@pytest.fixture
def three_runs(tmp_path):
    """A closed file with three runs of 300 reports, 256 of them sealed."""
    with serve(tmp_path) as collector, collector.client() as client:
        for name in ("chunk", "log", "whole"):
            client.register(registration(name))
            client.report(name, *map(report, range(1, 301)))
        database = sqlite3.connect(tmp_path / "gradwatch.sqlite")
        with closing(database):
            sealed = "SELECT count(*) FROM segments"
            eventually(lambda: database.execute(sealed).fetchone() == (3,), "sealed")
        collector.terminate()
        assert collector.result()[0] == 0
    return tmp_path / "gradwatch.sqlite"


def test_a_damaged_chunk_or_log_row_is_named_and_the_rest_is_served(tmp_path, three_runs):
    [segment, producer] = [
        f"(SELECT s.{column} FROM segments s JOIN producers p ON p.key = s.producer"
        f" JOIN runs r ON r.key = p.run WHERE r.id = '{run}')"
        for column, run in (("id", "chunk"), ("producer", "log"))
    ]
    flip(three_runs, "chunks", f"key = {segment} * 262144 + 2")
    flip(three_runs, "log", f"producer = {producer} AND sequence = 280")
    sent = Recorded(map(report, range(1, 301)))
    with serve(tmp_path) as collector, collector.client() as client:

        def norms(run: str, **request):
            return timeline(client, run, v1.METRIC_GRADIENT_NORM, **request)

        # All columns of the damaged chunk but one are whole, and which one was hit is not ours to say.
        failures = []
        for metric, (group, _) in METRICS.items():
            if group != "activations":
                try:
                    timeline(client, "chunk", metric)
                except Exception as error:
                    failures.append((metric, error))
        assert len(failures) == 1, failures
        metric = failures[0][0]
        failure = failure_of(
            client.query.GetLayerTimeline,
            v1.GetLayerTimelineRequest(run_id="chunk", metric=metric),
        )
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for place in ("run chunk", "net.1.weight", "0...255"):
            assert place in failure.message, failure.message
        others = v1.Selector(tensor="net.0.*")
        assert timeline(client, "chunk", metric, selector=others).keys() == {0, 1}
        after = timeline(client, "chunk", metric, steps=v1.StepRange(first=256))
        assert list(after[2].steps) == list(range(256, 300))

        request = v1.GetLayerTimelineRequest(run_id="log")
        failure = failure_of(client.query.GetLayerTimeline, request)
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for place in ("run log", "report of step 279"):
            assert place in failure.message, failure.message
        before = norms("log", steps=v1.StepRange(first=0, last=255))
        assert list(before[0].steps) == list(range(256))
        # Its detector is rebuilt without that report, which is said, and all go on.
        for run in ("chunk", "log", "whole"):
            assert client.report(run, report(301)).ack.sequence == 301
        assert "run log, producer trainer, report 280: damaged" in collector.stderr, collector.stderr
        after = norms("log", steps=v1.StepRange(first=280))
        assert list(after[0].steps) == list(range(280, 301))
        sent.add(report(301))
        assert_holds(client, "whole", sent)


def test_a_run_goes_on_without_a_damaged_snapshot_of_its_detector(tmp_path, three_runs):
    flip(three_runs, "snapshots", "producer = (SELECT max(producer) FROM snapshots)", "state")
    with serve(tmp_path) as collector, collector.client() as client:
        for run in ("chunk", "log", "whole"):
            assert client.report(run, *map(report, range(301, 601))).ack.sequence == 600
        [told] = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert "run whole, producer trainer, detector snapshot: damaged" in told
        collector.kill()
    # There is a new one by now.
    with serve(tmp_path) as collector, collector.client() as client:
        assert client.report("whole", report(601)).ack.sequence == 601
        assert "damaged" not in collector.stderr


def test_the_others_are_watched_if_a_run_can_not_be_restored(tmp_path, three_runs):
    # Of the newest run, which is restored first.
    flip(three_runs, "models", "run = (SELECT key FROM runs WHERE id = 'whole')")
    with serve(tmp_path) as collector, collector.client() as client:
        eventually(lambda: "count=2" in collector.stderr, "restored")
        [told] = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert "cannot restore a run in progress" in told and "run whole" in told
        failure = failure_of(client.report, "whole", report(301))
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED")
        for run in ("chunk", "log"):
            assert client.report(run, report(301)).ack.sequence == 301


def test_a_torn_page_is_named_and_the_collector_lives(tmp_path, three_runs):
    with closing(sqlite3.connect(three_runs)) as database:
        [(page, size)] = database.execute(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'chunks'"
        )
    overwrite(three_runs, page, size, seeded("a torn page"))
    with serve(tmp_path) as collector, collector.client() as client:
        failure = failure_of(
            client.query.GetLayerTimeline, v1.GetLayerTimelineRequest(run_id="whole")
        )
        assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED"), failure
        assert str(three_runs) in failure.message
        # Losses lie in another table, and the tail in the log.
        assert list(loss_timeline(client, "whole")["loss"].steps) == list(range(300))
        tail = timeline(client, "whole", v1.METRIC_GRADIENT_NORM, steps=v1.StepRange(first=256))
        assert list(tail[0].steps) == list(range(256, 300))
        assert client.report("whole", report(301)).ack.sequence == 301


@pytest.mark.parametrize("share", [1, 0.5])
def test_a_torn_page_at_the_end_of_the_log_costs_only_the_reports_on_it(tmp_path, share):
    names = [f"run {number}" for number in range(12)]
    with serve(tmp_path) as collector, collector.client() as client:
        for name in names:
            client.register(registration(name, layers=20))
            client.report(name, *[report(sequence, layers=20) for sequence in range(1, 21)])
        collector.terminate()
        assert collector.result()[0] == 0
    path = tmp_path / "gradwatch.sqlite"
    overwrite(path, *last_page(path, "log"), seeded("the log's end"), share)
    with serve(tmp_path) as collector, collector.client() as client:
        for name in names:
            client.report(name, *[report(sequence, layers=20) for sequence in range(21, 41)])
        sent = Recorded([report(sequence, layers=20) for sequence in range(1, 41)])
        for name in names[:-1]:
            assert_holds(client, name, sent)
        # Its detector goes on without, which is said.
        damaged = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert damaged and all(f"run {names[-1]}, producer trainer, report" in line for line in damaged), damaged
        collector.terminate()
        assert collector.result()[0] == 0
    said = verified(tmp_path)
    assert said.returncode == 1
    assert f"run {names[-1]}, producer trainer, report 20: damaged: its page" in said.stdout, said.stdout
    assert f"sound: 11 of 12 runs, 0 of 0 segments, {480 - len(damaged)} of 480 reports" in said.stdout
    with serve(tmp_path) as collector, collector.client() as client:
        # There is a torn page yet, and all goes on: also what is sealed, and deleted.
        for name in names:
            client.report(name, *[report(sequence, layers=20) for sequence in range(41, 301)])
        for name in names[:-1]:
            client.admin.DeleteRun(v1.DeleteRunRequest(run_id=name, force=True))
        eventually(lambda: count(tmp_path, "deletions") == 0, "they are removed")


@pytest.mark.parametrize("share", [1, 0.5])
def test_a_torn_page_at_the_end_of_the_models_costs_only_the_runs_on_it(tmp_path, share):
    def register(name: str) -> str:
        client.register(registration(name, layers=200, project=name))
        return name

    with serve(tmp_path) as collector, collector.client() as client:
        # As long as no two are alike, few go into a page.
        names = [register(f"run {number}") for number in range(40)]
        for name in names:
            client.report(name, report(1, layers=200))
        collector.terminate()
        assert collector.result()[0] == 0
    path = tmp_path / "gradwatch.sqlite"
    overwrite(path, *last_page(path, "models"), seeded("the models' end"), share)
    with serve(tmp_path) as collector, collector.client() as client:
        new = [register(f"new {number}") for number in range(40)]
        for name in new:
            client.report(name, *[report(sequence, layers=200) for sequence in range(1, 3)])
        lost = [name for name in names if not is_reported(client, name, report(2, layers=200))]
        assert 0 < len(lost) < len(names) / 2 and lost == names[-len(lost) :], lost
        collector.terminate()
        assert collector.result()[0] == 0
    said = verified(tmp_path)
    assert said.returncode == 1
    for name in lost:
        assert f"run {name}, model: damaged: " in said.stdout, said.stdout
    assert f"sound: {80 - len(lost)} of 80 runs" in said.stdout, said.stdout
    with serve(tmp_path) as collector, collector.client() as client:
        for name in new:
            assert_holds(client, name, Recorded([report(sequence, layers=200) for sequence in range(1, 3)]))
            assert client.register(registration(name, layers=200, project=name)).producer.last_sequence == 2
        for name in new[::2]:
            client.admin.DeleteRun(v1.DeleteRunRequest(run_id=name, force=True))
        eventually(lambda: count(tmp_path, "deletions") == 0, "they are removed")


def is_reported(client, run: str, *reports) -> bool:
    """Whether a report is taken; else because of damage."""
    try:
        client.report(run, *reports)
    except grpc.RpcError as error:
        assert Failure.of(error).reason == "DAMAGED", error
        return False
    return True


def test_a_torn_page_in_the_log_of_one_run_stops_neither_sealing_nor_deleting_the_others(tmp_path):
    def segments(run: str) -> int:
        of_run = "producers p ON p.key = s.producer JOIN runs r ON r.key = p.run"
        return count(tmp_path, f"segments s JOIN {of_run} WHERE r.id = '{run}'")

    with serve(tmp_path) as collector, collector.client() as client:
        for run in ("torn", "whole"):
            client.register(registration(run))
            client.report(run, *map(report, range(1, 201)))
        # To go back needs a snapshot, so that the detector is restored without what is torn.
        client.report("torn", report(201, step=150))
        collector.terminate()
        assert collector.result()[0] == 0
    path = tmp_path / "gradwatch.sqlite"
    with closing(sqlite3.connect(path)) as database:
        [(body, size)] = database.execute(
            "SELECT l.body, page_size FROM pragma_page_size, log l JOIN producers p ON p.key = l.producer"
            " JOIN runs r ON r.key = p.run WHERE r.id = 'torn' AND l.sequence = 50"
        )
    # A cell begins on its page, however long it is.
    overwrite(path, path.read_bytes().index(body[:64]) // size + 1, size, seeded("a torn log"))
    with serve(tmp_path) as collector, collector.client() as client:
        # It has the most to seal, so that it comes first.
        client.report("torn", *[report(number, step=number) for number in range(202, 1000)])
        eventually(lambda: "read the log to seal" in collector.stderr, "told")
        client.register(registration("new"))
        for run, first in (("whole", 201), ("new", 1)):
            client.report(run, *map(report, range(first, 601)))
            eventually(lambda: segments(run) == 2, f"{run} is sealed")
        # Deletions come in the order of the runs, so that it is the first of these, too.
        for run in ("torn", "whole", "new"):
            client.admin.DeleteRun(v1.DeleteRunRequest(run_id=run, force=True))
        eventually(lambda: count(tmp_path, "segments") == 0, "the others are removed")
        eventually(lambda: count(tmp_path, "deletions") == 1, "their deletions end")
        # Each is told of once, because nothing of it is tried again.
        told = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert [line.rpartition("] ")[2] for line in told] == ["cannot seal", "cannot delete"], told
        client.register(registration("next"))
        assert client.report("next", report(1)).ack.sequence == 1


def test_a_damaged_silence_is_left_out_and_the_log_names_it(tmp_path, three_runs):
    with closing(sqlite3.connect(three_runs)) as database:
        torn = ("torn", 9e12, '{"author":"ada","comm')
        database.execute("INSERT INTO silences (id, ends_at, body) VALUES (?, ?, ?)", torn)
        database.commit()
    with serve(tmp_path) as collector, collector.client() as client:
        [told] = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert "silence torn" in told and "a silence is left out" in told
        assert client.report("whole", report(301)).ack.sequence == 301


@pytest.mark.parametrize("target, kind, name", [(1, "project", "default"), (2, "run", "whole")])
def test_damaged_rules_keep_no_report_out_and_the_log_names_them(tmp_path, three_runs, target, kind, name):
    with closing(sqlite3.connect(three_runs)) as database:
        torn = (target, name, '[{"rule')
        database.execute("INSERT INTO rule_sets (target, name, body) VALUES (?, ?, ?)", torn)
        database.commit()
    with serve(tmp_path) as collector, collector.client() as client:
        assert client.report("whole", report(301)).ack.sequence == 301
        client.register(registration("new"))
        assert client.report("new", report(1)).ack.sequence == 1
        told = [line for line in collector.stderr.splitlines() if "damaged" in line]
        assert told and all(f"rules of {kind} {name}" in line for line in told), told


# Anywhere

SCRIPTS = [Script(f"damaged {n}", total, rewinds=0) for n, total in enumerate((300, 300, 4500))]
"""The last is so long that it has a rollup."""

BODIES = [
    ("chunks", "body"),
    ("histograms", "body"),
    ("segment_scalars", "body"),
    ("segments", "axis"),
    ("log", "body"),
    ("log", "histograms"),
    ("rollup_chunks", "body"),
    ("rollup_histograms", "body"),
    ("rollup_scalars", "body"),
    ("rollups", "axis"),
    ("models", "body"),
    ("snapshots", "state"),
    ("alerts", "body"),
]
"""Where what has a checksum lies: table and column."""

SUMS = {"rollup_chunks", "rollup_histograms", "rollup_scalars", "rollups", "snapshots"}
"""Tables of what can be had from others."""

A_PART = {"METRIC_GRADIENT_NORM", "losses", "alerts", "transitions", "layers"}
"""Questions that need something of all that a run has, but for histograms."""


class Answers:
    """What a whole file answers, to hold what a damaged one answers against."""

    def __init__(self, client):
        self.asked = {
            (script.run_id, name): ask()
            for script in SCRIPTS
            for name, ask in questions(client, script).items()
        }

    def failures(self, client, run: str = "", but: set[str] = frozenset()) -> dict[tuple[str, str], Failure]:
        """What can't be answered again; all else but some questions is answered as before. About runs that are not this
        one, if one is given, only a part is asked.
        """
        failures = {}
        for script in SCRIPTS:
            for name, ask in questions(client, script).items():
                if name in but or run not in ("", script.run_id) and name not in A_PART:
                    continue
                try:
                    assert ask() == self.asked[script.run_id, name], (script.run_id, name)
                except grpc.RpcError as error:
                    failure = Failure.of(error)
                    assert (failure.code.name, failure.reason) == ("DATA_LOSS", "DAMAGED"), failure
                    failures[script.run_id, name] = failure
        return failures


def questions(client, script: Script) -> dict:
    """All that can be asked about a run, by name."""
    run_id = script.run_id

    def of_metric(metric: int):
        return lambda: timeline(client, run_id, metric)

    def few_points():
        # Which points there are depends on whether there is a rollup, but what they say does not.
        assert_timelines_sum_up(client, run_id, RECORDED[run_id], 20, SUMMED_UP[:1])
        assert_losses_sum_up(client, run_id, RECORDED[run_id], 20)

    return {
        **{v1.Metric.Name(metric): of_metric(metric) for metric in METRICS},
        "losses": lambda: loss_timeline(client, run_id),
        "histograms": lambda: histograms(client, run_id),
        "alerts": lambda: client.list_alerts(run_id=run_id),
        "layers": lambda: client.query.ListLayers(v1.ListLayersRequest(run_id=run_id)),
        "transitions": lambda: transitions(client, run_id),
        "few points": few_points,
    }


def transitions(client, run_id: str) -> list:
    """What a subscriber is told who was never there before."""
    request = v1.SubscribeAlertsRequest(run_ids=[run_id], cursor=0, include_pending=True)
    events = client.alerts.SubscribeAlerts(request)
    told = list(itertools.takewhile(lambda event: not event.HasField("caught_up"), events))
    events.cancel()
    return told


RECORDED = {script.run_id: Recorded(script.reports(1)) for script in SCRIPTS}


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory) -> tuple[Path, Answers]:
    """A closed file of all that there can be in one, and what it answers."""
    folder = tmp_path_factory.mktemp("whole")
    with serve(folder) as collector, collector.client() as client:
        for script in SCRIPTS:
            client.register(script.registration())
            for first in range(1, script.total + 1, 500):
                client.report(script.run_id, *script.reports(first, min(first + 499, script.total)))
        eventually(lambda: count(folder, "rollups") == 1 and count(folder, "segments") == 19, "sealed")
        answers = Answers(client)
        for script in SCRIPTS:
            assert_holds(client, script.run_id, RECORDED[script.run_id])
        collector.terminate()
        assert collector.result()[0] == 0
    path = folder / "gradwatch.sqlite"
    with closing(sqlite3.connect(path)) as database:
        # Else many pages hold nothing.
        database.execute("VACUUM")
    return path, answers


def damage_body(path: Path, table: str, column: str, chance: random.Random) -> str:
    """Flips one bit of one body; the run that it is of."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(f"SELECT rowid FROM {table} WHERE length({column}) > 0").fetchall()
        (key,) = chance.choice(rows)
        (body,) = database.execute(f"SELECT {column} FROM {table} WHERE rowid = {key}").fetchone()
        damaged = bytearray(body)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = {key}", (damaged,))
        database.commit()
        return run_of(database, table, key)


def run_of(database: sqlite3.Connection, table: str, row: int) -> str:
    """The run that a row belongs to."""
    while table != "runs":
        column, parents, key = next(rest for name, *rest in PARENTS if name == table)
        join = f"{table} t JOIN {parents} p ON p.{key} = t.{column}"
        (row,) = database.execute(f"SELECT p.rowid FROM {join} WHERE t.rowid = {row}").fetchone()
        table = parents
    return database.execute(f"SELECT id FROM runs WHERE key = {row}").fetchone()[0]


def copied(path: Path, folder: Path) -> Path:
    """The file in a folder of its own, where nothing is left of another copy."""
    for earlier in folder.glob("gradwatch.sqlite*"):
        earlier.unlink()
    return Path(shutil.copy(path, folder / "gradwatch.sqlite"))


@pytest.mark.parametrize("table, column", BODIES)
def test_a_bit_that_flipped_anywhere_is_named_and_all_else_is_served(tmp_path, whole_file, table, column):
    path, answers = whole_file
    chance = seeded(f"a bit of {table}.{column}")
    for _ in range(2):
        run = damage_body(copied(path, tmp_path), table, column, chance)
        found = verified(tmp_path)
        assert found.returncode != 0 and run in found.stdout + found.stderr, (run, found)
        with serve(tmp_path) as collector, collector.client() as client:
            failures = answers.failures(client, run)
            assert {run_id for run_id, _ in failures} <= {run}, failures
            assert bool(failures) != (table in SUMS), failures
            for failure in failures.values():
                assert run in failure.message or "alert" in failure.message, failure
            for script in SCRIPTS:
                # A run's own alert is what its detector can do without.
                if script.run_id != run or table == "alerts":
                    next_ = report(script.total + 1, step=10**6)
                    assert client.report(script.run_id, next_).ack.sequence == next_.sequence


def test_a_damaged_transition_is_passed_over_and_the_log_names_it(tmp_path, whole_file):
    path, answers = whole_file
    run = damage_body(copied(path, tmp_path), "alert_transitions", "body", seeded("a bit of a transition"))
    with serve(tmp_path) as collector, collector.client() as client:
        for script in SCRIPTS:
            told, all_ = transitions(client, script.run_id), answers.asked[script.run_id, "transitions"]
            assert [event for event in all_ if event in told] == told
            assert len(all_) - len(told) == (script.run_id == run)
        collector.terminate()
        assert "alert transition" in collector.result()[2]


def assert_noise_is_named(folder: Path, whole_file, chance: random.Random, share: float, but=frozenset()):
    """Makes the end of one random page after the other noise: right answers, or failures that say what is wrong."""
    path, answers = whole_file
    with closing(sqlite3.connect(path)) as database:
        [(pages, size)] = database.execute("SELECT * FROM pragma_page_count, pragma_page_size")
    for page in chance.sample(range(1, pages + 1), 10):
        copy = copied(path, folder)
        overwrite(copy, page, size, chance, share)
        with serve(folder) as collector:
            try:
                collector.listening()
            except AssertionError:
                # Without some pages nothing can be served.
                code, _, said = collector.result()
                assert code == 1 and str(copy) in said, (page, said)
                continue
            with collector.client() as client:
                failures = answers.failures(client, but=but)
                for failure in failures.values():
                    assert str(copy) in failure.message or "run " in failure.message, failure
                assert client.server_info().version
                print(f"page {page}: {len(failures)} of {len(answers.asked)} questions fail")


def test_noise_in_place_of_any_page_is_named_and_never_an_answer(tmp_path, whole_file):
    assert_noise_is_named(tmp_path, whole_file, seeded("noise"), share=1)


def test_noise_in_half_of_any_page_is_named_and_never_an_answer(tmp_path, whole_file):
    """As of a page of which the power left only the first part written.

    But for transitions, which are passed over if they are damaged, and leave a gap like those of deleted runs if they are lost.
    """
    assert_noise_is_named(tmp_path, whole_file, seeded("half a page"), share=0.5, but={"transitions"})


def test_a_damaged_page_behind_the_tables_first_ones_keeps_nobody_out(tmp_path, whole_file):
    path, answers = whole_file
    copy = copied(path, tmp_path)
    with closing(sqlite3.connect(copy)) as database:
        last_first = "SELECT max(rootpage), page_size FROM sqlite_schema, pragma_page_size"
        [(page, size)] = database.execute(last_first)
    overwrite(copy, page + 1, size, seeded("behind the first pages"))
    with serve(tmp_path) as collector, collector.client() as client:
        assert answers.failures(client)
