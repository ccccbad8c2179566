"""Text: a plain text file, or a label and a text on every line."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from ostinato.data.cells import plural
from ostinato.data.readers.source import Source
from ostinato.data.table import Column, Kind, Table

_LABELLED = re.compile(r"(?:__label__(\S+)|([+-]?\d{1,3}))[ \t]+(\S.*)")
_MOST_LABELS = 20
_LEAST_EACH = 5


def read_text(source: Source) -> Table:
    """One document, one row of TEXT; or ``label`` and ``text``, where every line begins with a label.

    Labels are recognised only where there can be no doubt: every line begins with a number of up to three digits, or
    with ``__label__…``, there are at most 20 different ones, and each comes five times on average.

    Raises:
        DataError: bytes that cannot be read (a ``latin`` source, unit byte, reads any).
    """
    found = None if source.latin else _labelled(source)
    if found is not None:
        return found
    text = source.text
    unit = "one character a byte" if source.latin else "one document"
    note = f"plain text: {unit}, {plural(len(text), 'character')}"
    return Table({"text": Column("text", Kind.TEXT, [text])}, source.path, np.array([1], dtype=np.int64), (note,))


def _labelled(source: Source) -> Table | None:
    labels: list[str] = []
    texts: list[str] = []
    rows: list[int] = []
    for number, line in enumerate(source.lines(), start=1):
        if not line.strip():
            continue
        match = _LABELLED.fullmatch(line.strip())
        if match is None:
            return None
        labels.append(match.group(1) or match.group(2))
        texts.append(match.group(3))
        rows.append(number)
    counts = Counter(labels)
    if not 2 <= len(counts) <= _MOST_LABELS or len(labels) < _LEAST_EACH * len(counts):
        return None
    note = f"{plural(len(labels), 'line')}, each begins with one of {len(counts)} labels: {', '.join(sorted(counts))}"
    columns = {"label": Column("label", Kind.CATEGORY, labels), "text": Column("text", Kind.TEXT, texts)}
    return Table(columns, source.path, np.array(rows, dtype=np.int64), (note,))
