"""Small tables of series for the tests of forecasting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings

DATA = DataSettings()


def table_of(
    *values: Sequence[float] | np.ndarray,
    names: Sequence[str] = (),
    times: Sequence[np.ndarray] = (),
    channels: tuple[str, ...] = (),
) -> Table:
    """One row a series; a one-dimensional one has one channel."""
    matrices = [m if m.ndim == 2 else m[:, None] for m in (np.asarray(v, dtype=np.float64) for v in values)]
    channels = channels or tuple(f"c{i + 1}" for i in range(matrices[0].shape[1]))
    columns = [
        Column("id", Kind.ID, list(names) or [f"S{i + 1}" for i in range(len(matrices))]),
        Column("values", Kind.SERIES, matrices, channels),
    ]
    if times:
        columns.append(Column("date", Kind.TIME, [np.asarray(t).astype("datetime64[ns]") for t in times]))
    return Table({c.name: c for c in columns})


def hours(count: int, start: str = "2024-01-01") -> np.ndarray:
    return np.datetime64(start, "h") + np.arange(count)


def fitted(table: Table, data: DataSettings = DATA, **settings: object) -> Forecast:
    """A task fitted on the training part of a table."""
    task = TaskSettings(**settings)  # type: ignore[arg-type]
    return Forecast.fit(cut(table, data, task).train, data, task)


def wave(count: int, season: int = 12, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    steps = np.arange(count)
    return 10 + 3 * np.sin(2 * np.pi * steps / season) + noise * random.standard_normal(count)


OHLCV = ("Open", "High", "Low", "Close", "Adj Close", "Volume")


def walk(count: int, seed: int = 0, sigma: float = 0.01) -> np.ndarray:
    return 100 * np.exp(sigma * np.random.default_rng(seed).normal(size=count).cumsum())


def bars(count: int, seed: int = 0) -> np.ndarray:
    """Days of prices ``(T, 6)`` as in :data:`OHLCV`; the adjusted close is half the close."""
    random = np.random.default_rng(seed)
    close = walk(count, seed)
    start = np.append(close[0], close[:-1])
    high = np.maximum(start, close) * np.exp(random.exponential(0.004, count))
    low = np.minimum(start, close) * np.exp(-random.exponential(0.004, count))
    volume = random.integers(0, 1000, count).astype(np.float64)
    return np.stack([start, high, low, close, close / 2, volume], axis=1)


def days(count: int) -> np.ndarray:
    return np.datetime64("2020-01-01", "D") + np.arange(count)
