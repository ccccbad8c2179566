"""Kinds: what each column holds, guessed from its cells, told with a reason, and overridable."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from ostinato.data.cells import Cells, as_text, is_list, plural, share_of_numbers, shown, to_numbers, whole
from ostinato.data.dna import IUPAC
from ostinato.data.media import of_names
from ostinato.data.names import may_be_names, name_of_series, varies
from ostinato.data.settings import DataSettings
from ostinato.data.table import SEQUENCE_KINDS, Kind
from ostinato.data.times import read_times, sounds_like_time
from ostinato.errors import DataError, nearest

_ID_NAME = re.compile(r"^(id|uid|uuid|guid|key|.*[_ ](id|key)|.*Id|sent_id)$")
_CODE = re.compile(r"^[\w.:\-/|]*\d[\w.:\-/|]*$", re.ASCII)


@dataclass(frozen=True)
class Guess:
    """A column's kind and why, in a few words for the user; ``doubtful``: who knows better should hear of it."""

    kind: Kind
    reason: str
    doubtful: bool = False


def guess(
    cells: Cells, settings: DataSettings, steps: Literal["never", "perhaps", "always"] = "never"
) -> dict[str, Guess]:
    """The kind of every column.

    Rules, the first that fits: what ``settings`` say; lists; categories, for the target; files of sound, film or image;
    times; numbers; DNA; names of rows; categories; text. Where rows are steps of series, text that names the series is
    an id, and a target of whole numbers is numbers. Where nothing is left that a model could read, a column of names is
    text after all.

    Args:
        cells: the table.
        settings: what the user says of it.
        steps: whether rows can be steps of series; ``always``: a forecast is asked for.

    Raises:
        DataError: ``settings.kinds`` names a column or a kind that does not exist; a target of numbers would be read
            as categories or text because of a few cells.
    """
    check_overrides(cells, settings)
    guesses = {name: _guess(cells[name], settings) for name in cells.names}
    target = settings.target
    if target in cells.names and target not in settings.kinds:
        row = _typo(cells[target], guesses[target], target=True)
        if row is not None:
            cell = shown(cells[target][row])
            told = f"{cell} is not a number, but nearly all others are: correct it, or set data.kinds.{target}=category"
            raise cells.fault(told, row, target)
    if steps != "never":
        guesses |= _of_steps(cells, settings, guesses, asked=steps == "always")
    if not any(g.kind in SEQUENCE_KINDS or g.kind is Kind.NUMBER for g in guesses.values()):
        _promote(cells, settings, guesses)
    return guesses


def _of_steps(cells: Cells, settings: DataSettings, guesses: dict[str, Guess], *, asked: bool) -> dict[str, Guess]:
    """What is read otherwise where rows are steps of series: text that names them, and whole numbers of the target.

    Rows are steps where a forecast is asked for; else where no cell holds a sequence (but text that names series) and
    the target, if there is one, is a number that changes within series: the rows before are all that could tell it.
    """
    target = settings.target if settings.target in cells.names else ""
    counts = bool(target) and guesses[target].kind is Kind.CATEGORY and share_of_numbers(cells[target]) == 1.0
    counts = counts and target not in settings.kinds
    numbers = [name for name, g in guesses.items() if g.kind is Kind.NUMBER]
    sequences = [name for name, g in guesses.items() if g.kind in SEQUENCE_KINDS and name != target]
    texts = [name for name in sequences if guesses[name].kind is Kind.TEXT and name not in settings.kinds]
    if not (counts or numbers) or (not asked and (len(sequences) > 1 or texts != sequences)):
        return {}
    time = settings.time or next((name for name, g in guesses.items() if g.kind is Kind.TIME), "")
    words = [n for n, g in guesses.items() if g.kind in {Kind.CATEGORY, Kind.ID} and n not in {target, time}]
    able = [name for name in texts if may_be_names(cells[name], time)] if not settings.id else []
    named, why = name_of_series(cells, able if texts else words, time)
    named = settings.id or named
    if not asked and (texts or counts):
        told = counts or target in numbers or (not target and bool(texts))
        if not told or (texts and named not in texts):
            return {}
        if named and target and not varies(cells, named, target):
            return {}
        if not named and (numbers or not _one_series(cells, guesses, target, time)):
            return {}
    found = {named: Guess(Kind.ID, f"names of series: {why}")} if named in texts else {}
    if counts and (asked or not numbers):
        mend = f"data.kinds.{target}=category if they are labels"
        found[target] = Guess(Kind.NUMBER, f"whole numbers of steps, to be forecast; {mend}", doubtful=True)
    return found


def _one_series(cells: Cells, guesses: dict[str, Guess], target: str, time: str) -> bool:
    """Whether a target that stands alone, or beside a time and labels, is one series."""
    rest = [name for name in cells.names if name not in {target, time}]
    if not time:
        return not rest
    return not cells[time].is_duplicated().any() and all(guesses[name].kind is Kind.CATEGORY for name in rest)


def _typo(series: pl.Series, found: Guess, *, target: bool) -> int | None:
    """The first cell without which a column of categories or text would be one of numbers; None where it is none.

    Nine tenths of the cells must be numbers; of a target they must also be too many different ones for labels.
    """
    if is_list(series) or found.kind not in {Kind.CATEGORY, Kind.TEXT} or share_of_numbers(series) <= 0.9:
        return None
    _, bad = to_numbers(series)
    if not bad.any() or (target and _guess_target(series.filter(pl.Series(~bad))).kind is not Kind.NUMBER):
        return None
    return int(np.argmax(bad))


def doubts(cells: Cells, settings: DataSettings, guesses: dict[str, Guess]) -> tuple[str, ...]:
    """A note on each column that would be numbers but for a few cells, which may be typing errors."""
    notes = []
    for name, found in guesses.items():
        row = None if name in settings.kinds else _typo(cells[name], found, target=name == settings.target)
        if row is not None:
            count = int(to_numbers(cells[name])[1].sum())
            more = f" and {plural(count - 1, 'other')}" if count > 1 else ""
            cell = f"{shown(cells[name][row])} in row {int(cells.lines[row])}{more}"
            told = f"{name}: read as {found.kind.value}, though all but {plural(count, 'value')} are numbers ({cell})"
            notes.append(f"{told}: if that is a mistake, correct it, or set data.kinds.{name}=number")
    return tuple(notes)


def check_overrides(cells: Cells, settings: DataSettings) -> None:
    """Whether ``settings.kinds`` make sense for these columns; the target's may be absent (rows to predict)."""
    for name, kind in settings.kinds.items():
        if kind not in list(Kind):
            raise DataError(f"kinds: '{kind}' is no kind.{nearest(kind, [k.value for k in Kind])}", column=name)
        absent = name not in cells.names and kind != Kind.ID  # the only series of a file needs no name
        if absent and name not in {settings.target, settings.id, settings.time}:
            raise DataError(f"kinds names a column '{name}'.{nearest(name, cells.names)}", path=cells.path)


def _promote(cells: Cells, settings: DataSettings, guesses: dict[str, Guess]) -> None:
    """Makes the longest column of names or categories the text to read."""
    spoken = {settings.id, settings.target, settings.time, *settings.kinds}
    open_to = [n for n, g in guesses.items() if g.kind in {Kind.ID, Kind.CATEGORY} and n not in spoken]
    if open_to and settings.target:
        longest = max(open_to, key=lambda n: float(str(as_text(cells[n]).str.len_chars().mean() or 0)))
        guesses[longest] = Guess(Kind.TEXT, "the only column a model could read")


def _guess(series: pl.Series, settings: DataSettings) -> Guess:
    name = series.name
    if name in settings.kinds:
        return Guess(Kind(settings.kinds[name]), "you said so")
    if name == settings.id:
        return Guess(Kind.ID, "you named it as id")
    if name == settings.time:
        return Guess(Kind.TIME, "you named it as time")
    if is_list(series):
        return _guess_list(series, target=name == settings.target)
    if name == settings.target:
        return _guess_target(series)
    return next(found for rule in _RULES if (found := rule(series)) is not None)


def _guess_list(series: pl.Series, *, target: bool) -> Guess:
    inner = series.explode()
    inner = inner.explode() if is_list(inner) else inner
    if inner.dtype == pl.String or (target and inner.dtype == pl.Boolean):
        distinct = inner.n_unique()
        if target:
            return Guess(Kind.TAGS, f"lists of strings, {distinct:,} different, and the target")
        return Guess(Kind.TOKENS, "lists of strings")
    if inner.dtype.is_numeric() or inner.dtype in (pl.Null, pl.Boolean):
        return Guess(Kind.SERIES, "lists of numbers")
    raise DataError(f"lists of {inner.dtype} are not read: use lists of strings or of numbers", column=series.name)


def _guess_target(series: pl.Series) -> Guess:
    """A target is a category where its values repeat; else a number, or a text to be written."""
    media = _media(series)
    if media is not None:
        return media
    text = as_text(series).drop_nulls()
    distinct, count = text.n_unique(), len(text)
    values, bad = to_numbers(series)
    told = f"{distinct:,} different values in {count:,} rows"
    if series.dtype == pl.Boolean:
        return Guess(Kind.CATEGORY, "true or false")
    if count and not bad.any():
        integers = whole(pl.Series(values[~np.isnan(values)]))
        few = distinct <= min(100, max(2, count // 5))
        return Guess(Kind.CATEGORY, f"whole numbers, {told}") if integers and few else Guess(Kind.NUMBER, "numbers")
    dna = _dna(series)
    if dna is not None and distinct * 2 > count:
        return dna
    if distinct * 1.5 <= count or (distinct <= 20 and float(str(text.str.len_chars().mean() or 0)) <= 40):
        return Guess(Kind.CATEGORY, told)
    number = _mostly_numbers(series)
    return number or Guess(Kind.TEXT, told)


def _time(series: pl.Series) -> Guess | None:
    if share_of_numbers(series) == 1.0 and not sounds_like_time(series.name):
        return None
    if series.dtype.is_temporal() or series.dtype == pl.String:
        found = read_times(series)
        if found is not None and (not found.counts or _rises(found.values)):
            return Guess(Kind.TIME, found.form)
    elif series.dtype.is_integer() and sounds_like_time(series.name):
        found = read_times(series)
        if found is not None and _rises(found.values):
            return Guess(Kind.TIME, found.form)
    return None


def _rises(values: np.ndarray) -> bool:
    """Whether times go up (or down) at every row: an hour of the day that comes again is a number, not a time."""
    steps = np.diff(values.astype(np.int64))
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _all_numbers(series: pl.Series) -> Guess | None:
    return Guess(Kind.NUMBER, "numbers") if share_of_numbers(series) == 1.0 else None


def _mostly_numbers(series: pl.Series) -> Guess | None:
    return Guess(Kind.NUMBER, "most cells are numbers") if share_of_numbers(series) > 0.5 else None


def _dna(series: pl.Series) -> Guess | None:
    text = as_text(series).drop_nulls()
    if not len(text) or float(str(text.str.len_chars().mean())) < 20:
        return None
    letters = text.str.to_uppercase()
    if not letters.str.contains(f"^[{IUPAC}]+$").all():
        return None
    bases = float(letters.str.count_matches("[ACGTU]").sum()) / float(letters.str.len_chars().sum())
    return Guess(Kind.DNA, "only letters of DNA, mostly A C G T") if bases >= 0.8 else None


def _id(series: pl.Series) -> Guess | None:
    text = as_text(series).drop_nulls()
    if len(text) < 2:
        return None
    distinct = text.n_unique() / len(text)
    if _ID_NAME.match(series.name) and distinct == 1.0:
        return Guess(Kind.ID, "named like an id, and all different")
    if len(text) >= 10 and distinct >= 0.9 and series.dtype == pl.String:
        codes = float(str(text.str.contains(_CODE.pattern).mean()))
        if codes >= 0.95 and float(str(text.str.len_chars().mean())) <= 64:
            return Guess(Kind.ID, "codes with digits, nearly all different")
    return None


def sounds_like_id(name: str) -> bool:
    """Whether a column's name is one that people give to what names rows or groups."""
    return bool(_ID_NAME.match(name))


def _id_number(series: pl.Series) -> Guess | None:
    """Whole numbers that are all different, under a name like ``id``."""
    if _ID_NAME.match(series.name) and series.dtype != pl.Boolean and not series.dtype.is_float():
        return _id(series)
    return None


def _category(series: pl.Series) -> Guess | None:
    text = as_text(series).drop_nulls()
    distinct = text.n_unique()
    if series.dtype == pl.Boolean or (len(text) and distinct * 2 <= len(text) and distinct <= 1000):
        return Guess(Kind.CATEGORY, f"{distinct:,} different values in {len(text):,} rows")
    return None


def _media(series: pl.Series) -> Guess | None:
    text = as_text(series).drop_nulls().unique() if series.dtype == pl.String else series.clear()
    kind = of_names(text.to_list())
    return None if kind is None else Guess(kind, f"names of {kind.value} files")


def _empty(series: pl.Series) -> Guess | None:
    empty = series.null_count() == len(series) or (
        series.dtype == pl.String and as_text(series).null_count() == len(series)
    )
    return Guess(Kind.NUMBER, "empty") if empty else None


def _text(series: pl.Series) -> Guess | None:  # noqa: ARG001  (the last rule takes what is left)
    return Guess(Kind.TEXT, "neither numbers, times, codes nor values that repeat")


_RULES: tuple[Callable[[pl.Series], Guess | None], ...] = (
    _empty,
    _media,
    _time,
    _id_number,
    _all_numbers,
    _dna,
    _id,
    _category,
    _mostly_numbers,
    _text,
)
