"""Reading rows to predict: the columns of a new file are read as those the model learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import polars as pl

from ostinato.data import from_rows, read
from ostinato.data.frames import SEQUENCE
from ostinato.data.layouts import Layout
from ostinato.data.settings import DataSettings
from ostinato.data.table import MEDIA_KINDS, SEQUENCE_KINDS, Column, Kind, Table
from ostinato.tasks import TASKS, Forecast, TaskSettings

Source = Any
"""A path, or what :func:`ostinato.data.from_rows` takes: a list of sequences, an array, a data frame."""
FREE = frozenset({Kind.SERIES, Kind.TIME, Kind.TAGS})
"""Kinds that the layout gives a column, so that no file can be told to hold them."""


def layout_for(settings: TaskSettings) -> Layout:
    """What a row is for the task that is asked for; more than one step of horizon asks for a forecast."""
    name = settings.name or (Forecast.name if settings.horizon > 1 else "")
    return TASKS[name].reads if name in TASKS else "auto"


def read_like(source: Source, data: DataSettings, kinds: Mapping[str, str], layout: str) -> Table:
    """A file (or a data frame, or a list of sequences) with its columns read as ``kinds`` say.

    A kind is guessed from all cells of a column, and a few rows may look like another one: three surnames that come
    twice are categories, a name of digits is a number. So a column is read again where its guess differs. The target
    may be absent, columns may come in another order, and there may be more of them.

    Args:
        source: a path, or what :func:`ostinato.data.from_rows` takes.
        data: the settings the model was trained with; what splits rows does not matter here.
        kinds: of the columns of the training table.
        layout: what a row of that table was; empty: the file format says.

    Raises:
        DataError: the file is wrong, or a cell cannot be read as its column's kind.
    """
    said = {name: kind for name, kind in data.kinds.items() if name == data.target}
    if isinstance(source, str | Path) and Path(source).is_dir():  # are folders of images films, or classes?
        said |= {name: kind for name, kind in kinds.items() if kind in MEDIA_KINDS}
    heard = {kind for name, kind in kinds.items() if kind in MEDIA_KINDS and name != data.target}
    if isinstance(source, list) and len(heard) == 1:  # names of files are no text
        said |= {SEQUENCE: heard.pop()}
    if layout == "long":  # a few steps may not show which column names the series, nor that the target changes
        said |= dict([one for one in kinds.items() if one[1] == Kind.ID][:1])  # the first column of such a table
        data = data if data.target in kinds else replace(data, target="")
    data = replace(data, kinds=said, rows=0)
    wanted: Layout = layout if layout in get_args(Layout) else "auto"  # type: ignore[assignment]
    table = _read(source, data, wanted)
    pins = {
        column.name: kinds[column.name]
        for column in table
        if kinds.get(column.name, column.kind.value) != column.kind.value
        and not {column.kind, Kind(kinds[column.name])} & FREE
    }
    return _read(source, replace(data, kinds=said | pins), wanted) if pins else table


def layout_of(table: Table) -> str:
    """What the reader took a row of the table for, as its notes tell; empty where the format knows only one."""
    for note in table.notes:
        if note.startswith("layout "):
            return note.removeprefix("layout ").split(":", 1)[0]
    return ""


def named_as(table: Table, kinds: Mapping[str, str], target: str) -> Table:
    """The model's only sequence column under its name: a list of sequences, a file of sound or film, or tokens.

    CoNLL-U calls its tokens ``form`` and CoNLL ``tokens``; a tagger of either reads both.
    """
    inputs = [name for name, kind in kinds.items() if name != target and Kind(kind) in SEQUENCE_KINDS]
    if len(inputs) != 1 or inputs[0] in table.columns:
        return table
    tokens = [c.name for c in table if c.kind == kinds[inputs[0]] == Kind.TOKENS]
    named = [name for name in (SEQUENCE, *MEDIA_KINDS) if name in table.columns and name not in kinds]
    given = named[0] if named else tokens[0] if len(tokens) == 1 else ""
    if not given:
        return table
    columns = {(inputs[0] if c.name == given else c.name): c for c in table}
    renamed = {name: replace(column, name=name) for name, column in columns.items()}
    return replace(table, columns=renamed)


def _read(source: Source, data: DataSettings, layout: Layout) -> Table:
    if isinstance(source, str | Path):
        return read(source, data, layout)
    return from_rows(source, None, data, layout=layout)


def beside(table: Table, frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """The frame with what names a row before it, where it has a row an example."""
    if frame.height != len(table) or "row" in frame.columns:
        return frame
    free = [column for column in table if column.name != target and column.name not in frame.columns]
    named = [column for column in free if column.kind in {"id", "text", "dna"}]
    named = named or [column for column in free if column.kind in MEDIA_KINDS]
    columns = [pl.Series(column.name, _as_text(column), dtype=pl.String) for column in named]
    return pl.DataFrame([*columns, *frame.get_columns()])


def _as_text(column: Column) -> list[str]:
    return [str(value) for value in column.values]
