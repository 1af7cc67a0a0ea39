"""Where this package says what a person should know."""

import logging
import sys

LOGGER = logging.getLogger("gradwatch")


def announce(text: str) -> None:
    """Says what a person wants to know though nothing is wrong; where logging is set up, that decides."""
    if LOGGER.hasHandlers():
        LOGGER.info("%s", text)
    else:
        print(f"gradwatch: {text}", file=sys.stderr)
