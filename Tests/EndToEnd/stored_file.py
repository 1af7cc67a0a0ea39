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


def last_page(path: Path, table: str) -> tuple[int, int]:
    """The page with a table's last rows, not its only one, and how large pages are; nothing is in the write-ahead log."""
    with closing(sqlite3.connect(path)) as database:
        select = "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?"
        [(page, size)] = database.execute(select, (table,))
    content = path.read_bytes()
    is_inner, depth = 5, 0
    while content[(start := (page - 1) * size)] == is_inner:
        page = int.from_bytes(content[start + 8 : start + 12], "big")
        depth += 1
    assert depth > 0, f"{table} has one page"
    return page, size


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
