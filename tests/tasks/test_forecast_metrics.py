from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    root_mean_squared_error,
)

from ostinato.data.settings import DataSettings
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_metrics import forecast_metrics, naive_error, window_mase
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import table_of, wave

LEVELS = (0.1, 0.5, 0.9)


def windows_of(*values, horizon=2, season=1, **settings):
    task = TaskSettings(horizon=horizon, look_back=3, season=season, segment=1, **settings)
    parts = cut(table_of(*values), DataSettings(), task)
    fit = Forecast.fit(parts.train, DataSettings(), task)
    return fit, fit.examples(parts.test)


def quantiles(point: np.ndarray, spread: float = 0.0) -> np.ndarray:
    return point[..., None] + spread * np.array([-1.0, 0.0, 1.0])


def test_by_hand():
    """History 1 3 4 8, truth 10 4, forecast 8 6: every metric on paper."""
    task, examples = windows_of([1, 2, 4, 7, 9, 10.0, 12, 14], [1.0, 3, 4, 8, 10, 4])
    examples = examples.select(np.array([1]))
    point = np.array([[8.0, 6.0]])
    found = forecast_metrics(point, quantiles(point, 2.0), examples, LEVELS, 1)
    trained = np.array([1.0, 3, 4, 8])  # too short for a validation of its own
    assert found["mae"] == 2
    assert found["mse"] == 4
    assert found["rmse"] == 2
    assert found["mase"] == pytest.approx(2 / ((2 + 1 + 4) / 3))
    assert found["smape"] == pytest.approx((200 * 2 / 18 + 200 * 2 / 10) / 2)
    assert found["scaled_mae"] == pytest.approx(2 / trained.std())
    assert found["scaled_mse"] == pytest.approx(4 / trained.var())
    # errors to the quantiles 6 8 10 and 4 6 8: 4 2 0 and 0 -2 -4
    each = [0.1 * 4 + 0, 0.5 * 2 + 0.5 * 2, 0 + 0.1 * 4]
    assert found["pinball"] == pytest.approx(sum(each) / 2 / 3)
    assert found["wql"] == pytest.approx(2 * sum(each) / 3 / 14)
    assert found["coverage"] == 1
    assert task.metrics({"forecast": point, "quantiles": quantiles(point, 2.0)}, examples) == found


def test_against_sklearn():
    random = np.random.default_rng(0)
    task, examples = windows_of(wave(200), wave(90, seed=1), horizon=5)
    truth = examples.truth()
    point = truth + random.normal(size=truth.shape)
    said = np.sort(truth[..., None] + random.normal(size=(*truth.shape, 3)), axis=-1)
    found = forecast_metrics(point, said, examples, LEVELS, task.season)
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, point))
    assert found["mse"] == pytest.approx(mean_squared_error(truth, point))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth.ravel(), point.ravel()))
    pinball = [mean_pinball_loss(truth.ravel(), said[..., i].ravel(), alpha=q) for i, q in enumerate(LEVELS)]
    assert found["pinball"] == pytest.approx(np.mean(pinball))
    assert found["wql"] == pytest.approx(2 * np.mean(pinball) / np.abs(truth).mean())
    assert found["coverage"] == pytest.approx(((truth >= said[..., 0]) & (truth <= said[..., 2])).mean())


def test_mase_and_smape_are_means_over_series():
    """A series with a thousand windows weighs as much as one with a single window."""
    long, short = wave(300), np.array([1.0, 2, 4, 7, 11, 16, 22, 29, 37, 46])
    _, examples = windows_of(long, short, horizon=2)
    assert (examples.series == 1).sum() == 1
    point = examples.truth() + np.where(examples.series == 1, 3.0, 0.0)[:, None]
    found = forecast_metrics(point, quantiles(point), examples, LEVELS, 1)
    naive = np.abs(np.diff(short[:8])).mean()
    assert found["mase"] == pytest.approx(3 / naive / 2)
    truth = short[-2:]
    assert found["smape"] == pytest.approx((200 * 3 / (2 * truth + 3)).mean() / 2)


def test_unknown_truth_counts_nowhere():
    values = np.append(np.arange(20.0), [np.nan, 5.0])
    _, examples = windows_of(values)
    point = np.array([[1.0, 2.0]])
    found = forecast_metrics(point, quantiles(point), examples, LEVELS, 1)
    assert examples.truth().tolist()[0][1] == 5
    assert np.isnan(examples.truth()[0, 0])
    assert found["mae"] == 3
    assert found["coverage"] == 0


def test_constant_series_have_no_relative_error():
    _, examples = windows_of(np.full(20, 7.0))
    found = forecast_metrics(np.full((1, 2), 8.0), quantiles(np.full((1, 2), 8.0)), examples, LEVELS, 1)
    assert found["mae"] == 1
    assert np.isnan([found["mase"], found["scaled_mse"], found["scaled_mae"]]).all()
    assert np.isnan(window_mase(np.full((1, 2), 8.0), examples, 1)).all()
    both = windows_of(np.full(20, 7.0), np.arange(20.0))[1]
    point = both.truth() + 1
    found = forecast_metrics(point, quantiles(point), both, LEVELS, 1)
    assert found["mase"] == 1
    assert found["mae"] == 1


def test_nothing_to_count():
    task, examples = windows_of(np.arange(30.0))
    found = forecast_metrics(
        np.empty((0, 2)), np.empty((0, 2, 3)), examples.select(np.array([], dtype=int)), LEVELS, task.season
    )
    assert np.isnan(list(found.values())).all()


@pytest.mark.parametrize(
    ("history", "season", "want"),
    [
        ([1, 5, 2, 7], 2, 1.5),
        ([1, 5, 2], 3, 3.5),
        ([1, np.nan, 2, 4], 1, 2),
        ([1, 3, 1, 3, 1], 2, 2),
        ([3], 1, 0),
        ([], 4, 0),
    ],
)
def test_naive_error_by_hand(history, season, want):
    assert naive_error(np.array(history, dtype=float), season) == want


def test_scores_follow_mase():
    task, examples = windows_of(wave(120), horizon=3)
    point = examples.truth() + np.arange(len(examples))[:, None]
    outputs = {"forecast": point, "quantiles": quantiles(point)}
    assert task.scores(outputs, examples).mean() == pytest.approx(task.metrics(outputs, examples)["mase"])


def test_sums_do_not_depend_on_how_they_are_cut(monkeypatch):
    task, examples = windows_of(wave(150), horizon=3)
    point = examples.truth() + 0.5
    whole = forecast_metrics(point, quantiles(point, 0.4), examples, LEVELS, task.season)
    monkeypatch.setattr("ostinato.tasks.forecast_metrics.SAMPLE", 1)
    pieces = forecast_metrics(point, quantiles(point, 0.4), examples, LEVELS, task.season)
    assert pieces == pytest.approx(whole)
