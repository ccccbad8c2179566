"""Rows: each row is an example; each column becomes a column of one kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.data import dna
from ostinato.data.cells import Cells, as_text, is_list, numbers, plural, shown
from ostinato.data.kinds import Guess
from ostinato.data.table import Column, Kind, Table
from ostinato.data.times import times
from ostinato.errors import DataError

_SPLIT = re.compile(r"[\s,;]+")


def read_rows(cells: Cells, guesses: dict[str, Guess]) -> Table:
    """A table with a row for every row of ``cells``.

    Raises:
        DataError: a cell does not fit the kind of its column.
    """
    columns = {name: column_of(cells, name, found.kind) for name, found in guesses.items()}
    kinds = tuple(f"{name}: {found.kind.value} ({found.reason})" for name, found in guesses.items())
    return Table(columns, cells.path, cells.lines, cells.notes + kinds + _missing(columns, len(cells)))


def _missing(columns: dict[str, Column], rows: int) -> tuple[str, ...]:
    return tuple(
        f"{c.name}: {len(c.missing):,} of {plural(rows, 'value')} missing" for c in columns.values() if c.missing
    )


def column_of(cells: Cells, name: str, kind: Kind) -> Column:
    """The column ``name`` as ``kind``.

    Raises:
        DataError: a cell is not of that kind; it names row, column and value.
    """
    return _MAKERS[kind](cells, name)


def _column(cells: Cells, name: str, kind: Kind, values: list[object], channels: tuple[str, ...] = ()) -> Column:
    series = cells[name]
    empty = as_text(series).is_null() if not is_list(series) else series.is_null()
    return Column(name, kind, values, channels, frozenset(np.flatnonzero(empty.to_numpy()).tolist()))


def _strings(cells: Cells, name: str) -> list[str]:
    series = cells[name]
    if is_list(series):
        raise DataError("holds lists, not text: read it as tokens, tags or series", path=cells.path, column=name)
    filled: list[str] = as_text(series).fill_null("").to_list()
    return filled


def _text(cells: Cells, name: str) -> Column:
    return _column(cells, name, Kind.TEXT, [*_strings(cells, name)])


def _category(cells: Cells, name: str) -> Column:
    return _column(cells, name, Kind.CATEGORY, [*_strings(cells, name)])


def _id(cells: Cells, name: str) -> Column:
    return _column(cells, name, Kind.ID, [*_strings(cells, name)])


def _dna(cells: Cells, name: str) -> Column:
    sequences = [dna.clean(text) for text in _strings(cells, name)]
    for row, sequence in enumerate(sequences):
        position = dna.unknown(sequence)
        if position is not None:
            raise cells.fault(dna.complaint(sequence, position), row, name)
    return _column(cells, name, Kind.DNA, [*sequences])


def _number(cells: Cells, name: str) -> Column:
    values = numbers(cells, name)
    return Column(name, Kind.NUMBER, values, (), frozenset(np.flatnonzero(np.isnan(values)).tolist()))


def _time(cells: Cells, name: str) -> Column:
    stamps = times(cells, name).values.astype("datetime64[ns]")
    return Column(name, Kind.TIME, [stamps[row : row + 1] for row in range(len(stamps))])


def _media(kind: Kind) -> Callable[[Cells, str], Column]:
    def make(cells: Cells, name: str) -> Column:
        """Files as they are named: from the folder of the table, or by their whole path."""
        folder = cells.path.parent if cells.path else Path()
        paths = [folder / text for text in _strings(cells, name)]
        column = _column(cells, name, kind, [*paths])
        for row, path in enumerate(paths):
            if row not in column.missing and not path.exists():
                raise cells.fault(f"there is no file {path}: names are seen from the folder of this table", row, name)
        return column

    return make


def _lists(kind: Kind) -> Callable[[Cells, str], Column]:
    def make(cells: Cells, name: str) -> Column:
        series = cells[name]
        if is_list(series):
            rows = [[str(word) for word in row] if row is not None else [] for row in series.to_list()]
        else:
            rows = [text.split() for text in _strings(cells, name)]
        return _column(cells, name, kind, [*rows])

    return make


def _series(cells: Cells, name: str) -> Column:
    series = cells[name]
    rows = (
        series.to_list()
        if is_list(series)
        else [_numbers_in(cells, name, r, t) for r, t in enumerate(_strings(cells, name))]
    )
    arrays: list[object] = []
    width = 0
    for row, value in enumerate(rows):
        array = _steps(cells, name, row, value)
        if len(array):
            if width and array.shape[1] != width:
                raise cells.fault(f"has {array.shape[1]} channels, the rows before it {width}", row, name)
            width = array.shape[1]
        arrays.append(array)
    width = width or 1
    arrays = [a if len(a) else np.empty((0, width)) for a in arrays if isinstance(a, np.ndarray)]
    return _column(
        cells, name, Kind.SERIES, arrays, (name,) if width == 1 else tuple(f"{name}_{c}" for c in range(width))
    )


def _steps(cells: Cells, name: str, row: int, value: list[object] | None) -> np.ndarray:
    """One cell as ``(T, C)``: a list of numbers, or a list of the steps' lists of channels."""
    steps = value or []
    if any(isinstance(step, list) for step in steps):
        widths = {len(step) if isinstance(step, list) else -1 for step in steps}
        if len(widths) > 1:
            raise cells.fault("steps differ in their number of channels", row, name)
    array = np.array(steps, dtype=np.float64)
    array = array.reshape(len(steps), -1) if len(steps) else np.empty((0, 1))
    if np.isinf(array).any():
        raise cells.fault("holds an infinite number: no model can learn from it; make it null", row, name)
    return array


def _numbers_in(cells: Cells, name: str, row: int, text: str) -> list[object]:
    """``"1 2.5 3"``, ``"[1, 2.5, 3]"`` or ``"1;2.5;3"`` as numbers; NaN for a blank."""
    words = pl.Series([word for word in _SPLIT.split(text.strip("[]() ")) if word], dtype=pl.String)
    found = words.cast(pl.Float64, strict=False)
    if found.null_count():
        bad = words[int(np.argmax(found.is_null().to_numpy()))]
        raise cells.fault(f"{shown(bad)} is not a number: a series is numbers, as in '1 2.5 3'", row, name)
    return [*found.to_list()]


_MAKERS: dict[Kind, Callable[[Cells, str], Column]] = {
    Kind.TEXT: _text,
    Kind.TOKENS: _lists(Kind.TOKENS),
    Kind.TAGS: _lists(Kind.TAGS),
    Kind.DNA: _dna,
    Kind.SERIES: _series,
    Kind.NUMBER: _number,
    Kind.CATEGORY: _category,
    Kind.AUDIO: _media(Kind.AUDIO),
    Kind.VIDEO: _media(Kind.VIDEO),
    Kind.IMAGE: _media(Kind.IMAGE),
    Kind.MIDI: _media(Kind.MIDI),
    Kind.TIME: _time,
    Kind.ID: _id,
}
