"""The ``data`` group of a recipe, and the groups of sound and sight, which it carries to whoever reads files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class AudioSettings:
    """How sound is read.

    Args:
        rate: samples a second; other files are resampled; 0: that of the first file.
    """

    rate: int = 0


@dataclass(frozen=True)
class VisionSettings:
    """How films and images are read.

    Args:
        rate: frames a second that are looked at; 0: those the film has.
        size: pixels of each side that a frame or an image is scaled to; 0: as it is.
    """

    rate: float = 0.0
    size: int = 0


@dataclass(frozen=True)
class DataSettings:
    """Which columns are read, as what, and how rows are split.

    Args:
        target: column to predict; empty where the task needs none (language, forecast of all channels).
        inputs: columns to learn from; empty: every column that can be an input.
        id: column that names the series or the group a row belongs to; groups are never split.
        group: regular expression whose first match in the id names the group (its first capture, if it has one):
            ``"[^-]+"`` puts ``ATRINS-DONOR-521`` with ``ATRINS-ACCEPTOR-701``; empty: the whole id.
        time: column with the time of a row.
        kinds: overrides of the inferred kinds, ``{"sequence": "dna"}``.
        unit: what a step of text is: ``char``, ``word``, ``byte`` or ``subword`` (learned by byte pair encoding; needs
            the extra ``text``); ``auto``: sub-words for a translation of sentences, else characters.
        lower: whether text is lower-cased.
        subwords: size of a vocabulary of sub-words.
        min_count: symbols seen less often in the training part are unknown.
        missing: missing values of a series: ``mask`` (fill forward, and a channel that says which were there),
            ``fill`` (fill forward only) or ``error``.
        split: ``random`` (stratified; equal inputs stay together), ``group`` (by ``id``), ``time`` (the last rows test)
            or ``auto``.
        valid: share of rows for validation; of a series, of its steps, and a whole number above 1 counts the steps.
        test: share of rows for the test; a series as with ``valid``.
        rows: use only the first so many rows (steps of each series, where rows are steps); 0: all.
        fold: ``"3/10"`` tests on the third of ten folds instead; of a series, on the third of its last ten test parts,
            without what comes after it; empty: one split.
        audio: a group of its own.
        vision: a group of its own.
    """

    target: str = ""
    inputs: tuple[str, ...] = ()
    id: str = ""
    group: str = ""
    time: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    unit: Literal["char", "word", "byte", "subword", "auto"] = "char"
    lower: bool = False
    subwords: int = 8000
    min_count: int = 1
    missing: Literal["mask", "fill", "error"] = "mask"
    split: Literal["auto", "random", "group", "time"] = "auto"
    valid: float = 0.1
    test: float = 0.1
    rows: int = 0
    fold: str = ""
    audio: AudioSettings = field(default_factory=AudioSettings)
    vision: VisionSettings = field(default_factory=VisionSettings)
