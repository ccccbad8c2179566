"""Documents divided by position: the beginning trains, then comes validation, then the test."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Table
from ostinato.errors import DataError, UsageError

_BLANK = re.compile(r"\s")


def cut_documents(table: Table, column: str, settings: DataSettings) -> tuple[Table, Table, Table]:
    """Cuts every document of a text or token column: all but the last shares train, ``valid`` and ``test`` follow.

    With ``valid=0.1, test=0`` the first nine tenths train. Nothing is lost and nothing stands twice. Words are not torn
    apart where ``settings.unit`` is ``word``. A part without a share has no rows.

    Raises:
        DataError: a document is too short for the parts asked for.
        UsageError: folds of a document, or shares that leave nothing to train on.
    """
    if settings.fold:
        raise UsageError("a document is cut by position and has no folds: leave data.fold out")
    if settings.valid < 0 or settings.test < 0 or settings.valid + settings.test >= 1:
        raise UsageError(f"data.valid={settings.valid} and data.test={settings.test} must leave text to train on")
    pieces: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    shares = (1.0, settings.valid, settings.test)
    for row, document in enumerate(table[column].values):
        borders = _borders(document, settings)
        for part, (start, stop) in enumerate(pairwise(borders)):
            if shares[part] and stop - start < 2:
                raise DataError(
                    f"{len(document):,} steps are too few to cut; set data.valid, data.test or give --valid, --test",
                    path=table.path,
                    row=table.row(row),
                    column=column,
                )
            pieces[part].append(document[start:stop])
    train, valid, test = (
        _with(table, column, piece if share else []) for piece, share in zip(pieces, shares, strict=True)
    )
    return train, valid, test


def _borders(document: Any, settings: DataSettings) -> list[int]:
    total = len(document)
    # The tiny amount keeps 0.9 * 10 at 9, whatever 1 - 0.1 rounds to.
    inner = [int(total * share + 1e-6) for share in (1.0 - settings.valid - settings.test, 1.0 - settings.test)]
    if settings.unit == "word" and isinstance(document, str):
        inner = [_after_word(document, place) for place in inner]
    return [0, *inner, total]


def _after_word(document: str, place: int) -> int:
    if place >= len(document):
        return place
    match = _BLANK.search(document, place)
    return match.start() if match else len(document)


def _with(table: Table, column: str, documents: list[Any]) -> Table:
    """The table with other documents (or with none, and so without rows)."""
    old: Column = table[column]
    if not documents:
        return Table({name: replace(c, values=c.values[:0], missing=frozenset()) for name, c in table.columns.items()})
    return replace(table, columns={**table.columns, column: replace(old, values=documents)})
