"""Table: what every reader gives: named columns of one kind each, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.errors import DataError, nearest


class Kind(StrEnum):
    """What a column holds, and so the type of ``Column.values``.

    ========  ==========================================================================
    TEXT      ``list[str]``: a sequence of characters (or words, see the vocabulary's unit)
    TOKENS    ``list[list[str]]``: a sequence of tokens, one list a row
    TAGS      ``list[list[str]]``: a label for every token of the row
    DNA       ``list[str]``: a sequence of IUPAC letters, upper case
    SERIES    ``list[numpy.ndarray]``: ``(T, C)`` float64 each, NaN where a value is missing
    AUDIO     ``list[pathlib.Path]``: a sound file each
    VIDEO     ``list[pathlib.Path]``: a film each, or a folder of its frames
    IMAGE     ``list[pathlib.Path]``: an image each; or its pixels, ``numpy.ndarray (height, width)`` uint8
    MIDI      ``list[pathlib.Path]``: a file of notes each
    NUMBER    ``numpy.ndarray (rows,)`` float64, NaN where missing
    CATEGORY  ``list[str]``
    TIME      ``list[numpy.ndarray]``: ``(T,)`` datetime64[ns] each, aligned with a series
    ID        ``list[str]``: names a row or a group; never an input
    ========  ==========================================================================
    """

    TEXT = "text"
    TOKENS = "tokens"
    TAGS = "tags"
    DNA = "dna"
    SERIES = "series"
    AUDIO = "audio"
    VIDEO = "video"
    IMAGE = "image"
    MIDI = "midi"
    NUMBER = "number"
    CATEGORY = "category"
    TIME = "time"
    ID = "id"


MEDIA_KINDS = frozenset({Kind.AUDIO, Kind.VIDEO, Kind.IMAGE, Kind.MIDI})
SEQUENCE_KINDS = frozenset({Kind.TEXT, Kind.TOKENS, Kind.DNA, Kind.SERIES}) | MEDIA_KINDS


@dataclass(frozen=True)
class Column:
    """One column: its kind and a value a row (the type follows from the kind, see :class:`Kind`).

    ``channels`` names the channels of a series; ``missing`` holds the rows whose value is absent (a row to predict has
    no target).
    """

    name: str
    kind: Kind
    values: Sequence[Any] | np.ndarray
    channels: tuple[str, ...] = ()
    missing: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Column:
        """The rows ``rows`` (indices) in that order."""
        values = self.values[rows] if isinstance(self.values, np.ndarray) else [self.values[int(r)] for r in rows]
        missing = (
            frozenset(i for i, r in enumerate(rows.tolist()) if r in self.missing) if self.missing else frozenset()
        )
        return Column(self.name, self.kind, values, self.channels, missing)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, in file order.

    ``path`` is the file they came from, ``line_of`` the line of the file on which each row begins (for messages; empty
    when unknown), ``line_of_steps`` the line of each step, where a row is a series whose steps have lines of their own,
    ``notes`` what the reader decided and a user should know ("3 of 400 values missing: …").
    """

    columns: dict[str, Column]
    path: Path | None = None
    line_of: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    notes: tuple[str, ...] = ()
    line_of_steps: Sequence[np.ndarray] = ()

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns.values()}) > 1:
            raise ValueError("columns differ in length: " + ", ".join(f"{c.name} {len(c)}" for c in self))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __iter__(self) -> Any:
        return iter(self.columns.values())

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise DataError(f"no column '{name}'.{nearest(name, list(self.columns))}", path=self.path)
        return self.columns[name]

    def take(self, rows: np.ndarray) -> Table:
        """The rows ``rows`` (indices) in that order."""
        lines = self.line_of[rows] if len(self.line_of) else self.line_of
        steps = [self.line_of_steps[int(row)] for row in rows] if self.line_of_steps else ()
        return Table({c.name: c.take(rows) for c in self}, self.path, lines, self.notes, steps)

    def row(self, index: int) -> int | None:
        """The line of the file on which row ``index`` begins, for a :class:`~ostinato.errors.DataError`."""
        return int(self.line_of[index]) if len(self.line_of) else None
