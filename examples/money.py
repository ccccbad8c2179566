"""Prices that are a random walk: the report must not find anything in them that could be forecast."""

import math
import random
import tempfile
from pathlib import Path

import ostinato

DAYS = 1200


def prices(path: Path) -> Path:
    """A geometric random walk, with a drift of 8 % and a volatility of 16 % a year."""
    draw, price = random.Random(7), 100.0
    lines = ["day,close"]
    for day in range(DAYS):
        price *= math.exp(draw.gauss(0.08 / 250, 0.16 / 250**0.5))
        lines.append(f"{day},{price:.4f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    recipe = {
        "task.name": "forecast",
        "task.horizon": 5,
        "task.transform": "returns",
        "task.head": "student_t",
        "task.gap": 5,
        "data.test": 250,
        "data.valid": 150,
        "model.hidden": 16,
        "training.epochs": 5,
    }
    with tempfile.TemporaryDirectory() as folder:
        run = ostinato.train(prices(Path(folder) / "walk.csv"), recipe, Path(folder) / "run")
    test = run.metrics["test"]
    for name, row in {"model": test["model"], **test["baselines"]}.items():
        print(f"{name:13} error {row['mae']:.5f}   profit {row['profit']:+.1%}   holding {row['hold']:+.1%}")
    print(f"\n{run.verdict}\n")
    print(*run.metrics["remarks"], sep="\n")


if __name__ == "__main__":
    main()
