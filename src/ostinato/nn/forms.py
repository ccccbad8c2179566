"""The forms a layer takes its sequences in: each becomes packed rows, and the answer goes back in the same form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar, final

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato.cells.base import S, like
from ostinato.sequences import Packed, Ragged, pack, unpack
from ostinato.sequences.packed import layout_of

F = TypeVar("F", Tensor, PackedSequence, Ragged)
"""A form: a padded tensor, a ``PackedSequence`` or a ``Ragged``."""

Flags = Tensor | PackedSequence | Ragged
"""Reset flags in the form of the input, or as plain rows ``(N,)`` beside a ``PackedSequence`` or a ``Ragged``."""


class Form(ABC, Generic[F]):
    """What came in, as packed ``rows``, and how the answer goes out."""

    rows: Packed
    unbatched = False

    @abstractmethod
    def restore(self, data: Tensor) -> F:
        """Rows ``(N, *)`` in the form of the input."""

    @abstractmethod
    def flags(self, reset: Flags) -> Tensor:
        """Reset flags as rows ``(N,)``."""


@final
class RaggedForm(Form[Ragged]):
    """A :class:`Ragged`."""

    def __init__(self, ragged: Ragged) -> None:
        self.lengths = ragged.lengths
        self.rows = pack(ragged)

    def restore(self, data: Tensor) -> Ragged:
        """A Ragged of the same lengths."""
        return unpack(self.rows.with_data(data))

    def flags(self, reset: Flags) -> Tensor:
        """From a Ragged of bool, or its values."""
        if isinstance(reset, Ragged) and not torch.equal(reset.lengths, self.lengths):
            raise ValueError("reset is a Ragged of other lengths than the input")
        values = checked_flags(reset.values if isinstance(reset, Ragged) else reset, self.rows.data.shape[:1])
        return pack(Ragged(values, self.lengths)).data


@final
class PackedForm(Form[PackedSequence]):
    """A ``PackedSequence``: already packed; states are in the order of the sequences given to it."""

    def __init__(self, packed: PackedSequence) -> None:
        self.packed = packed
        order = packed.sorted_indices
        count = int(packed.batch_sizes[0])
        self.rows = Packed(packed.data, packed.batch_sizes, torch.arange(count) if order is None else order.cpu())

    def restore(self, data: Tensor) -> PackedSequence:
        """A PackedSequence of the same layout."""
        return PackedSequence(data, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices)

    def flags(self, reset: Flags) -> Tensor:
        """From a PackedSequence of bool of the same layout, or its data."""
        if isinstance(reset, PackedSequence) and not torch.equal(reset.batch_sizes, self.packed.batch_sizes):
            raise ValueError("reset is a PackedSequence of another layout than the input")
        return checked_flags(reset.data if isinstance(reset, PackedSequence) else reset, self.rows.data.shape[:1])


@final
class PaddedForm(Form[Tensor]):
    """A tensor ``(T, B, I)`` or ``(B, T, I)``, or unbatched ``(T, I)``, with lengths ``(B,)`` or all of length ``T``.

    The padding is never read: whatever it holds, even NaN, reaches neither the rows nor a gradient.
    """

    def __init__(self, padded: Tensor, lengths: Tensor | None, *, batch_first: bool) -> None:
        self.unbatched = padded.dim() == 2
        self.batch_first = batch_first and not self.unbatched
        in_time = self._in_time(padded)
        self.steps, self.batch = in_time.shape[:2]
        equal = lengths is None or bool((lengths == self.steps).all())
        if lengths is None or equal:
            sizes = torch.full((self.steps if self.batch else 0,), self.batch)
            layout_order, self.index = torch.arange(self.batch), None
            data = in_time.reshape(self.steps * self.batch, *in_time.shape[2:])
        else:
            rows, sizes, layout_order = layout_of(lengths, torch.arange(self.batch) * self.steps)
            rows = rows % self.steps * self.batch + rows.div(self.steps, rounding_mode="floor")
            self.index = rows.to(padded.device)
            data = in_time.reshape(self.steps * self.batch, *in_time.shape[2:]).index_select(0, self.index)
        self.rows = Packed(data, sizes, layout_order)

    def _in_time(self, padded: Tensor) -> Tensor:
        """As ``(T, B, *)``."""
        if self.unbatched:
            return padded.unsqueeze(1)
        return padded.transpose(0, 1) if self.batch_first else padded

    def restore(self, data: Tensor) -> Tensor:
        """A padded tensor of the same shape; its padding is zero."""
        if self.index is not None:
            data = data.new_zeros(self.steps * self.batch, *data.shape[1:]).index_copy(0, self.index, data)
        padded = data.reshape(self.steps, self.batch, *data.shape[1:])
        if self.unbatched:
            return padded.squeeze(1)
        return padded.transpose(0, 1) if self.batch_first else padded

    def flags(self, reset: Flags) -> Tensor:
        """From a bool tensor of the shape of the input without its last dimension."""
        shape = (self.batch, self.steps) if self.batch_first else (self.steps, self.batch)
        flags = checked_flags(reset, torch.Size(shape[:1] if self.unbatched else shape))
        flat = self._in_time(flags).reshape(-1)
        return flat if self.index is None else flat.index_select(0, self.index)


def checked_flags(reset: Flags, shape: torch.Size) -> Tensor:
    """``reset`` if it is a bool tensor of ``shape``.

    Raises:
        TypeError: it is not a bool tensor.
        ValueError: its shape is another one.
    """
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        found = reset.dtype if isinstance(reset, Tensor) else type(reset).__name__
        raise TypeError(f"reset must be a bool tensor, one flag a step, not {found}")
    if reset.shape != shape:
        raise ValueError(f"reset has shape {tuple(reset.shape)}, but the steps of the input are {tuple(shape)}")
    return reset


def ordered(state: S, order: Tensor) -> S:
    """States ``(L * D, B, ·)`` with their batch in another order."""
    if bool((order == torch.arange(order.numel())).all()):
        return state
    return like(state, (part.index_select(1, order.to(part.device)) for part in state))
