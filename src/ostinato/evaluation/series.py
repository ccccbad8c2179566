"""Series baselines: forecasts that need no training, and that many a trained model does not beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from ostinato.tasks.base import Outputs
from ostinato.tasks.forecast_windows import WindowExamples

FADING = 0.94
"""Share of the weight that a value keeps a step later."""


def repeat_last(examples: WindowExamples, levels: Sequence[float], season: int = 1) -> Outputs:
    """``f[t + h] = x[t]``, and every quantile the same: it does not say how sure it is.

    Args:
        examples: the windows to forecast.
        levels: of the quantiles.
        season: not used.
    """
    del season
    return _gaussian(_repeated(examples), np.zeros(1), levels)


def seasonal_naive(examples: WindowExamples, levels: Sequence[float], season: int) -> Outputs:
    """``f[t + h] = x[t + h - m k]`` with the smallest ``k`` that lies in the past: the last season again and again.

    Quantiles are Gaussian, with the deviation ``σ sqrt(k)``, where ``σ²`` is the mean of ``(x[t] - x[t - m])²`` over
    the training steps of the channel (Hyndman and Athanasopoulos, Forecasting, 5.5). A window that sees less than a
    season repeats its last value.

    Args:
        examples: the windows to forecast.
        levels: of the quantiles.
        season: ``m``.
    """
    ahead = np.arange(examples.horizon)
    steps = (examples.origin - season)[:, None] + ahead % season
    enough = examples.origin >= season
    places = examples.panel.places(examples.series, np.where(enough[:, None], steps, 0))
    last_season = examples.panel.filled[places, examples.channel[:, None]]
    point = np.where(enough[:, None], last_season, _repeated(examples))
    return _gaussian(point, _deviation(examples, season) * np.sqrt(ahead // season + 1), levels)


def random_walk(examples: WindowExamples, levels: Sequence[float], season: int = 1) -> Outputs:
    """A walk with drift, ``f[t + h] = x[t] + h c``, with Gaussian quantiles ``σ sqrt(h (1 + h / n))`` wide.

    ``c = (x[t] - x[0]) / n`` is the mean change over all ``n`` steps before the forecast, ``σ²`` the variance of the
    changes over the training steps of the channel (Hyndman and Athanasopoulos, Forecasting, 5.2 and 5.5). What rises
    on the whole is expected to go on rising: no memory is needed to know that.

    Args:
        examples: the windows to forecast.
        levels: of the quantiles.
        season: not used.
    """
    del season
    panel, ahead = examples.panel, np.arange(1, examples.horizon + 1)
    known = np.isfinite(panel.values)
    begins = np.array([known[a:b].argmax(axis=0) for a, b in pairwise(panel.offsets)])
    first = begins[examples.series, examples.channel]
    steps = (examples.origin - 1 - first)[:, None]
    change = examples.level() - panel.values[panel.places(examples.series, first), examples.channel]
    drift = change[:, None] / np.maximum(steps, 1)
    widening = np.sqrt(ahead * (1 + ahead / np.maximum(steps, 1)))
    return _gaussian(_repeated(examples) + drift * ahead, _deviation(examples, 1, drift=True) * widening, levels)


def ewma(examples: WindowExamples, levels: Sequence[float], season: int = 1) -> Outputs:
    """``f[t + h] = a[t]``, ``a[t] = 0.94 a[t - 1] + 0.06 x[t]``: an average whose weights fade (RiskMetrics 1996).

    The rival of whoever forecasts a volatility: what was measured today is mostly noise around what it is. Quantiles
    are Gaussian, ``σ²`` the mean of ``(x[t + 1] - a[t])²`` over the training steps of the channel.

    Args:
        examples: the windows to forecast.
        levels: of the quantiles.
        season: not used.
    """
    del season
    panel = examples.panel
    averages, errors = np.empty_like(panel.filled), np.zeros(panel.scale.shape)
    for series, (first, last) in enumerate(pairwise(panel.offsets)):
        averages[first:last] = _faded(panel.filled[first:last])
        steps = int(panel.trained[series])
        beyond = np.diff(panel.filled[first : first + steps], axis=0)
        beyond += panel.filled[first : first + steps - 1] - averages[first : first + steps - 1]
        errors[series] = np.sqrt((beyond**2).mean(axis=0)) if len(beyond) else 0.0
    places = panel.places(examples.series, examples.origin - 1)
    point = np.repeat(averages[places, examples.channel][:, None], examples.horizon, axis=1)
    return _gaussian(point, errors[examples.series, examples.channel][:, None], levels)


def _faded(values: np.ndarray) -> np.ndarray:
    averages = values.copy()
    for step in range(1, len(values)):
        averages[step] = FADING * averages[step - 1] + (1 - FADING) * values[step]
    return averages


SERIES_BASELINES: dict[str, Callable[[WindowExamples, Sequence[float], int], Outputs]] = {
    "repeat_last": repeat_last,
    "seasonal_naive": seasonal_naive,
    "random_walk": random_walk,
    "ewma": ewma,
}
"""Key of a baseline to what computes it, from ``examples, levels, season``."""


def _repeated(examples: WindowExamples) -> np.ndarray:
    return np.repeat(examples.level()[:, None], examples.horizon, axis=1)


def _deviation(examples: WindowExamples, lag: int, *, drift: bool = False) -> np.ndarray:
    """``(W, 1)``: the root mean square of ``x[t] - x[t - lag]`` over the training steps of each window's channel.

    With ``drift``, of its distance from its mean.
    """
    panel = examples.panel
    found = np.zeros(panel.scale.shape)
    for series, channel in np.ndindex(*found.shape):
        training = panel.training(series, channel)
        changes = training[lag:] - training[:-lag]
        changes = changes[np.isfinite(changes)]
        changes = changes - changes.mean() if drift and len(changes) else changes
        found[series, channel] = np.sqrt((changes**2).mean()) if len(changes) else 0.0
    per_window: np.ndarray = found[examples.series, examples.channel]
    return per_window[:, None]


def _gaussian(point: np.ndarray, deviation: np.ndarray, levels: Sequence[float]) -> Outputs:
    """A forecast ``(W, horizon)`` with Gaussian quantiles ``(W, horizon, Q)`` around it."""
    scores = np.array([NormalDist().inv_cdf(level) for level in levels])
    spread = np.broadcast_to(deviation, point.shape)
    return {"forecast": point, "quantiles": point[..., None] + spread[..., None] * scores}
