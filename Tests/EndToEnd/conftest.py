"""What tests are given: a collector of their own, and a connection to it."""

import pytest

from process import serve


@pytest.fixture
def collector(tmp_path):
    """A running collector with an empty database, killed at the end."""
    with serve(tmp_path) as running:
        yield running


@pytest.fixture
def client(collector):
    """A connection to it."""
    with collector.client() as connected:
        yield connected
