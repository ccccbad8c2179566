"""Windows over time for truncated back-propagation, and sequences read from their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from ostinato.sequences.ragged import Ragged, steps_of


class Window(NamedTuple):
    """Steps ``first`` to ``last`` of the sequences still alive.

    ``steps``: a Ragged of ``K`` sequences, each with at least one step; ``rows`` ``(K,)`` int64: which sequences of the
    whole batch they are, rising.
    """

    steps: Ragged
    rows: Tensor
    first: int
    last: int


def windows(ragged: Ragged, width: int) -> Iterator[Window]:
    """Slices of ``width`` steps, one after the other; those of one sequence, laid end to end, are the sequence.

    Raises:
        ValueError: ``width`` is less than 1.
    """
    if width < 1:
        raise ValueError(f"a window has at least one step, not {width}")
    longest = int(ragged.lengths.max()) if len(ragged) else 0
    for first in range(0, longest, width):
        rows = (ragged.lengths > first).nonzero().flatten()
        lengths = (ragged.lengths[rows] - first).clamp(max=width)
        index = steps_of(ragged.offsets[rows] + first, lengths).to(ragged.values.device)
        yield Window(Ragged(ragged.values.index_select(0, index), lengths), rows, first, min(first + width, longest))


def reverse(ragged: Ragged) -> Ragged:
    """Each sequence from its end to its beginning; the sequences stay where they are."""
    step = steps_of(ragged.lengths * 0, ragged.lengths)
    ends = ragged.offsets[1:].repeat_interleave(ragged.lengths)
    return Ragged(ragged.values.index_select(0, (ends - 1 - step).to(ragged.values.device)), ragged.lengths)
