"""What the integrations share that are not PyTorch's: their runs, their names, and NumPy arrays as columns."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Iterable, Sequence

from . import columns
from .run import Run
from .v1 import model_pb2, step_report_pb2

if TYPE_CHECKING:
    import numpy as np

_ROLES = {
    "b": model_pb2.TENSOR_ROLE_BIAS, "beta": model_pb2.TENSOR_ROLE_NORM,
    "embedding": model_pb2.TENSOR_ROLE_EMBEDDING, "embeddings": model_pb2.TENSOR_ROLE_EMBEDDING,
    "gamma": model_pb2.TENSOR_ROLE_NORM, "offset": model_pb2.TENSOR_ROLE_NORM,
    "recurrent_kernel": model_pb2.TENSOR_ROLE_RECURRENT, "scale": model_pb2.TENSOR_ROLE_NORM,
}  # fmt: skip
_NORMALIZATIONS = {"BatchNorm": "batch_norm", "GroupNorm": "group_norm", "InstanceNorm": "instance_norm",
                   "LayerNorm": "layer_norm", "RMSNorm": "rms_norm"}  # fmt: skip


# Runs


def open_run(run: Run | None, options: dict[str, Any]) -> tuple[Run, bool]:
    """The run given, else the current one, else a new one with these options of `gradwatch.init`.

    Also whether it is new: its end is the integration's to say then. One that is finished counts as none.
    """
    import gradwatch

    run = run or gradwatch.run
    if run is not None and not run.is_finished:
        return run, False
    return gradwatch.init(**options), True


# Names


def snake_case(text: str) -> str:
    """`GlorotUniform` as `glorot_uniform`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


def normalization(kind: str) -> str:
    """The normalization that a layer of this class is; empty: it is none, or unknown."""
    return next((found for prefix, found in _NORMALIZATIONS.items() if kind.startswith(prefix)), "")


def role(parameter: str, dimensions: int, siblings: Iterable[str] = ()) -> model_pb2.TensorRole:
    """What a parameter of this name does in its layer, whose parameters are `siblings`."""
    if parameter in _ROLES:
        return _ROLES[parameter]
    if "bias" in parameter:
        # A shift, next to a gain.
        is_norm = "scale" in siblings or "gamma" in siblings
        return model_pb2.TENSOR_ROLE_NORM if is_norm else model_pb2.TENSOR_ROLE_BIAS
    return model_pb2.TENSOR_ROLE_WEIGHT if dimensions >= 2 else model_pb2.TENSOR_ROLE_UNSPECIFIED


def fans(parameter: str, shape: Sequence[int], kind: str) -> tuple[int, int] | None:
    """Inputs and outputs of a kernel; `None` if its shape doesn't tell.

    Kernels are (..., inputs, outputs) as in JAX and Keras; one that is called `weight` is (outputs, inputs, ...)
    as in PyTorch and Equinox. Of more than two dimensions only a convolution's are known.
    """
    is_convolution = "Conv" in kind
    if len(shape) < 2 or (len(shape) > 2 and not is_convolution):
        return None
    if parameter == "weight":
        return shape[1] * math.prod(shape[2:]), shape[0] * math.prod(shape[2:])
    receptive = math.prod(shape[:-2])
    inputs, outputs = shape[-2] * receptive, shape[-1] * receptive
    return (outputs, inputs) if is_convolution and "Transpose" in kind else (inputs, outputs)


# Columns


def fill(
    report: step_report_pb2.StepReport,
    ids: Sequence[int],
    statistics: Sequence[columns.Statistics],
    *,
    tensor_count: int,
    parameter_norms: Sequence[float] = (),
    update_norms: Sequence[float] = (),
    patterns: Sequence[np.ndarray] = (),
) -> None:
    """Fills in what was measured of the tensors `ids` of the `tensor_count` that are registered.

    With `patterns`, the statistics are complete; without them, they are norms and non-finite counts. Norms of
    parameters and updates may be left out.
    """
    columns.add_gradients(report, ids, statistics, details=len(patterns) > 0)
    report.global_norm = global_norm(statistics)
    if len(parameter_norms) or len(update_norms):
        report.parameters.tensor_ids.extend(ids)
        report.parameters.norm.extend(parameter_norms)
        report.parameters.update_norm.extend(update_norms)
    if len(patterns):
        add_histograms(report, ids, patterns)
    columns.complete(report, tensor_count, 0)


def global_norm(statistics: Sequence[columns.Statistics]) -> float:
    """The L2 norm of all tensors, as arithmetic has it: NaN wins over infinity, infinity over numbers."""
    if any(row.nan for row in statistics):
        return math.nan
    if any(row.positive_infinity or row.negative_infinity for row in statistics):
        return math.inf
    return math.hypot(*(row.norm for row in statistics if row.norm == row.norm))


def add_histograms(report: step_report_pb2.StepReport, ids: Sequence[int], patterns: Sequence[np.ndarray]) -> None:
    """Adds tensors to the histogram column, at scale 0: a bucket an octave.

    `patterns` has an array a tensor: how often each pattern of sign and exponent is there, 512 of floats or 4,096
    of doubles. The first of each half counts zeros and subnormals, the last NaN and infinities, which histograms
    leave out.
    """
    column = report.histograms
    column.tensor_ids.extend(ids)
    for row in patterns:
        half = len(row) // 2
        column.zero_count.append(int(row[0] + row[half]))
        for buckets, offsets, lengths in (
            (row[:half], column.positive_offset, column.positive_length),
            (row[half:], column.negative_offset, column.negative_length),
        ):
            taken = buckets[1 : half - 1].nonzero()[0] + 1
            first, end = (int(taken[0]), int(taken[-1]) + 1) if len(taken) else (0, 0)
            # The exponent field of 1 is half / 2 - 1.
            offsets.append(first - (half // 2 - 1) if len(taken) else 0)
            lengths.append(end - first)
            column.counts.extend(buckets[first:end].tolist())
