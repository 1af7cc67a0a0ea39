"""The guide in the README: what it says that the collector says is what the collector says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from collector import binary

pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1]
GUIDE = (FOLDER / "README.md").read_text()


def heads(text: str) -> set[str]:
    """The alerts that began, with severity and rule; not spikes, which another processor's last digits decide."""
    return set(re.findall(r"^(\[\w+\] (?!loss_spike)\w+):", text, re.MULTILINE))


@pytest.mark.parametrize("way", ["sigmoid", "xavier", "relu"])
def test_the_alerts_are_those_of_the_guide(collector, way):
    shown = re.search(rf"^\$ python examples/spirals.py {way}$(.*?)^loss", GUIDE, re.MULTILINE | re.DOTALL)[1]
    done = subprocess.run(
        [sys.executable, FOLDER / "examples" / "spirals.py", way],
        env=os.environ | {"GRADWATCH_ADDRESS": collector.address, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert heads(done.stdout) == heads(shown)
    assert collector.rules(way) - {"loss_spike"} == {head.split()[1] for head in heads(shown)}
    assert "400 of 400 steps delivered" in done.stdout
    if way == "sigmoid":
        command = [Path(binary()).with_name("collector-cli"), "diagnose", way, "--server", collector.address]
        verdict = " ".join(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.split())
        assert "poor initialization since step 0 explains vanishing gradient and loss plateau" in verdict
