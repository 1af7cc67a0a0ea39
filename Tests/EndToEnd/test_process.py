"""The collector as an operator meets it: settings, start, failures to start, and stop."""

import contextlib
import fcntl
import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2

from client import PRODUCER, Client, Inbox
from process import Collector, binary, eventually, serve
from reports import Recorded, assert_holds, lose_gradients, registration, report
from wire import v1

LISTEN = ("--listen", "127.0.0.1:0")


def assert_does_not_start(collector: Collector, status: int, *named: str):
    """It ends with the status and one line on standard error that names the place."""
    with collector:
        code, output, error = collector.result()
    assert (code, output) == (status, ""), error
    assert len(error.splitlines()) == 1, error
    for text in named:
        assert text in error


def test_it_may_have_as_many_open_files_as_the_system_lets_it(tmp_path):
    with Collector(tmp_path, *LISTEN, limits="ulimit -Sn 64; ulimit -Hn 3000") as collector:
        collector.listening()
        limits = Path(f"/proc/{collector.process.pid}/limits").read_text()
        assert "Max open files 3000 3000 files" in " ".join(limits.split())


def test_connections_wait_without_work_while_no_more_files_may_be_open(tmp_path):
    def seconds_of_work() -> float:
        fields = Path(f"/proc/{collector.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with serve(tmp_path, limits="ulimit -n 64") as collector:
        host, _, port = collector.target.rpartition(":")
        connections = [socket.create_connection((host, int(port))) for _ in range(80)]
        eventually(lambda: "cannot accept connections" in collector.stderr, "it is told")
        before = seconds_of_work()
        time.sleep(1)
        assert seconds_of_work() - before < 0.3
        assert collector.stderr.count("cannot accept connections") == 1
        for connection in connections:
            connection.close()
        with collector.client() as client:
            client.register(registration("run"))
            assert client.report("run", report(1)).ack.sequence == 1


@pytest.mark.parametrize("name", ["file:x", "file:x?mode=memory", ":memory:"])
def test_a_database_is_a_path_whatever_its_name(tmp_path, name):
    def serve_it():
        return Collector(tmp_path, *LISTEN, "--database", name)

    with serve_it() as collector, collector.client() as client:
        client.register(registration("run"))
        assert client.report("run", report(1)).ack.sequence == 1
        assert {file.name for file in tmp_path.iterdir() if not file.name.startswith("stderr")} == {
            f"{name}{suffix}" for suffix in ("", "-wal", "-shm", ".lock")
        }
        assert_does_not_start(serve_it(), 1, "in use")
        collector.terminate()
        assert collector.result()[0] == 0
    for command in (["backup", name, f"{name} copy"], ["verify", f"{name} copy"]):
        result = subprocess.run([binary(), "store", *command], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / f"{name} copy").exists()


# Settings


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["surplus"], "surplus"),
        (["--listen"], "--listen"),
        (["--listen", "nowhere"], "listen"),
        (["--listen", "127.0.0.1:65536"], "listen"),
        (["--listen", "none"], "listen"),
        (["--log-level", "loud"], "log-level"),
        (["--stream-credits", "0"], "stream-credits"),
        (["--stream-credits", "many"], "stream-credits"),
        (["--max-message-bytes", "-1"], "max-message-bytes"),
        (["--config", "no/such/file.yaml"], "no/such/file.yaml"),
        (["--unix-socket", "s" * 200], "expected a path of at most 103 bytes"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_wrong_setting_ends_it_with_status_2_and_one_line(tmp_path, arguments, named):
    assert_does_not_start(Collector(tmp_path, *arguments), 2, named)


def test_a_wrong_setting_in_the_environment_or_in_a_file_is_named(tmp_path):
    wrong = {"GRADWATCH_STREAM_CREDITS": "many"}
    assert_does_not_start(Collector(tmp_path, environment=wrong), 2, "stream-credits", "many")
    for text in ("stream-credits: many\n", "stream-credits: [1\n", "\t- :\n"):
        (tmp_path / "wrong.yaml").write_text(text)
        collector = Collector(tmp_path, "--config", str(tmp_path / "wrong.yaml"))
        assert_does_not_start(collector, 2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stream-credits: [1]", "1:17: setting stream-credits: expected one value, found a list"),
        ("stream-credits: {a: 1}", "1:17: setting stream-credits: expected one value, found a mapping"),
        ("# credits\nstream-credits:", "2:16: setting stream-credits: expected one value, found nothing"),
        ("stream_credits: 5", "1:1: setting stream_credits: expected a setting's name, perhaps stream-credits"),
        ("\nstreem-credits: 5", "2:1: setting streem-credits: expected a setting's name, perhaps stream-credits"),
        ("Listen: 127.0.0.1:0", "1:1: setting Listen: expected a setting's name, perhaps listen"),
        ("zz: 1", "1:1: setting zz: expected one of listen, unix-socket"),
        ("[listen]", "1:1: setting config: expected lines of NAME: VALUE, found a list"),
        ("stream-credits: 1\nstream-credits: 2", "stream-credits"),
    ],
)
def test_what_a_file_of_settings_may_not_say_is_told_with_its_place(tmp_path, text, found):
    file = tmp_path / "settings.yaml"
    file.write_text(text + "\n")
    collector = Collector(tmp_path, *LISTEN, "--config", str(file))
    assert_does_not_start(collector, 2, str(file), found)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}\n"])
def test_a_file_may_set_nothing(tmp_path, text):
    (tmp_path / "settings.yaml").write_text(text)
    with serve(tmp_path, "--config", str(tmp_path / "settings.yaml")) as collector:
        assert collector.listening()


def test_flags_count_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("stream-credits: 11\nlisten: 127.0.0.1:0\ndatabase: of-file.sqlite\n")
    in_file = ["--config", str(file)]
    in_environment = {"GRADWATCH_STREAM_CREDITS": "12", "GRADWATCH_DATABASE": "of-env.sqlite"}
    in_flags = ["--stream-credits", "13", "--database", "of-flag.sqlite"]
    cases = [
        (in_file, {}, 11, "of-file.sqlite"),
        ([], {"GRADWATCH_CONFIG": str(file)}, 11, "of-file.sqlite"),
        (in_file, in_environment, 12, "of-env.sqlite"),
        (in_file + in_flags, in_environment, 13, "of-flag.sqlite"),
        ([*LISTEN, *in_flags], in_environment, 13, "of-flag.sqlite"),
    ]
    for arguments, environment, credits, database in cases:
        with (
            Collector(tmp_path, *arguments, environment=environment) as collector,
            collector.client() as client,
        ):
            assert client.server_info().limits.stream_credits == credits
            databases = {path.name for path in tmp_path.glob("*.sqlite")}
            assert databases == {database}
        for path in tmp_path.glob("*.sqlite*"):
            path.unlink()


def test_help_and_version_go_to_standard_output(tmp_path):
    for argument, text in (("--help", "--database"), ("--version", "0.")):
        with Collector(tmp_path, argument) as collector:
            code, output, error = collector.result()
            assert (code, error) == (0, "") and text in output


# What keeps it from starting


def test_a_database_in_no_folder_is_named(tmp_path):
    path = tmp_path / "missing" / "gradwatch.sqlite"
    assert_does_not_start(Collector(tmp_path, *LISTEN, "--database", str(path)), 1, str(path))


def test_a_database_in_a_folder_that_can_not_be_written_is_named(tmp_path):
    # Not even root may make files here.
    path = "/proc/gradwatch.sqlite"
    if not os.path.isdir("/proc"):
        pytest.skip("no folder that nobody can write to")
    assert_does_not_start(Collector(tmp_path, *LISTEN, "--database", path), 1, path)


def test_a_database_that_is_a_folder_is_named(tmp_path):
    assert_does_not_start(
        Collector(tmp_path, *LISTEN, "--database", str(tmp_path)), 1, str(tmp_path)
    )


@pytest.mark.parametrize("content", [b"not a database, but somebody's notes\n" * 100, b"\0" * 8192])
def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert_does_not_start(Collector(tmp_path, *LISTEN, "--database", str(path)), 1, str(path))
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE run (recipe TEXT)")
    assert_does_not_start(Collector(tmp_path, *LISTEN, "--database", str(path)), 1, str(path))
    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("run",)]


def test_a_database_of_a_newer_version_is_named_and_left_alone(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        collector.terminate()
        assert collector.result()[0] == 0
    path = tmp_path / "gradwatch.sqlite"
    with sqlite3.connect(path) as database:
        [columns] = database.execute("SELECT count(*) FROM pragma_table_info('grdb_migrations')")
        assert columns == (1,)
        database.execute("INSERT INTO grdb_migrations VALUES ('v999')")
    database.close()
    before = path.read_bytes()
    assert_does_not_start(serve(tmp_path), 1, str(path), "newer")
    assert path.read_bytes() == before


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        database = str(tmp_path / "gradwatch.sqlite")
        collector = Collector(tmp_path, "--listen", address, "--database", database)
        assert_does_not_start(collector, 1, address)


def test_a_host_name_without_an_address_is_named(tmp_path):
    arguments = ["--listen", "no-such-host.invalid:0", "--database", "gradwatch.sqlite"]
    with Collector(tmp_path, *arguments) as collector:
        code, output, error = collector.result()
    assert (code, output) == (1, "")
    assert "listen on no-such-host.invalid:0: expected a host name or an IP address" in error
    assert not (tmp_path / "gradwatch.sqlite").exists()


def test_a_file_at_the_place_of_the_unix_socket_is_named_and_left_alone(tmp_path):
    path = tmp_path / "notes"
    path.write_text("somebody's notes")
    arguments = ["--listen", "none", "--unix-socket", str(path), "--database", "gradwatch.sqlite"]
    expected = f"unix:{path}: expected a socket or nothing, found something else"
    assert_does_not_start(Collector(tmp_path, *arguments), 1, expected)
    assert path.read_text() == "somebody's notes"


def test_a_second_collector_on_one_database_does_not_start(tmp_path):
    with serve(tmp_path) as first, first.client() as client:
        client.register(registration("run"))
        assert_does_not_start(serve(tmp_path), 1, str(tmp_path / "gradwatch.sqlite"), "in use")
        assert client.report("run", report(1)).ack.sequence == 1
    # A collector that was killed leaves nothing behind that keeps the next one out.
    with serve(tmp_path) as next_, next_.client() as client:
        assert_holds(client, "run", Recorded([report(1)]))


def test_a_collector_waits_while_another_program_recovers_the_log(tmp_path):
    """A backup that opens the file first after a crash must not keep the collector out."""
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        client.report("run", report(1))
        collector.kill()
    index = tmp_path / "gradwatch.sqlite-shm"
    with open(index, "r+b") as file:
        # What SQLite holds while it makes the log's index anew: the index is empty, and shared (byte 128), and the
        # locks to write (120) and to recover (122) are taken.
        file.write(bytes(index.stat().st_size))
        file.flush()
        fcntl.lockf(file, fcntl.LOCK_SH, 1, 128)
        for lock in (120, 122):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, lock)
        with serve(tmp_path) as collector:
            files = Path(f"/proc/{collector.process.pid}/fd")

            def has_come() -> bool:
                if collector.process.poll() is not None:
                    return True
                with contextlib.suppress(FileNotFoundError):
                    return index in [link.readlink() for link in files.iterdir()]
                return False

            eventually(has_come, "it has opened the index")
            for lock in (120, 122, 128):
                fcntl.lockf(file, fcntl.LOCK_UN, 1, lock)
            with collector.client() as client:
                assert_holds(client, "run", Recorded([report(1)]))


# Serving and stopping


def test_it_serves_on_the_address_of_a_host_name(tmp_path):
    arguments = ["--listen", "localhost:0", "--database", "gradwatch.sqlite"]
    with Collector(tmp_path, *arguments) as collector, collector.client() as client:
        assert collector.target.startswith(("127.0.0.1:", "[::1]:"))
        client.register(registration("run"))


def test_it_serves_on_a_unix_socket(tmp_path):
    path = tmp_path / "socket"
    arguments = ["--listen", "none", "--unix-socket", "socket", "--database", "gradwatch.sqlite"]
    with Collector(tmp_path, *arguments) as collector:
        assert collector.listening() == ["unix:socket"]
        with Client(f"unix:{path}") as client:
            client.register(registration("run"))
            stream = client.stream("run")
            stream.send(report(1))
            stream.wait_for_ack(1)
            collector.terminate()
            assert stream.end().reason == "SHUTTING_DOWN"
        assert collector.result()[0] == 0


def test_a_socket_on_which_another_collector_is_served_is_left_to_it(tmp_path):
    path = tmp_path / "socket"
    socket_only = ("--listen", "none", "--unix-socket", str(path))
    with Collector(tmp_path, *socket_only, "--database", str(tmp_path / "a.sqlite")) as collector:
        collector.listening()
        other = Collector(tmp_path, *socket_only, "--database", str(tmp_path / "b.sqlite"))
        assert_does_not_start(other, 1, f"unix:{path}", "in use")
        assert not (tmp_path / "b.sqlite").exists()
        with Client(f"unix:{path}") as client:
            assert not client.query.ListRuns(v1.ListRunsRequest()).runs


def test_a_socket_left_by_a_killed_collector_is_taken_over(tmp_path):
    arguments = ["--unix-socket", str(tmp_path / "socket"), "--listen", "none"]
    arguments += ["--database", str(tmp_path / "gradwatch.sqlite")]
    with Collector(tmp_path, *arguments) as collector:
        assert collector.listening()
        collector.kill()
    with Collector(tmp_path, *arguments) as collector:
        with collector.client() as client:
            assert client.server_info().version
        collector.terminate()
        assert collector.result()[0] == 0
    assert not (tmp_path / "socket").exists(), "a clean stop removes it"


def test_the_output_is_where_it_listens_and_nothing_else(tmp_path):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        client.report("run", lose_gradients(report(1)))
        collector.terminate()
        code, output, _ = collector.result()
    assert code == 0
    [line] = output.splitlines()
    assert line.startswith("listening on 127.0.0.1:")


@pytest.mark.parametrize("signal", ["terminate", "interrupt"])
def test_it_stops_within_five_seconds_with_everything_open(tmp_path, signal):
    with serve(tmp_path) as collector, collector.client() as client:
        client.register(registration("run"))
        stream = client.stream("run", want_alerts=True)
        sent = [report(sequence) for sequence in range(1, 201)]
        stream.send(*sent)
        stream.wait_for_ack(1)
        idle = client.stream("run", producer_id=client_of_another(client))
        assert idle.opened.last_sequence == 0
        subscription = client.subscribe()
        subscription.wait_until_live()
        watch = Inbox(client.health.Watch(health_pb2.HealthCheckRequest()))
        watch.wait(lambda: watch.events, "the first status")

        started = time.monotonic()
        collector.terminate() if signal == "terminate" else collector.process.send_signal(2)
        code, _, error = collector.result()
        took = time.monotonic() - started
        assert (code, took < 5) == (0, True), (took, error)
        for ended in (stream, idle, subscription):
            failure = ended.end()
            assert failure.code.name == "UNAVAILABLE", failure
            assert (failure.reason, failure.domain) == ("SHUTTING_DOWN", "gradwatch"), failure
            assert failure.has_retry
        watch.end()
        acked = stream.acked
    with serve(tmp_path) as collector, collector.client() as client:
        last = client.register(registration("run")).producer.last_sequence
        assert last == acked, "all that was accepted was acked, and all that was acked is there"
        assert_holds(client, "run", Recorded(sent[:last]), producer_id=PRODUCER)


def client_of_another(client) -> str:
    """Registers another producer of the run; its id."""
    client.register(registration("run", producer_id="another"))
    return "another"


def test_it_stops_while_clients_do_not_read(tmp_path):
    narrow = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16))
    with (
        serve(tmp_path) as collector,
        collector.client() as client,
        collector.client(*narrow) as deaf,
    ):
        client.register(registration("run"))
        # More of history than the connection takes, so that the collector waits in a write.
        broken = [lose_gradients(report(sequence, step=0)) for sequence in range(1, 301)]
        client.report("run", *broken)
        held = [deaf.alerts.SubscribeAlerts(v1.SubscribeAlertsRequest(cursor=0)) for _ in range(5)]
        for call in held:
            assert next(call).HasField("transition")
        started = time.monotonic()
        collector.terminate()
        code, _, error = collector.result()
        assert (code, time.monotonic() - started < 5) == (0, True), error


def test_it_can_be_stopped_as_soon_as_it_says_that_it_listens(tmp_path):
    # Again and again, because what happens at a start may still be under way.
    for _ in range(30):
        with serve(tmp_path) as collector:
            assert collector.target
            collector.terminate()
            code, _, error = collector.result()
            assert code == 0, error


def test_after_a_stop_the_same_database_is_served_on(tmp_path):
    recorded = Recorded()
    for round_ in range(3):
        with serve(tmp_path) as collector, collector.client() as client:
            last = client.register(registration("run")).producer.last_sequence
            assert last == 100 * round_
            batch = [report(last + number) for number in range(1, 101)]
            client.report("run", *batch)
            recorded.add(*batch)
            assert_holds(client, "run", recorded)
            collector.terminate()
            assert collector.result()[0] == 0
    sizes = [path.stat().st_size for path in tmp_path.glob("gradwatch.sqlite-wal")]
    assert sum(sizes) == 0, "after a clean stop, all is in the one file"
