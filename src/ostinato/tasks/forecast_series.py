"""Series: a table as named series with channels, whatever shape the file had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, nearest

MOST_LABELS = 64
"""Labels of whole series that are told apart; a column of more of them names the series."""
MARKS = {"start": "forecast from", "every": "forecast every", "trained": "trained until"}
"""Names of the columns that :mod:`ostinato.tasks.forecast_parts` adds, by the field of :class:`Series` they hold."""


@dataclass(frozen=True)
class Series:
    """One series of ``T`` steps, ``T`` up to the last one that may be known (``values`` are NaN where they are not).

    Args:
        name: its id, or a number.
        values: ``(T, C)`` float64, NaN where missing: the channels to forecast.
        seen: ``(T, P)``: channels that help but are known only up to the forecast.
        known: ``(T, K)``: channels known ahead; they may go on where ``values`` end.
        times: ``(T,)`` datetime64[ns], strictly increasing, or None.
        start: first step that is forecast; 0: every step that has enough before it (a training part); None: the step
            after the last observed one.
        every: forecast only every so many steps (a validation part that would cost more than the training).
        trained: first step that was not for training; 0: all before ``start`` were, or none.
        static: what does not change over the series: labels and numbers, ``""`` and NaN where missing.
        lines: ``(T,)``, the row of the file that holds each step, for messages; None where it is not known.
    """

    name: str
    values: np.ndarray
    seen: np.ndarray
    known: np.ndarray
    times: np.ndarray | None = None
    start: int | None = None
    every: int = 1
    trained: int = 0
    static: tuple[str | float, ...] = ()
    lines: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def row(self, step: int) -> int | None:
        """The row of the file that holds a step, for a :class:`~ostinato.errors.DataError`."""
        return None if self.lines is None else int(self.lines[step])

    @cached_property
    def ends(self) -> int:
        """The step after the last one at which any channel to forecast was observed."""
        there = np.flatnonzero(np.isfinite(self.values).any(axis=1))
        return int(there[-1]) + 1 if len(there) else 0


@dataclass(frozen=True)
class Layout:
    """Which channels of a table are forecast, which help, which are known ahead, and what is one for a whole series."""

    targets: tuple[str, ...]
    seen: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table, data: DataSettings, known: Sequence[str]) -> Layout:
        """What the settings say about the channels of ``table``.

        Without a target every channel that is not known ahead is forecast; with one, the other inputs help. Labels and
        numbers of a whole series are static, and so are channels that stay the same over each of several series but
        differ between them.

        Raises:
            DataError: a name that no channel has, or nothing left to forecast.
        """
        rows = _rows(table, data)
        channels = list(rows[0].channels)
        static = [*rows[0].static, *_steady(rows, {data.target, *known})] if len(rows) > 1 else []
        for name in (*filter(None, [data.target]), *data.inputs, *known):
            others = [one for one in (*channels, *static) if one != name]
            if name not in channels and not (name in static and name in data.inputs):
                raise DataError(
                    f"no channel '{name}' to forecast or to learn from.{nearest(name, others)}",
                    path=table.path,
                )
        static = [name for name in static if not data.inputs or name in data.inputs]
        wanted = [c for c in channels if c not in known and c not in static and (not data.inputs or c in data.inputs)]
        targets = [data.target] if data.target else wanted
        if not targets or data.target in known:
            raise DataError("every channel is known ahead, so nothing is left to forecast", path=table.path)
        seen = [c for c in wanted if c != data.target] if data.target else []
        return cls(tuple(targets), tuple(seen), tuple(known), tuple(static))


@dataclass(frozen=True)
class _Row:
    """A series as it stands in the table: all channels ``(T, C)``, and where it began."""

    name: str
    values: np.ndarray
    channels: tuple[str, ...]
    times: np.ndarray | None
    marks: dict[str, int]
    lines: np.ndarray | None
    static: dict[str, str | float] = field(default_factory=dict)

    def row(self, step: int = 0) -> int | None:
        return int(self.lines[step]) if self.lines is not None and len(self.lines) else None


def channels_of(table: Table, data: DataSettings) -> tuple[str, ...]:
    """The names of all channels of a table; raises ``DataError`` as :func:`series_of`."""
    return _rows(table, data)[0].channels


def series_of(table: Table, data: DataSettings, layout: Layout) -> list[Series]:
    """The series of a table, with their channels sorted into roles.

    Raises:
        DataError: no series at all, a channel is absent, times do not increase, a value is infinite, or (with
            ``data.missing = "error"``) missing.
    """
    found = []
    for row in _rows(table, data):
        _check(row, table, data)
        places = {name: i for i, name in enumerate(row.channels)}
        if len(row.channels) == 1 and len(layout.targets) == 1 and not layout.seen and not layout.known:
            places[layout.targets[0]] = 0  # a single channel is the one, whatever its name
        absent = [name for name in (*layout.targets, *layout.seen, *layout.known) if name not in places]
        if absent:
            hint = nearest(absent[0], list(row.channels))
            raise DataError(f"no channel '{absent[0]}', which the model needs.{hint}", path=table.path)
        targets, seen, known = ([places[n] for n in names] for names in (layout.targets, layout.seen, layout.known))
        v, static = row.values, _static(row, layout.static, table)
        roles = (v[:, targets], v[:, seen], v[:, known])
        more: dict[str, Any] = {"static": static, "lines": row.lines, **row.marks}
        found.append(Series(row.name, *roles, row.times, **more))
    return found


def _static(row: _Row, names: Sequence[str], table: Table) -> tuple[str | float, ...]:
    """What a series is throughout; of a channel its first value."""
    found: list[str | float] = []
    for name in names:
        if name in row.static:
            found.append(row.static[name])
        elif name in row.channels:
            values = row.values[:, row.channels.index(name)]
            found.append(float(next((v for v in values if np.isfinite(v)), np.nan)))
        else:
            hint = nearest(name, [*row.static, *row.channels])
            raise DataError(
                f"series '{row.name}' has no '{name}', which the model knows of every series.{hint}",
                path=table.path,
                row=row.row(),
            )
    return tuple(found)


def _steady(rows: Sequence[_Row], but: set[str]) -> list[str]:
    """Channels that are the same over each of several series, and differ between them."""
    found = []
    for place, name in enumerate(rows[0].channels):
        if name in but:
            continue
        firsts = []
        for row in rows:
            column = row.values[:, place] if place < row.values.shape[1] else np.empty(0)
            column = column[np.isfinite(column)]
            if not len(column) or (column != column[0]).any():
                break
            firsts.append(column[0])
        if len(firsts) == len(rows) and len(set(firsts)) > 1:
            found.append(name)
    return found


def to_table(series: Sequence[Series], layout: Layout, table: Table) -> Table:
    """The inverse of :func:`series_of`: one row a series, with :data:`MARKS` where it has a start."""
    channels = (*layout.targets, *layout.seen, *layout.known)
    matrices = [np.concatenate([s.values, s.seen, s.known], axis=1) for s in series]
    columns = [
        Column("series id", Kind.ID, [s.name for s in series]),
        Column("series", Kind.SERIES, matrices, channels),
    ]
    if series and all(s.times is not None for s in series):
        columns.append(Column("time", Kind.TIME, [s.times for s in series]))
    for place, name in enumerate(layout.static):
        columns.append(static_column(name, [one.static[place] for one in series]))
    if series and all(s.start is not None for s in series):
        for field, name in MARKS.items():
            columns.append(Column(name, Kind.NUMBER, np.array([getattr(s, field) for s in series], dtype=np.float64)))
    return Table({c.name: c for c in columns}, table.path, notes=table.notes)


def static_column(name: str, values: Sequence[str | float]) -> Column:
    """Labels or numbers, one a series, as a column."""
    if any(isinstance(value, str) for value in values):
        missing = frozenset(row for row, value in enumerate(values) if value == "")
        return Column(name, Kind.CATEGORY, [str(value) for value in values], (), missing)
    return Column(name, Kind.NUMBER, np.array(values, dtype=np.float64))


def fill_forward(values: np.ndarray, offsets: np.ndarray | None = None) -> np.ndarray:
    """Each missing value of ``(S, C)`` is the last one before it; before the first, the first; 0 if there is none.

    Of several series end to end, which begin at ``offsets`` ``(B + 1,)``, each for itself.
    """
    if not len(values):
        return values
    offsets = np.array([0, len(values)]) if offsets is None else offsets
    begin, end = (np.repeat(edges, np.diff(offsets))[:, None] for edges in (offsets[:-1], offsets[1:]))
    there, place = np.isfinite(values), np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(there, place, -1), axis=0)
    coming = np.minimum.accumulate(np.where(there, place, len(values))[::-1], axis=0)[::-1]
    first = np.take_along_axis(coming, np.broadcast_to(begin, values.shape), axis=0)
    source = np.where(last < begin, first, last)
    filled = np.take_along_axis(values, np.minimum(source, len(values) - 1), axis=0)
    return np.where(source < end, filled, 0.0)


def cut_to(series: Series, stop: int, start: int | None) -> Series:
    """The steps before ``stop``, forecast from ``start``."""
    times = None if series.times is None else series.times[:stop]
    return replace(
        series,
        values=series.values[:stop],
        seen=series.seen[:stop],
        known=series.known[:stop],
        times=times,
        start=start,
        lines=None if series.lines is None else series.lines[:stop],
    )


def _rows(table: Table, data: DataSettings) -> list[_Row]:
    """The series of a table whose rows are series, or whose rows are steps."""
    if not len(table):
        raise DataError("holds no rows, so no series", path=table.path)
    of_series = [c for c in table if c.kind is Kind.SERIES]
    if of_series:
        return _rows_are_series(table, of_series, data)
    return _rows_are_steps(table, data)


def _rows_are_series(table: Table, columns: list[Column], data: DataSettings) -> list[_Row]:
    names = _names(table, data)
    clock = next((c for c in table if c.kind is Kind.TIME), None)
    marks = {field: table[name].values for field, name in MARKS.items() if name in table.columns}
    whole = [c for c in table if c.name not in {data.id, *MARKS.values()} and _is_static(c)]
    channels: list[str] = []
    for column in columns:
        width = _matrix(column.values[0]).shape[1]
        inner = column.channels or tuple(str(i + 1) for i in range(width))
        alone = len(columns) == 1
        channels += [
            n if alone and column.channels else column.name if width == 1 else f"{column.name}.{n}" for n in inner
        ]
    rows = []
    for i in range(len(table)):
        parts = [_matrix(c.values[i]) for c in columns]
        if len({len(p) for p in parts}) > 1:
            sizes = ", ".join(f"'{c.name}' {len(p)}" for c, p in zip(columns, parts, strict=True))
            raise DataError(
                f"series '{names[i]}' has channels of unequal length: {sizes}", path=table.path, row=table.row(i)
            )
        values = np.concatenate(parts, axis=1)
        if values.shape[1] != len(channels):
            raise DataError(
                f"series '{names[i]}' has {values.shape[1]} channels, the first one {len(channels)}",
                path=table.path,
                row=table.row(i),
            )
        times = None if clock is None else np.asarray(clock.values[i]).astype("datetime64[ns]")
        marked = {field: int(numbers[i]) for field, numbers in marks.items()}
        static = {column.name: _of_row(column, i) for column in whole}
        rows.append(_Row(names[i], values, tuple(channels), times, marked, _lines(table, i, len(values)), static))
    return rows


def _lines(table: Table, row: int, steps: int) -> np.ndarray | None:
    """The row of the file that holds each step of a series."""
    if table.line_of_steps:
        return table.line_of_steps[row]
    return np.full(steps, table.line_of[row]) if len(table.line_of) else None


def _is_static(column: Column) -> bool:
    few = column.kind is Kind.CATEGORY and len(set(column.values)) <= MOST_LABELS
    return few or column.kind is Kind.NUMBER


def _of_row(column: Column, row: int) -> str | float:
    """A label, or a number; ``""`` or NaN where it is missing."""
    if column.kind is Kind.CATEGORY:
        return "" if row in column.missing else str(column.values[row])
    return float("nan") if row in column.missing else float(column.values[row])


def _matrix(values: object) -> np.ndarray:
    """``(T, C)`` of ``(T,)`` or ``(T, C)``."""
    matrix = np.asarray(values, dtype=np.float64)
    return matrix[:, None] if matrix.ndim == 1 else matrix


def _rows_are_steps(table: Table, data: DataSettings) -> list[_Row]:
    numbers = [c for c in table if c.kind is Kind.NUMBER and c.name != data.id]
    if not numbers:
        kinds = ", ".join(f"'{c.name}' {c.kind.value}" for c in table)
        raise DataError(f"holds neither a series nor a column of numbers to forecast ({kinds})", path=table.path)
    values = np.stack([np.asarray(c.values, dtype=np.float64) for c in numbers], axis=1)
    channels = tuple(c.name for c in numbers)
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(_names(table, data, single="series")):
        groups.setdefault(name, []).append(i)
    lines = table.line_of if len(table.line_of) else None
    return [
        _Row(name, values[rows], channels, None, {}, None if lines is None else lines[rows])
        for name, rows in groups.items()
    ]


def _names(table: Table, data: DataSettings, single: str = "") -> list[str]:
    """The id of each row; without an id column the row's number, or ``single`` for all."""
    column = table[data.id] if data.id else next((c for c in table if c.kind is Kind.ID), None)
    if column is not None:
        return [str(value) for value in column.values]
    return [single or f"series {i + 1}" for i in range(len(table))]


def _check(row: _Row, table: Table, data: DataSettings) -> None:
    step = _first(np.isinf(row.values).any(axis=1))
    if step is not None:
        channel = row.channels[int(np.isinf(row.values[step]).argmax())]
        raise DataError(
            f"series '{row.name}', step {step + 1:,}: the value is infinite; mend it or leave it empty",
            path=table.path,
            row=row.row(step),
            column=channel,
        )
    step = _first(np.isnan(row.values).any(axis=1)) if data.missing == "error" else None
    if step is not None:
        raise DataError(
            f"series '{row.name}', step {step + 1:,}: the value is missing; data.missing=mask or fill would accept it",
            path=table.path,
            row=row.row(step),
            column=row.channels[int(np.isnan(row.values[step]).argmax())],
        )
    if row.times is None:
        return
    if len(row.times) != len(row.values):
        raise DataError(
            f"series '{row.name}' has {len(row.values):,} values and {len(row.times):,} times",
            path=table.path,
            row=row.row(),
        )
    step = _first(np.diff(row.times) <= np.timedelta64(0))
    if step is not None:
        word = "twice" if row.times[step + 1] == row.times[step] else "after a later one"
        when = np.datetime_as_string(row.times[step + 1], unit="s")
        raise DataError(
            f"series '{row.name}': the time {when} stands {word}; sort the rows by time, one row a time, "
            "or name the column that tells the series apart (--id)",
            path=table.path,
            row=row.row(step + 1),
        )


def _first(flags: np.ndarray) -> int | None:
    return int(flags.argmax()) if flags.any() else None
