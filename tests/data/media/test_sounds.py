"""Sounds as steps: scaled by the training part, changed at random for training, and refused with file and row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ostinato.data import read
from ostinato.data.features import Features
from ostinato.data.media.sound import write_sound
from ostinato.data.media.sounds import Heard, Sounds
from ostinato.data.settings import AudioSettings, DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.sequences import Ragged

RATE = 8000


def tone(hertz: float, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def tones(folder: Path) -> Table:
    """Four files of three rates, named by a table."""
    lines = ["sound,what"]
    for number, (hertz, rate) in enumerate([(300, 8000), (900, 16_000), (300, 44_100), (2000, 8000)]):
        write_sound(folder / f"{number}.wav", tone(hertz, 0.3 + 0.1 * number, rate), rate)
        lines.append(f"{number}.wav,{'low' if hertz < 500 else 'high'}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return read(folder / "list.csv", DataSettings(target="what"))


def energies(sounds: Sounds, steps: Ragged) -> torch.Tensor:
    """Mean over some inner steps, before they were scaled."""
    return steps.values[5:15].mean(0) * torch.tensor(sounds.scale) + torch.tensor(sounds.mean)


def fitted(table: Table, **audio: object) -> Sounds:
    return Sounds.fit(table["sound"], table, DataSettings(audio=AudioSettings(**audio)))  # type: ignore[arg-type]


def test_the_training_part_has_mean_0_and_deviation_1(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table, stack=2)
    assert sounds.spectrum.rate == RATE  # of the first file
    steps = sounds.encode(table["sound"], table)
    frames = steps.values.reshape(-1, 40).double()
    torch.testing.assert_close(frames.mean(0), torch.zeros(40, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(frames.std(0, correction=0), torch.ones(40, dtype=torch.float64), atol=1e-4, rtol=0)
    assert steps.lengths.tolist() == [sounds.spectrum.steps_of(int(RATE * s)) for s in (0.3, 0.4, 0.5, 0.6)]


def test_another_rate_hears_the_same(tmp_path: Path) -> None:
    """The same tone at 44.1 kHz and at 8 kHz gives about the same steps."""
    table = tones(tmp_path)
    sounds = fitted(table)
    one, other = (energies(sounds, sounds.encode(table["sound"].take(np.array([row])), table)) for row in (0, 2))
    loud = one > 0
    assert 3 <= int(loud.sum()) <= 12
    torch.testing.assert_close(other[loud], one[loud], atol=0.02, rtol=0)


def test_stored_and_read(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table, features="mfcc", speed=0.1, stack=2)
    again = Sounds.from_config(json.loads(json.dumps(sounds.to_config())))
    assert torch.equal(again.encode(table["sound"], table).values, sounds.encode(table["sound"], table).values)
    assert again.changes.speed == 0.1
    with pytest.raises(ModelFolderError, match="mean and scale do not fit"):
        Sounds.from_config({**sounds.to_config(), "mean": [0.0]})
    with pytest.raises(ModelFolderError, match="damaged"):
        Sounds.from_config({})


def test_what_is_said_of_them(tmp_path: Path) -> None:
    table = tones(tmp_path)
    assert fitted(table).describe() == "sounds, a step of 10 ms: 40 log-mel bands, 8,000 samples a second"
    told = fitted(table, features="mfcc", stack=3).describe()
    assert told == "sounds, a step of 30 ms: 3 frames of 13 cepstral coefficients, 8,000 samples a second"


def test_features_of_a_table(tmp_path: Path) -> None:
    table = tones(tmp_path)
    features = Features.fit(table, DataSettings(target="what"), "what")
    spec = features.spec("sequence", 2)
    assert (spec.inputs, spec.input_size, features.symbolic) == ("values", 40, False)
    again = Features.from_config(json.loads(json.dumps(features.to_config())))
    assert torch.equal(again.examples(table).inputs.values, features.examples(table).inputs.values)


# --- changes --------------------------------------------------------------------------------------------------------


def batch_of(table: Table, sounds: Sounds) -> Ragged:
    return sounds.encode(table["sound"], table)


def test_without_changes_a_batch_is_itself(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table)
    steps = batch_of(table, sounds)
    assert not isinstance(steps, Heard)
    assert torch.equal(sounds.vary(steps).values, steps.values)


def test_changes_follow_from_the_seed(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table, speed=0.2, noise=0.5, mask_time=0.2, mask_bands=0.2)
    steps = batch_of(table, sounds).take(torch.tensor([2, 0]))
    assert isinstance(steps, Heard)
    before = steps.values.clone()
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(sounds.vary(steps))
    assert torch.equal(found[0].values, found[1].values)
    assert found[0].lengths.tolist() == found[1].lengths.tolist()
    assert not torch.equal(found[0].values[:10], found[2].values[:10])
    assert torch.equal(steps.values, before)  # the examples are as they were


def test_speed_changes_length_and_pitch(tmp_path: Path) -> None:
    """A tone of 900 Hz played at ``f`` times its speed is one of ``900 f`` Hz, and lasts ``1 / f`` times as long."""
    table = tones(tmp_path)
    sounds = fitted(table, speed=0.3, bands=60, frame=64.0)
    steps = batch_of(table, sounds).take(torch.tensor([1]))
    assert isinstance(steps, Heard)
    torch.manual_seed(5)
    factor = 1.0 + 0.3 * (2.0 * float(torch.rand(2)[0]) - 1.0)
    torch.manual_seed(5)
    found = sounds.vary(steps)
    assert abs(factor - 1.0) > 0.05
    assert found.lengths.tolist() == [sounds.spectrum.steps_of(round(len(steps.samples.values) / factor))]
    true = sounds.spectrum.steps(torch.from_numpy(tone(900 * factor, 0.3)))[5:15].mean(0)
    loud = true > 0
    torch.testing.assert_close(energies(sounds, found)[loud], true[loud], atol=0.05, rtol=0)


def test_noise_is_as_loud_as_told(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table, noise=0.5)
    steps = batch_of(table, sounds)
    assert isinstance(steps, Heard)
    samples = steps.samples[3]
    loud = float(samples.square().mean().sqrt())
    shares = []
    for seed in range(40):
        torch.manual_seed(seed)
        shares.append(float((sounds._changed(samples) - samples).square().mean().sqrt()) / loud)
    assert max(shares) < 0.52
    assert 0.15 < float(np.mean(shares)) < 0.35


def test_masks_hide_up_to_their_share(tmp_path: Path) -> None:
    table = tones(tmp_path)
    sounds = fitted(table, mask_time=0.25, mask_bands=0.25, stack=2)
    steps = Ragged(torch.ones(40, 80), torch.tensor([40]))
    hidden_steps, hidden_bands = [], []
    for seed in range(60):
        torch.manual_seed(seed)
        found = sounds.vary(steps).values.view(40, 2, 40)
        assert set(found.unique().tolist()) <= {0.0, 1.0}
        hidden_steps.append(int((found.amax((1, 2)) == 0).sum()))
        hidden_bands.append(int((found.amax((0, 1)) == 0).sum()))
    assert np.mean(hidden_steps) > 0
    assert max(hidden_steps) <= 2 * 10
    assert np.mean(hidden_bands) > 0
    assert max(hidden_bands) <= 2 * 10


@pytest.mark.parametrize(
    ("audio", "told"),
    [
        ({"speed": 0.6}, r"audio\.speed=0\.6: it must be from 0 to 0\.5"),
        ({"noise": -1.0}, r"audio\.noise=-1"),
        ({"mask_time": 1.5}, r"audio\.mask_time"),
        ({"mask_bands": 0.1, "features": "mfcc"}, r"audio\.mask_bands masks bands, and mfcc has none"),
        ({"rate": 10}, r"audio\.rate=10"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, audio: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fitted(tones(tmp_path), **audio)


# --- bad input ------------------------------------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    if how == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif how == "text":
        path.write_bytes(b"no sound at all" * 20)
    else:
        soundfile.write(path, np.empty(0, np.float32), RATE)


@pytest.mark.parametrize(
    ("how", "told"), [("cut", "is cut off"), ("text", "cannot be read as sound"), ("empty", "no s")]
)
def test_a_bad_file_is_named_with_its_row(tmp_path: Path, how: str, told: str) -> None:
    table = tones(tmp_path)
    damage(tmp_path / "2.wav", how)
    with pytest.raises(DataError, match=rf"list\.csv, row 4, column 'sound': .*2\.wav: .*{told}"):
        fitted(table)


def test_a_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    for number in range(2):
        write_sound(tmp_path / "low" / f"{number}.wav", tone(300), RATE)
    damage(tmp_path / "low" / "1.wav", "cut")
    table = read(tmp_path, DataSettings())
    with pytest.raises(DataError, match=r"low/1\.wav: is cut off"):
        Sounds.fit(table["audio"], table, DataSettings())


def test_samples_in_place_of_files() -> None:
    column = Column("sound", Kind.AUDIO, [tone(300), tone(900)])
    table = Table({"sound": column}, None, np.array([1, 2]))
    sounds = fitted(table, rate=RATE)
    assert len(sounds.encode(column, table)) == 2
    with pytest.raises(UsageError, match=r"need their rate: set audio\.rate"):
        fitted(table)
    bad = Column("sound", Kind.AUDIO, [tone(300), np.array([0.0, np.nan])])
    with pytest.raises(DataError, match=r"row 2, column 'sound': samples are finite numbers"):
        sounds.encode(bad, table)
