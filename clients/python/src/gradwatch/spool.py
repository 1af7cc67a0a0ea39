"""Files that reports wait in without a collector; `gradwatch.v1.spool.proto` has the format."""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path
from typing import BinaryIO, Iterator

from .errors import GradwatchError
from .log import LOGGER
from .status import Status
from .v1 import ingest_service_pb2 as ingest
from .v1 import spool_pb2, step_report_pb2

MAGIC = b"GWSPOOL1"
SUFFIX = ".gwspool"
_HEAD = struct.Struct("<II")
_MAXIMUM_BYTES = 256 << 20


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
        if len(payload) < length:
            self.damage, self.is_cut_off = f"{place}: the last record is cut off", True
        elif zlib.crc32(payload) != expected:
            self.damage = f"{place}: expected checksum {expected:08x}, found {zlib.crc32(payload):08x}"
        else:
            return payload
        return None


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
        self._sequence = self._first_step = 0
        self._reported = self._delivered = self._dropped = 0
        self._problem = ""

    def start(self, registration: ingest.RegisterRunRequest) -> None:
        """Opens the file. Raises GradwatchError if there is another run in it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size >= len(MAGIC):
            self._file = self._resumed(registration)
        else:
            self._file = open(self._path, "wb", buffering=0)
            self._file.write(MAGIC)
            self._write(spool_pb2.SpoolRecord(registration=registration))

    def _resumed(self, registration: ingest.RegisterRunRequest) -> BinaryIO:
        reader, first = SpoolReader(self._path), None
        for record in reader:
            first = record if first is None else first
            if record.HasField("report"):
                self._sequence, self._first_step = record.report.sequence, record.report.step + 1
        known = first.registration if first else ingest.RegisterRunRequest()
        if any(getattr(known, name) != getattr(registration, name) for name in ("run_id", "producer", "model")):
            raise GradwatchError(
                f"{self._path}: expected the same run with the same model, found another: choose another run id"
            )
        if reader.damage:
            LOGGER.warning("%s; going on before it", reader.damage)
        file = open(self._path, "r+b", buffering=0)
        file.truncate(reader.end)
        file.seek(reader.end)
        return file

    def report(self, report: step_report_pb2.StepReport, relative: bool) -> None:
        """Writes a report. If `relative`, its step counts from where the file's earlier ones end."""
        with self._lock:
            self._reported += 1
            if self._file is None:
                self._dropped += 1
                return
            if relative:
                report.step += self._first_step
            report.sequence = self._sequence + 1
            if self._write(spool_pb2.SpoolRecord(report=report)):
                self._sequence += 1
                self._delivered += 1
            else:
                self._dropped += 1

    def _write(self, record: spool_pb2.SpoolRecord) -> bool:
        """Writes a record, all or nothing; a disk that is full stops no training."""
        payload = record.SerializeToString()
        data = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        start = self._file.tell()
        try:
            written = self._file.write(data)
            if written == len(data):
                return True
            problem = f"{written} of {len(data)} bytes written"
        except OSError as error:
            problem = str(error)
        if not self._problem:
            LOGGER.error("%s: steps are lost: %s", self._path, problem)
        self._problem = problem
        # Half a record would hide all that follows.
        self._file.truncate(start)
        self._file.seek(start)
        return False

    def close(self, ending: ingest.FinishRunRequest | None, timeout: float) -> Status:
        """Writes how the run ended, unless `None`, and closes the file."""
        with self._lock:
            if self._file is not None:
                if ending is not None:
                    self._write(spool_pb2.SpoolRecord(ending=ending))
                self._file.close()
                self._file = None
        return self.status

    def settle(self, timeout: float) -> bool:
        """Everything is in the file as soon as it is reported."""
        return True

    @property
    def status(self) -> Status:
        """What became of the reports so far."""
        return Status(
            state="offline",
            problem=self._problem,
            reported=self._reported,
            delivered=self._delivered,
            dropped=self._dropped,
        )
