"""Interval: how sure a difference between two sets of scores of the same examples is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from ostinato.tasks.dependence import Dependence

ROUNDS = 4000
"""Draws of the bootstrap."""
LARGE = 20_000
"""From so many examples on the normal approximation is as good as the bootstrap and much cheaper."""

Follow = Callable[[np.ndarray], np.ndarray]
"""From a mean score to the metric that is watched: identity, or the root for a root mean square."""


def paired_interval(
    first: np.ndarray, second: np.ndarray, *, follow: Follow = np.asarray, seed: int = 0
) -> tuple[float, float, float]:
    """``follow(mean(first)) - follow(mean(second))`` and its 95 % interval, the examples being drawn anew.

    The same examples are drawn for both (Efron & Tibshirani 1993, section 8.3: the paired bootstrap), so what makes an
    example hard for both cancels out. The interval holds the middle 95 % of :data:`ROUNDS` draws; beyond
    :data:`LARGE` examples it is ``difference ± 1.96 standard errors`` by the delta method.

    Args:
        first: ``(n,)`` scores of one model.
        second: ``(n,)`` scores of the other on the same examples.
        follow: see :data:`Follow`.
        seed: of the draws.

    Returns:
        The difference, the lower and the upper end; the ends are NaN of fewer than two examples.
    """
    means = np.array([first.mean(), second.mean()]) if len(first) else np.full(2, np.nan)
    difference = float(np.subtract(*follow(means)))
    if len(first) < 2:
        return difference, float("nan"), float("nan")
    if len(first) > LARGE:
        slopes = _slopes(follow, means)
        error = float(np.std(slopes[0] * first - slopes[1] * second, ddof=1) / len(first) ** 0.5)
        return difference, difference - 1.96 * error, difference + 1.96 * error
    drawn = _drawn_means(np.stack([first, second], axis=1), np.random.default_rng([seed, 3]))
    differences = follow(drawn[:, 0]) - follow(drawn[:, 1])
    low, high = np.quantile(differences, [0.025, 0.975])
    return difference, float(low), float(high)


def dependent_interval(
    first: np.ndarray, second: np.ndarray, dependence: Dependence, *, follow: Follow = np.asarray
) -> tuple[float, float, float]:
    """As :func:`paired_interval`, of scores that hang together in time: neighbouring windows of a series.

    With ``e`` what each place of a track (all its channels together) adds to the difference beyond the mean, ``T``
    places in the track and a bandwidth of ``L = max(1.3 sqrt(T), 3 reach)`` places::

        variance = sum over tracks of sum over |k| < L of (1 - |k| / L) sum over t of e[t] e[t + k]
        interval = difference ± sqrt(q / (q - 1)) t sqrt(variance) / n

    It is Newey and West's (1987) estimate as Driscoll and Kraay (1998) take it to panels: what happens at one time to
    several channels is one event, not many. The first term of ``L`` follows Lazarus, Lewis, Stock and Watson (2018);
    the second keeps most of the correlation of windows that share steps, which ends after ``reach`` places. ``t`` is
    the 97.5 % point of Student's distribution with ``q - 1`` degrees of freedom, ``q = sum over tracks of
    max(1, T / L)`` being how many blocks there are that know nothing of each other; so few blocks are not mistaken for
    many examples (close to the fixed-b values of Kiefer and Vogelsang 2005).

    Args:
        first: ``(n,)`` scores of one model.
        second: ``(n,)`` scores of the other on the same examples.
        dependence: which scores are neighbours.
        follow: see :data:`Follow`.

    Returns:
        The difference, the lower and the upper end; the ends are NaN of fewer than two blocks.
    """
    if not len(first):
        return float("nan"), float("nan"), float("nan")
    means = np.array([first.mean(), second.mean()])
    difference = float(np.subtract(*follow(means)))
    slopes = _slopes(follow, means)
    beyond = slopes[0] * (first - means[0]) - slopes[1] * (second - means[1])
    variance, blocks = 0.0, 0.0
    order = np.lexsort((dependence.place, dependence.track))
    for rows in np.split(order, np.flatnonzero(np.diff(dependence.track[order])) + 1):
        places = dependence.place[rows]
        sums = np.bincount(places - places[0], weights=beyond[rows])
        width = max(1.3 * len(sums) ** 0.5, 3.0 * dependence.reach)
        variance += _long_run(sums, width)
        blocks += max(1.0, len(sums) / width)
    if blocks < 2:
        return difference, float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, blocks - 1)) * (variance * blocks / (blocks - 1)) ** 0.5 / len(first)
    return difference, difference - half, difference + half


def _long_run(sums: np.ndarray, width: float) -> float:
    """``sum over |k| < width of (1 - |k| / width) sum over t of sums[t] sums[t + k]``, by a Fourier transform."""
    spectrum = np.fft.rfft(sums, 2 * len(sums))
    products = np.fft.irfft(np.abs(spectrum) ** 2, 2 * len(sums))[: len(sums)]
    weights = np.maximum(0.0, 1.0 - np.arange(len(sums)) / width)
    return max(0.0, float(2 * weights @ products - products[0]))


def _drawn_means(scores: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``(ROUNDS, 2)``: means of both columns of ``scores (n, 2)`` over examples drawn with replacement."""
    count = len(scores)
    chunk = max(1, 2_000_000 // count)
    drawn = [
        scores[random.integers(0, count, size=(min(chunk, ROUNDS - start), count))].mean(axis=1)
        for start in range(0, ROUNDS, chunk)
    ]
    return np.concatenate(drawn)


def _slopes(follow: Follow, means: np.ndarray) -> np.ndarray:
    step = np.maximum(np.abs(means), 1e-12) * 1e-6
    slopes: np.ndarray = (follow(means + step) - follow(means - step)) / (2 * step)
    return slopes


def widen(low: float, high: float, difference: float, sd: float, count: int) -> tuple[float, float]:
    """The interval with the spread of ``count`` seeds added: ``half² + (t sd / sqrt(count))²``, ``t`` of Student."""
    if count < 2 or not np.isfinite(sd):
        return low, high
    extra = float(stats.t.ppf(0.975, count - 1)) * sd / count**0.5
    return difference - float(np.hypot(difference - low, extra)), difference + float(np.hypot(high - difference, extra))
