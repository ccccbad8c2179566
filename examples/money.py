"""Prices that are a random walk: the report must not find anything in them that could be forecast."""

import math
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import ostinato
from ostinato import plots
from ostinato.runs.backtest import Backtest, backtest
from ostinato.tasks.forecast_trading import Trades

DAYS, HORIZON, TEST, VALID = 1200, 5, 250, 150


def prices(path: Path) -> Path:
    """A geometric random walk, with a drift of 8 % and a volatility of 16 % a year."""
    draw, price = random.Random(7), 100.0
    lines = ["day,close"]
    for day in range(DAYS):
        price *= math.exp(draw.gauss(0.08 / 250, 0.16 / 250**0.5))
        lines.append(f"{day},{price:.4f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def traded(walk: Backtest, price: np.ndarray) -> Trades:
    """Over all folds: held over a horizon where a rise was forecast, else not, at 10 basis points a trade."""
    said = pl.concat([pl.read_parquet(f"{one.run}/predictions.parquet") for one in walk.folds])
    ends = said.gather_every(HORIZON, HORIZON - 1)
    day, level = ends["step"].to_numpy(), price[ends["step"].to_numpy() - 1 - HORIZON]
    held = (ends["forecast"].to_numpy() > level).astype(float)
    return Trades(np.zeros(len(day)), np.arange(len(day)), held, np.log(price[day - 1] / level), math.log1p(-0.001))


def drawn(walk: Backtest, trades: Trades) -> str:
    """What was trained and tested when, and what both ways of trading had earned by then."""
    begins = [int(one.first) for one in walk.folds]
    folds = [  # the gap before the test is taken from the validation part
        {
            "train": (1, begin - VALID - HORIZON - 1),
            "valid": (begin - VALID, begin - HORIZON - 1),
            "test": (begin, begin + TEST - 1),
        }
        for begin in begins
    ]
    ends = [begin - 1 + HORIZON * (k + 1) for begin in begins for k in range(TEST // HORIZON)]
    both = {"on the forecasts": trades, "holding throughout": trades.holding}
    earned = {name: np.expm1(one.earned().cumsum()) for name, one in both.items()}
    return plots.walk(
        folds, ends, earned, title="A random walk, traded: three folds, trained anew for each", unit="day"
    )


def main(picture: str = "") -> None:
    recipe = {
        "task.name": "forecast",
        "task.horizon": HORIZON,
        "task.transform": "returns",
        "task.head": "student_t",
        "task.gap": HORIZON,
        "data.test": TEST,
        "data.valid": VALID,
        "model.hidden": 16,
        "training.epochs": 5,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = prices(Path(folder) / "walk.csv")
        run = ostinato.train(path, recipe, Path(folder) / "run")
        if picture:
            walk = backtest(run.path, folds=3)
            trades = traded(walk, pl.read_csv(path)["close"].to_numpy())
            print(f"{walk.text} Traded: {trades.profit():+.1%}, holding {trades.holding.profit():+.1%}.\n")
            plots.save(drawn(walk, trades), picture)
    test = run.metrics["test"]
    for name, row in {"model": test["model"], **test["baselines"]}.items():
        print(f"{name:13} error {row['mae']:.5f}   profit {row['profit']:+.1%}   holding {row['hold']:+.1%}")
    print(f"\n{run.verdict}\n")
    print(*run.metrics["remarks"], sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
