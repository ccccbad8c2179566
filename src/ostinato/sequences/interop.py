"""Other libraries' forms of unequal sequences: torch's PackedSequence and jagged nested tensors."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ostinato.sequences.packed import Packed, inverse_of, pack, unpack
from ostinato.sequences.ragged import Ragged


def from_packed_sequence(packed: PackedSequence) -> Ragged:
    """The sequences of a ``PackedSequence``, in the order in which they were given to it."""
    count = int(packed.batch_sizes[0])
    order = torch.arange(count) if packed.sorted_indices is None else packed.sorted_indices.cpu()
    return unpack(Packed(packed.data, packed.batch_sizes, order))


def to_packed_sequence(ragged: Ragged) -> PackedSequence:
    """A ``PackedSequence`` that remembers the order of the sequences.

    Raises:
        ValueError: there is no sequence, or one has length 0; a PackedSequence cannot hold it.
    """
    if not len(ragged) or int(ragged.lengths.min()) < 1:
        raise ValueError("a PackedSequence holds at least one sequence and none of length 0; keep the Ragged")
    packed = pack(ragged)
    device = ragged.values.device
    order = packed.order.to(device)
    return PackedSequence(packed.data, packed.batch_sizes, order, inverse_of(order))


def from_nested(nested: Tensor) -> Ragged:
    """The sequences of a jagged nested tensor ``(B, ragged, *)``.

    Raises:
        ValueError: it is not a nested tensor, or not jagged in its second dimension.
    """
    if not nested.is_nested or nested.layout is not torch.jagged:
        raise ValueError("expected a nested tensor of layout torch.jagged")
    jagged = cast("Any", nested)
    if jagged._ragged_idx != 1:
        raise ValueError("the nested tensor is ragged in another dimension than its second; transpose it back")
    if jagged.lengths() is not None:  # the sequences have holes between them
        return Ragged.from_list(list(torch.unbind(nested)))
    return Ragged(jagged.values(), jagged.offsets().diff().cpu().to(torch.int64))


def to_nested(ragged: Ragged) -> Tensor:
    """A jagged nested tensor ``(B, ragged, *)`` over the same values.

    Raises:
        ValueError: there is no sequence; a nested tensor cannot be empty.
    """
    if not len(ragged):
        raise ValueError("a nested tensor holds at least one sequence; keep the Ragged")
    offsets = ragged.offsets.to(ragged.values.device)
    return torch.nested.nested_tensor_from_jagged(ragged.values, offsets)
