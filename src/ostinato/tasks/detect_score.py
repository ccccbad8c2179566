"""Scorer: from the errors of a series, one step after the other, to scores, chances and alarms."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from ostinato.tasks.detect_tail import PRIOR, Tail, prior

SPANS = (1, 5, 30)
"""The errors of so many last steps are looked at together: a shock, a disturbance, another behaviour."""
DOUBT = 0.5
"""How much of the logarithm of the steps seen is taken off for each view: of many steps one is strange by chance."""


class Seen(NamedTuple):
    """What one step was like.

    Args:
        score: the evidence that something is wrong, in powers of ten; NaN where no value was there.
        chance: the share of the steps so far that were at least as strange, with a tail beyond the strangest.
        fresh: whether the score is above all of the last ``quiet`` steps: only such a step can be an alarm.
        channel: the strangest one.
    """

    score: float
    chance: float
    fresh: bool
    channel: int


class Views:
    """One channel in four views, each with the :class:`~ostinato.tasks.detect_tail.Tail` of its own past.

    The mean size of the errors over the last 1, 5 and 30 steps, and the distance of the value from the mean of all
    values before. Their scores are added: chances multiplied, as if they were independent. (They are not; what a sum
    means is learned from the sums before it, see :class:`Scorer`.)
    """

    def __init__(self) -> None:
        self.last: deque[float] = deque(maxlen=max(SPANS))
        self.tails = [Tail(prior()) for _ in (*SPANS, "level")]
        self.total, self.count = 0.0, 0

    def step(self, error: float, value: float) -> float:
        """The sum of the scores; NaN for a missing value."""
        if math.isnan(value):
            return math.nan
        distance = abs(value - self.total / self.count) if self.count else 0.0
        self.total, self.count = self.total + value, self.count + 1
        if not math.isnan(error):
            self.last.append(error)
        sizes = [*(self._mean(span) for span in SPANS), distance]
        scores = [tail.step(size) for tail, size in zip(self.tails, sizes, strict=True)]
        return sum(score for score in scores if not math.isnan(score))

    def _mean(self, span: int) -> float:
        known = len(self.last)
        if not known:
            return math.nan
        some = self.last if span >= known else [self.last[place] for place in range(known - span, known)]
        return sum(some) / len(some)


class Judge:
    """How rare each score is among those before it, and whether it begins something new.

    Args:
        quiet: one event is told once: a score is fresh if it is above those of so many steps before it.
    """

    def __init__(self, quiet: int) -> None:
        self.quiet, self.steps = quiet, 0
        self.rank = Tail()
        self.high: deque[tuple[int, float]] = deque()

    def step(self, score: float) -> tuple[float, bool]:
        """The chance and whether it is fresh; NaN and no for NaN, a missing value."""
        self.steps += 1
        if math.isnan(score):
            return math.nan, False
        while self.high and self.high[0][0] < self.steps - self.quiet:
            self.high.popleft()
        fresh = not self.high or score > self.high[0][1]
        while self.high and self.high[-1][1] <= score:
            self.high.pop()
        self.high.append((self.steps, score))
        return 10.0 ** -self.rank.step(score), fresh


class Scorer:
    """Scores the steps of one series, value by value, from nothing but the steps before.

    ``score = max over channels of sum over views of -log10 p  -  2 log10(steps)  -  log10(channels)``, where ``2`` is
    :data:`DOUBT` a view. ``chance`` is the rank of the score among all before it (a
    :class:`~ostinato.tasks.detect_tail.Tail` once more), so that a wanted rate of alarms can be asked for.

    Args:
        channels: ``C``.
        quiet: see :class:`Judge`.
    """

    def __init__(self, channels: int, quiet: int) -> None:
        self.views = [Views() for _ in range(channels)]
        self.judge = Judge(quiet)

    def step(self, errors: Sequence[float], values: Sequence[float]) -> Seen:
        """The next step: ``C`` absolute errors of the prediction and ``C`` values, NaN where missing."""
        sums = [view.step(*pair) for view, *pair in zip(self.views, errors, values, strict=True)]
        channel = max(range(len(sums)), key=lambda place: -math.inf if math.isnan(sums[place]) else sums[place])
        steps = self.judge.steps + 1 + PRIOR
        score = sums[channel] - DOUBT * (len(SPANS) + 1) * math.log10(steps) - math.log10(len(sums))
        return Seen(score, *self.judge.step(score), channel)


class Scores(NamedTuple):
    """Of all steps of a series: ``score``, ``chance`` ``(T,)`` float64, ``fresh`` bool, ``channel`` int64."""

    score: np.ndarray
    chance: np.ndarray
    fresh: np.ndarray
    channel: np.ndarray


def scored(errors: np.ndarray, values: np.ndarray, quiet: int) -> Scores:
    """A :class:`Scorer` over a whole series: ``errors`` and ``values`` ``(T, C)``."""
    scorer = Scorer(values.shape[1], quiet)
    return _columns([scorer.step(*pair) for pair in zip(errors.tolist(), values.tolist(), strict=True)])


def ranked(scores: np.ndarray, quiet: int) -> Scores:
    """Any other score ``(T,)``, judged as a :class:`Scorer` judges its own."""
    judge = Judge(quiet)
    return _columns([Seen(score, *judge.step(score), 0) for score in scores.tolist()])


def _columns(rows: Sequence[Seen]) -> Scores:
    columns = list(zip(*rows, strict=True)) if rows else list(repeat((), 4))
    kinds = (np.float64, np.float64, np.bool_, np.int64)
    return Scores(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))
