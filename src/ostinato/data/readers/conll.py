"""CoNLL: sentences as blocks of lines, a token a line, columns of labels beside it; and CoNLL-U."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.data.cells import plural
from ostinato.data.readers.source import Source
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

_U_COLUMNS = {"form": 1, "lemma": 2, "upos": 3, "xpos": 4, "feats": 5, "deprel": 7}
_U_FIELDS = 10


@dataclass(frozen=True)
class Block:
    """A sentence: the fields of its tokens, and the line of the first one."""

    rows: list[list[str]]
    line: int


def read_conllu(source: Source) -> Table:
    """CoNLL-U: ``form`` (TOKENS), and as TAGS ``lemma``, ``upos``, ``xpos``, ``feats``, ``deprel``, where present.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) are skipped.
    Source: universaldependencies.org/format.

    Raises:
        DataError: a line without ten columns, or without sentences at all.
    """
    blocks: list[Block] = []
    skipped = 0
    for block in _blocks(source, comments=True):
        rows = []
        for offset, row in enumerate(block.rows):
            if len(row) != _U_FIELDS:
                raise _uneven(source, block.line + offset, len(row), _U_FIELDS, "CoNLL-U has ten, separated by tabs")
            if row[0].isdecimal():
                rows.append(row)
        skipped += len(block.rows) - len(rows)
        if rows:
            blocks.append(Block(rows, block.line))
    columns = {"form": _column("form", Kind.TOKENS, blocks, 1)}
    for name, place in list(_U_COLUMNS.items())[1:]:
        column = _column(name, Kind.TAGS, blocks, place, blank="_")
        if len(column.missing) < len(blocks):
            columns[name] = column
    more = (f"{skipped:,} multiword and empty-node lines skipped",) if skipped else ()
    return _table(columns, blocks, source, more)


def read_conll(source: Source) -> Table:
    """CoNLL columns: ``tokens`` (the first), ``tags`` (the last), between them ``column_2``, … (TAGS too).

    Columns are separated by tabs, or else by white space; blank lines end a sentence; ``-DOCSTART-`` lines are skipped.
    With a single column there are only tokens (sentences to tag).

    Raises:
        DataError: a line has another number of columns than the first.
    """
    blocks: list[Block] = []
    width = 0
    for block in _blocks(source, comments=False):
        rows = []
        for offset, row in enumerate(block.rows):
            if row[0] == "-DOCSTART-":
                continue
            width = width or len(row)
            if len(row) != width:
                raise _uneven(source, block.line + offset, len(row), width, "the first line sets the number")
            rows.append(row)
        if rows:
            blocks.append(Block(rows, block.line))
    columns = {"tokens": _column("tokens", Kind.TOKENS, blocks, 0)}
    for place in range(1, width):
        name = "tags" if place == width - 1 else f"column_{place + 1}"
        columns[name] = _column(name, Kind.TAGS, blocks, place)
    return _table(columns, blocks, source, ())


def _blocks(source: Source, *, comments: bool) -> list[Block]:
    """Runs of lines that are not blank, cut into fields; comments begin with ``#`` and stand before the first token."""
    blocks: list[Block] = []
    rows: list[list[str]] = []
    start = 0
    lines = source.lines()
    tabs = comments or any("\t" in line for line in lines[:100])
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if rows:
                blocks.append(Block(rows, start))
            rows = []
        elif comments and line.startswith("#") and not rows:
            continue
        else:
            start = start if rows else number
            rows.append(line.rstrip("\n").split("\t") if tabs else line.split())
    return blocks


def _uneven(source: Source, line: int, found: int, wanted: int, why: str) -> DataError:
    return DataError(
        f"has {plural(found, 'column')} instead of {wanted} ({why}): mend the line", path=source.path, row=line
    )


def _column(name: str, kind: Kind, blocks: list[Block], place: int, blank: str = "") -> Column:
    values = [[row[place] for row in block.rows] for block in blocks]
    missing = frozenset(b for b, words in enumerate(values) if kind is Kind.TAGS and all(w == blank for w in words))
    return Column(name, kind, values, (), missing)


def _table(columns: dict[str, Column], blocks: list[Block], source: Source, more: tuple[str, ...]) -> Table:
    if not blocks:
        raise DataError("holds no sentences", path=source.path)
    tokens = sum(len(block.rows) for block in blocks)
    note = f"{plural(len(blocks), 'sentence')} of {plural(tokens, 'token')}"
    return Table(columns, source.path, np.array([block.line for block in blocks], dtype=np.int64), (note, *more))
