from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_trading import called, trades, trading_metrics
from ostinato.tasks.settings import TaskSettings
from series_tables import table_of, walk


def examples_of(*prices: np.ndarray, horizon: int = 1, test: int = 12):
    data = DataSettings(test=test)
    task = TaskSettings(horizon=horizon, look_back=4, segment=2, season=1, transform="returns")
    division = Forecast.divide(table_of(*prices), data, task, 0)
    return Forecast.fit(division.train, data, task).examples(division.test)


def oracle(prices: np.ndarray, signals: np.ndarray, horizon: int, costs: float) -> float:
    """Money of one account, trade by trade."""
    money, shares = 1.0, 0.0
    fee = 1 - costs / 1e4
    start = len(prices) - 1 - horizon * len(signals)
    for number, long in enumerate(signals):
        price = prices[start + number * horizon]
        if long and not shares:
            money, shares = 0.0, money * fee / price
        elif shares and not long:
            money, shares = shares * price * fee, 0.0
    return (money + shares * prices[-1] * fee) - 1


@given(
    signals=st.lists(st.booleans(), min_size=4, max_size=4),
    horizon=st.sampled_from([1, 3]),
    costs=st.sampled_from([0.0, 10.0, 250.0]),
    seed=st.integers(0, 9),
)
def test_profit_is_that_of_an_account(signals, horizon, costs, seed):
    prices = walk(80, seed, 0.03)
    examples = examples_of(prices, horizon=horizon, test=4 * horizon if horizon > 1 else 4)
    forecast = np.repeat(examples.level()[:, None], horizon, axis=1)
    first = examples.origin.min()
    for row, origin in enumerate(examples.origin):
        if (origin - first) % horizon == 0:
            forecast[row, -1] += 0.01 if signals[(origin - first) // horizon] else -0.01
    found = trading_metrics(forecast, examples, costs)
    assert found["profit"] == pytest.approx(oracle(prices, np.array(signals), horizon, costs), abs=1e-9)
    assert found["hold"] == pytest.approx(oracle(prices, np.ones(4, bool), horizon, costs), abs=1e-9)


def test_several_accounts_are_averaged():
    prices = [walk(80, seed, 0.05) for seed in (1, 2)]
    both = examples_of(*prices)
    each = [examples_of(one) for one in prices]
    said = [np.full((len(e), 1), 99.0) for e in (both, *each)]
    profits = [trading_metrics(f, e, 10)["profit"] for f, e in zip(said, (both, *each), strict=True)]
    assert profits[0] == pytest.approx(np.mean(profits[1:]))


def test_who_forecasts_the_last_price_never_trades():
    examples = examples_of(walk(80))
    level = examples.level()[:, None]
    found = trading_metrics(level, examples, 10)
    assert found["profit"] == 0
    assert np.isnan(found["direction"])
    assert not trades(level, examples, 10).held.any()


def test_a_prophet_is_always_right_and_a_liar_never():
    examples = examples_of(walk(80), horizon=3)
    truth, level = examples.truth(), examples.level()[:, None]
    assert trading_metrics(truth, examples, 0)["direction"] == 1
    assert trading_metrics(2 * level - truth, examples, 0)["direction"] == 0
    assert trading_metrics(truth, examples, 0)["profit"] > trading_metrics(truth, examples, 0)["hold"]


def test_moves_that_nobody_saw_are_not_counted():
    prices = walk(80)
    prices[75] = prices[74]
    prices[77] = np.nan
    examples = examples_of(prices)
    right = called(np.full((len(examples), 1), 99.0), examples)
    assert len(examples) == 11  # of twelve one has no truth at all
    assert np.isnan(right).sum() == 1
    said = np.full((len(examples), 1), 99.0)
    assert trading_metrics(said, examples, 0)["hold"] == pytest.approx(prices[79] / prices[67] - 1)
    examples = examples_of(prices, horizon=3)  # and a period that ends on such a day is worth the day before
    said = np.full((len(examples), 3), 99.0)
    assert trading_metrics(said, examples, 0)["hold"] == pytest.approx(prices[79] / prices[67] - 1)
