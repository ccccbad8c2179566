"""What is known beside a series: promotions that are planned ahead, the kind of each shop, and a shop that is new."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ostinato import Forecaster

DAYS, AHEAD, EVERY = 210, 7, 5


def shop(name: str, place: str, size: float, seed: int, days: int = DAYS) -> pl.DataFrame:
    """Counts a day: a weekly rhythm, and twice as many on the day of a promotion."""
    step = np.arange(days + AHEAD)
    promotion = ((step + seed) % EVERY == 0).astype(int)
    weekend = np.where(step % 7 >= 5, 2.0 if place == "centre" else 0.5, 1.0)
    sold = np.random.default_rng(seed).poisson(size * weekend * (1 + promotion)).astype(float)
    sold[days:] = np.nan  # to be forecast; what is known ahead goes on
    return pl.DataFrame(
        {
            "shop": name,
            "place": place,
            "day": [date(2024, 1, 1) + timedelta(days=int(one)) for one in step],
            "sold": sold,
            "promotion": promotion,
        }
    ).with_columns(pl.col("sold").fill_nan(None))


def main() -> None:
    shops = [shop(f"shop {n}", ("centre", "suburb")[n % 2], 5.0 + 4 * n, n) for n in range(6)]
    model = Forecaster(
        horizon=AHEAD,
        season=7,
        hidden=32,
        epochs=15,
        settings={
            "data.id": "shop",
            "data.time": "day",
            "data.target": "sold",
            "task.known": ("promotion",),
            "task.head": "negative_binomial",
        },
    ).fit(pl.concat(shops))

    new = shop("new shop", "suburb", 12.0, 99, days=28)  # four weeks old, and never seen in training
    low, middle, high = model.predict_quantiles(new).T
    planned = new["promotion"].to_numpy()[-AHEAD:]
    print("day  promotion  forecast  80 % of futures between")
    for day in range(AHEAD):
        print(
            f"{day + 1:3}  {'yes' if planned[day] else '-':>9}  {middle[day]:8.0f}  {low[day]:7.0f} and {high[day]:.0f}"
        )
    quiet, loud = middle[planned == 0].mean(), middle[planned == 1].mean()
    print(f"\nforecast of a day with a promotion {loud:.1f}, without {quiet:.1f}")


if __name__ == "__main__":
    main()
