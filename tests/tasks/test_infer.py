"""The task that columns ask for, and what is said where they leave it open."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError
from ostinato.tasks import TaskSettings, infer

COLUMNS = {
    "text": (Kind.TEXT, ["ab"] * 40),
    "note": (Kind.TEXT, ["cd"] * 40),
    "town": (Kind.CATEGORY, ["x", "y"] * 20),
    "land": (Kind.CATEGORY, ["x", "y"] * 20),
    "age": (Kind.NUMBER, np.arange(40.0) / 3),
    "digit": (Kind.NUMBER, np.arange(40.0) % 4),
    "form": (Kind.TOKENS, [["a"]] * 40),
    "upos": (Kind.TAGS, [["A"]] * 40),
    "xpos": (Kind.TAGS, [["A"]] * 40),
    "dep": (Kind.TAGS, [["A"]] * 40),
    "series": (Kind.SERIES, [np.zeros((3, 1))] * 40),
    "when": (Kind.TIME, [np.zeros(3, dtype="datetime64[ns]")] * 40),
    "who": (Kind.ID, ["1"] * 40),
    "dna": (Kind.DNA, ["ACGT"] * 40),
}


def table_of(names):
    return Table({name: Column(name, *COLUMNS[name]) for name in names.split()})


@pytest.mark.parametrize(
    ("columns", "data", "name", "target"),
    [
        ("text town", {"target": "town"}, "classify", "town"),
        ("text town", {}, "classify", "town"),
        ("series town", {}, "classify", "town"),
        ("text who", {"target": "who"}, "classify", "who"),
        ("dna town who", {"id": "who"}, "classify", "town"),
        ("text age", {"target": "age"}, "regress", "age"),
        ("text digit", {"target": "digit"}, "classify", "digit"),
        ("form upos", {}, "tag", "upos"),
        ("form upos xpos dep", {}, "tag", "upos"),
        ("form upos xpos", {"target": "xpos"}, "tag", "xpos"),
        ("text", {}, "language", "text"),
        ("text who", {}, "language", "text"),
        ("dna who", {}, "language", "dna"),
        ("text town", {"target": "text"}, "language", "text"),
        ("text town", {"target": "text", "inputs": ("town",)}, "language", "text"),
        ("who town", {"target": "who", "inputs": ("town",)}, "language", "who"),
        ("series", {}, "forecast", ""),
        ("series when town", {}, "forecast", ""),
        ("series age", {"target": "series"}, "forecast", "series"),
        ("text note town", {"target": "town", "inputs": ("note",)}, "classify", "town"),
    ],
)
def test_columns_name_the_task(columns, data, name, target):
    choice = infer(table_of(columns), DataSettings(**data), TaskSettings())
    assert (choice.name, choice.target) == (name, target)
    assert choice.reason


def test_what_is_asked_for_is_done():
    choice = infer(table_of("text town"), DataSettings(target="town"), TaskSettings(name="language"))
    assert (choice.name, choice.reason, choice.target) == ("language", "asked for", "town")
    assert infer(table_of("series town"), DataSettings(), TaskSettings(horizon=3)).name == "forecast"


def test_the_reason_is_told():
    written = infer(table_of("text town"), DataSettings(target="text", inputs=("town",)), TaskSettings())
    assert written.reason == "'text' is text to be written from 'town'"
    digits = infer(table_of("text digit"), DataSettings(target="digit"), TaskSettings())
    assert digits.reason == "'digit' has 4 different whole numbers, read as labels (else --task regress)"


@pytest.mark.parametrize(
    ("columns", "data", "message"),
    [
        ("text town land", {}, "'town', 'land' could each be the target; choose one with --target"),
        ("form xpos dep", {}, "'xpos', 'dep' could each be the target"),
        ("text age", {}, r"leave open what to predict: 'text' \(text\), 'age' \(number\); choose one with --target"),
        ("text note", {}, "leave open what to predict"),
        ("", {}, "there is no column"),
        ("text town", {"target": "twon"}, r"no column 'twon'. Did you mean 'town'\?"),
    ],
)
def test_what_is_open_is_asked(columns, data, message):
    with pytest.raises(DataError, match=message):
        infer(table_of(columns), DataSettings(**data), TaskSettings())


def test_a_channel_of_a_series_is_forecast() -> None:
    series = Column("values", Kind.SERIES, [np.zeros((3, 2))] * 4, ("sold", "promotion"))
    table = Table({"values": series})
    assert infer(table, DataSettings(target="sold"), TaskSettings()).name == "forecast"
    with pytest.raises(DataError, match="no column 'solt'"):
        infer(table, DataSettings(target="solt"), TaskSettings())
