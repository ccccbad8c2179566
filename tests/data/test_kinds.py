"""Kinds are guessed by simple rules, each with a reason; times in the forms people write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Kind
from ostinato.data.cells import Cells, numbers, plural, to_numbers
from ostinato.data.kinds import doubts, guess
from ostinato.data.layouts import lay_out
from ostinato.data.settings import DataSettings
from ostinato.data.times import read_times, sounds_like_time
from ostinato.errors import DataError


def cells(**columns: Sequence[Any]) -> Cells:
    frame = pl.DataFrame(columns, strict=False)
    return Cells(frame, np.arange(2, frame.height + 2))


def kind_of(values: Sequence[Any], name: str = "x", target: str = "") -> Kind:
    other = ["some text of its own"] * len(values)  # so that a lone column is not made the text to read
    table = cells(**{name: values, "other": other})
    return guess(table, DataSettings(target=target, kinds={"other": "text"}))[name].kind


DNA = ["ACGTACGTACGTACGTACGTNRYK", "GGGTTTACACACACACGTGTGTGT", "acgtacgtacgtacgtacgtacgt"]


@pytest.mark.parametrize(
    ("values", "name", "kind"),
    [
        (["1", "2", ""], "x", Kind.NUMBER),
        (["1", "NaN", "n/a"], "x", Kind.NUMBER),
        ([1, 2, 3], "x", Kind.NUMBER),
        ([None, None], "x", Kind.NUMBER),
        (["", ""], "x", Kind.NUMBER),
        (["1", "2", "x", "4", "5"], "x", Kind.NUMBER),
        (["one two", "three four", "five"], "x", Kind.TEXT),
        (["a", "b", "a", "b", "a"], "x", Kind.CATEGORY),
        (DNA, "x", Kind.DNA),
        (["ACGT", "TTGA", "CCCC"], "x", Kind.TEXT),  # too short to be sure
        (["WSMKRYBDHVNWSMKRYBDHVN"] * 3, "x", Kind.CATEGORY),  # letters of DNA, but no bases
        ([f"row-{k}" for k in range(12)], "x", Kind.ID),
        ([f"name{'abcdefghijkl'[k]}" for k in range(12)], "x", Kind.TEXT),
        (["a1", "b", "c"], "id", Kind.ID),
        (["7", "9", "8"], "customer_id", Kind.ID),
        (["7", "9", "7"], "customer_id", Kind.NUMBER),
        (["2024-01-01", "2024-01-02"], "x", Kind.TIME),
        (["Jan 1 2000", "Feb 1 2000"], "x", Kind.TIME),
        ([1990, 1991, 1992], "year", Kind.TIME),
        ([1990, 1991, 1992], "x", Kind.NUMBER),
        (["0", "1", "2"], "step", Kind.TIME),
        (["3", "2", "1"], "step", Kind.TIME),
        (["0", "1", "0"], "hour", Kind.NUMBER),
        ([1, 2, 1], "month", Kind.NUMBER),
        ([["a"], ["b", "c"]], "x", Kind.TOKENS),
        ([[1], [2, 3]], "x", Kind.SERIES),
        ([[[1, 2]], [[3, 4]]], "x", Kind.SERIES),
        ([[], None], "x", Kind.SERIES),
    ],
)
def test_guess(values: list[Any], name: str, kind: Kind) -> None:
    assert kind_of(values, name) is kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 0, 1], Kind.CATEGORY),
        (["0", "1", "2"] * 10, Kind.CATEGORY),
        (["0", "1.5", "2"] * 10, Kind.NUMBER),
        ([str(k) for k in range(30)], Kind.NUMBER),
        (["1", "2", "unknown"] * 5, Kind.CATEGORY),
        (["yes", "no", "maybe"], Kind.CATEGORY),
        ([True, False, True], Kind.CATEGORY),
        ([["A"], ["B", "A"]], Kind.TAGS),
        ([[True], [False, True]], Kind.TAGS),
        ([[1.0], [2.0, 3.0]], Kind.SERIES),
        (DNA, Kind.DNA),
        ([f"a sentence to be written, number {k} of many" for k in range(30)], Kind.TEXT),
        ([*[str(k / 7) for k in range(25)], "oops"], Kind.NUMBER),
    ],
)
def test_target(values: list[Any], kind: Kind) -> None:
    assert kind_of(values, target="x") is kind


def test_a_typo_does_not_make_categories_of_numbers() -> None:
    table = cells(price=[*(f"{k % 8}.5" for k in range(30)), "3.5o"], other=["a b"] * 31)
    with pytest.raises(DataError, match=r"row 32, column 'price': '3.5o' is not a number.*data.kinds.price=category"):
        guess(table, DataSettings(target="price"))
    assert guess(table, DataSettings(target="price", kinds={"price": "category"}))["price"].kind is Kind.CATEGORY
    digits = cells(label=[*(str(k % 5) for k in range(60)), "x", "x"], other=["a b"] * 62)
    assert guess(digits, DataSettings(target="label"))["label"].kind is Kind.CATEGORY  # categories without it, too


def test_reasons_are_told() -> None:
    found = guess(cells(a=["p", "q", "p", "q"], b=DNA[:1] * 4, c=list("1234")), DataSettings(id="c"))
    assert found["a"].reason == "2 different values in 4 rows"
    assert found["b"].reason == "only letters of DNA, mostly A C G T"
    assert found["c"].reason == "you named it as id"


def test_the_only_readable_column_is_text() -> None:
    """Passwords look like codes; where they are all there is to read, they are text."""
    words = [f"pass{k}word{k * 7}" for k in range(20)]
    found = guess(cells(password=words, strength=["weak", "strong"] * 10), DataSettings(target="strength"))
    assert found["password"].kind is Kind.TEXT
    assert found["password"].reason == "the only column a model could read"
    found = guess(
        cells(password=words, strength=["weak", "strong"] * 10), DataSettings(target="strength", id="password")
    )
    assert found["password"].kind is Kind.ID


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6)), min_size=1))
def test_numbers_written_by_python_are_read_exactly(values: list[float]) -> None:
    column = cells(x=[repr(v) for v in values])
    np.testing.assert_array_equal(numbers(column, "x"), np.array(values, dtype=float))


def test_unreadable_numbers_are_marked() -> None:
    values, bad = to_numbers(pl.Series(["1", " +2 ", ".5", "1_0", "0x1", "1,5", "NULL", "none", None]))
    np.testing.assert_array_equal(values[[0, 1, 2]], [1, 2, 0.5])
    assert bad.tolist() == [False, False, False, True, True, True, False, False, False]
    values, bad = to_numbers(pl.Series([[1], None]))
    assert bad.tolist() == [True, False]


def test_errors_name_row_column_and_value() -> None:
    with pytest.raises(DataError, match=r"row 3, column 'x': 'oops' is not a number: mend it, .*kinds.*\{x: text\}"):
        numbers(cells(x=["1", "oops"]), "x")
    with pytest.raises(DataError, match=r"'a{40}…'"):
        numbers(cells(x=["1", "a" * 99]), "x")


@pytest.mark.parametrize(
    ("written", "form", "first"),
    [
        (["2016-07-01 00:00:00", "2016-07-01 01:00:00"], "%Y-%m-%d %H:%M:%S", "2016-07-01T00:00:00"),
        (["2016-07-01T00:00:00.5", "2016-07-01T01:00:00"], "%Y-%m-%dT%H:%M:%S", "2016-07-01T00:00:00.5"),
        (["1970-01-01 00:04:40.015"], "%Y-%m-%d %H:%M:%S", "1970-01-01T00:04:40.015"),
        (["1749-01", "1749-02"], "%Y-%m", "1749-01-01"),
        (["Jan 1 2000", "Feb 1 2000"], "%b %d %Y", "2000-01-01"),
        (["January 5, 2000"], "%B %d, %Y", "2000-01-05"),
        (["1/1/1981", "1/13/1981"], "%m/%d/%Y", "1981-01-01"),
        (["13/1/1981", "1/2/1981"], "%d/%m/%Y", "1981-01-13"),
        (["04/30/2021", "04/9/2021"], "%m/%d/%Y", "2021-04-30"),
        (["1/2/1981"], "%m/%d/%Y; day first would fit as well", "1981-01-02"),
        (["31.12.1999"], "%d.%m.%Y", "1999-12-31"),
        (["12/31/99"], "%m/%d/%y", "1999-12-31"),
        (["2024-01-01T02:00:00+02:00"], "%Y-%m-%dT%H:%M:%S%z", "2024-01-01T00:00:00"),
        (["2024-01-01T02:00:00Z"], "%Y-%m-%dT%H:%M:%S%z", "2024-01-01T02:00:00"),
        (["2024-01-01 5:30 PM"], "%Y-%m-%d %I:%M %p", "2024-01-01T17:30"),
        (["Mar 2001"], "%b %Y", "2001-03-01"),
    ],
)
def test_forms_of_times(written: list[str], form: str, first: str) -> None:
    found = read_times(pl.Series("x", written))
    assert found is not None
    assert found.form == form
    assert found.values[0] == np.datetime64(first, "ns")
    assert not found.bad.any()


@pytest.mark.parametrize(
    ("values", "first", "form"),
    [
        ([1700, 1701], "1700-01-01", "years"),
        ([1_700_000_000, 1_700_000_060], "2023-11-14T22:13:20", "s since 1970"),
        ([1_700_000_000_000, 1_700_000_060_000], "2023-11-14T22:13:20", "ms since 1970"),
        ([1_700_000_000_000_000, 1_700_000_060_000_000], "2023-11-14T22:13:20", "us since 1970"),
        ([1_700_000_000_000_000_000, 1_700_000_060_000_000_000], "2023-11-14T22:13:20", "ns since 1970"),
    ],
)
def test_times_in_numbers(values: list[int], first: str, form: str) -> None:
    found = read_times(pl.Series("year", values))
    assert found is not None
    assert (found.values[0], found.form, found.counts) == (np.datetime64(first, "ns"), form, False)
    written = read_times(pl.Series("year", [str(v) for v in values]))
    assert written is not None
    np.testing.assert_array_equal(written.values, found.values)


def test_missing_times_in_numbers_stay_missing() -> None:
    for values in ([1990, None, 1992], [1_700_000_000, None, 1_700_000_001]):
        found = read_times(pl.Series("year", values))
        assert found is not None
        assert np.isnat(found.values).tolist() == [False, True, False]


@pytest.mark.parametrize("values", [["a", "b"], ["1.5", "2"], [0.5, 1.5], [None, None], ["", ""], ["2024-13-45"]])
def test_what_is_no_time(values: list[Any]) -> None:
    assert read_times(pl.Series("x", values)) is None


def test_times_of_day_are_no_dates() -> None:
    import datetime

    assert read_times(pl.Series("x", [datetime.time(1, 2)])) is None


def test_years_out_of_range_are_bad_and_never_wrap_around() -> None:
    """Nanoseconds since 1970 in 64 bits reach from 1678 to 2262; polars wraps around without a word."""
    found = read_times(pl.Series("x", ["2024-01-01", "0001-01-01", "9999-01-01", "1678-01-01"]), named=True)
    assert found is not None
    assert found.bad.tolist() == [False, True, True, False]


def test_names_of_times() -> None:
    assert all(map(sounds_like_time, ["date", "Time", "timestamp", "created_at", "Order Date", "ds", "year"]))
    assert not any(map(sounds_like_time, ["x", "candidate", "sometimes", "yearly income"]))


def test_plural() -> None:
    assert [plural(1, "row"), plural(1234, "row"), plural(2, "series")] == ["1 row", "1,234 rows", "2 series"]


def test_a_column_of_numbers_but_for_a_typo_is_doubted() -> None:
    """Ages that repeat are read as categories as soon as one of them is no number: the note names it."""
    ages = [str(20 + k % 7) for k in range(40)]
    ages[17], ages[30] = "2o", "n.n."
    table = cells(age=ages, name=[f"some name {'abcdefgh'[k % 8]} of {k}" for k in range(40)], label=["a", "b"] * 20)
    found = guess(table, DataSettings(target="label"))
    assert found["age"].kind == Kind.CATEGORY
    (note,) = doubts(table, DataSettings(target="label"), found)
    assert note == (
        "age: read as category, though all but 2 values are numbers ('2o' in row 19 and 1 other): "
        "if that is a mistake, correct it, or set data.kinds.age=number"
    )
    said = DataSettings(target="label", kinds={"age": "category"})
    assert doubts(table, said, guess(table, said)) == ()
    assert any("'2o' in row 19" in told for told in lay_out(table, DataSettings(target="label")).notes)
    few = cells(age=[*ages[:20], *["x"] * 20], label=["a", "b"] * 20)
    assert doubts(few, DataSettings(target="label"), guess(few, DataSettings(target="label"))) == ()


def test_names_of_files_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million steps of a thousand series have a thousand names."""
    seen: list[str] = []
    monkeypatch.setattr("ostinato.data.kinds.of_names", lambda names: seen.extend(names))
    guess(cells(a=["x.wav", "y.wav", "x.wav"] * 100, b=["1"] * 300), DataSettings())
    assert sorted(seen) == ["1", "x.wav", "y.wav"]
