"""Sentences spoken by espeak-ng in three voices, one never learned from (``pip install espeakng-loader``)."""

from __future__ import annotations

import csv
import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ostinato.data.media.sound import resample, write_sound

RATE = 8000
VOICES = {"train": ("en", "en+f3"), "valid": ("en", "en+f3"), "test": ("en+m3",)}
SIZES = {"train": 500, "valid": 60, "test": 100}
WHO = ("the farmer", "my sister", "an old man", "the young doctor", "our teacher", "a small child", "the driver")
DOES = ("finds", "carries", "paints", "sells", "wants", "sees", "brings", "forgets", "breaks", "washes")
WHAT = ("a red boat", "the green door", "seven apples", "this long letter", "my black horse", "two cups", "a warm coat")
WHERE = ("near the river", "in the garden", "after school", "on monday", "every winter", "with a friend", "at night")
SPEED, PITCH = 1, 3
"""Numbers of espeak-ng's parameters."""


def voice() -> Callable[[str, str, int, int], np.ndarray]:
    """``say(text, voice, words a minute, pitch of 100)`` as samples ``(T,)`` of :data:`RATE`."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)  # 2: wait for the sound
    blocks: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def take(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(text: str, name: str, speed: int, pitch: int) -> np.ndarray:
        blocks.clear()
        if library.espeak_SetVoiceByName(name.encode()):
            raise ValueError(f"espeak-ng has no voice {name}")
        library.espeak_SetSynthCallback(take)
        library.espeak_SetParameter(SPEED, speed, 0)
        library.espeak_SetParameter(PITCH, pitch, 0)
        library.espeak_Synth(text.encode(), len(text.encode()) + 1, 0, 0, 0, 1, None, None)
        return resample(np.concatenate(blocks).astype(np.float32) / 32768, rate, RATE)

    return say


def sentences(_data: Path, work: Path) -> Path:
    """A table for each part; no sentence of the test or validation part is learned from."""
    folder, say, random = work / "espeak_spoken", voice(), np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    every = [f"{who} {does} {what} {where}" for who in WHO for does in DOES for what in WHAT for where in WHERE]
    order = random.permutation(len(every)).tolist()
    for part, size in SIZES.items():
        (folder / part).mkdir(exist_ok=True)
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("audio", "text", "voice"))
            for place in range(size):
                text, name = every[order.pop()], VOICES[part][place % len(VOICES[part])]
                sound = say(text, name, int(random.integers(150, 200)), int(random.integers(30, 70)))
                write_sound(folder / part / f"{place:04d}.wav", sound, RATE)
                writer.writerow((f"{part}/{place:04d}.wav", text, name))
    return folder
