"""A connection that is cut after any byte: nothing acked is lost, nothing is doubled, nothing is left behind."""

import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from client import PRODUCER, Client
from process import binary, eventually
from reports import WALL_TIME, Recorded, assert_holds, registration
from wire import v1

REPORTS = 3


def small_report(sequence: int):
    message = v1.StepReport(sequence=sequence, step=sequence, wall_time_seconds=WALL_TIME + sequence)
    message.losses.add(name="loss", value=1 / sequence)
    message.gradients.norm.extend([sequence, 2])
    return message


SENT = [small_report(sequence) for sequence in range(1, REPORTS + 1)]


def nth_run(number: int) -> str:
    return f"cut-{number:05}"


class Proxy:
    """Passes one connection on, up to some bytes from the collector; keeps what the client sent."""

    def __init__(self, target: str, bytes_back: int | None = None):
        host, port = target.rsplit(":", 1)
        self.sent: list[bytes] = []
        self._upstream = (host, int(port))
        self._left = bytes_back
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self):
        client, _ = self._listener.accept()
        self._listener.close()
        collector = socket.create_connection(self._upstream)
        there = threading.Thread(target=self._pass, args=(client, collector), daemon=True)
        there.start()
        while self._left is None or self._left > 0:
            data = self._received(collector)[: self._left]
            if not data:
                break
            client.sendall(data)
            if self._left is not None:
                self._left -= len(data)
        for end in (client, collector):
            cut(end, hard=True)
        there.join()

    def _pass(self, client: socket.socket, collector: socket.socket):
        while data := self._received(client):
            self.sent.append(data)
            try:
                collector.sendall(data)
            except OSError:
                return

    @staticmethod
    def _received(end: socket.socket) -> bytes:
        try:
            return end.recv(1 << 16)
        except OSError:
            return b""

    def close(self):
        self._listener.close()


def cut(end: socket.socket, hard: bool):
    """Ends a connection, with a reset if it is to be hard, whoever is reading from it."""
    try:
        if hard:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def stream_all(client: Client, run_id: str) -> int:
    """Streams the reports as far as the connection goes; the last number that was acked."""
    stream = client.stream(run_id)
    stream.send(*SENT)
    stream.wait(lambda: stream.acked == REPORTS or stream.ended, "acks")
    stream.close()
    stream.end()
    return stream.acked


def acks_in(received: bytes) -> int:
    """The last number that was acked in the bytes of a connection's only stream."""
    messages, place, acked = b"", 0, 0
    while place + 9 <= len(received):
        size = int.from_bytes(received[place : place + 3], "big")
        if received[place + 3] == 0:
            messages += received[place + 9 : place + 9 + size]
        place += 9 + size
    place = 0
    while place + 5 <= len(messages):
        size = int.from_bytes(messages[place + 1 : place + 5], "big")
        if place + 5 + size > len(messages):
            break
        event = v1.StreamTelemetryResponse.FromString(messages[place + 5 : place + 5 + size])
        acked = event.ack.sequence or acked
        place += 5 + size
    return acked


def ends_of_reports(sent: bytes, run_id: str) -> list[int]:
    """Where in the bytes of a client the first, second, third report is complete."""
    ends = []
    for message in SENT:
        payload = v1.StreamTelemetryRequest(report=message).SerializeToString()
        ends.append(sent.index(payload) + len(payload))
    assert run_id.encode() in sent and ends == sorted(ends)
    return ends


def resume_and_check(client: Client, run_id: str, acked: int, most: int):
    last = client.register(registration(run_id, layers=1)).producer.last_sequence
    assert acked <= last <= most, (run_id, acked, last, most)
    # One report again, too: it is acked, and stored once.
    again = client.report(run_id, *SENT[max(last - 1, 0) :])
    assert (again.ack.sequence, list(again.ack.refusals)) == (REPORTS, [])
    assert not again.HasField("gap")


def open_files(collector) -> int:
    return len(os.listdir(f"/proc/{collector.process.pid}/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="open files are counted in /proc")
def test_a_client_cut_off_at_any_byte_resumes(collector, client):
    proxy = Proxy(collector.target)
    client.register(registration(nth_run(0), layers=1))
    with Client(proxy.target) as recorded:
        assert stream_all(recorded, nth_run(0)) == REPORTS
    bytes_sent = b"".join(proxy.sent)
    ends = ends_of_reports(bytes_sent, nth_run(0))
    before = open_files(collector)

    host, port = collector.target.rsplit(":", 1)
    for length in range(len(bytes_sent) + 1):
        run_id = nth_run(length + 1)
        client.register(registration(run_id, layers=1))
        whole = sum(end <= length for end in ends)
        with socket.create_connection((host, int(port))) as connection:
            sent = bytes_sent.replace(nth_run(0).encode(), run_id.encode())
            connection.sendall(sent[:length])
            received, acked = b"", 0
            # Every other time it is cut while the reports are on their way.
            if length % 2:
                connection.settimeout(30)
                while acked < whole:
                    more = connection.recv(1 << 16)
                    assert more, (length, received)
                    received += more
                    acked = acks_in(received)
            cut(connection, hard=length % 4 < 2)
        resume_and_check(client, run_id, acked, whole)

    for length in range(0, len(bytes_sent) + 1, 40):
        assert_holds(client, nth_run(length + 1), Recorded(SENT))
    for length in range(len(bytes_sent) + 1):
        run = client.query.GetRun(v1.GetRunRequest(run_id=nth_run(length + 1))).run
        assert run.producers[0].last_sequence == REPORTS
    eventually(lambda: open_files(collector) <= before + 2, "connections are closed")


def test_a_client_that_loses_the_answer_at_any_byte_resumes(collector, client):
    client.register(registration(nth_run(0), layers=1))
    length = 0
    while True:
        run_id = nth_run(length + 1)
        client.register(registration(run_id, layers=1))
        proxy = Proxy(collector.target, bytes_back=length)
        with Client(proxy.target) as cut_off:
            acked = stream_all(cut_off, run_id)
        proxy.close()
        resume_and_check(client, run_id, acked, REPORTS)
        assert_holds(client, run_id, Recorded(SENT))
        if acked == REPORTS:
            break
        length += 1
    print(f"the answer takes {length} bytes")
    assert length > 100


class SilentProxy:
    """Passes connections on, until it drops all that those say which it has then, as a network that is gone."""

    def __init__(self, target: str):
        host, port = target.rsplit(":", 1)
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.accepted = 0
        self._dead = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def go_silent(self):
        self._dead = self.accepted

    def _serve(self):
        while True:
            client, _ = self._listener.accept()
            collector = socket.create_connection(self._upstream)
            self.accepted += 1
            for ends in ((client, collector), (collector, client)):
                threading.Thread(target=self._pass, args=(self.accepted, *ends), daemon=True).start()

    def _pass(self, number: int, source: socket.socket, drain: socket.socket):
        try:
            while data := source.recv(1 << 16):
                if number > self._dead:
                    drain.sendall(data)
        except OSError:
            pass
        if number > self._dead:
            cut(drain, hard=False)


def test_a_connection_that_dies_silently_before_the_end_loses_no_report(collector, client):
    proxy = SilentProxy(collector.target)
    tool = Path(binary()).with_name("training-client")
    command = [tool, "run", "cool-transformer", "--run-id", "run", "--server", proxy.target, "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as training:
        eventually(lambda: is_streaming(client), "it streams")
        proxy.go_silent()
        _, said = training.communicate(timeout=120)
    assert training.returncode == 0, said
    assert proxy.accepted > 1
    assert client.query.GetRun(v1.GetRunRequest(run_id="run")).run.status == v1.RUN_STATUS_FINISHED


def is_streaming(client: Client) -> bool:
    runs = client.query.ListRuns(v1.ListRunsRequest()).runs
    return any(state.last_sequence for run in runs for state in run.producers)
