"""Times: from what people write in a time column to ``datetime64[ns]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from ostinato.data.cells import Cells, shown
from ostinato.errors import DataError

_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y",
    "%b %d %Y", "%b %d, %Y", "%B %d %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M", " %I:%M %p", " %I:%M:%S %p")
_ZONES = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M%z")
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%Y-%b")
_AMBIGUOUS = {"%m/%d/%Y": "%d/%m/%Y", "%m-%d-%Y": "%d-%m-%Y", "%m/%d/%y": "%d/%m/%y"}
_NAMES = re.compile(
    r"^(ds|t|year|month|week|day|hour|minute|second|period|quarter|index|step|"
    r"(.*[_ ])?(date|time|timestamp|datetime|at))$",
    re.IGNORECASE,
)
_FIRST, _LAST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
_SAMPLE = 64


@dataclass(frozen=True)
class Times:
    """A time column.

    Args:
        values: ``(rows,)`` datetime64[ns], NaT where missing; int64 where ``counts``.
        bad: ``(rows,)``, True for a cell that is no time.
        form: how times are written, for the user.
        counts: the numbers count steps (0, 1, 2, …): they order the rows, and are no date.
    """

    values: np.ndarray
    bad: np.ndarray
    form: str
    counts: bool = False


def sounds_like_time(name: str) -> bool:
    """Whether a column's name is one that people give to times."""
    return bool(_NAMES.match(name.strip()))


def read_times(series: pl.Series, *, named: bool = False) -> Times | None:
    """The cells as times, or None where they are none.

    Args:
        series: strings, integers, dates or datetimes.
        named: the user says that this is the time column: integers may count anything, and a few bad cells are marked
            instead of giving up.
    """
    if series.dtype.is_temporal():
        return _from_temporal(series)
    if series.dtype == pl.String:
        text = series.str.strip_chars()
        text = text.set(text == "", None)
        found = _from_text(text)
        if found is not None and (named or found.bad.mean() < 0.5):
            return found
        series = text.cast(pl.Int64, strict=False)
        if series.null_count() > text.null_count():
            return None
    if series.dtype.is_integer() and (named or sounds_like_time(series.name)) and series.null_count() < len(series):
        return _from_integers(series.cast(pl.Int64))
    return None


def times(cells: Cells, name: str) -> Times:
    """The column ``name`` as times.

    Raises:
        DataError: the column, or one cell of it, is no time; a cell is missing.
    """
    found = read_times(cells[name], named=True)
    if found is None:
        raise DataError(
            f"holds no times: {shown(cells[name][0])}. Write them as 2024-01-31 or 2024-01-31 23:59:00",
            path=cells.path,
            column=name,
        )
    if found.bad.any():
        row = int(np.argmax(found.bad))
        raise cells.fault(f"{shown(cells[name][row])} is not a time like the others ({found.form})", row, name)
    missing = cells[name].is_null().to_numpy() if found.counts else np.isnat(found.values)
    if missing.any():
        raise cells.fault("the time is missing: fill it in or remove the row", int(np.argmax(missing)), name)
    return found


def _from_temporal(series: pl.Series) -> Times | None:
    if series.dtype not in (pl.Date, pl.Datetime):
        return None
    stamps = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series
    if getattr(stamps.dtype, "time_zone", None):
        stamps = stamps.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _ranged(stamps.cast(pl.Datetime("us")), stamps.is_not_null().to_numpy(), "dates")


def _from_text(text: pl.Series) -> Times | None:
    """The format that reads most cells; of two that read as many, the first in the list."""
    known = text.drop_nulls()
    if not len(known):
        return None
    sample = known.unique(maintain_order=True).head(_SAMPLE)
    best: tuple[int, str, pl.Series] | None = None
    for form in (*(d + c for d in _DATES for c in _CLOCKS), *_ZONES, *_MONTHS):
        if _parse(sample, form).null_count() * 2 > len(sample):
            continue
        parsed = _parse(text, form)
        read = len(parsed) - parsed.null_count()
        if best is None or read > best[0]:
            best = read, form, parsed
        if read == len(known):
            break
    if best is None:
        return None
    return _ranged(best[2], text.is_not_null().to_numpy(), _told(best[1], text))


def _parse(text: pl.Series, form: str) -> pl.Series:
    """Strings as datetimes, null where the format does not fit or gives a year that cannot be meant (the year 99)."""
    if "%d" not in form:  # a month is the time of its first day
        text, form = text + " 1", form + " %d"
    if "%z" in form:
        stamps = text.str.replace(r"Z$", "+00:00").str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
        stamps = stamps.dt.replace_time_zone(None)
    else:
        stamps = text.str.to_datetime(form, strict=False, time_unit="us")
    return stamps.set(pl.Series(_outside(stamps.to_numpy())), None)


def _told(form: str, text: pl.Series) -> str:
    """The format as a user knows it, with a warning where month and day could be exchanged."""
    words = form.replace("%S%.f", "%S")
    for first, other in _AMBIGUOUS.items():
        if form.startswith(first) and _parse(text, form.replace(first, other)).null_count() == text.null_count():
            return f"{words}; day first would fit as well"
    return words


def _from_integers(series: pl.Series) -> Times:
    """Years, seconds to nanoseconds since 1970, or a count of steps; told apart by size and name."""
    values = series.fill_null(0).to_numpy()
    present = series.is_not_null().to_numpy()
    low, high = int(values[present].min()), int(values[present].max())
    if series.name.strip().lower().endswith("year") and low >= 1678 and high < 2262:
        return Times(_year(values, present), np.zeros(len(values), dtype=bool), "years")
    for unit, least in (("s", 10**8), ("ms", 10**11), ("us", 10**14), ("ns", 10**17)):
        if least <= low and high < least * 100:
            stamps = values.astype(f"datetime64[{unit}]").astype("datetime64[ns]")
            stamps[~present] = np.datetime64("NaT")
            return Times(stamps, np.zeros(len(values), dtype=bool), f"{unit} since 1970")
    return Times(values, np.zeros(len(values), dtype=bool), "a count of steps", counts=True)


def _year(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    years = (values - 1970).astype("datetime64[Y]").astype("datetime64[ns]")
    years[~present] = np.datetime64("NaT")
    return years


def _outside(stamps: np.ndarray) -> np.ndarray:
    return (stamps < _FIRST) | (stamps >= _LAST)


def _ranged(stamps: pl.Series, present: np.ndarray, form: str) -> Times:
    """To nanoseconds; what lies outside their range (1678 to 2261) is bad rather than silently wrapped around."""
    values = stamps.to_numpy().astype("datetime64[us]")
    values[_outside(values)] = np.datetime64("NaT")
    return Times(values.astype("datetime64[ns]"), present & np.isnat(values), form)
