"""Seeds: how much a result owes to chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (divisor ``n - 1``; NaN of one value) of ``count`` seeds."""

    mean: float
    sd: float
    count: int


def spread(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """The spread of every metric over runs that differ in their seed alone; a metric some run lacks is left out.

    Raises:
        ValueError: there are no runs.
    """
    if not runs:
        raise ValueError("a spread needs at least one run")
    shared = [key for key in runs[0] if all(key in run for run in runs)]
    return {key: spread_of([run[key] for run in runs]) for key in shared}


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of the values of one metric."""
    array = np.asarray(values, dtype=np.float64)
    sd = float(np.std(array, ddof=1)) if len(array) > 1 else float("nan")
    return Spread(float(np.mean(array)), sd, len(array))
