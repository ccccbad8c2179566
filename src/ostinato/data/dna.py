"""DNA: which letters there are, and how sequences are brought to one alphabet."""

from __future__ import annotations

import re

from ostinato.data.settings import DataSettings
from ostinato.data.table import Kind
from ostinato.errors import UsageError

IUPAC = "ACGTURYSWKMBDHVN-"
"""The letters of a sequence: four bases, U for T in RNA, eleven for "one of several" (N is any), a gap.
Source: IUPAC-IUB, Nucleic Acids Research 13 (1985), 3021."""

_UNKNOWN = re.compile(f"[^{IUPAC}]")


def clean(sequence: str) -> str:
    """In upper case, without white space, T for U."""
    return "".join(sequence.split()).upper().replace("U", "T")


_COMPLEMENTS = str.maketrans("ACGTRYSWKMBDHVN-", "TGCAYRSWMKVHDBN-")
LONGEST_KMER = 12
"""Bases of a symbol, at most: there are 16.8 million of 12."""


def reverse_complement(sequence: str) -> str:
    """The other strand of a cleaned sequence, read from its own beginning: ``GATTACA`` gives ``TGTAATC``."""
    return sequence.translate(_COMPLEMENTS)[::-1]


def check_strands(data: DataSettings, kind: Kind, why_not: str = "") -> None:
    """Raises ``UsageError`` where settings of DNA do not fit what is read (``kind``), or the task (``why_not``)."""
    if not 1 <= data.kmer <= LONGEST_KMER:
        raise UsageError(f"data.kmer is {data.kmer}; it must be 1 to {LONGEST_KMER} bases")
    for key, chosen in (("kmer", data.kmer > 1), ("strands", data.strands == "both")):
        if chosen and (why_not or kind != Kind.DNA):
            raise UsageError(f"data.{key} is of no use here: {why_not or f'the input is {kind.value}, not dna'}")


def unknown(sequence: str) -> int | None:
    """Where in a cleaned sequence the first letter stands that is not IUPAC's (0 is the first), or None."""
    match = _UNKNOWN.search(sequence)
    return match.start() if match else None


def complaint(sequence: str, position: int) -> str:
    """What to say about the unknown letter at ``position``."""
    return (
        f"'{sequence[position]}' at position {position + 1:,} is no letter of DNA ({IUPAC}): mend it, "
        "or write N for an unknown base"
    )
