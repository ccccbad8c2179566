"""DNA: which letters there are, and how sequences are brought to one alphabet."""

from __future__ import annotations

import re

IUPAC = "ACGTURYSWKMBDHVN-"
"""The letters of a sequence: four bases, U for T in RNA, eleven for "one of several" (N is any), a gap.
Source: IUPAC-IUB, Nucleic Acids Research 13 (1985), 3021."""

_UNKNOWN = re.compile(f"[^{IUPAC}]")


def clean(sequence: str) -> str:
    """In upper case, without white space, T for U."""
    return "".join(sequence.split()).upper().replace("U", "T")


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
