"""Folder: a file a class: lines of text, or sequences of DNA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ostinato.data.cells import plural
from ostinato.data.media import kind_of
from ostinato.data.readers.fasta import read_fasta, read_fastq
from ostinato.data.readers.media import media_files, read_media
from ostinato.data.readers.sniff import DNA_SUFFIXES, looks_like_fasta
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

LABEL = "label"


def read_folder(folder: Path, settings: DataSettings) -> Table:
    """The files of a folder, each a class (see :func:`read_files`), or each a sound, film or image.

    Raises:
        DataError: there are no such files in it.
    """
    films = Kind.VIDEO in settings.kinds.values()
    if kind_of(folder) or media_files(folder, films=films):
        return read_media(folder, films=films)
    suffixes = {".txt", *DNA_SUFFIXES}
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and Source(p).suffix in suffixes]
    if not paths:
        raise DataError(
            "is a folder without files of text, DNA, sound, film or images: name the file itself, or put a file (of "
            "media, a folder) a class in the folder",
            path=folder,
        )
    return read_files(paths, settings, folder)


def read_files(paths: Sequence[Path], settings: DataSettings, folder: Path | None = None) -> Table:
    """Several files as one table with a column ``label``, the name of the file: text (an example a line) or DNA.

    Raises:
        DataError: some files hold DNA and others text; two files have the same name; no files.
    """
    if not paths:
        raise DataError("no files to read")
    sources = [Source(path, latin=settings.unit == "byte") for path in paths]
    stems = [source.stem for source in sources]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(f"two files are named '{twice}', and the name is the label: rename one", path=folder)
    molecular = [source.suffix in DNA_SUFFIXES or looks_like_fasta(source.data) for source in sources]
    if any(molecular) != all(molecular):
        odd = sources[molecular.index(not molecular[0])]
        raise DataError("holds text, and the other files DNA (or the other way round)", path=odd.path)
    read: Callable[[Source], Table] = _read_dna if molecular[0] else _read_lines
    tables = [read(source) for source in sources]
    counts = ", ".join(f"{stem} {len(table):,}" for stem, table in zip(stems, tables, strict=True))
    note = f"{plural(len(paths), 'file')}, each a class: {counts}"
    return _join(tables, stems, folder or paths[0].parent, note)


def _read_dna(source: Source) -> Table:
    fastq = source.suffix in {".fq", ".fastq"}
    return read_fastq(source) if fastq else read_fasta(source)


def _read_lines(source: Source) -> Table:
    lines = [(number, line.strip()) for number, line in enumerate(source.lines(), start=1) if line.strip()]
    texts = [line for _, line in lines]
    return Table(
        {"text": Column("text", Kind.TEXT, texts)}, source.path, np.array([n for n, _ in lines], dtype=np.int64)
    )


def _join(tables: list[Table], stems: list[str], folder: Path, note: str) -> Table:
    columns: dict[str, Column] = {}
    for name, first in tables[0].columns.items():
        values: list[str] = []
        missing: set[int] = set()
        for table in tables:
            missing |= {row + len(values) for row in table[name].missing}
            values += table[name].values
        columns[name] = Column(name, first.kind, values, (), frozenset(missing))
    labels = [stem for stem, table in zip(stems, tables, strict=True) for _ in range(len(table))]
    columns[LABEL] = Column(LABEL, Kind.CATEGORY, labels)
    lines = tables[0].line_of if len(tables) == 1 else np.empty(0, dtype=np.int64)  # a line of which file?
    # The first note of a table counts its sequences, which the joint note does.
    return Table(columns, folder, lines, (note, *(one for table in tables for one in table.notes[1:])))
