"""JSON Lines and Parquet: typed cells and lists of them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ostinato.data import Kind, read
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

PLAIN = DataSettings()
ROWS: list[dict[str, Any]] = [
    {"tokens": ["The", "cat"], "tags": ["DET", "NOUN"], "track": [1, 2.5, None], "xy": [[1, 2], [3, 4]], "name": "a b"},
    {"tokens": ["Sat"], "tags": ["VERB"], "track": [3], "xy": [[5, 6]], "name": "c d"},
]


def write(folder: Path, rows: list[Any], name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "unknown"])
def test_lists(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"data.{form}"
    if form == "parquet":
        pl.DataFrame(ROWS, strict=False).write_parquet(path)
    elif form == "json":
        path.write_text(json.dumps(ROWS))
    else:
        path = write(tmp_path, ROWS, path.name)
    table = read(path, DataSettings(target="tags"))
    kinds = {c.name: c.kind for c in table}
    assert kinds == {
        "tokens": Kind.TOKENS,
        "tags": Kind.TAGS,
        "track": Kind.SERIES,
        "xy": Kind.SERIES,
        "name": Kind.TEXT,
    }
    assert table["tokens"].values == [["The", "cat"], ["Sat"]]
    np.testing.assert_array_equal(table["track"].values[0], [[1], [2.5], [np.nan]])
    np.testing.assert_array_equal(table["xy"].values[0], [[1, 2], [3, 4]])
    assert table["xy"].channels == ("xy_0", "xy_1")


def test_typed_scalars(tmp_path: Path) -> None:
    rows = [{"text": f"text number {k}", "label": k % 3, "ok": k % 2 == 0, "x": k / 2} for k in range(30)]
    table = read(write(tmp_path, rows), DataSettings(target="label"))
    assert [c.kind for c in table] == [Kind.TEXT, Kind.CATEGORY, Kind.NUMBER, Kind.NUMBER]
    assert table["label"].values[:3] == ["0", "1", "2"]
    assert table["ok"].values[:2].tolist() == [1.0, 0.0]
    table = read(write(tmp_path, rows), DataSettings(target="ok"))
    assert table["ok"].values[:2] == ["true", "false"]


def test_absent_keys_are_missing_and_blank_lines_count(tmp_path: Path) -> None:
    table = read(write(tmp_path, [{"t": "one text", "y": 1.5}, "", {"t": "and another"}]), DataSettings(target="y"))
    assert table["y"].missing == {1}
    assert table.line_of.tolist() == [1, 3]


def test_parquet_times(tmp_path: Path) -> None:
    stamps = [datetime.datetime(2024, 1, d) for d in (1, 2, 3)]
    pl.DataFrame({"when": stamps, "v": [1, 2, 3]}).write_parquet(tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet", PLAIN)
    assert table["when"].values[0].dtype == np.dtype("datetime64[ns]")
    zoned = pl.Series([datetime.datetime(2024, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))] * 1)
    pl.DataFrame({"when": zoned, "v": [1.0]}).write_parquet(tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet", PLAIN)["when"].values[0][0] == np.datetime64("2024-01-01", "ns")
    days = pl.Series([datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)])
    words = pl.Series(["x", "x"], dtype=pl.Categorical)
    pl.DataFrame({"day": days, "v": [1.0, 2.0], "w": words}).write_parquet(tmp_path / "c.parquet")
    assert read(tmp_path / "c.parquet", PLAIN)["day"].values[0][1] == np.datetime64("2024-01-02", "ns")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{broken"], r"row 1: is no JSON \(Expecting property name"),
        ([{"a": 1}, "[1, 2]"], r"row 2: is no object: '\[1, 2\]'"),
        ([{"a": 1}, {"a": "x"}], r"row 2, column 'a': 'x' is of another type than the values above"),
        ([{"a": {"b": 1}}], r"row 1, column 'a': .*nested too deep"),
        ([{"a": [[[1]]]}], r"nested too deep, or mixed"),
        ([{"a": [1, "x"]}], r"nested too deep, or mixed"),
        ([{"a": [1]}, {"a": ["x"]}], r"row 2, column 'a'"),
        ([{}], "no columns"),
        ([{"a": [[1, 2], [3]]}], r"row 1, column 'a': steps differ in their number of channels"),
        ([{"a": [[1, 2], 3]}], "mixed"),
        ([{"a": [[1, 2]]}, {"a": [[1, 2, 3]]}], r"row 2, column 'a': has 3 channels, the rows before it 2"),
        (['{"a": [1, Infinity]}'], r"row 1, column 'a': holds an infinite number"),
        (["[" * 100_000], "is no JSON"),
        ([r'{"a": "\ud800"}'], r"column 'a': cannot be read as String"),
    ],
)
def test_bad_json(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, rows), PLAIN)


def test_big_numbers(tmp_path: Path) -> None:
    table = read(write(tmp_path, [{"t": "a text", "n": 10**30}, {"t": "b text", "n": 1}]), PLAIN)
    assert table["n"].values.tolist() == [1e30, 1.0]


def test_empty_series(tmp_path: Path) -> None:
    table = read(write(tmp_path, [{"s": []}, {"s": [[1, 2]]}, {"s": None}]), PLAIN)
    assert [v.shape for v in table["s"].values] == [(0, 2), (1, 2), (0, 2)]
    assert table["s"].missing == {2}


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(DataError, match="is no Parquet file, or a damaged one"):
        read(path, PLAIN)
    pl.DataFrame({"a": []}, schema={"a": pl.Int64}).write_parquet(path)
    with pytest.raises(DataError, match="holds no rows"):
        read(path, PLAIN)
    pl.DataFrame({"a": [[datetime.date(2024, 1, 1)]]}).write_parquet(path)
    with pytest.raises(DataError, match="column 'a': lists of Date are not read"):
        read(path, PLAIN)


def test_lists_are_not_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'tokens': holds lists, not text"):
        read(write(tmp_path, ROWS), DataSettings(kinds={"tokens": "text"}))
