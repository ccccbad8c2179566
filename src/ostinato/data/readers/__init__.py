"""Readers: from a file (or a folder of them) to a table of typed columns; one reader a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ostinato.data.layouts import Layout
from ostinato.data.media import kind_of
from ostinato.data.readers.archive import read_archive
from ostinato.data.readers.conll import read_conll, read_conllu
from ostinato.data.readers.delimited import read_delimited
from ostinato.data.readers.fasta import read_fasta, read_fastq
from ostinato.data.readers.folder import read_files, read_folder
from ostinato.data.readers.idx import BYTES, read_idx
from ostinato.data.readers.media import read_pairs
from ostinato.data.readers.parallel import apart, read_lines, read_parallel
from ostinato.data.readers.parquet import read_parquet
from ostinato.data.readers.records import read_records
from ostinato.data.readers.sniff import sniff
from ostinato.data.readers.source import Source
from ostinato.data.readers.text import read_text
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError

Reader = Callable[[Source], Table]
TableReader = Callable[[Source, DataSettings, Layout], Table]

TABLES: dict[str, TableReader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".tab": read_delimited,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".jsonl": read_records,
    ".ndjson": read_records,
    ".json": read_records,
}
"""Readers of tables, which need to know what a row is, by suffix."""

READERS: dict[str, Reader] = {
    ".txt": read_text,
    ".conllu": read_conllu,
    ".conll": read_conll,
    ".iob": read_conll,
    ".bio": read_conll,
    ".fa": read_fasta,
    ".fasta": read_fasta,
    ".fna": read_fasta,
    ".ffn": read_fasta,
    ".fq": read_fastq,
    ".fastq": read_fastq,
    ".ts": read_archive,
    ".idx": read_idx,
}
"""All other readers by suffix. A new format is one file and one row."""

_BINARY = (".zip", ".npy", ".npz", ".mat", ".xlsx")


def read(path: str | Path | Sequence[str | Path], settings: DataSettings, layout: Layout = "auto") -> Table:
    """A file, a folder or several files as a table of typed columns.

    The reader is picked by the file's suffix (``.gz`` aside), or by its first lines where the suffix is unknown or
    ``.txt``. What was decided stands in the table's ``notes``.

    Args:
        path: a file; a folder of ``.txt`` or FASTA files, each a class; a folder of sounds, films or images, or one
            such folder for each class; several files of text or DNA; or two parallel files by
            one name, ``train.{de,en}``. A folder of frames is a film, in the folder of its class.
        settings: which columns are what; see :class:`DataSettings`.
        layout: what a row of a table is: ``rows`` an example, ``long`` a step of a series, ``wide`` a series,
            ``pairs`` an example whose target is to be written; ``auto`` and ``series`` leave it open (see
            :func:`ostinato.data.layouts.lay_out`).

    Raises:
        DataError: the file is missing, unreadable, empty or wrong; file, row and column are named.
    """
    if not isinstance(path, str | Path):
        return read_files([Path(one) for one in path], settings)
    files = apart(path)
    if len(files) > 1:
        media = all(file.is_dir() or kind_of(file) for file in files)
        return read_pairs(files) if media else read_parallel(files, settings)
    path = Path(path)
    if path.is_dir() or kind_of(path):
        return read_folder(path, settings)
    source = Source(path, latin=settings.unit == "byte")
    suffix = ".idx" if source.data.startswith(BYTES) else source.suffix
    if suffix in _BINARY:
        raise DataError(f"{suffix} files are not read: {_known()}", path=path)
    known = suffix in TABLES or suffix in READERS
    if layout == "pairs" and (not known or suffix == ".txt"):
        return read_lines(path, settings)
    if not known or (suffix == ".txt" and settings.unit != "byte"):
        suffix = sniff(source, prose=suffix == ".txt")
    if settings.documents:
        return _read_documents(source, suffix)
    return TABLES[suffix](source, settings, layout) if suffix in TABLES else READERS[suffix](source)


def _read_documents(source: Source, suffix: str) -> Table:
    for reader in (read_conllu, read_conll):
        if READERS.get(suffix) is reader:
            return reader(source, documents=True)
    raise DataError("data.documents=true is for CoNLL, where sentences are parts of documents", path=source.path)


def _known() -> str:
    return "use " + ", ".join([*TABLES, *READERS])


__all__ = ["READERS", "TABLES", "Layout", "Source", "read"]
