"""Rows, long and wide tables: what a row is, how series are put together, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Kind, Table, read
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError, UsageError

PLAIN = DataSettings()


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def test_one_series_with_times(tmp_path: Path) -> None:
    table = read(write(tmp_path, "date,open,close\n2024-01-01,1,2\n2024-01-02,3,4\n2024-01-03,5,\n"), PLAIN)
    assert [(c.name, c.kind) for c in table] == [("series", Kind.ID), ("date", Kind.TIME), ("values", Kind.SERIES)]
    assert table["series"].values == ["data"]
    assert table["values"].channels == ("open", "close")
    np.testing.assert_array_equal(table["values"].values[0], [[1, 2], [3, 4], [5, np.nan]])
    np.testing.assert_array_equal(table["date"].values[0], [day("2024-01-01"), day("2024-01-02"), day("2024-01-03")])
    assert "close: 1 of 3 values missing" in table.notes
    assert any(note.startswith("layout long: each row is a step") for note in table.notes)


def test_several_series_told_apart_by_repeated_times(tmp_path: Path) -> None:
    text = "symbol,date,price\nB,Jan 1 2000,1\nB,Feb 1 2000,2\nA,Jan 1 2000,3\nA,Feb 1 2000,4\nA,Mar 1 2000,5\n"
    table = read(write(tmp_path, text), PLAIN)
    assert table["symbol"].values == ["B", "A"]
    assert [v[:, 0].tolist() for v in table["values"].values] == [[1, 2], [3, 4, 5]]
    assert table.line_of.tolist() == [2, 4]
    assert not any("irregular" in note for note in table.notes)  # months differ in days, and are regular


def test_unsorted_times_are_sorted_with_a_note(tmp_path: Path) -> None:
    table = read(write(tmp_path, "Week,Gas\n04/30/2021,3\n04/23/2021,2\n04/9/2021,1\n04/16/2021,1.5\n"), PLAIN)
    assert table["values"].values[0][:, 0].tolist() == [1, 1.5, 2, 3]
    assert "rows were not in order of time and have been sorted (4 of 4 moved)" in table.notes


@given(st.permutations(range(12)))
def test_the_order_of_rows_never_matters(order: list[int]) -> None:
    """Each row carries its series and its time, so any order of rows gives the same series."""
    from tempfile import TemporaryDirectory

    rows = [f"{'ab'[k % 2]},2024-01-{k // 2 + 1:02d},{k}" for k in order]
    with TemporaryDirectory() as folder:
        table = read(write(Path(folder), "id,date,v\n" + "\n".join(rows) + "\n"), DataSettings(id="id"))
    found = {name: v[:, 0].tolist() for name, v in zip(table["id"].values, table["values"].values, strict=True)}
    assert found == {"a": [0, 2, 4, 6, 8, 10], "b": [1, 3, 5, 7, 9, 11]}


def test_duplicate_times_name_both_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "date,v\n2024-01-01,1\n2024-01-02,2\n2024-01-01,3\n")
    with pytest.raises(
        DataError, match=r"row 4, column 'date': the time '2024-01-01' stands on row 2 already .*\(id\)"
    ):
        read(path, PLAIN)
    path = write(tmp_path, "id,date,v\na,2024-01-01,1\nb,2024-01-01,2\nb,2024-01-01,3\n")
    with pytest.raises(
        DataError, match=r"row 4, column 'date': .* in series 'b' stands on row 3 already \(1 duplicate"
    ):
        read(path, DataSettings(id="id", time="date"))


def test_irregular_steps_are_noted(tmp_path: Path) -> None:
    text = "t,v\n2024-01-01 00:00:00,1\n2024-01-01 01:00:00,2\n2024-01-01 02:00:00,2\n2024-01-01 05:00:00,3\n"
    table = read(write(tmp_path, text), PLAIN)
    assert (
        "1 of 3 time steps are irregular (first at row 5: 3 h instead of 1 h); steps are used as they come"
        in table.notes
    )


@pytest.mark.parametrize("unit", ["month", "quarter", "year"])
def test_calendar_steps_are_regular(tmp_path: Path, unit: str) -> None:
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    stamps = [str(np.datetime64("1999-11") + k * months) for k in range(9)]
    table = read(write(tmp_path, "Month,v\n" + "".join(f"{s},1\n" for s in stamps)), PLAIN)
    assert not any("irregular" in note for note in table.notes)


def test_counted_steps_order_rows_and_are_no_dates(tmp_path: Path) -> None:
    table = read(write(tmp_path, "timestamp,value\n2,30\n0,10\n1,20\n"), DataSettings(time="timestamp"))
    assert list(table.columns) == ["series", "values"]
    assert table["values"].values[0][:, 0].tolist() == [10, 20, 30]
    assert "one series; time from 'timestamp' (a count of steps)" in table.notes


def test_counted_steps_of_several_series(tmp_path: Path) -> None:
    text = "id,step,x,label\n" + "".join(
        f"{s},{t},{t / 2},{'up' if s == 'a' else 'down'}\n" for s in "ab" for t in range(4)
    )
    table = read(write(tmp_path, text), DataSettings(target="label"))
    assert table["id"].values == ["a", "b"]
    assert table["values"].channels == ("x",)
    assert table["label"].kind is Kind.CATEGORY
    assert table["label"].values == ["up", "down"]


def test_no_time_column_keeps_file_order(tmp_path: Path) -> None:
    table = read(write(tmp_path, "Y\n3\n1\n2\n"), PLAIN)
    assert table["values"].values[0][:, 0].tolist() == [3, 1, 2]
    assert "one series; no time column: steps in file order" in table.notes


def test_a_text_target_that_changes_is_tags(tmp_path: Path) -> None:
    table = read(write(tmp_path, "x,state\n1,on\n2,on\n3,off\n"), DataSettings(target="state"))
    assert table["state"].kind is Kind.TAGS
    assert table["state"].values == [["on", "on", "off"]]


def test_a_changing_text_column_is_left_out_unless_wanted(tmp_path: Path) -> None:
    path = write(tmp_path, "date,x,w\n2024-01-01,1,sun\n2024-01-02,2,sun\n2024-01-03,3,rain\n2024-01-04,3,rain\n")
    table = read(path, PLAIN)
    assert "w" not in table.columns
    assert any(note.startswith("w: left out") for note in table.notes)
    with pytest.raises(DataError, match=r"row 2, column 'w': 'sun' is not a number"):
        read(path, DataSettings(inputs=("x", "w")))


WIDE = "name," + ",".join(f"V{k}" for k in range(2, 12)) + "\nH1,1,2,3,4,5,6,7,8,9,10\nH2,1,2,,4,5,6,7,8,,\nH3,9,8,7\n"


def test_wide_series_end_early(tmp_path: Path) -> None:
    table = read(write(tmp_path, WIDE), PLAIN)
    assert table["name"].values == ["H1", "H2", "H3"]
    assert [len(v) for v in table["values"].values] == [10, 8, 3]
    np.testing.assert_array_equal(table["values"].values[1][:, 0], [1, 2, np.nan, 4, 5, 6, 7, 8])
    assert {"3 series of 3 to 10 steps", "1 of 21 values missing inside series"} <= set(table.notes)


def test_wide_with_a_label(tmp_path: Path) -> None:
    text = "".join(f"{k % 2}," + ",".join(str(k + j / 10) for j in range(9)) + "\n" for k in range(10))
    table = read(write(tmp_path, text), DataSettings(target="column_1"))
    assert table["column_1"].values == ["0", "1"] * 5
    assert table["values"].values[3][:2, 0].tolist() == [3.0, 3.1]
    assert table["series"].values[:2] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (WIDE + "H4,1,x,2\n", PLAIN, r"row 5, column 'V3': 'x' is not a number"),
        (WIDE + "H4,1,x,2,1,1,1,1,1,1,1\n", PLAIN, r"row 5, column 'V3': 'x' is not a number"),
        (WIDE + "H1,1,2\n", PLAIN, r"row 5, column 'name': 'H1' names a series on row 2 already"),
        (WIDE + "H4,,,,,,,,,,\n", PLAIN, r"row 5: this series has no values"),
        (WIDE, DataSettings(id="nam"), r"no column 'nam'. Did you mean 'name'"),
    ],
)
def test_bad_wide_tables(tmp_path: Path, text: str, settings: DataSettings, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text), settings, "wide")


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("date,w\n2024-01-01,a\n2024-01-02,b\n", PLAIN, "has no column of numbers"),
        ("date,v\n2024-01-01,1\nsoon,2\n2024-01-03,2\n", PLAIN, r"row 3, column 'date': 'soon' is not a time like"),
        ("date,v\n2024-01-01,1\n,2\n2024-01-03,2\n", PLAIN, r"row 3, column 'date': the time is missing"),
        ("v,w\n1,a\n2,b\n", DataSettings(time="w"), r"column 'w': holds no times: 'a'"),
        ("v,w\n1,a\n2,b\n", DataSettings(time="tiem"), "no column 'tiem'"),
        ("id,v\na,1\n,2\n", DataSettings(id="id"), r"row 3, column 'id': the series has no name"),
        (
            "date,v\n2024-01-01,1\n9999-01-01,2\n2024-01-02,3\n",
            PLAIN,
            r"row 3, column 'date': '9999-01-01' is not a time",
        ),
    ],
)
def test_bad_long_tables(tmp_path: Path, text: str, settings: DataSettings, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text), settings, "long")


def test_layout_is_obeyed(tmp_path: Path) -> None:
    path = write(tmp_path, "date,v\n2024-01-01,1\n2024-01-02,2\n")
    table = read(path, PLAIN, "rows")
    assert len(table) == 2
    assert table["date"].values[1].tolist() == [day("2024-01-02").astype(int)]
    assert "layout rows: each row is an example (as asked for)" in table.notes
    with pytest.raises(UsageError, match=r"no layout 'lnog'. Did you mean 'long'"):
        read(path, PLAIN, "lnog")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no columns of steps"):
        read(write(tmp_path, "a,b\nx,y\n"), DataSettings(id="a", target="b"), "wide")


def test_a_date_beside_a_text_is_a_row(tmp_path: Path) -> None:
    text = "date,review,stars\n" + "".join(
        f"2024-01-0{k},a review of its own number {k},{k % 2}\n" for k in range(1, 9)
    )
    table = read(write(tmp_path, text), DataSettings(target="stars"))
    assert len(table) == 8
    assert [c.kind for c in table] == [Kind.TIME, Kind.TEXT, Kind.CATEGORY]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("tokens", "a b  c", ["a", "b", "c"]),
        ("tags", "X Y", ["X", "Y"]),
        ("dna", "acgu n", "ACGTN"),
        ("text", "12", "12"),
        ("category", "12", "12"),
        ("id", "12", "12"),
        ("number", "12", 12.0),
    ],
)
def test_kinds_can_be_said(tmp_path: Path, kind: str, cell: str, value: object) -> None:
    table = read(write(tmp_path, f"x,y\n{cell},some text\n"), DataSettings(kinds={"x": kind, "y": "text"}), "rows")
    assert table["x"].kind == kind
    assert table["x"].values[0] == value


@pytest.mark.parametrize("cell", ["1 2.5 nan", "[1, 2.5, nan]", "1;2.5;NaN"])
def test_series_in_a_cell(tmp_path: Path, cell: str) -> None:
    table: Table = read(write(tmp_path, f'x,y\n"{cell}",b\n'), DataSettings(kinds={"x": "series"}), "rows")
    np.testing.assert_array_equal(table["x"].values[0], [[1], [2.5], [np.nan]])


@pytest.mark.parametrize(
    ("kind", "cell", "message"),
    [
        ("series", "1 2 x", r"row 2, column 'x': 'x' is not a number"),
        ("series", "1 inf", r"row 2, column 'x': holds an infinite number"),
        ("dna", "ACGTZ", r"row 2, column 'x': 'Z' at position 5 is no letter of DNA"),
        ("number", "five", r"row 2, column 'x': 'five' is not a number"),
    ],
)
def test_cells_that_do_not_fit_their_kind(tmp_path: Path, kind: str, cell: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, f"x,y\n{cell},b\n"), DataSettings(kinds={"x": kind, "y": "text"}), "rows")


def test_short_series_have_no_rhythm(tmp_path: Path) -> None:
    text = "id,date,v\na,2024-01-01,1\nb,2024-01-01,1\nb,2024-01-09,2\n"
    table = read(write(tmp_path, text), DataSettings(id="id"))
    assert [len(v) for v in table["values"].values] == [1, 2]
    assert not any("irregular" in note for note in table.notes)


def test_counted_steps_may_skip(tmp_path: Path) -> None:
    table = read(write(tmp_path, "step,v\n0,1\n1,1\n2,1\n5,1\n"), PLAIN)
    assert any("first at row 5: 3 instead of 1" in note for note in table.notes)


def test_what_is_constant_in_each_series_goes_with_it(tmp_path: Path) -> None:
    """A class of each series in words or numbers, and a property that is no target."""
    rows = [
        f"{s},2024-01-0{d},{d},{'north' if s in 'ab' else 'south'},{s in 'ac':d}" for s in "abcd" for d in (1, 2, 3)
    ]
    path = write(tmp_path, "id,date,v,region,class\n" + "\n".join(rows) + "\n")
    table = read(path, DataSettings(target="class"))
    assert table["id"].kind is Kind.ID
    assert table["region"].values == ["north", "north", "south", "south"]
    assert (table["class"].kind, table["class"].values) == (Kind.CATEGORY, ["1", "0", "1", "0"])
    assert table["values"].channels == ("v",)
    assert {"region: category of a whole series", "class: category of a whole series"} <= set(table.notes)


def test_a_column_said_to_be_a_category_is_no_channel(tmp_path: Path) -> None:
    path = write(tmp_path, "date,v,mode\n2024-01-01,1,0\n2024-01-02,2,1\n2024-01-03,2,1\n")
    table = read(path, DataSettings(target="mode", kinds={"mode": "tags"}))
    assert table["mode"].values == [["0", "1", "1"]]
    assert table["values"].channels == ("v",)


def test_only_categories_are_rows(tmp_path: Path) -> None:
    table = read(write(tmp_path, "a,b\n" + "x,y\nz,y\n" * 4), PLAIN)
    assert len(table) == 8
    assert [c.kind for c in table] == [Kind.CATEGORY, Kind.CATEGORY]


@pytest.mark.parametrize("names", ["a,b,c,d,e,f,g,h,i", "id,t1,t2,t3,t4,t5,t6,t7,t9", "id,a1,a2,a3,a4,b5,b6,b7,b8"])
def test_columns_that_are_not_numbered_in_a_row_are_not_wide(tmp_path: Path, names: str) -> None:
    table = read(write(tmp_path, names + "\nx" + ",1" * 8 + "\ny" + ",2" * 8 + "\n"), PLAIN)
    assert not any("layout wide" in note for note in table.notes)
