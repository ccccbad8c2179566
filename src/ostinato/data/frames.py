"""Frames: from Python objects (lists, arrays, tensors, any data frame) to a table of typed columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from ostinato.data.cells import Cells, plural, share_of_numbers, shown
from ostinato.data.kinds import guess
from ostinato.data.layouts import Layout, lay_out
from ostinato.data.layouts.rows import column_of
from ostinato.data.objects import column_from
from ostinato.data.settings import DataSettings
from ostinato.data.table import SEQUENCE_KINDS, Column, Kind, Table
from ostinato.errors import DataError

Thing = Any
"""What people pass to ``fit``: lists, arrays, tensors, series and frames of any library."""
SEQUENCE = "sequence"
"""The name of the input column where ``X`` has none."""
TARGET = "target"
"""The name of ``y`` where the settings name no target."""


def from_rows(
    X: Thing,
    y: Thing = None,
    settings: DataSettings | None = None,
    *,
    layout: Layout = "auto",
    target_kind: Kind | None = None,
) -> Table:
    """Python objects as a table.

    Args:
        X: a list of strings (TEXT, or DNA where it is nothing else); a list of lists of strings (TOKENS); a list of
            arrays ``(T,)`` or ``(T, C)``, an array or tensor ``(n, T, C)``, or ``(n, T)`` for one channel (SERIES); or
            a data frame (pandas, polars, pyarrow and whatever narwhals knows) with a column a column. In a data frame
            whose columns are all numbers each row is a series, if there is a ``y``; without one the rows are steps.
        y: a label, a number or (for tokens) a list of tags a row; ``None`` and NaN are missing (rows to predict).
        settings: kinds, target, id and time, as for :func:`ostinato.data.read`.
        layout: what a row of a data frame is.
        target_kind: reads ``y`` as this kind (whole numbers are categories where they repeat, numbers otherwise).

    Returns:
        A table with the columns of the data frame, or one column ``sequence``, and ``target`` (or ``settings.target``).
        Rows count from 1 in messages.

    Raises:
        DataError: lengths differ, a value is infinite or no number, ``X`` is empty or of no type above.
    """
    settings = settings or DataSettings()
    target = settings.target or TARGET
    frame = nw.from_native(X, pass_through=True, eager_only=True, allow_series=True)
    if isinstance(frame, nw.DataFrame):
        table = _from_frame(frame, settings, layout, labelled=y is not None)
    else:
        column = _sequences(frame, settings)
        table = Table({SEQUENCE: column}, None, _rows(len(column)))
    if y is None:
        return table
    if target in table.columns:
        raise DataError(f"y would replace the column '{target}' of X: leave it out of X, or do not pass y")
    answers = _target(y, target, table, target_kind or _kind_of(settings, target))
    return Table({**table.columns, target: answers}, None, table.line_of, table.notes)


def _kind_of(settings: DataSettings, name: str) -> Kind | None:
    return Kind(settings.kinds[name]) if name in settings.kinds else None


def _rows(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.int64)


def _from_frame(frame: nw.DataFrame[Any], settings: DataSettings, layout: Layout, *, labelled: bool) -> Table:
    if not frame.shape[0] or not frame.shape[1]:
        raise DataError(f"X has {plural(frame.shape[0], 'row')} and {plural(frame.shape[1], 'column')}")
    columns = [_plain(str(name), frame[:, place]) for place, name in enumerate(frame.columns)]
    cells = Cells(pl.DataFrame(columns), _rows(frame.shape[0]))
    if layout == "auto" and labelled:
        return _examples(cells, settings)
    return lay_out(cells, settings, layout)


def _examples(cells: Cells, settings: DataSettings) -> Table:
    """A row an example: as it stands where a cell holds a sequence, as a series where all cells are numbers."""
    kinds = {found.kind for found in guess(cells, settings).values()}
    all_numbers = all(share_of_numbers(cells[name]) == 1.0 for name in cells.names)
    return lay_out(cells, settings, "wide" if all_numbers and not kinds & SEQUENCE_KINDS else "rows")


def _plain(name: str, series: nw.Series[Any]) -> pl.Series:
    """A column of any library as a polars one."""
    if series.dtype.is_numeric():
        return pl.Series(name, series.cast(nw.Float64).to_list() if series.is_null().any() else series.to_numpy())
    if series.dtype in (nw.Datetime, nw.Date):
        return pl.Series(name, series.to_list())
    if series.dtype in (nw.Categorical, nw.Enum):
        series = series.cast(nw.String)
    values = [_value(value) for value in series.to_list()]
    return column_from(name, values, list(range(1, len(values) + 1)))


def _value(value: Thing) -> Thing:
    """A cell without arrays, tensors and the many ways to say "missing"."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _sequences(X: Thing, settings: DataSettings) -> Column:
    """``X`` that is no data frame, as one column."""
    if isinstance(X, nw.Series):
        X = X.to_list()
    if isinstance(X, str | bytes | Mapping) or not isinstance(X, Iterable):
        raise DataError(f"X is a {type(X).__name__}: pass a list of sequences, an array or a data frame")
    if hasattr(X, "ndim") and hasattr(X, "dtype"):
        X = _array(X)
    rows = list(X)
    if not rows:
        raise DataError("X is empty: it needs at least one sequence")
    if all(isinstance(row, str) for row in rows):
        return _strings([str(row) for row in rows], settings)
    if any(isinstance(row, str) or row is None for row in rows):
        odd = next(k for k, row in enumerate(rows) if isinstance(row, str) != isinstance(rows[0], str) or row is None)
        raise DataError(f"{shown(rows[odd])} is of another type than the rows before it", row=odd + 1)
    if all(isinstance(row, Sequence) and all(isinstance(token, str) for token in row) for row in rows):
        kind = _kind_of(settings, SEQUENCE) or Kind.TOKENS
        return Column(SEQUENCE, kind, [[str(token) for token in row] for row in rows])
    return _series(rows)


def _strings(rows: list[str], settings: DataSettings) -> Column:
    cells = Cells(pl.DataFrame({SEQUENCE: rows}, schema={SEQUENCE: pl.String}), _rows(len(rows)))
    dna = guess(cells, DataSettings())[SEQUENCE].kind is Kind.DNA
    kind = _kind_of(settings, SEQUENCE) or (Kind.DNA if dna else Kind.TEXT)
    return Column(SEQUENCE, Kind.TEXT, rows) if kind is Kind.TEXT else column_of(cells, SEQUENCE, kind)


def _array(X: Thing) -> Thing:
    """An array or tensor as rows: ``(n, T)`` and ``(n, T, C)`` are series; strings and objects are taken one by one."""
    array = _numpy(X)
    if array.dtype.kind in "OUST":
        return array.tolist() if array.ndim == 1 else [list(row) for row in array]
    if array.ndim not in (2, 3):
        raise DataError(
            f"X has {plural(array.ndim, 'dimension')}, and an array of series has two (n, T) or three (n, T, C). "
            "Reshape your data: a single series is X[None]"
        )
    return array[:, :, None] if array.ndim == 2 else array


def _numpy(X: Thing) -> np.ndarray:
    """An array as it is; a tensor without its gradient, from any device."""
    if hasattr(X, "detach"):
        X = X.detach().cpu()
    return np.asarray(X)


def _series(rows: list[Any]) -> Column:
    """Arrays ``(T,)`` or ``(T, C)``, all with the same number of channels."""
    arrays: list[np.ndarray] = []
    for number, row in enumerate(rows, start=1):
        array = _steps(row, number)
        if arrays and array.shape[1] != arrays[0].shape[1]:
            told = f"has {plural(array.shape[1], 'channel')}, the first sequence {arrays[0].shape[1]}"
            raise DataError(told, row=number)
        arrays.append(array)
    channels = arrays[0].shape[1]
    names = (SEQUENCE,) if channels == 1 else tuple(f"channel_{c + 1}" for c in range(channels))
    return Column(SEQUENCE, Kind.SERIES, arrays, names)


def _steps(row: Thing, number: int) -> np.ndarray:
    try:
        raw = _numpy(row)
        if raw.dtype.kind == "c":
            raise DataError("Complex data not supported: pass real and imaginary parts as two channels", row=number)
        array = raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"is no sequence of numbers or strings ({error})", row=number) from None
    if array.ndim not in (1, 2):
        raise DataError(f"has {plural(array.ndim, 'dimension')}: a series is (T,) or (T, C)", row=number)
    if np.isinf(array).any():
        raise DataError("holds an infinite value (inf): no model can learn from it; write NaN for missing", row=number)
    return array[:, None] if array.ndim == 1 else array


def _target(y: Thing, name: str, table: Table, kind: Kind | None) -> Column:
    """``y`` as a column as long as the table."""
    native = nw.from_native(y, pass_through=True, eager_only=True, allow_series=True)
    if isinstance(native, nw.DataFrame):
        raise DataError("y is a data frame: pass one column of it")
    if isinstance(native, nw.Series):
        values = native.to_list()
    elif hasattr(native, "ndim") and hasattr(native, "dtype"):
        array = _numpy(native)
        values = (array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array).tolist()
    else:
        values = list(native)
    if not isinstance(values, list) or len(values) != len(table):
        raise DataError(f"X has {plural(len(table), 'row')} and y has {len(values):,}: they must be as many")
    values = [_value(value) for value in values]
    if any(isinstance(value, list) for value in values):
        return _tags(values, name, table)
    lines = list(range(1, len(values) + 1))
    cells = Cells(column_from(name, values, lines).to_frame(), _rows(len(values)))
    return column_of(cells, name, kind or guess(cells, DataSettings(target=name))[name].kind)


def _tags(values: list[Any], name: str, table: Table) -> Column:
    """A list of tags a row, as many as the row has tokens."""
    rows = [[str(tag) for tag in value] if value is not None else [] for value in values]
    missing = frozenset(k for k, value in enumerate(values) if value is None)
    sequence = next((column for column in table if column.kind in SEQUENCE_KINDS), None)
    for number, row in enumerate(rows):
        steps = len(sequence.values[number]) if sequence is not None else len(row)
        if number not in missing and len(row) != steps:
            told = f"has {plural(len(row), 'tag')} for {plural(steps, 'step')}: each step needs one"
            raise DataError(told, row=number + 1, column=name)
    return Column(name, Kind.TAGS, rows, (), missing)
