"""What a database file holds, seen without the collector."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from process import binary

PARENTS = [
    *((table, "run", "runs", "key") for table in ("models", "producers", "annotations")),
    *((table, "run", "runs", "key") for table in ("alerts", "alert_transitions")),
    *((table, "producer", "producers", "key") for table in ("snapshots", "log")),
    *((table, "producer", "producers", "key") for table in ("segments", "rollups")),
    ("segment_scalars", "segment", "segments", "id"),
    *((table, "key / 262144", "segments", "id") for table in ("chunks", "histograms")),
    *((f"rollup_{rows}", "key / 262144", "rollups", "id") for rows in ("chunks", "histograms")),
    ("rollup_scalars", "rollup", "rollups", "id"),
]
"""Which row each row belongs to: table, column, table and column of its parent."""


def ask(folder: Path, sql: str) -> list:
    """What the file answers, beside the collector or after it; nothing of it changes."""
    path = folder / "gradwatch.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def count(folder: Path, table: str) -> int:
    return ask(folder, f"SELECT count(*) FROM {table}")[0][0]


def assert_is_whole(folder: Path):
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


def assert_nothing_is_left_over(folder: Path):
    """Every row belongs to one that is there."""
    for table, column, parents, key in PARENTS:
        orphans = f"{table} WHERE {column} NOT IN (SELECT {key} FROM {parents})"
        assert count(folder, orphans) == 0, table


def verified(folder: Path) -> subprocess.CompletedProcess:
    """What `store verify` says of the file."""
    command = [binary(), "store", "verify", str(folder / "gradwatch.sqlite")]
    return subprocess.run(command, capture_output=True, text=True)


def assert_verifies(folder: Path, runs: int):
    said = verified(folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{runs} of {runs} runs" in said.stdout
