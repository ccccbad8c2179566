"""Python values become columns: the types they share, and lists of steps as polars itself would build them."""

from __future__ import annotations

import cProfile
import math
import pstats
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.objects import column_from
from ostinato.errors import DataError

NUMBERS = st.one_of(st.none(), st.integers(-5, 5), st.floats(-5, 5))


def column(*values: Any) -> pl.Series:
    return column_from("x", list(values), list(range(1, len(values) + 1)))


def plain(value: Any) -> Any:
    """Lists of floats, NaN for None within a list."""
    if isinstance(value, list):
        return [math.nan if item is None else plain(item) for item in value]
    return value if value is None else float(value)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((1, 2), pl.Int64),
        ((1, 2.5), pl.Float64),
        ((2**63, 1), pl.Float64),
        ((-(2**64),), pl.Float64),
        ((True, None), pl.Boolean),
        (("a", None), pl.String),
        (([1, 2], [2.5]), pl.List(pl.Float64)),
        (([], [None, "a"]), pl.List(pl.String)),
        (([2**63, 1],), pl.List(pl.Float64)),
        (([[1], [2]], [[0.5]]), pl.List(pl.List(pl.Float64))),
        (([["a"], []], None), pl.List(pl.List(pl.String))),
    ],
)
def test_the_type_holds_every_value(values: tuple[Any, ...], dtype: Any) -> None:
    found = column(*values)
    assert found.dtype == dtype
    assert found.to_list() == list(values)


@pytest.mark.parametrize(
    ("values", "row", "told"),
    [
        ((1, "a"), 2, "another type"),
        ((True, 1), 2, "another type"),
        (([1, "a"],), 1, "mixed"),
        (([True, 1],), 1, "mixed"),
        (([1, [2]],), 1, "mixed"),
        (([[1], ["a"]],), 1, "mixed"),
        (([[[1]]],), 1, "too deep"),
        (({"a": 1},), 1, "too deep"),
        (([[1]], [1]), 2, "another type"),
    ],
)
def test_what_shares_no_type_is_named(values: tuple[Any, ...], row: int, told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        column(*values)
    assert error.value.row == row


@given(st.lists(st.one_of(st.none(), st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=4)), max_size=4))
def test_steps_of_channels_are_as_polars_has_them(values: list[Any]) -> None:
    found = column(*values)
    own = pl.Series("x", values, dtype=found.dtype, strict=False)
    assert found.dtype == own.dtype or found.dtype == pl.List(pl.List(pl.Float64))
    assert str(plain(found.to_list())) == str(plain(own.to_list()))


def test_a_step_costs_no_call_of_its_own() -> None:
    """Reading is fast because Python and polars are called a row at a time, never a step at a time."""
    rows = [[[t / 2, None if t % 7 == 0 else float(t)] for t in range(2000)] for _ in range(3)]
    profile = cProfile.Profile()
    found = profile.runcall(column, *rows)
    assert [len(row) for row in found.to_list()] == [2000] * 3
    assert pstats.Stats(profile).total_calls < 2000  # type: ignore[attr-defined]
