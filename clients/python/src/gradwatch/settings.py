"""Where reports go and how they wait: arguments, then the environment, then defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

from .errors import GradwatchError

MODES = ("online", "offline", "disabled")


@dataclass(frozen=True)
class Settings:
    """What `gradwatch.init` and the environment say, resolved.

    Every field may be set by the variable GRADWATCH_ and its name in capitals, such as GRADWATCH_ADDRESS;
    an argument wins over it.
    """

    address: str = "127.0.0.1:50151"
    """Host and port of the collector, or `unix:PATH`."""
    mode: str = "online"
    """`online`; `offline`: to a file for `gradwatch sync`; `disabled`: nowhere."""
    project: str = ""
    """The project that groups runs; empty: the collector's default."""
    run_id: str = ""
    """The run's id; empty: one is made up."""
    dir: str = "gradwatch"
    """The folder for the files of the offline mode."""
    token: str = ""
    """Sent as `authorization: Bearer` with every call; empty: none."""
    ca_cert: str = ""
    """A file of certificates in PEM form to trust. With it, or a client certificate, the connection is TLS."""
    client_cert: str = ""
    """A file with the certificate that identifies us, in PEM form."""
    client_key: str = ""
    """A file with its key."""
    buffered_reports: int = 4096
    """Reports that may wait for their acks."""
    buffered_bytes: int = 64 << 20
    """Bytes of reports that may wait for their acks."""

    @staticmethod
    def resolve(environment: Mapping[str, str] | None = None, **arguments: object) -> Settings:
        """Settings of the arguments that are not `None`, then of the environment.

        Raises GradwatchError for a value that is none of those expected.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {}
        for name, kind in Settings.__annotations__.items():
            variable = f"GRADWATCH_{name.upper()}"
            if arguments.get(name) is not None:
                values[name] = arguments[name]
            elif environment.get(variable):
                values[name] = _parsed(variable, environment[variable], kind)
        settings = Settings(**values)  # type: ignore[arg-type]
        if settings.mode not in MODES:
            raise GradwatchError(f"mode: expected one of {', '.join(MODES)}, found {settings.mode!r}")
        for name in ("buffered_reports", "buffered_bytes"):
            if getattr(settings, name) < 1:
                raise GradwatchError(f"{name}: expected at least 1, found {getattr(settings, name)}")
        for name in ("ca_cert", "client_cert", "client_key"):
            path = getattr(settings, name)
            if path and not Path(path).is_file():
                raise GradwatchError(f"{name}: expected a file, found none at {path}")
        if bool(settings.client_cert) != bool(settings.client_key):
            raise GradwatchError("client_cert, client_key: expected both or neither, found one")
        return settings


def _parsed(variable: str, text: str, kind: str) -> object:
    if kind != "int":
        return text
    try:
        return int(text)
    except ValueError:
        raise GradwatchError(f"{variable}: expected a whole number, found {text!r}") from None
