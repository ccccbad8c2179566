"""Segments: sequences cut at their resets, and turned round where they are read from the end."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.sequences.packed import Packed, inverse_of, layout_of
from ostinato.sequences.ragged import Ragged, steps_of


def cut(ragged: Ragged, reset: Tensor) -> tuple[Ragged, Tensor]:
    """Cut every sequence before each step whose ``reset`` ``(N,)`` is set.

    The values stay where they are; only the lengths change. Returns the segments, a :class:`Ragged` of ``S`` sequences,
    and ``owner`` ``(S,)``: the sequence each segment came from. A flag on a sequence's first step cuts nothing, and a
    sequence of length 0 has no segment.

    Raises:
        ValueError: ``reset`` is not ``N`` flags.
    """
    if reset.dtype != torch.bool or reset.shape != ragged.values.shape[:1]:
        raise ValueError(f"reset must be bool of shape ({ragged.values.shape[0]},), one flag a step")
    lengths, owner = _cut(ragged.lengths, reset.cpu())
    return Ragged(ragged.values, lengths), owner


def _cut(lengths: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths ``(S,)`` of the segments and ``owner`` ``(S,)``, the sequence of each."""
    begins = reset.clone()
    begins[(lengths.cumsum(0) - lengths)[lengths > 0]] = True
    cuts = begins.nonzero().flatten()
    owner = torch.arange(lengths.numel()).repeat_interleave(lengths)[cuts]
    return torch.cat([cuts, torch.tensor([reset.numel()])]).diff(), owner


class Segments(NamedTuple):
    """The rows of a :class:`Packed` rearranged so that every segment is a sequence of its own, read forward.

    ``rows`` ``(N,)`` and ``inverse`` ``(N,)``: the permutation of rows and back, on the rows' device; ``batch_sizes``
    ``(T',)`` of the new layout; ``owner`` ``(S,)``: the slot each segment came from; ``last`` ``(reach,)``: for every
    slot that has a step, which segment is processed last.
    """

    rows: Tensor
    inverse: Tensor
    batch_sizes: Tensor
    owner: Tensor
    last: Tensor


def segments_of(packed: Packed, reset: Tensor | None, *, reverse: bool) -> Segments:
    """Cut the sequences of ``packed`` before every row whose ``reset`` ``(N,)`` is set, in the order of processing.

    Without resets each sequence is one segment. A flag on the step that is processed first cuts nothing.
    """
    lengths = packed.lengths[: packed.reach]
    step = steps_of(torch.zeros_like(lengths), lengths)
    slot = torch.arange(packed.reach).repeat_interleave(lengths)
    starts = packed.batch_sizes.cumsum(0) - packed.batch_sizes
    rows = starts[lengths[slot] - 1 - step if reverse else step] + slot
    flags = torch.zeros_like(rows, dtype=torch.bool) if reset is None else reset.cpu()[rows]
    lengths, owner = _cut(lengths, flags)
    layout = layout_of(lengths)
    index = rows[layout.rows]
    last = torch.searchsorted(owner, torch.arange(packed.reach), right=True) - 1
    device = packed.data.device
    return Segments(
        rows=index.to(device),
        inverse=inverse_of(index).to(device),
        batch_sizes=layout.batch_sizes,
        owner=owner[layout.order].to(device),
        last=inverse_of(layout.order)[last].to(device),
    )


def episode_ends(packed: Packed, reset: Tensor) -> Tensor:
    """``(N,)`` bool: where the next step of the same sequence has its ``reset`` set, so that an episode ends here.

    Read from the end, an episode begins at its last step: these are the flags of the reverse direction.
    """
    ends = torch.zeros_like(reset)
    if packed.batch_sizes.numel() > 1:
        starts = packed.batch_sizes.cumsum(0) - packed.batch_sizes
        before = steps_of(starts[:-1], packed.batch_sizes[1:])
        ends[before.to(reset.device)] = reset[packed.reach :]
    return ends
