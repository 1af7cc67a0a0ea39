"""Tensors as rows of floats or doubles, and what their devices can do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import torch


@dataclass
class Flat:
    """A tensor's elements in a row, as floats or doubles."""

    elements: torch.Tensor
    zeros: int = 0
    """How many more elements there are, all 0: those that a sparse tensor leaves out."""

    @property
    def count(self) -> int:
        """The number of elements."""
        return self.elements.numel() + self.zeros

    @staticmethod
    def of(tensor: torch.Tensor) -> Flat:
        """The elements of any tensor, in the order of memory where that saves a copy."""
        tensor, zeros = tensor.detach(), 0
        if tensor.layout == torch.sparse_coo:
            values = tensor.coalesce().values()
            zeros = tensor.numel() - values.numel()
            tensor = values
        elif tensor.layout != torch.strided:
            tensor = tensor.to_dense()
        if tensor.is_complex():
            tensor, zeros = torch.view_as_real(tensor.resolve_conj()), 2 * zeros
        # Both may be left to be done by whoever reads.
        tensor = tensor.resolve_neg()
        if tensor.dtype not in (torch.float32, torch.float64):
            tensor = tensor.float()
        if not tensor.is_contiguous():
            # A transposed or channels-last tensor is a row of its own.
            order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
            tensor = tensor.permute(order).contiguous()
        return Flat(tensor.view(-1), zeros)


def groups(*lists: Sequence[Flat]) -> list[list[int]]:
    """The places of tensors that can be measured at once: of one device and dtype in each list that isn't empty."""
    found: dict[Any, list[int]] = {}
    for place, flats in enumerate(zip(*[flats for flats in lists if flats])):
        key = tuple((flat.elements.device, flat.elements.dtype) for flat in flats)
        found.setdefault(key, []).append(place)
    return list(found.values())


def largest(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The largest magnitude in tensors, which may be on several devices."""
    elements = [Flat.of(tensor).elements for tensor in tensors]
    found = [values.abs().max().to(wide(values.device)) for values in elements if values.numel()]
    if not found:
        return torch.zeros((), device="cpu")
    return torch.stack([each.to(found[0].device) for each in found]).max()


def is_on_cpu(tensor: torch.Tensor) -> bool:
    """Whether its numbers can be had without waiting for a device."""
    return tensor.device.type == "cpu"


def wide(device: torch.device) -> torch.dtype:
    """What a device sums in: doubles, if it has them."""
    return torch.float32 if device.type == "mps" else torch.float64


def pattern_layout(dtype: torch.dtype) -> tuple[torch.dtype, int, int]:
    """Integers as long as an element, where its exponent begins, and how many patterns of it and the sign there are."""
    return (torch.int32, 23, 512) if dtype == torch.float32 else (torch.int64, 52, 4096)
