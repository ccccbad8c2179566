"""From pairs of sounds to a run, and from a sound to what an effect makes of it, as one types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from shell import Call

import ostinato
from ostinato.cli import main
from ostinato.data.media.sound import read_sound, write_sound

RATE = 8000
SMALL = ["--epochs", "2", "--hidden", "4", "--set", "training.window=128", "--json"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    random = np.random.default_rng(0)
    for name in ("dry", "wet"):
        (folder / name).mkdir()
    for number in range(12):
        x = 0.3 * np.sin(np.arange(300) * random.uniform(0.02, 0.3))
        write_sound(folder / "dry" / f"{number:02}.wav", x, RATE)
        write_sound(folder / "wet" / f"{number:02}.wav", np.tanh(4 * x), RATE)
    return folder


@pytest.fixture(scope="module")
def run(pairs: Path) -> Path:
    with pytest.raises(SystemExit) as ended:
        main(["train", str(pairs / "dry"), str(pairs / "wet"), *SMALL, "--out", str(pairs / "run")])
    assert ended.value.code == 0
    return pairs / "run"


def test_what_a_run_holds(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["task"], metrics["mapping"]) == ("signal", "many-to-many, aligned")
    assert set(metrics["test"]["model"]) == {"esr", "mae", "rmse", "mse"}
    assert set(metrics["test"]["baselines"]) == {"mean", "linear_filter", "feed_forward"}
    assert re.search(r"<h2>Test signal 1</h2>", (run / "report.html").read_text())
    assert pl.read_parquet(run / "predictions.parquet").columns == ["row", "step", "truth", "prediction"]


def test_a_sound_is_rendered(run: Path, pairs: Path, tmp_path: Path, call: Call) -> None:
    done = call("predict", run, pairs / "dry" / "03.wav", "--out", tmp_path / "new.wav")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"new\.wav: 0\.04 s of sound in [\d.]+ s, [\d.]+ times faster than real time\n", done.out)
    made = read_sound(tmp_path / "new.wav")
    assert (made.rate, len(made.samples)) == (RATE, 300)
    frame = ostinato.load(run).predict(pairs / "dry" / "03.wav")
    np.testing.assert_allclose(made.samples, frame["prediction"].to_numpy(), atol=1e-4)


def test_other_rates_are_resampled_and_loud_ones_clipped(run: Path, tmp_path: Path, call: Call) -> None:
    write_sound(tmp_path / "in.wav", 0.99 * np.sign(np.sin(np.arange(4000) / 9)), 2 * RATE)
    model = ostinato.load(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ostinato.decoding.live.Live.block", lambda live, steps: 3.0 * steps)
        done = call("predict", run, tmp_path / "in.wav", "--out", tmp_path / "new.wav")
    assert done.code == 0
    assert "samples lay beyond full scale and were clipped" in done.err
    made = read_sound(tmp_path / "new.wav")
    assert (made.rate, len(made.samples)) == (RATE, 2000)
    assert np.abs(made.samples).max() <= 1.0
    assert len(model.live().block(np.zeros(5))) == 5


def test_pairs_are_measured_and_answered(run: Path, pairs: Path, tmp_path: Path, call: Call) -> None:
    done = call("evaluate", run, pairs / "dry", pairs / "wet", "--json")
    assert set(json.loads(done.out)) == {"esr", "mae", "rmse", "mse"}
    assert call("predict", run, pairs / "dry" / "00.wav").out.splitlines()[0] == "row,step,prediction"
    done = call("predict", run, pairs / "dry" / "00.wav", "--out", tmp_path / "a.mp3x")
    assert (done.code, "write to a file that ends in" in done.err) == (2, True)


def test_one_pair_of_files_is_enough(pairs: Path, tmp_path: Path, call: Call) -> None:
    x = np.random.default_rng(0).normal(0, 0.1, 6000)
    write_sound(tmp_path / "guitar.wav", x, RATE)
    write_sound(tmp_path / "amp.wav", np.tanh(x), RATE)
    done = call("train", tmp_path / "guitar.wav", tmp_path / "amp.wav", *SMALL, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert call("evaluate", tmp_path / "run", tmp_path / "guitar.wav", tmp_path / "amp.wav").code == 0


def test_a_series_from_a_series_makes_no_sound(tmp_path: Path, pairs: Path, call: Call) -> None:
    random = np.random.default_rng(0)
    rows = ["step,valve,heat", *(f"{n},{x:.3f},{np.tanh(x):.3f}" for n, x in enumerate(random.normal(size=400)))]
    (tmp_path / "plant.csv").write_text("\n".join(rows))
    chosen = ["--task", "signal", "--target", "heat", *SMALL, "--out", tmp_path / "run"]
    done = call("train", tmp_path / "plant.csv", *chosen)
    assert done.code == 0, done.err
    assert call("evaluate", tmp_path / "run", tmp_path / "plant.csv").code == 0
    assert call("predict", tmp_path / "run", tmp_path / "plant.csv").out.splitlines()[0] == "row,step,truth,prediction"
    done = call("predict", tmp_path / "run", pairs / "dry" / "00.wav", "--out", tmp_path / "new.wav")
    assert (done.code, "makes no sound" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda wet: (wet / "03.wav").unlink(), "wet: has no partner of '03'"),
        (lambda wet: (wet / "03.wav").write_bytes(b""), "03.wav: is empty"),
        (lambda wet: (wet / "03.wav").write_bytes(b"RIFFnonsense"), "03.wav: cannot be read as sound"),
        (lambda wet: write_sound(wet / "03.wav", np.zeros(299), RATE), "299 steps, but 300 in 'source'"),
        (lambda wet: write_sound(wet / "03.flac", np.zeros(300), RATE), "'03' has two partners"),
    ],
)
def test_pairs_that_are_none(pairs: Path, tmp_path: Path, call: Call, change, told: str) -> None:
    for name in ("dry", "wet"):
        (tmp_path / name).mkdir()
        for path in (pairs / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    change(tmp_path / "wet")
    done = call("train", tmp_path / "dry", tmp_path / "wet", *SMALL, "--out", tmp_path / "run")
    assert (done.code, told in done.err) == (1, True), done.err
    assert not (tmp_path / "run").exists()
