"""Names: which column tells series apart, where each row of a table is a step."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ostinato.data.cells import Cells, as_text

LEAST = 8
"""Rows a name has on average, where text is taken for names or the order of the rows alone tells them."""
LONGEST = 64
"""Most characters of a name."""


def name_of_series(cells: Cells, words: Iterable[str], time: str) -> tuple[str, str]:
    """The column that names the series, and why; two empty strings where none does.

    Where times come again, the first of ``words`` with which each comes once only. Without times, the first each of
    whose names stands on rows of its own, one after the other.
    """
    if time:
        if not cells[time].is_duplicated().any():
            return "", ""
        once = (name for name in words if not cells.frame.select(time, name).is_duplicated().any())
        return next(((name, "each time comes once with each name") for name in once), ("", ""))
    found = next((name for name in words if _in_blocks(cells[name])), "")
    return found, "each name stands on rows of its own, one after the other" if found else ""


def may_be_names(series: pl.Series, time: str) -> bool:
    """Whether text could name series: it is short and comes again; without times it is one word, too."""
    text = as_text(series)
    names = text.unique()
    if names.null_count() or len(names) * LEAST > len(text) or int(str(names.str.len_chars().max())) > LONGEST:
        return False
    return bool(time) or not names.str.contains(r"\s").any()


def varies(cells: Cells, name: str, target: str) -> bool:
    """Whether the target changes within series that hold at least half of the rows."""
    pairs = pl.DataFrame({"name": cells[name], "target": cells[target]})
    groups = pairs.group_by("name").agg(rows=pl.len(), different=pl.col("target").drop_nulls().n_unique())
    return 2 * int(groups.filter(pl.col("different") > 1)["rows"].sum()) >= len(cells)


def _in_blocks(series: pl.Series) -> bool:
    text = as_text(series)
    blocks = 1 + int((text != text.shift(1)).sum())
    return not text.null_count() and 1 < blocks == text.n_unique() and blocks * LEAST <= len(text)
