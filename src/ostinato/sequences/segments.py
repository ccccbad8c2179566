"""Segments: sequences cut at their resets, and turned round where they are read from the end."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.sequences.packed import Packed, inverse_of, layout_of
from ostinato.sequences.ragged import steps_of
from ostinato.sequences.rows import permute


class Segments(NamedTuple):
    """The rows of a :class:`Packed` rearranged so that every segment is a sequence of its own, read forward.

    ``rows`` ``(N,)`` and ``inverse`` ``(N,)``: the permutation of rows and back, on the rows' device; ``batch_sizes``
    ``(T',)`` of the new layout; ``owner`` ``(S,)``: the slot each segment came from; ``last`` ``(B',)``: for every slot
    that has a step, which segment is processed last.
    """

    rows: Tensor
    inverse: Tensor
    batch_sizes: Tensor
    owner: Tensor
    last: Tensor

    def gather(self, data: Tensor) -> Tensor:
        """Rows ``(N, *)`` of the packed layout in the order of the segments."""
        return permute(data, self.rows, self.inverse)

    def scatter(self, data: Tensor) -> Tensor:
        """Rows ``(N, *)`` of the segments back in the packed layout."""
        return permute(data, self.inverse, self.rows)


def segments_of(packed: Packed, reset: Tensor | None, *, reverse: bool) -> Segments:
    """Cut the sequences of ``packed`` before every row whose ``reset`` ``(N,)`` is set, in the order of processing.

    Without resets each sequence is one segment. A flag on the step that is processed first cuts nothing.
    """
    lengths = packed.lengths[packed.lengths > 0]
    slot = torch.arange(lengths.numel()).repeat_interleave(lengths)
    step = steps_of(torch.zeros_like(lengths), lengths)
    time = lengths[slot] - 1 - step if reverse else step
    starts = packed.batch_sizes.cumsum(0) - packed.batch_sizes
    rows = starts[time] + slot
    begins = step == 0
    if reset is not None:
        begins = begins | reset.cpu()[rows]
    cuts = begins.nonzero().flatten()
    owner = slot[cuts]
    layout = layout_of(torch.cat([cuts, torch.tensor([slot.numel()])]).diff())
    last_of_slot = torch.searchsorted(owner, torch.arange(lengths.numel()), right=True) - 1
    index = rows[layout.rows]
    device = packed.data.device
    return Segments(
        rows=index.to(device),
        inverse=inverse_of(index).to(device),
        batch_sizes=layout.batch_sizes,
        owner=owner[layout.order],
        last=inverse_of(layout.order)[last_of_slot],
    )
