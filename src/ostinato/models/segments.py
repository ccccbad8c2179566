"""Segments: several steps read at once, so that a recurrence has fewer to remember."""

from __future__ import annotations

from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of


def segments(steps: Ragged, size: int) -> Ragged:
    """``size`` steps side by side as one: ``(N, I)`` becomes ``(N', size * I)`` with lengths ``⌈T / size⌉``.

    The last segment of a sequence is filled up with zeros. What lay ``k`` steps back then lies ``k / size`` back.
    """
    lengths = (steps.lengths + size - 1) // size
    starts = (lengths.cumsum(0) - lengths) * size
    places = steps_of(starts, steps.lengths).to(steps.values.device)
    width = steps.values.shape[1]
    filled = steps.values.new_zeros(int(lengths.sum()) * size, width).index_copy(0, places, steps.values)
    return Ragged(filled.view(-1, size * width), lengths)
