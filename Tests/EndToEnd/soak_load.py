"""The load of a soak: runs that come and go, and those who read, watch and delete them."""

import asyncio
import random
import time
from collections import Counter

import grpc
import grpc.aio

from client import PRODUCER, Client
from reports import loss_timeline, timeline
from scripted import Script
from soak_record import Record, difference, is_gone
from wire import v1

PRUNED_SHARE = 4
"""One of so many places has its runs in the project of which few are kept."""


class Load:
    """Everything that is done to a collector, and what was wrong with its answers."""

    def __init__(self, collector, places: int, reports_a_second: float, seconds: float, seed: int):
        self.collector = collector
        self.places = places
        self.seed = seed
        self.records: list[Record] = []
        self.wrong: list[str] = []
        self.counts: Counter = Counter()
        self.heard: list[list[tuple[int, str]]] = []
        """For each subscriber the transitions that it heard of: cursor and run."""
        self.kept_runs = places // PRUNED_SHARE + places // 40
        """How many runs are kept of the project that is pruned; those in progress count."""
        self.end = time.monotonic() + seconds
        self._seconds = seconds
        self._pause = places / reports_a_second

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.end

    def complain(self, text: str):
        self.wrong.append(text)
        print("WRONG:", text, flush=True)

    async def run(self, *others):
        """Keeps the collector busy until time is up, and `others` with it."""
        chance = random.Random(self.seed)

        def own() -> random.Random:
            return random.Random(chance.random())

        tasks = [self.place(number, own()) for number in range(self.places)]
        tasks += [self.query(own()) for _ in range(3)]
        tasks += [self.subscribe(own()) for _ in range(4)]
        tasks += [self.sleepy_subscriber(), self.prune(), *others]
        await asyncio.gather(*(self.guarded(task) for task in tasks))

    async def guarded(self, task):
        try:
            await task
        except Exception as error:
            self.complain(f"{type(error).__name__}: {error}")

    # Runs

    async def place(self, number: int, chance: random.Random):
        """One run after the other, as a place in a cluster has them."""
        await asyncio.sleep(chance.uniform(0, min(20, self._seconds / 4)))
        incarnation = 0
        while not self.is_over:
            run_id = f"soak {self.seed} place {number} run {incarnation}"
            script = Script(run_id, chance.choice([20, 200, 600, 2000]))
            record = Record(script, is_pruned=number % PRUNED_SHARE == 0)
            self.records.append(record)
            await self.train(record, chance)
            incarnation += 1

    async def train(self, record: Record, chance: random.Random):
        total = record.script.total
        while not self.is_over and record.acked < total and not record.is_deleted:
            async with self.channel() as channel:
                ingest = v1.IngestServiceStub(channel)
                registered = await ingest.RegisterRun(record.script.registration(project=record.project))
                self.check_last(record, registered.producer.last_sequence)
                # Some connections last for the whole run.
                count = chance.choice([5, 40, 300, record.script.total])
                await self.stream(channel, record, count, chance)
            self.counts["connections"] += 1
        if record.acked == total and not record.is_deleted:
            async with self.channel() as channel:
                status = chance.choice([v1.RUN_STATUS_FINISHED, v1.RUN_STATUS_ABORTED])
                request = v1.FinishRunRequest(run_id=record.run_id, status=status)
                record.is_finished = True
                await v1.IngestServiceStub(channel).FinishRun(request)
                self.counts["runs finished"] += 1
                if chance.random() < 0.2:
                    await asyncio.to_thread(self.verify, record)
                if not record.is_pruned and chance.random() < 0.35:
                    await self.delete(channel, record)

    async def delete(self, channel, record: Record, force: bool = False):
        record.is_deleted = True
        request = v1.DeleteRunRequest(run_id=record.run_id, force=force)
        await v1.AdminServiceStub(channel).DeleteRun(request)
        self.counts["runs deleted by force" if force else "runs deleted"] += 1

    def channel(self):
        # Else channels to one address share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.insecure_channel(self.collector.target, options=options)

    def check_last(self, record: Record, last: int):
        if not record.acked <= last <= len(record.steps):
            self.complain(f"{record.run_id}: acked {record.acked}, sent {len(record.steps)}, has {last}")

    async def stream(self, channel, record: Record, count: int, chance: random.Random):
        """Sends some reports on one stream, which ends in one of the ways in which streams end."""
        ingest = v1.IngestServiceStub(channel)
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
        how = chance.choices(["done", "cancel", "vanish", "superseded", "deleted"], [12, 12, 12, 12, 1])[0]
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
            elif how == "deleted":
                await self.delete(channel, record, force=True)
            elif how == "cancel":
                call.cancel()
            elif how == "done":
                await call.done_writing()
            # Else the channel is closed under it.
            endings = {
                "done": grpc.StatusCode.OK,
                "superseded": grpc.StatusCode.ABORTED,
                "deleted": grpc.StatusCode.FAILED_PRECONDITION,
            }
            if how in endings:
                await reading
                code = await call.code()
                if code != endings[how]:
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
                    record = chance.choice(self.records[-2 * self.places :])
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
            # A run that has not registered or reported yet, that is gone, or is held against itself.
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
        if newest < acked and not record.may_be_gone:
            self.complain(f"{record.run_id}: acked {acked}, and the newest that is read is {newest}")

    async def subscribe(self, chance: random.Random):
        """A subscriber that goes away and comes back where it was; hears of everything once."""
        heard: list[tuple[int, str]] = []
        self.heard.append(heard)
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
                            heard.append((cursor, event.transition.alert.run_id))
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

    async def prune(self):
        """An operator who keeps few runs of one project."""
        async with self.channel() as channel:
            admin = v1.AdminServiceStub(channel)
            retention = v1.Retention(maximum_runs=self.kept_runs)
            project = Record(Script("", 0), is_pruned=True).project
            await admin.SetRetention(v1.SetRetentionRequest(project=project, retention=retention))
            while not self.is_over:
                answer = await admin.PruneRuns(v1.PruneRunsRequest(project=project))
                pruned = {entry.run.run_id for entry in answer.pruned}
                for record in self.records:
                    if record.run_id in pruned:
                        pruned.remove(record.run_id)
                        if record.is_deleted or not record.may_be_gone:
                            self.complain(f"{record.run_id} was pruned")
                        record.is_deleted = True
                        self.counts["runs pruned"] += 1
                if pruned:
                    self.complain(f"runs were pruned that nobody knows: {pruned}")
                await asyncio.sleep(min(5, self._seconds / 10))

    def verify(self, record: Record):
        """Holds all that a run has against what was sent."""
        with Client(self.collector.target) as client:
            try:
                wrong = difference(client, record)
            except grpc.RpcError as error:
                wrong = f"{error.code()}: {error.details()}"
            # It may have been pruned meanwhile.
            if wrong and not (record.may_be_gone and is_gone(client, record)):
                self.complain(f"{record.run_id}: {wrong}")
        self.counts["runs read back"] += 1
