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


class Disk(Shim):
    """A disk below Linux's page cache: what it failed to take once is not written again, though later syncs succeed.

    The collector's database is to be in `folder`, and made after this.
    """

    def __init__(self, folder: Path):
        super().__init__(folder)
        self._told = folder / "disk"
        self._losing = folder / "lose"
        self.environment |= {"SHIM_DISK": str(self._told), "SHIM_LOSE": str(self._losing)}

    def lose(self, what: str) -> Path:
        """Loses what waits for the next sync of the log by who writes it ("commit") or by who seals ("seal"), or of the
        file when a part of the log was moved into it ("part") or the rest ("rest"). Returns what is there until then.
        """
        once = self._losing.with_name(f"{self._losing.name}-{what}")
        once.touch()
        return once

    def after_a_power_cut(self, folder: Path) -> Path:
        """Makes a folder of what the disk took, once there is no collector; what waited for a sync is not there."""
        folder.mkdir()
        for part, name in ((b"d", "gradwatch.sqlite"), (b"w", "gradwatch.sqlite-wal")):
            taken = bytearray()
            waiting: list[tuple[int, bytes]] = []
            for what, offset, content in self._events(part):
                if what == b"W":
                    waiting.append((offset, content))
                elif what == b"T":
                    resize(taken, offset)
                    waiting = [(start, some[: offset - start]) for start, some in waiting if start < offset]
                else:
                    for start, some in waiting if what == b"S" else ():
                        overwrite(taken, start, some)
                    waiting = []
            (folder / name).write_bytes(taken)
        return folder

    def _events(self, part: bytes):
        """What became of the database or its log, in order, as shim.c told it."""
        told, head, at = self._told.read_bytes(), struct.Struct("=cc2xiq"), 0
        while at < len(told):
            what, of, count, offset = head.unpack_from(told, at)
            at += head.size + count
            if of == part:
                yield what, offset, told[at - count : at]


def overwrite(image: bytearray, offset: int, content: bytes):
    """As in a file, which grows if it must."""
    if offset > len(image):
        resize(image, offset)
    image[offset : offset + len(content)] = content


def resize(image: bytearray, size: int):
    """As a file: what is new is zero."""
    del image[size:]
    image.extend(bytes(size - len(image)))
