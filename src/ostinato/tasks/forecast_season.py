"""Season: after how many steps a series repeats itself, from its clock and its autocorrelation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostinato.tasks.forecast_series import Series, fill_forward

TRACKS = 64
"""Channels looked at, evenly spread over all: the season of a thousand series shows in some of them."""
LAGS = 1000
CLEAR, ALIKE, STEEP = 0.3, 0.7, 0.2
"""A season's autocorrelation is at least ``CLEAR``; the shortest one with ``ALIKE`` of the best is taken; one that the
clock suggests must rise at least ``STEEP`` above the lags half as long."""

_DAY = np.timedelta64(1, "D")
_CYCLES = (
    ("hour", np.timedelta64(1, "h")),
    ("day", _DAY),
    ("week", 7 * _DAY),
    ("year", np.timedelta64(8766, "h")),
)


@dataclass(frozen=True)
class Season:
    """``steps`` of one season (1: none) and why."""

    steps: int
    reason: str


def infer_season(series: Sequence[Series]) -> Season:
    """The season of a training part.

    With times, the cycles of the clock (hour, day, week, year) are tried, shortest first, on the autocorrelation
    without the linear trend; without, the peaks of the autocorrelation of the changes ``x[t] - x[t-1]``. Both are
    averages over all channels.
    """
    tracks = _tracks(series)
    longest = max((len(t) for t in tracks), default=0) // 3
    if longest < 2:
        return Season(1, "too short to show a season")
    tracks = [t for t in tracks if len(t) // 3 >= longest // 2]
    most = min(longest, min(len(t) for t in tracks) // 3, LAGS)
    step = steps_apart(series)
    if step is None:
        return _from_peaks(np.mean([autocorrelation(np.diff(t), most) for t in tracks], axis=0))
    return _from_clock(tracks, step)


def steps_apart(series: Sequence[Series]) -> np.timedelta64 | None:
    """The median time between steps; None without times."""
    gaps = [np.diff(s.times[: len(s)]) for s in series if s.times is not None and len(s) > 1]
    if not gaps:
        return None
    return np.timedelta64(int(np.median(np.concatenate(gaps).astype(np.int64))), "ns")


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """``(lags + 1,)``: ``r[k] = Σ z[t] z[t+k] / Σ z[t]²`` of the values less their mean; 0 for a constant."""
    z = values - values.mean()
    power = np.abs(np.fft.rfft(z, 2 * len(z))) ** 2
    products = np.fft.irfft(power)[: lags + 1]
    correlation: np.ndarray = products / products[0] if products[0] > 0 else np.zeros(lags + 1)
    return correlation


def _tracks(series: Sequence[Series]) -> list[np.ndarray]:
    """Some channels of some series, filled, constant ones left out."""
    all_of = [(i, c) for i, s in enumerate(series) for c in range(s.values.shape[1])]
    chosen = [all_of[k] for k in np.unique(np.linspace(0, len(all_of) - 1, min(TRACKS, len(all_of))).astype(int))]
    tracks = [fill_forward(series[i].values[: series[i].ends])[:, c] for i, c in chosen]
    return [t for t in tracks if len(t) > 5 and np.ptp(t) > 0]


def _from_peaks(correlation: np.ndarray) -> Season:
    inner = correlation[2:-1]
    peaks = np.flatnonzero((inner > correlation[1:-2]) & (inner >= correlation[3:]) & (inner >= CLEAR)) + 2
    if not len(peaks):
        return Season(1, "no season in the autocorrelation")
    best = correlation[peaks].max()
    steps = int(peaks[correlation[peaks] >= ALIKE * best][0])
    return Season(steps, f"autocorrelation {correlation[steps]:.2f} at {steps} steps")


def _from_clock(tracks: list[np.ndarray], step: np.timedelta64) -> Season:
    for name, cycle in _CYCLES:
        steps = round(float(cycle / step))
        able = [t for t in tracks if len(t) >= 3 * steps]
        if steps < 2 or not able:
            continue
        correlation = np.mean([autocorrelation(_without_trend(t), steps) for t in able], axis=0)
        dip = correlation[max(1, steps // 3) : max(2, 2 * steps // 3 + 1)].min()
        if correlation[steps] >= CLEAR and correlation[steps] - dip >= STEEP:
            return Season(steps, f"one {name}, autocorrelation {correlation[steps]:.2f}")
    return Season(1, "no cycle of the clock shows in the autocorrelation")


def _without_trend(values: np.ndarray) -> np.ndarray:
    steps = np.arange(len(values))
    trend: np.ndarray = values - np.polyval(np.polyfit(steps, values, 1), steps)
    return trend


def spoken(step: np.timedelta64) -> str:
    """``1 hour``, ``30 minutes``, ``7 days``."""
    seconds = float(step / np.timedelta64(1, "s"))
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{seconds / size:g} {name}{'s' if seconds != size else ''}"
    return f"{seconds:g} seconds"
