"""Delimited: CSV and TSV, and what people call CSV."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

from ostinato.data.cells import Cells, plural, share_of_numbers
from ostinato.data.layouts import OPEN, Layout, lay_out
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_SAMPLE = 50


@dataclass(frozen=True)
class Records:
    """The fields of every line that is not blank, and the line on which each record begins."""

    rows: list[list[str]]
    lines: list[int]


def read_delimited(source: Source, settings: DataSettings, layout: Layout = "auto") -> Table:
    """CSV or TSV: comma, tab, semicolon or bar (the most regular one), quoted fields, with or without a header.

    Spaces after a separator are not part of a field; blank lines are skipped (in a file of one column they are missing
    values). Rows may end early only where each row is a series (layout ``wide``).

    Raises:
        DataError: a wrong number of fields, a quote that is never closed, only a header, or what the layout refuses.
    """
    return lay_out(read_cells(source, settings, layout), settings, layout)


def read_cells(source: Source, settings: DataSettings, layout: Layout = "auto") -> Cells:
    """The file as columns of strings; see :func:`read_delimited`."""
    separator = sniff_separator(source.lines()[:_SAMPLE], source.suffix)
    records = _parse(source, separator)
    if not records.rows:
        raise DataError("holds no rows, only blank lines and quotes", path=source.path)
    header, reason = _has_header(records.rows, settings)
    names = _names(records.rows[0], source) if header else [f"column_{c + 1}" for c in range(_width(records.rows))]
    rows, lines = (records.rows[1:], records.lines[1:]) if header else (records.rows, records.lines)
    if not rows:
        raise DataError("holds only a header: there are no rows", path=source.path)
    ends = _even(rows, lines, len(names), source, layout)
    columns = zip(names, zip(*rows, strict=True), strict=True)
    frame = pl.DataFrame([pl.Series(name, cells, dtype=pl.String).str.strip_chars() for name, cells in columns])
    first = "first row is the header" if header else "no header: columns are column_1, column_2, …"
    note = f"{plural(len(rows), 'row')}, separated by {SEPARATORS[separator]}; {first} ({reason})"
    return Cells(frame, np.array(lines, dtype=np.int64), source.path, (note,), header, ends)


def sniff_separator(lines: list[str], suffix: str = "") -> str:
    """The separator that cuts most of ``lines`` into the same number of fields; of equals, the one with most fields."""
    best, best_score = "\t" if suffix == ".tsv" else ",", (0.0, 0)
    for separator in SEPARATORS:
        counts = Counter(_outside_quotes(line, separator) for line in lines if line.strip())
        fields, times = counts.most_common(1)[0] if counts else (0, 0)
        score = (times / max(1, counts.total()), fields)
        if fields and score > best_score:
            best, best_score = separator, score
    return best


def _outside_quotes(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])


def _parse(source: Source, separator: str) -> Records:
    lines = source.lines()
    rows: list[list[str]] = []
    starts: list[int] = []
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(source.text) + 1))
    start = 0
    try:
        reader = csv.reader((line + "\n" for line in lines), delimiter=separator, skipinitialspace=True, strict=True)
        for row in reader:
            rows.append(row or [""])
            starts.append(start + 1)
            start = reader.line_num
    except csv.Error as error:
        what = {"unexpected end of data": "a quote opens here and is never closed"}.get(str(error), str(error))
        raise DataError(f"{what}: mend the quotes", path=source.path, row=start + 1) from None
    finally:
        csv.field_size_limit(limit)
    return _without_blank(Records(rows, starts))


def _without_blank(records: Records) -> Records:
    """Without blank lines; in a single column they are missing values, except at the end."""
    rows, lines = records.rows, records.lines
    while rows and rows[-1] == [""]:
        rows, lines = rows[:-1], lines[:-1]
    if _width(rows) == 1:
        return Records(rows, lines)
    if [""] not in rows:
        return Records(rows, lines)
    kept = [(row, line) for row, line in zip(rows, lines, strict=True) if row != [""]]
    return Records([row for row, _ in kept], [line for _, line in kept])


def _width(rows: list[list[str]]) -> int:
    return max((len(row) for row in rows), default=0)


def _even(rows: list[list[str]], lines: list[int], width: int, source: Source, layout: Layout) -> bool:
    """Fills rows that end early with blanks where that may be (each row a series); says whether there were any.

    Raises:
        DataError: a row has too many fields, or too few for a table whose rows are no series.
    """
    odd = [k for k, row in enumerate(rows) if len(row) != width]
    if not odd:
        return False
    likely = layout in OPEN and width > 8 and sum(_is_series(rows[k], width) for k in odd) * 2 > len(odd)
    for k in odd:
        if len(rows[k]) > width or not (likely or layout == "wide"):
            raise DataError(
                f"has {plural(len(rows[k]), 'field')}, the first row has {width}: quote fields that hold the "
                "separator, or add the missing ones",
                path=source.path,
                row=lines[k],
            )
        rows[k] += [""] * (width - len(rows[k]))
    return True


def _is_series(row: list[str], width: int) -> bool:
    return len(row) < width and share_of_numbers(pl.Series(row[1:], dtype=pl.String)) == 1.0


def _names(first: list[str], source: Source) -> list[str]:
    names = [name.strip() or f"column_{c + 1}" for c, name in enumerate(first)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError("two columns have this name: rename one", path=source.path, row=1, column=twice[0])
    return names


def _has_header(rows: list[list[str]], settings: DataSettings) -> tuple[bool, str]:
    """Whether the first row names the columns, and why."""
    first, body = [name.strip() for name in rows[0]], rows[1 : 1 + 1000]
    spoken = {settings.target, settings.id, settings.time, *settings.inputs, *settings.kinds} - {""}
    if spoken & set(first):
        return True, f"it holds '{min(spoken & set(first))}'"
    columns = [[row[c] for row in body if c < len(row)] for c in range(len(first))]
    rules = (
        (_is_count(first) and bool(body) and not _is_count(body[0]), True, "it counts the columns"),
        (any(map(_is_number, first)), False, "the first row holds numbers"),
        (len(set(first)) < len(first), False, "names would repeat"),
        (any(sum(map(_is_number, c)) * 2 > len(c) > 0 for c in columns), True, "there are numbers below it"),
        (any(name in c for name, c in zip(first, columns, strict=True)), False, "its values come again below"),
    )
    return next(((header, why) for fits, header, why in rules if fits), (True, "its values are found nowhere below"))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_count(fields: list[str]) -> bool:
    """``0, 1, 2, …`` or ``1, 2, 3, …``, three at least: two numbers could be anything."""
    expected = [[str(k + start) for k in range(len(fields))] for start in (0, 1)]
    return len(fields) > 2 and fields in expected
