"""Table and Column: equal lengths, taking rows, and naming what is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Column, Kind, Table
from ostinato.errors import DataError


def table() -> Table:
    return Table(
        {
            "text": Column("text", Kind.TEXT, ["a", "b", "c"]),
            "x": Column("x", Kind.NUMBER, np.array([1.0, np.nan, 3.0]), missing=frozenset({1})),
            "s": Column("s", Kind.SERIES, [np.zeros((k, 2)) for k in range(3)], ("u", "v")),
        },
        Path("some.csv"),
        np.array([2, 3, 5]),
        ("a note",),
    )


@given(st.lists(st.integers(0, 2), max_size=6))
def test_take_is_indexing(rows: list[int]) -> None:
    taken = table().take(np.array(rows, dtype=np.int64))
    assert len(taken) == len(rows)
    assert taken["text"].values == ["abc"[r] for r in rows]
    np.testing.assert_array_equal(taken["x"].values, np.array([1, np.nan, 3])[rows])
    assert taken["x"].missing == {k for k, r in enumerate(rows) if r == 1}
    assert [len(s) for s in taken["s"].values] == rows
    assert taken["s"].channels == ("u", "v")
    assert [taken.row(k) for k in range(len(rows))] == [[2, 3, 5][r] for r in rows]
    assert (taken.path, taken.notes) == (Path("some.csv"), ("a note",))


def test_columns_must_be_as_long() -> None:
    with pytest.raises(ValueError, match="columns differ in length: a 1, b 2"):
        Table({"a": Column("a", Kind.TEXT, ["x"]), "b": Column("b", Kind.TEXT, ["x", "y"])})


def test_missing_columns_name_file_and_nearest() -> None:
    with pytest.raises(DataError, match=r"some.csv: no column 'txet'. Did you mean 'text'\?"):
        table()["txet"]
    with pytest.raises(DataError, match=r"Known: 'text', 'x', 's'\."):
        table()["qqqqq"]


def test_without_lines_or_columns() -> None:
    assert Table({"a": Column("a", Kind.TEXT, ["x"])}).row(0) is None
    assert len(Table({})) == 0
    assert [column.name for column in table()] == ["text", "x", "s"]
