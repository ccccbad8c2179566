"""Describe: a table's inputs in words."""

from __future__ import annotations

from ostinato.data.features import Features
from ostinato.data.table import Kind, Table

_STEP = {"char": "characters", "word": "words", "byte": "bytes", "subword": "sub-words"}
_NAME = {Kind.TEXT: "texts", Kind.TOKENS: "token sequences", Kind.DNA: "DNA sequences", Kind.SERIES: "series"}


def describe_inputs(table: Table, features: Features) -> str:
    """``3,190 DNA sequences of 60 bases``, ``270 series of 7 to 29 steps, 12 channels``."""
    beside = ", ".join(f"'{column.name}'" for column in features.static.columns)
    if features.media is not None:
        return f"{len(table):,} {features.media.describe()}" + (f", beside {beside}" if beside else "")
    kmers = features.vocabulary is not None and features.vocabulary.unit == "kmer"
    pieces = features.vocabulary.pieces if features.vocabulary and not kmers else None
    lengths = [len(pieces(value) if pieces else value) for value in table[features.column].values]
    unit = features.vocabulary.unit if features.vocabulary else ""
    step = {Kind.TOKENS: "tokens", Kind.DNA: "bases", Kind.SERIES: "steps"}.get(features.kind) or _STEP[unit]
    text = f"{len(table):,} {_NAME[features.kind]}"
    if lengths:
        text += f" of {spread(min(lengths), max(lengths))} {step}"
    if features.channels is not None:
        count = len(features.channels.names)
        text += f", {count:,} channel{'s' if count != 1 else ''}"
    if kmers:
        assert features.vocabulary is not None
        text += f", read as overlapping {features.vocabulary.width}-mers"
    if features.strands:
        text += ", both strands"
    return text + (f", beside {beside}" if beside else "")


def spread(low: int, high: int) -> str:
    """``60`` or ``7 to 29``."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
