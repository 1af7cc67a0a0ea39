"""Counted patterns of sign and exponent as columns of exponential histograms."""

from __future__ import annotations

from typing import Sequence

import torch

from ..v1 import step_report_pb2


def add_histograms(report: step_report_pb2.StepReport, ids: Sequence[int], patterns: torch.Tensor) -> None:
    """Adds tensors to the histogram column, at scale 0: a bucket an octave.

    `patterns` is a row a tensor of 512 counts (floats) or 4,096 (doubles). The first of each half counts
    zeros and subnormals, the last NaN and infinities, which histograms leave out.
    """
    tensors, count = patterns.shape
    half = count // 2
    bias = half // 2 - 1
    signs = patterns.view(tensors, 2, half)
    buckets = signs[:, :, 1 : half - 1]
    taken = buckets > 0
    lengths_to_last = torch.where(taken.any(2), half - 2 - taken.flip(2).int().argmax(2), 0)
    firsts = taken.int().argmax(2)
    places = torch.arange(half - 2, device="cpu")
    wanted = (places >= firsts[:, :, None]) & (places < lengths_to_last[:, :, None])
    lengths = (lengths_to_last - firsts).clamp_(min=0).tolist()
    # The first bucket is that of the exponent field 1.
    offsets = torch.where(taken.any(2), firsts + 1 - bias, 0).tolist()

    column = report.histograms
    column.tensor_ids.extend(ids)
    column.zero_count.extend(signs[:, :, 0].sum(1).tolist())
    column.positive_offset.extend(offset[0] for offset in offsets)
    column.positive_length.extend(length[0] for length in lengths)
    column.negative_offset.extend(offset[1] for offset in offsets)
    column.negative_length.extend(length[1] for length in lengths)
    column.counts.extend(buckets[wanted].tolist())
