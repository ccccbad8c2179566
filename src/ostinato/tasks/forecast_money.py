"""Money: prices read as logarithms, how far they move, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.tasks.forecast_series import Layout, Series, channels_of

STILL = 1e-4
"""Least volatility of a step, a basis point: a day without a trade has no logarithm."""
SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0)
FAR, NEAR = 8.0, 0.04
"""A split is a change of ``FAR`` usual ones that is within 4 % of such a factor, up or down."""
LONG = 5.0
"""Times the usual distance of two prices, from which on it is a gap."""

_SPELLINGS = {
    "adjclose": "adjclose",
    "adjustedclose": "adjclose",
    "adjusted": "adjclose",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
}


def roles_of(channels: Sequence[str]) -> dict[str, str]:
    """Which channel is ``open``, ``high``, ``low``, ``close``, ``adjclose`` and ``volume``, however it is spelt."""
    plain = {name: re.sub(r"[^a-z]", "", name.lower()) for name in channels}
    return {_SPELLINGS[word]: name for name, word in reversed(plain.items()) if word in _SPELLINGS}


def with_price(table: Table, data: DataSettings, transform: str) -> DataSettings:
    """The settings with the price as the target where none is named: the adjusted close, else the close."""
    if transform == "none" or data.target:
        return data
    roles = roles_of(channels_of(table, data))
    return replace(data, target=roles.get("adjclose", roles.get("close", "")))


@dataclass(frozen=True)
class Transform:
    """How prices become what is forecast.

    ``returns``: ``ln x``, so that a forecast less the last value is the return up to that step; helping channels that
    are positive throughout the training part are read so too, and the volatility of each step is one more.
    ``volatility``: ``ln s``, ``s`` being how far the price moved within a step: ``ln(high / low) / sqrt(4 ln 2)``
    (Parkinson 1980) where these channels help, else ``|ln x[t] / x[t-1]|``; at least :data:`STILL`. The return of each
    step is one more channel.

    Args:
        kind: ``none``, ``returns`` or ``volatility``.
        logged: whether each helping channel is read as its logarithm.
        extremes: places of high and low among the helping channels; empty: they are not there.
        extra: helping channels that are added, 0 or 1.
    """

    kind: str = "none"
    logged: tuple[bool, ...] = ()
    extremes: tuple[int, ...] = ()
    extra: int = 0

    @classmethod
    def fit(cls, kind: str, series: Sequence[Series], layout: Layout) -> Transform:
        """From the training part; raises ``UsageError`` where a volatility has several prices to choose from."""
        if kind == "none":
            return cls()
        if kind == "volatility" and len(layout.targets) > 1:
            raise UsageError("task.transform=volatility needs one price: name it with --target")
        seen = np.concatenate([one.seen for one in series])
        logged = tuple(bool(np.nanmin(column, initial=1.0) > 0) for column in seen.T)
        roles = roles_of(layout.seen)
        there = {"high", "low"} <= roles.keys()
        extremes = tuple(layout.seen.index(roles[name]) for name in ("high", "low")) if there else ()
        return cls(kind, logged, extremes, int(len(layout.targets) == 1))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Transform:
        """From JSON; of an empty one none."""
        if not config:
            return cls()
        return cls(config["kind"], tuple(config["logged"]), tuple(config["extremes"]), config["extra"])

    def of(self, series: Series) -> Series:
        """A series of prices as what is forecast and what helps."""
        if self.kind == "none":
            return series
        prices = _log(series.values)
        moves = np.diff(prices, axis=0, prepend=np.nan)
        swing = self._swing(series, moves)
        seen = np.where(self.logged, _log(series.seen), series.seen) if self.logged else series.seen
        if self.kind == "returns":
            added = swing[:, : self.extra]
            return replace(series, values=prices, seen=np.concatenate([seen, added], axis=1))
        return replace(series, values=_log(np.maximum(swing, STILL)), seen=np.concatenate([seen, moves], axis=1))

    def _swing(self, series: Series, moves: np.ndarray) -> np.ndarray:
        if not self.extremes:
            size: np.ndarray = np.abs(moves)
            return size
        high, low = (_log(series.seen[:, [place]]) for place in self.extremes)
        swing: np.ndarray = (high - low) / (4 * log(2)) ** 0.5
        return swing

    def told(self, values: np.ndarray) -> np.ndarray:
        """What is forecast as a person reads it: a price, a volatility."""
        if self.kind == "none":
            return values
        told: np.ndarray = np.exp(values)
        return told


def check_prices(series: Sequence[Series], layout: Layout, path: Path | str | None) -> None:
    """Raises ``DataError`` for the first price that is not above 0, or a high below its low."""
    roles = {role: layout.seen.index(name) for role, name in roles_of(layout.seen).items()}
    for one in series:
        columns = [(name, one.values[:, place]) for place, name in enumerate(layout.targets)]
        columns += [(layout.seen[p], one.seen[:, p]) for role, p in roles.items() if role != "volume"]
        for name, values in columns:
            wrong = np.flatnonzero(values <= 0)
            if len(wrong):
                raise DataError(
                    f"{_place(one, int(wrong[0]))}: the price is {values[wrong[0]]:g}, and a return needs prices above "
                    "0; leave the cell empty where there was no trade",
                    path=path,
                    row=one.row(int(wrong[0])),
                    column=name,
                )
        if {"high", "low"} <= roles.keys():
            high, low = one.seen[:, roles["high"]], one.seen[:, roles["low"]]
            wrong = np.flatnonzero(high < low)
            if len(wrong):
                raise DataError(
                    f"{_place(one, int(wrong[0]))}: the high {high[wrong[0]]:g} is below the low {low[wrong[0]]:g}; "
                    "mend the row, or name the columns so that they are not taken for these",
                    path=path,
                    row=one.row(int(wrong[0])),
                    column=layout.seen[roles["high"]],
                )


def price_notes(series: Sequence[Series], layout: Layout) -> tuple[str, ...]:
    """What looks like a split that was not adjusted for, and the longest time without a price."""
    adjusted = roles_of(layout.seen).get("adjclose")
    mend = f"--target {adjusted}" if adjusted else "adjusted prices"
    splits: list[str] = []
    gaps: list[tuple[float, str]] = []
    for one in series:
        for place, name in enumerate(layout.targets):
            known = np.flatnonzero(np.isfinite(one.values[:, place]))
            splits += [
                f"{_row(one, int(known[at + 1]))}{_place(one, int(known[at + 1]))}: {name} goes from "
                f"{one.values[known[at], place]:g} to {one.values[known[at + 1], place]:g}, as a split of {factor:g} "
                "would"
                for at, factor in _splits(one.values[known, place])
            ]
        gaps += _longest(one)
    notes = [f"{splits[0]} ({len(splits)} in all); use {mend}"] if splits else []
    return (*notes, *([max(gaps)[1]] if gaps else []))


def _splits(prices: np.ndarray) -> list[tuple[int, float]]:
    """Where a price changes by the factor of a split, and that factor."""
    moves = np.diff(_log(prices))
    usual = 1.4826 * np.median(np.abs(moves)) if len(moves) else 0.0
    found = []
    for at in np.flatnonzero(np.abs(moves) > max(FAR * usual, log(SPLITS[0]) - NEAR)):
        factor = min(SPLITS, key=lambda one: abs(log(one) - abs(moves[at])))
        if abs(log(factor) - abs(moves[at])) < NEAR:
            found.append((int(at), factor))
    return found


def _longest(series: Series) -> list[tuple[float, str]]:
    if series.times is None or len(series) < 3:
        return []
    apart = np.diff(series.times) / np.timedelta64(1, "D")
    at = int(apart.argmax())
    if apart[at] < LONG * np.median(apart):
        return []
    first, last = (np.datetime_as_string(series.times[k], unit="D") for k in (at, at + 1))
    told = f"{_row(series, at + 1)}series '{series.name}': no price between {first} and {last} ({apart[at]:.0f} days)"
    return [(float(apart[at]), told)]


def _row(series: Series, step: int) -> str:
    row = series.row(step)
    return "" if row is None else f"row {row:,}: "


def _place(series: Series, step: int) -> str:
    when = "" if series.times is None else f", {np.datetime_as_string(series.times[step], unit='m')}"
    return f"series '{series.name}', step {step + 1:,}{when.removesuffix('T00:00')}"


def _log(values: np.ndarray) -> np.ndarray:
    """``ln x``; NaN where there is none."""
    positive = np.where(values > 0, values, np.nan)
    logarithm: np.ndarray = np.log(positive)
    return logarithm
