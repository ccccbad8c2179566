from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.errors import UsageError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_bands import apart, conformal_shifts, moments, moved
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, hours, table_of, wave

LEVELS = (0.1, 0.5, 0.9)


def windows(values: np.ndarray, horizon: int, valid: int = 0, **settings: object):
    """The validation part of series ``(B, T)``."""
    data = DataSettings(valid=valid or 0.1, test=0.1)
    task = TaskSettings(horizon=horizon, look_back=4, segment=2, season=1, **settings)
    table = table_of(*values)
    parts = cut(table, data, task)
    return Forecast.fit(parts.train, data, task).examples(parts.valid)


def test_coverage_is_what_conformal_prediction_promises():
    """Of n + 1 series each is left out once: the truth of exactly ``ceil((n + 1) q)`` of them lies below the band.

    The quantiles that are moved are far too narrow, and lopsided; the series have scales of their own.
    """
    random = np.random.default_rng(0)
    count, horizon = 30, 2
    values = random.standard_t(3, size=(count + 1, 16)).cumsum(axis=1)
    values *= np.array([10.0 ** (i % 3) for i in range(count + 1)])[:, None]
    examples = windows(values, horizon)
    narrow = examples.level()[:, None, None] + np.array([-0.01, 0, 0.2]) * np.ones((count + 1, horizon, 1))
    below, above, both = np.zeros(horizon), np.zeros(horizon), np.zeros(horizon)
    for left in range(count + 1):
        others = np.delete(np.arange(count + 1), left)
        seen = examples.select(others)
        assert apart(seen) == count
        shifts = conformal_shifts(narrow[others], seen, LEVELS)
        wide = moved(narrow[[left]], examples.panel.scale[left], shifts, 1)[0]
        truth = examples.truth()[left]
        below += truth <= wide[:, 2]
        above += truth >= wide[:, 0]
        both += (truth <= wide[:, 2]) & (truth >= wide[:, 0])
    assert (below == np.ceil((count + 1) * 0.9)).all()
    assert (above == np.ceil((count + 1) * 0.9)).all()
    assert (both >= (count + 1) * 0.8).all()


def test_by_hand():
    """Ten errors 1 … 10 above the quantile: of ten, 0.9 is the ceil(11 * 0.9) = 10th; the middle stays."""
    values = np.tile(np.array([0.0, 1, 0, 1, 0, 1, 0]), (10, 1))
    values[:, 5] += np.arange(10)  # the validation part is step 6 of 7
    examples = windows(values, 1)
    scale = examples.panel.scale[0, 0]
    said = np.ones((10, 1, 3))
    assert np.allclose(conformal_shifts(said, examples, LEVELS), [[0, 0, 9 / scale]])
    assert np.allclose(conformal_shifts(said, examples, (0.25, 0.5, 0.75)), [[1 / scale, 0, 8 / scale]])


def test_windows_that_share_steps_are_not_counted_twice():
    values = np.stack([wave(60, seed=s) for s in range(2)])
    every, one = windows(values, 4, valid=20), windows(values, 4)
    assert len(every) == 2 * 17
    assert apart(every) == 2 * 5  # origins 0, 4, 8, 12, 16
    assert apart(one) == moments(one) == 2
    times = [hours(60)] * 2
    data, task = DataSettings(valid=20, test=4), TaskSettings(horizon=4, look_back=4, calendar=False)
    parts = cut(table_of(*values, times=times), data, task)
    both = Forecast.fit(parts.train, data, task).examples(parts.valid)
    assert apart(both) == 10
    assert moments(both) == 5  # both series live through the same hours
    shifts = [np.array(conformal_shifts(np.repeat(e.level()[:, None, None], 12, 1).reshape(len(e), 4, 3), e, LEVELS))
              for e in (every, both)]  # fmt: skip
    assert np.array_equal(*shifts)


@given(st.lists(st.integers(12, 40), min_size=1, max_size=6), st.integers(1, 4), st.booleans())
def test_windows_apart_are_counted_over_unequal_series(lengths, horizon, timed):
    """Against a loop over the series."""
    longest = max(lengths)
    times = [hours(longest)[longest - n :] for n in lengths] if timed else []
    table = table_of(*(wave(n, seed=n) for n in lengths), times=times)
    data, task = DataSettings(valid=0, test=0.4), TaskSettings(horizon=horizon, look_back=4, segment=2, season=1)
    parts = cut(table, data, task)
    examples = Forecast.fit(table, data, task).examples(parts.test)
    want = 0
    for series in range(len(lengths)):
        origins = examples.origin[examples.series == series]
        want += 1 + (origins.max() - origins.min()) // horizon
    assert apart(examples) == want
    assert 1 <= moments(examples) <= want if timed else moments(examples) == want


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6), st.lists(st.floats(-5, 5), min_size=2, max_size=2))
def test_bands_never_cross_and_the_forecast_stays(said, shifts):
    quantiles = np.sort(np.array(said).reshape(2, 1, 3), axis=-1)
    found = moved(quantiles, np.array([1.0, 10.0]), ((shifts[0], 0.0, shifts[1]),), 1)
    assert (np.diff(found, axis=-1) >= 0).all()
    assert np.array_equal(found[..., 1], quantiles[..., 1])


def test_a_task_keeps_its_shifts():
    table = table_of(*[wave(60, seed=s) for s in range(12)])
    task = fitted(table, horizon=3, conformal=True)
    assert task.calibrates
    examples = task.examples(cut(table, DataSettings(), TaskSettings(horizon=3)).valid)
    said = np.repeat(examples.level()[:, None, None], 9, axis=1).reshape(-1, 3, 3)
    calibrated = task.calibrated({"forecast": said[..., 1], "quantiles": said}, examples)
    assert np.array(calibrated.shifts).shape == (3, 3)
    assert Forecast.from_config(json.loads(json.dumps(calibrated.to_config()))) == calibrated
    assert not fitted(table, horizon=3).calibrates


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (DataSettings(valid=0), {}, "learns from the validation part"),
        (DataSettings(), {"quantiles": (0.5,)}, "moves bands, and task.quantiles asks for none"),
    ],
)
def test_settings_that_make_no_sense(data, settings, message):
    with pytest.raises(UsageError, match=message):
        fitted(table_of(wave(60)), data, horizon=2, conformal=True, **settings)
