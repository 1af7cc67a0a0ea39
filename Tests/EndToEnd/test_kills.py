"""Hundreds of kills at random moments: of a start, of ingest, of sealing, of the end of a run.

Unlike test_crash.py, which kills at chosen places, these kill whenever the clock says. GRADWATCH_TEST_SEED
sets the seed, GRADWATCH_TEST_KILLS how many there are.
"""

import gzip
import os
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from process import eventually, serve
from reports import Recorded, assert_holds, lose_gradients, registration, report
from scripted import Script, assert_stored, assert_stored_wholly, life, transitions_of
from wire import v1

SEED = int(os.environ.get("GRADWATCH_TEST_SEED", 20_261_121))
KILLS = int(os.environ.get("GRADWATCH_TEST_KILLS", 210))
"""Of all; a quarter of them during migrations."""

ROLES = 4
"""Runs at a time; one that ends is followed by the next of its role."""


@dataclass
class Role:
    """A line of runs, one after the other, and what the collector has promised of the present one."""

    number: int
    incarnation: int = 0
    acked: int = 0
    offered: int = 0
    """The last report that may have arrived."""
    seen: dict[int, tuple[str, v1.AlertTransition]] = field(default_factory=dict)
    """The transitions that came on a stream, by cursor, each with its run."""
    ended: list[Script] = field(default_factory=list)

    def script(self) -> Script:
        run_id = f"seed {SEED} role {self.number} run {self.incarnation}"
        return Script(run_id, random.Random(run_id).choice([30, 300, 700, 1500]))

    def advance(self, client, chance: random.Random):
        """Sends what is left of the present run, ends it, reads all of it back; then the next one is due."""
        script = self.script()
        last = client.register(script.registration()).producer.last_sequence
        assert self.acked <= last <= self.offered, (script.run_id, self.acked, last, self.offered)
        self.acked = last
        if chance.random() < 0.3:
            assert_stored(client, script, last)
        if last < script.total and not self.send(client, script, last):
            return
        status = chance.choice([v1.RUN_STATUS_FINISHED, v1.RUN_STATUS_FAILED])
        client.ingest.FinishRun(v1.FinishRunRequest(run_id=script.run_id, status=status))
        # Sealing of the rest has just begun.
        assert_stored(client, script, script.total)
        self.ended.append(script)
        self.incarnation, self.acked, self.offered = self.incarnation + 1, 0, 0

    def send(self, client, script: Script, last: int) -> bool:
        """Streams the reports after `last`; whether all are acked."""
        self.offered = script.total
        stream = client.stream(script.run_id, want_alerts=True)
        stream.send(*script.reports(last + 1))
        stream.wait(lambda: stream.acked >= script.total or stream.ended, "acks")
        self.acked = max(self.acked, stream.acked)
        for transition in stream.transitions:
            self.seen[transition.cursor] = (script.run_id, transition)
        if stream.acked < script.total:
            failure = stream.end()
            raise Disconnected(failure)
        stream.close()
        stream.end()
        return True


class Disconnected(Exception):
    """A stream ended before all was acked."""


def live_and_die(folder: Path, roles: list[Role], chance: random.Random):
    """One life of a collector: every role goes on with its runs until the clock says kill."""
    with serve(folder, "--log-level", "error") as collector:
        is_dying = threading.Event()

        def kill():
            is_dying.set()
            collector.process.kill()

        def drive(role: Role, own: random.Random):
            try:
                with collector.client() as client:
                    while not is_dying.is_set():
                        role.advance(client, own)
            except (grpc.RpcError, Disconnected) as error:
                assert is_dying.is_set(), f"{role}: {error}: {collector.stderr}"

        # One in eight dies while it starts; the others within a second, most of them early.
        if chance.random() < 0.125:
            timer = threading.Timer(chance.uniform(0, 0.15), kill)
            timer.start()
            try:
                collector.listening()
            except AssertionError:
                assert is_dying.is_set(), collector.stderr
        else:
            collector.listening()
            timer = threading.Timer(min(chance.expovariate(3), 1.2), kill)
            timer.start()
        if not is_dying.is_set():
            with ThreadPoolExecutor(len(roles)) as pool:
                seeds = [random.Random(chance.random()) for _ in roles]
                list(pool.map(drive, roles, seeds))
        timer.join()
        collector.process.wait()


def ask(folder: Path, sql: str) -> list:
    """What the file answers, beside the collector or after it."""
    with closing(sqlite3.connect(folder / "gradwatch.sqlite")) as database:
        return database.execute(sql).fetchall()


def count(folder: Path, table: str) -> int:
    return ask(folder, f"SELECT count(*) FROM {table}")[0][0]


def assert_is_whole(folder: Path):
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path):
    kills = KILLS - KILLS // 4
    print(f"seed {SEED}, {kills} kills")
    chance = random.Random(SEED)
    roles = [Role(number) for number in range(ROLES)]
    for _ in range(kills):
        live_and_die(tmp_path, roles, chance)

    with serve(tmp_path) as collector, collector.client() as client:
        for role in roles:
            role.advance(client, chance)
        runs = [script for role in roles for script in role.ended]
        for script in runs:
            assert_stored(client, script, script.total)
        for script in chance.sample(runs, min(len(runs), 6)):
            assert_stored_wholly(client, script)
        disturbed = {script.run_id: transitions_of(client, script.run_id) for script in runs}
        for run_id, transitions in disturbed.items():
            listed = client.list_alerts(run_id=run_id)
            last = {transition.alert.alert_id: transition.alert for transition in transitions}
            assert last == {alert.alert_id: alert for alert in listed}, run_id
            assert len(listed) == len(last), run_id
        # All runs have ended.
        eventually(lambda: count(tmp_path, "log") == 0, "all is sealed")
        collector.terminate()
        assert collector.result()[0] == 0

    # What was told was kept, under the number under which it was told.
    kept = {t.cursor: (run_id, t) for run_id, all_ in disturbed.items() for t in all_}
    told = {cursor: told for role in roles for cursor, told in role.seen.items()}
    assert {cursor: kept.get(cursor) for cursor in told} == told

    assert_is_whole(tmp_path)
    reports, segments = sum(script.total for script in runs), count(tmp_path, "segments")
    print(f"{len(runs)} runs, {reports} reports, {segments} segments, {len(kept)} transitions")

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
