"""Forecasts as a table that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from ostinato.tasks.base import Outputs
from ostinato.tasks.forecast_calendar import go_on
from ostinato.tasks.forecast_windows import WindowExamples


def forecast_frame(
    outputs: Outputs,
    examples: WindowExamples,
    levels: Sequence[float],
    told: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> pl.DataFrame:
    """One row a step that is forecast.

    Columns: ``series``, ``channel`` (of several), ``time`` (or ``step``; the first of a series is 1), ``forecast``, the
    quantiles ``q0.1`` …, and ``truth`` where it is known.

    Of rolling windows, those are shown that follow each other without overlap, so each step is shown once.

    Args:
        outputs: as a person reads them.
        examples: the windows.
        levels: of the quantiles.
        told: from the truth of ``examples`` to what a person reads.
    """
    rows = _apart(examples)
    shown = examples.select(rows)
    panel, horizon = examples.panel, outputs["forecast"].shape[1]
    names = np.array(panel.names, dtype=object)
    columns: dict[str, object] = {"series": np.repeat(names[shown.series], horizon)}
    if len(panel.channels) > 1:
        columns["channel"] = np.repeat(np.array(panel.channels, dtype=object)[shown.channel], horizon)
    steps = shown.origin[:, None] + np.arange(horizon)
    if all(times is not None for times in panel.times):
        columns["time"] = _times(shown, steps)
    else:
        columns["step"] = steps.ravel() + 1
    columns["forecast"] = outputs["forecast"][rows].ravel()
    for place, level in enumerate(levels):
        columns[f"q{level:g}"] = outputs["quantiles"][rows, :, place].ravel()
    truth = told(shown.truth()).ravel()
    if np.isfinite(truth).any():  # a part of a split; a forecast of what follows may be longer than the horizon
        columns["truth"] = pl.Series(truth).fill_nan(None)
    return pl.DataFrame(columns, schema_overrides={"series": pl.String, "channel": pl.String} if len(rows) else None)


def _apart(examples: WindowExamples) -> np.ndarray:
    """Windows that do not overlap, from the first of each channel on."""
    kept: list[int] = []
    track, stop = (-1, -1), 0
    for row, here in enumerate(zip(examples.series.tolist(), examples.channel.tolist(), strict=True)):
        origin = int(examples.origin[row])
        if here != track or origin >= stop:
            kept.append(row)
            track, stop = here, origin + examples.horizon
    return np.array(kept, dtype=np.int64)


def _times(shown: WindowExamples, steps: np.ndarray) -> np.ndarray:
    found = np.empty(steps.shape, dtype="datetime64[ns]")
    order = np.argsort(shown.series, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(shown.series[order])) + 1) if len(order) else ():
        times = shown.panel.times[shown.series[mine[0]]]
        assert times is not None
        reach = int(steps[mine].max()) + 1
        found[mine] = np.concatenate([times, go_on(times, max(0, reach - len(times)))])[steps[mine]]
    return found.ravel()
