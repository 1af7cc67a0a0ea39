"""Files that reports wait in without a collector; `gradwatch.v1.spool.proto` has the format."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import struct
import threading
import weakref
import zlib
from pathlib import Path
from typing import BinaryIO, Iterator, NamedTuple

try:
    import fcntl
except ImportError:  # Windows has none.
    fcntl = None

from .errors import GradwatchError
from .log import LOGGER
from .status import Status
from .v1 import ingest_service_pb2 as ingest
from .v1 import spool_pb2, step_report_pb2

MAGIC = b"GWSPOOL1"
SUFFIX = ".gwspool"
_HEAD = struct.Struct("<II")
_MAXIMUM_BYTES = 256 << 20
_BEGINNING = re.compile(rb"(?=[\x12\x1a]([\x80-\xff]{0,4}[\x00-\x7f]))")
"""How a SpoolRecord of a report or an ending begins: its tag, and the length of what is in it."""


class SpoolReader:
    """Reads a spool, record by record, up to its end or to what is damaged."""

    def __init__(self, path: Path):
        self.path = path
        self.end = 0
        """The bytes up to the end of the last whole record."""
        self.damage = ""
        """What is wrong behind it; empty: nothing, or nothing was read yet."""
        self.is_cut_off = False
        """Whether that is only that the file ends, as it does when its process dies or is still at work."""

    def __iter__(self) -> Iterator[spool_pb2.SpoolRecord]:
        """The records. Raises GradwatchError if the file is no spool."""
        with open(self.path, "rb") as file:
            found = file.read(len(MAGIC))
            if found != MAGIC:
                raise GradwatchError(f"{self.path}: expected a spool ({MAGIC!r}), found {found!r}")
            self.end = file.tell()
            while (payload := self._payload(file)) is not None:
                record = spool_pb2.SpoolRecord.FromString(payload)
                yield record
                self.end = file.tell()

    def _payload(self, file: BinaryIO) -> bytes | None:
        place = f"{self.path}, byte {self.end}"
        head = file.read(_HEAD.size)
        if not head:
            return None
        if len(head) < _HEAD.size:
            self.damage, self.is_cut_off = f"{place}: the last record is cut off", True
            return None
        length, expected = _HEAD.unpack(head)
        if length > _MAXIMUM_BYTES:
            self.damage = f"{place}: expected a record of at most {_MAXIMUM_BYTES} bytes, found {length}"
            return None
        payload = file.read(length)
        if len(payload) < length and (zlib.crc32(payload) == expected or _has_whole_record(payload)):
            self.damage = f"{place}: expected a record of at most {len(payload)} bytes, found {length}"
        elif len(payload) < length:
            self.damage, self.is_cut_off = f"{place}: the last record is cut off", True
        elif zlib.crc32(payload) != expected:
            self.damage = f"{place}: expected checksum {expected:08x}, found {zlib.crc32(payload):08x}"
        else:
            return payload
        return None


def _has_whole_record(data: bytes) -> bool:
    """Whether there is a report or an ending in bytes, wherever it begins."""
    for found in _BEGINNING.finditer(data, _HEAD.size):
        start = found.start()
        length, expected = _HEAD.unpack_from(data, start - _HEAD.size)
        inside = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1]))
        # Few places get as far as the checksum, which may be one of much.
        if length == 1 + len(found[1]) + inside and zlib.crc32(data[start : start + length]) == expected:
            return True
    return False


class _Counts(NamedTuple):
    """What became of the reports so far. Replaced as a whole, so that no interrupt leaves a part of it behind."""

    end: int = 0
    """The bytes up to the end of what counts in the file."""
    sequence: int = 0
    """The number of the last report in it."""
    reported: int = 0
    delivered: int = 0
    told: int = 0
    """Of those that are not in the file, the ones that a later report tells of."""


class Spool:
    """Writes the reports of one run into a file; goes on behind the last whole record of one that is there.

    Stands where a `Sender` stands. Reports are written at once, by the training thread, into the system's
    cache: what the process wrote survives its end, but maybe not the machine's.
    """

    is_over = False
    """Even with a full disk, the next report may fit."""
    open_alerts: list = []
    """None: there is nobody to raise them."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._registration = ingest.RegisterRunRequest()
        self._first_step = 0
        self._counts = _Counts()
        self._problem = ""

    def start(self, registration: ingest.RegisterRunRequest) -> None:
        """Opens the file. Raises GradwatchError if there is another run in it, or somebody else writes it."""
        # The process may change its folder.
        self._path = self._path.absolute()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._registration = registration
        for other in list(_OPEN):
            if other._path == self._path:
                self._check(other._registration)
                other._give_up()
        file = open(self._path, "r+b", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_CREAT, 0o666))
        try:
            self._claim(file)
            if os.fstat(file.fileno()).st_size >= len(MAGIC):
                self._resume()
        except BaseException:
            file.close()
            raise
        self._file = file
        _OPEN.add(self)
        self._rewind()
        self._begin()

    def _check(self, known: ingest.RegisterRunRequest) -> None:
        """Raises GradwatchError unless what is in the file, or will be, is of the same run."""
        if any(getattr(known, name) != getattr(self._registration, name) for name in ("run_id", "producer", "model")):
            raise GradwatchError(
                f"{self._path}: expected the same run with the same model, found another: choose another run id"
            )

    def _claim(self, file: BinaryIO) -> None:
        """Keeps other processes from writing, until this one ends or the file is closed."""
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GradwatchError(
                f"{self._path}: expected to write it alone, found another process that does: end that, or choose "
                "another run id"
            ) from None
        except OSError:
            pass  # A file system without locks.

    def _give_up(self) -> None:
        """Leaves the file to a later run of this process, as a notebook has when a cell runs again."""
        self._problem = "a later run of this process goes on with the file"
        self.close(None, timeout=0)

    def _resume(self) -> None:
        """Finds where to go on; keeps a copy of a file of which not all was read."""
        reader, first, sequence = SpoolReader(self._path), None, 0
        for record in reader:
            first = record if first is None else first
            if record.HasField("report"):
                sequence, self._first_step = record.report.sequence, record.report.step + 1
        if first is not None:
            self._check(first.registration)
        if reader.damage and not reader.is_cut_off:
            names = (self._path.with_name(f"{self._path.name}.damaged-{number}") for number in itertools.count(1))
            copy = next(name for name in names if not name.exists())
            shutil.copyfile(self._path, copy)
            LOGGER.warning(
                "%s; going on before it, behind report %d. What follows there is in a copy alone, %s, which is not "
                "sent: mend it by hand, or delete it", reader.damage, sequence, copy,
            )  # fmt: skip
        elif reader.damage:
            LOGGER.warning("%s; going on before it", reader.damage)
        # Without a registration, anew.
        self._counts = _Counts(end=reader.end if first is not None else 0, sequence=sequence)

    def _begin(self) -> None:
        """Writes what a file begins with, unless it has that."""
        if self._counts.end == 0:
            end = self._write(spool_pb2.SpoolRecord(registration=self._registration), before=MAGIC)
            self._counts = self._counts._replace(end=end)

    def report(self, report: step_report_pb2.StepReport, relative: bool) -> None:
        """Writes a report. If `relative`, its step counts from where the file's earlier ones end."""
        with self._lock:
            if self._file is not None:
                self._begin()
            end, sequence, reported, delivered, told = self._counts
            if end and self._file is not None:
                if relative:
                    report.step += self._first_step
                report.sequence = sequence + 1
                report.dropped_steps += reported - delivered - told
                if new_end := self._write(spool_pb2.SpoolRecord(report=report)):
                    self._counts = _Counts(new_end, sequence + 1, reported + 1, delivered + 1, reported - delivered)
                    return
            self._counts = _Counts(end, sequence, reported + 1, delivered, told)

    def _write(self, record: spool_pb2.SpoolRecord, before: bytes = b"") -> int:
        """Writes a record, all or nothing; a disk that is full stops no training.

        Returns where it ends; 0: it was not written.
        """
        payload = record.SerializeToString()
        data = before + _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if self._file.tell() != self._counts.end:
            # An interrupt came before what was written counted.
            self._rewind()
        try:
            written = self._file.write(data)
            if written == len(data):
                return self._counts.end + written
            problem = f"{written} of {len(data)} bytes written"
        except OSError as error:
            problem = str(error)
        if not self._problem:
            LOGGER.error("%s: steps are lost: %s", self._path, problem)
        self._problem = problem
        # Half a record would hide all that follows.
        self._rewind()
        return 0

    def _rewind(self) -> None:
        """Cuts off what does not count."""
        self._file.truncate(self._counts.end)
        self._file.seek(self._counts.end)

    def close(self, ending: ingest.FinishRunRequest | None, timeout: float) -> Status:
        """Writes how the run ended, unless `None`, and closes the file."""
        with self._lock:
            if self._file is not None:
                if ending is not None and self._counts.end:
                    self._write(spool_pb2.SpoolRecord(ending=ending))
                if self._is_gone():
                    self._problem = f"{self._path}: moved or deleted while the run wrote it"
                    self._counts = self._counts._replace(delivered=0)
                self._file.close()
                self._file = None
                _OPEN.discard(self)
        return self.status

    def _is_gone(self) -> bool:
        """Whether the file is no longer where it was opened."""
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        except OSError as error:
            return isinstance(error, FileNotFoundError)

    def settle(self, timeout: float) -> bool:
        """Everything is in the file as soon as it is reported."""
        return True

    @property
    def status(self) -> Status:
        """What became of the reports so far."""
        counts = self._counts
        return Status(
            state="offline",
            problem=self._problem,
            reported=counts.reported,
            delivered=counts.delivered,
            dropped=counts.reported - counts.delivered,
        )


_OPEN: weakref.WeakSet[Spool] = weakref.WeakSet()
"""The spools that this process opened."""


def _leave_all_to_parent() -> None:
    """In a child process: its copy of a file would keep the claim on it beyond the parent's end."""
    for spool in _OPEN:
        if spool._file is not None:
            spool._file.close()
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
