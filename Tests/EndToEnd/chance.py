"""What tests leave to chance: from which seed, and how often."""

import os
import random

SEED = int(os.environ.get("GRADWATCH_TEST_SEED", 20_261_121))

KILLS = int(os.environ.get("GRADWATCH_TEST_KILLS", 240))
"""Of all at random moments; a quarter of them during migrations, and an eighth while rollups are written."""


def seeded(what: str) -> random.Random:
    """Chance of one test's own; says the seed, which pytest shows if the test fails."""
    print(f"seed {SEED}")
    return random.Random(f"{SEED} {what}")
