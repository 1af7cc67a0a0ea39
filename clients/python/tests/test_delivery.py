"""Delivery: nothing acked is lost, nothing is there twice, and training goes on whatever the collector does."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent import futures

import grpc
import pytest
from collector import Collector, eventually

import gradwatch
from gradwatch.sender import Sender
from gradwatch.service import connect
from gradwatch.v1 import alert_pb2
from gradwatch.v1 import ingest_service_pb2 as ingest
from gradwatch.v1 import query_service_pb2 as query


def begin(collector: Collector, **options) -> gradwatch.Run:
    return gradwatch.init(project="p", address=collector.address, **{"run_id": "r", **options})


def test_what_is_logged_arrives(collector):
    with begin(collector, name="n", tags=["a", "b"], config={"lr": 0.1, "model": {"layers": 3}}) as run:
        for step in range(100):
            run.log(loss=step / 2)
        assert run.settle()
        assert collector.losses("r") == {step: step / 2 for step in range(100)}
        assert run.status.delivered == 100
    found = collector.run("r")
    assert (found.status, found.name, list(found.tags), found.project) == (2, "n", ["a", "b"], "p")
    assert dict(found.hyperparameters) == {"lr": "0.1", "model.layers": "3"}


def test_a_run_that_is_taken_up_goes_on_behind_its_last_step(collector):
    for first in (0, 10, 20):
        with begin(collector) as run:
            for step in range(first, first + 10):
                run.log(loss=float(step))
    assert collector.losses("r") == {step: float(step) for step in range(30)}


def test_a_run_that_goes_back_says_so_with_its_steps(collector):
    with begin(collector) as run:
        for step in range(20):
            run.log(loss=1.0)
    with begin(collector) as run:
        for step in range(12, 15):
            run.log(loss=2.0, step=step)
    assert collector.losses("r") == {step: 2.0 if step >= 12 else 1.0 for step in range(15)}


def test_how_a_run_ends(collector):
    with pytest.raises(ZeroDivisionError):
        with begin(collector, run_id="failed") as run:
            run.log(loss=1.0)
            1 / 0
    with pytest.raises(KeyboardInterrupt):
        with begin(collector, run_id="aborted") as run:
            raise KeyboardInterrupt
    assert (collector.run("failed").status, collector.run("failed").status_reason) == (
        3,
        "ZeroDivisionError: division by zero",
    )
    assert collector.run("aborted").status == 4
    run = begin(collector, run_id="said")
    with pytest.raises(gradwatch.GradwatchError, match="status: expected one of finished, failed, aborted, found 'done'"):
        run.finish("done")
    run.finish("failed", "too slow")
    run.finish("finished")
    run.log(loss=1.0)
    assert collector.run("said").status_reason == "too slow"


def test_text_of_any_kind_costs_no_step(collector):
    with pytest.raises(RuntimeError):
        config = {"a\nb": 1, "x": "\ud800", "c" * 600: 2}
        with begin(collector, name="a\tname", tags=["two\nlines"], config=config) as run:
            run.annotate("lower\nrate", "é" * 400, alert="an\nalert")
            with pytest.raises(gradwatch.GradwatchError, match="action: expected what was done, found an empty string"):
                run.annotate("")
            run.log({"loss": 1.0, "a\x00b": 2.0})
            raise RuntimeError("CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`\n")
    found = collector.run("r")
    assert found.status_reason.startswith("RuntimeError: CUDA error: device-side assert triggered Compile with")
    assert (found.status, found.name, list(found.tags)) == (3, "a name", ["two lines"])
    assert dict(found.hyperparameters) == {"a b": "1", "x": "?", "c" * 512: "2"}
    assert (run.status.delivered, run.status.refused) == (1, 0)


@pytest.mark.parametrize(
    ["end", "status", "reason"],
    [("", 2, ""), ("raise ValueError('oh')", 3, "ValueError: oh"), ("raise KeyboardInterrupt", 4, "KeyboardInterrupt: ")],
)
def test_a_process_that_ends_ends_its_run(collector, end, status, reason):
    code = f"""
import gradwatch
gradwatch.init(project="p", run_id="r", address={collector.address!r})
for step in range(50): gradwatch.log(loss=1.0)
{end}
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    found = collector.run("r")
    assert (found.status, found.status_reason, found.last_step) == (status, reason, 49)


@pytest.mark.parametrize(
    ["error", "status", "reason"],
    [
        (SystemExit(), 2, ""),
        (SystemExit(0), 2, ""),
        (SystemExit(1), 3, "SystemExit: 1"),
        (SystemExit("bad"), 3, "SystemExit: bad"),
    ],
)
def test_a_process_that_exits_ends_its_run_as_it_says(collector, error, status, reason):
    with pytest.raises(SystemExit):
        with begin(collector) as run:
            run.log(loss=1.0)
            raise error
    found = collector.run("r")
    assert (found.status, found.status_reason) == (status, reason)


def test_at_the_end_of_a_process_a_run_that_fails_to_end_keeps_no_other_from_it(collector):
    code = f"""
import gradwatch
def fail(): raise RuntimeError("this one does not end")
runs = [gradwatch.init(project="p", run_id=f"r{{i}}", address={collector.address!r}, reinit="create_new") for i in range(4)]
for run in runs: run.log(loss=1.0)
for run in runs[:3]: run.expect(close=fail)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert collector.run("r3").status == 2
    assert done.stderr.count("RuntimeError: this one does not end") == 3 and "run r0: " in done.stderr


@pytest.mark.parametrize(["later", "status"], [("", 2), ("sys.last_value = ValueError('new')", 3)])
def test_an_error_from_before_a_run_does_not_make_it_fail(collector, later, status):
    """A notebook keeps the error of the last cell that failed."""
    code = f"""
import sys, gradwatch
sys.last_value = ValueError("old")
run = gradwatch.init(project="p", run_id="r", address={collector.address!r})
run.log(loss=1.0)
{later}
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert collector.run("r").status == status


def test_alerts_come_while_training_runs(collector):
    heard, calls = threading.Event(), []
    run = begin(collector)

    @run.on_alert
    def broken(alert):
        raise RuntimeError("a callback that fails harms nobody")

    @run.on_alert
    def note(alert):
        calls.append(alert)
        heard.set()

    run.log(loss=1.0, commit=True)
    assert run.settle() and run.alerts() == []
    run.log(loss=float("nan"), commit=True)
    assert heard.wait(60)
    assert run.settle()
    [alert] = run.alerts()
    assert calls == [alert]
    assert (alert.rule, alert.severity, alert.state, alert.first_step) == ("non_finite_loss", "critical", "firing", 1)
    assert "NaN at step 1" in alert.summary and alert.remedies[0].action
    run.annotate("stop", "the loss is NaN", alert)
    run.log(loss=float("nan"), commit=True)
    run.finish("aborted")
    request = query.ListAnnotationsRequest(run_id="r")
    answer = collector.ask("ListAnnotations", request, query.ListAnnotationsResponse)
    assert [(a.step, a.annotation.action, a.annotation.alert_id) for a in answer.annotations] == [(2, "stop", alert.id)]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_whatever_a_callback_raises_is_logged_and_goes_no_further(collector, caplog, kind):
    heard = threading.Event()
    run = begin(collector)

    @run.on_alert
    def leave(alert):
        heard.set()
        raise kind("stop")

    for step in range(20):
        run.log(loss=float("nan") if step == 10 else 1.0)
    assert heard.wait(60)
    for _ in range(20):
        run.log(loss=1.0)
    status = run.finish()
    assert (status.delivered, status.state) == (40, "finished")
    assert "on_alert" in caplog.text and f"{kind.__name__}: stop" in caplog.text


def test_an_alert_may_end_the_run(collector):
    over = threading.Event()
    run = begin(collector)

    @run.on_alert
    def stop(alert):
        assert run.settle()
        run.finish("aborted", alert.summary)
        over.set()

    for _ in range(20):
        run.log(loss=float("nan"))
    assert over.wait(20)
    eventually(lambda: run.status.state == "finished", "that it ends")
    found = collector.run("r")
    assert (found.status, found.last_step) == (4, run.status.delivered - 1)
    assert run.status.dropped == 0


def test_a_callback_that_blocks_holds_no_delivery_up(collector, caplog):
    heard, go_on, told = threading.Event(), threading.Event(), []
    run = begin(collector)

    @run.on_alert
    def wait_for_training(alert):
        heard.set()
        assert go_on.wait(60)
        told.append(alert.state)

    run.log(loss=float("nan"), commit=True)
    assert heard.wait(60)
    for _ in range(50):
        run.log(loss=1.0, commit=True)
    eventually(lambda: run.status.delivered == 51, "acks")
    assert told == []
    threading.Timer(0.2, go_on.set).start()
    assert run.settle() and told, "whoever settles may look at what a callback has done"
    assert run.finish().state == "finished"
    assert (told[0], told[-1]) == ("firing", "resolved") and "on_alert" not in caplog.text


def test_a_run_ends_in_time_whatever_a_callback_does(collector, caplog):
    heard, never = threading.Event(), threading.Event()
    run = begin(collector)
    run.on_alert(lambda alert: heard.set() or never.wait(60))
    run.log(loss=float("nan"), commit=True)
    assert heard.wait(60)
    for _ in range(50):
        run.log(loss=1.0)
    begun = time.monotonic()
    assert run.finish(timeout=2).state == "finished"
    assert time.monotonic() - begun < 20
    assert "on_alert: 1 change was left out: callbacks were busy" in caplog.text
    never.set()


@pytest.mark.parametrize("seed", range(3))
def test_a_collector_that_is_killed_while_training_loses_nothing_acked(collector, seed):
    """Killed at three places; what the client says was delivered is there once, and so is everything else."""
    import random

    dice = random.Random(seed)
    print("seed", seed)
    kills = sorted(dice.sample(range(50, 950), 3))
    run = begin(collector, finish_timeout=60)
    restart = None
    for step in range(1000):
        run.log(loss=float(step))
        if step in kills:
            if restart:
                restart.join()
            eventually(lambda: run.status.delivered >= dice.randrange(step), "acks")
            collector.kill()
            restart = threading.Timer(dice.random() / 2, collector.start)
            restart.start()
    restart.join()
    status = run.finish()
    assert (status.delivered, status.dropped, status.state) == (1000, 0, "finished")
    assert collector.losses("r") == {step: float(step) for step in range(1000)}


def test_gradients_of_a_training_are_there_once_though_the_collector_is_killed_twice(collector):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = begin(collector, finish_timeout=60)
    gradwatch.watch(model, optimizer, details_every=5)
    norms = {name: {} for name, _ in model.named_parameters()}
    restart = None
    for step in range(300):
        optimizer.zero_grad()
        loss = model(torch.randn(8, 6)).square().mean()
        loss.backward()
        for name, parameter in model.named_parameters():
            norms[name][step] = parameter.grad.double().norm().item()
        optimizer.step()
        run.log(loss=loss)
        if step in (100, 200):
            if restart:
                restart.join()
            eventually(lambda: run.status.delivered > step - 50, "acks")
            collector.kill()
            restart = threading.Thread(target=collector.start)
            restart.start()
    restart.join()
    status = run.finish()
    assert (status.delivered, status.dropped, status.stripped) == (300, 0, 0)
    found = collector.timeline("r")
    assert {name: pytest.approx(series, rel=1e-5) for name, series in norms.items()} == found
    request = query.GetHistogramsRequest(run_id="r")
    histograms = collector.listed("GetHistograms", request, query.GetHistogramsResponse)
    assert [[point.first_step for point in part.points] for part in histograms] == [list(range(0, 300, 5))] * 4


def test_a_collector_that_comes_late_misses_nothing(tmp_path):
    collector = Collector(tmp_path)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        collector.address = f"127.0.0.1:{place.getsockname()[1]}"
    run = begin(collector)
    for step in range(200):
        run.log(loss=float(step))
    eventually(lambda: run.status.state == "waiting", "that it says so")
    assert "UNAVAILABLE" in run.status.problem
    assert not run.settle(), "nobody is there to settle with"
    try:
        collector.start()
        run.finish()
        assert collector.losses("r") == {step: float(step) for step in range(200)}
    finally:
        collector.kill()


def test_without_a_collector_training_ends_and_counts_what_is_lost(caplog):
    run = gradwatch.init(address="127.0.0.1:1", buffered_reports=50, finish_timeout=0.5)
    with caplog.at_level(logging.WARNING, "gradwatch"):
        for _ in range(500):
            run.log(loss=1.0)
        status = run.finish()
    assert (status.reported, status.delivered, status.dropped, status.pending) == (500, 0, 500, 0)
    assert "0 of 500 steps delivered, 500 dropped" in caplog.text
    assert "'collector serve' starts one" in caplog.text


def test_a_run_says_by_what_name_it_is_found(collector):
    code = "import gradwatch, sys; gradwatch.init(address=sys.argv[1]).finish()"
    command = [sys.executable, "-c", code, collector.address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [line] = done.stderr.splitlines()
    run_id = line.removeprefix("gradwatch: run ").split()[0]
    assert line.endswith(f" goes to {collector.address}; what is wrong with it: collector-cli diagnose {run_id}")
    assert collector.run(run_id).run_id == run_id and done.stdout == ""


def test_a_collector_that_hangs_holds_nobody_up(collector):
    run = begin(collector, buffered_reports=100)
    run.log(loss=0.0, commit=True)
    assert run.settle()
    collector.pause()
    for step in range(1, 1000):
        run.log(loss=float(step), commit=True)
    status = run.status
    assert status.dropped >= 899 and status.pending <= 100
    collector.resume()
    status = run.finish()
    assert status.delivered + status.dropped == 1000
    found = collector.losses("r")
    assert len(found) == status.delivered
    assert all(step == value for step, value in found.items())
    assert max(found) == 999, "the newest stays"


def test_a_report_waits_for_no_other_thread(collector):
    with begin(collector) as run:
        run.log(loss=0.0)
        assert run.settle()
        condition = run._sink._condition
        held, over = threading.Event(), threading.Event()

        def hold():
            with condition:
                held.set()
                over.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(10)
        for step in range(1, 5):
            run.log(loss=float(step))
        assert not over.is_set() and thread.is_alive()
        over.set()
        thread.join()
        assert run.settle()
        assert run.status.reported == run.status.delivered == 5
        assert collector.losses("r") == {step: float(step) for step in range(5)}


def test_an_interrupt_leaves_no_lock_held(collector, monkeypatch):
    """It comes in the instant in which a step is handed over, and training goes on, as in a notebook."""
    run = begin(collector)
    run.log(loss=0.0, commit=True)
    assert run.settle()
    condition = run._sink._condition
    acquire = condition.acquire

    def acquire_and_interrupt(blocking=True):
        assert acquire(blocking=blocking)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(condition, "acquire", acquire_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.log(loss=1.0, commit=True)
    assert not condition._is_owned()
    run.log(loss=2.0, commit=True)
    assert run.finish().delivered == 3


def test_a_lost_database_is_registered_anew(collector, tmp_path):
    run = begin(collector)
    for step in range(10):
        run.log(loss=float(step))
    assert run.settle()
    collector.kill()
    for file in tmp_path.glob("db.sqlite*"):
        file.unlink()
    collector.start()
    for step in range(10, 20):
        run.log(loss=float(step))
    assert run.finish().delivered == 20
    assert collector.losses("r") == {step: float(step) for step in range(10, 20)}


def test_a_newer_process_takes_over(collector):
    older = begin(collector)
    older.log(loss=1.0)
    assert older.settle()
    newer = begin(collector, reinit="create_new")
    newer.log(loss=2.0)
    assert newer.settle()
    older.log(loss=3.0)
    eventually(lambda: older.status.state == "failed", "that it gives up")
    assert "ABORTED" in older.status.problem
    assert older.finish().dropped == 1
    newer.finish()
    assert collector.losses("r") == {0: 1.0, 1: 2.0}


def test_a_refused_step_is_told_and_the_others_arrive(collector):
    run = begin(collector)
    run.log(loss=1.0, commit=True)
    run.log({"": 1.0}, commit=True)
    run.log(loss=3.0, commit=True)
    status = run.finish()
    assert (status.delivered, status.refused) == (2, 1)
    assert "losses" in status.first_refusal
    assert collector.losses("r") == {0: 1.0, 2: 3.0}


def test_another_model_of_the_same_run_is_told(collector):
    torch = pytest.importorskip("torch")
    with begin(collector) as run:
        run.log(loss=1.0)
    run = begin(collector)
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gradwatch.watch(model, optimizer)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    run.log(loss=1.0)
    status = run.finish()
    assert status.state == "failed" and "FAILED_PRECONDITION" in status.problem


def test_a_child_process_leaves_the_run_to_its_parent(collector):
    run = begin(collector)
    for step in range(10):
        run.log(loss=float(step), step=step, commit=True)
    for _ in range(50):
        run.log(loss=1.0, step=9, commit=True)  # So that gRPC is busy.
        child = os.fork()
        if child == 0:
            try:
                run.log(loss=-1.0, commit=True)
                state = run.status.state
                run.finish()
                os._exit(0 if state == "disabled" else 1)
            finally:
                os._exit(2)
        _, code = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(code) == 0
    for step in range(10, 20):
        run.log(loss=float(step), step=step, commit=True)
    assert run.finish().delivered == 70
    assert collector.losses("r") == {step: 1.0 if step == 9 else float(step) for step in range(20)}


def test_a_child_process_that_cannot_use_grpc_is_told_so(collector, tmp_path):
    code = f"""
import os, gradwatch
with gradwatch.init(run_id="parent", address={collector.address!r}) as run: run.log(loss=1.0)
child = os.fork()
if child == 0:
    with gradwatch.init(run_id="child", mode="offline", dir={str(tmp_path)!r}) as run: run.log(loss=1.0)
    try:
        gradwatch.init(run_id="child", address={collector.address!r})
    except gradwatch.GradwatchError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "expected a process of its own, found a fork" in done.stdout
    assert "spawn or forkserver" in done.stdout and "offline" in done.stdout
    assert (tmp_path / "child.trainer.gwspool").exists() and "run child goes to" not in done.stderr
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "1"}
    )
    assert done.stdout == "", "gRPC itself is asked to survive forks"


def test_a_killed_trainer_is_taken_up_by_the_next(collector):
    code = f"""
import os, signal, gradwatch
run = gradwatch.init(project="p", run_id="r", address={collector.address!r})
for step in range(100): run.log(loss=float(step))
assert run.settle()
for step in range(100, 120): run.log(loss=float(step))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60)
    assert done.returncode == -signal.SIGKILL
    known = collector.run("r").last_step
    assert known >= 99
    run = begin(collector)
    for step in range(100, 150):
        run.log(loss=float(step), step=step)
    assert run.finish().delivered == 50
    assert collector.losses("r") == {step: float(step) for step in range(150)}


class Liar:
    """A collector that says whatever a test wants it to say: on each stream the same, or on all but the first `then`."""

    def __init__(
        self,
        *answers: ingest.StreamTelemetryResponse,
        ends: bool = True,
        then: Sequence[ingest.StreamTelemetryResponse] | None = None,
    ):
        self._answers, self._ends = answers, ends
        self._later = answers if then is None else then
        self.streams = self.reports = 0
        self.tokens: list[str] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        handlers = {
            "RegisterRun": grpc.unary_unary_rpc_method_handler(
                lambda _, context: self._note(context) or ingest.RegisterRunResponse(),
                ingest.RegisterRunRequest.FromString, ingest.RegisterRunResponse.SerializeToString,
            ),
            "StreamTelemetry": grpc.stream_stream_rpc_method_handler(
                self._stream, ingest.StreamTelemetryRequest.FromString,
                ingest.StreamTelemetryResponse.SerializeToString,
            ),
        }  # fmt: skip
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("gradwatch.v1.IngestService", handlers),)
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _note(self, context):
        self.tokens += [value for name, value in context.invocation_metadata() if name == "authorization"]

    def _stream(self, requests, context):
        self._note(context)
        self.streams += 1
        next(requests)
        yield from self._answers if self.streams == 1 else self._later
        if not self._ends:
            for _ in requests:
                self.reports += 1

    def stop(self):
        self._server.stop(None)


LIES = {
    "an ack of what was never sent": [
        ingest.StreamTelemetryResponse(opened=ingest.StreamOpened(credits=8)),
        ingest.StreamTelemetryResponse(ack=ingest.Ack(sequence=99, credits=8)),
    ],
    "no credits": [
        ingest.StreamTelemetryResponse(opened=ingest.StreamOpened()),
        ingest.StreamTelemetryResponse(ack=ingest.Ack()),
    ],
    "a gap that never ends": [
        ingest.StreamTelemetryResponse(opened=ingest.StreamOpened(credits=8)),
        *[ingest.StreamTelemetryResponse(gap=ingest.SequenceGap(expected_sequence=1))] * 50,
    ],
    "the future": [ingest.StreamTelemetryResponse(opened=ingest.StreamOpened(last_sequence=2**63, credits=8))],
    "an end without a word": [],
    "an event of a later version": [ingest.StreamTelemetryResponse()] * 3,
}


HOLDING = "an ack of what was never sent", "a gap that never ends"
"""Lies after which the stream stays open: the client has to end it."""


@pytest.mark.parametrize("lie", LIES)
def test_a_collector_that_lies_stops_no_training(lie):
    liar = Liar(*LIES[lie], ends=lie not in HOLDING)
    try:
        run = gradwatch.init(address=liar.address, buffered_reports=10, finish_timeout=0.5)
        for _ in range(100):
            run.log(loss=1.0)
        eventually(lambda: liar.streams >= 2, "that it tries again")
        status = run.finish()
        assert (status.reported, status.delivered, status.dropped) == (100, 0, 100)
    finally:
        liar.stop()


def test_a_collector_that_never_opens_the_stream_is_left_after_a_while(monkeypatch):
    monkeypatch.setattr("gradwatch.sender.CALL_SECONDS", 1.0)
    liar = Liar(ends=False, then=[opened_at(0)])
    try:
        run = gradwatch.init(address=liar.address, finish_timeout=0.5)
        run.log(loss=1.0, commit=True)
        problems = set()
        eventually(lambda: problems.add(run.status.problem) or liar.reports == 1, "a report, on the second stream")
        assert problems == {"", "TimeoutError: the stream was not opened within 1 s"}
        run.finish()
    finally:
        liar.stop()


def refuse(*arguments):
    """As Python 3.12.0 to 3.12.2 does at the end of a process."""
    raise RuntimeError("can't create new thread at interpreter shutdown")


def test_where_no_stream_can_be_opened_any_more_all_is_delivered(collector, monkeypatch):
    with begin(collector) as run:
        for step in range(5):
            run.log(loss=float(step))
    run = begin(collector)
    monkeypatch.setattr("gradwatch.service.Service.stream_telemetry", refuse)
    for step in range(5, 200):
        run.log({"" if step == 9 else "loss": float(step)}, commit=True)
    status = run.finish(timeout=20)
    assert (status.state, status.delivered, status.refused) == ("finished", 194, 1)
    assert collector.losses("r") == {step: float(step) for step in range(200) if step != 9}
    assert collector.run("r").status == 2


def test_where_no_thread_can_be_started_any_more_whoever_finishes_delivers(collector, monkeypatch):
    runs = [begin(collector, run_id=name, reinit="create_new") for name in "ra"]
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        for run in runs:
            for step in range(5):
                run.log(loss=float(step))
            assert not run.settle()
            status = run.finish(timeout=20 if run is runs[0] else 0.5)
            collector.pause()
    collector.resume()
    assert runs[0].status.delivered == 5 and collector.run("r").status == 2
    assert collector.losses("r") == {step: float(step) for step in range(5)}
    assert (status.state, status.dropped) == ("failed", 5) and status.problem.startswith("no time is left")


def test_what_ends_the_thread_that_sends_is_told():
    liar = Liar(opened_at(0), firing(1), ends=False)

    def leave(alert):
        raise SystemExit(3)

    try:
        sender = Sender(gradwatch.Settings(address=liar.address), leave)
        sender.start(ingest.RegisterRunRequest(run_id="r"))
        eventually(lambda: sender.status.state == "failed", "that it is over")
        assert sender.status.problem == "SystemExit: 3"
    finally:
        liar.stop()


def test_without_credits_one_report_is_sent_all_the_same():
    liar = Liar(ingest.StreamTelemetryResponse(opened=ingest.StreamOpened()), ends=False)
    try:
        run = gradwatch.init(address=liar.address, finish_timeout=0.5)
        run.log(loss=1.0)
        run.log(loss=2.0)
        eventually(lambda: liar.reports == 1, "a report")
        run.finish()
        assert liar.reports == 1
    finally:
        liar.stop()


def test_a_token_goes_with_every_call(monkeypatch):
    monkeypatch.setenv("GRADWATCH_TOKEN", "secret")
    liar = Liar(ingest.StreamTelemetryResponse(opened=ingest.StreamOpened(credits=8)), ends=False)
    try:
        run = gradwatch.init(address=liar.address, finish_timeout=0.5)
        run.log(loss=1.0, commit=True)
        eventually(lambda: liar.reports == 1, "a report")
        run.finish()
        assert liar.tokens == ["Bearer secret"] * 2, "of the registration and of the stream"
    finally:
        liar.stop()


def test_no_framework_is_imported_that_is_not_used():
    code = """
import gradwatch, sys
run = gradwatch.init(mode="disabled")
run.log(loss=1.0)
print({"torch", "jax", "keras", "lightning", "transformers", "numpy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def opened_at(cursor: int) -> ingest.StreamTelemetryResponse:
    return ingest.StreamTelemetryResponse(opened=ingest.StreamOpened(credits=8, alert_cursor=cursor))


def firing(cursor: int) -> ingest.StreamTelemetryResponse:
    """The transition at a cursor, by which its alert is called."""
    alert = alert_pb2.Alert(alert_id=str(cursor), rule="r", state=alert_pb2.ALERT_STATE_FIRING)
    return ingest.StreamTelemetryResponse(alert=alert_pb2.AlertTransition(cursor=cursor, alert=alert))


def test_a_transition_that_comes_twice_is_told_once():
    answers = firing(4), firing(6), firing(6), firing(7)
    liar = Liar(opened_at(5), *answers, then=[opened_at(7), *answers])
    try:
        heard = []
        run = gradwatch.init(address=liar.address, finish_timeout=0.5)
        run.on_alert(lambda alert: heard.append(alert.id))
        run.log(loss=1.0, commit=True)
        eventually(lambda: liar.streams >= 3, "that it comes back")
        run.finish()
        assert heard == ["6", "7"]
    finally:
        liar.stop()


def test_an_earlier_copy_of_the_database_counts_its_transitions_from_where_it_ends():
    liar = Liar(opened_at(5), firing(900), then=[opened_at(40), firing(41)])
    try:
        open_alerts = []
        settings = gradwatch.Settings(address=liar.address)
        sender = Sender(settings, lambda alert: open_alerts.append([alert.id for alert in sender.open_alerts]))
        sender.start(ingest.RegisterRunRequest(run_id="r"))
        eventually(lambda: len(open_alerts) >= 2, "what comes after the copy")
        sender.close(None, 0.5)
        assert open_alerts[:2] == [["900"], ["41"]], "what was open before may be so no more"
    finally:
        liar.stop()


def options_of(address: str) -> dict:
    """What gRPC is told about a connection to there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpc, "insecure_channel", lambda address, options: options)
        return dict(connect(gradwatch.Settings(address=address)))


def test_a_connection_that_is_dead_is_noticed():
    options = options_of("127.0.0.1:1")
    assert (options["grpc.keepalive_time_ms"], options["grpc.keepalive_timeout_ms"]) == (20_000, 10_000)
    assert options["grpc.http2.max_pings_without_data"] == 0


def test_no_proxy_is_asked_for_this_machine(collector, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    run = begin(collector, finish_timeout=5)
    run.log(loss=1.0)
    assert run.finish().delivered == 1
    for host in ("127.0.0.1", "127.8.9.10", "[::1]", "localhost"):
        assert options_of(f"{host}:1").get("grpc.enable_http_proxy") == 0, host
    for host in ("10.0.0.1", "[2001:db8::1]", "collector.example", "localhost.example"):
        assert "grpc.enable_http_proxy" not in options_of(f"{host}:1"), host


def test_the_environment_and_what_is_wrong_with_it(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADWATCH_MODE", "offline")
    monkeypatch.setenv("GRADWATCH_DIR", str(tmp_path))
    monkeypatch.setenv("GRADWATCH_RUN_ID", "named")
    run = gradwatch.init()
    run.log(loss=1.0)
    run.finish()
    assert (tmp_path / "named.trainer.gwspool").exists()
    monkeypatch.setenv("GRADWATCH_MODE", "sometimes")
    with pytest.raises(gradwatch.GradwatchError, match="mode: expected one of online, offline, disabled, found 'sometimes'"):
        gradwatch.init()
    monkeypatch.setenv("GRADWATCH_BUFFERED_REPORTS", "many")
    with pytest.raises(gradwatch.GradwatchError, match="GRADWATCH_BUFFERED_REPORTS: expected a whole number, found 'many'"):
        gradwatch.init(mode="disabled")
    monkeypatch.setattr(gradwatch, "run", None)
    with pytest.raises(gradwatch.GradwatchError, match="no run: call gradwatch.init first"):
        gradwatch.log(loss=1.0)


def test_only_rank_0_reports_unless_all_are_asked(collector, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run = begin(collector)
    run.log(loss=1.0)
    assert run.finish().state == "disabled"
    with pytest.raises(gradwatch.GradwatchError, match="all_ranks: expected a run_id that the ranks share, found none"):
        gradwatch.init(all_ranks=True)
    run = begin(collector, all_ranks=True)
    run.log(loss=1.0)
    run.finish()
    found = collector.run("r")
    assert found.producers[0].producer.producer_id == "rank-1"
    assert found.status == 1, "rank 0 says how it ends"
