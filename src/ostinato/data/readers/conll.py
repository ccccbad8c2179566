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
    """A sentence (or a document): the fields of its tokens, the line of the first one; whether a document begins."""

    rows: list[list[str]]
    line: int
    begins: bool = False


def read_conllu(source: Source, *, documents: bool = False) -> Table:
    """CoNLL-U: ``form`` (TOKENS), and as TAGS ``lemma``, ``upos``, ``xpos``, ``feats``, ``deprel``, where present.

    Comments, multiword tokens (``1-2``) and empty nodes (``1.1``) are skipped. With ``documents`` a row is a document,
    which begins at ``# newdoc``, and not a sentence.
    Source: universaldependencies.org/format.

    Raises:
        DataError: a line without ten columns, without sentences at all, or documents are wanted and none begins.
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
            blocks.append(Block(rows, block.line, block.begins))
    blocks = _documents(blocks, source, "# newdoc") if documents else blocks
    columns = {"form": _column("form", Kind.TOKENS, blocks, 1)}
    for name, place in list(_U_COLUMNS.items())[1:]:
        column = _column(name, Kind.TAGS, blocks, place, blank="_")
        if len(column.missing) < len(blocks):
            columns[name] = column
    more = (f"{skipped:,} multiword and empty-node lines skipped",) if skipped else ()
    return _table(columns, blocks, source, more, documents)


def read_conll(source: Source, *, documents: bool = False) -> Table:
    """CoNLL columns: ``tokens`` (the first), ``tags`` (the last), between them ``column_2``, … (TAGS too).

    Columns are separated by tabs, or else by white space; blank lines end a sentence; ``-DOCSTART-`` lines are skipped.
    With a single column there are only tokens (sentences to tag). With ``documents`` a row is a document, which begins
    at ``-DOCSTART-``, and not a sentence.

    Raises:
        DataError: a line has another number of columns than the first, or documents are wanted and none begins.
    """
    blocks: list[Block] = []
    width, begins = 0, False
    for block in _blocks(source, comments=False):
        rows = []
        for offset, row in enumerate(block.rows):
            if row[0] == "-DOCSTART-":
                begins = True
                continue
            width = width or len(row)
            if len(row) != width:
                raise _uneven(source, block.line + offset, len(row), width, "the first line sets the number")
            rows.append(row)
        if rows:
            blocks.append(Block(rows, block.line, begins))
            begins = False
    blocks = _documents(blocks, source, "-DOCSTART-") if documents else blocks
    columns = {"tokens": _column("tokens", Kind.TOKENS, blocks, 0)}
    for place in range(1, width):
        name = "tags" if place == width - 1 else f"column_{place + 1}"
        columns[name] = _column(name, Kind.TAGS, blocks, place)
    return _table(columns, blocks, source, (), documents)


def _documents(blocks: list[Block], source: Source, mark: str) -> list[Block]:
    """The sentences of each document one after the other; those before the first mark are a document too."""
    if not any(block.begins for block in blocks):
        raise DataError(
            f"no document begins here: put '{mark}' lines in, or set data.documents=false", path=source.path
        )
    whole: list[Block] = []
    for block in blocks:
        if block.begins or not whole:
            whole.append(Block(list(block.rows), block.line, begins=True))
        else:
            whole[-1].rows.extend(block.rows)
    return whole


def _blocks(source: Source, *, comments: bool) -> list[Block]:
    """Runs of lines that are not blank, cut into fields; comments begin with ``#`` and stand before the first token."""
    blocks: list[Block] = []
    rows: list[list[str]] = []
    start, begins = 0, False
    lines = source.lines()
    tabs = comments or any("\t" in line for line in lines[:100])
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if rows:
                blocks.append(Block(rows, start, begins))
                begins = False
            rows = []
        elif comments and line.startswith("#") and not rows:
            begins = begins or line[1:].split()[:1] == ["newdoc"]
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


def _table(
    columns: dict[str, Column], blocks: list[Block], source: Source, more: tuple[str, ...], documents: bool
) -> Table:
    if not blocks:
        raise DataError("holds no sentences", path=source.path)
    tokens = sum(len(block.rows) for block in blocks)
    note = f"{plural(len(blocks), 'document' if documents else 'sentence')} of {plural(tokens, 'token')}"
    return Table(columns, source.path, np.array([block.line for block in blocks], dtype=np.int64), (note, *more))
