"""Kills at random moments while rollups are written: answers of few points stay those of the reports.

There are rollups from 4,096 reports on, so that these runs are longer than those of test_kills.py.
"""

import functools
import math
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc

from chance import KILLS, SEED
from coarse import SUMMED_UP, assert_histograms_sum_up, assert_losses_sum_up, assert_timelines_sum_up
from process import eventually, serve
from reports import Recorded, registration, report
from scripted import TEMPLATES, Script
from stored_file import assert_is_whole, assert_verifies, count
from wire import v1

LONG = 66_000
"""Reports of a run with a rollup that is made of rollups: 16 of the first level, each of 4,096 reports."""

BEGUN, ROLLED = 4_050, 4_700
"""Reports of the other runs at first, some too few for a rollup, and in all."""

MOST_AT_ONCE = 200
"""The most reports of one call."""


@functools.cache
def _long_report(number: int):
    message = report(1, layers=1, salt=f"long {number}")
    norms = message.gradients.norm[:]
    for field in ("activations", "gradients", "losses", "parameters"):
        message.ClearField(field)
    message.gradients.norm.extend(norms)
    return message


def long_report(sequence: int):
    """The report of this number of the long run: only norms, some of them not finite, and histograms."""
    message = v1.StepReport()
    message.CopyFrom(_long_report(sequence % TEMPLATES))
    message.sequence, message.step = sequence, sequence - 1
    if sequence % 101 == 0:
        message.gradients.norm[:] = [math.nan, math.inf]
    return message


class Rolling:
    """A file of runs for which rollups are due: of the long one when it is opened, of the others when they go on."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "gradwatch.sqlite"
        # Few go back, so that there are thousands of steps; but some, because that takes a rollup away.
        names = [f"seed {SEED} rolling {number}" for number in range(3)]
        self.scripts = [Script(name, ROLLED, rewinds=0.0004) for name in names]
        self.long = Recorded(map(long_report, range(1, LONG + 1)))
        self.acked: dict[str, int] = {}
        self._before = b""

    def prepare(self) -> float:
        """Makes the file; returns how many seconds a collector takes for the rollups of the long run."""
        with serve(self.folder) as collector, collector.client() as client:
            client.register(registration("long", layers=1))
            sent = list(self.long.by_step.values())
            for first in range(0, LONG, 1000):
                client.report("long", *sent[first : first + 1000])
            for script in self.scripts:
                client.register(script.registration())
                client.report(script.run_id, *script.reports(1, BEGUN))
            eventually(self.is_rolled_up, "the long run is rolled up")
            collector.terminate()
            assert collector.result()[0] == 0
        with closing(sqlite3.connect(self.path)) as database:
            # As in a file of before there were rollups.
            for table in ("rollups", "rollup_chunks", "rollup_histograms", "rollup_scalars"):
                database.execute(f"DELETE FROM {table}")
            database.commit()
        self._before = self.path.read_bytes()
        self.begin_again()
        started = time.monotonic()
        with serve(self.folder) as collector:
            collector.listening()
            eventually(self.is_rolled_up, "the long run is rolled up")
        seconds = time.monotonic() - started
        self.begin_again()
        return seconds

    def begin_again(self):
        for path in self.folder.glob("gradwatch.sqlite*"):
            path.unlink()
        self.path.write_bytes(self._before)
        self.acked = {script.run_id: BEGUN for script in self.scripts}

    def is_rolled_up(self) -> bool:
        """Whether the rollup that is made of rollups is there."""
        return count(self.folder, "rollups WHERE level = 2") > 0

    def is_over(self) -> bool:
        """Whether all was sent, too."""
        return self.is_rolled_up() and all(acked == ROLLED for acked in self.acked.values())

    def last_of(self, client, script: Script) -> int:
        """Where a run goes on; what was acked is there."""
        last = client.register(script.registration()).producer.last_sequence
        acked = self.acked[script.run_id]
        assert acked <= last <= acked + MOST_AT_ONCE, (script.run_id, acked, last)
        self.acked[script.run_id] = last
        return last

    def go_on(self, collector, script: Script, chance: random.Random, is_dying: threading.Event):
        """Reads a run in few points and sends what is left of it, until the collector dies."""
        try:
            with collector.client() as client:
                last = self.last_of(client, script)
                if chance.random() < 0.3:
                    recorded = Recorded(map(script.nth, script.kept(last)))
                    points = chance.randrange(3, 40)
                    assert_timelines_sum_up(client, script.run_id, recorded, points, SUMMED_UP[:1])
                while last < script.total and not is_dying.is_set():
                    end = min(last + chance.randrange(1, MOST_AT_ONCE + 1), script.total)
                    reports = script.reports(last + 1, end)
                    last = client.report(script.run_id, *reports).ack.sequence
                    self.acked[script.run_id] = last
        except grpc.RpcError as error:
            assert is_dying.is_set(), f"{script.run_id}: {error}: {collector.stderr}"

    def live_and_die(self, chance: random.Random, most: float):
        """One life of a collector, of at most so many seconds."""
        is_dying = threading.Event()
        seeds = [random.Random(chance.random()) for _ in self.scripts]
        with serve(self.folder, "--log-level", "error") as collector, ThreadPoolExecutor() as pool:
            collector.listening()
            going = [
                pool.submit(self.go_on, collector, script, own, is_dying)
                for script, own in zip(self.scripts, seeds)
            ]
            time.sleep(chance.uniform(0, most))
            is_dying.set()
            collector.kill()
            for future in going:
                future.result()

    def check(self, scripts: list[Script], chance: random.Random) -> int:
        """Reads some runs and the long one in few points; returns how many of these were certainly of rollups."""
        assert_is_whole(self.folder)
        with serve(self.folder) as collector, collector.client() as client:
            for script in scripts:
                last = self.last_of(client, script)
                recorded = Recorded(map(script.nth, script.kept(last)))
                assert_timelines_sum_up(client, script.run_id, recorded, chance.randrange(3, 40))
                assert_losses_sum_up(client, script.run_id, recorded, chance.randrange(3, 40))
                assert_histograms_sum_up(client, script.run_id, recorded, chance.randrange(3, 40))
            # So many points that rollups of the first level serve, and so few that the second does.
            reaching = sum(
                assert_timelines_sum_up(client, "long", self.long, points, SUMMED_UP[:1])
                for points in (chance.randrange(300, 1000), chance.randrange(7, 60))
            )
            collector.terminate()
            assert collector.result()[0] == 0
        assert_verifies(self.folder, 1 + len(self.scripts))
        return reaching


def test_kills_while_rollups_are_written_leave_them_true(tmp_path):
    kills = KILLS // 8
    print(f"seed {SEED}, {kills} kills")
    chance = random.Random(SEED)
    rolling = Rolling(tmp_path)
    whole = rolling.prepare()
    made, unfinished, reaching = [], 0, 0
    for _ in range(kills):
        rolling.live_and_die(chance, whole)
        made.append(count(tmp_path, "rollups"))
        # Chunks without their row are of a rollup that was being written.
        left = "rollup_chunks WHERE key / 262144 NOT IN (SELECT id FROM rollups)"
        unfinished += count(tmp_path, left) > 0
        if rolling.is_over():
            reaching += rolling.check([chance.choice(rolling.scripts)], chance)
            rolling.begin_again()
    print("rollups at each kill:", *made)
    print(f"{unfinished} kills within a rollup; {reaching} points were certainly of rollups")
    with serve(tmp_path) as collector:
        collector.listening()
        eventually(rolling.is_rolled_up, "the rest is rolled up")
    assert rolling.check(rolling.scripts, chance)
    assert len(set(made)) > 3, "kills hit between rollups"
