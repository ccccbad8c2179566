"""Layouts: what a row of a table is: an example, a step of a series, or a whole series."""

from __future__ import annotations

from typing import Literal, get_args

from ostinato.data.cells import Cells
from ostinato.data.kinds import Guess, doubts, guess
from ostinato.data.layouts.long import read_long
from ostinato.data.layouts.rows import read_rows
from ostinato.data.layouts.wide import looks_wide, read_wide
from ostinato.data.settings import DataSettings
from ostinato.data.table import SEQUENCE_KINDS, Kind, Table
from ostinato.errors import UsageError, nearest

Layout = Literal["auto", "rows", "long", "wide"]


def lay_out(cells: Cells, settings: DataSettings, layout: Layout = "auto") -> Table:
    """Cells as a table of typed columns.

    ``rows``: a row is an example. ``long``: a row is a step of a series. ``wide``: a row is a series. ``auto`` takes
    the first that fits: *wide*, where eight or more columns are numbered (``V2``, ``V3``, …; no header) beside a column
    that names or labels the row; *rows*, where a cell holds a whole sequence (text, DNA, tokens, a list of numbers);
    *long*, where there are numbers: nothing in a row is a sequence then, so the rows are steps; else *rows*.

    Raises:
        DataError: the cells do not fit the layout, or a cell does not fit its column's kind.
        UsageError: there is no such layout.
    """
    if layout not in get_args(Layout):
        raise UsageError(f"no layout '{layout}'.{nearest(layout, list(get_args(Layout)))}")
    if layout == "wide" or (layout == "auto" and looks_wide(cells, settings)):
        return read_wide(cells.note(_told("wide", "columns are numbered", layout)), settings)
    guesses = guess(cells, settings)
    cells = cells.note(*doubts(cells, settings, guesses))
    if layout == "auto":
        chosen, reason = choose(guesses)
        cells = cells.note(_told(chosen, reason, layout))
        layout = chosen
    else:
        cells = cells.note(_told(layout, "", layout))
    return read_long(cells, settings, guesses) if layout == "long" else read_rows(cells, guesses)


def choose(guesses: dict[str, Guess]) -> tuple[Literal["rows", "long"], str]:
    """The layout and why, from the kinds of the columns."""
    sequences = [f"{name} ({g.kind.value})" for name, g in guesses.items() if g.kind in SEQUENCE_KINDS]
    if sequences:
        return "rows", f"{', '.join(sequences)}: a cell holds a sequence"
    if any(g.kind is Kind.NUMBER for g in guesses.values()):
        return "long", "no cell holds a sequence, and there are numbers"
    return "rows", "no cell holds a sequence, and no column is numbers"


def _told(layout: str, reason: str, asked: str) -> str:
    what = {"rows": "each row is an example", "long": "each row is a step of a series", "wide": "each row is a series"}
    return f"layout {layout}: {what[layout]} ({reason if asked == 'auto' else 'as asked for'})"
