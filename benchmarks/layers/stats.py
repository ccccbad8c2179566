"""Medians, quartiles and ratios of times that were taken in turns."""

from __future__ import annotations

import statistics
from typing import NamedTuple

QUIET, ENOUGH = 0.03, 3
"""Share of the processor that others may take in a quiet round, and how many quiet rounds suffice by themselves."""


class Spread(NamedTuple):
    """Seconds of a call."""

    median: float
    low: float
    high: float
    least: float
    calls: int


def spread(times: list[float]) -> Spread:
    """Median, quartiles and least of seconds a call."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return Spread(median, low, high, min(times), len(times))


def kept_rounds(foreign: list[float]) -> list[int]:
    """The rounds that count: the quiet ones where there are enough of them, else all."""
    quiet = [at for at, share in enumerate(foreign) if share <= QUIET]
    return quiet if len(quiet) >= ENOUGH else list(range(len(foreign)))


def ratios(ours: list[float], theirs: list[float]) -> Spread:
    """How many times as long theirs takes, round by round, since a round is taken under one load."""
    return spread([b / a for a, b in zip(ours, theirs, strict=True)])
