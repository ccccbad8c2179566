"""Wide: each row is a series; a column may name it, another may label it, all others are its steps."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from ostinato.data.cells import Cells, as_text, fresh, is_list, numbers, plural, share_of_numbers
from ostinato.data.kinds import check_overrides, guess
from ostinato.data.layouts.rows import column_of
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_LEAST = 8


def looks_wide(cells: Cells, settings: DataSettings) -> bool:
    """Eight or more consecutively numbered columns beside a name or a label of the row."""
    label, names = _heads(cells, settings)
    steps = [name for name in cells.names if name not in {label, *names}]
    if len(steps) < _LEAST or not (names or label) or settings.time:
        return False
    matches = [_NUMBERED.match(step) for step in steps]
    if not all(matches):
        return False
    parts = [(m.group(1), int(m.group(2))) for m in matches if m]
    if any(p[0] != parts[0][0] for p in parts) or any(b[1] != a[1] + 1 for a, b in pairwise(parts)):
        return False
    return not label or label in names or guess(_only(cells, label), settings)[label].kind is Kind.CATEGORY


def _only(cells: Cells, name: str) -> Cells:
    return Cells(cells[name].to_frame(), cells.lines, cells.path)


def _heads(cells: Cells, settings: DataSettings) -> tuple[str, list[str]]:
    """The column that labels a row (the target, or nothing), and those that name it (id, or leading text)."""
    label = settings.target if settings.target in cells.names else ""
    if settings.id in cells.names:
        return label, [settings.id]
    first = next((name for name in cells.names if name != label), "")
    is_name = (
        bool(first)
        and not is_list(cells[first])
        and as_text(cells[first]).drop_nulls().len() > 0
        and share_of_numbers(cells[first]) == 0.0
    )
    return label, [first] if is_name else []


def read_wide(cells: Cells, settings: DataSettings) -> Table:
    """A table with columns: the name (ID), ``values`` (SERIES, one channel) and the label, if there is one.

    Empty cells at the end of a row are not part of its series; empty cells inside are NaN, and counted in a note.

    Raises:
        DataError: a cell is text or infinite; a row has no values; a name comes twice.
    """
    check_overrides(cells, settings)
    if settings.id and settings.id not in cells.names:
        cells[settings.id]  # raises, with the nearest name
    label, names = _heads(cells, settings)
    steps = [name for name in cells.names if name not in {label, *names}]
    if not steps:
        raise DataError("has no columns of steps: a wide table holds a series in every row", path=cells.path)
    grid = np.stack([numbers(cells, name) for name in steps], axis=1)
    present = ~np.isnan(grid)
    ends = np.where(present.any(axis=1), len(steps) - present[:, ::-1].argmax(axis=1), 0)
    if (ends == 0).any():
        raise cells.fault("this series has no values: remove the row", int(np.argmax(ends == 0)))
    arrays = [grid[row, : ends[row], None].copy() for row in range(len(cells))]
    gaps = sum(int(np.isnan(array).sum()) for array in arrays)
    title = fresh("values", [label, *names])
    head = _name(cells, names[0]) if names else _count(cells, fresh("series", [label, title]))
    columns = {head.name: head, title: Column(title, Kind.SERIES, arrays, (title,))}
    if label:
        columns[label] = column_of(cells, label, guess(_only(cells, label), settings)[label].kind)
    lengths = f"{plural(len(cells), 'series')} of {ends.min():,} to {ends.max():,} steps"
    missing = (f"{gaps:,} of {plural(int(ends.sum()), 'value')} missing inside series",) if gaps else ()
    return Table(columns, cells.path, cells.lines, (*cells.notes, lengths, *missing))


def _name(cells: Cells, name: str) -> Column:
    column = column_of(cells, name, Kind.ID)
    seen: dict[str, int] = {}
    for row, value in enumerate(column.values):
        if value in seen:
            raise cells.fault(f"'{value}' names a series on row {int(cells.lines[seen[value]]):,} already", row, name)
        seen[value] = row
    return column


def _count(cells: Cells, name: str) -> Column:
    return Column(name, Kind.ID, [str(row + 1) for row in range(len(cells))])
