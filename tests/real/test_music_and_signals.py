"""Real chorales there and back, and the linear filter of a real pedal, as their PROVENANCE.md describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from ostinato.data import read
from ostinato.data.media.midi import Tune, read_midi
from ostinato.data.settings import DataSettings
from ostinato.evaluation.baselines import baseline
from ostinato.tasks import Signal, TaskSettings

pytestmark = pytest.mark.real


def test_chorales_are_the_same_after_a_file(real_data: Path, tmp_path: Path) -> None:
    pieces = loadmat(real_data / "poly_music/JSB_Chorales.mat")["testdata"][0]
    assert (len(pieces), sum(map(len, pieces))) == (77, 4725)
    for keys in pieces:
        Tune(keys > 0, 2).save(tmp_path / "a.mid")
        np.testing.assert_array_equal(read_midi(tmp_path / "a.mid", 2).keys, keys > 0)


@pytest.mark.parametrize(("gain", "published"), [("Data50", 0.115), ("Data100", 0.415)])
def test_the_linear_filter_of_a_pedal(real_data: Path, gain: str, published: float) -> None:
    """64 taps on all of the training part: 11.5 and 41.5 % (to the digit the latter, since the first steps differ)."""
    data = DataSettings(target="target", valid=0.0)
    root = real_data / "klon_guitar_pedal"
    train, test = (read(f"{root}/{part}/{{DataIn,{gain}}}", data) for part in ("train", "valid"))
    assert (len(train), len(test)) == (200, 25)
    task = Signal.fit(train, data, TaskSettings(warm_up=500))
    outputs = baseline("linear_filter", task, train, test.take(np.empty(0, dtype=int)), test)
    assert task.metrics(outputs, task.examples(test))["esr"] == pytest.approx(published, abs=0.005)
