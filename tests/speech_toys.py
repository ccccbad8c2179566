"""Made speech for tests: every letter is a tone, a word is letters in a row, and words are parted by silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ostinato.data.media.sound import write_sound

RATE = 8000
PITCH = {"a": 400, "b": 800, "c": 1600, "d": 3000}
WORDS = ("ab", "cad", "dab", "bad", "cab", "da")


def spoken(text: str, random: np.random.Generator) -> np.ndarray:
    """``(T,)`` float32: letters of 60 to 90 ms with a little noise."""
    pieces = []
    for letter in text:
        count = int(RATE * random.uniform(0.06, 0.09))
        ramp = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / 80)
        tone = np.sin(2 * np.pi * PITCH.get(letter, 0) * np.arange(count) / RATE)
        pieces += [0.4 * ramp * tone, np.zeros(160)]
    sound = np.concatenate([np.zeros(400), *pieces, np.zeros(400)])
    found: np.ndarray = (sound + random.normal(0, 0.002, len(sound))).astype(np.float32)
    return found


def sentences(count: int, seed: int = 0) -> tuple[list[str], list[np.ndarray]]:
    """So many texts of one to three words, and how they sound."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 4))) for _ in range(count)]
    return texts, [spoken(text, random) for text in texts]


def manifest(folder: Path, count: int, seed: int = 0, name: str = "talks.csv") -> Path:
    """Their files, named by a table with the columns ``audio`` and ``text``."""
    folder.mkdir(exist_ok=True)
    lines = ["audio,text"]
    for number, (text, sound) in enumerate(zip(*sentences(count, seed), strict=True)):
        write_sound(folder / f"{seed}-{number}.wav", sound, RATE)
        lines.append(f"{seed}-{number}.wav,{text}")
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name
