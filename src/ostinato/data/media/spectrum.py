"""Spectrum: samples of sound as steps of log-mel energies or cepstral coefficients, whole or block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.errors import UsageError

FLOOR = 1e-6
"""Added to every energy, or the logarithm of silence were infinite: about that of the noise of 16-bit samples."""
LOWEST = 20.0
"""Hertz where the lowest band begins."""


@dataclass(frozen=True)
class Spectrum:
    """``x[t] = ln(M |FFT(w · s[tP : tP + n])|² + 1e-6)``, and of ``mfcc`` the first rows of its DCT.

    ``s`` are the samples, ``w`` a Hann window of ``frame`` milliseconds, ``P`` the hop, ``n`` the next power of two,
    ``M`` triangles of equal width and height 1 on the mel scale ``2595 log10(1 + f / 700)`` from 20 Hz to half the
    rate. The DCT is orthonormal (type 2; Davis and Mermelstein 1980). A step holds ``stack`` frames side by side.

    A frame sees no sample after its own, so that blocks of a stream give the same numbers as the whole. The end is
    filled up with silence until every sample is in a step.

    Args:
        rate: samples a second.
        kind: ``log_mel`` or ``mfcc``.
        frame: milliseconds.
        hop: milliseconds from one frame to the next.
        bands: of the mel scale.
        coefficients: of ``mfcc``, the mean first.
        stack: frames a step.

    Raises:
        UsageError: a number is out of its range, or a band is narrower than the spectrum is fine.
    """

    rate: int
    kind: Literal["log_mel", "mfcc"] = "log_mel"
    frame: float = 25.0
    hop: float = 10.0
    bands: int = 40
    coefficients: int = 13
    stack: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frame", 1.0, 1000.0),
            ("hop", 1.0, self.frame),
            ("bands", 2, 256),
            ("coefficients", 1, self.bands if self.kind == "mfcc" else 256),
            ("stack", 1, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"audio.{name}={value}: it must be from {low:g} to {high:g}")
        if self.kind not in {"log_mel", "mfcc"}:
            raise UsageError(f"audio.features cannot be '{self.kind}': it is log_mel or mfcc")
        if not bool((self.mel.sum(0) > 0).all()):
            raise UsageError(
                f"audio.bands={self.bands} are too many for {self.rate:,} samples a second and a frame of "
                f"{self.frame:g} ms: one would hear nothing; set fewer bands or a longer audio.frame"
            )

    @property
    def size(self) -> int:
        """Numbers a step has."""
        return self.stack * (self.bands if self.kind == "log_mel" else self.coefficients)

    @property
    def jump(self) -> int:
        """``P``, samples from one frame to the next."""
        return max(1, round(self.rate * self.hop / 1000))

    @property
    def step_samples(self) -> int:
        """Samples from one step to the next."""
        return self.jump * self.stack

    @property
    def seconds(self) -> float:
        """From one step to the next."""
        return self.step_samples / self.rate

    @cached_property
    def length(self) -> int:
        """``n``, samples a frame sees."""
        return 1 << math.ceil(math.log2(max(2, round(self.rate * self.frame / 1000))))

    @cached_property
    def window(self) -> Tensor:
        """``(n,)``: a Hann window, zeros around it."""
        inner = torch.hann_window(round(self.rate * self.frame / 1000), dtype=torch.float64)
        before = (self.length - len(inner)) // 2
        return F.pad(inner, (before, self.length - len(inner) - before)).float()

    @property
    def edges(self) -> Tensor:
        """``(bands + 2,)`` hertz: band ``k`` begins at edge ``k``, is loudest at the next and ends at the one after."""
        edges = torch.linspace(_mel(LOWEST), _mel(self.rate / 2), self.bands + 2, dtype=torch.float64)
        return 700.0 * (10.0 ** (edges / 2595.0) - 1.0)

    @cached_property
    def mel(self) -> Tensor:
        """``(n / 2 + 1, bands)``: how much of each frequency each band hears."""
        hertz = self.edges
        found = torch.linspace(0.0, self.rate / 2, self.length // 2 + 1, dtype=torch.float64)[:, None]
        rising = (found - hertz[:-2]) / (hertz[1:-1] - hertz[:-2])
        falling = (hertz[2:] - found) / (hertz[2:] - hertz[1:-1])
        return torch.minimum(rising, falling).clamp(min=0.0).float()

    @cached_property
    def dct(self) -> Tensor:
        """``(bands, coefficients)``, orthonormal columns."""
        place = torch.arange(self.bands, dtype=torch.float64)[:, None] + 0.5
        order = torch.arange(self.coefficients, dtype=torch.float64)
        columns = torch.cos(math.pi / self.bands * place * order) * math.sqrt(2.0 / self.bands)
        columns[:, 0] /= math.sqrt(2.0)
        return columns.float()

    def steps_of(self, samples: int) -> int:
        """How many steps hold so many samples, at least 1."""
        frames = 1 + max(0, -(-(samples - self.length) // self.jump))
        return -(-frames // self.stack)

    def steps(self, samples: Tensor) -> Tensor:
        """``samples (T,)`` float as ``(steps, size)``."""
        needed = self.length + (self.steps_of(len(samples)) * self.stack - 1) * self.jump
        return self.whole_steps(F.pad(samples, (0, needed - len(samples))) if needed > len(samples) else samples)

    def whole_steps(self, samples: Tensor) -> Tensor:
        """The steps that lie within ``samples (T,)`` as a whole; one is there at least."""
        found = torch.stft(
            samples, self.length, self.jump, window=self.window, center=False, return_complex=True, onesided=True
        )
        power = found.real.square() + found.imag.square()
        values = (power.T @ self.mel + FLOOR).log()
        if self.kind == "mfcc":
            values = values @ self.dct
        whole = len(values) // self.stack
        return values[: whole * self.stack].reshape(whole, self.size)


class SpectrumStream:
    """A :class:`Spectrum` of samples that come block by block: the steps are those of the whole."""

    def __init__(self, spectrum: Spectrum) -> None:
        self.spectrum = spectrum
        self.rest = torch.empty(0)
        self.heard, self.given = 0, 0

    def hear(self, samples: Tensor) -> Tensor:
        """The steps ``(K, size)``, none or several, that are whole with ``samples (T,)``."""
        spectrum = self.spectrum
        self.rest = torch.cat([self.rest, samples])
        self.heard += len(samples)
        count = (len(self.rest) - spectrum.length + spectrum.jump) // spectrum.step_samples
        if count < 1:
            return samples.new_empty(0, spectrum.size)
        found = spectrum.whole_steps(self.rest[: spectrum.length + (count * spectrum.stack - 1) * spectrum.jump])
        self.rest = self.rest[count * spectrum.step_samples :]
        self.given += count
        return found

    def end(self) -> Tensor:
        """The last steps, filled up with silence."""
        left = self.spectrum.steps_of(self.heard) - self.given
        if not self.heard or left < 1:
            return self.rest.new_empty(0, self.spectrum.size)
        self.given += left
        needed = self.spectrum.length + (left * self.spectrum.stack - 1) * self.spectrum.jump
        return self.spectrum.whole_steps(F.pad(self.rest, (0, needed - len(self.rest))))


def _mel(hertz: float) -> float:
    return 2595.0 * math.log10(1.0 + hertz / 700.0)
