"""Layouts: what a row of a table is: an example, a step of a series, or a whole series."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from ostinato.data.cells import Cells, is_list
from ostinato.data.kinds import Guess, doubts, guess
from ostinato.data.layouts.long import read_long
from ostinato.data.layouts.rows import read_rows
from ostinato.data.layouts.wide import looks_wide, read_wide
from ostinato.data.settings import DataSettings
from ostinato.data.table import SEQUENCE_KINDS, Kind, Table
from ostinato.errors import UsageError, nearest

Layout = Literal["auto", "series", "rows", "long", "wide", "pairs"]

OPEN = frozenset({"auto", "series"})
"""Layouts that leave it to the reader what a row is."""
_STEPS: dict[str, Literal["perhaps", "always"]] = {"auto": "perhaps", "series": "always"}


def lay_out(cells: Cells, settings: DataSettings, layout: Layout = "auto") -> Table:
    """Cells as a table of typed columns.

    ``rows``: a row is an example. ``long``: a row is a step of a series. ``wide``: a row is a series. ``pairs``: a row
    is an example whose target, the last column if none is named, is a sequence to be written. ``auto`` takes the first
    that fits: *wide*, where eight or more columns are numbered (``V2``, ``V3``, …; no header) beside a column
    that names or labels the row; *rows*, where a cell holds a whole sequence (text, DNA, tokens, a list of numbers);
    *long*, where there are numbers: nothing in a row is a sequence then, so the rows are steps; else *rows*.
    ``series``, where a forecast is asked for: *wide*, as above; *rows*, where a cell holds a list; else *long*.

    Raises:
        DataError: the cells do not fit the layout, or a cell does not fit its column's kind.
        UsageError: there is no such layout.
    """
    if layout not in get_args(Layout):
        raise UsageError(f"no layout '{layout}'.{nearest(layout, list(get_args(Layout)))}")
    if layout == "wide" or (layout in OPEN and looks_wide(cells, settings)):
        return read_wide(cells.note(_told("wide", "columns are numbered", layout)), settings)
    if layout == "pairs":
        guesses = paired(cells, settings)
        return read_rows(cells.note(_told(layout, "", layout)), guesses)
    guesses = guess(cells, settings, _STEPS.get(layout, "never"))
    cells = cells.note(*doubts(cells, settings, guesses))
    if layout in OPEN:
        chosen, reason = choose(guesses, steps=layout == "series")
        cells = cells.note(_told(chosen, reason, layout))
        layout = chosen
    else:
        cells = cells.note(_told(layout, "", layout))
    return read_long(cells, settings, guesses) if layout == "long" else read_rows(cells, guesses)


def paired(cells: Cells, settings: DataSettings) -> dict[str, Guess]:
    """The kinds of columns of which one is written from the others: a time or a name is text here, as it is spelt.

    The target is text (tokens where it holds lists), whatever it looks like: ``19`` is two digits to be written.
    """
    guesses = guess(cells, replace(settings, target=""))
    unnamed = [name for name in cells.names if name not in {settings.id, *settings.inputs}]
    target = settings.target or (unnamed[-1] if unnamed else "")
    for name, found in guesses.items():
        if name in settings.kinds or name == settings.id or is_list(cells[name]):
            continue
        if name == target:
            guesses[name] = Guess(Kind.TEXT, "to be written")
        elif found.kind in {Kind.TIME, Kind.ID, Kind.DNA}:
            guesses[name] = Guess(Kind.TEXT, f"{found.kind.value}, read as it is spelt")
    return guesses


def choose(guesses: dict[str, Guess], *, steps: bool = False) -> tuple[Literal["rows", "long"], str]:
    """The layout and why, from the kinds of the columns; ``steps``: they are to be forecast."""
    if steps and not any(g.kind in SEQUENCE_KINDS - {Kind.TEXT} for g in guesses.values()):
        return "long", "a forecast is asked for, and no cell holds a series"
    sequences = [f"{name} ({g.kind.value})" for name, g in guesses.items() if g.kind in SEQUENCE_KINDS]
    if sequences:
        return "rows", f"{', '.join(sequences)}: a cell holds a sequence"
    if any(g.kind is Kind.NUMBER for g in guesses.values()):
        return "long", "no cell holds a sequence, and there are numbers"
    return "rows", "no cell holds a sequence, and no column is numbers"


def _told(layout: str, reason: str, asked: str) -> str:
    what = {
        "rows": "each row is an example",
        "pairs": "each row is an example, its target to be written",
        "long": "each row is a step of a series",
        "wide": "each row is a series",
    }
    return f"layout {layout}: {what[layout]} ({reason if asked in OPEN else 'as asked for'})"
