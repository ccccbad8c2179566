"""The baselines must come out as published: then windows, splits, scales and metrics are those that others use."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato.data import read
from ostinato.data.settings import DataSettings
from ostinato.evaluation.series import repeat_last, seasonal_naive
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings

pytestmark = pytest.mark.real


def test_m4_hourly(real_data: Path):
    """Naive 43.0 % and 11.608, seasonal naive 13.912 % and 1.193 (M4 competition, Evaluation and Ranks)."""
    data, settings = DataSettings(), TaskSettings(horizon=48)
    train, test = (read(real_data / "m4" / f"Hourly-{part}.csv", data) for part in ("train", "test"))
    parts = cut(train, data, settings, test=test)
    task = Forecast.fit(parts.train, data, settings)
    examples = task.examples(parts.test)
    assert task.season == 24
    assert len(examples) == 414
    seasonal = task.metrics(seasonal_naive(examples, task.quantiles, task.season), examples)
    assert seasonal["mase"] == pytest.approx(1.193, abs=5e-4)
    assert seasonal["smape"] == pytest.approx(13.912, abs=5e-4)
    last = task.metrics(repeat_last(examples, task.quantiles), examples)
    assert last["mase"] == pytest.approx(11.608, abs=5e-4)
    assert last["smape"] == pytest.approx(43.003, abs=5e-4)


def test_etth1(real_data: Path):
    """Repeat last 1.295 and 0.713 at 96 steps (LTSF-Linear, table 2, which leaves out the last windows of the test)."""
    data, settings = DataSettings(rows=14_400, valid=2880, test=2880), TaskSettings(horizon=96)
    parts = cut(read(real_data / "etth" / "ETTh1.csv", data), data, settings)
    task = Forecast.fit(parts.train, data, settings)
    examples = task.examples(parts.test)
    assert len(examples) == 7 * (2880 - 96 + 1)
    found = task.metrics(repeat_last(examples, task.quantiles), examples)
    assert found["scaled_mse"] == pytest.approx(1.295, abs=1e-3)
    assert found["scaled_mae"] == pytest.approx(0.713, abs=5e-4)
