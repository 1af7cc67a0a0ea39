"""The reference: the plain-acked server of peers.py, a Python grpcio + sqlite3 server that commits and acks each step."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import ROOT

FOLDER: Path | None = None
"""Where peers.py is; set once at the start."""

PACKAGES = ("numpy", "grpcio", "grpcio-tools")


def rates(workloads: list[str]) -> dict[str, float]:
    """Tensor-reports a second of each workload; none without a folder."""
    if FOLDER is None:
        return {}
    python = _prepare()
    with tempfile.TemporaryDirectory(prefix="gradwatch-peers-") as work:
        output = Path(work) / "results.jsonl"
        command = [python, FOLDER / "peers.py", "run", "--peers", "plain-acked", "--reps", "1"]
        command += ["--query-reps", "0", "--workloads", ",".join(workloads), "--out", output]
        environment = os.environ | {"PEERS_WORK": work, "PEERS_VENV": str(python.parents[1])}
        subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
        found = [json.loads(line) for line in output.read_text().splitlines()]
        return {result["workload"]: result["rps"] for result in found}


def _prepare() -> Path:
    """Its Python, with what this one server needs; other peers need far more."""
    environment = ROOT / ".build" / "peers-venv"
    python = environment / "bin" / "python"
    generated = environment / "peers-gen"
    if generated.exists():
        return python
    wanted = (FOLDER / "requirements.txt").read_text().splitlines()
    wanted = [line for line in wanted if line.split("==")[0] in PACKAGES]
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, stdout=sys.stderr)
    generated.mkdir()
    command = [python, "-m", "grpc_tools.protoc", f"-I{FOLDER}", f"--python_out={generated}"]
    command += [f"--grpc_python_out={generated}", FOLDER / "peers.proto"]
    subprocess.run(command, check=True)
    return python
