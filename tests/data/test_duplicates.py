"""Duplicates are counted by the value of every input column."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.data.duplicates import duplicates, input_keys
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table


def table_of(kind, values, **others):
    columns = {"x": Column("x", kind, values)}
    for name, (other, column) in others.items():
        columns[name] = Column(name, other, column)
    return Table(columns)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Kind.TEXT, ["a", "b", "a"]),
        (Kind.DNA, ["ACG", "ACT", "ACG"]),
        (Kind.TOKENS, [["a", "b"], ["ab"], ["a", "b"]]),
        (Kind.SERIES, [np.array([[1.0, np.nan]]), np.array([[1.0], [2.0]]), np.array([[1.0, np.nan]])]),
    ],
)
def test_equal_inputs_are_counted(kind, values):
    table = table_of(kind, values, label=(Kind.CATEGORY, ["p", "q", "r"]))
    settings = DataSettings(target="label")
    train, test = table.take(np.array([0])), table.take(np.array([1, 2]))
    assert duplicates(train, test, settings) == 1
    assert duplicates(test, train, settings) == 1
    assert duplicates(train, table.take(np.array([], dtype=int)), settings) == 0


def test_every_input_column_counts():
    table = table_of(Kind.TEXT, ["a", "a", "a", "a"], age=(Kind.NUMBER, np.array([1.0, 2.0, np.nan, np.nan])))
    keys = input_keys(table, DataSettings())
    assert len(set(keys)) == 3
    assert keys[2] == keys[3]
    assert len(set(input_keys(table, DataSettings(inputs=("x",))))) == 1


def test_without_inputs_every_row_is_its_own():
    assert len(set(input_keys(table_of(Kind.ID, ["a", "a"]), DataSettings()))) == 2


def test_files_are_equal_where_their_bytes_are(tmp_path):
    for name, text in {
        "a.png": "1",
        "b.png": "2",
        "c.png": "1",
        "f/1.png": "1",
        "f/2.png": "2",
        "g/8": "1",
        "g/9": "2",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png", "f", "g", "gone.png")]
    keys = input_keys(table_of(Kind.VIDEO, paths), DataSettings())
    assert [keys.index(key) for key in keys] == [0, 1, 0, 3, 3, 5]
    pixels = [np.zeros((2, 3), np.uint8), np.ones((2, 3), np.uint8), np.zeros((2, 3), np.uint8)]
    assert len(set(input_keys(table_of(Kind.IMAGE, pixels), DataSettings()))) == 2
