"""The forms a layer takes its sequences in: each becomes packed rows, and the answer goes back in the same form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato.cells.base import S, like
from ostinato.engines.places import Places
from ostinato.sequences import Packed, Ragged
from ostinato.sequences.padded import checked_lengths

F = TypeVar("F", Tensor, PackedSequence, Ragged)
"""A form: a padded tensor, a ``PackedSequence`` or a ``Ragged``."""

Lengths = Tensor | Sequence[int]

Flags = Tensor | PackedSequence | Ragged
"""Reset flags in the form of the input, or as plain rows ``(N,)`` beside a ``PackedSequence`` or a ``Ragged``."""


class Form(ABC, Generic[F]):
    """What came in, as packed rows, and how the answer goes out.

    ``data``, ``batch_sizes``, ``order`` and ``slots`` are those of :class:`~ostinato.sequences.Packed`; ``in_order``:
    whether the sequences lie in the order of their slots; ``places``: where packed rows lie among the rows that came
    (``spread``), or None where they came packed.
    """

    places: Places | None = None
    spread: Tensor  # rows as they came, where there are places
    batch_sizes: Tensor
    order: Tensor
    slots: Tensor
    in_order = True
    unbatched = False

    @cached_property
    def data(self) -> Tensor:
        """Packed rows ``(N, I)``."""
        assert self.places is not None
        return self.places.pack(self.spread)

    @property
    def given(self) -> Tensor:
        """The rows that came, packed or not."""
        return self.data if self.places is None else self.spread

    @cached_property
    def rows(self) -> Packed:
        """All of it."""
        return Packed(self.data, self.batch_sizes, self.order)

    def place(self, places: Places, rows: Tensor) -> None:
        """Take the rows that lie there."""
        self.places, self.spread, self.batch_sizes = places, rows, places.batch_sizes
        self.order, self.slots, self.in_order = places.order, places.slots, places.sorted

    def restore(self, data: Tensor) -> F:
        """Packed rows ``(N, *)`` in the form of the input."""
        return self.wrap(data if self.places is None else self.places.unpack(data))

    @abstractmethod
    def wrap(self, rows: Tensor) -> F:
        """Rows that lie as the given ones did, in the form of the input."""

    @abstractmethod
    def flags(self, reset: Flags) -> Tensor:
        """Reset flags as rows ``(N,)``."""


@final
class RaggedForm(Form[Ragged]):
    """A :class:`Ragged`."""

    def __init__(self, ragged: Ragged) -> None:
        self.lengths = ragged.lengths
        self.place(Places.end_to_end(ragged.lengths), ragged.values)

    def wrap(self, rows: Tensor) -> Ragged:
        """A Ragged of the same lengths."""
        return Ragged(rows, self.lengths)

    def flags(self, reset: Flags) -> Tensor:
        """From a Ragged of bool, or its values."""
        if isinstance(reset, Ragged) and not torch.equal(reset.lengths, self.lengths):
            raise ValueError("reset is a Ragged of other lengths than the input")
        values = checked_flags(reset.values if isinstance(reset, Ragged) else reset, self.spread.shape[:1])
        assert self.places is not None
        return self.places.pack(values)


@final
class PackedForm(Form[PackedSequence]):
    """A ``PackedSequence``: already packed; states are in the order of the sequences given to it."""

    def __init__(self, packed: PackedSequence) -> None:
        self.packed = packed
        self.data, self.batch_sizes = packed.data, packed.batch_sizes
        order, slots = packed.sorted_indices, packed.unsorted_indices
        if order is None or slots is None:
            self.order = self.slots = torch.arange(int(packed.batch_sizes[0]))
        else:
            self.order, self.slots, self.in_order = order.cpu(), slots.cpu(), False

    def wrap(self, rows: Tensor) -> PackedSequence:
        """A PackedSequence of the same layout."""
        return PackedSequence(rows, self.packed.batch_sizes, self.packed.sorted_indices, self.packed.unsorted_indices)

    def flags(self, reset: Flags) -> Tensor:
        """From a PackedSequence of bool of the same layout, or its data."""
        if isinstance(reset, PackedSequence) and not torch.equal(reset.batch_sizes, self.packed.batch_sizes):
            raise ValueError("reset is a PackedSequence of another layout than the input")
        return checked_flags(reset.data if isinstance(reset, PackedSequence) else reset, self.data.shape[:1])


@final
class PaddedForm(Form[Tensor]):
    """A tensor ``(T, B, I)`` or ``(B, T, I)``, or unbatched ``(T, I)``, with lengths ``(B,)`` or all of length ``T``.

    The padding is never read: whatever it holds, even NaN, reaches neither the rows nor a gradient.
    """

    def __init__(self, padded: Tensor, lengths: Tensor | None, *, batch_first: bool) -> None:
        self.unbatched = padded.dim() == 2
        self.batch_first = batch_first and not self.unbatched
        padded = padded.unsqueeze(1) if self.unbatched else padded
        self.shape = padded.shape[:2]
        batch, steps = self.shape if self.batch_first else self.shape[::-1]
        places = None if lengths is None else Places.padded(lengths, steps, batch_first=self.batch_first)
        if places is not None and places.total < places.count:
            self.place(places, padded.flatten(0, 1))
        else:
            self.data, self.batch_sizes = self._in_time(padded), torch.full((steps if batch else 0,), batch)
            self.order = self.slots = torch.arange(batch)

    def _in_time(self, padded: Tensor) -> Tensor:
        """Equal lengths as rows ``(T B, *)``."""
        return (padded.transpose(0, 1) if self.batch_first else padded).flatten(0, 1)

    def wrap(self, rows: Tensor) -> Tensor:
        """A padded tensor of the same shape; its padding is zero."""
        shape = rows.shape[1:]
        if self.places is None and self.batch_first:
            padded = rows.reshape(*self.shape[::-1], *shape).transpose(0, 1)
        else:
            padded = rows.reshape(*self.shape, *shape)
        return padded.squeeze(1) if self.unbatched else padded

    def flags(self, reset: Flags) -> Tensor:
        """From a bool tensor of the shape of the input without its last dimension."""
        flags = checked_flags(reset, self.shape[:1] if self.unbatched else self.shape).reshape(self.shape)
        return self._in_time(flags) if self.places is None else self.places.pack(flags.flatten())


def form_of(
    input: Any, lengths: Lengths | None, *, batch_first: bool, check: Callable[[Tensor, Tensor | None], None]
) -> Form[Any]:
    """The form of an input, a tensor of 2 or 3 dimensions or another, once ``check`` has found its numbers to be right.

    Raises:
        TypeError, ValueError: it has none, or lengths that it cannot have.
    """
    if isinstance(input, Tensor):
        unbatched = input.dim() == 2
        check(input.unsqueeze(1) if unbatched else input, None)
        shape = torch.Size((input.shape[0], 1)) if unbatched else input.shape[:2]
        batch, steps = shape if batch_first and not unbatched else shape[::-1]
        checked = None if lengths is None else checked_lengths(lengths, batch, steps)
        return PaddedForm(input, checked, batch_first=batch_first)
    if lengths is not None:
        raise ValueError(f"a {type(input).__name__} knows its own lengths; leave lengths= out")
    if isinstance(input, PackedSequence):
        check(input.data, input.batch_sizes)
        return PackedForm(input)
    if not isinstance(input, Ragged):
        raise TypeError(f"input must be a Tensor, a PackedSequence or a Ragged, not {type(input).__name__}")
    check(input.values, input.lengths)
    return RaggedForm(input)


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
    return like(state, (part.index_select(1, order.to(part.device)) for part in state))
