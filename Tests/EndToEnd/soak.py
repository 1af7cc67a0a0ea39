"""A long day of a collector: hundreds of runs that come and go, break off, go back, are watched and deleted.

What every run sent is kept as a checksum a step, apart from the collector; in the end every acked step of every
run that was not deleted is read back and held against it. Behind scripts/soak, which says how to set it;
test_soak.py runs a short one.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chance import SEED
from client import Client
from process import binary, eventually, serve
from soak_load import Load
from soak_record import TENSORS, is_gone
from wire import v1

# What the file may take; measured, and half as much again. A run of few reports is mostly pages begun.
BYTES_A_RUN = 64 << 10
BYTES_A_REPORT = 750
WAL_BYTES = 64 << 20


@dataclass
class Settings:
    minutes: float = float(os.environ.get("SOAK_MINUTES", 20))
    runs: int = int(os.environ.get("SOAK_RUNS", 200))
    reports_a_second: float = float(os.environ.get("SOAK_RATE", 1200))
    seed: int = SEED


class Sizes:
    """Memory and file of a collector over time, and what there was to keep."""

    def __init__(self, load: Load):
        self.load = load
        self.resident: list[int] = []
        self.largest_wal = 0
        self.most_bytes = 0
        """The most that the runs which were there at one time may take."""

    async def measure(self):
        """Twice a second."""
        collector = self.load.collector
        log = collector.folder / "gradwatch.sqlite-wal"
        while not self.load.is_over:
            if collector.process.poll() is not None:
                self.load.complain(f"the collector ended: {collector.stderr}")
                self.load.end = 0
                return
            self.resident.append(collector.resident_bytes())
            self.largest_wal = max(self.largest_wal, log.stat().st_size)
            there = [record.acked for record in self.load.records if not record.is_deleted]
            bytes_ = BYTES_A_RUN * len(there) + BYTES_A_REPORT * sum(there)
            self.most_bytes = max(self.most_bytes, bytes_)
            await asyncio.sleep(0.5)

    def verify(self, file_bytes: int):
        """Memory that grows is a leak; a file that is larger than what was there at one time uses no space again."""
        count = len(self.resident)
        quarters = [
            statistics.mean(self.resident[n * count // 4 : (n + 1) * count // 4] or [0]) / 2**20
            for n in range(4)
        ]
        print(f"memory: quarters {', '.join(f'{mean:.0f}' for mean in quarters)} MiB, peak"
              f" {max(self.resident) / 2**20:.0f} MiB")
        # In the first one the runs begin, and malloc takes what it keeps from then on.
        if quarters[3] > 1.1 * quarters[1] + 24:
            self.load.complain(f"memory grew from {quarters[1]:.0f} to {quarters[3]:.0f} MiB")
        bound = (8 << 20) + self.most_bytes
        reports = max(1, self.load.counts["reports sent"])
        print(f"file: {file_bytes / 2**20:.1f} MiB, at most {bound / 2**20:.1f} allowed,"
              f" {file_bytes / reports:.0f} bytes a report of {TENSORS} tensors that was sent;"
              f" write-ahead log at most {self.largest_wal / 2**20:.1f} MiB")
        if file_bytes > bound:
            self.load.complain(f"the file has {file_bytes} bytes, expected at most {bound}")
        if self.largest_wal > WAL_BYTES:
            self.load.complain(f"the write-ahead log had {self.largest_wal} bytes")


def verify_runs(load: Load, client: Client):
    """Every acked step of every run that is there, and that no other is."""
    there = {run.run_id for run in all_runs(client)}
    for record in load.records:
        if record.is_deleted:
            if record.run_id in there or not is_gone(client, record):
                load.complain(f"{record.run_id}: deleted, and there")
        elif record.steps:
            # Else it may have ended before it registered.
            load.verify(record)
    if unknown := there - {record.run_id for record in load.records}:
        load.complain(f"runs that nobody sent: {unknown}")


def all_runs(client: Client) -> list:
    runs, token = [], ""
    while True:
        page = client.query.ListRuns(v1.ListRunsRequest(page_size=1000, page_token=token))
        runs += page.runs
        if not (token := page.next_page_token):
            return runs


def verify_alerts(load: Load, client: Client):
    """That every subscriber heard once of every transition, of those whose run is still there."""
    history = client.subscribe(cursor=0, include_pending=True)
    history.wait_until_live()
    history.cancel()
    all_ = [(transition.cursor, transition.alert.run_id) for transition in history.transitions]
    if all_ != sorted(set(all_)):
        load.complain("cursors do not ascend")
    gone = {record.run_id for record in load.records if record.is_deleted}
    if any(run_id in gone for _, run_id in all_):
        load.complain("transitions of runs that were deleted")
    for number, heard in enumerate(load.heard):
        if heard != sorted(set(heard)):
            load.complain(f"subscriber {number} heard of a transition twice")
        last = heard[-1][0] if heard else 0
        there = [entry for entry in heard if entry[1] not in gone]
        if there != [entry for entry in all_ if entry[0] <= last]:
            load.complain(f"subscriber {number} missed transitions")
    load.counts["transitions"] = len(all_)


def main() -> int:
    settings = Settings()
    print(f"soak: {settings}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gradwatch-soak-") as name:
        folder = Path(name)
        database = folder / "gradwatch.sqlite"
        with serve(folder, "--log-level", "warning") as collector:
            collector.listening()
            load = Load(
                collector,
                settings.runs,
                settings.reports_a_second,
                60 * settings.minutes,
                settings.seed,
            )
            sizes = Sizes(load)
            asyncio.run(load.run(sizes.measure()))
            with collector.client() as client:
                verify_runs(load, client)
                verify_alerts(load, client)
                stats = lambda: client.admin.GetStats(v1.GetStatsRequest())
                eventually(lambda: stats().deletions_in_progress == 0, "nothing is left to delete")
            collector.terminate()
            status, _, stderr = collector.result()
        if status != 0:
            load.complain(f"the collector ended with {status}")
        if stderr:
            print("the collector said:", *stderr.splitlines()[-20:], sep="\n  ")
        sizes.verify(database.stat().st_size)
        command = [binary(), "store", "verify", str(database)]
        verified = subprocess.run(command, capture_output=True, text=True)
        print("verified:", *verified.stdout.splitlines()[-2:])
        if verified.returncode != 0:
            load.complain(f"the file is damaged: {verified.stdout[:2000]}{verified.stderr}")
    print(f"{len(load.records)} runs;", ", ".join(f"{n} {what}" for what, n in sorted(load.counts.items())))
    print("soak:", f"{len(load.wrong)} discrepancies" if load.wrong else "nothing is wrong")
    return 1 if load.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
