"""Spools: what is written can be read, whatever happens to the file."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from collector import binary

import gradwatch
from gradwatch.cli import main
from gradwatch.sender import Sender
from gradwatch.spool import MAGIC, SpoolReader
from gradwatch.v1 import model_pb2
from gradwatch.v1 import query_service_pb2 as query


def write(folder, *, steps=5, **options):
    run = gradwatch.init(project="p", mode="offline", dir=str(folder), run_id="r", **options)
    for step in range(steps):
        run.log(loss=float(step))
    run.finish()
    return folder / "r.trainer.gwspool"


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


def test_cut_anywhere_it_gives_what_is_whole(tmp_path):
    path = write(tmp_path)
    whole, all_reports = path.read_bytes(), reports(path)
    for size in range(len(MAGIC), len(whole)):
        path.write_bytes(whole[:size])
        reader = SpoolReader(path)
        found = [record.report for record in reader if record.HasField("report")]
        assert found == all_reports[: len(found)]
        assert reader.damage == "" or f"byte {reader.end}" in reader.damage
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


def test_another_model_is_not_mixed_in(tmp_path):
    write(tmp_path)
    path = tmp_path / "other.trainer.gwspool"
    (tmp_path / "r.trainer.gwspool").rename(path)
    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="other")
    with pytest.raises(gradwatch.GradwatchError, match="choose another run id"):
        run.log(loss=1.0)
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
            run.log({"" if step == (1 if place == "midst" else 2) else "loss": 1.0})
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


@pytest.mark.parametrize("first", ["sync", "import"])
def test_the_collectors_own_command_goes_on_where_sync_stopped(collector, tmp_path, first):
    def send(how):
        if how == "sync":
            return main(["sync", str(path), "--address", collector.address])
        command = [Path(binary()).with_name("collector-cli"), "import", "spool", "--server", collector.address, path]
        return subprocess.run(command, capture_output=True, timeout=60).returncode

    run = gradwatch.init(mode="offline", dir=str(tmp_path), run_id="r")
    for step in range(30):
        run.log({"" if step in (10, 29) else "loss": float(step)})
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
    assert 30 <= int(said[1]) < 50
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
