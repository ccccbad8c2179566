"""Places: sequences that lie padded or end to end, to packed rows and back, by copies of whole rows."""

from __future__ import annotations

from typing import Any, cast, final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ostinato.engines.buffers import room
from ostinato.engines.core import MISSING, native, unseen
from ostinato.sequences.packed import inverse_of, layout_of


@final
class Places:
    """Where the rows of sequences lie: step ``t`` of sequence ``b`` in row ``starts[b] + t * apart`` of ``count``.

    In ``(T, B, *)`` sequences start at ``0, 1, 2, …`` and their rows are ``B`` apart, in ``(B, T, *)`` they start at
    ``0, T, 2 T, …``, end to end at their offsets. All others of the ``count`` rows are padding: never read, and written
    as 0.

    ``batch_sizes`` ``(T',)``, ``order`` and ``slots`` ``(B,)`` are those of :class:`~ostinato.sequences.Packed`,
    ``index`` ``(N,)`` says in which row each packed row lies, ``total`` is ``N``, and ``sorted`` says whether the
    sequences lie in the order of their slots.

    Args:
        lengths: ``(B,)`` int64 on the CPU, from 0 to ``steps``.
        starts: ``(B,)``, likewise.
        steps: ``T``, of padded sequences their padding included.
        apart: rows from one step to the next.
        count: rows in all.
    """

    def __init__(self, lengths: Tensor, starts: Tensor, steps: int, apart: int, count: int) -> None:
        self.lengths, self.starts, self.steps, self.apart, self.count = lengths, starts, steps, apart, count
        if MISSING is None and not torch.compiler.is_compiling() and unseen([lengths, starts]):
            lengths = lengths.contiguous()
            self.order, self.slots = torch.empty_like(lengths), torch.empty_like(lengths)
            sizes, index = lengths.new_empty(steps), lengths.new_empty(count)
            here = [part.data_ptr() for part in (sizes, self.order, self.slots, index)]
            ends = (lengths.data_ptr(), lengths.shape[0], steps, starts.data_ptr(), apart)
            reached, self.total, self.sorted = native.layout(*ends, here)
            self.batch_sizes, self.index = sizes[:reached], index[: self.total]
        else:
            self.index, self.batch_sizes, self.order = layout_of(lengths, starts, apart)
            self.slots, self.total = inverse_of(self.order), self.index.shape[0]
            self.sorted = bool((lengths.diff() <= 0).all())

    @classmethod
    def end_to_end(cls, lengths: Tensor) -> Places:
        """Of a :class:`~ostinato.sequences.Ragged`."""
        ends, steps = lengths.cumsum(0), int(lengths.max()) if lengths.numel() else 0
        return cls(lengths, ends - lengths, steps, 1, int(ends[-1]) if steps else 0)

    @classmethod
    def padded(cls, lengths: Tensor, steps: int, *, batch_first: bool) -> Places:
        """Of ``(T, B, *)`` or ``(B, T, *)``, its first two dimensions as one."""
        batch = lengths.shape[0]
        first = torch.arange(batch)
        return cls(lengths, first * steps if batch_first else first, steps, 1 if batch_first else batch, steps * batch)

    def pack(self, rows: Tensor) -> Tensor:
        """Rows ``(count, *)`` to packed rows ``(N, *)``."""
        return moved(rows, self, True)

    def unpack(self, packed: Tensor) -> Tensor:
        """Packed rows ``(N, *)`` to rows ``(count, *)``."""
        return moved(packed, self, False)

    def copied(self, rows: Tensor, packing: bool) -> Tensor:
        """By the C++ module."""
        rows = rows.contiguous()
        shape = rows.shape[1:]
        # packed rows do not leave the layer
        to = room((self.total, *shape), rows.dtype) if packing else rows.new_empty((self.count, *shape))
        counts = [self.batch_sizes.shape[0], self.order.shape[0], self.apart, rows.itemsize * shape.numel()]
        places = [part.data_ptr() for part in (self.batch_sizes, self.order, self.starts)]
        ends, threads = (rows.data_ptr(), to.data_ptr()), torch.get_num_threads()
        if packing:
            native.pack_rows(counts, places, *ends, threads)
        else:
            native.unpack_rows(counts, places, *ends, self.steps if self.count > self.total else 0, threads)
        return to


class Move(torch.autograd.Function):
    """``pack`` or ``unpack``; each is the other's derivative."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Places, packing: bool) -> Tensor:
        """Copy."""
        ctx.places, ctx.packing = places, packing
        return places.copied(rows, packing)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        """Copy back."""
        return moved(gradients[0], ctx.places, not ctx.packing), None, None


def moved(rows: Tensor, places: Places, packing: bool) -> Tensor:
    """``pack`` or ``unpack``, by PyTorch's operators where something looks on."""
    looked_on = torch.compiler.is_compiling() or forward_ad._current_level >= 0
    if MISSING is None and not looked_on and unseen([rows]) and not torch._C._functorch.is_legacy_batchedtensor(rows):
        wanted = rows.requires_grad and torch.is_grad_enabled()
        return cast("Any", Move).apply(rows, places, packing) if wanted else places.copied(rows, packing)
    index = places.index.to(rows.device)
    if packing:
        return rows.index_select(0, index)
    return rows.new_zeros(places.count, *rows.shape[1:]).index_copy(0, index, rows)
