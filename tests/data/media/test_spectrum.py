"""Spectra against a plain computation frame by frame, and blocks of a stream against the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.media.spectrum import Spectrum, SpectrumStream
from ostinato.errors import UsageError


def hertz(mel: float) -> float:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def by_hand(samples: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    """The steps as the docstring has them, in float64, frame by frame and band by band."""
    rate, n = spectrum.rate, spectrum.length
    width = round(rate * spectrum.frame / 1000)
    window = np.zeros(n)
    window[(n - width) // 2 : (n - width) // 2 + width] = scipy.signal.get_window("hann", width)
    low, high = (2595.0 * math.log10(1.0 + f / 700.0) for f in (20.0, rate / 2))
    edges = [hertz(mel) for mel in np.linspace(low, high, spectrum.bands + 2)]
    frames = []
    for start in range(0, len(samples) - n + 1, round(rate * spectrum.hop / 1000)):
        power = np.abs(scipy.fft.rfft(samples[start : start + n] * window)) ** 2
        bins = np.arange(n // 2 + 1) * rate / n
        energies = [power @ np.interp(bins, edges[b : b + 3], [0.0, 1.0, 0.0]) for b in range(spectrum.bands)]
        frames.append(np.log(np.array(energies) + 1e-6))
    found = np.array(frames)
    return scipy.fft.dct(found, norm="ortho")[:, : spectrum.coefficients] if spectrum.kind == "mfcc" else found


@pytest.mark.parametrize(
    "spectrum",
    [
        Spectrum(8000),
        Spectrum(8000, "mfcc", coefficients=20),
        Spectrum(16_000, frame=20.0, hop=12.5, bands=64),
        Spectrum(44_100, bands=80),
        Spectrum(8000, frame=32.0, hop=32.0, bands=10),
    ],
    ids=lambda spectrum: f"{spectrum.rate} {spectrum.kind} {spectrum.bands}",
)
def test_against_a_plain_computation(spectrum: Spectrum) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 9000)
    samples[3000:4000] = 0.0  # silence
    filled = np.append(samples, np.zeros(spectrum.length + spectrum.jump))
    found = spectrum.steps(torch.from_numpy(samples.astype(np.float32))).numpy()
    true = by_hand(filled, spectrum)[: len(found)]
    assert (len(found) - 1) * spectrum.jump + spectrum.length >= len(samples)  # every sample is seen,
    assert (len(found) - 2) * spectrum.jump + spectrum.length < len(samples)  # and no step is nothing but filling
    np.testing.assert_allclose(found, true, atol=2e-3)


def test_a_tone_is_where_it_is() -> None:
    spectrum = Spectrum(8000, bands=40)
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(8000) / 8000)
    loudest = int(spectrum.steps(tone).mean(0).argmax())
    edges = [hertz(mel) for mel in np.linspace(31.748, 2146.06, 42)]
    assert edges[loudest] < 1000 < edges[loudest + 2]


def test_a_band_is_loudest_at_its_middle() -> None:
    """A tone at the middle of a band is heard in it most; the bands reach from 20 Hz to half the rate."""
    spectrum = Spectrum(8000, frame=100.0)
    assert spectrum.edges.shape == (spectrum.bands + 2,)
    torch.testing.assert_close(spectrum.edges[[0, -1]], torch.tensor([20.0, 4000.0], dtype=torch.float64))
    for band in (3, 20, 39):
        tone = torch.sin(2 * math.pi * spectrum.edges[band + 1] * torch.arange(4000) / 8000).float()
        assert int(spectrum.steps(tone)[5].argmax()) == band


def test_a_step_of_several_frames() -> None:
    samples = torch.randn(3000)
    plain, stacked = Spectrum(8000), Spectrum(8000, stack=4)
    assert (stacked.size, stacked.seconds) == (160, 0.04)
    steps = stacked.steps(samples)
    frames = plain.steps(torch.cat([samples, torch.zeros(4 * 80)]))
    torch.testing.assert_close(steps, frames[: 4 * len(steps)].reshape(len(steps), 160))


@given(
    st.integers(1, 3000),
    st.lists(st.integers(0, 700), max_size=12),
    st.sampled_from([Spectrum(8000), Spectrum(8000, "mfcc", stack=3), Spectrum(11_025, frame=10.0, hop=7.0, bands=20)]),
)
def test_blocks_are_the_whole(count: int, cuts: list[int], spectrum: Spectrum) -> None:
    """Whatever the blocks, the numbers of a stream are those of the whole."""
    samples = torch.randn(count, generator=torch.Generator().manual_seed(count))
    stream, steps, place = SpectrumStream(spectrum), [], 0
    for cut in [*cuts, count]:
        steps.append(stream.hear(samples[place : place + cut]))
        place += cut
    found = torch.cat([*steps, stream.end()])
    whole = spectrum.steps(samples)
    assert whole.shape == (spectrum.steps_of(count), spectrum.size)
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-5)


def test_a_frame_sees_nothing_later() -> None:
    spectrum = Spectrum(8000)
    samples = torch.randn(4000)
    other = samples.clone()
    other[2000:] = torch.randn(2000)
    same = 1 + (2000 - spectrum.length) // spectrum.jump
    assert torch.equal(spectrum.steps(samples)[:same], spectrum.steps(other)[:same])
    assert not torch.equal(spectrum.steps(samples)[same + 1], spectrum.steps(other)[same + 1])


def test_a_stream_without_sound_says_nothing() -> None:
    stream = SpectrumStream(Spectrum(8000))
    assert len(stream.hear(torch.empty(0))) == len(stream.end()) == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"frame": 0.5}, r"audio\.frame=0\.5: it must be from 1 to 1000"),
        ({"hop": 30.0}, r"audio\.hop=30\.0: it must be from 1 to 25"),
        ({"bands": 1}, r"audio\.bands=1"),
        ({"coefficients": 41, "kind": "mfcc"}, r"audio\.coefficients=41: it must be from 1 to 40"),
        ({"stack": 0}, r"audio\.stack=0"),
        ({"kind": "chroma"}, r"audio\.features cannot be 'chroma'"),
        ({"bands": 200}, r"audio\.bands=200 are too many for 8,000 samples a second"),
        ({"frame": math.nan}, r"audio\.frame=nan"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Spectrum(8000, **settings)  # type: ignore[arg-type]
