"""A long day of a collector: hundreds of runs that come and go, break off, go back and are watched.

What every run sent is kept as a checksum a step, apart from the collector; in the end every acked step is
read back and held against it. Behind scripts/soak, which says how to set it; test_soak.py runs a short one.
"""

import asyncio
import os
import random
import statistics
import struct
import sys
import tempfile
import time
import zlib
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio

from client import PRODUCER, Client
from process import serve
from reports import loss_timeline, timeline
from scripted import Script
from wire import v1

TENSORS = 4

# What the file may take; measured, and half as much again. A run of few reports is mostly pages begun.
BYTES_A_RUN = 64 << 10
BYTES_A_REPORT = 750
WAL_BYTES = 64 << 20


@dataclass
class Settings:
    minutes: float = float(os.environ.get("SOAK_MINUTES", 20))
    runs: int = int(os.environ.get("SOAK_RUNS", 200))
    reports_a_second: float = float(os.environ.get("SOAK_RATE", 1200))
    seed: int = int(os.environ.get("GRADWATCH_TEST_SEED", 20_261_121))


@dataclass
class Record:
    """What one run has sent, known without the collector."""

    script: Script
    steps: array = field(default_factory=lambda: array("Q"))
    checksums: array = field(default_factory=lambda: array("I"))
    acked: int = 0

    @property
    def run_id(self) -> str:
        return self.script.run_id

    def note(self, message):
        if message.sequence == len(self.steps) + 1:
            self.steps.append(message.step)
            losses = [loss.value for loss in message.losses]
            self.checksums.append(checksum(message.step, losses, message.gradients.norm))

    def timeline(self, last: int) -> list[tuple[int, int]]:
        """The step and checksum of each report up to `last` that none after it went back over."""
        kept: list[tuple[int, int]] = []
        for step, sum_ in zip(self.steps[:last], self.checksums):
            while kept and kept[-1][0] >= step:
                kept.pop()
            kept.append((step, sum_))
        return kept


def checksum(step: int, losses, norms) -> int:
    return zlib.crc32(struct.pack(f"<Q{len(losses)}d{len(norms)}d", step, *losses, *norms))


def stored(client: Client, run_id: str) -> list[tuple[int, int]]:
    """The step and checksum of every report that the collector has of a run."""
    losses = loss_timeline(client, run_id)
    norms = timeline(client, run_id, v1.METRIC_GRADIENT_NORM)
    columns = [losses[name] for name in ("loss", "auxiliary") if name in losses]
    columns += [norms[tensor] for tensor in sorted(norms)]
    if not columns:
        return []
    assert len(columns) == 2 + TENSORS
    steps = list(columns[0].steps)
    for column in columns:
        assert list(column.steps) == steps, f"{run_id}: columns of different steps"
    rows = zip(steps, *(column.last for column in columns))
    return [(step, checksum(step, values[:2], values[2:])) for step, *values in rows]


class Soak:
    """The load, and what it finds wrong."""

    def __init__(self, collector, settings: Settings):
        self.collector = collector
        self.settings = settings
        self.records: list[Record] = []
        self.wrong: list[str] = []
        self.counts: Counter = Counter()
        self.resident: list[int] = []
        self.largest_wal = 0
        self._seen: list[list[int]] = []
        self._end = time.monotonic() + 60 * settings.minutes
        self._pause = settings.runs / settings.reports_a_second

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._end

    def complain(self, text: str):
        self.wrong.append(text)
        print("WRONG:", text, flush=True)

    async def run(self):
        chance = random.Random(self.settings.seed)
        tasks = [self.slot(number, random.Random(chance.random())) for number in range(self.settings.runs)]
        tasks += [self.query(random.Random(chance.random())) for _ in range(3)]
        tasks += [self.subscribe(random.Random(chance.random())) for _ in range(4)]
        tasks += [self.sleepy_subscriber(), self.measure()]
        await asyncio.gather(*(self.guarded(task) for task in tasks))

    async def guarded(self, task):
        try:
            await task
        except Exception as error:
            self.complain(f"{type(error).__name__}: {error}")

    # Runs

    async def slot(self, number: int, chance: random.Random):
        """One run after the other, as a place in a cluster has them."""
        await asyncio.sleep(chance.uniform(0, min(20, 15 * self.settings.minutes)))
        incarnation = 0
        while not self.is_over:
            run_id = f"soak {self.settings.seed} place {number} run {incarnation}"
            record = Record(Script(run_id, chance.choice([20, 200, 600, 2000])))
            self.records.append(record)
            await self.train(record, chance)
            incarnation += 1

    async def train(self, record: Record, chance: random.Random):
        while not self.is_over and record.acked < record.script.total:
            async with self.channel() as channel:
                ingest = v1.IngestServiceStub(channel)
                registered = await ingest.RegisterRun(record.script.registration(project="soak"))
                self.check_last(record, registered.producer.last_sequence)
                # Some connections last for the whole run.
                count = chance.choice([5, 40, 300, record.script.total])
                await self.stream(ingest, record, count, chance)
            self.counts["connections"] += 1
        if record.acked == record.script.total:
            async with self.channel() as channel:
                status = chance.choice([v1.RUN_STATUS_FINISHED, v1.RUN_STATUS_ABORTED])
                request = v1.FinishRunRequest(run_id=record.run_id, status=status)
                await v1.IngestServiceStub(channel).FinishRun(request)
            self.counts["runs finished"] += 1
            if chance.random() < 0.2:
                await asyncio.to_thread(self.verify, record)

    def channel(self):
        # Else channels to one address share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.insecure_channel(self.collector.target, options=options)

    def check_last(self, record: Record, last: int):
        if not record.acked <= last <= len(record.steps):
            self.complain(f"{record.run_id}: acked {record.acked}, sent {len(record.steps)}, has {last}")

    async def stream(self, ingest, record: Record, count: int, chance: random.Random):
        """Sends some reports on one stream, which ends in one of the ways in which streams end."""
        call = ingest.StreamTelemetry()
        opening = v1.StreamOpen(run_id=record.run_id, producer_id=PRODUCER, want_alerts=True)
        await call.write(v1.StreamTelemetryRequest(open=opening))
        opened = (await call.read()).opened
        self.check_last(record, opened.last_sequence)
        record.acked = opened.last_sequence
        acked = asyncio.Event()
        reading = asyncio.create_task(self.read_acks(call, record, acked))
        sent = opened.last_sequence
        end = min(opened.last_sequence + count, record.script.total)
        how = chance.choice(["done", "cancel", "vanish", "superseded"])
        try:
            for sequence in range(opened.last_sequence + 1, end + 1):
                while sequence - record.acked > 32 and not reading.done():
                    acked.clear()
                    await acked.wait()
                if self.is_over:
                    break
                message = record.script.nth(sequence)
                record.note(message)
                await call.write(v1.StreamTelemetryRequest(report=message))
                sent = sequence
                self.counts["reports sent"] += 1
                await asyncio.sleep(chance.uniform(0, 2 * self._pause))
            if how == "superseded":
                newer = ingest.StreamTelemetry()
                await newer.write(v1.StreamTelemetryRequest(open=opening))
                await newer.read()
                newer.cancel()
            elif how == "cancel":
                call.cancel()
            elif how == "done":
                await call.done_writing()
            # Else the channel is closed under it.
            if how in {"done", "superseded"}:
                await reading
                expected = grpc.StatusCode.OK if how == "done" else grpc.StatusCode.ABORTED
                code = await call.code()
                if code != expected:
                    self.complain(f"{record.run_id}: {how}: {code}: {await call.details()}")
                if how == "done" and record.acked < sent:
                    self.complain(f"{record.run_id}: closed with {record.acked} of {sent} acked")
        finally:
            reading.cancel()
            self.counts[f"ended by {how}"] += 1

    async def read_acks(self, call, record: Record, acked: asyncio.Event):
        try:
            while (event := await call.read()) is not grpc.aio.EOF:
                if event.HasField("ack"):
                    record.acked = max(record.acked, event.ack.sequence)
                    for refusal in event.ack.refusals:
                        self.complain(f"{record.run_id}: refused: {refusal}")
                elif event.HasField("gap"):
                    self.complain(f"{record.run_id}: gap: {event.gap}")
                elif event.HasField("alert"):
                    self.counts["alerts on streams"] += 1
                acked.set()
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            # The one who waits for the end looks at the status.
            pass
        finally:
            acked.set()

    # Readers

    async def query(self, chance: random.Random):
        """Somebody who looks at one run after the other."""
        with Client(self.collector.target) as client:
            while not self.is_over:
                if self.records:
                    record = chance.choice(self.records[-2 * self.settings.runs :])
                    await asyncio.to_thread(self.look_at, client, record, chance)
                await asyncio.sleep(chance.uniform(0, 0.5))

    def look_at(self, client: Client, record: Record, chance: random.Random):
        run_id, query = record.run_id, client.query
        other = chance.choice(self.records).run_id
        looks = {
            "timeline": lambda: self.look_at_timeline(client, record),
            "reduced": lambda: timeline(client, run_id, v1.METRIC_PARAMETER_NORM, max_points=50),
            "histograms": lambda: list(query.GetHistograms(v1.GetHistogramsRequest(run_id=run_id))),
            "runs": lambda: query.ListRuns(v1.ListRunsRequest()),
            "alerts": lambda: client.list_alerts(run_id=run_id),
            "diagnosis": lambda: query.DiagnoseRun(v1.DiagnoseRunRequest(run_id=run_id)),
            "comparison": lambda: list(
                query.CompareRuns(v1.CompareRunsRequest(run_a=run_id, run_b=other))
            ),
        }
        name = chance.choice(list(looks))
        try:
            looks[name]()
            self.counts["queries"] += 1
        except grpc.RpcError as error:
            # A run that has not registered or reported yet, or that is held against itself.
            benign = {"NOT_FOUND", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
            if error.code().name not in benign:
                self.complain(f"{name} of {run_id}: {error.code()}: {error.details()}")

    def look_at_timeline(self, client: Client, record: Record):
        acked = record.acked
        points = loss_timeline(client, record.run_id).get("auxiliary", v1.SeriesColumns())
        if list(points.steps) != sorted(set(points.steps)):
            self.complain(f"{record.run_id}: steps do not ascend")
        # The newest report that counts is one that was acked before the question, or came later.
        newest = max((int(value) & 0xFFFFF for value in points.last), default=0)
        if newest < acked:
            self.complain(f"{record.run_id}: acked {acked}, and the newest that is read is {newest}")

    async def subscribe(self, chance: random.Random):
        """A subscriber that goes away and comes back where it was; hears of everything once."""
        seen: list[int] = []
        self._seen.append(seen)
        cursor = 0
        while not self.is_over:
            async with self.channel() as channel:
                request = v1.SubscribeAlertsRequest(cursor=cursor, include_pending=True)
                call = v1.AlertServiceStub(channel).SubscribeAlerts(request)
                leave = time.monotonic() + chance.uniform(0.1, 10)
                try:
                    while time.monotonic() < leave and not self.is_over:
                        event = await asyncio.wait_for(call.read(), 1)
                        if event.HasField("transition"):
                            cursor = event.transition.cursor
                            seen.append(cursor)
                except TimeoutError:
                    # The read that was given up has ended the call.
                    pass
                except grpc.aio.AioRpcError as error:
                    if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                        self.complain(f"subscription: {error.code()}: {error.details()}")
            self.counts["subscriptions"] += 1

    async def sleepy_subscriber(self):
        """One that reads hardly anything, and must not hold anybody up."""
        async with self.channel() as channel:
            while not self.is_over:
                request = v1.SubscribeAlertsRequest(cursor=0, include_pending=True)
                call = v1.AlertServiceStub(channel).SubscribeAlerts(request)
                try:
                    while not self.is_over:
                        await call.read()
                        await asyncio.sleep(1)
                except grpc.aio.AioRpcError as error:
                    self.counts[f"sleepy subscriber {error.code().name}"] += 1
                call.cancel()

    async def measure(self):
        """Memory and file, twice a second."""
        database = self.collector.folder / "gradwatch.sqlite-wal"
        while not self.is_over:
            if self.collector.process.poll() is not None:
                self.complain(f"the collector ended: {self.collector.stderr}")
                self._end = 0
                return
            self.resident.append(self.collector.resident_bytes())
            self.largest_wal = max(self.largest_wal, database.stat().st_size)
            await asyncio.sleep(0.5)

    # The end

    def verify(self, record: Record):
        """Holds all that a run has against what was sent."""
        with Client(self.collector.target) as client:
            run = client.query.GetRun(v1.GetRunRequest(run_id=record.run_id)).run
            last = run.producers[0].last_sequence
            self.check_last(record, last)
            expected = record.timeline(last)
            if not expected:
                return
            found = stored(client, record.run_id)
            if found != expected:
                wrong = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), "the end")
                self.complain(
                    f"{record.run_id}: up to report {last} expected {len(expected)} steps,"
                    f" found {len(found)}, they part at {wrong}"
                )
            self.counts["steps verified"] += len(found)

    def verify_all(self):
        for record in self.records:
            # One may have ended before it registered.
            if record.steps:
                self.verify(record)
        with Client(self.collector.target) as client:
            history = client.subscribe(cursor=0, include_pending=True)
            history.wait_until_live()
            history.cancel()
            all_ = [transition.cursor for transition in history.transitions]
        if all_ != sorted(set(all_)):
            self.complain("cursors do not ascend")
        for number, seen in enumerate(self._seen):
            if seen != all_[: len(seen)]:
                self.complain(f"subscriber {number} missed transitions, or heard of some twice")
        self.counts["transitions"] = len(all_)

    def verify_sizes(self, file_bytes: int):
        third = max(1, len(self.resident) // 3)
        first = statistics.mean(self.resident[:third]) / 2**20
        last = statistics.mean(self.resident[-third:]) / 2**20
        print(f"memory: first third {first:.0f} MiB, last third {last:.0f} MiB, peak"
              f" {max(self.resident) / 2**20:.0f} MiB")
        if last > 1.25 * first + 48:
            self.complain(f"memory grew from {first:.0f} to {last:.0f} MiB")
        bound = (8 << 20) + BYTES_A_RUN * len(self.records) + BYTES_A_REPORT * self.counts["reports sent"]
        reports = max(1, self.counts["reports sent"])
        print(f"file: {file_bytes / 2**20:.1f} MiB, {file_bytes / reports:.0f} bytes a report of"
              f" {TENSORS} tensors; write-ahead log at most {self.largest_wal / 2**20:.1f} MiB")
        if file_bytes > bound:
            self.complain(f"the file has {file_bytes} bytes, expected at most {bound}")
        if self.largest_wal > WAL_BYTES:
            self.complain(f"the write-ahead log had {self.largest_wal} bytes")


def main() -> int:
    settings = Settings()
    print(f"soak: {settings}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gradwatch-soak-") as folder:
        with serve(Path(folder), "--log-level", "warning") as collector:
            collector.listening()
            soak = Soak(collector, settings)
            asyncio.run(soak.run())
            soak.verify_all()
            collector.terminate()
            status, _, stderr = collector.result()
        if status != 0:
            soak.complain(f"the collector ended with {status}")
        if stderr:
            print("the collector said:", *stderr.splitlines()[-20:], sep="\n  ")
        soak.verify_sizes((Path(folder) / "gradwatch.sqlite").stat().st_size)
    print(f"{len(soak.records)} runs;", ", ".join(f"{n} {what}" for what, n in sorted(soak.counts.items())))
    print("soak:", f"{len(soak.wrong)} discrepancies" if soak.wrong else "nothing is wrong")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
