"""FASTA and FASTQ: sequences of DNA with a name each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ostinato.data import dna
from ostinato.data.cells import plural
from ostinato.data.readers.source import Source
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError


@dataclass(frozen=True)
class Record:
    """One sequence: its title line and the lines of its letters, with the file's line of the title."""

    title: str
    parts: list[str]
    line: int


def read_fasta(source: Source) -> Table:
    """FASTA: columns ``id`` (the title's first word), ``description`` (the rest of it), ``sequence`` (DNA).

    Letters are IUPAC's, kept in upper case; U (RNA) becomes T. Notes say so, and where there are gaps. Descriptions are
    names, never inputs.

    Raises:
        DataError: text before the first ``>``, a title without a sequence, an unknown letter (with row and position).
    """
    records: list[Record] = []
    for number, line in enumerate(source.lines(), start=1):
        if line.startswith(">"):
            records.append(Record(line[1:].strip(), [], number))
        elif line.strip() and not line.startswith(";"):
            if not records:
                raise DataError("a sequence stands before the first title line ('>name')", path=source.path, row=number)
            records[-1].parts.append(line)
        elif records:
            records[-1].parts.append("")
    return _table(records, source)


def read_fastq(source: Source) -> Table:
    """FASTQ: as FASTA; qualities are checked for their length and not kept.

    Raises:
        DataError: a record that is cut short, lacks ``@`` or ``+``, or has more or fewer qualities than letters.
    """
    lines = source.lines()
    while lines and not lines[-1].strip():
        lines.pop()
    records = []
    for start in range(0, len(lines), 4):
        four = [line.rstrip() for line in lines[start : start + 4]]
        if len(four) < 4:
            raise DataError("the last record is cut short: it needs four lines", path=source.path, row=start + 1)
        title, letters, plus, quality = four
        for offset, mark, text in ((0, "@", title), (2, "+", plus)):
            if not text.startswith(mark):
                raise DataError(f"should begin with '{mark}'", path=source.path, row=start + 1 + offset)
        if len(quality) != len(letters):
            told = f"{plural(len(quality), 'quality')} for {plural(len(letters), 'letter')}".replace(
                "qualitys", "qualities"
            )
            raise DataError(f"{told}: they must be as many", path=source.path, row=start + 4)
        records.append(Record(title[1:].strip(), [letters], start + 1))
    return _table(records, source)


def _table(records: list[Record], source: Source) -> Table:
    ids, descriptions, sequences = [], [], []
    for record in records:
        sequence = "".join(_letters(part, record.line + 1 + k, source) for k, part in enumerate(record.parts))
        if not sequence:
            raise DataError("a title without a sequence: remove it", path=source.path, row=record.line)
        name, _, description = record.title.partition(" ")
        ids.append(name)
        descriptions.append(description.strip())
        sequences.append(sequence)
    if not records:
        raise DataError("holds no sequences", path=source.path)
    lengths = [len(sequence) for sequence in sequences]
    span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
    notes = [f"{plural(len(records), 'sequence')} of {span} bases", *_notes(records, source)]
    empty = frozenset(k for k, text in enumerate(descriptions) if not text)
    columns = {
        "id": Column("id", Kind.ID, ids),
        "description": Column("description", Kind.ID, descriptions, (), empty),
        "sequence": Column("sequence", Kind.DNA, sequences),
    }
    lines = np.array([record.line for record in records], dtype=np.int64)
    return Table(columns, source.path, lines, tuple(notes))


_TOLD = (
    (re.compile("[uU]"), "of RNA", "U is read as T"),
    (re.compile("[a-z]"), "with lower-case bases (a masked repeat)", "read as upper case"),
    (re.compile("-"), "with gaps", "a '-' is a step without a base"),
)
"""What is read otherwise than it is written: what shows it, what such a sequence is, and how it is read."""


def _notes(records: list[Record], source: Source) -> Iterator[str]:
    """A note for each of :data:`_TOLD` that occurs: in how many sequences, and on which line first."""
    for pattern, what, how in _TOLD:
        found = [
            next((record.line + 1 + k for k, part in enumerate(record.parts) if pattern.search(part)), 0)
            for record in records
        ]
        rows = [row for row in found if row]
        if rows:
            first = f"first in {source.path.name}, row {rows[0]:,}"
            yield f"{plural(len(rows), 'sequence')} {what}, {first}: {how}"


def _letters(part: str, line: int, source: Source) -> str:
    sequence = dna.clean(part)
    position = dna.unknown(sequence)
    if position is not None:
        raise DataError(dna.complaint(sequence, position), path=source.path, row=line, column="sequence")
    return sequence
