from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_calendar import calendar, cycles_of, go_on
from ostinato.tasks.forecast_choices import choose_look_back, choose_segment
from ostinato.tasks.forecast_season import autocorrelation, infer_season
from ostinato.tasks.forecast_series import Series
from series_tables import fitted, hours, table_of, wave


def series(values: np.ndarray, times: np.ndarray | None = None) -> Series:
    empty = np.empty((len(values), 0))
    stamps = None if times is None else times.astype("datetime64[ns]")
    return Series("S", values.reshape(len(values), -1), empty, empty, stamps)


def test_autocorrelation_by_hand():
    """z = -1 1 -1 1: Σ z² = 4, at lag 1 -3, at lag 2 +2."""
    assert autocorrelation(np.array([1.0, 3, 1, 3]), 3) == pytest.approx([1, -0.75, 0.5, -0.25])
    assert autocorrelation(np.ones(5), 2).tolist() == [0, 0, 0]


@pytest.mark.parametrize("season", [4, 7, 12, 24])
def test_season_without_times(season):
    found = infer_season([series(wave(season * 20, season)), series(100 * wave(season * 25, season, 1))])
    assert found.steps == season
    assert f"at {season} steps" in found.reason


def test_the_shortest_of_two_seasons():
    steps = np.arange(1500)
    values = 3 * np.sin(2 * np.pi * steps / 24) + np.sin(2 * np.pi * steps / 168)
    assert infer_season([series(values + 0.01 * wave(1500))]).steps == 24


@pytest.mark.parametrize(
    "values", [np.cumsum(np.random.default_rng(3).normal(size=2000)), np.arange(90.0), np.ones(50)]
)
def test_no_season(values):
    assert infer_season([series(values)]).steps == 1
    assert infer_season([series(values, hours(len(values)))]).steps == 1


def test_too_short_for_a_season():
    found = infer_season([series(np.array([1.0, 2, 1, 2, 1]))])
    assert (found.steps, found.reason) == (1, "too short to show a season")


def test_season_of_the_clock():
    assert infer_season([series(wave(400, 24), hours(400))]).reason.startswith("one day, autocorrelation")
    months = np.datetime64("1990-01", "M") + np.arange(120)
    assert infer_season([series(wave(120, 12), months)]).steps == 12
    days = np.datetime64("2020-01-01", "D") + np.arange(200)
    assert infer_season([series(wave(200, 7), days)]).steps == 7
    assert infer_season([series(wave(200, 11), days)]).steps == 1


def test_calendar_by_hand():
    """Monday 1 January 2024, 06:00: a quarter of the day, a quarter of a day into the week and the year."""
    found = calendar(np.array(["2024-01-01T06:00"], dtype="datetime64[ns]"), ("hour", "weekday", "yearday"))
    angles = 2 * np.pi * np.array([0.25, 0.25 / 7, 0.25 / 365.25])
    assert found[0] == pytest.approx(np.stack([np.sin(angles), np.cos(angles)], axis=1).ravel(), abs=1e-12)
    sunday = calendar(np.array(["2024-01-07T00:00"], dtype="datetime64[ns]"), ("weekday",))
    assert sunday[0] == pytest.approx([np.sin(12 * np.pi / 7), np.cos(12 * np.pi / 7)])
    assert calendar(np.array(["2024-01-01"], dtype="datetime64[ns]"), ()).shape == (1, 0)


def test_cycles_follow_the_rhythm_and_the_span():
    day = np.datetime64("2020-01-01", "D")
    assert cycles_of([series(np.zeros(47), hours(47))]) == ()
    assert cycles_of([series(np.zeros(50), hours(50))]) == ("hour",)
    assert cycles_of([series(np.zeros(400), hours(400))]) == ("hour", "weekday")
    assert cycles_of([series(np.zeros(800), day + np.arange(800))]) == ("weekday", "yearday")
    assert cycles_of([series(np.zeros(200), day + 7 * np.arange(200))]) == ("yearday",)
    assert cycles_of([series(np.zeros(9))]) == ()
    assert cycles_of([series(np.zeros(400), hours(400))], look_back=23) == ("hour", "weekday")
    assert cycles_of([series(np.zeros(400), hours(400))], look_back=24) == ("weekday",)
    assert cycles_of([series(np.zeros(400), hours(400))], look_back=168) == ()


@pytest.mark.parametrize(
    ("times", "ahead"),
    [
        (["2024-01-31", "2024-02-29", "2024-03-31"], ["2024-04-30", "2024-05-31"]),
        (["2023-11-15", "2023-12-15", "2024-01-15"], ["2024-02-15", "2024-03-15"]),
        (["2023-01-01", "2023-04-01", "2023-07-01"], ["2023-10-01", "2024-01-01"]),
        (["2020-01-01", "2021-01-01", "2022-01-01"], ["2023-01-01", "2024-01-01"]),
        (["2024-02-27", "2024-02-28", "2024-02-29"], ["2024-03-01", "2024-03-02"]),
        (["2024-01-01T22", "2024-01-01T23"], ["2024-01-02T00", "2024-01-02T01"]),
        (["2024-01-01"], ["2024-01-02", "2024-01-03"]),
    ],
)
def test_times_go_on(times, ahead):
    found = go_on(np.array(times, dtype="datetime64[ns]"), 2)
    assert (found == np.array(ahead, dtype="datetime64[ns]")).all()


def test_weekdays_go_on_without_weekends():
    days = np.busday_offset(np.datetime64("2024-01-01"), np.arange(12)).astype("datetime64[ns]")
    found = go_on(days, 3).astype("datetime64[D]")
    assert found.tolist() == np.array(["2024-01-17", "2024-01-18", "2024-01-19"], dtype="datetime64[D]").tolist()
    assert len(go_on(days, 0)) == 0


@given(start=st.integers(0, 20_000), step=st.integers(1, 100_000), count=st.integers(2, 20))
def test_regular_times_stay_regular(start, step, count):
    times = (np.datetime64(start, "D") + np.timedelta64(step, "s") * np.arange(count)).astype("datetime64[ns]")
    ahead = go_on(times, 5)
    gaps = np.diff(np.concatenate([times, ahead])).astype("timedelta64[s]").astype(int)
    assert set(gaps.tolist()) == {step} or (np.is_busday(times.astype("datetime64[D]")).all() and step == 86_400)


@given(
    horizon=st.integers(1, 100),
    season=st.integers(1, 400),
    lengths=st.lists(st.integers(2, 3000), min_size=1, max_size=5),
)
def test_a_look_back_is_whole_segments_or_all_there_is(horizon, season, lengths):
    segment = choose_segment(horizon, season)
    found = choose_look_back(horizon, (season,), segment, lengths)
    assert found >= 1
    assert found % segment == 0 or found < segment
    assert found <= max(1, int(np.median(lengths)) - horizon) or found == 1


@pytest.mark.parametrize(
    ("horizon", "season", "want"),
    [
        (96, 24, 24),
        (48, 1, 24),
        (1, 1, 4),
        (6, 1, 6),
        (12, 12, 12),
        (14, 7, 7),
        (48, 168, 42),
        (30, 365, 5),
        (8, 53, 24),
    ],
)
def test_segments(horizon, season, want):
    assert choose_segment(horizon, season) == want


def test_several_seasons():
    """The first scales errors and sets the segment; the others are copied too, where the look-back shows them."""
    table = table_of(wave(900, 24) + wave(900, 168, 1))
    task = fitted(table, horizon=12, season=(24, 168, 24))
    assert (task.season, task.seasons) == (24, (168,))
    assert task.segment == 24
    assert task.look_back == 336
    assert (task.spec.season, task.spec.seasons) == (24, (168,))
    assert "seasons of 24, 168 steps (as set)" in task.describe(table)
    assert Forecast.from_config(json.loads(json.dumps(task.to_config()))) == task
    assert Spec(**json.loads(json.dumps(task.spec.to_config()))) == task.spec
    short = fitted(table, horizon=12, season=(24, 168), look_back=100)
    assert (short.spec.season, short.spec.seasons) == (24, ())
    assert fitted(table, horizon=12, season=(0,)).season_reason != "as set"
    with pytest.raises(UsageError, match=r"task.season cannot be negative: -7"):
        fitted(table, horizon=12, season=(24, -7))


def test_a_long_season_makes_a_long_look_back():
    assert choose_look_back(10, (7, 365), 7, [3000]) == 735
    assert choose_look_back(10, (7,), 7, [3000]) == 98
