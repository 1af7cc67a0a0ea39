"""gradwatch doctor: which step fails, and what it says."""

import shutil
import socket
import subprocess
from concurrent import futures

import grpc
import pytest
from collector import Collector

import gradwatch
from gradwatch.cli import main
from gradwatch.v1 import query_service_pb2 as query


def examined(capsys, *arguments: str) -> tuple[int, list[str]]:
    """The exit status, and the lines without the first."""
    status = main(["doctor", *arguments])
    return status, capsys.readouterr().out.splitlines()[1:]


def test_a_sound_collector(collector, capsys):
    status, lines = examined(capsys, "--address", collector.address)
    assert status == 0
    assert [line.split(":")[0].split(None, 1) for line in lines] == [
        ["ok", "name"], ["ok", "TCP"], ["ok", "health"], ["ok", "version and clock"],
    ]  # fmt: skip
    assert "collector 0.1.0; its clock is " in lines[-1]


def test_each_step_that_can_fail(collector, capsys):
    assert examined(capsys, "--address", "no-such-host.invalid:1")[1][-1].startswith("  FAILED  name: ")
    assert "expected HOST:PORT or unix:PATH" in examined(capsys, "--address", "nowhere")[1][-1]
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{place.getsockname()[1]}"
    assert "FAILED  TCP: " in examined(capsys, "--address", closed)[1][-1]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        status, lines = examined(capsys, "--address", f"127.0.0.1:{silent.getsockname()[1]}")
        assert status == 4 and "FAILED  health: " in lines[-1]
    collector.kill()
    assert examined(capsys, "--address", collector.address)[0] == 4


def test_a_unix_socket(tmp_path, capsys):
    collector = Collector(tmp_path)
    collector.address = f"unix:{tmp_path}/s"
    try:
        status, lines = examined(capsys, "--address", collector.start().address)
        assert status == 0 and len(lines) == 2
    finally:
        collector.kill()


@pytest.fixture
def secure(tmp_path):
    """A server that answers as a collector behind a TLS proxy would; its address and certificate."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    credentials = grpc.ssl_server_credentials([((tmp_path / "key.pem").read_bytes(), (tmp_path / "cert.pem").read_bytes())])
    server = grpc.server(futures.ThreadPoolExecutor(4))
    answer = query.GetServerInfoResponse(version="1.2.3")
    answer.server_time.FromSeconds(1000)
    health = grpc.unary_unary_rpc_method_handler(lambda _, __: b"\x08\x01", lambda b: b, lambda b: b)
    info = grpc.unary_unary_rpc_method_handler(
        lambda _, __: answer, query.GetServerInfoRequest.FromString, query.GetServerInfoResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": health}),
        grpc.method_handlers_generic_handler("gradwatch.v1.QueryService", {"GetServerInfo": info}),
    ))  # fmt: skip
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    yield f"localhost:{port}", str(tmp_path / "cert.pem")
    server.stop(None)


def test_tls_and_a_clock_that_is_wrong(secure, capsys):
    address, certificate = secure
    status, lines = examined(capsys, "--address", address, "--ca-cert", certificate)
    assert status == 4
    assert lines[2].startswith("  ok      TLS: TLSv1.3")
    assert lines[3] == "  ok      health: it serves"
    assert "FAILED  version and clock: collector 1.2.3; expected the same time, found its clock -" in lines[4]


def test_a_certificate_that_is_not_trusted(secure, tmp_path, capsys):
    address, _ = secure
    other = tmp_path / "other"
    other.mkdir()
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other".split()
    subprocess.run([*command, "-keyout", "k", "-out", "c"], cwd=other, check=True, capture_output=True)
    status, lines = examined(capsys, "--address", address, "--ca-cert", str(other / "c"))
    assert status == 4 and "FAILED  TLS: " in lines[-1] and "CERTIFICATE_VERIFY_FAILED" in lines[-1]


def test_settings_that_are_none(capsys):
    assert main(["doctor", "--ca-cert", "/nowhere"]) == 2
    assert "ca_cert: expected a file, found none at /nowhere" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--version"])
    assert gradwatch.__version__ in capsys.readouterr().out
