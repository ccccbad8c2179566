"""Padded tensors to ragged sequences and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.sequences.ragged import Ragged, steps_of


def from_padded(padded: Tensor, lengths: Tensor | Sequence[int], *, batch_first: bool = False) -> Ragged:
    """The sequences of a padded tensor ``(T, B, *)``, or ``(B, T, *)``; what the padding holds is never read.

    Raises:
        ValueError: ``lengths`` are not ``B`` whole numbers between 0 and ``T``.
    """
    padded = padded if batch_first else padded.transpose(0, 1)
    batch, steps = padded.shape[:2]
    lengths = checked_lengths(lengths, batch, steps)
    rows = steps_of(torch.arange(batch) * steps, lengths)
    flat = padded.reshape(batch * steps, *padded.shape[2:])
    return Ragged(flat.index_select(0, rows.to(padded.device)), lengths)


def to_padded(
    ragged: Ragged, *, batch_first: bool = False, fill: float = 0.0, total_length: int | None = None
) -> Tensor:
    """A tensor ``(T, B, *)``, or ``(B, T, *)``, padded with ``fill``; ``T`` is ``total_length`` or the longest length.

    Raises:
        ValueError: ``total_length`` is less than the longest length.
    """
    longest = int(ragged.lengths.max()) if len(ragged) else 0
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError(f"total_length is {total_length}, but the longest sequence has {longest} steps")
    rows = steps_of(torch.arange(len(ragged)) * steps, ragged.lengths).to(ragged.values.device)
    flat = ragged.values.new_full((len(ragged) * steps, *ragged.values.shape[1:]), fill)
    filled = flat.index_copy(0, rows, ragged.values)
    padded = filled.reshape(len(ragged), steps, *ragged.values.shape[1:])
    return padded if batch_first else padded.transpose(0, 1)


def checked_lengths(lengths: Tensor | Sequence[int], batch: int, steps: int) -> Tensor:
    """Lengths as ``(B,)`` int64 on the CPU.

    Raises:
        ValueError: they are not ``batch`` whole numbers between 0 and ``steps``.
    """
    given = torch.as_tensor(lengths).cpu()
    if given.numel() and (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool):
        raise ValueError(f"lengths must be whole numbers, not {given.dtype}")
    if given.shape != (batch,):
        raise ValueError(f"lengths have shape {tuple(given.shape)}, but the batch holds {batch} sequences")
    if given.numel() and (int(given.min()) < 0 or int(given.max()) > steps):
        raise ValueError(f"lengths must be between 0 and {steps}, not {int(given.min())} to {int(given.max())}")
    return given.to(torch.int64)
