"""Hundreds of series of unequal length, as shops sell: from a file to forecasts, of series never seen too."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ostinato.data import Table, from_rows
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError
from ostinato.evaluation.series import repeat_last
from ostinato.runs import Run, train
from ostinato.tasks import forecast_windows
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.settings import TaskSettings

COUNT, HORIZON = 300, 3
SETTINGS = {
    "data.target": "sold", "task.horizon": HORIZON, "model.hidden": 4, "training.epochs": 1, "training.epoch_size": 500,
}  # fmt: skip


def sold(count: int = COUNT, seed: int = 0, name: str = "item{:03d}") -> pl.DataFrame:
    """Counts of 20 to 60 days, negative binomial; every tenth series constant, every seventh with gaps."""
    random = np.random.default_rng(seed)
    parts = []
    for number in range(count):
        steps = int(random.integers(20, 61))
        counts = random.negative_binomial(2, 2 / (2 + random.gamma(2.0)), steps).astype(float)
        counts[:] = 2.0 if number % 10 == 3 else counts
        counts[random.random(steps) < 0.1 * (number % 7 == 5)] = np.nan
        days = np.datetime64("2024-06-01") - np.arange(steps)[::-1]
        parts.append(pl.DataFrame({"item": [name.format(number)] * steps, "day": days, "sold": counts}))
    return pl.concat(parts).with_columns(pl.col("sold").fill_nan(None).cast(pl.Int64))


@pytest.fixture(scope="module", params=["csv", "parquet", "csv without days"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("shops")
    frame = sold().drop("day") if "without" in request.param else sold()
    path = folder / f"sold.{request.param[:7].split()[0]}"
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return train(path, SETTINGS, folder / "run")


def dated(run: Run) -> bool:
    return "time" in pl.read_parquet(run.folder.predictions).columns


def test_every_series_is_forecast(run: Run) -> None:
    assert run.metrics["task"] == "forecast"
    frame = pl.read_parquet(run.folder.predictions)
    assert frame["series"].n_unique() == COUNT
    assert all(np.isfinite(run.metrics["test"]["model"][key]) for key in ("mase", "mae", "wql", "coverage"))
    assert run.folder.report.stat().st_size < 500_000  # draws a few of the series, not all


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_series_never_seen_and_shorter_than_the_window(run: Run, steps: int) -> None:
    new = sold(3, seed=1, name="new{}").group_by("item", maintain_order=True).tail(steps)
    new = new.with_columns(pl.lit(4).alias("sold"))
    found = run.load().predict(new if dated(run) else new.drop("day"))
    assert found["series"].unique(maintain_order=True).to_list() == ["new0", "new1", "new2"]
    assert len(found) == 3 * HORIZON
    assert found["forecast"].to_list() == [4.0] * len(found)  # the only value there was


def test_a_series_without_values_is_named(run: Run) -> None:
    new = sold(2, name="new{}").with_columns(pl.when(pl.col("item") != "new1").then("sold").alias("sold"))
    with pytest.raises(DataError, match="series 'new1' holds no value"):
        run.load().predict(new if dated(run) else new.drop("day"))


def task_and_table() -> tuple[Forecast, Table]:
    table = from_rows(sold(), None, DataSettings(), layout=Forecast.reads)
    data, settings = DataSettings(), TaskSettings(horizon=HORIZON)
    return Forecast.fit(Forecast.divide(table, data, settings, 0).train, data, settings), table


def test_a_panel_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not series by series: the calls do not grow with their number."""
    task, table = task_and_table()
    calls: list[str] = []
    for name in ("fill_forward", "spread"):
        real = getattr(forecast_windows, name)
        monkeypatch.setattr(forecast_windows, name, lambda *args, f=real, n=name: calls.append(n) or f(*args))
    examples = task.examples(table)
    assert len(examples) == COUNT
    assert sorted(calls) == ["fill_forward", "fill_forward", "spread", "spread"]
    assert repeat_last(examples, task.quantiles)["forecast"].shape == (COUNT, HORIZON)
