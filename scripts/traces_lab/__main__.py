"""Command line: makes the runs of the catalogue, or a part of it, in a folder."""

import argparse
import fnmatch
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from .catalogue import CASES
from .runner import make


def merge(path, entries):
    """Adds entries to a JSON file of names, sorted."""
    known = {}
    if os.path.exists(path):
        with open(path) as file:
            known = json.load(file)
    known.update(entries)
    with open(path, "w") as file:
        json.dump(dict(sorted(known.items())), file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(prog="generate-traces", description=__doc__)
    parser.add_argument("folder", help="where the traces, labels.json and families.json go")
    parser.add_argument(
        "--only", default="*", metavar="GLOBS", help="names or family/name; comma between"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one core each")
    parser.add_argument("--seed-offset", type=int, default=0, help="another draw of every run")
    parser.add_argument("--relabel", action="store_true", help="only write labels anew")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    options = parser.parse_args()
    globs = options.only.split(",")
    names = [
        name
        for name, case in CASES.items()
        if any(
            fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(f"{case.family}/{name}", glob)
            for glob in globs
        )
    ]
    if not names:
        raise SystemExit(
            f"--only {options.only}: expected a glob that some run matches, found none"
        )
    if options.list:
        print("\n".join(f"{CASES[name].family:18} {name}" for name in names))
        return
    os.makedirs(options.folder, exist_ok=True)
    work = [(name, options.folder, options.seed_offset, options.relabel) for name in names]
    begun, failed = time.monotonic(), []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, options.jobs), mp_context=context) as pool:
        pending = [(item[0], pool.submit(make, item)) for item in work]
        for name, answer in pending:
            try:
                _, entry, seconds, text = answer.result()
            except Exception as error:  # One broken run must not cost the others.
                failed.append(name)
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                continue
            merge(os.path.join(options.folder, "labels.json"), {name: entry})
            merge(os.path.join(options.folder, "families.json"), {name: entry["family"]})
            print(f"{text}\n   {seconds:.1f} s", flush=True)
    print(f"{len(names) - len(failed)} runs in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if failed:
        raise SystemExit(f"{len(failed)} runs were not made: {', '.join(failed)}")


if __name__ == "__main__":
    main()
