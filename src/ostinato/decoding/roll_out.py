"""Roll-out: forecasts beyond the horizon a model was trained for, each block fed back as if it had happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.tasks.base import Outputs
from ostinato.tasks.forecast_calendar import go_on
from ostinato.tasks.forecast_series import Series
from ostinato.tasks.forecast_windows import WindowExamples

if TYPE_CHECKING:
    from ostinato.tasks.forecast import Forecast

BATCH = 1024
STEPS = 1 << 22
"""Steps of history held at once, over all paths."""


def roll_out(
    model: nn.Module, task: Forecast, table: Table, horizon: int = 0, *, paths: int = 100, seed: int = 0
) -> Outputs:
    """Forecasts what follows each series of a table, as far as wanted.

    Up to the horizon of the training it is the model's own answer. Beyond, block after block is forecast, each as if
    the blocks before had happened (``task.decode = "rollout"``: a block is one segment, so the paths part earlier):

    - with ``paths``, each path draws one level ``u`` a block and goes on from the quantile ``u`` of the forecast; the
      quantiles at a step are those over all paths, so uncertainty adds up along the way;
    - with ``paths = 0``, the forecast 0.5 is fed back, and quantiles are those of each block alone: too narrow after
      the first.

    A model of a distribution (``task.head``) knows every quantile. Between and beyond the quantiles of another the one
    of level ``u`` is interpolated linearly in ``Φ⁻¹(u)``, which is exact for a normal distribution.

    Args:
        model: of this task; it stays where it is, in the mode it is.
        task: fitted.
        table: histories, as a reader gives them, of any length, also of series never seen.
        horizon: steps to forecast; 0: the horizon of the training.
        paths: how many; no more than one is drawn where the model gives the quantile 0.5 alone.
        seed: of the levels drawn.

    Returns:
        ``forecast`` ``(W, horizon)`` and ``quantiles`` ``(W, horizon, Q)``, in the order of ``task.examples(table)``:
        series by series, channel by channel; as a person reads them.

    Raises:
        DataError: a series holds no value; covariates known ahead do not reach to the end of the horizon.
        UsageError: a negative number of steps or paths.
    """
    wanted = horizon or task.horizon
    if wanted < 1 or paths < 0:
        raise UsageError(
            f"a roll-out needs a horizon of at least 1 and no negative number of paths: {horizon}, {paths}"
        )
    path = table.path
    block = task.segment if task.decode == "rollout" and paths else task.horizon
    series = [_reaching(s, wanted, task, path) for s in task.series(table)]
    if wanted <= block:
        return task.told(_cut(_run(model, task, task.windows(series, table)), wanted))
    if task.transform.kind == "volatility":
        raise UsageError(
            f"a volatility is no price that could be fed back: ask for at most {task.horizon} steps, or train with a "
            "longer --horizon"
        )
    copies = paths if paths and task.answers.size > 1 else 1
    random = np.random.default_rng(seed)
    groups = [
        _walk(model, task, group, wanted, block, copies, random if paths else None)
        for group in _groups(series, copies, wanted)
    ]
    return {key: np.concatenate([group[key] for group in groups]) for key in groups[0]}


def _walk(
    model: nn.Module,
    task: Forecast,
    series: Sequence[Series],
    wanted: int,
    block: int,
    copies: int,
    random: np.random.Generator | None,
) -> Outputs:
    """Some series to the end of the horizon, ``copies`` paths of each."""
    width, room = len(task.layout.targets), -(-wanted // block) * block
    series = [_stretched(one, one.ends + room) for one in series]
    walkers = [one for one in series for _ in range(copies)]
    values: list[np.ndarray] = []
    quantiles: list[np.ndarray] = []
    for _ in range(room // block):
        levels = _levels(len(series), copies, width, random) if copies > 1 and random is not None else None
        said = task.told(_cut(_run(model, task, task.windows(walkers), levels), block))
        chosen = said["forecast" if levels is None else "drawn"]
        values.append(chosen.reshape(len(series), copies, width, block))
        quantiles.append(said["quantiles"].reshape(len(series), copies, width, block, -1)[:, 0])
        steps = chosen.reshape(len(walkers), width, block).transpose(0, 2, 1)
        walkers = [_longer(one, more) for one, more in zip(walkers, steps, strict=True)]
    answer = np.concatenate(quantiles, axis=2)
    if copies > 1:
        paths = np.concatenate(values[1:], axis=3)
        over_paths = np.quantile(paths, task.quantiles, axis=1)
        answer = np.concatenate([quantiles[0], np.moveaxis(over_paths, 0, -1)], axis=2)
    answer = answer[:, :, :wanted].reshape(len(series) * width, wanted, -1)
    return {"forecast": answer[..., task.quantiles.index(0.5)].copy(), "quantiles": answer}


def _levels(count: int, copies: int, width: int, random: np.random.Generator) -> np.ndarray:
    """A level in (0, 1) for every path and channel, in the order of the windows; each series has them evenly spread."""
    places = random.permuted(np.tile(np.arange(copies), (count * width, 1)), axis=1)
    levels = (places + random.uniform(size=places.shape)) / copies
    levels = np.clip(levels, 1e-6, 1 - 1e-6).reshape(count, width, copies)
    return levels.transpose(0, 2, 1).reshape(-1)


def _run(model: nn.Module, task: Forecast, examples: WindowExamples, levels: np.ndarray | None = None) -> Outputs:
    """Forecasts of windows, and with ``levels`` ``(W,)`` the quantile of that level of each: ``drawn``."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            parts = []
            for index in torch.split(torch.arange(len(examples)), BATCH):
                batch = examples.take(index).to(device)
                output = model(batch)[0]
                parts.append(task.outputs(output, batch))
                if levels is not None:
                    parts[-1]["drawn"] = task.drawn(output, batch, levels[index.numpy()])
    finally:
        model.train(training)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _cut(outputs: Outputs, horizon: int) -> Outputs:
    return {key: values[:, :horizon] for key, values in outputs.items()}


def _reaching(series: Series, horizon: int, task: Forecast, path: object) -> Series:
    """A history with what is known ahead to the end of the horizon, and a whole last block of it."""
    series = replace(series, start=None, trained=0)
    ahead = series.known[series.ends : series.ends + horizon]
    lacking = horizon - int(np.isfinite(ahead).all(axis=1).sum()) if task.layout.known else 0
    if lacking:
        raise DataError(
            f"series '{series.name}': {lacking} of the {horizon} steps to forecast lack {', '.join(task.layout.known)}"
            ", which the model must know ahead; add rows with these values and no target",
            path=str(path) if path else None,
        )
    return _stretched(series, series.ends + horizon + 2 * task.horizon) if task.layout.known else series


def _stretched(series: Series, length: int) -> Series:
    """At least ``length`` steps: no values, times that go on, covariates that stay."""
    more = length - len(series)
    if more <= 0:
        return series
    times = series.times
    return replace(
        series,
        values=np.concatenate([series.values, np.full((more, series.values.shape[1]), np.nan)]),
        seen=np.concatenate([series.seen, np.full((more, series.seen.shape[1]), np.nan)]),
        known=np.concatenate([series.known, np.repeat(series.known[-1:], more, axis=0)]),
        times=None if times is None else np.concatenate([times, go_on(times, more)]),
    )


def _longer(series: Series, more: np.ndarray) -> Series:
    """The series after ``more`` ``(n, C)`` has happened, for which it has room."""
    values = series.values.copy()
    values[series.ends : series.ends + len(more)] = more
    return replace(series, values=values)


def _groups(series: Sequence[Series], copies: int, wanted: int) -> Iterator[Sequence[Series]]:
    """Series that are walked together, so that all their paths fit into memory."""
    start = steps = 0
    for stop, one in enumerate(series):
        size = copies * (len(one) + wanted) * one.values.shape[1]
        if stop > start and steps + size > STEPS:
            yield series[start:stop]
            start, steps = stop, 0
        steps += size
    yield series[start:]
