"""Signals: columns of sound or series, read step by step and side by side, each channel by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ostinato.data.media.sound import read_sound
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

KINDS = frozenset({Kind.AUDIO, Kind.SERIES})


@dataclass(frozen=True)
class Clip:
    """Some samples of a sound file: a value of a column of sound beside whole files.

    Args:
        path: the file.
        start: the first sample.
        stop: the one after the last.
    """

    path: Path
    start: int
    stop: int


@dataclass(frozen=True)
class Signals:
    """The channels of a table, end to end.

    Args:
        names: of the channels: of the columns of sound; of the channels of series.
        values: ``(N, C)`` float64, NaN where missing.
        lengths: ``(rows,)`` steps of each row.
        rate: samples a second; 0: a series.
    """

    names: tuple[str, ...]
    values: np.ndarray
    lengths: np.ndarray
    rate: int = 0

    def take(self, names: Sequence[str]) -> np.ndarray:
        """The channels ``names``, ``(N, len(names))``."""
        return self.values[:, [self.names.index(name) for name in names]]


def channels_of(column: Column) -> tuple[str, ...]:
    """The names of a column's channels: a sound is one channel of the column's name."""
    if column.kind != Kind.SERIES or not len(column):
        return (column.name,)
    width = column.values[0].shape[1]
    single = (column.name,) if width == 1 else tuple(f"{column.name}_{number}" for number in range(width))
    return column.channels or single


def read_signals(table: Table, columns: Sequence[str], rate: int = 0) -> Signals:
    """Columns of one kind side by side.

    Args:
        table: the rows.
        columns: of sound, or of series.
        rate: to which sounds are resampled; 0: the rate of the first file.

    Raises:
        DataError: a sound cannot be read; the signals of a row differ in length; an infinite value.
    """
    rows = []
    for row in range(len(table)):
        parts = []
        for name in columns:
            value, found = _value(table[name], row, rate)
            if table[name].kind == Kind.AUDIO:
                rate = rate or found
            parts.append(value)
        _check(table, columns, row, parts)
        rows.append(np.concatenate(parts, axis=1))
    names = tuple(channel for name in columns for channel in channels_of(table[name]))
    values = np.concatenate(rows) if rows else np.empty((0, len(names)))
    return Signals(names, values, np.array([len(one) for one in rows], dtype=np.int64), rate)


def _value(column: Column, row: int, rate: int) -> tuple[np.ndarray, int]:
    """``(T, C)`` and the samples a second."""
    value = column.values[row]
    if column.kind == Kind.SERIES:
        return np.asarray(value, dtype=np.float64), 0
    path = value.path if isinstance(value, Clip) else value
    samples, found = read_sound(path, rate)
    if isinstance(value, Clip):
        samples = samples[value.start : value.stop]
    return samples.astype(np.float64)[:, None], found


def _check(table: Table, columns: Sequence[str], row: int, parts: Sequence[np.ndarray]) -> None:
    for name, part in zip(columns, parts, strict=True):
        if len(part) != len(parts[0]):
            told = f"{len(part):,} steps, but {len(parts[0]):,} in '{columns[0]}'"
            mend = "what goes in and what comes out have a step for each other: cut the longer one"
            raise DataError(f"{told}; {mend}", path=table.path, row=table.row(row), column=name)
        if np.isinf(part).any():
            step = int(np.flatnonzero(np.isinf(part).any(1))[0]) + 1
            told = f"an infinite value at step {step}; leave it empty where it is missing"
            raise DataError(told, path=table.path, row=table.row(row), column=name)


def cut(table: Table, columns: Sequence[str], rate: int, bounds: Sequence[tuple[float, float]]) -> Iterator[Table]:
    """For each of ``bounds`` (shares, 0 to 1) that part of every row's signals, in time; other columns stay whole."""
    lengths = read_signals(table, columns, rate).lengths
    for low, high in bounds:
        starts, stops = (np.round(lengths * share).astype(int).tolist() for share in (low, high))
        changed = dict(table.columns)
        for name in columns:
            column = table[name]
            values = [
                value[start:stop] if column.kind == Kind.SERIES else Clip(value, start, stop)
                for value, start, stop in zip(column.values, starts, stops, strict=True)
            ]
            changed[name] = Column(name, column.kind, values, column.channels, column.missing)
        yield Table(changed, table.path, table.line_of, table.notes)
