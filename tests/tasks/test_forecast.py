from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.models.build import build
from ostinato.models.settings import ModelSettings
from ostinato.tasks.base import Outputs
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, hours, table_of, wave

SETTINGS = TaskSettings(horizon=4, look_back=12, season=6, segment=3)


def taught(table: Table, settings: TaskSettings = SETTINGS, data: DataSettings | None = None):
    """A task and a model that was trained a little: enough to depend on everything it sees."""
    data = data or DataSettings()
    parts = cut(table, data, settings)
    task = Forecast.fit(parts.train, data, settings)
    torch.manual_seed(0)
    model = build(task.spec, ModelSettings(cell="gru", hidden=8), settings)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    train = task.examples(parts.train)
    for step in range(20):
        batch = train.take(torch.arange(step % len(train), len(train), 20))
        optimizer.zero_grad()
        task.loss(model(batch)[0], batch)[0].backward()
        optimizer.step()
    return model.eval(), task


def said(model, task: Forecast, table: Table) -> Outputs:
    examples = task.examples(table)
    batch = examples.take(torch.arange(len(examples)))
    with torch.no_grad():
        return task.outputs(model(batch)[0], batch)


@given(factor=st.floats(1e-3, 1e4), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 99))
def test_a_forecast_moves_and_grows_with_its_series(factor, shift, seed):
    model, task = PAIR
    history = wave(50, 6, seed)
    base = said(model, task, table_of(history))["quantiles"]
    moved = said(model, task, table_of(factor * history + shift))["quantiles"]
    assert moved == pytest.approx(factor * base + shift, rel=1e-6, abs=1e-4 * factor + 1e-6 * abs(shift))


PAIR = taught(table_of(wave(90, 6)))


def test_training_on_another_scale_gives_the_same_forecast_scaled():
    one, other = taught(table_of(wave(90, 6))), taught(table_of(512 * wave(90, 6)))
    first, second = (said(*pair, table_of(k * wave(40, 6, 3)))["forecast"] for pair, k in ((one, 1), (other, 512)))
    assert second == pytest.approx(512 * first, rel=1e-5)


def test_the_future_never_changes_a_forecast():
    """Whatever comes at or after the first step that is forecast, for every window of the test part."""
    values = wave(90, 6)
    model, task = PAIR
    data = DataSettings(test=12, valid=8)
    examples = task.examples(cut(table_of(values), data, SETTINGS).test)
    before = said(model, task, cut(table_of(values), data, SETTINGS).test)
    for row, origin in enumerate(examples.origin.tolist()):
        changed = values.copy()
        changed[origin:] = 1e3 * np.random.default_rng(row).normal(size=len(values) - origin)
        after = said(model, task, cut(table_of(changed), data, SETTINGS).test)
        assert np.array_equal(after["quantiles"][row], before["quantiles"][row])
        if origin > 78:
            changed = values.copy()
            changed[origin - 1] += 1
            assert not np.array_equal(
                said(model, task, cut(table_of(changed), data, SETTINGS).test)["quantiles"][row],
                before["quantiles"][row],
            )


def test_nothing_is_fitted_on_validation_or_test():
    values = np.stack([wave(90, 6), np.arange(90.0)], axis=1)
    changed = values.copy()
    changed[74:] = 1e6
    data = DataSettings(target="c1", test=8, valid=8)
    settings = TaskSettings(horizon=4, known=("c2",))
    tasks = [Forecast.fit(cut(table_of(v), data, settings).train, data, settings) for v in (values, changed)]
    assert tasks[0] == tasks[1]
    scales = [
        t.examples(cut(table_of(v), data, settings).test).panel.scale
        for t, v in zip(tasks, (values, changed), strict=True)
    ]
    assert np.array_equal(*scales)


@given(st.lists(st.floats(-100, 100), min_size=12, max_size=12))
def test_quantiles_never_cross(numbers):
    _, task = PAIR
    examples = task.examples(table_of(wave(30)))
    found = task.outputs(torch.tensor(numbers).reshape(1, 4, 3), examples.take(torch.tensor([0])))
    assert (np.diff(found["quantiles"], axis=-1) >= 0).all()
    assert np.array_equal(found["forecast"], found["quantiles"][..., 1])


def test_the_loss_is_the_pinball_loss():
    """Twice max(q e, (q - 1) e), by hand: truth 1 and -1, said -1 0 2 at both steps."""
    task = fitted(table_of(wave(60)), horizon=2, look_back=6)
    batch = task.examples(cut(table_of(wave(60)), DataSettings(), TaskSettings(horizon=2)).train).take(
        torch.tensor([0])
    )
    batch.targets[:] = torch.tensor([[1.0, -1.0]])
    output = torch.tensor([[[-1.0, 0, 2], [-1, 0, 2]]])
    loss, count = task.loss(output, batch)
    first = 0.1 * 2 + 0.5 * 1 + 0.1 * 1
    second = 0.0 + 0.5 * 1 + 0.1 * 3
    assert count == 2
    assert float(loss) == pytest.approx(2 * (first + second) / 3 / 2)


def test_a_constant_series_stays_what_it_is():
    model, task = PAIR
    assert (said(model, task, table_of(np.full(30, 0.1)))["quantiles"] == 0.1).all()
    alone, other = taught(table_of(np.full(60, 7.0)))
    assert other.season == 6
    assert (said(alone, other, table_of(np.full(60, 7.0)))["quantiles"] == 7).all()


def test_a_gap_in_the_history():
    model, task = PAIR
    holes = wave(40, 6)
    holes[[0, 1, 7, 30, 38]] = np.nan
    filled = said(model, task, table_of(holes))
    assert np.isfinite(filled["quantiles"]).all()
    ended = np.append(wave(40, 6), [np.nan] * 3)
    assert np.array_equal(
        said(model, task, table_of(ended))["forecast"], said(model, task, table_of(wave(40, 6)))["forecast"]
    )


def test_config_is_json_and_comes_back():
    values = np.stack([wave(600, 24), wave(600, 24, 1), np.arange(600.0)], axis=1)
    data = DataSettings(target="c2")
    settings = TaskSettings(horizon=4, known=("c3",), quantiles=(0.05, 0.5, 0.95), look_back=10)
    task = Forecast.fit(cut(table_of(values, times=[hours(600)]), data, settings).train, data, settings)
    again = Forecast.from_config(json.loads(json.dumps(task.to_config())))
    assert again == task
    assert again.spec == task.spec
    assert task.covariates.names == ("c3", "hour of the day", "weekday")
    for damage in ({}, {**task.to_config(), "horizont": 3}, {**task.to_config(), "layout": None}):
        with pytest.raises(ModelFolderError, match="damaged"):
            Forecast.from_config(damage)
    with pytest.raises(ModelFolderError, match="damaged"):
        Forecast.from_config({**task.to_config(), "covariates": {"known": []}})


def test_it_says_what_it_understood():
    values = np.stack([wave(400, 24), wave(400, 24, 1)], axis=1)
    table = table_of(values, times=[hours(400)])
    task = fitted(table, horizon=12)
    assert task.describe(table) == (
        "1 series with 2 channels of 400 steps, one every 1 hour; forecast of the next 12 from the last 144, read in "
        "segments of 24; season of 24 steps (one day, autocorrelation 0.92)"
    )
    assert task.mapping == "many-to-many, fed back"
    assert task.baselines == ("repeat_last", "seasonal_naive", "random_walk", "feed_forward")
    plain = table_of(np.arange(50.0), np.arange(60.0))
    task = fitted(plain, horizon=2, look_back=8, segment=4)
    assert task.describe(plain).startswith("2 series of 50 to 60 steps; forecast of the next 2 from the last 8")
    assert task.describe(plain).endswith("no season (no season in the autocorrelation)")
    assert "seasonal_naive" not in task.baselines
    helped = fitted(table_of(values), DataSettings(target="c1"), horizon=3, season=24)
    assert helped.describe(table_of(values)).endswith("season of 24 steps (as set); helped by c2")


@pytest.mark.parametrize(("step", "said"), [("s", "1 second"), ("m", "1 minute"), ("D", "1 day")])
def test_rhythms_are_spoken(step, said):
    times = np.datetime64("2024-01-01", step) + np.arange(60)
    assert f"one every {said}" in fitted(table_of(wave(60), times=[times]), horizon=2).describe(
        table_of(wave(60), times=[times])
    ).replace("seconds", "second")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, "hold 0.5"),
        ({"quantiles": (0.0, 0.5)}, "between 0 and 1"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"look_back": -1}, "task.look_back cannot be negative"),
        ({"segment": -1}, "task.segment cannot be negative"),
        ({"season": -1}, "task.season cannot be negative"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(UsageError, match=message):
        Forecast.fit(table_of(wave(60)), DataSettings(), TaskSettings(**settings))


def test_too_short_to_train_on():
    with pytest.raises(DataError, match=r"series 'S2' has 5 steps to train on; a horizon of 5 needs at least 6"):
        Forecast.fit(table_of(wave(60), wave(5)), DataSettings(), TaskSettings(horizon=5))


def test_short_series_train():
    """Nine steps, a horizon of two, a season of one: everything still holds together."""
    model, task = taught(table_of(np.arange(9.0)), TaskSettings(horizon=2))
    assert said(model, task, table_of([1.0]))["forecast"].shape == (1, 2)


def test_frame_of_a_forecast():
    model, task = PAIR
    table = table_of(wave(40, 6), wave(30, 6), names=["A", "B"])
    outputs = said(model, task, table)
    frame = task.frame(outputs, table)
    assert frame.columns == ["series", "step", "forecast", "q0.1", "q0.5", "q0.9"]
    assert frame["series"].to_list() == ["A"] * 4 + ["B"] * 4
    assert frame["step"].to_list() == [41, 42, 43, 44, 31, 32, 33, 34]
    assert frame["forecast"].to_list() == outputs["forecast"].ravel().tolist()


def test_frame_of_a_test_part_shows_each_step_once():
    values = np.stack([wave(90, 6), wave(90, 6, 1)], axis=1)
    values[85, 0] = np.nan
    table = table_of(values, times=[hours(90)])
    data = DataSettings(test=11, valid=8)
    model, task = taught(table, data=data)
    part = cut(table, data, SETTINGS).test
    frame = task.frame(said(model, task, part), part)
    assert frame.columns == ["series", "channel", "time", "forecast", "q0.1", "q0.5", "q0.9", "truth"]
    assert len(frame) == 16
    first = frame.filter(pl.col("channel") == "c1")
    assert first["time"].to_numpy().tolist() == hours(90)[79:87].astype("datetime64[ns]").tolist()
    assert first["truth"].to_list() == [None if i == 85 else values[i, 0] for i in range(79, 87)]
