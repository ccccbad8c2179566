"""Covariates known ahead: the user's own columns and the calendar, scaled, over the past and the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ostinato.errors import DataError, intact
from ostinato.tasks.forecast_calendar import calendar, cycles_of, go_on
from ostinato.tasks.forecast_series import Series, fill_forward


@dataclass(frozen=True)
class Covariates:
    """What is known of a step before it comes.

    Args:
        known: the user's columns.
        mean: of each in the training part.
        deviation: of each; 1 for a constant one.
        cycles: of the calendar, see :func:`~ostinato.tasks.forecast_calendar.cycles_of`.
    """

    known: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    cycles: tuple[str, ...]

    @classmethod
    def fit(cls, series: Sequence[Series], known: tuple[str, ...], look_back: int, *, calendar: bool) -> Self:
        """From the training part; ``calendar`` without times gives no cycles."""
        values = np.concatenate([s.known for s in series])
        there = np.isfinite(values)
        for name, column in zip(known, there.T, strict=True):
            if not column.any():
                raise DataError("known ahead, but no value is there; take it out of task.known", column=name)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, values, 0.0).sum(axis=0) / count
        deviation = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=0) / count)
        steady = np.where(deviation > 1e-12 * np.maximum(np.abs(mean), 1e-300), deviation, 1.0)
        timed = calendar and all(s.times is not None for s in series)
        return cls(known, tuple(mean.tolist()), tuple(steady.tolist()), cycles_of(series, look_back) if timed else ())

    @property
    def size(self) -> int:
        """``K``."""
        return len(self.known) + 2 * len(self.cycles)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the covariates, for a person."""
        words = {"hour": "hour of the day", "weekday": "weekday", "yearday": "day of the year"}
        return (*self.known, *(words[c] for c in self.cycles))

    def of(self, series: Series, horizon: int) -> np.ndarray:
        """``(T + horizon, K)`` of one series; NaN where a step is to be forecast and a column known ahead is not there.

        Raises:
            DataError: the calendar is wanted and there are no times.
        """
        total = len(series) + horizon
        return np.concatenate([self._columns(series, total), self._calendar(series, total)], axis=1)

    def _columns(self, series: Series, total: int) -> np.ndarray:
        """Filled forward as far as the series was observed; what it must know to be forecast is known or NaN."""
        if not self.known:
            return np.empty((total, 0))
        values = np.concatenate([series.known, np.full((total - len(series), len(self.known)), np.nan)])
        filled = fill_forward(values)
        if series.start is None:
            filled[series.ends :] = values[series.ends :]
        scaled: np.ndarray = (filled - np.array(self.mean)) / np.array(self.deviation)
        return scaled

    def _calendar(self, series: Series, total: int) -> np.ndarray:
        if not self.cycles:
            return np.empty((total, 0))
        if series.times is None:
            raise DataError(
                f"series '{series.name}' has no times, but the model knows the calendar; add the time column"
            )
        return calendar(np.concatenate([series.times, go_on(series.times, total - len(series.times))]), self.cycles)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        with intact("the covariates of this folder are damaged"):
            return cls(**{key: tuple(value) for key, value in config.items()})
