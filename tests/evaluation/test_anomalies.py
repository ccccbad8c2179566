from __future__ import annotations

import numpy as np
import pytest

from ostinato.data.settings import DataSettings
from ostinato.errors import UsageError
from ostinato.evaluation.anomalies import before
from ostinato.evaluation.baselines import baseline
from ostinato.tasks.detect import Detect
from ostinato.tasks.detect_metrics import scores_of
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, table_of, wave

SETTINGS = TaskSettings(name="detect")


@pytest.mark.parametrize("window", [1, 7, 100])
def test_mean_and_deviation_of_what_was_before(window: int) -> None:
    values = np.random.default_rng(0).normal(1e6, 1.0, size=(60, 2))
    values[20:25, 1] = np.nan
    mean, deviation = before(values, window)
    for step in range(60):
        for channel in range(2):
            past = values[max(0, step - window) : step, channel]
            past = past[np.isfinite(past)]
            assert mean[step, channel] == pytest.approx(past.mean() if len(past) else 0.0, abs=1e-6)
            assert deviation[step, channel] == pytest.approx(past.std() if len(past) > 1 else 1.0, abs=1e-4)


@pytest.mark.parametrize(("name", "place"), [("windowed_gaussian", 80), ("last_change", 90)])
def test_each_finds_what_it_looks_for(name: str, place: int) -> None:
    """A value far out after small steps, and a jump within the range."""
    series = np.concatenate([np.tile(np.linspace(-1, 1, 20), 4), np.linspace(1, 4, 10), [-1.0], np.linspace(-1, 1, 9)])
    series[:80] = np.sin(np.arange(80) / 6)
    series[80:90] = np.linspace(np.sin(80 / 6), 4, 10)
    place = 89 if name == "windowed_gaussian" else 90
    table = table_of(series)
    parts = Detect.divide(table, DataSettings(valid=0.0, test=0.4), SETTINGS, 0)
    task = Detect.fit(parts.train, DataSettings(), SETTINGS)
    outputs = baseline(name, task, parts.train, parts.valid, parts.test)
    assert int(np.nanargmax(outputs["score"][60:])) + 60 == place
    examples = task.examples(parts.test)
    assert scores_of(outputs, examples, 5)[0].score.tolist() == outputs["score"].tolist()
    assert np.isfinite(outputs["nll"]).sum() == 40
    assert {len(value) for value in outputs.values()} == {len(series)}
    assert set(task.metrics(outputs, examples)) == {"nll", "alarm_rate"}


def test_a_flat_past_and_missing_values() -> None:
    series = np.concatenate([wave(40), np.full(30, 5.0)])
    series[50] = np.nan
    table = table_of(series)
    task = Detect.fit(table_of(series[:40]), DataSettings(), SETTINGS)
    for name in ("windowed_gaussian", "last_change"):
        outputs = baseline(name, task, table, table, table)
        assert np.isnan(outputs["score"]).tolist() == [step == 50 for step in range(70)]
        assert np.isfinite(outputs["expected"]).all()


def test_only_detectors_have_them() -> None:
    table = table_of(wave(60))
    with pytest.raises(UsageError, match="looks for anomalies"):
        baseline("last_change", fitted(table, horizon=2), table, table, table)
