"""Series as a detector reads them: what it is told before each step, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ostinato.data.examples import SequenceExamples
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError
from ostinato.sequences import Ragged
from ostinato.tasks.forecast_series import Layout, Series, series_of

LABELS = ("label", "anomaly", "is_anomaly", "anomalous", "outlier", "is_outlier")
"""Names of a channel of 0 and 1 that is taken for the truth without being asked for."""
CLIP = 20.0
"""Values further from the level than so many scales are read as that far."""
WARM = 8
"""Steps at the beginning of a training window that are not learned: the memory fills."""


def with_label(table: Table, data: DataSettings) -> DataSettings:
    """The settings with the channel of labels as target: the one named, or one that is called so and holds 0 and 1."""
    if data.target:
        return data
    channels = list(Layout.of(table, replace(data, inputs=()), ()).targets)
    for name in channels:
        if name.lower() in LABELS and len(channels) > 1:
            rows = series_of(table, data, Layout((name,)))
            values = np.concatenate([one.values[:, 0] for one in rows])
            if np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
                return replace(data, target=name)
    return data


@dataclass(frozen=True)
class Read:
    """One series: ``values`` and ``clipped`` ``(T, C)`` (scaled; NaN where missing), ``times``, ``truth`` ``(T,)``.

    ``judged`` ``(T,)`` says which steps belong to the part; those before them are its past.
    """

    name: str
    values: np.ndarray
    clipped: np.ndarray
    times: np.ndarray | None
    truth: np.ndarray | None
    judged: np.ndarray


def read_series(
    table: Table, data: DataSettings, channels: Sequence[str], level: np.ndarray, scale: np.ndarray
) -> list[Read]:
    """The series of a table, scaled.

    Raises:
        DataError: as :func:`~ostinato.tasks.forecast_series.series_of`; labels that are not 0 and 1.
    """
    known = {name for column in table for name in (column.channels or (column.name,))}
    label = data.target if data.target in known else ""
    layout = Layout(tuple(channels), (label,) if label else ())
    return [_read(one, table, label, level, scale) for one in series_of(table, replace(data, target=""), layout)]


def _read(one: Series, table: Table, label: str, level: np.ndarray, scale: np.ndarray) -> Read:
    truth = None
    if label:
        given = one.seen[:, 0]
        wrong = np.flatnonzero(~np.isnan(given) & ~np.isin(given, (0.0, 1.0)))
        if len(wrong):
            raise DataError(
                f"series '{one.name}', step {wrong[0] + 1:,}: the label is {given[wrong[0]]:g}; a label is 1 where "
                "something is wrong, else 0",
                path=table.path,
                column=label,
            )
        truth = given == 1.0
    judged = np.arange(len(one)) >= (one.start or 0)
    clipped = np.clip((one.values - level) / scale, -CLIP, CLIP)
    return Read(one.name, one.values, clipped, one.times, truth, judged)


@dataclass(frozen=True)
class DetectExamples(SequenceExamples):
    """A series an example; ``read`` are the series, ``told`` whether alarms are asked for (else only the loss is).

    ``inputs`` ``(N, 2 C)`` of step ``t`` are the last value and the change that led to it, ``targets`` ``(N, 2 C)`` the
    change that comes, NaN where it is not to be judged, and the value itself.
    """

    read: tuple[Read, ...] = ()
    told: bool = True


def examples_of(read: Sequence[Read]) -> DetectExamples:
    """The series as tensors."""
    rows = [tensors(one.clipped, one.judged) for one in read]
    lengths = torch.tensor([len(one.clipped) for one in read], dtype=torch.int64)
    inputs, targets = (torch.from_numpy(np.concatenate(part).astype(np.float32)) for part in zip(*rows, strict=True))
    return DetectExamples(Ragged(inputs, lengths), targets=Ragged(targets, lengths), read=tuple(read))


def tensors(values: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets ``(T, 2 C)`` each, of scaled values ``(T, C)``; see :func:`last_of`."""
    last = last_of(values)
    moved = np.diff(last, axis=0, prepend=last[:1])
    change = values - last
    change[:1] = np.nan  # nothing was before it
    change[~judged] = np.nan
    return np.concatenate([last, moved], axis=1), np.concatenate([change, values], axis=1)


def last_of(values: np.ndarray) -> np.ndarray:
    """``(T, C)``: the last value that was there before each step, 0 (the level) before the first."""
    place = np.where(np.isfinite(values), np.arange(1, len(values) + 1)[:, None], 0)
    place = np.concatenate([np.zeros_like(place[:1]), np.maximum.accumulate(place, axis=0)[:-1]])
    last: np.ndarray = np.take_along_axis(np.concatenate([np.zeros_like(values[:1]), values]), place, axis=0)
    return last


def windows(examples: DetectExamples, steps: int) -> DetectExamples:
    """A training part cut into windows of ``steps`` steps, one every eighth of that; short series stay whole."""
    inputs, targets, lengths = [], [], []
    for row in range(len(examples)):
        whole = int(examples.lengths[row])
        size = min(whole, steps)
        for start in (*range(0, whole - size, max(1, size // 8)), whole - size):
            part = slice(start, start + size)
            wanted = examples.targets[row][part].clone()  # type: ignore[index]
            if start:
                wanted[: min(WARM, size // 2), : wanted.shape[1] // 2] = torch.nan
            inputs.append(examples.inputs[row][part])
            targets.append(wanted)
            lengths.append(size)
    shape = torch.tensor(lengths, dtype=torch.int64)
    return DetectExamples(Ragged(torch.cat(inputs), shape), targets=Ragged(torch.cat(targets), shape), told=False)
