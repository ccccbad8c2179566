"""No forecast knows what comes after it, through the whole path from the file to the answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ostinato.evaluation.series import SERIES_BASELINES
from ostinato.models import build
from ostinato.runs.prepare import Prepared, prepare
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_windows import WindowExamples
from ostinato.training import calibrated, predict
from series_tables import bars, days

STEPS = 120
NAMES = ("Open", "High", "Low", "Close", "Adj Close", "Volume")


def market(seed: int) -> dict[str, np.ndarray]:
    """Two series of unequal length that end on the same day."""
    found = {name: bars(STEPS - 20 * number, seed + number) for number, name in enumerate(("A", "B"))}
    for values in found.values():
        values[:, 5] += 1
        values[7] = np.nan  # a day without a trade
    return found


def changed(values: dict[str, np.ndarray], begin: int, seed: int) -> dict[str, np.ndarray]:
    """The days from ``begin`` on (of the longer series) in another order, at other prices and volumes."""
    random = np.random.default_rng(seed)
    found = {}
    for name, table in values.items():
        first = begin - (STEPS - len(table))
        table = table.copy()
        later = table[first:][random.permutation(len(table) - first)]
        table[first:] = later * np.exp(random.normal(size=(len(later), 1)))
        found[name] = table
    return found


def write(path: Path, values: dict[str, np.ndarray]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["symbol", "date", *NAMES, "holiday"])
        for name, table in values.items():
            for day, row in zip(days(STEPS)[-len(table) :], table, strict=True):
                cells = ["" if np.isnan(one) else repr(float(one)) for one in row]
                writer.writerow([name, day, *cells, (int(day.astype(int)) % 6 == 0 and 1) or 0])
    return path


def answers(path: Path, chosen: dict[str, Any]) -> tuple[Prepared, Forecast, dict[str, np.ndarray]]:
    """What a model that was drawn, not trained, says about the test part, and what the rivals say."""
    prepared = prepare({"files.data": str(path), "task.name": "forecast", "data.id": "symbol", **chosen})
    torch.manual_seed(0)
    model = build(prepared.task.spec, prepared.recipe.model, prepared.recipe.task)
    task = calibrated(model, prepared.task, prepared.valid)
    assert isinstance(task, Forecast)
    said = {"model": predict(model, task, prepared.test)["quantiles"]}
    for name, rival in SERIES_BASELINES.items():
        said[name] = rival(prepared.test, task.quantiles, task.season)["quantiles"]  # type: ignore[arg-type]
    return prepared, task, said


@settings(max_examples=25, deadline=None, phases=(Phase.generate,))
@given(
    begin=st.integers(STEPS - 12, STEPS - 1),
    seed=st.integers(0, 99),
    chosen=st.fixed_dictionaries(
        {
            "task.transform": st.sampled_from(["none", "returns", "volatility"]),
            "task.head": st.sampled_from(["quantiles", "student_t"]),
            "task.decode": st.sampled_from(["direct", "rollout"]),
            "task.conformal": st.booleans(),
            "task.gap": st.sampled_from([0, 3]),
            "task.horizon": st.sampled_from([1, 3]),
            "data.missing": st.sampled_from(["mask", "fill"]),
            "task.known": st.sampled_from([(), ("holiday",)]),
        }
    ),
)
def test_the_future_changes_no_past_forecast(begin: int, seed: int, chosen: dict[str, Any]) -> None:
    values = market(seed)
    chosen = {"model.hidden": 4, "data.target": "Close", "data.test": 12, "data.valid": 12, **chosen}
    with TemporaryDirectory() as folder:
        before, task, said = answers(write(Path(folder) / "market.csv", values), chosen)
        after, task_after, said_after = answers(
            write(Path(folder) / "market.csv", changed(values, begin, seed)), chosen
        )
    assert json.dumps(task.to_config()) == json.dumps(task_after.to_config())  # scalers, seasons, bands
    for part in ("train", "valid"):
        mine, theirs = getattr(before, part), getattr(after, part)
        assert np.array_equal(mine.truth(), theirs.truth(), equal_nan=True)
    test = before.test
    assert isinstance(test, WindowExamples)
    ends = test.origin + np.where(test.series == 0, 0, 20)  # by the clock of the longer series
    past = ends <= begin
    assert past.any()
    for name in said:
        assert np.array_equal(said[name][past], said_after[name][past]), name
    if not past.all():  # the test can fail: what comes after the change is forecast otherwise
        assert not np.array_equal(said["model"][~past], said_after["model"][~past])
