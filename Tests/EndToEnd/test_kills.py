"""Hundreds of kills at random moments: of a start, of ingest, of sealing, of the end of a run, of deletions.

Unlike test_crash.py, which kills at chosen places, these kill whenever the clock says. GRADWATCH_TEST_SEED
sets the seed, GRADWATCH_TEST_KILLS how many there are.
"""

import gzip
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from chance import KILLS, SEED
from process import eventually, serve
from reports import Recorded, assert_holds, lose_gradients, registration, report
from roles import KEPT_RUNS, Disconnected, Fate, Role
from scripted import assert_stored, assert_stored_wholly, life, transitions_of
from stored_file import (
    ask,
    assert_is_whole,
    assert_nothing_is_left_over,
    assert_verifies,
    count,
)
from wire import v1

FATES = [Fate.KEPT, Fate.KEPT, Fate.NAMED, Fate.NAMED, Fate.PRUNED, Fate.RETIRED]
"""One for each of the runs at a time; one that ends is followed by the next of its role."""


def live_and_die(folder: Path, roles: list[Role], chance: random.Random):
    """One life of a collector: every role goes on with its runs until the clock says kill."""
    with serve(folder, "--log-level", "error") as collector:
        is_dying, is_deleting = threading.Event(), threading.Event()
        # One in eight dies while it starts; the others within a second, most of them early.
        dies_early = chance.random() < 0.125
        seconds = chance.uniform(0, 0.15) if dies_early else min(chance.expovariate(3), 1.2)

        def kill():
            # Or in the midst of a deletion, which takes some milliseconds.
            if is_deleting.wait(seconds):
                time.sleep(chance.uniform(0, 0.004))
            is_dying.set()
            collector.process.kill()

        def drive(role: Role, own: random.Random):
            def die():
                if own.random() < 0.5:
                    is_deleting.set()

            try:
                with collector.client() as client:
                    while not is_dying.is_set():
                        role.advance(client, own, die)
            except (grpc.RpcError, Disconnected) as error:
                assert is_dying.is_set(), f"{role}: {error}: {collector.stderr}"

        killer = threading.Thread(target=kill)
        if dies_early:
            killer.start()
        try:
            collector.listening()
        except AssertionError:
            assert is_dying.is_set(), collector.stderr
        if not dies_early:
            killer.start()
        if not is_dying.is_set():
            with ThreadPoolExecutor(len(roles)) as pool:
                seeds = [random.Random(chance.random()) for _ in roles]
                list(pool.map(drive, roles, seeds))
        killer.join()
        collector.process.wait()


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path):
    kills = KILLS - KILLS // 4 - KILLS // 8
    print(f"seed {SEED}, {kills} kills")
    chance = random.Random(SEED)
    roles = [Role(number, f"seed {SEED}", fate) for number, fate in enumerate(FATES)]
    with serve(tmp_path) as collector, collector.client() as client:
        for role in roles:
            if role.fate == Fate.RETIRED:
                kept = v1.Retention(maximum_runs=KEPT_RUNS)
                request = v1.SetRetentionRequest(project=role.project, retention=kept)
                client.admin.SetRetention(request)
    cut_short = 0
    for _ in range(kills):
        live_and_die(tmp_path, roles, chance)
        if count(tmp_path, "deletions WHERE NOT is_empty"):
            cut_short += 1
            # Rows of runs that are being deleted belong to something.
            if cut_short % 8 == 1:
                assert_verifies(tmp_path, count(tmp_path, "runs"))

    with serve(tmp_path) as collector, collector.client() as client:
        for role in roles:
            role.advance(client, chance, lambda: None)
            if role.fate == Fate.RETIRED:
                client.admin.PruneRuns(v1.PruneRunsRequest(project=role.project))
                newest = {script.run_id for script in role.ended[-KEPT_RUNS:]}
                # The collector may be pruning at the same time.
                eventually(lambda: role.listed(client) == newest, "what is beyond the limit goes")
            role.settle(client)
            role.assert_gone(client)
        runs = [script for role in roles for script in role.ended]
        gone = [run_id for role in roles for run_id in role.gone]
        for script in runs:
            assert_stored(client, script, script.total)
        for script in chance.sample(runs, min(len(runs), 6)):
            assert_stored_wholly(client, script)
        disturbed = {script.run_id: transitions_of(client, script.run_id) for script in runs}
        for run_id, transitions in disturbed.items():
            listed = client.list_alerts(run_id=run_id)
            last = {transition.alert.alert_id: transition.alert for transition in transitions}
            for alert in listed:
                # What was resolved before the producer went back over its steps is marked without a transition.
                told = last[alert.alert_id].evidence.facts
                if alert.evidence.facts.get("resolution") == "rewound" and "resolution" not in told:
                    del alert.evidence.facts["resolution"]
            assert last == {alert.alert_id: alert for alert in listed}, run_id
            assert len(listed) == len(last), run_id
        # All runs have ended.
        eventually(lambda: count(tmp_path, "log") == 0, "all is sealed")
        eventually(lambda: count(tmp_path, "deletions") == 0, "nothing is left to delete")
        collector.terminate()
        assert collector.result()[0] == 0

    # What was told was kept, under the number under which it was told.
    kept = {t.cursor: (run_id, t) for run_id, all_ in disturbed.items() for t in all_}
    told = {cursor: told for role in roles for cursor, told in role.seen.items()}
    assert {cursor: kept.get(cursor) for cursor in told} == told

    assert_is_whole(tmp_path)
    assert {run_id for (run_id,) in ask(tmp_path, "SELECT id FROM runs")} == disturbed.keys()
    assert count(tmp_path, "alert_transitions") == len(kept)
    assert_nothing_is_left_over(tmp_path)
    assert_verifies(tmp_path, len(runs))
    reports, segments = sum(script.total for script in runs), count(tmp_path, "segments")
    print(f"{len(runs)} runs, {reports} reports, {segments} segments, {len(kept)} transitions")
    print(f"{len(gone)} runs deleted; {cut_short} kills while that was being done")

    (tmp_path / "calm").mkdir()
    with serve(tmp_path / "calm") as collector, collector.client() as client:
        for script in runs:
            client.register(script.registration())
            for first in range(1, script.total + 1, 250):
                last = min(first + 249, script.total)
                client.report(script.run_id, *script.reports(first, last))
            status = v1.RUN_STATUS_FINISHED
            client.ingest.FinishRun(v1.FinishRunRequest(run_id=script.run_id, status=status))
            calm = life(transitions_of(client, script.run_id))
            assert life(disturbed[script.run_id]) == calm, script.run_id


VERSION_1 = Path(__file__).parent / "databases" / "version1.sqlite.gz"
"""A file of the first version: 300 reports of one run, those of `old_report`, 256 of them sealed."""


def old_report(sequence: int):
    message = report(sequence, salt="version 1")
    return lose_gradients(message) if sequence in {100, 290} else message


def test_kills_during_migrations_leave_a_file_that_migrates(tmp_path):
    kills = KILLS // 4
    print(f"seed {SEED}, {kills} kills")
    chance = random.Random(SEED)
    old = gzip.decompress(VERSION_1.read_bytes())

    def migrations() -> int:
        return count(tmp_path, "grdb_migrations")

    def begin_again():
        for path in tmp_path.glob("gradwatch.sqlite*"):
            path.unlink()
        (tmp_path / "gradwatch.sqlite").write_bytes(old)

    def assert_serves():
        with serve(tmp_path) as collector, collector.client() as client:
            assert client.register(registration("run")).producer.last_sequence == 300
            assert_holds(client, "run", Recorded(map(old_report, range(1, 301))))
            assert {alert.rule for alert in client.list_alerts(run_id="run")} >= {"non_finite_loss"}

    begin_again()
    first = migrations()
    started = time.monotonic()
    assert_serves()
    whole, last = time.monotonic() - started, migrations()
    assert first < last
    begin_again()
    seen = []
    for _ in range(kills):
        with serve(tmp_path) as collector:
            time.sleep(chance.uniform(0, whole / 4))
            collector.kill()
        assert_is_whole(tmp_path)
        seen.append(migrations())
        assert first <= seen[-1] <= last
        if seen[-1] == last:
            assert_serves()
            begin_again()
    print("migrations at each kill:", *seen)
    assert_serves()
