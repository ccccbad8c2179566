"""Archive: the ``.ts`` files of the UEA and UCR time series archives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ostinato.data.cells import plural, shown
from ostinato.data.readers.source import Source
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError


@dataclass
class Header:
    """What the lines with ``@`` say."""

    labels: list[str] = field(default_factory=list)
    target: str = ""
    dimensions: int = 0


def read_archive(source: Source) -> Table:
    """``.ts``: columns ``series`` (SERIES) and ``label`` (CATEGORY), or ``target`` (NUMBER) for a regression set.

    On each line of ``@data`` channels are separated by ``:`` and values by ``,``; ``?`` and ``NaN`` are missing; the
    label stands last. A label ``?`` is missing (a row to predict). Source: aeon's
    and sktime's documentation of the format.

    Raises:
        DataError: time stamps in the data, no ``@data``, a label not announced, channels of unequal lengths, a value
            that is no number.
    """
    header = Header()
    arrays: list[np.ndarray] = []
    answers: list[str] = []
    lines: list[int] = []
    inside = False
    for number, raw in enumerate(source.lines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if not inside:
            inside = _announce(header, line, number, source)
            continue
        parts = line.split(":")
        if header.target:
            answers.append(_answer(parts.pop().strip(), header, number, source))
        arrays.append(_array(parts, header, number, source))
        lines.append(number)
    if not inside or not arrays:
        raise DataError("has no data: it needs a line @data and rows after it", path=source.path)
    return _table(arrays, answers, lines, header, source)


def _announce(header: Header, line: str, number: int, source: Source) -> bool:
    """Reads one line of the header; True at ``@data``."""
    if not line.startswith("@"):
        raise DataError("data before the line @data", path=source.path, row=number)
    key, *values = line[1:].split()
    key = key.lower()
    told = values[0].lower() if values else ""
    if key == "timestamps" and told == "true":
        raise DataError(
            "has time stamps, which are not read: save the series without (timeStamps false), or as a long CSV table "
            "with a time column",
            path=source.path,
            row=number,
        )
    if key == "classlabel" and told == "true":
        header.target, header.labels = "label", values[1:]
    if key == "targetlabel" and told == "true":
        header.target = "target"
    if key in {"dimensions", "dimension"} and told:
        if not told.isdecimal():
            raise DataError(f"{shown(values[0])} is no number of dimensions", path=source.path, row=number)
        header.dimensions = int(told)
    return key == "data"


def _answer(word: str, header: Header, number: int, source: Source) -> str:
    if word == "?":
        return ""
    if header.target == "label" and header.labels and word not in header.labels:
        raise DataError(
            f"the label {shown(word)} is none of those announced by @classLabel ({', '.join(header.labels)})",
            path=source.path,
            row=number,
        )
    return word


def _array(parts: list[str], header: Header, number: int, source: Source) -> np.ndarray:
    """One line as ``(T, C)``."""
    header.dimensions = header.dimensions or len(parts)
    if len(parts) != header.dimensions:
        told = f"has {plural(len(parts), 'channel')} instead of {header.dimensions}"
        raise DataError(f"{told}: channels are separated by ':', the label stands last", path=source.path, row=number)
    channels = [_values(part, f"channel {c + 1}", number, source) for c, part in enumerate(parts)]
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        told = ", ".join(str(len(channel)) for channel in channels)
        raise DataError(f"channels differ in length ({told}): fill the shorter with ?", path=source.path, row=number)
    return np.stack(channels, axis=1)


def _values(part: str, channel: str, number: int, source: Source) -> np.ndarray:
    words = [word.strip() for word in part.split(",")] if part.strip() else []
    values = np.empty(len(words))
    for place, word in enumerate(words):
        try:
            values[place] = np.nan if word == "?" else float(word)
        except ValueError:
            raise DataError(
                f"{shown(word)} is not a number (value {place + 1}): write ? for a missing one",
                path=source.path,
                row=number,
                column=channel,
            ) from None
    if np.isinf(values).any():
        raise DataError("holds an infinite number: write ? instead", path=source.path, row=number, column=channel)
    return values


def _table(arrays: list[np.ndarray], answers: list[str], lines: list[int], header: Header, source: Source) -> Table:
    names = tuple(f"channel_{c + 1}" for c in range(header.dimensions))
    columns = {"series": Column("series", Kind.SERIES, arrays, names)}
    lengths = [len(array) for array in arrays]
    gaps = sum(int(np.isnan(array).sum()) for array in arrays)
    notes = [
        f"{plural(len(arrays), 'series')} of {min(lengths):,} to {max(lengths):,} steps, "
        f"{plural(header.dimensions, 'channel')}"
    ]
    notes += [f"{plural(gaps, 'value')} missing"] if gaps else []
    missing = frozenset(k for k, answer in enumerate(answers) if not answer)
    if header.target == "label":
        columns["label"] = Column("label", Kind.CATEGORY, answers, (), missing)
    elif header.target:
        numbers = [
            _values(answer, "target", line, source)[0] if answer else np.nan
            for answer, line in zip(answers, lines, strict=True)
        ]
        columns["target"] = Column("target", Kind.NUMBER, np.array(numbers), (), missing)
    return Table(columns, source.path, np.array(lines, dtype=np.int64), tuple(notes))
