"""Spoken digits (fsdd) as tables: the official split, all of it, and digits joined into numbers of three to seven."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ostinato.data.media.sound import read_sound, write_sound

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000
PAUSE = 0.1
"""Seconds of silence between two digits, at most."""
SIZES = {"train": 1000, "valid": 150, "test": 200}
"""Joined numbers of each part; every recording is used about as often as the others of its part."""


class Clip(NamedTuple):
    """A recording: ``7_jackson_32.wav`` is the 32nd seven of jackson."""

    path: Path
    digit: int
    speaker: str
    part: str


def clips(data: Path) -> list[Clip]:
    """All recordings; of each digit and speaker the first five test, as the set's own split has it, the last choose."""
    found = []
    for path in sorted((data / "fsdd" / "recordings").glob("*.wav")):
        digit, speaker, number = path.stem.split("_")
        part = "test" if int(number) < 5 else "valid" if int(number) >= 30 else "train"
        found.append(Clip(path, int(digit), speaker, part))
    return found


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def digits(data: Path, work: Path) -> Path:
    """A table for each part, for all, and for what does not test: a recording, its digit and its speaker a row."""
    folder = work / "fsdd_tables"
    folder.mkdir(exist_ok=True)
    found, head = clips(data), ("audio", "digit", "speaker")
    parts = {"all": SIZES, "rest": ("train", "valid"), **{part: (part,) for part in SIZES}}
    for name, held in parts.items():
        rows = [(one.path.absolute(), one.digit, one.speaker) for one in found if one.part in held]
        write_table(folder / f"{name}.csv", head, rows)
    return folder


def numbers(data: Path, work: Path) -> Path:
    """A table for each part: digits of one speaker, joined with short pauses, as words; parts share no recording."""
    folder = work / "fsdd_joined"
    folder.mkdir(exist_ok=True)
    random, found = np.random.default_rng(0), clips(data)
    for part, size in SIZES.items():
        (folder / part).mkdir(exist_ok=True)
        speakers = sorted({one.speaker for one in found})
        decks: dict[str, list[Clip]] = {speaker: [] for speaker in speakers}
        rows = []
        for place in range(size):
            speaker = speakers[place % len(speakers)]
            count = int(random.integers(3, 8))
            if len(decks[speaker]) < count:
                deck = [one for one in found if one.part == part and one.speaker == speaker]
                decks[speaker] += [deck[card] for card in random.permutation(len(deck))]
            hand, decks[speaker] = decks[speaker][:count], decks[speaker][count:]
            name = f"{part}/{place:04d}.wav"
            write_sound(folder / name, joined(hand, random), RATE)
            rows.append((name, " ".join(WORDS[one.digit] for one in hand), speaker))
        write_table(folder / f"{part}.csv", ("audio", "text", "speaker"), rows)
    return folder


def joined(hand: Sequence[Clip], random: np.random.Generator) -> np.ndarray:
    """The recordings one after the other."""
    pieces: list[np.ndarray] = []
    for one in hand:
        pieces += [read_sound(one.path, RATE).samples, np.zeros(int(random.uniform(0, PAUSE) * RATE), np.float32)]
    return np.concatenate(pieces[:-1])
