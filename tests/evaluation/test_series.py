from __future__ import annotations

import numpy as np
import pytest

from ostinato.data.settings import DataSettings
from ostinato.evaluation.series import SERIES_BASELINES, ewma, random_walk, repeat_last, seasonal_naive
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, table_of, wave

LEVELS = (0.1, 0.5, 0.9)
Z = 1.2815515655446004


def windows_of(*values, horizon, season=1):
    settings = TaskSettings(horizon=horizon, look_back=4, season=season, segment=1)
    parts = cut(table_of(*values), DataSettings(), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    return task, parts, task.examples(parts.test)


def test_repeat_last_by_hand():
    _, _, examples = windows_of(np.arange(20.0) ** 2, horizon=2)
    found = repeat_last(examples, LEVELS)
    assert found["forecast"].tolist() == [[17**2, 17**2]]
    assert found["quantiles"].tolist() == [[[289.0] * 3] * 2]


def test_seasonal_naive_by_hand():
    """Training is 1 2 3 2 4 6, its changes over a season of three are 1 2 3; the last season is 30 60 90."""
    values = np.array([1.0, 2, 3, 2, 4, 6, 7, 8, 10, 20, 30, 60, 90, 1, 2, 3, 4])
    _, _, examples = windows_of(values, horizon=4, season=3)
    found = seasonal_naive(examples, LEVELS, 3)
    assert found["forecast"].tolist() == [[30, 60, 90, 30]]
    trained = values[:9]
    deviation = np.sqrt(np.mean((trained[3:] - trained[:-3]) ** 2)) * np.sqrt([1, 1, 1, 2])
    assert found["quantiles"][0, :, 2] == pytest.approx(np.array([30, 60, 90, 30]) + Z * deviation)
    assert found["quantiles"][0, :, 0] == pytest.approx(np.array([30, 60, 90, 30]) - Z * deviation)


def test_random_walk_by_hand():
    """Six steps led from 0 to 21, so it goes on by 3.5 a step."""
    values = np.array([0.0, 1, 3, 6, 10, 15, 21, 5, 5, 5])
    _, _, examples = windows_of(values, horizon=3)
    found = random_walk(examples, LEVELS)
    sigma = np.diff(examples.panel.training(0, 0)).std()
    ahead = np.array([1, 2, 3])
    assert sigma > 0
    assert found["forecast"] == pytest.approx(21 + 3.5 * ahead[None])
    width = Z * sigma * np.sqrt(ahead * (1 + ahead / 6))
    assert found["quantiles"][0, :, 2] == pytest.approx(21 + 3.5 * ahead + width)
    assert found["quantiles"][0, :, 0] == pytest.approx(21 + 3.5 * ahead - width)


def test_a_drift_begins_with_the_first_value_that_is_known():
    """Of each channel of each series; the steps before it and those missing in between change nothing."""
    first = np.column_stack([np.append([np.nan, np.nan], 2.0 * np.arange(18)), 5.0 - np.arange(20)])
    second = np.column_stack([np.where(np.arange(20) == 7, np.nan, 3.0 * np.arange(20)), np.full(20, 4.0)])
    _, _, examples = windows_of(first, second, horizon=2)
    found = random_walk(examples, LEVELS)
    assert found["forecast"] == pytest.approx(examples.truth())
    assert found["quantiles"] == pytest.approx(np.repeat(examples.truth()[..., None], 3, axis=2), abs=1e-6)


def test_a_history_shorter_than_a_season():
    task, _, _ = windows_of(wave(100), horizon=2, season=12)
    examples = task.examples(table_of([1.0, 2, 3]))
    assert seasonal_naive(examples, LEVELS, 12)["forecast"].tolist() == [[3, 3]]


def test_missing_and_constant():
    _, _, examples = windows_of(np.append(np.full(18, 4.0), [np.nan, 5.0]), horizon=1)
    for baseline in SERIES_BASELINES.values():
        found = baseline(examples, LEVELS, 1)
        assert found["forecast"].tolist() == [[4.0]]
        assert found["quantiles"].tolist() == [[[4.0] * 3]]


def test_a_random_walk_is_covered():
    """On what it assumes, its quantiles hold."""
    steps = np.random.default_rng(0).normal(size=20_000).cumsum()
    task, _, examples = windows_of(steps, horizon=10)
    found = task.metrics(random_walk(examples, LEVELS), examples)
    assert found["coverage"] == pytest.approx(0.8, abs=0.04)
    assert found["mase"] < task.metrics(seasonal_naive(examples, LEVELS, 7), examples)["mase"]


def test_the_future_is_not_looked_at():
    values = wave(60)
    changed = values.copy()
    changed[-3:] += 100
    for name, baseline in SERIES_BASELINES.items():
        (task, _, one), (_, _, other) = (
            windows_of(values, horizon=3, season=12),
            windows_of(changed, horizon=3, season=12),
        )
        first, second = baseline(one, LEVELS, task.season), baseline(other, LEVELS, task.season)
        assert (first["quantiles"][-1] == second["quantiles"][-1]).all(), name


def test_ewma_by_hand():
    values = wave(40)
    table = table_of(values)
    task = fitted(table, horizon=3)
    examples = task.examples(cut(table, DataSettings(), TaskSettings(horizon=3)).test)
    found = ewma(examples, (0.1, 0.5, 0.9))
    average, averages = values[0], [values[0]]
    for value in values[1:]:
        average = 0.94 * average + 0.06 * value
        averages.append(average)
    want = np.array(averages)[examples.origin - 1]
    assert found["forecast"] == pytest.approx(np.repeat(want[:, None], 3, axis=1))
    trained = int(examples.panel.trained[0])
    errors = values[1:trained] - np.array(averages)[: trained - 1]
    wide = found["quantiles"][..., 2] - found["forecast"]
    assert wide == pytest.approx(np.full_like(wide, 1.2815516 * np.sqrt((errors**2).mean())), rel=1e-6)
