"""The columns of a report, whatever the framework."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

from .v1 import step_report_pb2


@dataclass
class Statistics:
    """What one tensor is like: its finite elements, NaN if there are none, and the number of the others."""

    norm: float
    mean: float = math.nan
    mean_abs: float = math.nan
    std: float = math.nan
    min: float = math.nan
    max: float = math.nan
    zero: int = 0
    nan: int = 0
    positive_infinity: int = 0
    negative_infinity: int = 0


def add_gradients(
    report: step_report_pb2.StepReport, ids: Sequence[int], rows: Sequence[Statistics], details: bool
) -> None:
    """Adds tensors to the gradient columns: norms and non-finite counts, and the rest if `details`.

    All that is added to one report must have the same columns.
    """
    columns = report.gradients
    columns.tensor_ids.extend(ids)
    columns.norm.extend(row.norm for row in rows)
    columns.nan_count.extend(row.nan for row in rows)
    columns.positive_infinity_count.extend(row.positive_infinity for row in rows)
    columns.negative_infinity_count.extend(row.negative_infinity for row in rows)
    if details:
        columns.mean.extend(row.mean for row in rows)
        columns.mean_abs.extend(row.mean_abs for row in rows)
        columns.std.extend(row.std for row in rows)
        columns.min.extend(row.min for row in rows)
        columns.max.extend(row.max for row in rows)
        columns.zero_count.extend(row.zero for row in rows)


def complete(report: step_report_pb2.StepReport, tensor_count: int, layer_count: int) -> None:
    """Leaves out ids that say what leaving them out says: all, in registration order."""
    for columns, count in ((report.gradients, tensor_count), (report.parameters, tensor_count),
                           (report.histograms, tensor_count)):  # fmt: skip
        if len(columns.tensor_ids) == count and list(columns.tensor_ids) == list(range(count)):
            columns.ClearField("tensor_ids")
    layers = report.activations.layer_ids
    if len(layers) == layer_count and list(layers) == list(range(layer_count)):
        report.activations.ClearField("layer_ids")
