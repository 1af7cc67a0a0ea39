"""The soak of scripts/soak, short: too short to see memory grow, long enough for all else that it checks."""

import os
import subprocess
import sys
from pathlib import Path


def test_many_runs_that_come_and_go_lose_nothing():
    settings = {"SOAK_MINUTES": "0.4", "SOAK_RUNS": "60", "SOAK_RATE": "600"}
    soak = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "soak.py")],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    print(soak.stdout, soak.stderr)
    assert soak.returncode == 0
