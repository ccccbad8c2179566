from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.errors import DataError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_frame import forecast_frame
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.forecast_series import Layout, fill_forward, series_of, to_table
from ostinato.tasks.forecast_windows import spread
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, hours, table_of, wave


def test_windows_by_hand():
    """Squares: level 9, scale sqrt of the mean of (1 + 9 + 25 …)² …, all by hand."""
    table = table_of(np.arange(9.0) ** 2)
    settings = TaskSettings(horizon=2, look_back=3, segment=1, season=1)
    parts = cut(table, DataSettings(), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    train = task.examples(parts.train)
    values = np.array([0.0, 1, 4, 9, 16])
    scale = np.sqrt((np.mean(np.diff(values) ** 2) + np.mean((values[2:] - values[:-2]) ** 2)) / 2)
    batch = train.take(torch.tensor([2, 0]))
    assert train.origin.tolist() == [1, 2, 3]
    assert batch.inputs.lengths.tolist() == [3, 1]
    assert batch.inputs.values[:, 0].tolist() == pytest.approx([-4 / scale, -3 / scale, 0, 0], abs=1e-6)
    assert batch.targets.numpy() == pytest.approx(np.array([[5, 12], [1, 4]]) / scale, abs=1e-6)
    assert batch.level.tolist() == [4, 0]
    assert batch.scale.tolist() == pytest.approx([scale, scale])
    test = task.examples(parts.test).take(torch.tensor([0]))
    assert test.level.tolist() == [36]
    assert test.scale.tolist() == pytest.approx([scale])
    assert test.inputs.values[:, 0].tolist() == pytest.approx([(16 - 36) / scale, (25 - 36) / scale, 0], rel=1e-6)


def test_a_history_gives_the_window_after_its_end():
    task = fitted(table_of(wave(80)), horizon=3, look_back=10)
    examples = task.examples(table_of(np.arange(20.0), np.arange(4.0)))
    batch = examples.take(torch.arange(2))
    assert examples.origin.tolist() == [20, 4]
    assert batch.targets is None
    assert batch.inputs.lengths.tolist() == [10, 4]
    assert np.isnan(examples.truth()).all()


def test_channels_are_examples_with_a_name():
    values = np.stack([np.arange(40.0), 100 + np.arange(40.0) ** 2], axis=1)
    settings = TaskSettings(horizon=2, look_back=4)
    parts = cut(table_of(values), DataSettings(), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    examples = task.examples(parts.test)
    assert task.spec.static_size == 2
    assert examples.channel.tolist() == [0] * 3 + [1] * 3
    batch = examples.take(torch.tensor([0, 3]))
    assert batch.static.tolist() == [[1, 0], [0, 1]]
    assert batch.level.tolist() == [35, 100 + 35**2]


def test_missing_values_are_filled_and_marked():
    values = np.array([np.nan, 2, np.nan, 4, 5, 6, 7, 8, np.nan, 10, 11, 12, 13.0])
    settings = TaskSettings(horizon=1, look_back=4, season=1, segment=2)
    parts = cut(table_of(values), DataSettings(), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    assert task.mask
    assert task.spec.input_size == 2
    train = task.examples(parts.train)
    assert train.origin.tolist() == [3, 4, 5, 6, 7, 9, 10]
    batch = train.take(torch.tensor([0, 5]))
    scale = float(batch.scale[0])
    assert batch.inputs.values[:, 0].numpy() * scale == pytest.approx([0, 0, 0, -2, -1, 0, 0], abs=1e-6)
    assert batch.inputs.values[:, 1].tolist() == [1, 0, 1, 0, 0, 0, 1]
    assert not Forecast.fit(parts.train, DataSettings(missing="fill"), settings).mask
    with pytest.raises(DataError, match=r"column 'c1': series 'S1', step 1: the value is missing"):
        Forecast.fit(table_of(values), DataSettings(missing="error"), settings)


def test_targets_partly_missing_leave_no_loss():
    values = np.array([1.0, 2, 3, 4, 5, 6, np.nan, 8, 9, 10, 11, 12])
    settings = TaskSettings(horizon=2, look_back=2, season=1, segment=1)
    task = Forecast.fit(cut(table_of(values), DataSettings(), settings).train, DataSettings(), settings)
    batch = task.examples(cut(table_of(values), DataSettings(), settings).train).take(torch.tensor([4]))
    assert torch.isnan(batch.targets).tolist() == [[False, True]]
    output = torch.zeros(1, 2, 3, requires_grad=True)
    loss, count = task.loss(output, batch)
    loss.backward()
    assert count == 1
    assert torch.isfinite(output.grad).all()
    assert (output.grad[0, 1] == 0).all()
    assert (output.grad[0, 0] != 0).all()


def test_helping_channels_and_target():
    values = np.stack([np.arange(30.0), wave(30), 5 * np.ones(30)], axis=1)
    data = DataSettings(target="c2")
    settings = TaskSettings(horizon=1, look_back=3, season=1, segment=1)
    parts = cut(table_of(values), data, settings)
    task = Forecast.fit(parts.train, data, settings)
    assert task.layout == Layout(("c2",), ("c1", "c3"), ())
    batch = task.examples(parts.test).take(torch.tensor([0]))
    assert batch.inputs.values.shape == (3, 3)
    assert batch.inputs.values[:, 1].tolist() == pytest.approx([-2, -1, 0])
    assert batch.inputs.values[:, 2].tolist() == [0, 0, 0]
    only = Layout.of(table_of(values), DataSettings(target="c2", inputs=("c3",)), ())
    assert only == Layout(("c2",), ("c3",), ())


def test_layouts_that_cannot_be():
    table = table_of(np.ones((9, 2)), channels=("load", "wind"))
    with pytest.raises(DataError, match=r"no channel 'laod' .* Did you mean 'load'"):
        Layout.of(table, DataSettings(target="laod"), ())
    with pytest.raises(DataError, match="nothing is left to forecast"):
        Layout.of(table, DataSettings(), ("load", "wind"))
    task = fitted(table_of(np.random.default_rng(0).normal(size=(60, 2)), channels=("load", "wind")), horizon=2)
    with pytest.raises(DataError, match="no channel 'wind', which the model needs"):
        task.examples(table_of(np.ones(20), channels=("load",)))


def test_a_lone_channel_may_have_another_name():
    task = fitted(table_of(wave(60), channels=("load",)), horizon=2)
    assert len(task.examples(table_of(wave(30), channels=("power",)))) == 1


def test_known_ahead_reaches_past_and_horizon():
    known = np.arange(40.0)
    values = np.stack([wave(40), known], axis=1)
    settings = TaskSettings(horizon=2, look_back=3, season=1, segment=1, known=("c2",))
    parts = cut(table_of(values), DataSettings(), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    mean, deviation = task.covariates.mean[0], task.covariates.deviation[0]
    trained = np.arange(len(parts.train["series"].values[0]))
    assert (mean, deviation) == pytest.approx((trained.mean(), trained.std()))
    batch = task.examples(parts.test).take(torch.tensor([0]))
    assert batch.known.shape == (1, 5, 1)
    origin = int(task.examples(parts.test).origin[0])
    assert batch.known[0, :, 0].numpy() * deviation + mean == pytest.approx(np.arange(origin - 3, origin + 2), rel=1e-5)
    first = task.examples(parts.train).take(torch.tensor([0]))
    assert first.known[0, 0, 0] == 0


def test_a_forecast_needs_what_is_known_ahead():
    settings = TaskSettings(horizon=2, look_back=3, known=("c2",))
    whole = np.stack([wave(42), np.arange(42.0)], axis=1)
    task = Forecast.fit(cut(table_of(whole), DataSettings(), settings).train, DataSettings(), settings)
    history = whole.copy()
    history[40:, 0] = np.nan
    examples = task.examples(table_of(history))
    assert examples.origin.tolist() == [40]
    assert float(examples.take(torch.tensor([0])).known[0, -1, 0]) == pytest.approx(
        (41 - task.covariates.mean[0]) / task.covariates.deviation[0], rel=1e-5
    )
    with pytest.raises(
        DataError, match=r"series 'S1': 1 of the 2 steps to forecast lack what the model must know ahead"
    ):
        task.examples(table_of(history[:41])).take(torch.tensor([0]))
    with pytest.raises(DataError, match="known ahead, but no value is there"):
        Forecast.fit(table_of(np.stack([wave(42), np.full(42, np.nan)], axis=1)), DataSettings(), settings)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1, 1, 2], r"2024-01-01T01:00:00 stands twice"),
        ([0, 2, 1, 3], r"2024-01-01T01:00:00 stands after a later one"),
        ([0, 1, 2], r"has 4 values and 3 times"),
    ],
)
def test_times_that_do_not_increase(times, message):
    with pytest.raises(DataError, match=message):
        fitted(table_of(np.arange(4.0), times=[hours(4)[times]]), horizon=1)


def test_infinite_and_absent_values():
    with pytest.raises(DataError, match=r"column 'c1': series 'S1', step 3: the value is infinite"):
        fitted(table_of([1, 2, np.inf, 3]), horizon=1)
    task = fitted(table_of(wave(60)), horizon=2)
    with pytest.raises(DataError, match="series 'S1' holds no value"):
        task.examples(table_of([np.nan, np.nan]))


def test_a_table_of_steps_is_read_by_series():
    from ostinato.data.table import Column, Kind, Table

    number = Column("y", Kind.NUMBER, np.array([1.0, 10, 2, 20]))
    name = Column("id", Kind.ID, ["a", "b", "a", "b"])
    found = series_of(Table({"id": name, "y": number}), DataSettings(), Layout(("y",)))
    assert [(s.name, s.values.ravel().tolist()) for s in found] == [("a", [1, 2]), ("b", [10, 20])]
    alone = series_of(Table({"y": number}), DataSettings(), Layout(("y",)))
    assert [s.values.ravel().tolist() for s in alone] == [[1, 10, 2, 20]]
    with pytest.raises(DataError, match="neither a series nor a column of numbers"):
        series_of(Table({"id": name}), DataSettings(), Layout(("y",)))
    with pytest.raises(DataError, match="holds no rows"):
        series_of(Table({"id": Column("id", Kind.ID, [])}), DataSettings(), Layout(("y",)))


def test_columns_of_series_are_joined():
    from ostinato.data.table import Column, Kind, Table

    def table(*lengths: int) -> Table:
        columns = [Column(f"s{i}", Kind.SERIES, [np.full((n, 1), float(i))]) for i, n in enumerate(lengths)]
        return Table({c.name: c for c in columns})

    layout = Layout.of(table(3, 3), DataSettings(), ())
    assert layout.targets == ("s0", "s1")
    assert series_of(table(3, 3), DataSettings(), layout)[0].values.tolist() == [[0, 1]] * 3
    with pytest.raises(DataError, match=r"channels of unequal length: 's0' 3, 's1' 2"):
        series_of(table(3, 2), DataSettings(), layout)
    uneven = Table({"s": Column("s", Kind.SERIES, [np.ones((3, 2)), np.ones((3, 1))])})
    with pytest.raises(DataError, match=r"series 'series 2' has 1 channels, the first one 2"):
        series_of(uneven, DataSettings(), Layout(("s.1",)))


def test_to_table_is_the_inverse():
    table = table_of(np.stack([wave(30), wave(30, seed=1)], axis=1), times=[hours(30)])
    layout = Layout(("c2",), ("c1",), ())
    series = series_of(table, DataSettings(), layout)
    again = series_of(to_table(series, layout, table), DataSettings(), layout)
    for one, other in zip(series, again, strict=True):
        assert one.name == other.name
        assert (one.values == other.values).all()
        assert (one.seen == other.seen).all()
        assert (one.times == other.times).all()
        assert other.start is None


def test_fill_forward_by_hand():
    nan = np.nan
    values = np.array([[nan, 1, nan], [2, nan, nan], [nan, 3, nan]])
    assert fill_forward(values).tolist() == [[2, 1, 0], [2, 1, 0], [2, 3, 0]]
    assert fill_forward(np.empty((0, 2))).shape == (0, 2)


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40),
    horizon=st.integers(1, 8),
    factor=st.floats(0.1, 100),
    shift=st.floats(-1e3, 1e3),
)
def test_spread_does_not_shift_and_scales(values, horizon, factor, shift):
    column = np.array(values)[:, None]
    lags = [k for k in (1, 2, 4, 8) if k <= horizon and k < len(column)]
    want = np.sqrt(np.mean([np.mean((column[k:] - column[:-k]) ** 2) for k in lags]))
    found = spread(column, horizon)[0, 0]
    if want > 1e-6 * np.abs(column).max():
        assert found == pytest.approx(want, rel=1e-9)
        assert spread(factor * column + shift, horizon)[0, 0] == pytest.approx(factor * want, rel=1e-4, abs=1e-6)
    assert spread(np.full((9, 1), column[0, 0]), horizon)[0, 0] == 0


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    channels=st.integers(0, 3),
    horizon=st.integers(1, 9),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_series_end_to_end_are_as_each_by_itself(lengths, channels, horizon, seed, data):
    """Scales and filled values of unequal series, with gaps and constant ones, against a loop over them."""
    random = np.random.default_rng(seed)
    series = [random.integers(0, 4, (n, channels)).astype(float) for n in lengths]
    for one in series:
        one[random.random(one.shape) < 0.3] = np.nan
    steps = np.array([data.draw(st.integers(0, n)) for n in lengths])
    offsets = np.cumsum([0, *lengths])
    whole = np.concatenate(series)
    want = np.array([spread_by_hand(one[:n], horizon) for one, n in zip(series, steps, strict=True)])
    assert spread(whole, horizon, offsets, steps) == pytest.approx(want.reshape(len(series), channels), rel=1e-12)
    filled = [fill_forward(one) for one in series]
    assert (fill_forward(whole, offsets) == np.concatenate(filled)).all()


def spread_by_hand(values: np.ndarray, horizon: int) -> list[float]:
    found = []
    for column in values.T:
        means = []
        for lag in [k for k in (1, 2, 4, 8) if k <= horizon]:
            squares = [(b - a) ** 2 for a, b in zip(column, column[lag:], strict=False) if np.isfinite(b - a)]
            means += [np.mean(squares)] if squares else []
        found.append(float(np.sqrt(np.mean(means))) if means else 0.0)
    return found


@given(
    lengths=st.lists(st.integers(8, 40), min_size=1, max_size=4),
    look_back=st.integers(1, 12),
    horizon=st.integers(1, 5),
    data=st.data(),
)
def test_a_window_is_a_slice(lengths, look_back, horizon, data):
    """Every training window is its series' steps just before and after the origin, whatever the batch."""
    random = np.random.default_rng(len(lengths) * 100 + look_back)
    values = [random.normal(size=n) for n in lengths]
    settings = TaskSettings(horizon=horizon, look_back=look_back, season=1, segment=1)
    parts = cut(table_of(*values), DataSettings(valid=0, test=0), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    train = task.examples(parts.train)
    assert train.lengths.tolist() == np.minimum(train.origin, look_back).tolist()
    index = torch.tensor(data.draw(st.lists(st.integers(0, len(train) - 1), min_size=1, max_size=6)))
    batch = train.take(index)
    for b, row in enumerate(index.tolist()):
        series, origin = values[train.series[row]], int(train.origin[row])
        past = series[max(0, origin - look_back) : origin]
        scale = float(batch.scale[b])
        assert batch.inputs[b][:, 0].numpy() * scale + past[-1] == pytest.approx(past, abs=1e-5)
        assert batch.targets[b].numpy() * scale + past[-1] == pytest.approx(series[origin : origin + horizon], abs=1e-5)


def ways(*values, times=(), horizon=2):
    table = table_of(*values, times=times)
    settings = TaskSettings(horizon=horizon, look_back=4, segment=1, season=1)
    parts = cut(table, DataSettings(valid=4, test=4), settings)
    task = Forecast.fit(parts.train, DataSettings(), settings)
    examples = task.examples(parts.test)
    return examples, task.dependence(examples)


def test_channels_of_a_series_share_its_track_and_its_places():
    examples, (way,) = ways(np.column_stack([wave(30), wave(30, seed=1)]), wave(40)[:, None] @ np.ones((1, 2)))
    assert way.track.tolist() == examples.series.tolist() == [0] * 6 + [1] * 6
    assert way.place.tolist() == examples.origin.tolist() == [26, 27, 28] * 2 + [36, 37, 38] * 2
    assert way.reach == 2


def test_series_that_tell_their_times_also_share_a_clock():
    """The second begins four hours later and ends with the first: at each hour both are one event."""
    _, (within, clock) = ways(wave(30), wave(26), times=(hours(30), hours(26, "2024-01-01T04")))
    assert within.track.tolist() == [0] * 3 + [1] * 3
    assert (clock.track.tolist(), clock.place.tolist(), clock.reach) == ([0] * 6, [0, 1, 2] * 2, 2)


def test_series_that_tick_in_turns_share_a_clock_of_more_places():
    halves = hours(30).astype("datetime64[m]") + 30
    _, (_, clock) = ways(wave(30), wave(30), times=(hours(30), halves))
    assert (clock.place.tolist(), clock.reach) == ([0, 2, 4, 1, 3, 5], 4)


def test_a_frame_tells_each_step_its_own_time():
    """Unequal series that end at different hours, two channels each, windows in any order of the series."""
    lengths, starts = (30, 45, 24), ("2024-01-01", "2023-05-05", "2024-02-29")
    series = [np.stack([wave(n, seed=n), wave(n, seed=n + 1)], axis=1) for n in lengths]
    times = [hours(n, start) for n, start in zip(lengths, starts, strict=True)]
    table = table_of(*series, times=times)
    task = fitted(table, horizon=4)
    examples = task.examples(table)
    mixed = examples.select(np.array([4, 1, 0, 5, 3, 2]))
    said = np.arange(24.0).reshape(6, 4)
    frame = forecast_frame({"forecast": said, "quantiles": np.repeat(said[..., None], 3, 2)}, mixed, (0.1, 0.5, 0.9))
    for row, (number, channel) in enumerate([(2, "c1"), (0, "c2"), (0, "c1"), (2, "c2"), (1, "c2"), (1, "c1")]):
        part = frame[4 * row : 4 * row + 4]
        assert part["series"].to_list() == [f"S{number + 1}"] * 4
        assert part["channel"].to_list() == [channel] * 4
        want = times[number][-1] + np.arange(1, 5)
        assert (part["time"].to_numpy() == want.astype("datetime64[ns]")).all()
        assert part["forecast"].to_list() == said[row].tolist()
