"""Under load: memory has its bound, queries go on, and those whose client left stop."""

import functools
import math
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from chance import seeded
from client import DEADLINE, Client
from coarse import assert_timelines_sum_up
from faults import Shim
from process import eventually, serve
from reports import (
    WALL_TIME,
    Recorded,
    expected_bits,
    float32_bits,
    histogram_of,
    histograms,
    registration,
    steps_and_bits,
    timeline,
)
from scripted import Script, assert_stored
from wire import v1

PENDING = 1 << 20
"""The most bytes of reports that may wait, the least that can be chosen; the senders' credits are for more."""


def stats(client: Client):
    return client.admin.GetStats(v1.GetStatsRequest())


def test_what_waits_for_a_slow_disk_stays_within_its_bound_and_is_told(tmp_path):
    shim = Shim(tmp_path)
    chance = seeded("pending")
    scripts = [Script(f"pending {number}", 2000, rewinds=0) for number in range(6)]
    arguments = ["--max-pending-bytes", str(PENDING), "--stream-credits", "1000"]
    with (
        serve(tmp_path, *arguments, environment=shim.environment) as collector,
        collector.client() as client,
    ):

        def pending() -> int:
            told = stats(client)
            assert told.maximum_pending_bytes == PENDING
            assert told.pending_bytes <= PENDING
            return told.pending_bytes

        def unacked() -> int:
            return stats(client).reports.accepted - sum(stream.acked for stream in streams)

        streams = []
        smallest = min(script.nth(1).ByteSize() for script in scripts)
        for script in scripts:
            client.register(script.registration())
            streams.append(client.stream(script.run_id))
            streams[-1].send(*script.reports(1))
        for _ in range(3):
            # From a random moment on, nothing becomes durable for a while.
            stream = chance.choice(streams)
            stream.wait_for_ack(min(stream.acked + chance.randrange(1, 150), 2000))
            shim.hold_syncs()
            # What would not fit is not taken; a report takes little of it.
            most = eventually(lambda: (now := pending()) > 0.99 * PENDING and now, "as much as may wait")
            assert max(pending() for _ in range(50)) <= PENDING
            # The figure is not less than what is there: a report takes in memory what it does on the wire, or more.
            waiting = eventually(lambda: (now := unacked()) * smallest <= PENDING and now, "acks have arrived")
            print(f"{most} bytes wait, of {waiting} reports")
            shim.hold_syncs(False)
        while any(stream.acked < 2000 for stream in streams):
            pending()
        eventually(lambda: pending() == 0, "nothing waits")
        for script in scripts:
            assert_stored(client, script, script.total)


class Sender:
    """A run that is sent as fast as it goes, until it is told to stop."""

    def __init__(self, number: int, at_once: int):
        self.script = Script(f"sender {number}", 400_000, rewinds=0)
        self.acked = 0
        self.offered = 0
        self._at_once = at_once

    def send(self, target: str, is_enough: threading.Event):
        with Client(target) as client:
            client.register(self.script.registration())
            while not is_enough.is_set():
                assert self.offered < self.script.total, "the run is too short"
                self.offered = self.acked + self._at_once
                reports = self.script.reports(self.acked + 1, self.offered)
                self.acked = client.report(self.script.run_id, *reports).ack.sequence
                assert self.acked == self.offered


def check_while_it_comes(client: Client, sender: Sender, chance: random.Random):
    """What was acked is in every answer, and nothing in one that was not sent."""
    acked = sender.acked
    run_id = sender.script.run_id
    # From a step that is in a segment, or not yet.
    first = max(1, acked - chance.randrange(5000))
    first_step = sender.script.nth(first).step
    norms = timeline(client, run_id, v1.METRIC_GRADIENT_NORM, steps=v1.StepRange(first=first_step))
    sent = Recorded(sender.script.reports(first, sender.offered)).series(v1.METRIC_GRADIENT_NORM)
    for tensor, pairs in sent.items():
        found = steps_and_bits(norms[tensor], float32_bits)
        assert acked - first < len(found) <= len(pairs), (run_id, first, acked, len(found))
        assert found == expected_bits(pairs[: len(found)], float32_bits), (run_id, first, acked)

    begin = max(1, acked - chance.randrange(600))
    recorded = Recorded(sender.script.reports(begin, acked))
    steps = v1.StepRange(first=recorded.steps[0], last=recorded.steps[-1])
    found = histograms(client, run_id, steps=steps)
    for tensor, expected in recorded.histograms().items():
        assert [(point.first_step, histogram_of(point)) for point in found[tensor]] == expected

    recorded = Recorded(sender.script.reports(1, min(acked, 6000)))
    points = chance.randrange(10, 60)
    assert_timelines_sum_up(client, run_id, recorded, points, [v1.METRIC_GRADIENT_NORM])
    check_heatmap(client, run_id, recorded, points)


def check_heatmap(client: Client, run_id: str, recorded: Recorded, columns: int):
    """No measurement is left out of a heatmap, and none of the largest values."""
    until = v1.StepRange(last=recorded.steps[-1])
    request = v1.GetHeatmapRequest(run_id=run_id, max_columns=columns, steps=until)
    rows = [row for part in client.query.GetHeatmap(request) for row in part.rows]
    series = recorded.series(v1.METRIC_GRADIENT_NORM)
    assert [row.tensor_id for row in rows] == list(series)
    for row, pairs in zip(rows, series.values()):
        finite = [value for _, value in pairs if math.isfinite(value)]
        assert sum(row.counts) == len(pairs)
        assert sum(row.non_finite_counts) == len(pairs) - len(finite)
        assert max(value for value in row.values if math.isfinite(value)) == max(finite)


def test_queries_hold_all_that_was_acked_while_ingest_runs_at_full_rate(collector, client):
    chance = seeded("full rate")
    # Few large calls, and many small ones that wait for one another's commits.
    senders = [Sender(number, at_once) for number, at_once in enumerate((1000, 200, 50))]
    is_enough = threading.Event()
    with ThreadPoolExecutor(len(senders)) as pool:
        sending = [pool.submit(sender.send, collector.target, is_enough) for sender in senders]
        try:
            eventually(lambda: all(sender.acked > 300 for sender in senders), "runs begin")
            for _ in range(2):
                before = [sender.acked for sender in senders]
                for sender in senders:
                    check_while_it_comes(client, sender, chance)
                came = [sender.acked - acked for sender, acked in zip(senders, before)]
                assert all(came), "ingest goes on meanwhile"
                print(f"{came} reports came during the questions")
        finally:
            is_enough.set()
        for future in sending:
            future.result()

TENSORS, STEPS = 3000, 512
WITH_HISTOGRAM = 1000
"""The tensors that have one."""


@functools.cache
def _wide_report(number: int):
    """Norms and histograms such that no two tensors are alike, so that a file of them is large."""
    chance = random.Random(number)
    message = v1.StepReport()
    message.gradients.norm.extend(chance.uniform(0.4, 0.6) for _ in range(TENSORS))
    for tensor in range(WITH_HISTOGRAM):
        positive = chance.randint(1, 2 if tensor % 2 else 10)
        histogram = message.histograms
        histogram.tensor_ids.append(tensor)
        histogram.zero_count.append(1)
        histogram.positive_offset.append(-4)
        histogram.positive_length.append(2)
        histogram.negative_offset.append(-3)
        histogram.negative_length.append(0)
        histogram.counts.extend([positive, (3 if tensor % 2 else 11) - positive])
    return message


def send_wide(client: Client, run_id: str):
    """A run of which every answer is megabytes."""
    client.register(registration(run_id, layers=TENSORS // 2))
    for first in range(1, STEPS + 1, 256):
        sent = []
        for sequence in range(first, first + 256):
            message = v1.StepReport()
            message.CopyFrom(_wide_report(sequence % 61))
            message.sequence, message.step = sequence, sequence - 1
            message.wall_time_seconds = WALL_TIME + sequence
            sent.append(message)
        client.report(run_id, *sent)
    # Else its detectors are read when a collector starts.
    client.ingest.FinishRun(v1.FinishRunRequest(run_id=run_id, status=v1.RUN_STATUS_FINISHED))


QUESTIONS = {
    "GetLayerTimeline": v1.GetLayerTimelineRequest(),
    "GetHistograms": v1.GetHistogramsRequest(),
    "GetHeatmap": v1.GetHeatmapRequest(max_columns=4096),
}
"""What has an answer of megabytes."""


@pytest.fixture(scope="module")
def wide_runs(tmp_path_factory):
    """The folder of a closed file of runs that are alike in size."""
    folder = tmp_path_factory.mktemp("wide")
    with serve(folder) as collector, collector.client() as client:
        for run_id in ("left", "read", "read before"):
            send_wide(client, run_id)
        eventually(lambda: stats(client).unsealed_reports == 0, "sealed")
        collector.terminate()
        assert collector.result()[0] == 0
    return folder


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="what a process reads is counted in /proc")
@pytest.mark.parametrize(
    "question, closes", [("GetLayerTimeline", False), ("GetHistograms", True), ("GetHeatmap", False)]
)
def test_a_query_whose_client_left_reads_no_further(wide_runs, question, closes):
    # A client that takes little at a time, so that not all of an answer is on its way at once.
    little = [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
    with serve(wide_runs) as collector, collector.client() as client:

        def ask(of: Client, run_id: str):
            """The messages as bytes, which is faster."""
            method = of.channel.unary_stream(
                f"/gradwatch.v1.QueryService/{question}",
                request_serializer=lambda request: request.SerializeToString(),
            )
            request = QUESTIONS[question]
            request.run_id = run_id
            return method(request, timeout=DEADLINE)

        def is_settled() -> bool:
            before = read_by(collector)
            client.server_info()
            return read_by(collector) - before < 4096

        eventually(is_settled, "what a start reads is read")
        start = read_by(collector)
        assert sum(1 for _ in ask(client, "read before")) > 8, "many messages"
        alone = read_by(collector) - start
        with collector.client(*little) as leaving:
            left = ask(leaving, "left")
            next(left)
            if closes:
                leaving.channel.close()
            else:
                left.cancel()
            # Had it gone on, it would be over when this one is: queries take turns.
            assert sum(1 for _ in ask(client, "read")) > 8
        # Nothing of the three runs was in memory before it was read.
        together = read_by(collector) - start - alone
        print(f"{alone} bytes are read for a whole answer, {together} for another and a part of one")
        assert together < 1.55 * alone
        collector.terminate()
        status, _, said = collector.result()
        assert status == 0 and "still open" not in said


WORK = {
    "TestRules": lambda client, run: client.alerts.TestRules(v1.TestRulesRequest(run_id=run), timeout=DEADLINE),
    "CompareRuns": lambda client, run: client.query.CompareRuns(
        v1.CompareRunsRequest(run_a=run, run_b=f"{run} again"), timeout=DEADLINE
    ),
}
"""What keeps a core busy before it says a word, so that only two are let at it."""


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="what a process reads is counted in /proc")
@pytest.mark.parametrize("question", WORK)
def test_work_for_a_client_that_left_stops(tmp_path, question):
    length = 12_000
    runs = ["whole", "left", "left too", "short"]
    with serve(tmp_path) as collector, collector.client() as client:
        for run_id in [*runs, *(f"{run_id} again" for run_id in runs)]:
            script = Script(run_id, 256 if run_id.startswith("short") else length, rewinds=0)
            client.register(script.registration())
            for first in range(1, script.total + 1, 1000):
                client.report(run_id, *script.reports(first, min(first + 999, script.total)))
            client.ingest.FinishRun(v1.FinishRunRequest(run_id=run_id, status=v1.RUN_STATUS_FINISHED))
        eventually(lambda: stats(client).unsealed_reports == 0, "sealed")
        start = read_by(collector)
        assert list(WORK[question](client, "whole"))
        alone = read_by(collector) - start
        start = read_by(collector)
        calls = [WORK[question](client, run_id) for run_id in ("left", "left too")]
        eventually(lambda: read_by(collector) - start > 0.1 * alone, "they are at work")
        for call in calls:
            call.cancel()

        def has_room() -> bool:
            try:
                return bool(list(WORK[question](client, "short")))
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                return False

        eventually(has_room, "both stopped")
        read = read_by(collector) - start
        print(f"{alone} bytes are read for a whole answer, {read} for two whose client left")
        assert read < 1.5 * alone


def read_by(collector) -> int:
    """How many bytes a collector has read since its start, from files and from connections."""
    with open(f"/proc/{collector.process.pid}/io") as counts:
        return int(counts.readline().removeprefix("rchar: "))
