"""Text as the collector takes it."""

MAXIMUM_BYTES = 512
"""The bytes that a name, or a reason, may have."""


def line(text: str) -> str:
    """One line of at most 512 bytes without control characters, such as an exception's message has."""
    if text.isprintable() and 4 * len(text) <= MAXIMUM_BYTES:
        return text
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return clean.encode()[:MAXIMUM_BYTES].decode(errors="ignore")
