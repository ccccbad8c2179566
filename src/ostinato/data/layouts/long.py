"""Long: each row is a step of a series; columns are its channels, perhaps a time and the name of the series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.data.cells import Cells, as_text, fresh, numbers, plural, share_of_numbers, shown
from ostinato.data.kinds import Guess, sounds_like_id
from ostinato.data.layouts.rows import column_of
from ostinato.data.names import name_of_series
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.data.times import Times, read_times, sounds_like_time, times
from ostinato.errors import DataError

_WORDS = frozenset({Kind.CATEGORY, Kind.ID, Kind.TEXT})


@dataclass(frozen=True)
class Steps:
    """Rows put in order: ``order`` ``(rows,)`` runs series by series, each by time; ``bounds`` ``(B + 1,)`` cuts it."""

    cells: Cells
    names: list[str]
    order: np.ndarray
    bounds: np.ndarray

    def cut(self, values: np.ndarray) -> list[np.ndarray]:
        """The values of the rows, series by series."""
        return np.split(values[self.order], self.bounds[1:-1])

    @property
    def starts(self) -> np.ndarray:
        """The first row (an index, in file order) of each series."""
        return np.array([rows.min() for rows in np.split(self.order, self.bounds[1:-1])], dtype=np.int64)


def read_long(cells: Cells, settings: DataSettings, guesses: dict[str, Guess]) -> Table:
    """A table with one row a series.

    Its columns: the name (ID), the times (TIME, where the file has dates), ``values`` (SERIES with a channel for every
    column of numbers), and what does not change over a series (a label, say).

    Rows are sorted by time. Missing values are NaN, and counted in a note. A target of text that changes from step to
    step becomes TAGS; one that does not becomes a CATEGORY of the series.

    Raises:
        DataError: a time comes twice in a series; a time or a number cannot be read; there are no numbers.
    """
    time = _time_column(cells, settings, guesses)
    named, why = _id_column(cells, settings, guesses, time)
    if not time and named:
        time = _counting(cells, named, guesses)
    stamps = times(cells, time) if time else None
    steps, sorted_note = _order(cells, named, stamps)
    if stamps:
        _refuse_twins(steps, stamps.values, time, named)
    head = named or fresh("series", cells.names)
    columns = {head: Column(head, Kind.ID, steps.names)}
    notes = [*cells.notes, _told(named, why, time, stamps), *sorted_note]
    if stamps and not stamps.counts:
        columns[time] = Column(time, Kind.TIME, steps.cut(stamps.values))
    if stamps:
        notes += _gaps(steps, stamps.values)
    rest = [name for name in cells.names if name not in {time, named}]
    statics, channels, more = _sort_out(steps, rest, settings, guesses)
    if not channels:
        raise DataError("has no column of numbers: a series needs one", path=cells.path)
    grid = np.stack([numbers(cells, name) for name in channels], axis=1)
    title = fresh("values", [*columns, *statics])
    columns[title] = Column(title, Kind.SERIES, steps.cut(grid), tuple(channels))
    columns |= statics
    doubts = [f"{name}: {guesses[name].reason}" for name in channels if guesses[name].doubtful]
    notes += [*doubts, *more, *_missing(grid, channels)]
    return Table(columns, cells.path, cells.lines[steps.starts], tuple(notes), steps.cut(cells.lines))


def _time_column(cells: Cells, settings: DataSettings, guesses: dict[str, Guess]) -> str:
    if settings.time:
        return str(cells[settings.time].name)
    return next((name for name, found in guesses.items() if found.kind is Kind.TIME), "")


def _id_column(cells: Cells, settings: DataSettings, guesses: dict[str, Guess], time: str) -> tuple[str, str]:
    """The column that names the series, and why where nobody said so: the user's, or one of names that tells them."""
    if settings.id:
        return str(cells[settings.id].name), ""
    words = [n for n, g in guesses.items() if g.kind in {Kind.CATEGORY, Kind.ID} and n not in {time, settings.target}]
    words += [n for n, g in guesses.items() if g.kind is Kind.NUMBER and sounds_like_id(n) and n != settings.target]
    said = [name for name in words if settings.kinds.get(name) == Kind.ID]
    if said:
        return said[0], ""
    if time:
        return name_of_series(cells, words, time)[0], ""
    counted = next((n for n in words if _counting(cells, n, guesses)), "")
    if counted:
        return counted, ""
    named, why = name_of_series(cells, [n for n in words if n not in settings.kinds], time)
    return named, f" ({why}; data.kinds.{named}=category if it names no series)" if named else ""


def _counting(cells: Cells, named: str, guesses: dict[str, Guess]) -> str:
    """A column of whole numbers named like a time that rises in every series."""
    for name, found in guesses.items():
        if found.kind is Kind.NUMBER and name != named and sounds_like_time(name):
            read = read_times(cells[name])
            if read is not None and not cells.frame.select(named, name).is_duplicated().any():
                return name
    return ""


def _order(cells: Cells, named: str, stamps: Times | None) -> tuple[Steps, list[str]]:
    """Rows by series (in order of appearance) and time; a note where the file had another order of times."""
    rows = len(cells)
    if named:
        text = as_text(cells[named])
        if text.null_count():
            raise cells.fault("the series has no name: fill it in", int(np.argmax(text.is_null().to_numpy())), named)
        names = text.unique(maintain_order=True).to_list()
        place = {name: number for number, name in enumerate(names)}
        groups = np.array([place[name] for name in text.to_list()], dtype=np.int64)
    else:
        names, groups = [cells.path.name.split(".")[0] if cells.path else "series"], np.zeros(rows, dtype=np.int64)
    kept = np.argsort(groups, kind="stable")
    order = kept if stamps is None else np.lexsort((stamps.values, groups))
    bounds = np.searchsorted(groups[order], np.arange(len(names) + 1))
    moved = int((order != kept).sum())
    notes = [f"rows were not in order of time and have been sorted ({moved:,} of {rows:,} moved)"] if moved else []
    return Steps(cells, names, order, bounds), notes


def _refuse_twins(steps: Steps, values: np.ndarray, time: str, named: str) -> None:
    ordered = values[steps.order]
    same = ordered[1:] == ordered[:-1]
    same[steps.bounds[1:-1] - 1] = False
    if not same.any():
        return
    at = int(np.argmax(same))
    first, second = sorted((int(steps.order[at]), int(steps.order[at + 1])))
    mend = f"in series '{steps.names[int(np.searchsorted(steps.bounds, at, side='right')) - 1]}' " if named else ""
    hint = "" if named else ", or name the column that tells series apart (id)"
    raise steps.cells.fault(
        f"the time {shown(steps.cells[time][second])} {mend}stands on row {int(steps.cells.lines[first]):,} already "
        f"({plural(int(same.sum()), 'duplicate')} in all): remove or average the rows{hint}",
        second,
        time,
    )


def _gaps(steps: Steps, values: np.ndarray) -> list[str]:
    """A note where the distance between steps changes; months, quarters and years count as regular."""
    irregular = 0
    example = ""
    usual = np.timedelta64(0, "ns")
    for rows in np.split(steps.order, steps.bounds[1:-1]):
        stamps = values[rows]
        if len(stamps) < 3 or _monthly(stamps):
            continue
        distances = np.diff(stamps)
        kinds, counts = np.unique(distances, return_counts=True)
        usual = kinds[np.argmax(counts)]
        odd = np.flatnonzero(distances != usual)
        if len(odd) and not irregular:
            line = int(steps.cells.lines[rows[odd[0] + 1]])
            example = f"first at row {line:,}: {_spoken(distances[odd[0]])} instead of {_spoken(usual)}"
        irregular += len(odd)
    total = len(steps.order) - len(steps.names)
    return (
        [f"{irregular:,} of {total:,} time steps are irregular ({example}); steps are used as they come"]
        if irregular
        else []
    )


def _monthly(stamps: np.ndarray) -> bool:
    if stamps.dtype.kind != "M":
        return False
    months = stamps.astype("datetime64[M]")
    inside = np.unique(stamps - months)
    distances = np.unique(np.diff(months.astype(np.int64)))
    return len(inside) == 1 and len(distances) == 1 and bool(distances[0] > 0)


def _spoken(distance: np.timedelta64 | np.int64) -> str:
    """``1 h``, ``3 d``, ``250 ms``; a bare number where steps are counted."""
    if not isinstance(distance, np.timedelta64):
        return str(int(distance))
    nanoseconds = int(distance.astype("timedelta64[ns]").astype(np.int64))
    sizes = ((86_400 * 10**9, "d"), (3_600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"))
    size, unit = next(((s, u) for s, u in sizes if nanoseconds % s == 0), (1, "ns"))
    return f"{nanoseconds // size:,} {unit}"


def _sort_out(
    steps: Steps, names: list[str], settings: DataSettings, guesses: dict[str, Guess]
) -> tuple[dict[str, Column], list[str], list[str]]:
    """What a column is: constant over each series (a column of the table), a channel, tags, or left out (a note)."""
    cells = steps.cells
    statics: dict[str, Column] = {}
    channels: list[str] = []
    notes: list[str] = []
    for name in names:
        target, kind = name == settings.target, guesses[name].kind
        numeric = share_of_numbers(cells[name]) > 0.5 or kind is Kind.NUMBER
        if settings.kinds.get(name) in {Kind.CATEGORY.value, Kind.TAGS.value, Kind.ID.value}:
            numeric = False
        many = len(steps.names) > 1
        if _constant(steps, name) and ((target and many) or not (target or numeric)):
            statics[name] = column_of(cells.take(steps.starts), name, kind if target else _static(kind))
            notes.append(f"{name}: {statics[name].kind.value} of a whole series")
        elif numeric:
            channels.append(name)
        elif target:
            statics[name] = _tags(steps, name)
            notes.append(f"{name}: tags, one a step")
        elif name in settings.inputs:
            raise cells.fault(f"{shown(cells[name][0])} is not a number: a channel of a series is numbers", 0, name)
        else:
            mend = f"; --id {name} if it names the series" if not many and kind in _WORDS else ""
            notes.append(f"{name}: left out, since it is {kind.value} and changes within a series{mend}")
    return statics, channels, notes


def _static(kind: Kind) -> Kind:
    return kind if kind in {Kind.CATEGORY, Kind.ID} else Kind.CATEGORY


def _constant(steps: Steps, name: str) -> bool:
    """Whether a column has one value in each series."""
    text = as_text(steps.cells[name]).fill_null("")
    codes = np.unique(text.to_numpy().astype(str), return_inverse=True)[1]
    return all(bool((part == part[0]).all()) for part in steps.cut(codes))


def _tags(steps: Steps, name: str) -> Column:
    text = as_text(steps.cells[name]).fill_null("").to_numpy().astype(object)
    parts = steps.cut(text)
    missing = frozenset(b for b, part in enumerate(parts) if not any(part))
    return Column(name, Kind.TAGS, [part.tolist() for part in parts], (), missing)


def _told(named: str, why: str, time: str, stamps: Times | None) -> str:
    series = f"series told apart by '{named}'{why}" if named else "one series"
    order = f"time from '{time}' ({stamps.form})" if stamps else "no time column: steps in file order"
    return f"{series}; {order}"


def _missing(grid: np.ndarray, channels: list[str]) -> list[str]:
    counts = np.isnan(grid).sum(axis=0)
    return [
        f"{name}: {int(c):,} of {plural(len(grid), 'value')} missing"
        for name, c in zip(channels, counts, strict=True)
        if c
    ]
