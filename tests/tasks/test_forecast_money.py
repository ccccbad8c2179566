from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.cells import Cells
from ostinato.data.layouts import lay_out
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_money import STILL, price_notes, roles_of
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.forecast_series import Layout, series_of
from ostinato.tasks.settings import TaskSettings
from series_tables import OHLCV, bars, days, fitted, table_of, walk


def settings(**more: object) -> TaskSettings:
    return TaskSettings(horizon=3, look_back=8, segment=2, season=1, calendar=False, **more)  # type: ignore[arg-type]


def prepared(table, data: DataSettings | None = None, **more: object):
    data, task = data or DataSettings(), settings(**more)
    division = Forecast.divide(table, data, task, 0)
    fit = Forecast.fit(division.train, data, task)
    return fit, division


def test_names_of_prices():
    assert roles_of(OHLCV) == {
        "open": "Open",
        "high": "High",
        "low": "Low",
        "close": "Close",
        "adjclose": "Adj Close",
        "volume": "Volume",
    }
    assert roles_of(["adj_close", "price", "1. open"]) == {"adjclose": "adj_close", "open": "1. open"}


def test_the_adjusted_close_is_the_target():
    fit, _ = prepared(table_of(bars(60), channels=OHLCV), transform="returns")
    assert fit.layout.targets == ("Adj Close",)
    assert fit.layout.seen == ("Open", "High", "Low", "Close", "Volume")
    fit, _ = prepared(table_of(bars(60), channels=OHLCV), DataSettings(target="Open"), transform="returns")
    assert fit.layout.targets == ("Open",)
    fit, _ = prepared(table_of(bars(60), channels=OHLCV))
    assert len(fit.layout.targets) == 6  # without the transform nothing is taken for a price


def test_returns_by_hand():
    """Targets are returns since the last price, over how far the training part moved; volatility is Parkinson's."""
    table = bars(60)
    table[5:8, 5] = 0  # a volume of zero has no logarithm, so volumes stay as they are
    fit, division = prepared(table_of(table, channels=OHLCV), transform="returns")
    examples = fit.examples(division.test)
    batch = examples.take(torch.tensor([0]))
    origin, scale = int(examples.origin[0]), examples.panel.scale[0, 0]
    close = np.log(table[:, 4])
    want = (close[origin : origin + 3] - close[origin - 1]) / scale
    assert batch.targets[0].numpy() == pytest.approx(want, rel=1e-5)
    steps = batch.inputs.values.numpy()
    assert steps.shape == (8, 7)  # the price, five that help, and the volatility
    assert steps[:, 0] == pytest.approx((close[origin - 8 : origin] - close[origin - 1]) / scale, rel=1e-5, abs=1e-6)
    swing = np.log(table[:, 1] / table[:, 2]) / np.sqrt(4 * np.log(2))
    assert examples.panel.seen[:, 5] == pytest.approx(swing)
    assert examples.panel.seen[:, 1] == pytest.approx(np.log(table[:, 1]))
    assert np.array_equal(examples.panel.seen[:, 4], table[:, 5])
    assert fit.transform.told(examples.truth(np.array([0]))[0]) == pytest.approx(table[origin : origin + 3, 4])


def test_volatility_by_hand():
    table = bars(60)
    table[9, 1] = table[9, 2] = table[9, 3]  # a day that stood still
    fit, division = prepared(table_of(table, channels=OHLCV), transform="volatility")
    panel = fit.examples(division.test).panel
    swing = np.maximum(np.log(table[:, 1] / table[:, 2]) / np.sqrt(4 * np.log(2)), STILL)
    assert panel.values[:, 0] == pytest.approx(np.log(swing))
    assert panel.seen[1:, 5] == pytest.approx(np.diff(np.log(table[:, 4])))
    assert "ewma" in fit.baselines
    alone, division = prepared(table_of(table[:, 3]), transform="volatility")
    panel = alone.examples(division.test).panel
    moves = np.abs(np.diff(np.log(table[:, 3])))
    assert panel.values[1:, 0] == pytest.approx(np.log(np.maximum(moves, STILL)))
    assert np.isnan(panel.values[0, 0])


@given(factor=st.floats(1e-3, 1e3))
def test_returns_know_no_currency(factor):
    table = bars(60)
    scaled = table * np.array([factor] * 5 + [1.0])
    fit, division = prepared(table_of(table, channels=OHLCV), transform="returns")
    other, division2 = prepared(table_of(scaled, channels=OHLCV), transform="returns")
    first, second = (t.examples(d.test).take(torch.tensor([0])) for t, d in ((fit, division), (other, division2)))
    assert second.inputs.values.numpy() == pytest.approx(first.inputs.values.numpy(), abs=1e-4)
    assert second.targets.numpy() == pytest.approx(first.targets.numpy(), abs=1e-4)


@pytest.mark.parametrize("price", [0.0, -3.0])
@pytest.mark.parametrize("part", [5, 58])
def test_a_price_of_zero_is_named(price, part):
    table = bars(60)
    table[part, 4] = price
    with pytest.raises(DataError, match=rf"step {part + 1}, 2020-.*: the price is {price:g}.*above 0.*") as found:
        prepared(table_of(table, channels=OHLCV, times=[days(60)]), transform="returns")
    assert found.value.column == "Adj Close"


def test_a_high_below_its_low_is_named():
    table = bars(60)
    table[20, 1] = table[20, 2] / 2
    with pytest.raises(DataError, match=r"step 21: the high .* is below the low") as found:
        prepared(table_of(table, channels=OHLCV), transform="returns")
    assert found.value.column == "High"


def notes_of(values: np.ndarray, times=(), channels=("close",)) -> tuple[str, ...]:
    table = table_of(values, times=times, channels=channels)
    layout = Layout.of(table, DataSettings(target="close"), ())
    return price_notes(series_of(table, DataSettings(), layout), layout)


@pytest.mark.parametrize("factor", [2, 3, 1.5, 1 / 10])
def test_a_split_is_told(factor):
    prices = walk(100)
    prices[70:] /= factor
    said = notes_of(prices, times=[days(100)])
    spoken = max(factor, 1 / factor)
    assert len(said) == 1
    assert "step 71, 2020-03-11: close goes from" in said[0]
    assert f"as a split of {spoken:g} would (1 in all); use adjusted prices" in said[0]


def test_no_split_is_seen_where_there_is_none():
    assert notes_of(walk(500, 1)) == ()
    assert notes_of(walk(500, 1, sigma=0.3)) == ()  # so wild that halves are usual
    crash = walk(100)
    crash[50:] *= 0.77
    assert notes_of(crash) == ()


def test_an_adjusted_column_is_the_mend():
    prices = bars(100)[:, 3:5]
    prices[50:, 0] /= 2
    assert "use --target adjclose" in notes_of(prices, channels=("close", "adjclose"))[0]


def test_a_gap_is_told():
    times = days(100)
    times[60:] += 40
    assert notes_of(walk(100), times=[times]) == ("series 'S1': no price between 2020-02-29 and 2020-04-10 (41 days)",)


def read_prices(prices: np.ndarray, stamps: np.ndarray) -> tuple[Table, list[int]]:
    """Two stocks as a file holds them, the newest day first; and the row of each day of the second."""
    frame = pl.DataFrame(
        {
            "stock": ["A"] * len(prices) + ["B"] * len(prices),
            "day": np.datetime_as_string(np.concatenate([stamps[::-1], stamps[::-1]])),
            "close": np.concatenate([walk(len(prices))[::-1], prices[::-1]]),
        }
    )
    cells = Cells(frame, np.arange(2, frame.height + 2), Path("prices.csv"))
    return lay_out(cells, DataSettings(id="stock", time="day")), [2 * len(prices) + 1 - k for k in range(len(prices))]


@pytest.mark.parametrize(("bad", "place"), [(0.0, 3), (-1.0, 59)])
def test_a_bad_price_names_the_row_of_the_file(bad, place):
    prices = walk(60, 1)
    prices[place] = bad
    table, rows = read_prices(prices, days(60))
    with pytest.raises(DataError, match=rf"^prices.csv, row {rows[place]}, column 'close': series 'B', step") as found:
        prepared(table, transform="returns")
    assert found.value.row == rows[place]


def test_a_bad_price_of_the_test_file_names_its_row():
    prices = walk(60, 1)
    first, _ = read_prices(prices, days(60))
    prices = walk(20, 2)
    prices[7] = 0
    later, rows = read_prices(prices, days(80)[60:])
    task, data = TaskSettings(transform="returns", horizon=2), DataSettings(target="close")
    with pytest.raises(DataError, match="the price is 0") as found:
        Forecast.divide(first, data, task, 0, test=later)
    assert found.value.row == rows[7]


def test_splits_and_gaps_name_their_rows():
    prices, stamps = walk(100, 1), days(100)
    prices[70:] /= 2
    stamps[40:] += 50
    table, rows = read_prices(prices, stamps)
    layout = Layout.of(table, DataSettings(target="close"), ())
    split, gap = price_notes(series_of(table, DataSettings(), layout), layout)
    assert split.startswith(f"row {rows[70]}: series 'B', step 71, ")
    assert re.match(r"row \d+: series '[AB]': no price between", gap)
    assert int(gap.split(":")[0].removeprefix("row ")) in {rows[40], rows[40] - 100}


@pytest.mark.parametrize(("value", "missing", "told"), [(np.nan, "error", "missing"), (np.inf, "mask", "infinite")])
def test_a_bad_step_names_the_row_of_the_file(value, missing, told):
    prices = walk(60, 1)
    table, rows = read_prices(prices, days(60))
    table["values"].values[1][9] = value
    layout = Layout.of(table, DataSettings(), ())
    with pytest.raises(DataError, match=f"step 10: the value is {told}") as found:
        series_of(table, DataSettings(missing=missing), layout)
    assert found.value.row == rows[9]


def test_missing_prices_are_filled_and_keep_no_target():
    table = walk(60)
    table[[5, 56]] = np.nan
    fit, division = prepared(table_of(table), transform="returns")
    examples = fit.examples(division.test)
    assert np.isnan(examples.truth()).any()
    assert np.isfinite(examples.take(torch.tensor([0])).inputs.values.numpy()).all()


def test_what_cannot_be():
    with pytest.raises(UsageError, match=r"task.transform=volatility needs one price"):
        prepared(table_of(np.stack([walk(60), walk(60, 1)], axis=1)), transform="volatility")
    with pytest.raises(UsageError, match=r"negative_binomial is for counts"):
        prepared(table_of(walk(60).round()), transform="returns", head="negative_binomial")
    with pytest.raises(UsageError, match=r"task.costs are basis points"):
        prepared(table_of(walk(60)), transform="returns", costs=-1.0)


def test_config_comes_back():
    fit, _ = prepared(table_of(bars(60), channels=OHLCV), transform="returns", costs=3.0)
    assert Forecast.from_config(json.loads(json.dumps(fit.to_config()))) == fit
    assert "prices as logarithms" in fit.describe(cut(table_of(bars(60), channels=OHLCV), DataSettings(target="Close"),
                                                      settings()).train)  # fmt: skip


def test_a_constant_price():
    fit = fitted(table_of(np.full(60, 5.0)), horizon=2, transform="returns")
    assert fit.transform.kind == "returns"
