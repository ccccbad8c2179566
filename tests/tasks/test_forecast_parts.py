from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.settings import DataSettings
from ostinato.errors import DataError, UsageError
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_parts import VALID_WINDOWS, cut
from ostinato.tasks.forecast_series import MARKS
from ostinato.tasks.forecast_windows import WindowExamples
from ostinato.tasks.settings import TaskSettings
from series_tables import hours, table_of, wave

TWO = TaskSettings(horizon=2)


def windows(part, task: TaskSettings = TWO, data: DataSettings | None = None, train=None) -> WindowExamples:
    data = data or DataSettings()
    return Forecast.fit(train or part, data, task).examples(part)


def marks(table, field: str) -> list[float]:
    return table[MARKS[field]].values.tolist()


def test_shares_of_one_long_series():
    parts = cut(table_of(np.arange(100.0)), DataSettings(valid=0.1, test=0.2), TWO)
    assert [len(p["series"].values[0]) for p in (parts.train, parts.valid, parts.test)] == [70, 80, 100]
    assert marks(parts.train, "start") == [0]
    assert marks(parts.valid, "start") == [70]
    assert marks(parts.test, "start") == [80]
    assert marks(parts.test, "trained") == [70]
    assert parts.notes == ("windows of 2 steps: 19 test, 9 validate",)


def test_whole_numbers_are_steps_and_rows_cut_the_end():
    parts = cut(table_of(np.arange(50.0)), DataSettings(valid=6, test=8, rows=30), TWO)
    assert [len(p["series"].values[0]) for p in (parts.train, parts.valid, parts.test)] == [16, 22, 30]


def test_many_short_series_give_their_last_horizon():
    """A share of less than two horizons is one horizon."""
    table = table_of(np.arange(30.0), np.arange(20.0))
    parts = cut(table, DataSettings(), TaskSettings(horizon=4))
    assert marks(parts.test, "start") == [26, 16]
    assert marks(parts.valid, "start") == [22, 12]
    examples = windows(parts.test, TaskSettings(horizon=4), train=parts.train)
    assert examples.truth().tolist() == [[26, 27, 28, 29], [16, 17, 18, 19]]


def test_short_series_only_train_and_too_short_ones_are_an_error():
    table = table_of(np.arange(20.0), np.arange(6.0), np.arange(4.0))
    parts = cut(table, DataSettings(), TaskSettings(horizon=3))
    assert marks(parts.test, "start") == [17, 6, 4]
    assert [len(v) for v in parts.train["series"].values] == [14, 6, 4]
    assert len(windows(parts.test, TaskSettings(horizon=3), train=parts.train)) == 1
    with pytest.raises(DataError, match=r"series 'S2' has 3 steps; a horizon of 3 needs at least 4. Choose a smaller"):
        cut(table_of(np.arange(20.0), np.arange(3.0)), DataSettings(), TaskSettings(horizon=3))
    with pytest.raises(DataError, match="series 'S2' has 0 steps"):
        cut(table_of(np.arange(20.0), np.empty(0)), DataSettings(), TaskSettings(horizon=3))


def test_no_series_is_long_enough():
    with pytest.raises(DataError, match=r"no series is long enough for a validation part: the longest has 9 steps"):
        cut(table_of(np.arange(9.0)), DataSettings(), TaskSettings(horizon=3))
    parts = cut(table_of(np.arange(9.0)), DataSettings(valid=0), TaskSettings(horizon=3))
    assert len(windows(parts.valid, TaskSettings(horizon=3), train=parts.train)) == 0
    with pytest.raises(DataError, match="test part: the longest has 6"):
        cut(table_of(np.arange(6.0)), DataSettings(valid=0), TaskSettings(horizon=3))


def test_a_test_file_goes_on():
    train = table_of(np.arange(10.0), np.arange(20.0), names=["A", "B"])
    test = table_of(100 + np.arange(3.0), 200 + np.arange(2.0), names=["B", "A"])
    parts = cut(train, DataSettings(), TWO, test=test)
    examples = windows(parts.test, train=parts.train)
    assert examples.origin.tolist() == [10, 20, 21]
    assert examples.truth().tolist() == [[200, 201], [100, 101], [101, 102]]
    assert examples.level().tolist() == [9, 19, 100]
    assert [len(v) for v in parts.train["series"].values] == [8, 18]


def test_a_test_file_of_one_series_needs_no_name():
    parts = cut(
        table_of(np.arange(9.0), names=["train"]), DataSettings(), TWO, test=table_of([7.0, 8.0], names=["test"])
    )
    assert windows(parts.test, train=parts.train).truth().tolist() == [[7, 8]]


def test_valid_and_test_files():
    train, valid, test = table_of(np.arange(9.0)), table_of([20.0, 21.0, 22.0]), table_of([30.0, 31.0])
    parts = cut(train, DataSettings(), TWO, valid=valid, test=test)
    assert windows(parts.valid, train=parts.train).truth().tolist() == [[20, 21], [21, 22]]
    assert windows(parts.test, train=parts.train).truth().tolist() == [[30, 31]]
    assert marks(parts.test, "trained") == [9]


def test_a_series_that_training_does_not_know_is_forecast_over_its_second_half():
    train = table_of(np.arange(9.0), np.arange(9.0), names=["A", "B"])
    test = table_of([9.0, 10.0], np.arange(50.0, 60.0), names=["A", "new"])
    parts = cut(train, DataSettings(), TWO, test=test)
    assert parts.train["series id"].values == ["A", "B"]
    examples = windows(parts.test, train=parts.train)
    assert examples.series.tolist() == [0, 2, 2, 2, 2]
    assert examples.truth()[1].tolist() == [55, 56]


def test_a_test_file_that_overlaps_or_repeats_is_an_error():
    train = table_of(np.arange(20.0), times=[hours(20)])
    with pytest.raises(
        DataError, match=r"begins at 2024-01-01T19:00:00, but training goes on until 2024-01-01T19:00:00"
    ):
        cut(train, DataSettings(), TWO, test=table_of(np.arange(5.0), times=[hours(5, "2024-01-01T19")]))
    twins = table_of([1.0, 2.0], [1.0, 2.0], names=["A", "A"])
    with pytest.raises(DataError, match="two series have the same id"):
        cut(table_of(np.arange(9.0), names=["A"]), DataSettings(), TWO, test=twins)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DataSettings(test=1.5), "a share from 0 to under 1 or a whole number"),
        (DataSettings(valid=1), "a share from 0 to under 1"),
        (DataSettings(test=-0.1), "not -0.1"),
        (DataSettings(test=3), "data.test=3 steps cannot hold a horizon of 4"),
        (DataSettings(split="random"), "split by time"),
    ],
)
def test_splits_that_make_no_sense(data, message):
    with pytest.raises(UsageError, match=message):
        cut(table_of(np.arange(99.0)), data, TaskSettings(horizon=4))


def test_trailing_missing_values_are_no_part():
    values = np.append(np.arange(20.0), [np.nan] * 5)
    parts = cut(table_of(values), DataSettings(), TWO)
    assert windows(parts.test, train=parts.train).truth().tolist() == [[18, 19]]


def test_a_long_validation_takes_every_nth_origin():
    parts = cut(table_of(wave(60_000)), DataSettings(), TWO)
    every = int(marks(parts.valid, "every")[0])
    examples = windows(parts.valid, train=parts.train)
    assert every > 1
    assert len(examples) <= VALID_WINDOWS
    assert every % 2
    assert every % 3
    assert np.diff(examples.origin).tolist() == [every] * (len(examples) - 1)
    assert len(windows(parts.test, train=parts.train)) == 5999


@given(
    lengths=st.lists(st.integers(5, 60), min_size=1, max_size=5),
    horizon=st.integers(1, 4),
    valid=st.sampled_from([0.0, 0.1, 0.3]),
    test=st.sampled_from([0.1, 0.4]),
)
def test_no_target_of_a_part_is_in_another(lengths, horizon, valid, test):
    """Every step is a target of one part at most, training before validation before test."""
    table = table_of(*[1000.0 * s + np.arange(n) for s, n in enumerate(lengths)])
    task = TaskSettings(horizon=horizon)
    try:
        parts = cut(table, DataSettings(valid=valid, test=test), task)
    except DataError:
        assert max(lengths) < 3 * horizon + 1 or (valid == 0 and max(lengths) < 2 * horizon + 1) or test == 0.4
        return
    seen: list[set[float]] = []
    for part in (parts.train, parts.valid, parts.test):
        examples = windows(part, task, train=parts.train)
        seen.append(set(examples.truth().ravel().tolist()))
        assert (examples.origin >= 1).all()
        for row in range(len(examples)):
            assert examples.history(row).max() < examples.truth(np.array([row])).min()
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def parts_of(values, data: DataSettings, **settings: object):
    task = TaskSettings(**settings)
    parts = cut(table_of(*values), data, task)
    fitted_task = Forecast.fit(parts.train, data, task)
    return [fitted_task.examples(part) for part in (parts.train, parts.valid, parts.test)], parts


@given(
    lengths=st.lists(st.integers(60, 90), min_size=1, max_size=3),
    gap=st.integers(0, 9),
    horizon=st.integers(1, 5),
    test=st.sampled_from([0.1, 0.3, 12]),
)
def test_a_gap_belongs_to_no_part(lengths, gap, horizon, test):
    """Between the last step that one part forecasts and the first of the next lie at least ``gap`` steps."""
    data = DataSettings(test=test, valid=0.2)
    values = [np.arange(float(n)) for n in lengths]
    examples, parts = parts_of(values, data, horizon=horizon, gap=gap, look_back=4, segment=2, season=1)
    for number, length in enumerate(lengths):
        first = [int(e.origin[e.series == number].min()) for e in examples]
        last = [int(e.origin[e.series == number].max()) + horizon for e in examples]
        assert first[1] - last[0] == first[2] - last[1] == gap
        assert last[2] == length
    plain, _ = parts_of(values, data, horizon=horizon, look_back=4, segment=2, season=1)
    assert np.array_equal(plain[2].origin, examples[2].origin)  # a gap takes nothing from the test
    assert np.array_equal(examples[2].panel.trained, [len(m) for m in parts.train["series"].values])


@pytest.mark.parametrize("share", [10, 0.1])
def test_folds_walk_forward(share):
    """Each fold tests on what follows the test of the fold before, and has seen nothing later."""
    data = DataSettings(test=share, valid=0.1)
    starts, ends = [], []
    for number in range(1, 5):
        fold = replace(data, fold=f"{number}/4")
        examples, _ = parts_of([np.arange(100.0)], fold, horizon=3, look_back=4, segment=2, season=1)
        starts.append(int(examples[2].origin.min()))
        ends.append(int(examples[2].origin.max()) + 3)
        assert examples[2].panel.lengths.tolist() == [ends[-1]]
    assert starts == [60, 70, 80, 90]
    assert ends == [70, 80, 90, 100]
    whole, _ = parts_of([np.arange(100.0)], data, horizon=3, look_back=4, segment=2, season=1)
    assert np.array_equal(whole[2].origin, examples[2].origin)


def test_a_series_that_had_not_begun_is_left_out_of_a_fold():
    values = [np.arange(100.0), np.arange(25.0)]
    _, parts = parts_of(values, DataSettings(test=10, fold="2/4"), horizon=3, look_back=4, segment=2, season=1)
    assert parts.test["series id"].values == ["S1", "S2"]
    _, parts = parts_of(values, DataSettings(test=10, fold="1/4"), horizon=3, look_back=4, segment=2, season=1)
    assert parts.test["series id"].values == ["S1"]


def test_folds_and_gaps_that_make_no_sense():
    with pytest.raises(DataError, match=r"tests 8 test parts before the end, and no series goes back so far.*50 steps"):
        cut(table_of(np.arange(50.0)), DataSettings(test=10, fold="1/9"), TaskSettings(horizon=3))
    with pytest.raises(UsageError, match=r"data.fold chooses the test part"):
        cut(table_of(wave(50)), DataSettings(fold="1/2"), TaskSettings(horizon=3), test=table_of(wave(9)))
    with pytest.raises(UsageError, match=r"task.gap is a number of steps from 0, not -1"):
        cut(table_of(wave(50)), DataSettings(), TaskSettings(horizon=3, gap=-1))
    with pytest.raises(DataError, match="two gaps of 30 steps"):
        cut(table_of(wave(50)), DataSettings(), TaskSettings(horizon=3, gap=30))
