"""docs/data.md says what is true: its Python runs, and its lists of formats and kinds are complete."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from ostinato.data import Kind, read
from ostinato.data.readers import READERS, TABLES
from ostinato.data.settings import DataSettings

PAGE = Path(__file__).parents[2] / "docs/data.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_its_python_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted >= 5
    assert result.failed == 0


def test_every_suffix_and_kind_is_listed() -> None:
    listed = set(re.findall(r"`(\.\w+)`", TEXT.split("## What a row is")[0]))
    assert set(TABLES) | set(READERS) <= listed
    kinds = re.findall(r"^\| (\w+) +\|", TEXT.split("## Kinds")[1].split("## Missing")[0], re.MULTILINE)
    assert set(kinds) == {"kind", *(kind.value for kind in Kind)}


@pytest.mark.parametrize(
    ("heading", "name", "columns"),
    [
        ("**CSV and TSV.**", "a.csv", ["name", "language"]),
        ("**CoNLL.**", "a.conll", ["tokens", "column_2", "tags"]),
        ("**FASTA and FASTQ.**", "a.fa", ["id", "description", "sequence"]),
        ("**`.ts`.**", "a.ts", ["series", "label"]),
    ],
)
def test_its_examples_are_read(tmp_path: Path, heading: str, name: str, columns: list[str]) -> None:
    example = TEXT.split(heading)[1].split("```\n")[1]
    (tmp_path / name).write_text(example)
    assert list(read(tmp_path / name, DataSettings(target="language")).columns) == columns


def test_its_long_example_is_read(tmp_path: Path) -> None:
    example = TEXT.split("```\nsymbol")[1].split("```")[0]
    left = ["symbol" + example.split("->")[0].strip(), *(line[:25].strip() for line in example.splitlines()[1:])]
    (tmp_path / "a.csv").write_text("\n".join(left) + "\n")
    table = read(tmp_path / "a.csv", DataSettings(id="symbol"))
    assert table["symbol"].values == ["MSFT", "AMZN"]
    assert [v.shape for v in table["values"].values] == [(2, 1), (1, 1)]
