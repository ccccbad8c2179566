"""Forecasters as one types them: backtests, bands, prices, and what is said of bad ones."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import polars as pl
import pytest
from shell import TINY, Call


def prices(path: Path, days: int = 160, seed: int = 0, **spoilt: str) -> Path:
    """A random walk of days; ``spoilt`` gives rows other cells: ``row30="2020-01-30,0,1,1,1"``."""
    draw, close = random.Random(seed), 50.0
    lines = ["date,open,high,low,close"]
    for day in range(days):
        begin, close = close, close * math.exp(draw.gauss(0, 0.01))
        top, bottom = max(begin, close) * 1.002, min(begin, close) * 0.998
        date = f"{2020 + day // 336}-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}"
        lines.append(spoilt.get(f"row{day + 2}", f"{date},{begin:.3f},{top:.3f},{bottom:.3f},{close:.3f}"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


MONEY = ["--task", "forecast", "--horizon", "2", "--set", "task.transform=returns", *TINY]


def test_prices_to_an_honest_answer(tmp_path: Path, call: Call) -> None:
    data, out = prices(tmp_path / "walk.csv"), tmp_path / "run"
    told = call("train", data, *MONEY, "--set", "task.gap=2", "--set", "task.conformal=true", "--out", out)
    assert told.code == 0, told.err
    assert "prices as logarithms" in told.out
    assert "Direction: " in told.out
    assert "at 10 basis points a trade" in told.out
    assert "Bands: moved by" in told.out
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert {"direction", "profit", "hold"} <= metrics["test"]["model"].keys()
    assert metrics["test"]["baselines"]["repeat_last"]["profit"] == 0
    assert metrics["outcome"] in {"beats", "cannot be told apart from", "does not beat"}
    assert "Trading: held over 2 steps" in (out / "report.html").read_text(encoding="utf-8")
    predictions = pl.read_parquet(out / "predictions.parquet")
    assert predictions["truth"].to_list() == pytest.approx(pl.read_csv(data)["close"].tail(len(predictions)).to_list())
    ahead = call("forecast", out, "--horizon", "5")
    assert ahead.code == 0, ahead.err
    values = pl.read_csv(ahead.out.encode())
    assert len(values) == 5
    assert values["forecast"].is_between(30, 80).all()  # prices, not logarithms
    assert (values["q0.1"] <= values["q0.9"]).all()
    assert call("evaluate", out, prices(tmp_path / "other.csv", seed=1)).code == 0


def test_a_model_folder_keeps_what_its_bands_learned(tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    assert call("train", prices(tmp_path / "walk.csv"), *MONEY, "--set", "task.conformal=true", "--out", out).code == 0
    config = json.loads((out / "model" / "config.json").read_text(encoding="utf-8"))
    shifts = config["fitted"]["shifts"]
    assert len(shifts) == 2
    assert all(row[1] == 0 and row[0] <= row[2] for row in shifts)


def test_volatility_has_its_own_rival(tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    options = [one.replace("returns", "volatility") for one in MONEY]
    told = call("train", prices(tmp_path / "walk.csv"), *options, "--out", out)
    assert told.code == 0, told.err
    assert "ewma" in told.out
    values = pl.read_csv(call("forecast", out).out.encode())
    assert values["forecast"].is_between(1e-4, 0.1).all()
    refused = call("forecast", out, "--horizon", "9")
    assert refused.code == 2
    assert "a volatility is no price that could be fed back: ask for at most 2 steps" in refused.err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2020-02-01,50,51,49,0", r"step 29, 2020-02-01: the price is 0, and a return needs prices above 0"),
        ("2020-02-01,50,51,49,-4", r"the price is -4"),
        ("2020-02-01,50,48,49,50", r"step 29, 2020-02-01: the high 48 is below the low 49"),
    ],
)
def test_bad_prices_are_named_with_file_and_place(tmp_path: Path, call: Call, row: str, said: str) -> None:
    told = call("train", prices(tmp_path / "walk.csv", row30=row), *MONEY, "--out", tmp_path / "run")
    assert told.code == 1
    assert "walk.csv, row 30, column '" in told.err
    assert said in told.err
    assert not (tmp_path / "run").exists()


def test_splits_gaps_and_holes_are_told(tmp_path: Path, call: Call) -> None:
    lines = prices(tmp_path / "walk.csv").read_text(encoding="utf-8").splitlines()
    date, *cells = lines[60].split(",")
    lines[60] = f"{date},,,,"  # a day without prices
    for row in range(100, len(lines)):
        date, *cells = lines[row].split(",")
        lines[row] = ",".join([date.replace("2020", "2021"), *(f"{float(one) / 2:.3f}" for one in cells)])
    (tmp_path / "walk.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = call("train", tmp_path / "walk.csv", *MONEY, "--out", tmp_path / "run")
    assert told.code == 0, told.err
    notes = " ".join(told.err.split())
    assert "as a split of 2 would (1 in all); use adjusted prices" in notes
    assert "series 'walk': no price between 2020-04-15 and 2021-04-16 (366 days)" in notes
    assert "close: 1 of 160 values missing" in notes


def test_a_price_that_never_changes(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "still.csv"
    path.write_text("close\n" + "7\n" * 80, encoding="utf-8")
    told = call("train", path, *MONEY, "--out", tmp_path / "run")
    assert told.code == 0, told.err
    assert "'close' of series 'still' never changes in training" in " ".join(told.err.split())
    assert pl.read_csv(call("forecast", tmp_path / "run").out.encode())["forecast"].round(6).to_list() == [7, 7]


def test_a_backtest_walks_forward(tmp_path: Path, call: Call) -> None:
    out = tmp_path / "run"
    data = prices(tmp_path / "walk.csv")
    assert call("train", data, *MONEY, "--set", "data.test=20", "--set", "data.valid=20", "--out", out).code == 0
    told = call("backtest", out, "--folds", "3")
    assert told.code == 0, told.err
    assert "MASE" in told.out
    assert " of 3, beyond chance in " in told.out
    found = json.loads((out / "backtest" / "folds-3.json").read_text(encoding="utf-8"))
    firsts, lasts = [one["first"] for one in found["folds"]], [one["last"] for one in found["folds"]]
    days = pl.read_csv(data)["date"].to_list()
    assert [days.index(one) for one in firsts] == [100, 120, 140]
    assert [days.index(one) for one in lasts] == [119, 139, 159]
    last = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["test"]["model"]["mase"]
    assert found["folds"][2]["model"] == pytest.approx(last)  # the last fold is the run itself
    again = call("backtest", out, "--folds", "3", "--json")  # nothing is trained anew
    assert json.loads(again.out) == found


def test_what_cannot_be_backtested(tmp_path: Path, call: Call, classifier: Path, forecaster: Path) -> None:
    for arguments, code, said in (
        ((classifier,), 2, "a backtest is for forecasts; set data.fold=1/5"),
        ((forecaster, "--folds", "1"), 2, "a backtest has 2 to 100 folds, not 1"),
        ((forecaster, "--folds", "90"), 1, "no series goes back so far"),
        ((tmp_path / "nothing",), 1, "there is no such folder"),
    ):
        told = call("backtest", *arguments)
        assert told.code == code, told.err
        assert said in told.err
