"""Tail: how rare an error is among those before it."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

import numpy as np

WINDOW = 10_000
"""Only so many last errors are remembered: what is ordinary may change."""
EXTREME = 0.02
"""The share of the errors whose excess is taken for the tail."""
FEWEST = 10
"""Errors that a tail is fitted to, at least."""
PRIOR = 100
"""Errors that a new series begins with."""
HEAVIEST = 0.5
MOST = 300.0
"""The highest score."""
AGAIN = 1.02
"""The tail is fitted anew when so many times as many errors are known (or came since)."""


def prior() -> list[float]:
    """The errors that a model expects of itself: ``|t|`` of Student's distribution with 4 degrees of freedom, evenly.

    Its quantile has a closed form (Shaw 2006): ``t(p) = 2 sqrt(cos(arccos(sqrt(a)) / 3) / sqrt(a) - 1)``, with
    ``a = 4 p (1 - p)``.
    """
    chance = 0.5 + 0.5 * (np.arange(PRIOR) + 0.5) / PRIOR
    root = np.sqrt(4.0 * chance * (1.0 - chance))
    quantiles: list[float] = (2.0 * np.sqrt(np.cos(np.arccos(root) / 3.0) / root - 1.0)).tolist()
    return quantiles


class Tail:
    """The score of each error of a series, one after the other: ``-log10`` of the chance of one at least as large.

    The chance is estimated from the last :data:`WINDOW` errors alone, so a score never depends on what comes later::

        p(e) = (1 + #{past >= e}) / (n + 1)                         in the body (the rank, as in conformal prediction)
        p(e) = k / n * (1 + xi (e - u) / b) ** (-1 / xi)            beyond u, the largest but k: a Pareto tail

    The tail is the generalised Pareto distribution, to which excesses over a high threshold tend (Pickands 1975), with
    the moments of the ``k`` largest: ``xi = (1 - mean² / variance) / 2``, held to 0 … 0.5, and ``b = mean (1 - xi)``.
    A score of 3 is an error that one ordinary step in a thousand exceeds. As long as there are no more than
    :data:`FEWEST` errors, there is no tail.

    Args:
        begin: errors that are taken for known, before there are any.
    """

    def __init__(self, begin: Sequence[float] = ()) -> None:
        self.order: deque[float] = deque(begin)
        self.past = sorted(begin)
        self.fit: tuple[float, float, float, float] = (math.inf, 0.0, 1.0, 1.0)
        self.due, self.seen = 0.0, 0

    def step(self, error: float) -> float:
        """The score of the next error, which is remembered; NaN (a missing value) scores NaN and is not."""
        if math.isnan(error):
            return math.nan
        score = self._score(error)
        insort(self.past, error)
        self.order.append(error)
        self.seen += 1
        if len(self.order) > WINDOW:
            del self.past[bisect_left(self.past, self.order.popleft())]
        return score

    def _score(self, error: float) -> float:
        if self.seen >= self.due:
            self._learn()
        edge, shape, scale, share = self.fit
        if error <= edge:
            count = len(self.past)
            return -math.log10((1 + count - bisect_left(self.past, error)) / (count + 1))
        excess = (error - edge) / scale
        fallen = math.log1p(shape * excess) / shape if shape > 1e-6 else excess
        return min(MOST, fallen / math.log(10.0) - math.log10(share))

    def _learn(self) -> None:
        count = len(self.past)
        if count <= FEWEST:
            return
        extreme = max(FEWEST, int(EXTREME * count))
        edge = self.past[-extreme - 1]
        excess = np.array(self.past[-extreme:]) - edge
        mean, variance = float(excess.mean()), float(excess.var())
        shape = min(max(0.0, (1.0 - mean * mean / variance) / 2.0), HEAVIEST) if variance > 0 else 0.0
        self.fit = (edge, shape, max(mean * (1.0 - shape), 1e-12), extreme / count)
        self.due = max(self.seen + 1, self.seen + (AGAIN - 1.0) * count)
