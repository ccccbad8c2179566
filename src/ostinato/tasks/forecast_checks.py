"""Checks: whether settings and series can make a forecast at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.tasks.forecast_series import Layout, Series
from ostinato.tasks.settings import TaskSettings


def check_settings(data: DataSettings, settings: TaskSettings) -> tuple[float, ...]:
    """The levels of the quantiles, ascending.

    Raises:
        UsageError: a setting makes no sense, or two do not fit each other; says how to mend it.
    """
    levels = tuple(sorted(set(settings.quantiles)))
    if 0.5 not in levels or not 0 < levels[0] <= levels[-1] < 1:
        raise UsageError(f"task.quantiles must lie between 0 and 1 and hold 0.5: {settings.quantiles}")
    if settings.conformal and len(levels) < 2:
        raise UsageError("task.conformal moves bands, and task.quantiles asks for none: add 0.1 and 0.9")
    if settings.conformal and not data.valid:
        raise UsageError("task.conformal learns from the validation part: leave data.valid=0 out")
    if settings.horizon < 1:
        raise UsageError(f"task.horizon must be at least 1: {settings.horizon}")
    if not 0 <= settings.costs < 1e4:
        raise UsageError(f"task.costs are basis points, hundredths of a per cent, from 0: {settings.costs:g}")
    for key, value in (("look_back", settings.look_back), ("segment", settings.segment)):
        if value < 0:
            raise UsageError(f"task.{key} cannot be negative: {value}; 0 lets it be chosen")
    for season in seasons_of(settings):
        if season < 0:
            raise UsageError(f"task.season cannot be negative: {season}; 0 lets it be chosen")
    if settings.head == "negative_binomial" and settings.transform != "none":
        raise UsageError("task.head=negative_binomial is for counts, and a logarithm is none: set student_t")
    return levels


def seasons_of(settings: TaskSettings) -> tuple[int, ...]:
    """The seasons that are set, each once, in their order; in Python a single one may be a number."""
    given = (settings.season,) if isinstance(settings.season, int) else settings.season
    return tuple(dict.fromkeys(season for season in given if season))


def lengths_of(series: Sequence[Series], horizon: int, table: Table) -> list[int]:
    """Steps of each series; raises for the first that is too short for a single example."""
    for one in series:
        if len(one) <= horizon:
            raise DataError(
                f"series '{one.name}' has {len(one):,} steps to train on; a horizon of {horizon} needs at least "
                f"{horizon + 1}. Choose a smaller --horizon, or remove the series",
                path=table.path,
            )
    return [len(one) for one in series]


def check_counts(series: Sequence[Series], layout: Layout, table: Table) -> None:
    """Raises for the first value that is no count."""
    for one in series:
        wrong = np.isfinite(one.values) & ((one.values < 0) | (one.values != np.round(one.values)))
        if wrong.any():
            step, channel = (int(place[0]) for place in np.nonzero(wrong))
            raise DataError(
                f"series '{one.name}', step {step + 1:,}: {one.values[step, channel]:g} is no count, and "
                "task.head=negative_binomial needs whole numbers from 0; leave it out, or set task.head=student_t",
                path=table.path,
                row=one.row(step),
                column=layout.targets[channel],
            )
