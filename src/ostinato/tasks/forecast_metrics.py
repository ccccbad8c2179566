"""How good forecasts are: errors in the series' own units, relative ones that series can share, and their quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.tasks.forecast_windows import Panel, WindowExamples

SAMPLE = 1 << 22
"""Values handled at once: rolling windows of a long table are many times longer than the table."""


def forecast_metrics(
    forecast: np.ndarray, quantiles: np.ndarray, examples: WindowExamples, levels: Sequence[float], season: int
) -> dict[str, float]:
    """Metrics of forecasts ``(W, horizon)`` and quantiles ``(W, horizon, Q)``; steps of unknown truth count nowhere.

    With ``e = y - f``, the mean over all steps of all windows where nothing else is said:

    - ``mae``, ``mse``, ``rmse``: of ``|e|``, ``e²``, and the root of that, in the units of the series;
    - ``scaled_mae``, ``scaled_mse``: the same of ``e / s``, ``s`` the standard deviation of each channel over its
      training steps (what publications on z-scored tables give); constant channels are left out;
    - ``mase``: mean of ``|e|`` over a channel, divided by :func:`naive_error`; then the mean over channels (Hyndman and
      Koehler 2006, as in the M4 competition); channels whose naive error is 0 are left out;
    - ``smape``: ``200 |e| / (|y| + |f|)`` in %, 0 where both are 0; mean over each channel, then over channels (M4);
    - ``pinball``: ``max(q e, (q - 1) e)``, mean over quantiles too;
    - ``wql``: twice the sum of the pinball losses over the sum of ``|y|``, mean over quantiles (GluonTS);
    - ``coverage``: share of truths from the lowest to the highest quantile; nominally their difference.

    A metric with nothing to count is NaN.
    """
    sums = _Sums(examples, levels, season)
    size = max(1, SAMPLE // (examples.horizon * max(1, len(levels))))
    for first in range(0, len(examples), size):
        sums.add(np.arange(first, min(first + size, len(examples))), forecast, quantiles)
    return sums.metrics()


def window_mase(forecast: np.ndarray, examples: WindowExamples, season: int) -> np.ndarray:
    """``(W,)``: the mean ``|e|`` of each window over the naive error of its channel; NaN where that is 0 or unknown."""
    naive = naive_errors(examples.panel, season)[examples.series, examples.channel]
    error = _mean(np.abs(examples.truth() - forecast), axis=1)
    mase: np.ndarray = np.divide(error, naive, out=np.full(len(error), np.nan), where=naive > 0)
    return mase


def naive_errors(panel: Panel, season: int) -> np.ndarray:
    """``(B, C)`` :func:`naive_error` of each channel before its forecasts start."""
    count, width = panel.scale.shape
    return np.array([[naive_error(panel.history(b, c), season) for c in range(width)] for b in range(count)])


def naive_error(history: np.ndarray, season: int) -> float:
    """Mean ``|x[t] - x[t - m]|`` over a history ``(T,)``.

    ``m`` is 1 where the history is no longer than a season, or repeats itself exactly; 0 for a constant or unknown one.
    """
    for m in (season, 1):
        errors = np.abs(history[m:] - history[:-m])
        errors = errors[np.isfinite(errors)]
        if len(errors) and errors.any():
            return float(errors.mean())
    return 0.0


class _Sums:
    """Running sums over windows, per channel of each series where the mean is taken there first."""

    def __init__(self, examples: WindowExamples, levels: Sequence[float], season: int) -> None:
        self.examples, self.levels = examples, np.asarray(levels)
        panel = examples.panel
        self.shape = panel.scale.shape
        self.naive = naive_errors(panel, season).ravel()
        self.deviation = deviations(panel).ravel()
        groups = self.shape[0] * self.shape[1]
        self.per_group = {key: np.zeros(groups) for key in ("count", "absolute", "square", "relative")}
        self.pinball = np.zeros(len(self.levels))
        self.size = self.covered = 0.0

    def add(self, rows: np.ndarray, forecast: np.ndarray, quantiles: np.ndarray) -> None:
        truth, said = self.examples.truth(rows), forecast[rows]
        known = np.isfinite(truth)
        error = np.where(known, truth - said, 0.0)
        size = np.where(known, np.abs(truth) + np.abs(said), 0.0)
        relative = np.divide(200 * np.abs(error), size, out=np.zeros_like(error), where=size > 0)
        group = self.examples.series[rows] * self.shape[1] + self.examples.channel[rows]
        parts = {"count": known, "absolute": np.abs(error), "square": error**2, "relative": relative}
        for key, values in parts.items():
            np.add.at(self.per_group[key], group, values.sum(axis=1, dtype=np.float64))
        below = truth[known][:, None] - quantiles[rows][known]
        self.pinball += np.maximum(self.levels * below, (self.levels - 1) * below).sum(axis=0)
        self.covered += float(((below[:, 0] >= 0) & (below[:, -1] <= 0)).sum())
        self.size += float(np.abs(truth[known]).sum())

    def metrics(self) -> dict[str, float]:
        sums = self.per_group
        count = sums["count"]
        total = count.sum()
        varies = self.deviation > 0
        moves = (self.naive > 0) & (count > 0)
        shrink = np.where(varies, self.deviation, 1.0)
        mse = _ratio(sums["square"].sum(), total)
        return {
            "mase": _average(sums["absolute"][moves] / count[moves] / self.naive[moves]),
            "smape": _average(sums["relative"][count > 0] / count[count > 0]),
            "mae": _ratio(sums["absolute"].sum(), total),
            "rmse": float(np.sqrt(mse)),
            "mse": mse,
            "scaled_mse": _ratio((sums["square"] / shrink**2)[varies].sum(), count[varies].sum()),
            "scaled_mae": _ratio((sums["absolute"] / shrink)[varies].sum(), count[varies].sum()),
            "pinball": _ratio(self.pinball.mean(), total),
            "wql": _ratio(2 * self.pinball.mean(), self.size),
            "coverage": _ratio(self.covered, total),
        }


def deviations(panel: Panel) -> np.ndarray:
    """``(B, C)`` standard deviation of each channel over its training steps; 0 for a constant one."""
    count, width = panel.scale.shape
    found = np.zeros((count, width))
    for b, c in np.ndindex(count, width):
        history = panel.training(b, c)
        history = history[np.isfinite(history)]
        if len(history) and np.ptp(history) > 0:
            found[b, c] = history.std()
    return found


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total: np.ndarray = np.where(known, values, 0.0).sum(axis=axis)
    mean: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count > 0 else float("nan")


def _average(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
