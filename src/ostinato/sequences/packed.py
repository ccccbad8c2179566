"""Packed: the rows of a Ragged in time-major order, the layout every engine reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.sequences.ragged import Ragged, steps_of


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
        return _reaching(self.batch_sizes, len(self))

    @cached_property
    def slots(self) -> Tensor:
        """``(B,)`` int64, inverse of ``order``: ``slots[b]`` is the slot of sequence ``b``."""
        return inverse_of(self.order)

    @property
    def reach(self) -> int:
        """How many sequences have a step at all: the first ``reach`` slots."""
        return int(self.batch_sizes[0]) if self.batch_sizes.numel() else 0

    @property
    def equal(self) -> bool:
        """Whether those with a step all have the same length: ``data`` then views as ``(T, reach, *)``."""
        return self.batch_sizes.numel() > 0 and int(self.batch_sizes[-1]) == self.reach

    def with_data(self, data: Tensor) -> Packed:
        """The same layout with other rows ``(N, *)``."""
        return replace(self, data=data)


class Layout(NamedTuple):
    """Where the rows of sequences go when they are packed.

    ``rows`` ``(N,)``: packed row ``n`` was row ``rows[n]``; ``batch_sizes`` ``(T,)`` and ``order`` ``(B,)``
    as in :class:`Packed`.
    """

    rows: Tensor
    batch_sizes: Tensor
    order: Tensor


def layout_of(lengths: Tensor, starts: Tensor | None = None, apart: int = 1) -> Layout:
    """The packed layout of sequences of ``lengths`` ``(B,)``; sequences of equal length keep their order.

    ``starts`` ``(B,)``: the row at which each sequence begins; without it they lie end to end. ``apart``: how many rows
    on its next step lies.
    """
    ordered, order = lengths.sort(descending=True, stable=True)
    batch_sizes = _reaching(ordered, int(ordered[0]) if ordered.numel() else 0)
    starts = lengths.cumsum(0) - lengths if starts is None else starts
    slot = steps_of(torch.zeros_like(batch_sizes), batch_sizes)
    step = torch.arange(batch_sizes.numel()).repeat_interleave(batch_sizes)
    return Layout(starts[order][slot] + apart * step, batch_sizes, order)


def pack(ragged: Ragged) -> Packed:
    """Sequence-major to time-major rows, the longest sequence first; :func:`unpack` is the exact inverse."""
    layout = layout_of(ragged.lengths)
    data = ragged.values.index_select(0, layout.rows.to(ragged.values.device))
    return Packed(data, layout.batch_sizes, layout.order)


def unpack(packed: Packed) -> Ragged:
    """Time-major to sequence-major rows, the sequences in their own order."""
    lengths = packed.lengths[packed.slots]
    starts = packed.batch_sizes.cumsum(0) - packed.batch_sizes
    step = steps_of(torch.zeros_like(lengths), lengths)
    rows = starts[step] + packed.slots.repeat_interleave(lengths)
    return Ragged(packed.data.index_select(0, rows.to(packed.data.device)), lengths)


def inverse_of(permutation: Tensor) -> Tensor:
    """The inverse of a permutation ``(N,)``: ``inverse[permutation[n]] == n``."""
    inverse = torch.empty_like(permutation)
    inverse[permutation] = torch.arange(permutation.numel(), device=permutation.device)
    return inverse


def _reaching(falling: Tensor, count: int) -> Tensor:
    """``(count,)``: for each ``k`` how many entries of ``falling`` (which never rises) are above ``k``.

    Lengths by slot and batch sizes by step are each the other's count.
    """
    return falling.numel() - torch.searchsorted(falling.flip(0).contiguous(), torch.arange(count), right=True)
