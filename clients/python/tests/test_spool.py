"""Spools: what is written can be read, whatever happens to the file."""

import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from collector import binary

import gradwatch
import gradwatch.sync as sync_module
from gradwatch.cli import main
from gradwatch.sender import Sender
from gradwatch.spool import MAGIC, SpoolReader
from gradwatch.v1 import model_pb2, run_pb2
from gradwatch.v1 import query_service_pb2 as query


def write(folder, *, steps=5, **options):
    run = gradwatch.init(project="p", mode="offline", dir=str(folder), run_id="r", **options)
    for step in range(steps):
        run.log(loss=float(step))
    run.finish()
    return folder / "r.trainer.gwspool"


def beginnings(path):
    """Where each record begins."""
    reader = SpoolReader(path)
    return [reader.end for _ in reader]


def reports(path):
    return [record.report for record in SpoolReader(path) if record.HasField("report")]


def test_what_is_written_is_read(tmp_path):
    path = write(tmp_path)
    records = list(SpoolReader(path))
    kinds = [record.WhichOneof("record") for record in records]
    assert kinds == ["registration"] + ["report"] * 5 + ["ending"]
    assert records[0].registration.run_id == "r"
    assert [r.sequence for r in reports(path)] == [1, 2, 3, 4, 5]
    assert [r.losses[0].value for r in reports(path)] == [0, 1, 2, 3, 4]


def test_a_process_that_goes_on_goes_on_behind_the_last_whole_record(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    write(tmp_path, steps=2)
    assert [r.sequence for r in reports(path)] == [1, 2, 3, 4, 5, 6, 7]
    assert [r.step for r in reports(path)] == [0, 1, 2, 3, 4, 5, 6]


def test_damage_in_the_midst_costs_nothing_that_is_there(tmp_path, caplog):
    path = write(tmp_path, steps=100)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    reader = SpoolReader(path)
    count = len(list(reader)) - 1
    assert 40 < count < 60 and reader.damage
    for number in (1, 2):
        write(tmp_path, steps=3)
        copy = tmp_path / f"r.trainer.gwspool.damaged-{number}"
        assert copy.read_bytes() == content
        assert f"byte {reader.end}" in caplog.text and str(copy) in caplog.text
        assert [r.sequence for r in reports(path)] == list(range(1, count + 4))
        assert [r.step for r in reports(path)] == list(range(count + 3))
        path.write_bytes(content)


def test_a_registration_that_is_damaged_begins_anew(tmp_path, caplog):
    path = write(tmp_path)
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    write(tmp_path, steps=2)
    assert [r.step for r in reports(path)] == [0, 1]
    assert Path(f"{path}.damaged-1").read_bytes() == content and "expected checksum" in caplog.text


def test_cut_off_before_its_registration_it_begins_anew(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    for size in range(beginnings(path)[1]):
        path.write_bytes(whole[:size])
        write(tmp_path, steps=2)
        assert [r.sequence for r in reports(path)] == [1, 2]
    assert os.listdir(tmp_path) == [path.name]


def running(folder, code):
    """A process that wrote three steps, and goes on as `code` says."""
    begin = """
import gradwatch, os, sys, time
run = gradwatch.init(mode="offline", dir=sys.argv[1], run_id="r")
for step in range(3): run.log(loss=1.0, commit=True)
"""
    command = [sys.executable, "-c", begin + code, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
def test_two_processes_do_not_write_one_spool(tmp_path):
    path = tmp_path / "r.trainer.gwspool"
    with running(tmp_path, "print('wrote', flush=True); sys.stdin.read(); run.log(loss=2.0, commit=True)") as first:
        assert first.stdout.readline()
        run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
        with pytest.raises(gradwatch.GradwatchError, match=f"{re.escape(str(path))}: expected to write it alone"):
            run.log(loss=3.0, commit=True)
        run.log(loss=3.0, commit=True)
        assert run.finish().delivered == 0
        first.stdin.close()
        assert first.wait() == 0
    assert [r.losses[0].value for r in reports(path)] == [1, 1, 1, 2]
    write(tmp_path, steps=1)
    assert [r.sequence for r in reports(path)] == [1, 2, 3, 4, 5]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_child_process_holds_no_spool_of_a_parent_that_was_killed(tmp_path):
    code = "if not os.fork(): print(os.getpid(), flush=True)\ntime.sleep(60)"
    with running(tmp_path, code) as parent:
        child = int(parent.stdout.readline())
        try:
            parent.kill()
            parent.wait()
            write(tmp_path, steps=1)
        finally:
            os.kill(child, signal.SIGKILL)
    assert len(reports(tmp_path / "r.trainer.gwspool")) == 4


def test_the_later_run_of_a_process_goes_on_with_the_spool(tmp_path):
    first = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
    first.log(loss=0.0)
    second = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r", reinit="create_new")
    second.log(loss=1.0)
    first.log(loss=2.0)
    second.log(loss=3.0)
    assert (second.finish().delivered, first.finish().dropped) == (2, 1)
    assert "a later run" in first.status.problem
    found = [(r.sequence, r.losses[0].value) for r in reports(tmp_path / "r.trainer.gwspool")]
    assert found == [(1, 0), (2, 1), (3, 3)]


def test_a_later_run_with_another_model_takes_no_spool_away(tmp_path):
    first = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
    first.log(loss=0.0, commit=True)
    second = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r", reinit="create_new")
    with pytest.raises(gradwatch.GradwatchError, match="choose another run id"):
        second.describe(model_pb2.Model(layers=[model_pb2.Layer(name="l")]), "none")
    first.log(loss=1.0, commit=True)
    assert first.finish().delivered == 2
    second.finish()
    assert [r.sequence for r in reports(tmp_path / "r.trainer.gwspool")] == [1, 2]


class Interrupting:
    """A file in whose writes an interrupt comes; before or after what they do."""

    def __init__(self, file, when):
        self.file, self.when = file, when

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        when, self.when = self.when, ""
        if when == "before":
            raise KeyboardInterrupt
        written = self.file.write(data)
        if when:
            raise KeyboardInterrupt
        return written


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_gives_no_number_twice(tmp_path, when):
    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
    run.log(loss=0.0, step=0, commit=True)
    run._sink._file = Interrupting(run._sink._file, when)
    with pytest.raises(KeyboardInterrupt):
        run.log(loss=1.0, step=1, commit=True)
    for step in (2, 3):
        run.log(loss=float(step), step=step, commit=True)
    status = run.finish()
    found = reports(tmp_path / "r.trainer.gwspool")
    assert [(r.sequence, r.step) for r in found] == [(1, 0), (2, 2), (3, 3)]
    assert (status.delivered, status.dropped) == (3, 0)


def test_a_spool_that_was_deleted_is_not_delivered(tmp_path, caplog):
    for how in (shutil.rmtree, lambda folder: folder.rename(tmp_path / "moved")):
        folder = tmp_path / "spools"
        run = gradwatch.init(mode="offline", dir=str(folder), run_id="r")
        for step in range(3):
            run.log(loss=1.0)
            if step == 1:
                how(folder)
        status = run.finish()
        assert (status.reported, status.delivered, status.dropped) == (3, 0, 3)
        assert f"{folder / 'r.trainer.gwspool'}: moved or deleted" in status.problem
        assert status.problem in caplog.text


def test_a_process_may_change_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = gradwatch.init(mode="offline", dir="spools", run_id="r")
    run.log(loss=1.0)
    monkeypatch.chdir("/")
    assert run.finish().delivered == 1


def test_cut_anywhere_it_gives_what_is_whole(tmp_path):
    path = write(tmp_path)
    whole, all_reports = path.read_bytes(), reports(path)
    for size in range(len(MAGIC), len(whole)):
        path.write_bytes(whole[:size])
        reader = SpoolReader(path)
        found = [record.report for record in reader if record.HasField("report")]
        assert found == all_reports[: len(found)]
        assert reader.damage == "" or (reader.is_cut_off and f"byte {reader.end}" in reader.damage)
        assert (reader.end == size) == (reader.damage == "")


def test_no_changed_byte_gives_another_report(tmp_path):
    path = write(tmp_path, steps=2)
    whole, expected = path.read_bytes(), list(SpoolReader(path))
    for place in range(len(MAGIC), len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        reader = SpoolReader(path)
        found = list(reader)
        assert found == expected[: len(found)] and len(found) < len(expected)
        assert reader.damage


def test_a_changed_length_is_not_taken_for_the_end(tmp_path):
    path = write(tmp_path)
    whole = path.read_bytes()
    for start in beginnings(path):
        for bit in range(32):
            content = bytearray(whole)
            (length,) = struct.unpack_from("<I", content, start)
            struct.pack_into("<I", content, start, length ^ 1 << bit)
            path.write_bytes(content)
            reader = SpoolReader(path)
            assert all(reader.end < start for _ in reader)
            assert reader.damage and not reader.is_cut_off and reader.end == start


def test_another_model_is_not_mixed_in(tmp_path):
    write(tmp_path)
    path = tmp_path / "other.trainer.gwspool"
    (tmp_path / "r.trainer.gwspool").rename(path)
    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="other")
    with pytest.raises(gradwatch.GradwatchError, match="choose another run id"):
        run.log(loss=1.0, commit=True)
    run.is_finished = True


def test_sync_sends_once_and_how_the_run_ended(collector, tmp_path, capsys):
    folder = tmp_path / "spools"
    run = gradwatch.init(project="p", mode="offline", dir=str(folder), run_id="r", config={"lr": 0.1})
    for step in range(30):
        run.log(loss=1.0 if step < 20 else float("nan"))
    run.finish("failed", "diverged")
    for expected in ("30 of 30 steps delivered", "0 of 0 steps delivered, 30 known before"):
        assert main(["sync", str(folder), "--address", collector.address]) == 0
        assert expected in capsys.readouterr().out
    found = collector.run("r")
    assert (found.status, found.status_reason, found.last_step) == (3, "diverged", 29)
    assert found.producers[0].last_sequence == 30
    assert collector.rules("r") == {"non_finite_loss"}
    assert dict(found.hyperparameters) == {"lr": "0.1"}


def ranks(folder, count=2):
    """A job of several processes, each with a spool of its own; only that of rank 0 says how the run ended."""
    for rank in range(count):
        environment = {"RANK": str(rank), "WORLD_SIZE": str(count)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            write(folder, all_ranks=True)


def test_the_spool_of_another_rank_lets_a_run_that_ended_not_go_on(collector, tmp_path):
    ranks(tmp_path / "spools")
    for _ in range(2):
        assert main(["sync", str(tmp_path / "spools"), "--address", collector.address]) == 0
        found = collector.run("r")
        assert [state.last_sequence for state in found.producers] == [5, 5]
        assert found.status == 2


def test_an_end_that_is_known_stays_when_nothing_is_left_to_send(collector, tmp_path):
    path = write(tmp_path / "spools")
    ending = list(SpoolReader(path))[-1]
    path.write_bytes(path.read_bytes()[: -8 - ending.ByteSize()])
    assert main(["sync", str(path), "--address", collector.address]) == 0
    assert collector.run("r").status == 1
    gradwatch.init(run_id="r", address=collector.address).finish("aborted")
    before = collector.run("r")
    assert main(["sync", str(path), "--address", collector.address]) == 0
    assert collector.run("r") == before


def test_the_spool_of_a_run_that_went_on_elsewhere_does_not_end_it(collector, tmp_path, capsys):
    path = write(tmp_path / "spools")
    assert main(["sync", str(path), "--address", collector.address]) == 0
    with gradwatch.init(run_id="r", address=collector.address) as run:
        run.log(loss=1.0)
        assert run.settle()
        assert main(["sync", str(path), "--address", collector.address]) == 2
        expected = f"{path}: expected 6 reports up to step 5, which the collector has, found others"
        assert expected in capsys.readouterr().err
        assert collector.run("r").status == 1


@pytest.mark.parametrize("says", ["loss", "norm"])
@pytest.mark.parametrize("first", ["online", "offline"])
def test_a_run_that_was_online_as_well_loses_no_step_silently(collector, tmp_path, capsys, first, says):
    def train(mode, steps):
        run = gradwatch.init(run_id="r", mode=mode, dir=str(tmp_path), address=collector.address)
        for step in range(steps):
            train.steps += 1
            value = math.nan if train.steps == 2 else train.steps / 3
            if says == "norm":
                run.begin("optimizer").global_norm = value
                run.end("optimizer")
            run.log({"loss": value} if says == "loss" else {})
        run.finish()

    train.steps = 0
    path = tmp_path / "r.trainer.gwspool"
    if first == "offline":
        train("offline", 3)
        for _ in range(2):
            assert main(["sync", str(path), "--address", collector.address]) == 0
    train("online", 3)
    train("offline", 9)
    metric = query.STEP_METRIC_LOSS if says == "loss" else query.STEP_METRIC_GLOBAL_NORM
    before = collector.run("r"), str(collector.losses("r", metric))
    assert main(["sync", str(path), "--address", collector.address]) == 2
    assert f"{path}: expected at step" in capsys.readouterr().err
    assert (collector.run("r"), str(collector.losses("r", metric))) == before


def test_what_the_collector_refused_is_told_and_not_sent_again(collector, tmp_path, capsys):
    folder = tmp_path / "spools"
    for place in ("midst", "end"):
        run = gradwatch.init(mode="offline", dir=str(folder), run_id=place)
        for step in range(3):
            run.log({"" if step == (1 if place == "midst" else 2) else "loss": 1.0}, commit=True)
        run.finish()
    assert main(["sync", str(folder), "--address", collector.address]) == 2
    found = capsys.readouterr()
    for place, number in (("midst", 2), ("end", 3)):
        file = folder / f"{place}.trainer.gwspool"
        reason = "losses[0].name: expected a name, found an empty string"
        assert f"{file}: 1 steps refused; the first is report {number}: {reason}" in found.err
        assert collector.run(place).producers[0].last_sequence == 3
    assert "spools not sent whole: 2 of 2" in found.err
    assert main(["sync", str(folder), "--address", collector.address]) == 0
    assert capsys.readouterr().out.count("3 known before") == 2


def test_a_spool_that_is_damaged_or_none_keeps_no_other_from_being_sent(collector, tmp_path, capsys):
    path = write(tmp_path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    (tmp_path / "a.gwspool").write_bytes(b"something else")
    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="sound")
    run.log(loss=1.0)
    run.finish()
    assert main(["sync", str(tmp_path), "--address", collector.address]) == 2
    found = capsys.readouterr().err
    assert "a.gwspool: expected a spool" in found and "expected checksum" in found
    assert "spools not sent whole: 2 of 3" in found
    assert collector.run("r").producers[0].last_sequence == 5
    assert (collector.run("r").status, collector.run("sound").status) == (1, 2)


def test_a_length_that_changed_is_told_by_sync(collector, tmp_path, capsys):
    path = write(tmp_path)
    place = beginnings(path)[3]
    content = bytearray(path.read_bytes())
    content[place + 2] ^= 1
    path.write_bytes(content)
    assert main(["sync", str(path), "--address", collector.address]) == 2
    assert f"byte {place}: expected a record of at most" in capsys.readouterr().err
    assert collector.run("r").producers[0].last_sequence == 2


def test_two_that_sync_at_once_send_nothing_twice(collector, tmp_path, capsys):
    path = write(tmp_path / "spools", steps=300)
    command = ["sync", str(path), "--address", collector.address]
    other = threading.Thread(target=main, args=(command,))
    has_said, may_send = threading.Event(), threading.Event()
    known_run = sync_module._known_run

    def known_and_then_others(*arguments):
        """What the collector has; another one sends before the caller does."""
        found = known_run(*arguments)
        if threading.current_thread() is other:
            has_said.set()
            may_send.wait(60)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync_module, "_known_run", known_and_then_others)
        other.start()
        assert has_said.wait(60)
        assert main(command) == 0
        may_send.set()
        other.join()
    assert (collector.run("r").producers[0].last_sequence, collector.run("r").status) == (300, 2)
    assert collector.losses("r") == {step: float(step) for step in range(300)}
    assert main(command) == 0
    assert "300 known before" in capsys.readouterr().out


def test_sync_says_that_another_one_sends(collector, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "spools", steps=100)
    command = ["sync", str(path), "--address", collector.address]
    assert main(command) == 0
    monkeypatch.setattr(sync_module, "_known_run", lambda *_: run_pb2.Run())
    assert main(command) == 2
    expected = f"{path}: stopped behind step report 0: expected the collector to have 0 reports, found 100: another"
    assert expected in capsys.readouterr().err
    assert collector.run("r").producers[0].last_sequence == 100


@pytest.mark.parametrize("first", ["sync", "import"])
def test_the_collectors_own_command_goes_on_where_sync_stopped(collector, tmp_path, first):
    def send(how):
        if how == "sync":
            return main(["sync", str(path), "--address", collector.address])
        command = [Path(binary()).with_name("collector-cli"), "import", "spool", "--server", collector.address, path]
        return subprocess.run(command, capture_output=True, timeout=60).returncode

    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
    for step in range(30):
        run.log({"" if step in (10, 29) else "loss": float(step)}, commit=True)
    run.finish()
    path = tmp_path / "r.trainer.gwspool"
    assert send(first) == 2, "two reports are refused"
    for again in ("sync", "import"):
        assert send(again) == 0
        assert collector.losses("r") == {step: float(step) for step in range(29) if step != 10}
    found = collector.run("r")
    assert (found.status, found.producers[0].last_sequence) == (2, 30)


def test_sync_says_what_is_wrong(collector, tmp_path, capsys):
    assert main(["sync", str(tmp_path / "none"), "--address", collector.address]) == 2
    (tmp_path / "no.gwspool").write_bytes(b"something else")
    assert main(["sync", str(tmp_path), "--address", collector.address]) == 2
    assert "expected a spool (b'GWSPOOL1'), found b'somethin'" in capsys.readouterr().err
    path = write(tmp_path / "cut")
    path.write_bytes(path.read_bytes()[:-20])
    main(["sync", str(path), "--address", collector.address])
    assert "cut off" in capsys.readouterr().err
    # Another run of the same id has other steps.
    run = gradwatch.init(mode="offline", dir=str(tmp_path / "twin"), run_id="r")
    for step in range(4):
        run.log(loss=0.0, step=100 + step)
    run.finish()
    assert main(["sync", str(tmp_path / "twin"), "--address", collector.address]) == 2
    assert "another run of that id" in capsys.readouterr().err
    collector.kill()
    assert main(["sync", str(path), "--address", collector.address]) == 4


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_sync_gives_up_without_acks_and_says_how_far_it_came(collector, tmp_path, capsys, monkeypatch, how):
    monkeypatch.setenv("GRADWATCH_BUFFERED_REPORTS", "20")
    path = write(tmp_path / "spools", steps=100)
    report = Sender.report

    def go_away(self, report_, relative):
        if report_.sequence == 50:
            getattr(collector, how)()
        report(self, report_, relative)

    with monkeypatch.context() as patch:
        patch.setattr(Sender, "report", go_away)
        assert main(["sync", str(path), "--address", collector.address, "--timeout", "3"]) == 4
    collector.start() if how == "kill" else collector.resume()
    said = re.search(r"stopped behind step report (\d+): no step was acked for 3 s", capsys.readouterr().err)
    # A process that is told to stop may do a little more.
    assert 30 <= int(said[1]) < 100
    assert main(["sync", str(path), "--address", collector.address]) == 0
    known = int(re.search(r"(\d+) known before", capsys.readouterr().out)[1])
    assert known >= int(said[1]), "what was not acked may be there as well"
    assert collector.losses("r") == {step: float(step) for step in range(100)}
    assert collector.run("r").status == 2


def test_another_model_is_refused_and_not_unreachable(collector, tmp_path, capsys):
    path = write(tmp_path)
    with gradwatch.init(run_id="r", address=collector.address, mode="online") as run:
        run.expect()
        model = model_pb2.Model(
            layers=[model_pb2.Layer(name="l")], tensors=[model_pb2.Tensor(name="w", shape=[2], element_count=2)]
        )
        run.describe(model, "none")
        assert run.settle()
    assert main(["sync", str(path), "--address", collector.address]) == 2
    assert f"{path}: stopped behind step report 0: FAILED_PRECONDITION" in capsys.readouterr().err


def test_a_full_disk_stops_no_training(tmp_path):
    """A size limit of the process stands for it: writing beyond fails with EFBIG, part of the last record written."""
    code = f"""
import resource, signal, gradwatch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
run = gradwatch.init(mode="offline", dir={str(tmp_path)!r}, run_id="r")
for step in range(200): run.log(loss=float(step))
status = run.finish()
assert status.delivered + status.dropped == 200 and status.dropped > 100 and status.problem, status
print(status.delivered)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = tmp_path / "r.trainer.gwspool"
    assert [r.sequence for r in reports(path)] == list(range(1, int(done.stdout) + 1))
    reader = SpoolReader(path)
    assert list(reader) and not reader.damage, "no half record is left"


def test_what_a_full_disk_took_is_told_with_the_next_step(tmp_path):
    code = f"""
import resource, signal, gradwatch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def limit(size): resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
run = gradwatch.init(mode="offline", dir={str(tmp_path)!r}, run_id="r")
for is_full in (True, False, True, False):
    limit(4 if is_full else resource.RLIM_INFINITY)
    for step in range(5): run.log(loss=1.0, commit=True)
status = run.finish()
assert (status.delivered, status.dropped) == (10, 10) and status.problem, status
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    found = [(r.sequence, r.step, r.dropped_steps) for r in reports(tmp_path / "r.trainer.gwspool")]
    steps = [*range(5, 10), *range(15, 20)]
    assert found == [(n + 1, step, 5 if n % 5 == 0 else 0) for n, step in enumerate(steps)]
