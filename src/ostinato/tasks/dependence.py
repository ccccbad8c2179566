"""Dependence: which scores of a test part are neighbours, so that a comparison does not take them as so many proofs."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ostinato.data.examples import Examples, SequenceExamples


@dataclass(frozen=True)
class Dependence:
    """Scores lie on tracks (a series, a document, a clock that many series share); those near each other hang together.

    Args:
        track: ``(n,)`` which track; scores of different tracks are independent.
        place: ``(n,)`` whole numbers, where on it; scores at one place (the channels of a series) are one event.
        reach: places after which two scores share no step any more: the horizon, of forecasts from every origin.
    """

    track: np.ndarray
    place: np.ndarray
    reach: int = 1

    def take(self, rows: np.ndarray) -> Dependence:
        """Of the scores ``rows`` (indices or a mask)."""
        return Dependence(self.track[rows], self.place[rows], self.reach)


def equal_inputs(examples: Examples, scored: np.ndarray) -> tuple[Dependence, ...]:
    """Rows with equal inputs get equal answers, so they are one proof: each distinct input is a track of its own.

    Args:
        examples: the test part.
        scored: ``(B,)`` which of them have a score.

    Returns:
        Of the rows that are scored; empty where all of them differ.
    """
    if not isinstance(examples, SequenceExamples):
        return ()
    numbers: dict[bytes, int] = {}
    read = [examples.inputs.to_list()] + ([] if examples.static is None else [list(examples.static)])
    digests = [
        blake2b(b"".join(part.numpy().tobytes() for part in row), digest_size=16) for row in zip(*read, strict=True)
    ]
    track = np.array([numbers.setdefault(digests[row].digest(), len(numbers)) for row in np.flatnonzero(scored)])
    return (Dependence(track, np.zeros_like(track)),) if len(numbers) < len(track) else ()
