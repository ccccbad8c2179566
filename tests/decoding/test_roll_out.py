from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ostinato.data.settings import DataSettings
from ostinato.data.table import Table
from ostinato.decoding import roll_out as module
from ostinato.decoding.roll_out import roll_out
from ostinato.errors import DataError, UsageError
from ostinato.models.build import build
from ostinato.models.settings import ModelSettings
from ostinato.tasks.base import Outputs
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_heads import quantile_at
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import hours, table_of, wave


def made(table: Table, **settings: object) -> tuple[nn.Module, Forecast]:
    """A fitted task and an untrained model of it."""
    task_settings = TaskSettings(**{"horizon": 4, "look_back": 12, "season": 6, "segment": 2, **settings})
    task = Forecast.fit(cut(table, DataSettings(), task_settings).train, DataSettings(), task_settings)
    torch.manual_seed(0)
    return build(task.spec, ModelSettings(cell="gru", hidden=8), task_settings).eval(), task


def said(model: nn.Module, task: Forecast, table: Table) -> Outputs:
    examples = task.examples(table)
    batch = examples.take(torch.arange(len(examples)))
    with torch.no_grad():
        return task.outputs(model(batch)[0], batch)


def test_within_the_horizon_it_is_the_model_itself():
    table = table_of(wave(60), wave(30, seed=1))
    model, task = made(table)
    direct = said(model, task, table)
    for horizon in (0, 4, 3, 1):
        found = roll_out(model, task, table, horizon)
        assert np.array_equal(found["quantiles"], direct["quantiles"][:, : horizon or 4])
        assert np.array_equal(found["forecast"], found["quantiles"][..., 1])


@pytest.mark.parametrize("decode", ["direct", "rollout"])
def test_without_paths_it_is_the_model_again_and_again(decode):
    first, second = np.stack([wave(60), wave(60, seed=2)], axis=1), np.stack([wave(40), wave(40, seed=3)], axis=1)
    model, task = made(table_of(first, second), decode=decode)
    found = roll_out(model, task, table_of(first, second), 10, paths=0)
    for _ in range(3):
        answer = said(model, task, table_of(first, second))
        block = answer["forecast"].reshape(2, 2, 4).transpose(0, 2, 1)
        first, second = np.concatenate([first, block[0]]), np.concatenate([second, block[1]])
    want = np.concatenate([first[60:70].T, second[40:50].T])
    assert found["forecast"] == pytest.approx(want, abs=1e-9)
    assert found["quantiles"][:, 8:] == pytest.approx(answer["quantiles"][:, :2], abs=1e-9)


def test_paths_are_the_same_for_the_same_seed_and_widen():
    table = table_of(wave(80))
    model, task = made(table)
    one, again, other = (roll_out(model, task, table, 12, paths=50, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one["quantiles"], again["quantiles"])
    assert not np.array_equal(one["quantiles"], other["quantiles"])
    assert one["quantiles"][:, :4] == pytest.approx(said(model, task, table)["quantiles"], abs=1e-5)
    assert (np.diff(one["quantiles"], axis=-1) >= 0).all()
    assert np.array_equal(one["forecast"], one["quantiles"][..., 1])
    fed = roll_out(model, task, table, 12, paths=0)["quantiles"]
    wide, narrow = np.ptp(one["quantiles"][0, -4:], axis=-1), np.ptp(fed[0, -4:], axis=-1)
    assert (wide > narrow).all()


def test_roll_out_by_segments_draws_within_the_horizon():
    table = table_of(wave(80))
    model, task = made(table, decode="rollout")
    found = roll_out(model, task, table, 4, paths=40)
    assert found["quantiles"][:, :2] == pytest.approx(said(model, task, table)["quantiles"][:, :2], abs=1e-5)
    assert not np.array_equal(found["quantiles"], said(model, task, table)["quantiles"])


class Walk(nn.Module):
    """Says that each step is the last value and a Gaussian step of deviation ``scale``: a random walk."""

    def __init__(self, levels: tuple[float, ...]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.special.ndtri(torch.tensor(levels)))

    def forward(self, batch: object) -> tuple[torch.Tensor, tuple[()]]:
        return self.scores.expand(len(batch.index), 1, -1), ()  # type: ignore[attr-defined]


def test_paths_of_a_random_walk_widen_as_the_root_of_time(monkeypatch):
    """The quantiles over paths are those of the sum of independent Gaussians: sqrt(h) as wide."""
    values = np.array([0.0, 1.0] * 20)  # moves by 1 a step, so the scale is 1
    _, task = made(table_of(values), horizon=1, look_back=4, segment=1, season=1)
    monkeypatch.setattr(
        "ostinato.tasks.forecast_windows.spread", lambda v, _, offsets, __: np.ones((len(offsets) - 1, v.shape[1]))
    )
    found = roll_out(Walk(task.quantiles), task, table_of(values), 4, paths=1000)
    width = found["quantiles"][0, :, 2] - found["quantiles"][0, :, 0]
    assert width == pytest.approx(2 * 1.2815515 * np.sqrt(np.arange(1, 5)), rel=0.1)
    assert found["forecast"][0] == pytest.approx(np.ones(4), abs=0.2)


def test_the_median_alone_needs_one_path():
    table = table_of(wave(60))
    model, task = made(table, quantiles=(0.5,))
    found = roll_out(model, task, table, 9, paths=30)
    assert np.array_equal(found["forecast"], roll_out(model, task, table, 9, paths=0)["forecast"])


def test_known_covariates_must_reach_the_end():
    whole = np.stack([wave(70), np.arange(70.0) % 5], axis=1)
    model, task = made(table_of(whole), known=("c2",))
    history = whole.copy()
    history[60:, 0] = np.nan
    found = roll_out(model, task, table_of(history), 10, paths=5)
    assert found["forecast"].shape == (1, 10)
    changed = history.copy()
    changed[69, 1] += 3
    other = roll_out(model, task, table_of(changed), 10, paths=5)
    assert not np.allclose(other["forecast"], found["forecast"])
    assert np.array_equal(other["forecast"][:, :8], found["forecast"][:, :8])
    short = roll_out(model, task, table_of(history[:62]), 2)
    assert short["forecast"] == pytest.approx(found["forecast"][:, :2], abs=1e-5)
    assert len(task.frame(short, table_of(history[:62]))) == 2
    with pytest.raises(DataError, match="2 of the 12 steps to forecast lack c2"):
        roll_out(model, task, table_of(history), 12)


def test_times_and_helping_channels_go_on():
    values = np.stack([wave(200), wave(200, seed=4)], axis=1)
    table = table_of(values, times=[hours(200)])
    data = DataSettings(target="c1")
    settings = TaskSettings(horizon=4, look_back=12, season=6, segment=2)
    task = Forecast.fit(cut(table, data, settings).train, data, settings)
    assert task.covariates.cycles == ("hour",)
    model = build(task.spec, ModelSettings(hidden=8), settings).eval()
    found = roll_out(model, task, table, 10, paths=0)
    frame = task.frame(found, table)
    assert frame["time"].to_numpy().tolist() == hours(210)[200:].astype("datetime64[ns]").tolist()
    assert frame["forecast"].to_list() == found["forecast"][0].tolist()


def test_many_series_are_walked_in_groups(monkeypatch):
    table = table_of(*[wave(40 + n, seed=n) for n in range(5)])
    model, task = made(table)
    whole = roll_out(model, task, table, 9, paths=0)
    monkeypatch.setattr(module, "STEPS", 60)
    monkeypatch.setattr(module, "BATCH", 2)
    assert roll_out(model, task, table, 9, paths=0)["quantiles"] == pytest.approx(whole["quantiles"], abs=1e-5)


def test_a_clock_goes_on_once_a_series_whatever_the_paths(monkeypatch):
    """Three series of unequal length, two blocks beyond the horizon, twenty paths of each."""
    table = table_of(*(wave(n, season=6, seed=n) for n in (30, 41, 60)), times=[hours(30), hours(41), hours(60)])
    model, task = made(table, calendar=False)
    calls = []
    real = module.go_on
    monkeypatch.setattr(module, "go_on", lambda times, more: calls.append(more) or real(times, more))
    whole = roll_out(model, task, table, 12, paths=20)
    assert calls == [12, 12, 12]
    alone = [roll_out(model, task, table.take(np.array([row])), 12, paths=0)["forecast"] for row in range(3)]
    fed_back = roll_out(model, task, table, 12, paths=0)["forecast"]
    assert np.allclose(fed_back, np.concatenate(alone), rtol=1e-5)
    assert np.isfinite(whole["quantiles"]).all()


@pytest.mark.parametrize("length", [1, 2, 5, 12, 300])
def test_a_history_of_any_length(length):
    model, task = made(table_of(wave(80)))
    found = roll_out(model, task, table_of(wave(length)), 9, paths=3)
    assert np.isfinite(found["quantiles"]).all()


def test_wrong_wishes():
    table = table_of(wave(60))
    model, task = made(table)
    with pytest.raises(UsageError, match="at least 1"):
        roll_out(model, task, table, -1)
    with pytest.raises(UsageError, match="no negative number of paths"):
        roll_out(model, task, table, 5, paths=-2)


def test_the_mode_of_the_model_is_kept():
    table = table_of(wave(60))
    model, task = made(table)
    model.train()
    roll_out(model, task, table, 6, paths=2)
    assert model.training


@given(level=st.floats(0.001, 0.999), mean=st.floats(-5, 5), deviation=st.floats(0.1, 3))
def test_quantiles_between_are_exact_for_a_normal_distribution(level, mean, deviation):
    from statistics import NormalDist

    normal = NormalDist(mean, deviation)
    levels = (0.1, 0.5, 0.7)
    known = np.array([[[normal.inv_cdf(q) for q in levels]]])
    found = quantile_at(known, levels, np.array([level]))
    assert found[0, 0] == pytest.approx(normal.inv_cdf(level), abs=1e-9)


def test_a_part_is_a_history_too():
    """A part of a split is forecast from its end, like any history."""
    table = table_of(wave(60))
    model, task = made(table)
    settings = TaskSettings(horizon=4, look_back=12, season=6, segment=2)
    part = cut(table, replace(DataSettings(), test=0.2), settings).test
    assert np.array_equal(roll_out(model, task, part, 4)["forecast"], roll_out(model, task, table, 4)["forecast"])
