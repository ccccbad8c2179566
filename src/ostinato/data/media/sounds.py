"""Sounds: the sound files of a column as steps, scaled by the training part, and changed at random for training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ostinato.data.media.base import Media
from ostinato.data.media.sound import Sound, check_rate, read_sound, resample
from ostinato.data.media.spectrum import Spectrum
from ostinato.data.settings import AudioSettings, DataSettings
from ostinato.data.table import Column, Table
from ostinato.errors import DataError, ModelFolderError, UsageError, intact
from ostinato.sequences import Ragged

MASKS = 2
"""Masks of each kind that a sound gets, as in the stronger settings of SpecAugment."""
LEAST_SCALE = 1e-3
"""Bands that hardly move in the training part are divided by this."""


@dataclass(frozen=True)
class Heard(Ragged):
    """Steps, and the samples ``(N',)`` of each sound that they were computed from."""

    samples: Ragged

    def take(self, index: Tensor) -> Heard:
        """The sounds ``index`` ``(K,)`` in that order, copied."""
        steps = super().take(index)
        return Heard(steps.values, steps.lengths, self.samples.take(index))


@dataclass(frozen=True)
class Sounds(Media):
    """Fitted: rate and spectrum, and mean and standard deviation of each number of a frame over the training part.

    Args:
        spectrum: what a step is.
        mean: one for each number of a frame.
        scale: as ``mean``.
        changes: how sounds are changed for training: ``speed``, ``noise``, ``mask_time`` and ``mask_bands`` of it.
    """

    spectrum: Spectrum
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    changes: AudioSettings

    @property
    def size(self) -> int:
        """Numbers a step has."""
        return self.spectrum.size

    @classmethod
    def fit(cls, column: Column, table: Table, data: DataSettings) -> Self:
        """From the training part.

        Raises:
            DataError: a file cannot be read; file, row and column are named.
            UsageError: a setting is out of its range, or the extra ``audio`` is missing.
        """
        audio = data.audio
        check(audio)
        rate = audio.rate or _read(column, table, 0, 0).rate
        spectrum = Spectrum(rate, audio.features, audio.frame, audio.hop, audio.bands, audio.coefficients, audio.stack)
        width = spectrum.size // spectrum.stack
        count, total, squares = 0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
        for row in range(len(column)):
            frames = spectrum.steps(_samples(column, table, row, rate)).reshape(-1, width).double()
            count, total, squares = count + len(frames), total + frames.sum(0), squares + frames.square().sum(0)
        mean = total / max(count, 1)
        scale = (squares / max(count, 1) - mean.square()).clamp(min=LEAST_SCALE**2).sqrt()
        changes = AudioSettings(**{name: getattr(audio, name) for name in CHANGES})
        return cls(spectrum, tuple(mean.tolist()), tuple(scale.tolist()), changes)

    def encode(self, column: Column, table: Table) -> Ragged:
        """Every sound as steps ``(N, size)`` float32, with its samples where training changes them.

        Raises:
            DataError: a file cannot be read; file, row and column are named.
        """
        sounds = [_samples(column, table, row, self.spectrum.rate) for row in range(len(column))]
        steps = [self.scaled(self.spectrum.steps(samples)) for samples in sounds]
        if not steps:
            return Ragged(torch.empty(0, self.size), torch.empty(0, dtype=torch.int64))
        found = Ragged.from_list(steps)
        if not (self.changes.speed or self.changes.noise):
            return found
        return Heard(found.values, found.lengths, Ragged.from_list(sounds))

    def scaled(self, steps: Tensor) -> Tensor:
        """``(steps - mean) / scale`` of ``(K, size)``."""
        mean, scale = (torch.tensor(part).repeat(self.spectrum.stack) for part in (self.mean, self.scale))
        return (steps - mean) / scale

    def vary(self, steps: Ragged) -> Ragged:
        """A training batch, each sound faster or slower, with noise, and with masks (Park et al. 2019, SpecAugment).

        A sound is played ``1 - speed`` to ``1 + speed`` times as fast, gets white noise of up to ``noise`` times its
        own root mean square, and then :data:`MASKS` masks of each kind, of up to the shares ``mask_time`` of its steps
        and ``mask_bands`` of its bands, are set to the mean of the training part.
        """
        if isinstance(steps, Heard):
            changed = [self._changed(samples) for samples in steps.samples]
            steps = Ragged.from_list([self.scaled(self.spectrum.steps(samples)) for samples in changed])
        if not (self.changes.mask_time or self.changes.mask_bands):
            return Ragged(steps.values, steps.lengths)
        masked = [self._masked(one) for one in steps.map(torch.clone)]
        return Ragged.from_list(masked)

    def _changed(self, samples: Tensor) -> Tensor:
        fast, loud = torch.rand(2).tolist()
        if self.changes.speed:
            factor = 1.0 + self.changes.speed * (2.0 * fast - 1.0)
            rate = self.spectrum.rate
            samples = torch.from_numpy(resample(samples.numpy(), round(rate * factor), rate))
        if self.changes.noise:
            strength = self.changes.noise * loud * float(samples.square().mean().sqrt())
            samples = samples + strength * torch.randn(len(samples))
        return samples

    def _masked(self, steps: Tensor) -> Tensor:
        frames = steps.view(len(steps), self.spectrum.stack, -1)
        for _ in range(MASKS):
            start, stop = _mask(len(steps), self.changes.mask_time)
            frames[start:stop] = 0.0
            start, stop = _mask(frames.shape[2], self.changes.mask_bands)
            frames[:, :, start:stop] = 0.0
        return steps

    def describe(self) -> str:
        """``sounds, a step of 10 ms: 40 log-mel bands, 8,000 samples a second``."""
        spectrum = self.spectrum
        what = f"{spectrum.bands} log-mel bands"
        if spectrum.kind == "mfcc":
            what = f"{spectrum.coefficients} cepstral coefficients"
        frames = f"{spectrum.stack} frames of " if spectrum.stack > 1 else ""
        return f"sounds, a step of {1000 * spectrum.seconds:g} ms: {frames}{what}, {spectrum.rate:,} samples a second"

    def notes(self, column: Column) -> tuple[str, ...]:
        """Nothing: what cannot be read is an error."""
        del column
        return ()

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        changes = {name: getattr(self.changes, name) for name in CHANGES}
        return {
            "spectrum": asdict(self.spectrum),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "changes": changes,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the sound's settings are damaged"):
            spectrum = Spectrum(**config["spectrum"])
            mean, scale = (tuple(float(value) for value in config[name]) for name in ("mean", "scale"))
            changes = AudioSettings(**config["changes"])
        if not len(mean) == len(scale) == spectrum.size // spectrum.stack:
            raise ModelFolderError("the sound's settings are damaged: mean and scale do not fit its bands")
        return cls(spectrum, mean, scale, changes)


CHANGES = ("speed", "noise", "mask_time", "mask_bands")
"""The settings by which sounds are changed for training."""


def check(audio: AudioSettings) -> None:
    """Raises ``UsageError`` for the first change that cannot be."""
    check_rate(audio.rate)
    for name, most in (("speed", 0.5), ("noise", 10.0), ("mask_time", 1.0), ("mask_bands", 1.0)):
        value = getattr(audio, name)
        if not 0.0 <= value <= most:
            raise UsageError(f"audio.{name}={value}: it must be from 0 to {most:g}")
    if audio.features == "mfcc" and audio.mask_bands:
        raise UsageError("audio.mask_bands masks bands, and mfcc has none: set it to 0, or audio.features=log_mel")


def _mask(count: int, share: float) -> tuple[int, int]:
    """Where a mask of up to ``share`` of ``count`` begins and ends, at random."""
    width, place = torch.rand(2).tolist()
    size = int(width * (share * count + 1)) if share else 0
    start = int(place * (count - size + 1))
    return start, start + size


def _samples(column: Column, table: Table, row: int, rate: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(_read(column, table, row, rate).samples))


def _read(column: Column, table: Table, row: int, rate: int) -> Sound:
    """One sound; samples ``(T,)`` in place of a file are taken to have the rate."""
    value = column.values[row]
    if not isinstance(value, str | Path):
        samples = np.asarray(value, dtype=np.float32)
        if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
            raise DataError("samples are finite numbers (T,), one at least", row=table.row(row), column=column.name)
        if not rate:
            raise UsageError("samples in place of files need their rate: set audio.rate")
        return Sound(samples, rate)
    try:
        return read_sound(value, rate)
    except DataError as error:
        if table.row(row) is None:
            raise
        raise DataError(str(error), path=table.path, row=table.row(row), column=column.name) from None
