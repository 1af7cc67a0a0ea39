"""Finds out why nothing arrives at a collector."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Callable

from . import __version__
from .service import Problem, Service, connect, grpc
from .settings import Settings
from .v1 import query_service_pb2 as query

_SECONDS = 5.0
_CLOCK_SECONDS = 2.0
"""The difference of clocks from which on the times of steps and of alerts look odd side by side."""
_SERVING = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with the status SERVING."""


def examine(settings: Settings) -> bool:
    """Goes from the name to the clock of the collector, a line a step; stops at the first that fails."""
    host, _, port = settings.address.rpartition(":")
    print(f"gradwatch {__version__}, collector at {settings.address}")
    steps: list[tuple[str, Callable[[], str]]] = []
    if not settings.address.startswith("unix:"):
        steps.append(("name", lambda: _name(host, port)))
        steps.append(("TCP", lambda: _tcp(host, port)))
        if settings.ca_cert or settings.client_cert:
            steps.append(("TLS", lambda: _tls(host, port, settings)))
    steps += [
        ("health", lambda: _health(settings)),
        ("version and clock", lambda: _version(settings)),
    ]
    for name, step in steps:
        try:
            print(f"  ok      {name}: {step()}")
        except (OSError, ValueError, grpc.RpcError) as error:
            text = Problem.of(error).text if isinstance(error, grpc.RpcError) else str(error)
            print(f"  FAILED  {name}: {text}")
            return False
    return True


def _name(host: str, port: str) -> str:
    if not host or not port.isdigit():
        raise ValueError("expected HOST:PORT or unix:PATH")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return ", ".join(sorted({address[4][0] for address in found}))


def _tcp(host: str, port: str) -> str:
    start = time.monotonic()
    with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
        return f"connected in {(time.monotonic() - start) * 1e3:.1f} ms"


def _tls(host: str, port: str, settings: Settings) -> str:
    context = ssl.create_default_context(cafile=settings.ca_cert or None)
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert, settings.client_key)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host.strip("[]"), int(port)), _SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=host.strip("[]")) as wrapped:
            if wrapped.selected_alpn_protocol() != "h2":
                raise ValueError("expected HTTP/2 (h2), found that the other side does not offer it")
            return wrapped.version() or ""


def _health(settings: Settings) -> str:
    # By hand: the package grpc.health would be one more dependency, for two bytes.
    with connect(settings) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", lambda _: b"", lambda answer: answer)
        answer = check(None, timeout=_SECONDS)
    if answer != _SERVING:
        raise ValueError(f"expected that it serves, found {answer!r}")
    return "it serves"


def _version(settings: Settings) -> str:
    with connect(settings) as channel:
        before = time.time()
        info = Service(channel, settings.token).server_info(query.GetServerInfoRequest(), _SECONDS)
        now = (before + time.time()) / 2
    text = f"collector {info.version or 'of an unknown version'}"
    if not info.HasField("server_time"):
        return text
    ahead = info.server_time.ToNanoseconds() / 1e9 - now
    if abs(ahead) > _CLOCK_SECONDS:
        raise ValueError(f"{text}; expected the same time, found its clock {ahead:+.1f} s from ours")
    return f"{text}; its clock is {ahead * 1e3:+.0f} ms from ours"
