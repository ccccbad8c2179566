"""The ``data`` group of a recipe, and the groups of sound, sight and notes, which it carries to whoever reads files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class AudioSettings:
    """How sound is read, and how it is changed at random for training.

    Args:
        rate: samples a second; other files are resampled; 0: that of the first file.
        features: what a step is: ``log_mel`` energies or ``mfcc`` (cepstral coefficients).
        frame: milliseconds that a frame hears.
        hop: milliseconds from one frame to the next.
        bands: of the mel scale.
        coefficients: of ``mfcc``.
        stack: frames side by side in a step, so that a sound has fewer steps.
        speed: sounds are played up to this share faster or slower.
        noise: white noise of up to so many times a sound's own root mean square is added.
        mask_time: share of the steps that one of two masks hides at most (SpecAugment).
        mask_bands: share of the bands that one of two masks hides at most.
    """

    rate: int = 0
    features: Literal["log_mel", "mfcc"] = "log_mel"
    frame: float = 25.0
    hop: float = 10.0
    bands: int = 40
    coefficients: int = 13
    stack: int = 1
    speed: float = 0.0
    noise: float = 0.0
    mask_time: float = 0.0
    mask_bands: float = 0.0


@dataclass(frozen=True)
class VisionSettings:
    """How films and images are read.

    Args:
        rate: frames a second that are looked at; 0: those the film has.
        size: pixels of each side that a frame or an image is scaled to; 0: as it is, a frame of film up to 64.
        colour: whether colours are seen; else brightness alone.
        steps: what a step of an image is: a ``row`` or a ``pixel`` (row after row).
        shift: in training, pixels by which films and images are moved at random, up, down and to each side.
    """

    rate: float = 0.0
    size: int = 0
    colour: bool = False
    steps: Literal["row", "pixel"] = "row"
    shift: int = 0


@dataclass(frozen=True)
class MusicSettings:
    """How notes are read.

    Args:
        steps_per_beat: steps a quarter note is cut into: 1 to 96; 4: a step is a sixteenth.
    """

    steps_per_beat: int = 4


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
        kmer: bases of DNA that are one symbol; 1: each base by itself. A symbol begins at every base, but in a language
            model, where they stand side by side.
        strands: ``both``: DNA is learned as it stands and as its reverse complement, at random, and answers (one a
            sequence) are the mean of both; where what is asked for does not depend on the strand.
        min_count: symbols seen less often in the training part are unknown.
        documents: of CoNLL, whether a row is a document (from one ``# newdoc`` or ``-DOCSTART-`` to the next), so that
            memory reaches over its sentences.
        missing: missing values of a series: ``mask`` (fill forward, and a channel that says which were there),
            ``fill`` (fill forward only) or ``error``.
        split: ``random`` (stratified; equal inputs stay together), ``group`` (by ``id``), ``time`` (the last rows
            test), ``blocks`` (the last rows of each label test: for rows that overlap with their neighbours) or
            ``auto``.
        valid: share of rows for validation; of a series, of its steps, and a whole number above 1 counts the steps.
        test: share of rows for the test; a series as with ``valid``.
        rows: use only the first so many rows (steps of each series, where rows are steps); 0: all.
        fold: ``"3/10"`` tests on the third of ten folds instead; empty: one split.
        audio: a group of its own.
        vision: a group of its own.
        music: a group of its own.
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
    kmer: int = 1
    strands: Literal["one", "both"] = "one"
    min_count: int = 1
    documents: bool = False
    missing: Literal["mask", "fill", "error"] = "mask"
    split: Literal["auto", "random", "group", "time", "blocks"] = "auto"
    valid: float = 0.1
    test: float = 0.1
    rows: int = 0
    fold: str = ""
    audio: AudioSettings = field(default_factory=AudioSettings)
    vision: VisionSettings = field(default_factory=VisionSettings)
    music: MusicSettings = field(default_factory=MusicSettings)
