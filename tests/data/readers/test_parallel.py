"""Two files side by side, and one file of lines; each wrong pair with its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato.data import Kind, read
from ostinato.data.readers.parallel import apart, together
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError, UsageError


def files(folder: Path, **texts: str) -> list[Path]:
    paths = []
    for name, text in texts.items():
        paths.append(folder / name.replace("_", "."))
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_a_row_a_line(tmp_path: Path) -> None:
    paths = files(tmp_path, train_de="Ein Hund.\n\n Zwei \n", train_en="A dog.\nA cat.\nTwo\n")
    table = read(together(paths), DataSettings())
    assert {column.name: column.values for column in table} == {
        "de": ["Ein Hund.", "", "Zwei"],
        "en": ["A dog.", "A cat.", "Two"],
    }
    assert all(column.kind == Kind.TEXT for column in table)
    assert table.row(2) == 3
    assert table.notes[0].startswith("layout pairs: 3 lines of de and of en, the latter to be written")


def test_names_of_like_suffixes(tmp_path: Path) -> None:
    paths = files(tmp_path, source_txt="a\n", target_txt="b\n")
    assert list(read(together(paths), DataSettings()).columns) == ["source", "target"]
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    paths = [*files(tmp_path / "x", a_txt="1\n"), *files(tmp_path / "y", a_txt="2\n")]
    assert list(read(together(paths), DataSettings()).columns) == ["source", "target"]


@pytest.mark.parametrize(("first", "second", "short"), [("a\nb\nc\n", "1\n", "en"), ("a\n", "1\n2\n3\n", "de")])
def test_files_of_different_lengths(tmp_path: Path, first: str, second: str, short: str) -> None:
    paths = files(tmp_path, t_de=first, t_en=second)
    with pytest.raises(DataError) as error:
        read(together(paths), DataSettings())
    other = "de" if short == "en" else "en"
    assert str(error.value) == (
        f"{tmp_path}/t.{short}, row 2: has no line 2: it ends after 1 line, and {tmp_path}/t.{other} has 3. "
        "Parallel files hold a line for each line of the other"
    )


def test_one_name_for_two_files(tmp_path: Path) -> None:
    assert together(["a/train.de", "a/train.en"]) == "a/train.{de,en}"
    assert together(["x/a.txt", "y/b.txt"]) == "{x/a.txt,y/b.txt}"
    assert together(["one.tsv"]) == "one.tsv"
    for pair in (["a/train.de", "a/train.en"], ["x/a.txt", "y/b.txt"], ["a.de", "a.de.gz"]):
        assert apart(together(pair)) == [Path(one) for one in pair]
    odd = tmp_path / "a{b,c}"
    odd.write_text("x")
    assert apart(odd) == [odd]
    with pytest.raises(UsageError, match="one file, or two parallel ones: 3 are named"):
        together(["a", "b", "c"])


def test_a_single_file_of_lines(tmp_path: Path) -> None:
    (path,) = files(tmp_path, new_de="Ein Hund.\nZwei.\n")
    table = read(path, DataSettings(), "pairs")
    assert table["sequence"].values == ["Ein Hund.", "Zwei."]


def test_what_is_written_is_text_however_it_looks(tmp_path: Path) -> None:
    rows = "\n".join(f"{day} March 2024\t2024-03-{day:02d}" for day in range(1, 20))
    (path,) = files(tmp_path, dates_tsv=f"said\tiso\n{rows}\n")
    table = read(path, DataSettings(), "pairs")
    assert [column.kind for column in table] == [Kind.TEXT, Kind.TEXT]
    sums = "\n".join(f"{number}+1\t{number + 1}" for number in range(30))
    (path,) = files(tmp_path, sums_tsv=f"task\tresult\n{sums}\n")
    table = read(path, DataSettings(), "pairs")
    assert table["result"].kind == Kind.TEXT
    assert table["result"].values[:2] == ["1", "2"]
    vectors = "\n".join(f"{number}.5\t{number}\tword{number}" for number in range(30))
    (path,) = files(tmp_path, vectors_tsv=f"x\ty\tname\n{vectors}\n")
    assert [column.kind for column in read(path, DataSettings(), "pairs")] == [Kind.NUMBER, Kind.NUMBER, Kind.TEXT]
