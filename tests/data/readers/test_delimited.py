"""CSV and TSV: separators, headers, quotes, rows that end early, and what people break."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Kind, read
from ostinato.data.readers.delimited import sniff_separator
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

PLAIN = DataSettings()


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


NAMES = "name,language\nAbbas,English\nAdamczak,Polish\nAbe,Japanese\nAida,Japanese\nSmith,English\nBosz,Polish\n"


def test_text_and_category(tmp_path: Path) -> None:
    table = read(write(tmp_path, NAMES), DataSettings(target="language"))
    assert [c.kind for c in table] == [Kind.TEXT, Kind.CATEGORY]
    assert table["name"].values == ["Abbas", "Adamczak", "Abe", "Aida", "Smith", "Bosz"]
    assert table["language"].values[1] == "Polish"
    assert table.line_of.tolist() == [2, 3, 4, 5, 6, 7]
    assert "language: category (3 different values in 6 rows)" in table.notes


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_separators(tmp_path: Path, separator: str) -> None:
    table = read(write(tmp_path, NAMES.replace(",", separator)), DataSettings(target="language"))
    assert table["name"].values[0] == "Abbas"


def test_separator_in_quotes_does_not_count() -> None:
    assert sniff_separator(['"a,b,c";1', '"d";2']) == ";"
    assert sniff_separator(["one", "two"]) == ","
    assert sniff_separator(["one", "two"], ".tsv") == "\t"


def test_spaces_after_separators_byte_order_mark_and_windows_ends(tmp_path: Path) -> None:
    text = (
        b"\xef\xbb\xbfClass, Donor,   Sequence\r\nEI,  A-1,  "
        + b"ACGT" * 8
        + b"\r\nIE,  A-2,  "
        + b"TTGA" * 8
        + b"\r\n"
    )
    table = read(write(tmp_path, text), DataSettings(target="Class"))
    assert list(table.columns) == ["Class", "Donor", "Sequence"]
    assert table["Sequence"].kind is Kind.DNA
    assert table["Sequence"].values == ["ACGT" * 8, "TTGA" * 8]


def test_utf16(tmp_path: Path) -> None:
    table = read(write(tmp_path, NAMES.replace("Abe", "Ábè").encode("utf-16")), DataSettings(target="language"))
    assert table["name"].values[2] == "Ábè"


def test_quoted_line_ends_keep_line_numbers(tmp_path: Path) -> None:
    table = read(write(tmp_path, 'text,label\n"two\nlines",a\n\nlast,b\n'), DataSettings(target="label"))
    assert table["text"].values == ["two\nlines", "last"]
    assert table.line_of.tolist() == [2, 5]


@given(
    st.lists(
        st.tuples(st.text(alphabet='ab",;\n x', min_size=1, max_size=8), st.sampled_from("xyz")), min_size=1, max_size=8
    )
)
def test_what_python_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    """The standard library's writer is the oracle: cells come back, but for outer white space."""
    from tempfile import TemporaryDirectory

    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    with TemporaryDirectory() as folder:
        path = write(Path(folder), buffer.getvalue())
        table = read(path, DataSettings(target="label", kinds={"text": "text", "label": "category"}))
    assert table["text"].values == [text.strip() for text, _ in rows]
    assert table["label"].values == [label for _, label in rows]


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        ("a,b\n1,2\n3,4\n", ["a", "b"], "numbers below"),
        ("1,2\n3,4\n", ["column_1", "column_2"], "holds numbers"),
        ("0,1,2\n0.5,0.25,3\n1.5,2,3\n", ["0", "1", "2"], "counts the columns"),
        ("Abbas,English\nSmith,English\n", ["column_1", "column_2"], "come again"),
        ("same,same\nx,y\n", ["column_1", "column_2"], "repeat"),
        ("word,tongue\nx,y\n", ["word", "tongue"], "nowhere below"),
    ],
)
def test_header_or_none(tmp_path: Path, text: str, names: list[str], reason: str) -> None:
    from ostinato.data.readers.delimited import read_cells
    from ostinato.data.readers.source import Source

    cells = read_cells(Source(write(tmp_path, text)), PLAIN)
    assert cells.names == names
    assert reason in cells.notes[0]


def test_a_named_column_makes_the_header(tmp_path: Path) -> None:
    """The user's word beats the guess: ``2020`` is a number and yet a name here."""
    table = read(write(tmp_path, "2020,2021\n1,2\n3,4\n"), DataSettings(target="2021"))
    assert table["values"].channels == ("2020", "2021")


def test_missing_target_cells_are_rows_to_predict(tmp_path: Path) -> None:
    table = read(write(tmp_path, NAMES + "Nobody,\n"), DataSettings(target="language"))
    assert table["language"].missing == {6}
    assert "language: 1 of 7 values missing" in table.notes


def test_names_that_look_missing_are_names(tmp_path: Path) -> None:
    table = read(write(tmp_path, NAMES + "Null,English\nNone,English\nNA,English\n"), DataSettings(target="language"))
    assert table["name"].values[-3:] == ["Null", "None", "NA"]
    assert not table["name"].missing


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", PLAIN, "is empty"),
        (" \n\n", PLAIN, "is empty"),
        ("a,b\n", PLAIN, "holds only a header"),
        ("a,b\n1,2\n3\n", PLAIN, r"row 3: has 1 field, the first row has 2"),
        ("a,b\n1,2\n3,4,5\n", PLAIN, r"row 3: has 3 fields"),
        ('a,b\n"never closed,2\n3,4\n', PLAIN, r"row 2: a quote opens here and is never closed"),
        ('a,b\n"x"y,2\n', PLAIN, "row 2: .*expected after"),
        ("a,b,a\n1,2,3\n", DataSettings(target="a"), r"row 1, column 'a': two columns have this name"),
        ("a,b\n1,2\n3,x\n5,6\n", PLAIN, r"row 3, column 'b': 'x' is not a number"),
        ("a,b\n1,2\n3,inf\n", PLAIN, r"row 3, column 'b': 'inf' is infinite"),
        ("a,b\n1,2\n3,1e999\n", PLAIN, r"row 3, column 'b': '1e999' is infinite"),
        (b"a,b\n1,\x002\n", PLAIN, r"row 2: a zero byte at offset 6"),
        (b"a,b\n1,2\n\xff,3\n", PLAIN, r"row 3: byte 0xff at offset 8 .*UTF-8"),
        (bytes(range(256)) * 20, PLAIN, "zero byte at offset 0"),
        (NAMES, DataSettings(kinds={"nmae": "text"}), r"names a column 'nmae'. Did you mean 'name'"),
        (NAMES, DataSettings(kinds={"name": "txet"}), r"'txet' is no kind. Did you mean 'text'"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, settings: DataSettings, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read(path, settings)
    assert str(path) in str(caught.value) or "no kind" in message


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    table = read(write(tmp_path, NAMES), PLAIN)
    with pytest.raises(DataError, match=r"no column 'langauge'. Did you mean 'language'"):
        table["langauge"]


def test_ten_megabytes_on_one_line(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    text = "ACGT" * 2_500_000
    table = read(write(tmp_path, f"sequence,class\n{text},a\n"), DataSettings(target="class"))
    assert len(table["sequence"].values[0]) == 10_000_000
    assert csv.field_size_limit() == limit


def test_one_column_keeps_blank_lines_as_missing(tmp_path: Path) -> None:
    table = read(write(tmp_path, "Y\n1\n\n3\n\n"), PLAIN)
    np.testing.assert_array_equal(table["values"].values[0], [[1], [np.nan], [3]])
    assert "Y: 1 of 3 values missing" in table.notes
