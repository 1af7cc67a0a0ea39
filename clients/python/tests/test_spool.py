"""Spools: what is written can be read, whatever happens to the file."""

import pytest

import gradwatch
from gradwatch.cli import main
from gradwatch.spool import MAGIC, SpoolReader


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


def test_a_full_disk_stops_no_training(tmp_path):
    """A size limit of the process stands for it: writing beyond fails with EFBIG, part of the last record written."""
    import subprocess
    import sys

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
