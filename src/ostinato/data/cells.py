"""Cells: a table as it stood in a file or a data frame, before anyone decided what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ostinato.errors import DataError, nearest

BLANKS = ("", "na", "n/a", "#n/a", "nan", "null", "none", "?")
"""What stands for a missing number, in any case of letters. In text and categories only an empty cell is missing:
"None" and "Null" are people's names."""


@dataclass(frozen=True)
class Cells:
    """Columns of equal length.

    Args:
        frame: the columns: strings (from text files), or the types of a Parquet file or a data frame.
        lines: ``(rows,)`` int64, the line on which each row begins (its number, where a file has no lines).
        path: the file, if there is one.
        notes: what the reader decided.
        header: False where the names are ours (``column_1``, …) since the file has none.
        short: some rows had fewer fields than there are columns (their last cells are null).
    """

    frame: pl.DataFrame
    lines: np.ndarray
    path: Path | None = None
    notes: tuple[str, ...] = ()
    header: bool = True
    short: bool = False

    def __getitem__(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            raise DataError(f"no column '{name}'.{nearest(name, self.frame.columns)}", path=self.path)
        return self.frame[name]

    def __len__(self) -> int:
        return self.frame.height

    @property
    def names(self) -> list[str]:
        """The columns' names, in file order."""
        return self.frame.columns

    def fault(self, message: str, row: int, column: str | None = None) -> DataError:
        """An error about row ``row`` (an index), told in lines of the file."""
        return DataError(message, path=self.path, row=int(self.lines[row]), column=column)

    def note(self, *notes: str) -> Cells:
        """The same cells with more notes."""
        return replace(self, notes=self.notes + notes)

    def take(self, rows: np.ndarray) -> Cells:
        """The rows ``rows`` (indices) in that order."""
        return replace(self, frame=self.frame[rows], lines=self.lines[rows])


def is_list(series: pl.Series) -> bool:
    """Whether a cell holds several values."""
    return isinstance(series.dtype, pl.List | pl.Array)


def as_text(series: pl.Series) -> pl.Series:
    """Cells as strings without outer white space; null where empty. A whole number has no decimal point."""
    if series.dtype.is_float() and whole(series):
        series = series.cast(pl.Int64)
    text = series.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def whole(series: pl.Series) -> bool:
    """Whether all numbers of a float column are whole and small enough to be exact."""
    known = series.drop_nulls().drop_nans()
    return len(known) == len(series) and bool(((known.round() == known) & (known.abs() < 2**53)).all())


def to_numbers(series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The cells as float64 (NaN where missing or unreadable) and a mask of the unreadable ones, both ``(rows,)``."""
    if series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null):
        return series.cast(pl.Float64).fill_null(float("nan")).to_numpy(), np.zeros(len(series), dtype=bool)
    if series.dtype != pl.String:
        return np.full(len(series), np.nan), series.is_not_null().to_numpy()
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() == series.null_count():  # the common case, and much faster
        return numbers.fill_null(float("nan")).to_numpy(), np.zeros(len(series), dtype=bool)
    text = series.str.strip_chars()
    blank = text.is_null() | text.str.to_lowercase().is_in(BLANKS)
    numbers = text.cast(pl.Float64, strict=False)
    return numbers.fill_null(float("nan")).to_numpy(), (numbers.is_null() & ~blank).to_numpy()


def share_of_numbers(series: pl.Series) -> float:
    """Among the cells that are not missing, how many are numbers: 0 to 1 (0 where all are missing)."""
    values, bad = to_numbers(series)
    read = int(np.count_nonzero(~np.isnan(values)))
    return read / (read + int(bad.sum())) if read else 0.0


def numbers(cells: Cells, name: str) -> np.ndarray:
    """The column ``name`` as ``(rows,)`` float64, NaN where missing.

    Raises:
        DataError: a cell is text, or infinite; it names row, column and value.
    """
    values, bad = to_numbers(cells[name])
    if bad.any():
        row = int(np.argmax(bad))
        raise cells.fault(
            f"{shown(cells[name][row])} is not a number: mend it, leave it empty (missing), or read the column as "
            f"something else with kinds, as in {{{name}: text}}",
            row,
            name,
        )
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise cells.fault(
            f"{shown(cells[name][row])} is infinite: no model can learn from it; leave it empty", row, name
        )
    return values


def shown(value: object) -> str:
    """A cell for a message: quoted and cut."""
    text = str(value)
    return f"'{text if len(text) <= 40 else text[:40] + '…'}'"


def fresh(name: str, taken: list[str]) -> str:
    """``name``, or the first of ``name_2, name_3, …`` that is not taken."""
    candidates = (name if k == 1 else f"{name}_{k}" for k in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def plural(count: int, word: str) -> str:
    """``1 row``, ``3,190 rows``, ``2 series``."""
    return f"{count:,} {word if count == 1 or word.endswith('s') else word + 's'}"
