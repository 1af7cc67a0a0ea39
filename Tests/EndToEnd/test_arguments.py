"""What collector-cli says of an argument that makes no sense: what it takes, and what was given."""

import subprocess
from pathlib import Path

import pytest

from process import binary


def cli(*arguments) -> subprocess.CompletedProcess:
    command = [Path(binary()).with_name("collector-cli"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "option", "found", "expected"),
    [
        ("query timeline r --steps 5:3", "--steps", "5:3", "expected steps as N, A:B with A at most B"),
        ("diff a b --steps x", "--steps", "x", "expected steps as N, A:B"),
        ("query runs --since x", "--since", "x", "expected a number and one of s, m, h, d and w"),
        ("silence add --rule r --for 5", "--for", "5", "expected a number and one of s, m, h, d and w"),
        ("query loss r --resolution x", "--resolution", "x", "expected a whole number from 0 to"),
        ("query runs --server a/b", "--server", "a/b", "expected HOST:PORT or unix:PATH"),
        ("query runs --server a:0", "--server", "a:0", "expected HOST:PORT or unix:PATH"),
        ("run prune --max-bytes x", "--max-bytes", "x", "expected a number of bytes"),
        ("run prune --keep x", "--keep", "x", "expected a whole number from 0 to"),
        ("query runs --timeout x", "--timeout", "x", "expected a number"),
        ("query runs --timeout 1e30", "--timeout", "1e+30", "above 0 and below 1,000,000"),
        (f"query runs --server unix:{'x' * 120}", "--server", "120 bytes", "at most 103 bytes"),
    ],
)
def test_a_wrong_argument_is_told_with_what_is_expected(arguments, option, found, expected):
    result = cli(*arguments.split())
    assert (result.returncode, result.stdout) == (2, "")
    first = result.stderr.splitlines()[0]
    assert option in first and found in first and expected in first


@pytest.mark.parametrize("command", ["query run", "diagnose", "diff", "watch"])
def test_forms_that_a_command_refuses_are_not_in_its_help(command):
    text = cli(*command.split(), "--help").stdout
    assert "values: table, json, jsonl)" in text
    assert "csv" not in text
