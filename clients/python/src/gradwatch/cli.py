"""The command `gradwatch`: what is done beside a training."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from . import __version__
from .doctor import examine
from .errors import GradwatchError
from .settings import Settings
from .sync import sync

OK, USAGE, UNREACHABLE = 0, 2, 4
"""Exit statuses, those of collector-cli."""


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gradwatch", description="Beside a training that gradwatch watches.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    connection = argparse.ArgumentParser(add_help=False)
    connection.add_argument("--address", help="the collector, HOST:PORT or unix:PATH [$GRADWATCH_ADDRESS]")
    connection.add_argument("--ca-cert", help="certificates to trust, PEM [$GRADWATCH_CA_CERT]")
    connection.add_argument("--client-cert", help="our certificate, PEM [$GRADWATCH_CLIENT_CERT]")
    connection.add_argument("--client-key", help="its key, PEM [$GRADWATCH_CLIENT_KEY]")
    command = commands.add_parser(
        "sync",
        parents=[connection],
        help="send what runs wrote while they were offline",
        description="Sends spools to the collector. Doing it again sends nothing twice.",
    )
    command.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files and folders [$GRADWATCH_DIR]")
    command.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="leave the rest of a spool if the collector acks nothing for so long [60]",
    )
    commands.add_parser(
        "doctor",
        parents=[connection],
        help="find out why nothing arrives",
        description="Goes from the name to the clock of the collector, and says at which step it fails.",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(format="gradwatch: %(message)s", level=logging.WARNING)
    try:
        settings = Settings.resolve(
            address=options.address,
            ca_cert=options.ca_cert,
            client_cert=options.client_cert,
            client_key=options.client_key,
        )
        if options.command == "doctor":
            return OK if examine(settings) else UNREACHABLE
        paths = options.paths or [Path(settings.dir)]
        return OK if sync(paths, settings, options.timeout) else UNREACHABLE
    except GradwatchError as error:
        print(f"gradwatch: {error}", file=sys.stderr)
        return USAGE


if __name__ == "__main__":
    sys.exit(main())
