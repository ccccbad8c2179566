"""Baselines of a detector: how far a value, or a change, lies from those before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.tasks.base import Outputs
from ostinato.tasks.detect import Detect
from ostinato.tasks.detect_series import DetectExamples, Read, last_of

WINDOW = 6400
"""Steps of the Gaussian: what the windowed Gaussian of the Numenta Anomaly Benchmark was tuned to."""
LEAST = 1e-2
"""The least deviation, in scales of the channel, as a model's."""


def windowed_gaussian(ground: Ground) -> Outputs:
    """A Gaussian over the last :data:`WINDOW` values says what comes next; the score is how far off that was.

    The rule of the benchmark's detector of that name: ``score[t] = |x[t] - mean| / deviation``, of several channels the
    largest. Where it must not be infinitely sure (``nll``), its deviation is held to :data:`LEAST` scales.
    """
    return _gaussian(ground, lambda values: values)


def last_change(ground: Ground) -> Outputs:
    """The next value is the last one, give or take a Gaussian over the last :data:`WINDOW` changes."""
    return _gaussian(ground, lambda values: values - last_of(values), around_last=True)


def before(values: np.ndarray, window: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation ``(T, C)`` of up to ``window`` values before each step; 0 and 1 before there are two.

    NaN counts as absent.
    """
    there = np.isfinite(values)
    centre = np.nanmean(values, axis=0) if there.any() else 0.0
    filled = np.where(there, values - centre, 0.0)  # near zero, or the squares would drown what differs

    def total(part: np.ndarray) -> np.ndarray:
        sums = np.concatenate([np.zeros((1, part.shape[1])), np.cumsum(part, axis=0)])
        at = np.arange(len(part))
        found: np.ndarray = sums[at] - sums[np.maximum(0, at - window)]
        return found

    count, first, second = total(there.astype(np.float64)), total(filled), total(filled**2)
    mean = first / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(second / np.maximum(count, 1) - mean**2, 0.0))
    return np.where(count > 0, mean + centre, 0.0), np.where(count > 1, deviation, 1.0)


def _gaussian(ground: Ground, look: Callable[[np.ndarray], np.ndarray], *, around_last: bool = False) -> Outputs:
    task, examples = ground.task, ground.test
    if not isinstance(task, Detect) or not isinstance(examples, DetectExamples):
        raise UsageError(f"this baseline looks for anomalies in series; the task '{task.name}' does not")
    parts = [_series(task, one, look, around_last) for one in examples.read]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _series(task: Detect, one: Read, look: Callable[[np.ndarray], np.ndarray], around_last: bool) -> Outputs:
    values = one.clipped
    seen = look(values)
    mean, deviation = before(seen)
    off = np.abs(seen - mean)
    sure = np.maximum(deviation, LEAST)
    nll = 0.5 * (off / sure) ** 2 + np.log(sure) + 0.5 * np.log(2 * np.pi)
    nll[~one.judged] = np.nan
    nll[:1] = np.nan
    base = last_of(values) if around_last else 0.0
    return {
        "error": off,
        "expected": (base + mean) * np.array(task.scale) + np.array(task.level),
        "spread": deviation * np.array(task.scale),
        "nll": _mean(nll),
        "score": _most(off / np.maximum(deviation, 1e-6)),
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the channels that are there; NaN where none is."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _most(values: np.ndarray) -> np.ndarray:
    """The largest over the channels that are there; NaN where none is."""
    there = np.isfinite(values)
    return np.where(there.any(axis=1), np.where(there, values, -np.inf).max(axis=1), np.nan)
