"""Faults of the system below a collector: a small disk, syncs that fail, a clock that jumps."""

import contextlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int):
    """A file system of its own that holds no more than this; skips the test where none may be mounted."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
        refusal = mounted.stderr.strip() if mounted.returncode else None
    except OSError as error:
        refusal = str(error)
    if refusal is not None:
        pytest.skip(f"no small file system can be mounted here: {refusal}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def filled(disk: Path):
    """Leaves no space on a small disk for as long as it lasts."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    try:
        yield
    finally:
        ballast.unlink()


class Shim:
    """What shim.c does to a collector that is started with `environment`."""

    def __init__(self, folder: Path):
        compiler = shutil.which("cc") or shutil.which("clang")
        if not compiler:
            pytest.skip("no C compiler, so that nothing can be put before the system's own functions")
        library = folder / "shim.so"
        source = Path(__file__).parent / "shim.c"
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
        self._failing = folder / "syncs-fail"
        self._holding = folder / "syncs-wait"
        self._refusing = folder / "writes-fail"
        self._clock = folder / "clock"
        self._clock.write_bytes(struct.pack("<d", 0))
        self.environment = {
            "LD_PRELOAD": str(library),
            "SHIM_FAIL_SYNC": str(self._failing),
            "SHIM_HOLD_SYNC": str(self._holding),
            "SHIM_FAIL_WRITE": str(self._refusing),
            "SHIM_CLOCK": str(self._clock),
        }

    def fail_syncs(self, fail: bool = True):
        self._failing.touch() if fail else self._failing.unlink()

    def hold_syncs(self, hold: bool = True):
        """As on a disk that takes very long."""
        self._holding.touch() if hold else self._holding.unlink()

    def fail_writes(self, fail: bool = True):
        """To the database file; its write-ahead log takes them."""
        self._refusing.touch() if fail else self._refusing.unlink()

    def set_clock(self, seconds_off: float):
        with open(self._clock, "r+b") as file:
            file.write(struct.pack("<d", seconds_off))
