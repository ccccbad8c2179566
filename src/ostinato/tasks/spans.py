"""Spans: which label may follow which, as the training part has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

EDGE = ""
"""Stands before the first label of a sequence and after the last."""
INSIDE, CONTINUED = frozenset("IEL"), frozenset("BI")
"""Marks that go on with a span, and marks after which a span may have to go on."""

Step = tuple[str, str, bool]
"""The marks of two neighbouring labels, and whether their types are the same."""


def never(names: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[tuple[int, int], ...]:
    """The pairs of neighbours that break the scheme which the labels ``rows`` of the training part keep.

    ``I-PER`` after ``O`` breaks one scheme and begins a span in another, so nothing is taken for granted: what counts
    is whether a step of this kind (the two marks, and whether the types are the same) occurs in training, whatever the
    types are. Asked is this only where a label goes on with a span (``I-``, ``E-``, ``L-``) that is not its own, and,
    where labels have marks of the end, where a span is left (after ``B-``, ``I-``). All else is free.

    Args:
        names: all labels that mark spans, see :func:`ostinato.tasks.metrics.are_spans`.
        rows: the labels of each sequence.

    Returns:
        Numbers ``(i, j)`` of labels; ``K = len(names)`` stands before the first step and after the last.
    """
    seen = {_step(one, other) for row in rows for one, other in pairwise([EDGE, *row, EDGE])}
    ends = any(name[:1] in "EL" for name in names)
    found = []
    for i, one in enumerate([*names, EDGE]):
        for j, other in enumerate([*names, EDGE]):
            goes_on = one[:1] in CONTINUED and other[:1] in INSIDE and one[2:] == other[2:]
            asked = other[:1] in INSIDE or (ends and one[:1] in CONTINUED)
            if asked and not goes_on and _step(one, other) not in seen:
                found.append((i, j))
    return tuple(found)


def _step(one: str, other: str) -> Step:
    return one[:1], other[:1], one[2:] == other[2:]


def barred(pairs: Sequence[tuple[int, int]], size: int) -> np.ndarray:
    """``(K + 1, K + 1)`` bool: the pairs of :func:`never` as a table."""
    table = np.zeros((size + 1, size + 1), dtype=bool)
    for i, j in pairs:
        table[i, j] = True
    return table
