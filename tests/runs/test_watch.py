from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato.errors import DataError, UsageError
from ostinato.runs import train
from run_toys import quick, words
from series_tables import wave


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of two channels, in two layers behind a linear front."""
    folder = tmp_path_factory.mktemp("watch")
    pl.DataFrame({"a": wave(240), "b": wave(240, seed=1)}).write_csv(folder / "two.csv")
    settings = {"task.name": "detect", "model.hidden": 5, "model.layers": 2, "model.embedding": 3, "training.epochs": 1}
    return train(folder / "two.csv", settings, folder / "run").path


@pytest.fixture
def values() -> np.ndarray:
    found = np.stack([wave(150, seed=2), wave(150, seed=3)], axis=1)
    found[100, 0] = 30
    found[40:43, 1] = np.nan
    found[60] = np.nan
    return found


def test_streamed_is_whole(run: Path, values: np.ndarray) -> None:
    model = ostinato.load(run)
    whole = model.predict(pl.DataFrame({"a": values[:, 0], "b": values[:, 1]}))
    watcher = model.watch()
    seen = [watcher.step(row) for row in values]
    score = np.array([one.score for one in seen])
    np.testing.assert_allclose(score, whole["score"].to_numpy(), atol=2e-3)
    np.testing.assert_allclose([one.chance for one in seen], whole["chance"].to_numpy(), rtol=0.02)
    expected = np.stack([whole["expected a"].to_numpy(), whole["expected b"].to_numpy()], axis=1)
    np.testing.assert_allclose([one.expected for one in seen], expected, atol=1e-5)
    assert [one.channel for one in seen if np.isfinite(one.score)] == whole.filter(pl.col("score").is_not_null())[
        "channel"
    ].to_list()
    assert [int(one.alarm) for one in seen] == whole["alarm"].to_list()
    assert int(np.nanargmax(score[20:])) + 20 == 100


def test_it_goes_on_from_a_past(run: Path, values: np.ndarray) -> None:
    model = ostinato.load(run)
    first = model.watch()
    for row in values[:100]:
        first.step(row)
    second = model.watch(pl.DataFrame({"a": values[:100, 0], "b": values[:100, 1]}))
    assert second.steps == 100
    assert second.step(values[100]).score == first.step(values[100]).score


def test_what_is_no_step_is_refused_and_forgotten(run: Path) -> None:
    one, other = (ostinato.load(run).watch() for _ in range(2))
    with pytest.raises(DataError, match="step 1 has 1 values, and the model watches 2"):
        one.step(3.0)
    with pytest.raises(DataError, match="column 'b': step 1: the value is infinite"):
        one.step([3.0, float("inf")])
    assert one.step([3.0, None]).score == other.step([3.0, float("nan")]).score


def test_only_a_detector_watches_and_only_one_series(run: Path, tmp_path: Path) -> None:
    table = pl.DataFrame({"id": ["x"] * 3 + ["y"] * 3, "t": [1, 2, 3] * 2, "a": np.arange(6.0), "b": np.arange(6.0)})
    model = ostinato.load(run)
    object.__setattr__(model.stored.recipe.data, "id", "id")
    object.__setattr__(model.stored.task, "id", "id")
    with pytest.raises(UsageError, match="a watcher watches one series, and these are 2"):
        model.watch(table)
    classifier = quick(words(tmp_path / "words.csv"), tmp_path / "run").load()
    with pytest.raises(UsageError, match="trained for the task 'classify'"):
        classifier.watch()


def test_the_report_shows_the_alarms(run: Path) -> None:
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "Strangest steps" in report
    assert "alarms in 72 steps of two" in report
    frame = pl.read_parquet(run / "predictions.parquet")
    assert frame.height == 72
    assert frame.columns == ["step", "a", "expected a", "b", "expected b", "score", "chance", "alarm", "channel"]
