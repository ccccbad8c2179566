"""Records: JSON Lines, an object a line; or one JSON array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl

from ostinato.data.cells import Cells, plural, shown
from ostinato.data.layouts import Layout, lay_out
from ostinato.data.objects import Json, column_from
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError


def read_records(source: Source, settings: DataSettings, layout: Layout = "auto") -> Table:
    """JSON Lines: each line an object; or one JSON array of objects.

    A list of strings is tokens, a list of numbers (or of lists of them) a series.

    A key that a line lacks is a missing value.

    Raises:
        DataError: a line is no JSON object, or the values of a key differ in type; it names row, column and value.
    """
    records: list[dict[str, Json]] = []
    lines: list[int] = []
    for number, record in _objects(source):
        records.append(_object(record, number, source))
        lines.append(number)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError("holds objects without keys: there are no columns", path=source.path)
    frame = pl.DataFrame([column_from(name, [r.get(name) for r in records], lines, source.path) for name in names])
    note = f"{plural(len(records), 'row')} of JSON Lines"
    return lay_out(Cells(frame, np.array(lines, dtype=np.int64), source.path, (note,)), settings, layout)


def _objects(source: Source) -> Iterator[tuple[int, Json]]:
    """The lines that are not blank; of a file that is one array, its items, counted from 1."""
    if source.text.lstrip().startswith("["):
        yield from enumerate(_parsed(source.text, 1, source), start=1)
        return
    for number, line in enumerate(source.lines(), start=1):
        if line.strip():
            yield number, _parsed(line, number, source)


def _parsed(text: str, number: int, source: Source) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        told = f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise DataError(f"is no JSON ({told}): write one object a line", path=source.path, row=number) from None


def _object(record: Json, number: int, source: Source) -> dict[str, Json]:
    if not isinstance(record, dict):
        raise DataError(f"is no object: {shown(record)}. Write {{...}} on each line", path=source.path, row=number)
    return record
