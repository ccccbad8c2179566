"""Sniff: what a file is by its first lines, where its name does not say."""

from __future__ import annotations

import re

from ostinato.data.readers.source import Source

DNA_SUFFIXES = frozenset({".fa", ".fasta", ".fna", ".ffn", ".fq", ".fastq"})

_FASTA = re.compile(rb"\s*>[^\n]*\n\s*[A-Za-z*-]+[\s*]*(\n|$)")
_FASTQ = re.compile(rb"@[^\n]*\n[A-Za-z.-]+\r?\n\+[^\n]*\n")
_ARCHIVE = re.compile(
    rb"(\s*[#%][^\n]*\n|\s*\n)*@(problemname|timestamps|univariate|missing|classlabel)", re.IGNORECASE
)
_CONLLU = re.compile(r"(#[^\n]*\n|\s*\n)*1(-\d+)?(\t[^\t\n]*){9}\n")
_HEAD = 65536


def looks_like_fasta(data: bytes) -> bool:
    """Whether the first line is a title and the second letters only."""
    return _FASTA.match(data[:_HEAD]) is not None


def sniff(source: Source, *, prose: bool) -> str:
    """The suffix that fits the content.

    One of ``.fasta``, ``.fastq``, ``.ts``, ``.parquet``, ``.jsonl``, ``.conllu``, ``.conll``, ``.csv``, ``.txt``.

    Args:
        source: the file.
        prose: its name says that it is text (``.txt``), so commas are no separators.
    """
    head = source.data[:_HEAD]
    if head.startswith(b"PAR1"):
        return ".parquet"
    for pattern, suffix in ((_FASTA, ".fasta"), (_FASTQ, ".fastq"), (_ARCHIVE, ".ts")):
        if pattern.match(head):
            return suffix
    text = head.decode("utf-8", errors="ignore").replace("\r\n", "\n")
    lines = text.split("\n")
    lines = lines[:-1] if len(lines) > 1 else lines  # the last one may be cut
    if _CONLLU.match(text):
        return ".conllu"
    if _is_conll(lines):
        return ".conll"
    return ".txt" if prose else _sniff_table(lines)


def _sniff_table(lines: list[str]) -> str:
    if lines[0].startswith(("{", "[{")):
        return ".jsonl"
    return ".csv" if _is_delimited(lines) else ".txt"


def _is_conll(lines: list[str]) -> bool:
    """Blocks of lines with one number of columns (two or more), separated by blank lines; three blocks at least."""
    filled = [line.split() for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    blocks = sum(1 for before, line in zip(["", *lines], lines, strict=False) if line.strip() and not before.strip())
    widths = {len(fields) for fields in filled}
    return blocks >= 3 and len(filled) >= 2 * blocks and len(widths) == 1 and widths.pop() >= 2


def _is_delimited(lines: list[str]) -> bool:
    """Whether one separator comes as often on each of the first lines."""
    sample = [line for line in lines[:50] if line.strip()]
    return len(sample) > 1 and any(
        len(counts := {line.count(separator) for line in sample}) == 1 and counts.pop() > 0 for separator in ",\t;|"
    )
