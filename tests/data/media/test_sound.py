"""Sound files: every form of sample, other rates and channels, and what is no sound."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ostinato.data.media.sound import Sound, read_sound, write_sound
from ostinato.errors import DataError, UsageError

RATE = 8000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-23), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_every_form_of_sample(tmp_path: Path, form: str, step: float) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, RATE, subtype=form)
    sound = read_sound(tmp_path / "a.wav")
    assert (sound.rate, sound.samples.dtype) == (RATE, np.float32)
    np.testing.assert_allclose(sound.samples, TONE, atol=step, rtol=0)


@pytest.mark.parametrize(("name", "close"), [("a.flac", 2**-15), ("a.ogg", 0.03), ("a.WAV", 2**-15)])
def test_written_and_read(tmp_path: Path, name: str, close: float) -> None:
    write_sound(tmp_path / name, TONE, RATE)
    np.testing.assert_allclose(read_sound(tmp_path / name, RATE).samples, TONE, atol=close, rtol=0)


def test_beyond_full_scale_is_clipped(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.array([2.0, -2.0, 0.0]), RATE)
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav").samples, [1.0, -1.0, 0.0], atol=2**-15)


@pytest.mark.parametrize(("rate", "channels"), [(192_000, 6), (44_100, 2), (11_025, 1), (8_000, 3)])
def test_channels_are_averaged_and_rates_converted(tmp_path: Path, rate: int, channels: int) -> None:
    """A tone that every channel holds with another strength is the same tone with their mean strength."""
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    strengths = np.linspace(0.1, 0.5, channels)
    soundfile.write(tmp_path / "a.wav", tone[:, None] * strengths, rate, subtype="FLOAT")
    sound = read_sound(tmp_path / "a.wav", RATE)
    assert (sound.rate, len(sound.samples)) == (RATE, RATE)
    inner = slice(400, -400)  # away from the ends, where the filter has nothing to look at
    true = strengths.mean() * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(sound.samples[inner], true[inner], atol=1e-4)


def test_a_file_longer_than_a_block(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (150_001, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav").samples, samples.mean(1), atol=1e-7)


def whole(tmp_path: Path, suffix: str) -> bytes:
    write_sound(tmp_path / f"whole{suffix}", TONE, RATE)
    return (tmp_path / f"whole{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("suffix", "keep", "told"),
    [
        (".wav", 6000, r"is cut off: its header promises 16,000 bytes of sound and 5,956 are there"),
        (".wav", 44, r"is cut off"),
        (".wav", 30, r"cannot be read as sound"),
        (".flac", 3000, r"cannot be read as sound|is cut off"),
        (".ogg", 2000, r"cannot be read as sound|is cut off"),
        (".wav", 0, r"is empty"),
    ],
)
def test_a_file_that_is_cut_off(tmp_path: Path, suffix: str, keep: int, told: str) -> None:
    path = tmp_path / f"talk{suffix}"
    path.write_bytes(whole(tmp_path, suffix)[:keep])
    with pytest.raises(DataError, match=rf"talk{suffix}: ({told})"):
        read_sound(path)


@pytest.mark.parametrize("content", [b"Dear Sir or Madam, " * 20, bytes(200), b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_no_sound_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter.wav").write_bytes(content)
    with pytest.raises(DataError, match=r"letter\.wav: cannot be read as sound"):
        read_sound(tmp_path / "letter.wav")


def test_a_file_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE[:0], RATE)
    with pytest.raises(DataError, match=r"a\.wav: holds no samples"):
        read_sound(tmp_path / "a.wav")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e30])
def test_samples_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    samples = TONE.copy()
    samples[7] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"a\.wav: sample 8 is (nan|inf|-1e\+30), where full scale is 1"):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize(("place", "value", "told"), [(24, 2**31 - 1, "is it damaged"), (24, 7, "is it damaged")])
def test_a_header_beyond_all_limits(tmp_path: Path, place: int, value: int, told: str) -> None:
    content = bytearray(whole(tmp_path, ".wav"))
    content[place : place + 4] = value.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_sound(tmp_path / "a.wav")


def test_a_file_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.data.media.sound.MOST_SAMPLES", 7999)
    write_sound(tmp_path / "a.wav", TONE, RATE)
    with pytest.raises(DataError, match=r"is too long: 8,000 samples.*7,999 at most; cut it into pieces"):
        read_sound(tmp_path / "a.wav")
    monkeypatch.setattr("ostinato.data.media.sound.MOST_SAMPLES", 8001)
    assert len(read_sound(tmp_path / "a.wav").samples) == 8000
    with pytest.raises(DataError, match=r"would have more than 8,001 samples of 16,000 a second"):
        read_sound(tmp_path / "a.wav", 16_000)


def test_a_rate_out_of_range_and_a_suffix_of_nothing(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", TONE, RATE)
    with pytest.raises(UsageError, match=r"audio\.rate=8"):
        read_sound(tmp_path / "a.wav", 8)
    with pytest.raises(DataError, match=r"not written as '\.docx'"):
        write_sound(tmp_path / "a.docx", TONE, RATE)
    with pytest.raises(DataError, match="cannot be written"):
        write_sound(tmp_path / "nowhere" / "a.wav", TONE, RATE)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sound(tmp_path / "a.wav", TONE, RATE)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UsageError, match=r'pip install "ostinato\[audio\]"'):
        read_sound(tmp_path / "a.wav")


def test_fuzzed_headers(tmp_path: Path) -> None:
    """Whatever a few changed bytes make of a file: samples within the limits, or an error that names it."""
    draw, path = np.random.default_rng(0), tmp_path / "a.wav"
    good = whole(tmp_path, ".wav")
    for _ in range(200):
        content = bytearray(good)
        for place in draw.integers(0, 48, 3):
            content[place] = int(draw.integers(256))
        path.write_bytes(content)
        try:
            sound = read_sound(path)
        except DataError as error:
            sound = Sound(np.empty(0), error.path == path)
        assert sound.rate
        assert np.isfinite(sound.samples).all()
