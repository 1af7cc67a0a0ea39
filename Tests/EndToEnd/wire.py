"""The contract as Python sees it: stubs generated from Protos into a temporary folder.

`v1` holds every message, enum, value and stub of gradwatch.v1; `reflection_v1` those of
grpc.reflection.v1.
"""

import atexit
import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]


def _generate(folder: str, root: Path, package: str) -> list[str]:
    """Generates the stubs of one package's files, and returns the names of the modules."""
    files = sorted((root / package).glob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [f"-I{root}", f"-I{well_known}"]
    arguments += [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main(["protoc", *arguments, *map(str, files)]) != 0:
        raise RuntimeError(f"protoc failed on {root / package}")
    base = package.replace("/", ".")
    return [f"{base}.{file.stem}_{kind}" for file in files for kind in ("pb2", "pb2_grpc")]


def _load(modules: list[str]) -> SimpleNamespace:
    names = {}
    for module in map(importlib.import_module, modules):
        names.update({name: value for name, value in vars(module).items() if name[0].isupper()})
    return SimpleNamespace(**names)


_folder = tempfile.mkdtemp(prefix="gradwatch-stubs-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
sys.path.insert(0, _folder)

v1 = _load(_generate(_folder, ROOT / "Protos", "gradwatch/v1"))
# From the folder below, so that the generated package is not called grpc, as the library is.
reflection_v1 = _load(_generate(_folder, ROOT / "Protos" / "grpc", "reflection/v1"))
