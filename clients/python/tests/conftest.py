"""What tests are given: a collector of their own."""

import pytest
from collector import Collector


@pytest.fixture
def collector(tmp_path):
    """A running collector with an empty database, killed at the end."""
    running = Collector(tmp_path).start()
    yield running
    running.kill()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No variable of whoever runs the tests counts."""
    import os

    for name in [name for name in os.environ if name.startswith("GRADWATCH_")]:
        if name != "GRADWATCH_COLLECTOR":
            monkeypatch.delenv(name)
