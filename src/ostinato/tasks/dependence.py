"""Dependence: which scores of a test part are neighbours, so that a comparison does not take them as so many proofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
