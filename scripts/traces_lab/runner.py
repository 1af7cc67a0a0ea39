"""Makes one run of the catalogue: trains it, labels it, writes its trace."""

import os
import time
import zlib

import torch

from . import catalogue, summary
from .labels import Label, Seen, with_natural
from .recorder import write
from .trainer import train


def seed_of(name, offset):
    """A seed that depends on the name only, so that a run stays the same when others are added."""
    return zlib.crc32(name.encode()) % 100_000 + 1_000_003 * offset


def label_of(found, lines, scenario, rows):
    """The label's entry; a case may decide it from what was seen."""
    seen = Seen(lines)
    label = found if isinstance(found, Label) else found(seen)
    return with_natural(label, seen, rows).entry(scenario)


def make(arguments):
    """Makes one run: its trace file, and the answer's name, label, seconds and table."""
    name, folder, offset, relabel = arguments
    torch.set_num_threads(1)
    case, path = catalogue.CASES[name], os.path.join(folder, f"{name}.jsonl.gz")
    begun = time.monotonic()
    torch.manual_seed(seed_of(name, offset))
    job, found = case.build(seed_of(name, offset))
    if relabel:
        meta, lines = summary.load(path)
    else:
        meta, lines = train(name, job)
    label = label_of(found, lines, case.scenario, job.batch_size or 64)
    meta["label"] = label
    write(path, meta, lines)
    entry = {k: v for k, v in label.items() if k != "scenario"}
    entry["family"] = case.family
    return name, entry, time.monotonic() - begun, summary.table(meta, lines, case.family)
