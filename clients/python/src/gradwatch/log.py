"""Where this package says what a person should know."""

import logging

LOGGER = logging.getLogger("gradwatch")
