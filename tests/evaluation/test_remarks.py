from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ostinato.data.settings import DataSettings
from ostinato.evaluation.remarks import remarks, wilson
from ostinato.tasks.classify import Classify
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.settings import TaskSettings
from series_tables import table_of, walk, wave


@pytest.mark.parametrize(("right", "count"), [(0, 5), (3, 10), (50, 100), (612, 1000), (7, 7)])
def test_wilson_is_scipys(right, count):
    want = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right / count, count) == pytest.approx((want.low, want.high))


def world(prices: np.ndarray, horizon: int = 1, **more: object):
    data = DataSettings(test=200, valid=100)
    task = TaskSettings(horizon=horizon, look_back=4, segment=2, season=1, transform="returns", **more)
    division = Forecast.divide(table_of(prices), data, task, 0)
    fit = Forecast.fit(division.train, data, task)
    return fit, fit.examples(division.valid), fit.examples(division.test)


def said(task, forecast, valid, test) -> tuple[str, ...]:
    quantiles = np.repeat(forecast[..., None], 3, axis=-1)
    return remarks(task, {"forecast": forecast, "quantiles": quantiles}, valid, test)


def test_luck_is_not_called_skill():
    task, valid, test = world(walk(600))
    guess = test.level()[:, None] + np.random.default_rng(0).normal(size=(len(test), 1))
    direction, trading = said(task, guess, valid, test)
    assert "so no skill is shown" in direction
    assert "of 200 moves that share no step" in direction
    assert "cannot be told apart from holding" in trading
    assert "10 basis points a trade" in trading


def test_a_prophet_is_believed():
    task, valid, test = world(walk(600))
    direction, trading = said(task, test.truth(), valid, test)
    assert "no skill" not in direction
    assert "100.0 %" in direction
    assert "more than holding by more than chance" in trading
    liar = said(task, 2 * test.level()[:, None] - test.truth(), valid, test)
    assert liar[1].endswith("less than holding.")


def test_overlapping_moves_are_counted_once():
    task, valid, test = world(walk(600), horizon=5)
    direction, _ = said(task, test.truth(), valid, test)
    assert len(test) == 196
    assert "of 40 moves that share no step" in direction


def test_who_never_moves():
    task, valid, test = world(walk(600))
    direction, _ = said(task, test.level()[:, None], valid, test)
    assert direction == "Direction: no move was called, since every forecast is the last price."


def bands_of(count: int) -> str:
    data, settings = DataSettings(), TaskSettings(horizon=4, look_back=4, segment=2, season=1, conformal=True)
    division = Forecast.divide(table_of(*[wave(40, seed=s) for s in range(count)]), data, settings, 0)
    task = Forecast.fit(division.train, data, settings)
    valid, test = task.examples(division.valid), task.examples(division.test)
    forecast = np.repeat(valid.level()[:, None], 4, axis=1)
    task = task.calibrated({"forecast": forecast, "quantiles": np.repeat(forecast[..., None], 3, axis=-1)}, valid)
    (text,) = said(task, np.repeat(test.level()[:, None], 4, axis=1), valid, test)
    return text


def test_bands_say_what_stands_behind_them():
    assert "20 of which share no step; what they promise holds while" in bands_of(20)
    assert "to promise a quantile of 0.9 takes 9, so they reach to the largest error seen" in bands_of(3)


def test_most_tasks_say_nothing():
    assert remarks(Classify.__new__(Classify), {}, None, None) == ()  # type: ignore[arg-type]
