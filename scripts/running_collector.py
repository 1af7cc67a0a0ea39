"""A collector of one's own for the time of a script, and what it raised."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 30
SEVERITIES = ["info", "warning", "critical"]


def fail(text: str):
    """Ends the script, in its own name."""
    sys.exit(f"{Path(sys.argv[0]).name}: {text}")


def binaries(products: tuple[str, ...] = ("collector", "collector-cli")) -> Path:
    """The folder of the binaries, after building these."""
    build = ["swift", "build", "-c", "release"]
    where = subprocess.run([*build, "--show-bin-path"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if where.returncode != 0:
        fail("swift can't build here")
    folder = Path(where.stdout.strip())
    if not (folder / "collector-cli").exists():
        subprocess.run([ROOT / "scripts/bootstrap"], check=True)
    for product in products:
        built = subprocess.run(
            [*build, "--product", product], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        if built.returncode != 0:
            fail(f"{product} does not build:\n{built.stdout}")
    return folder


def environment(**more: str) -> dict[str, str]:
    """Ours, without what is meant for other collectors."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GRADWATCH_")} | more


@contextlib.contextmanager
def collector(binary: Path):
    """A collector with an empty database, stopped at the end; gives its address."""
    with tempfile.TemporaryDirectory(prefix="gradwatch-") as folder:
        process = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--log-level", "warning"]
            + ["--database", f"{folder}/gradwatch.sqlite"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment(),
            cwd=folder,
            text=True,
        )
        try:
            readable, _, _ = select.select([process.stdout], [], [], SECONDS_TO_START)
            line = process.stdout.readline() if readable else ""
            if not line.startswith("listening on "):
                fail("the collector does not listen")
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def transitions(cli: Path, address: str):
    """Every transition that the collector has, oldest first."""
    watch = subprocess.Popen(
        [cli, "watch", "--cursor", "0", "-o", "jsonl"],
        env=environment(GRADWATCH_ADDRESS=address),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in watch.stdout:
            event = json.loads(line)
            if "caughtUp" in event:
                return
            yield event["transition"]
        fail("the subscription ended before it was live")
    finally:
        watch.terminate()
        watch.wait()
        watch.stdout.close()


def findings(changes, runs) -> dict[str, list[dict]]:
    """For each run, an entry for each time that an alert began to fire, or its severity rose."""
    found = {run: [] for run in runs}
    firing = {}
    for change in changes:
        alert = change["alert"]
        identity = (alert["runId"], alert["alertId"])
        state = alert["state"].removeprefix("ALERT_STATE_")
        if state == "RESOLVED":
            firing.pop(identity, None)
        if state not in ("FIRING", "ACKNOWLEDGED"):
            continue
        severity = alert["severity"].removeprefix("SEVERITY_").lower()
        rank = SEVERITIES.index(severity)
        if rank <= firing.get(identity, -1):
            continue
        firing[identity] = rank
        evidence = alert.get("evidence", {})
        found[alert["runId"]].append(
            {
                "rule": alert["rule"],
                "severity": severity,
                # Protobuf's JSON leaves a 0 out, and has 64-bit numbers as strings.
                "step": int(change.get("step", 0)),
                "layers": evidence.get("layers", []) + evidence.get("tensors", []),
            }
        )
    return found
