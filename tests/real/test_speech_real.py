"""Spoken digits: every recording is read, and the figures are those of the set's own description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ostinato.data import read
from ostinato.data.features import Features
from ostinato.data.media.sound import read_sound
from ostinato.data.settings import DataSettings

pytestmark = pytest.mark.real


def test_every_recording_is_read(real_data: Path) -> None:
    paths = sorted((real_data / "fsdd" / "recordings").glob("*.wav"))
    sounds = [read_sound(path) for path in paths]
    assert len(sounds) == 2100
    assert {sound.rate for sound in sounds} == {8000}
    counts = [len(sound.samples) for sound in sounds]
    assert (min(counts), np.median(counts), max(counts)) == (1148, 3379.5, 18_262)


def test_a_folder_of_recordings(real_data: Path) -> None:
    table = read(real_data / "fsdd" / "recordings", DataSettings())
    assert (len(table), list(table.columns)) == (2100, ["audio", "name"])
    some = table.take(np.arange(0, 2100, 50))
    features = Features.fit(some, DataSettings())
    steps = features.examples(some).inputs
    frames = steps.values.double()
    np.testing.assert_allclose(frames.mean(0), np.zeros(40), atol=1e-3)
    np.testing.assert_allclose(frames.std(0), np.ones(40), atol=1e-3)
    assert int(steps.lengths.min()) >= 12
