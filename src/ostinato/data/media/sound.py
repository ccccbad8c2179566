"""Sound: files of sound as samples, and samples as files (the extra ``audio``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ostinato.errors import DataError, UsageError

MOST_SAMPLES: Final = 200_000_000
"""Of one file: 69 minutes at 48 kHz. A longer file is refused before it is decoded."""
MOST_CHANNELS: Final = 64
LEAST_RATE, MOST_RATE = 1_000, 768_000
LOUDEST: Final = 1e6
"""Samples of floats may exceed full scale, but not by so much that their power is infinite."""
BLOCK: Final = 1 << 16
"""Samples decoded at once, so that many channels never lie in memory together."""
_PROMISED = re.compile(r"data\s*:\s*(\d+) \(should be (\d+)\)")
"""What libsndfile notes of a data chunk whose length is not the one its header gives."""
_STREAMED = {0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFF000}
"""Lengths that a header gives where whoever wrote it did not know the end."""


class Sound(NamedTuple):
    """One channel: ``samples (T,)`` float32, of which full scale is ±1, ``rate`` a second."""

    samples: np.ndarray
    rate: int


def read_sound(path: str | Path, rate: int = 0) -> Sound:
    """A file of sound (WAV, FLAC, OGG and what else libsndfile reads) as one channel, the mean of its channels.

    A file that holds less than its header promises is refused. An OGG promises nothing: cut off, it is only shorter.

    Args:
        path: the file.
        rate: samples a second that are wanted (resampled by soxr, whose filter is linear in phase, so that nothing
            moves in time); 0: those of the file.

    Raises:
        DataError: it is no sound, is damaged or ends too early, holds no samples or too many.
        UsageError: the extra ``audio`` is not installed, or the rate is out of its range.
    """
    check_rate(rate)
    path = Path(path)
    if not path.is_file():
        raise DataError("does not exist: check the name and the folder", path=path)
    if not path.stat().st_size:
        raise DataError("is empty: no sound is in it", path=path)
    soundfile = library("soundfile")
    try:
        with soundfile.SoundFile(str(path)) as file:
            _check(file, path)
            samples, found = _decoded(file, path), int(file.samplerate)
    except soundfile.LibsndfileError as error:
        told = str(error.error_string).rstrip(". ")
        raise DataError(f"cannot be read as sound ({told}): is it damaged, or no sound at all?", path=path) from None
    if not rate or rate == found:
        return Sound(samples, found)
    if len(samples) / found * rate > MOST_SAMPLES:
        raise DataError(f"would have more than {MOST_SAMPLES:,} samples of {rate:,} a second: cut it up", path=path)
    return Sound(resample(samples, found, rate), rate)


def check_rate(rate: int) -> None:
    """Raises ``UsageError`` for a rate that no sound has; 0 stands for any."""
    if rate and not LEAST_RATE <= rate <= MOST_RATE:
        raise UsageError(f"audio.rate={rate}: sound has {LEAST_RATE:,} to {MOST_RATE:,} samples a second")


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """``samples (T,)`` of ``rate`` a second as float32 of ``wanted`` a second (soxr, high quality)."""
    found: np.ndarray = library("soxr").resample(samples, rate, wanted, quality="HQ")
    return found.astype(np.float32)


def write_sound(path: str | Path, samples: np.ndarray, rate: int) -> None:
    """Writes ``samples (T,)`` or ``(T, C)`` by the file's suffix, with 16 bits each; what lies beyond ±1 is clipped.

    Raises:
        DataError: the suffix is no sound's, or the file cannot be written.
        UsageError: the extra ``audio`` is not installed.
    """
    soundfile, path = library("soundfile"), Path(path)
    if path.suffix[1:].upper() not in soundfile.available_formats():
        raise DataError(f"sound is not written as '{path.suffix}': use .wav, .flac or .ogg", path=path)
    try:
        clipped = np.clip(np.asarray(samples, dtype=np.float32), -1.0, 1.0)
        soundfile.write(str(path), clipped, rate, subtype="VORBIS" if path.suffix.lower() == ".ogg" else "PCM_16")
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"cannot be written: {error}", path=path) from None


def _check(file: Any, path: Path) -> None:
    """Whether the header's figures are within the limits, and its promise is kept."""
    if not 1 <= file.channels <= MOST_CHANNELS or not LEAST_RATE <= file.samplerate <= MOST_RATE:
        told = f"{file.channels:,} channels of {file.samplerate:,} samples a second"
        limits = f"up to {MOST_CHANNELS} channels of {LEAST_RATE:,} to {MOST_RATE:,}"
        raise DataError(f"has {told}, but sound has {limits}: is it damaged?", path=path)
    if file.frames > MOST_SAMPLES:
        told = f"{file.frames:,} samples of {file.samplerate:,} a second"
        raise DataError(f"is too long: {told}, {MOST_SAMPLES:,} at most; cut it into pieces", path=path)
    promised = _PROMISED.search(file.extra_info)
    if promised and int(promised[1]) not in _STREAMED and int(promised[1]) > int(promised[2]):
        told = f"its header promises {int(promised[1]):,} bytes of sound and {int(promised[2]):,} are there"
        raise DataError(f"is cut off: {told}; copy or record it again", path=path)
    if not file.frames:
        raise DataError("holds no samples: record it again, or leave it out", path=path)


def _decoded(file: Any, path: Path) -> np.ndarray:
    """The mean of the channels ``(T,)`` float32, decoded block by block up to the limit."""
    blocks, count = [], 0
    while count <= file.frames:
        block = file.read(BLOCK, dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(block.mean(axis=1, dtype=np.float32) if block.shape[1] > 1 else block[:, 0])
        count += len(block)
    if count < file.frames:
        told = f"its header promises {file.frames:,} samples and {count:,} could be read"
        raise DataError(f"is cut off or damaged: {told}; copy or record it again", path=path)
    samples = np.concatenate(blocks)
    bad = np.flatnonzero(~(np.abs(samples) <= LOUDEST))
    if len(bad):
        told = f"sample {int(bad[0]) + 1:,} is {samples[bad[0]]:g}, where full scale is 1: is it damaged?"
        raise DataError(told, path=path)
    return samples


def library(name: str) -> Any:
    """A library of the extra ``audio``.

    Raises:
        UsageError: it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except (ImportError, OSError):
        raise UsageError(f'sound needs the library {name}: pip install "ostinato[audio]"') from None
