"""Python objects as tables: strings, tokens, arrays, tensors and the data frames of two libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from ostinato.data import Kind, from_rows
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

TEXTS = ["to be", "or not", "to be"]


@pytest.mark.parametrize(
    "texts",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS), pl.Series(TEXTS)],
    ids=["list", "tuple", "array", "objects", "pandas", "polars"],
)
def test_strings(texts: Any) -> None:
    table = from_rows(texts, ["x", "y", "x"])
    assert table["sequence"].kind is Kind.TEXT
    assert table["sequence"].values == TEXTS
    assert table["target"].kind is Kind.CATEGORY
    assert table["target"].values == ["x", "y", "x"]
    assert table.row(0) == 1


def test_strings_of_dna_and_as_said() -> None:
    dna = ["ACGT" * 6, "ggua" * 6]
    assert from_rows(dna)["sequence"].values == ["ACGT" * 6, "GGTA" * 6]
    said = DataSettings(kinds={"sequence": "text"})
    assert from_rows(dna, settings=said)["sequence"].kind is Kind.TEXT
    assert from_rows(["a b"], settings=DataSettings(kinds={"sequence": "tokens"}))["sequence"].values == [["a", "b"]]


def test_strings_keep_their_white_space() -> None:
    assert from_rows([" a\n", ""])["sequence"].values == [" a\n", ""]


def test_tokens_and_tags() -> None:
    table = from_rows([["The", "cat"], ["Sat"]], [["D", "N"], ["V"]])
    assert table["sequence"].kind is Kind.TOKENS
    assert table["target"].kind is Kind.TAGS
    assert table["target"].values == [["D", "N"], ["V"]]
    numbered = from_rows([["The", "cat"], ["Sat"]], [np.array([0, 1]), None])
    assert numbered["target"].values == [["0", "1"], []]
    assert numbered["target"].missing == {1}


SERIES = [np.arange(3.0), np.arange(5.0)]


@pytest.mark.parametrize(
    "series",
    [
        SERIES,
        [a.tolist() for a in SERIES],
        [torch.tensor(a, requires_grad=True) for a in SERIES],
        [a[:, None].astype(np.float32) for a in SERIES],
        pd.Series(SERIES),
    ],
    ids=["arrays", "lists", "tensors", "columns", "pandas"],
)
def test_series_of_unequal_lengths(series: Any) -> None:
    column = from_rows(series)["sequence"]
    assert column.kind is Kind.SERIES
    assert [v.shape for v in column.values] == [(3, 1), (5, 1)]
    assert all(v.dtype == np.float64 for v in column.values)
    np.testing.assert_array_equal(column.values[1][:, 0], np.arange(5))


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_arrays(make: Any) -> None:
    cube = np.arange(24.0).reshape(2, 4, 3)
    column = from_rows(make(cube))["sequence"]
    assert column.channels == ("channel_1", "channel_2", "channel_3")
    np.testing.assert_array_equal(np.stack(column.values), cube)
    flat = from_rows(make(cube[:, :, 0]))["sequence"]
    assert [v.shape for v in flat.values] == [(4, 1), (4, 1)]
    assert flat.channels == ("sequence",)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames(library: Any) -> None:
    frame = library({"name": ["Abbas", "Abe", "Smith", "Bosz"], "age": [1.5, None, 3.0, 4.0]})
    table = from_rows(frame, ["a", "b", "a", "b"], DataSettings(target="tongue"))
    assert {c.name: c.kind for c in table} == {"name": Kind.TEXT, "age": Kind.NUMBER, "tongue": Kind.CATEGORY}
    assert table["age"].missing == {1}
    inside = from_rows(
        library({"name": ["Abbas", "Abe", None], "y": ["a", "b", "a"]}), settings=DataSettings(target="y")
    )
    assert inside["y"].kind is Kind.CATEGORY
    assert inside["name"].missing == {2}


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_of_numbers(library: Any) -> None:
    """With a target each row is a series; without one the rows are steps."""
    frame = library({f"t{k}": [k + 0.0, k + 10.0, np.nan if k == 3 else 0.0] for k in range(4)})
    table = from_rows(frame, [0, 1, 0])
    assert [v[:, 0].tolist() for v in table["values"].values][:2] == [[0, 1, 2, 3], [10, 11, 12, 13]]
    steps = from_rows(frame)
    assert len(steps) == 1
    assert steps["values"].channels == ("t0", "t1", "t2", "t3")


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_with_times_and_lists(library: Any) -> None:
    days = [np.datetime64("2024-01-02", "us").item(), np.datetime64("2024-01-01", "us").item()]
    table = from_rows(library({"day": days, "v": [2, 1]}))
    assert table["values"].values[0][:, 0].tolist() == [1, 2]
    assert table["day"].values[0][0] == np.datetime64("2024-01-01", "ns")
    lists = from_rows(library({"track": [[1.0, 2.0], [3.0]], "words": [["a"], ["b", "c"]]}))
    assert [c.kind for c in lists] == [Kind.SERIES, Kind.TOKENS]


def test_pandas_cells_of_arrays_and_categories() -> None:
    frame = pd.DataFrame({"track": [np.arange(3), torch.arange(2), (1, 2)], "c": pd.Categorical(["x", "y", "x"])})
    table = from_rows(frame, settings=DataSettings(target="c"))
    assert [len(v) for v in table["track"].values] == [3, 2, 2]
    assert table["c"].values == ["x", "y", "x"]


@pytest.mark.parametrize(
    ("y", "target_kind", "kind", "values"),
    [
        ([1, 2, 1], None, Kind.CATEGORY, ["1", "2", "1"]),
        (np.array([[1], [2], [1]]), None, Kind.CATEGORY, ["1", "2", "1"]),
        ([1, 2, 1], Kind.NUMBER, Kind.NUMBER, [1.0, 2.0, 1.0]),
        ([0.5, 2, 1], None, Kind.NUMBER, [0.5, 2.0, 1.0]),
        ([True, False, True], None, Kind.CATEGORY, ["true", "false", "true"]),
        (pd.Series([1.0, 2.0, 1.0]), Kind.CATEGORY, Kind.CATEGORY, ["1", "2", "1"]),
        (torch.tensor([1, 2, 1]), None, Kind.CATEGORY, ["1", "2", "1"]),
        (["p", None, "p"], None, Kind.CATEGORY, ["p", "", "p"]),
        (["eins", "zwei", "eins"], Kind.TEXT, Kind.TEXT, ["eins", "zwei", "eins"]),
    ],
)
def test_targets(y: Any, target_kind: Kind | None, kind: Kind, values: list[Any]) -> None:
    column = from_rows(TEXTS, y, target_kind=target_kind)["target"]
    assert column.kind is kind
    assert list(column.values) == values


def test_missing_targets_are_rows_to_predict() -> None:
    assert from_rows(TEXTS, [0.5, None, np.nan])["target"].missing == {1, 2}
    assert from_rows(TEXTS, ["a", None, "b"])["target"].missing == {1}


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([], None, "X is empty"),
        (np.empty((0, 3)), None, "X is empty"),
        ("a string", None, "X is a str: pass a list"),
        (5, None, "X is a int"),
        ({"a": [1]}, None, "X is a dict"),
        (pl.DataFrame({"a": []}), None, "X has 0 rows"),
        (np.arange(5), None, "X has 1 dimension.*Reshape your data"),
        (np.zeros((2, 2, 2, 2)), None, "X has 4 dimensions"),
        ([np.zeros((2, 2, 2))], None, "row 1: has 3 dimensions"),
        (["a", 5], None, "row 2: '5' is of another type"),
        ([None, "a"], None, "row 1: 'None' is of another type"),
        ([[1.0, 2.0], ["a"]], None, "row 2: is no sequence of numbers"),
        ([[1.0], [np.inf]], None, r"row 2: holds an infinite value \(inf\)"),
        ([[1j]], None, "row 1: Complex data not supported"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], None, "row 2: has 1 channel, the first sequence 2"),
        ([[[1, 2], [3]]], None, "row 1: is no sequence"),
        (TEXTS, ["a"], "X has 3 rows and y has 1: they must be as many"),
        (TEXTS, pl.DataFrame({"y": [1, 2, 3]}), "y is a data frame"),
        (TEXTS, [1, "b", 2], "row 2, column 'target': 'b' is of another type"),
        ([["a", "b"]], [["X"]], "row 1, column 'target': has 1 tag for 2 steps"),
        (pl.DataFrame({"target": ["a b", "c d"]}), [1, 2], "y would replace the column 'target'"),
        (["ACGT" * 9, "ACGT" * 9], [1.0, float("inf")], "row 2, column 'target'.*infinite"),
    ],
)
def test_bad_objects(x: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_rows(x, y)
