"""Packed: the same rows as a Ragged in time-major order, the layout every engine reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.sequences.ragged import Ragged, steps_of
from ostinato.sequences.rows import permute_rows


@dataclass(frozen=True, eq=False)
class Packed:
    """Rows in time-major order: step 0 of all sequences, then step 1 of those that have one, and so on.

    The sequences lie in *slots*, the longest first, so that those alive at step ``t`` are slots
    ``0 … batch_sizes[t] - 1``. It is the layout of ``torch.nn.utils.rnn.PackedSequence``, and it also holds sequences
    of length 0 (the last slots) and an empty batch.

    Args:
        data: ``(N, *)``.
        batch_sizes: ``(T,)`` int64 on the CPU, never rising, all at least 1: how many sequences reach step ``t``.
        order: ``(B,)`` int64 on the CPU: ``order[j]`` is the sequence in slot ``j``.

    Raises:
        ValueError: ``batch_sizes`` does not fit ``data`` or ``order``.
    """

    data: Tensor
    batch_sizes: Tensor
    order: Tensor

    def __post_init__(self) -> None:
        sizes = self.batch_sizes
        for name, index in (("batch_sizes", sizes), ("order", self.order)):
            if index.dim() != 1 or index.dtype != torch.int64 or index.device.type != "cpu":
                raise ValueError(f"{name} must be a one-dimensional int64 tensor on the CPU")
        if sizes.numel() and (int(sizes[-1]) < 1 or bool((sizes.diff() > 0).any())):
            raise ValueError("batch_sizes must never rise and end with at least 1")
        total = int(sizes.sum())
        if self.data.dim() == 0 or total != self.data.shape[0]:
            raise ValueError(f"batch_sizes add up to {total}, but data have shape {tuple(self.data.shape)}")
        if sizes.numel() and int(sizes[0]) > self.order.numel():
            raise ValueError(f"batch_sizes[0] is {int(sizes[0])}, but order names {self.order.numel()} sequences")

    def __len__(self) -> int:
        """``B``, the number of sequences (those of length 0 count)."""
        return int(self.order.shape[0])

    @cached_property
    def lengths(self) -> Tensor:
        """``(B,)`` int64: the length of the sequence in each *slot*; never rises."""
        alive = torch.arange(len(self)).unsqueeze(1) < self.batch_sizes.unsqueeze(0)
        return alive.sum(1)

    @cached_property
    def slots(self) -> Tensor:
        """``(B,)`` int64, inverse of ``order``: ``slots[b]`` is the slot of sequence ``b``."""
        return inverse_of(self.order)

    @property
    def equal(self) -> bool:
        """Whether all sequences have the same length, one at least: ``data`` then views as ``(T, B, *)``."""
        return self.batch_sizes.numel() > 0 and int(self.batch_sizes[-1]) == len(self)

    def with_data(self, data: Tensor) -> Packed:
        """The same layout with other rows ``(N, *)``."""
        return replace(self, data=data)


class Layout(NamedTuple):
    """Where the rows of sequences laid end to end go when they are packed.

    ``rows`` ``(N,)``: packed row ``n`` is end-to-end row ``rows[n]``; ``batch_sizes`` ``(T,)`` and ``order`` ``(B,)``
    as in :class:`Packed`.
    """

    rows: Tensor
    batch_sizes: Tensor
    order: Tensor


def layout_of(lengths: Tensor) -> Layout:
    """The packed layout of sequences of ``lengths`` ``(B,)``; equal lengths keep their order."""
    ordered, order = lengths.sort(descending=True, stable=True)
    longest = int(ordered[0]) if ordered.numel() else 0
    batch_sizes = ordered.numel() - torch.searchsorted(ordered.flip(0).contiguous(), torch.arange(longest), right=True)
    starts = lengths.cumsum(0) - lengths
    slot = steps_of(torch.zeros_like(batch_sizes), batch_sizes)
    step = torch.arange(longest).repeat_interleave(batch_sizes)
    return Layout(starts[order][slot] + step, batch_sizes, order)


def pack(ragged: Ragged) -> Packed:
    """Sequence-major to time-major rows, the longest sequence first; :func:`unpack` is the exact inverse."""
    rows, batch_sizes, order = layout_of(ragged.lengths)
    return Packed(permute_rows(ragged.values, rows), batch_sizes, order)


def unpack(packed: Packed) -> Ragged:
    """Time-major to sequence-major rows, the sequences in their own order."""
    lengths = packed.lengths[packed.slots]
    return Ragged(permute_rows(packed.data, inverse_of(layout_rows(packed, lengths))), lengths)


def layout_rows(packed: Packed, lengths: Tensor) -> Tensor:
    """``(N,)``: for every packed row the row it has when the sequences lie end to end, in the order of ``lengths``."""
    starts = lengths.cumsum(0) - lengths
    slot = steps_of(torch.zeros_like(packed.batch_sizes), packed.batch_sizes)
    step = torch.arange(packed.batch_sizes.numel()).repeat_interleave(packed.batch_sizes)
    return starts[packed.order][slot] + step


def inverse_of(permutation: Tensor) -> Tensor:
    """The inverse of a permutation ``(N,)``: ``inverse[permutation[n]] == n``."""
    inverse = torch.empty_like(permutation)
    inverse[permutation] = torch.arange(permutation.numel(), device=permutation.device)
    return inverse
