"""Recorded training runs, as a client would have reported them.

The format is that of the labelled traces: gzip JSON lines, the first of them the model. The
fixtures are fully connected nets; their label and name are never looked at.
"""

import gzip
import json
import math
import struct
from pathlib import Path

from client import PRODUCER
from reports import WALL_TIME
from wire import v1

FOLDER = Path(__file__).parent / "traces"

GRADIENT_COLUMNS = {
    "norm": 0,
    "mean": 1,
    "mean_abs": 2,
    "std": 3,
    "min": 4,
    "max": 5,
    "zero_count": 6,
    "nan_count": 7,
    "positive_infinity_count": 8,
    "negative_infinity_count": 9,
}
PARAMETER_COLUMNS = {"norm": 10, "update_norm": 11}
POSITIVE, NEGATIVE = 12, 13
ACTIVATION_COLUMNS = ["mean", "std", "zero_fraction", "saturated_fraction", "dead_unit_fraction"]


class Trace:
    """One recorded run."""

    def __init__(self, name: str):
        with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt") as file:
            self._meta, *self._lines = map(json.loads, file)
        del self._meta["label"], self._meta["run"]
        # Layers in forward order: modules with parameters and activations between them.
        modules = {p["layer"]: p["depth"] for p in self._meta["params"]}
        activations = {a["name"]: a["depth"] for a in self._meta["acts"]}
        depths = modules | activations
        self._layers = sorted(depths, key=depths.__getitem__)

    def registration(self, run_id: str):
        model = v1.Model()
        by_name = {name: model.layers.add(name=name) for name in self._layers}
        for activation in self._meta["acts"]:
            by_name[activation["name"]].module_type = activation["type"]
        last = max(parameter["depth"] for parameter in self._meta["params"])
        for parameter in self._meta["params"]:
            layer = by_name[parameter["layer"]]
            layer.module_type, layer.activation = parameter["type"], parameter["act"].lower()
            role = v1.TENSOR_ROLE_BIAS
            if parameter["kind"] == "weight":
                layer.fan_out, layer.fan_in = parameter["shape"]
                is_head = parameter["depth"] == last
                role = v1.TENSOR_ROLE_HEAD if is_head else v1.TENSOR_ROLE_WEIGHT
            model.tensors.add(
                name=parameter["name"],
                layer_id=self._layers.index(parameter["layer"]),
                role=role,
                shape=parameter["shape"],
                element_count=parameter["n"],
                initialization=parameter["init"],
                frozen=not parameter["trainable"],
            )
        return v1.RegisterRunRequest(
            run_id=run_id,
            framework=self._meta["framework"],
            producer=v1.Producer(producer_id=PRODUCER),
            model=model,
        )

    def reports(self) -> list:
        return [self._report(sequence, line) for sequence, line in enumerate(self._lines, 1)]

    def _report(self, sequence: int, line: dict):
        report = v1.StepReport(
            sequence=sequence,
            step=line["s"],
            wall_time_seconds=WALL_TIME + 0.01 * line["s"],
            learning_rate=line["lr"],
            global_norm=float(line["gn"]),
        )
        report.losses.add(name="loss", value=float(line["loss"]))

        rows = {tensor: row for tensor, row in enumerate(line["p"]) if row is not None}
        # Ids only where some tensors are missing: both ways to say which are meant.
        ids = [] if len(rows) == len(line["p"]) else list(rows)
        for columns, places in (
            (report.gradients, GRADIENT_COLUMNS),
            (report.parameters, PARAMETER_COLUMNS),
        ):
            columns.tensor_ids.extend(ids)
            for name, place in places.items():
                to_value = int if name.endswith("count") else _float32
                getattr(columns, name).extend(to_value(row[place]) for row in rows.values())

        taken = {tensor: row for tensor, row in rows.items() if row[POSITIVE] is not None}
        if taken:
            column = report.histograms
            column.tensor_ids.extend([] if len(taken) == len(line["p"]) else list(taken))
            for row in taken.values():
                column.zero_count.append(row[GRADIENT_COLUMNS["zero_count"]])
                # Exponents are frexp's, so a bucket begins at half of 2 to the exponent.
                offset, *positive = row[POSITIVE] or [1]
                column.positive_offset.append(offset - 1)
                column.positive_length.append(len(positive))
                column.counts.extend(positive)
                offset, *negative = row[NEGATIVE] or [1]
                column.negative_offset.append(offset - 1)
                column.negative_length.append(len(negative))
                column.counts.extend(negative)

        activations = zip(self._meta["acts"], line["a"])
        called = [(meta["name"], row) for meta, row in activations if row is not None]
        report.activations.layer_ids.extend(self._layers.index(name) for name, _ in called)
        for place, name in enumerate(ACTIVATION_COLUMNS):
            getattr(report.activations, name).extend(_float32(row[place]) for _, row in called)
        return report


def _float32(value) -> float:
    """A statistic as the wire holds it: NaN if it is not available, infinite if it is too large."""
    if value is None:
        return math.nan
    try:
        return struct.unpack("<f", struct.pack("<f", float(value)))[0]
    except OverflowError:
        return math.copysign(math.inf, float(value))
