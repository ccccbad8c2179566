"""The forms a layer takes its sequences in: each becomes packed rows, and the answer goes back the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato.sequences import Packed, Ragged, pack, unpack
from ostinato.sequences.padded import from_padded, to_padded
from ostinato.sequences.rows import permute_rows


class Form(ABC):
    """What came in, as packed rows, and how the answer goes out."""

    rows: Packed
    unbatched = False

    @abstractmethod
    def restore(self, data: Tensor) -> Any:
        """Rows ``(N, *)`` in the form of the input."""

    @abstractmethod
    def flags(self, reset: Any) -> Tensor:
        """Reset flags, given in the form of the input, as rows ``(N,)``."""


class RaggedForm(Form):
    """A :class:`Ragged`."""

    def __init__(self, ragged: Ragged) -> None:
        self.ragged = ragged
        self.rows = pack(ragged)

    def restore(self, data: Tensor) -> Ragged:
        """A Ragged of the same lengths."""
        return unpack(self.rows.with_data(data))

    def flags(self, reset: Any) -> Tensor:
        """From a Ragged of bool, or its values ``(N,)``."""
        values = reset.values if isinstance(reset, Ragged) else reset
        if values.shape != self.ragged.values.shape[:1]:
            raise ValueError(f"reset has shape {tuple(values.shape)}, but there are {len(self.ragged.values)} steps")
        return pack(Ragged(values, self.ragged.lengths)).data


class PackedForm(Form):
    """A ``PackedSequence``: already packed; the state is in the order of the sequences."""

    def __init__(self, packed: PackedSequence) -> None:
        self.packed = packed
        order = packed.sorted_indices
        count = int(packed.batch_sizes[0])
        self.rows = Packed(packed.data, packed.batch_sizes, torch.arange(count) if order is None else order.cpu())

    def restore(self, data: Tensor) -> PackedSequence:
        """A PackedSequence of the same layout."""
        return PackedSequence(data, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices)

    def flags(self, reset: Any) -> Tensor:
        """From a PackedSequence of bool of the same layout, or its data ``(N,)``."""
        values: Tensor = reset.data if isinstance(reset, PackedSequence) else reset
        if values.shape != self.packed.data.shape[:1]:
            raise ValueError(f"reset has shape {tuple(values.shape)}, but there are {len(self.packed.data)} steps")
        return values


class PaddedForm(Form):
    """A tensor ``(T, B, I)`` or ``(B, T, I)``, or unbatched ``(T, I)``, with or without lengths."""

    def __init__(self, padded: Tensor, lengths: Tensor | Sequence[int] | None, *, batch_first: bool) -> None:
        self.unbatched = padded.dim() == 2
        self.batch_first = batch_first and not self.unbatched
        padded = padded.unsqueeze(1) if self.unbatched else padded
        time, batch = (1, 0) if self.batch_first else (0, 1)
        self.shape = padded.shape
        self.steps = padded.shape[time]
        if lengths is None:
            lengths = torch.full((padded.shape[batch],), self.steps, dtype=torch.int64)
        self.ragged = from_padded(padded, lengths, batch_first=self.batch_first)
        self.rows = pack(self.ragged)

    def restore(self, data: Tensor) -> Tensor:
        """A padded tensor of the same shape; padding is zero."""
        ragged = unpack(self.rows.with_data(data))
        padded = to_padded(ragged, batch_first=self.batch_first, total_length=self.steps)
        return padded.squeeze(1) if self.unbatched else padded

    def flags(self, reset: Any) -> Tensor:
        """From a bool tensor of the shape of the input without its last dimension."""
        reset = reset.unsqueeze(1) if self.unbatched else reset
        if reset.shape != self.shape[:2]:
            raise ValueError(f"reset has shape {tuple(reset.shape)}, but the input has {tuple(self.shape[:2])} steps")
        return pack(from_padded(reset, self.ragged.lengths, batch_first=self.batch_first)).data


def ordered(state: Any, order: Tensor) -> Any:
    """States ``(L * D, B, ·)`` with their batch in another order."""
    if torch.equal(order, torch.arange(order.numel())):
        return state
    return type(state)(*(permute_rows(part.transpose(0, 1), order).transpose(0, 1) for part in state))
