"""CoNLL and CoNLL-U, FASTA and FASTQ, and ``.ts`` archives, against examples written out by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ostinato.data import Kind, read
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

PLAIN = DataSettings()


def write(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def token(number: str, form: str, upos: str = "X") -> str:
    return f"{number}\t{form}\t{form.lower()}\t{upos}\t_\t_\t0\troot\t_\t_\n"


CONLLU = (
    "# sent_id = 1\n# text = I don't\n"
    + token("1", "I", "PRON")
    + token("2-3", "don't", "_")
    + token("2", "do", "AUX")
    + token("3", "n't", "PART")
    + token("3.1", "know", "VERB")
    + "\n# a second one\n"
    + token("1", "#", "SYM")
    + "\n"
)


def test_conllu(tmp_path: Path) -> None:
    table = read(write(tmp_path, CONLLU, "a.conllu"), PLAIN)
    assert table["form"].kind is Kind.TOKENS
    assert table["form"].values == [["I", "do", "n't"], ["#"]]
    assert table["upos"].kind is Kind.TAGS
    assert table["upos"].values == [["PRON", "AUX", "PART"], ["SYM"]]
    assert "xpos" not in table.columns  # nothing but underscores
    assert table.line_of.tolist() == [3, 10]
    assert table.notes == ("2 sentences of 4 tokens", "2 multiword and empty-node lines skipped")


def test_conllu_in_documents(tmp_path: Path) -> None:
    """A sentence before the first mark is a document too; ``newdocument`` is another comment."""
    text = (
        token("1", "A")
        + "\n# newdoc id = x\n# sent_id = 1\n"
        + token("1", "B")
        + token("2", "C")
        + "\n# newdocument\n"
        + token("1", "D")
        + "\n#newdoc\n"
        + token("1", "E")
    )
    path = write(tmp_path, text, "a.conllu")
    table = read(path, DataSettings(documents=True))
    assert table["form"].values == [["A"], ["B", "C", "D"], ["E"]]
    assert [len(tags) for tags in table["upos"].values] == [1, 3, 1]
    assert table.line_of.tolist() == [1, 5, 12]
    assert table.notes == ("3 documents of 5 tokens",)
    assert len(read(path, PLAIN)) == 4


def test_conll_in_documents(tmp_path: Path) -> None:
    text = "-DOCSTART- O\n\nEU B-ORG\nrejects O\n\nPeter B-PER\n\n-DOCSTART- O\n\nTom B-PER\n"
    table = read(write(tmp_path, text, "a.conll"), DataSettings(documents=True))
    assert table["tokens"].values == [["EU", "rejects", "Peter"], ["Tom"]]
    assert table["tags"].values == [["B-ORG", "O", "B-PER"], ["B-PER"]]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (token("1", "A"), "a.conllu", r"a\.conllu: no document begins here: put '# newdoc' lines in"),
        ("A B\n", "a.conll", r"a\.conll: no document begins here: put '-DOCSTART-' lines in"),
        ("a,b\n1,2\n", "a.csv", r"a\.csv: data\.documents=true is for CoNLL"),
        (">a\nACGT\n", "a.fa", r"a\.fa: data\.documents=true is for CoNLL"),
    ],
)
def test_documents_that_are_none(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text, name), DataSettings(documents=True))


def test_conllu_without_tags_is_to_predict(tmp_path: Path) -> None:
    text = token("1", "A", "DET") + "\n" + token("1", "B", "_") + "\n"
    table = read(write(tmp_path, text, "a.conllu"), PLAIN)
    assert table["upos"].missing == {1}


CONLL = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n"


def test_conll(tmp_path: Path) -> None:
    table = read(write(tmp_path, CONLL, "eng.conll"), PLAIN)
    assert {c.name: c.kind for c in table} == {
        "tokens": Kind.TOKENS,
        "column_2": Kind.TAGS,
        "column_3": Kind.TAGS,
        "tags": Kind.TAGS,
    }
    assert table["tokens"].values == [["EU", "rejects"], ["Peter"]]
    assert table["tags"].values == [["B-ORG", "O"], ["B-PER"]]
    assert table.line_of.tolist() == [3, 6]


def test_conll_with_tabs_keeps_spaces_and_one_column_is_tokens(tmp_path: Path) -> None:
    table = read(write(tmp_path, "New York\tLOC\n\nrains\tO\n", "a.conll"), PLAIN)
    assert table["tokens"].values == [["New York"], ["rains"]]
    table = read(write(tmp_path, "It\nrains\n\n\n#1\n", "b.conll"), PLAIN)
    assert list(table.columns) == ["tokens"]
    assert table["tokens"].values == [["It", "rains"], ["#1"]]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("A X\nB\n", "a.conll", "row 2: has 1 column instead of 2"),
        ("-DOCSTART- O\n\n", "a.conll", "holds no sentences"),
        ("# only a comment\n\n", "a.conllu", "holds no sentences"),
        (token("1", "A") + "2\tB\n", "a.conllu", "row 2: has 2 columns instead of 10 .*tabs"),
    ],
)
def test_bad_conll(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text, name), PLAIN)


FASTA = ">s1 Homo sapiens\r\nacgtn\r\nRYSW KMBD\r\n\r\n>s2\r\nHVN-\r\n; an old comment\r\nACGU\r\n"


@pytest.mark.parametrize("name", ["a.fa", "a.fasta", "a.fna", "a.txt", "a.data"])
def test_fasta(tmp_path: Path, name: str) -> None:
    table = read(write(tmp_path, FASTA, name), PLAIN)
    assert table["id"].values == ["s1", "s2"]
    assert table["description"].kind is Kind.ID
    assert table["description"].values == ["Homo sapiens", ""]
    assert table["description"].missing == {1}
    assert table["sequence"].kind is Kind.DNA
    assert table["sequence"].values == ["ACGTNRYSWKMBD", "HVN-ACGT"]
    assert table.line_of.tolist() == [1, 5]
    assert table.notes == (
        "2 sequences of 8 to 13 bases",
        f"1 sequence of RNA, first in {name}, row 8: U is read as T",
        f"1 sequence with lower-case bases (a masked repeat), first in {name}, row 2: read as upper case",
        f"1 sequence with gaps, first in {name}, row 6: a '-' is a step without a base",
    )


def test_fastq_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "reads.fastq.gz"
    path.write_bytes(gzip.compress(b"@r1 lane 1\nACGT\n+\nII@I\n@r2\nNNA\n+r2\n@@@\n\n"))
    table = read(path, PLAIN)
    assert table["sequence"].values == ["ACGT", "NNA"]
    assert table["id"].values == ["r1", "r2"]


def test_several_fasta_files_are_labelled(tmp_path: Path) -> None:
    one, two = write(tmp_path, ">a\nACGt\n>b\nAC\n", "strong.fa"), write(tmp_path, "@c\nGG\n+\nII\n", "weak.fq")
    table = read([one, two], PLAIN)
    assert table["label"].values == ["strong", "strong", "weak"]
    assert table["sequence"].values == ["ACGT", "AC", "GG"]
    assert table["description"].missing == {0, 1, 2}
    assert table.notes[1:] == (
        "1 sequence with lower-case bases (a masked repeat), first in strong.fa, row 2: read as upper case",
    )
    assert len(table.line_of) == 0


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (">a\nACGT\nACXT\n", "a.fa", r"row 3, column 'sequence': 'X' at position 3 is no letter of DNA"),
        (">a\nAC\n\nA!\n", "a.fa", r"row 4, column 'sequence': '!' at position 2"),
        ("ACGT\n>a\nAC\n", "a.fa", r"row 1: a sequence stands before the first title"),
        (">a\n>b\nAC\n", "a.fa", r"a\.fa, row 1: a title without a sequence: remove it"),
        (">a\nAC\n>b\n\n \n", "a.fa", r"a\.fa, row 3: a title without a sequence: remove it"),
        ("; nothing\n", "a.fa", "holds no sequences"),
        ("@a\nACGT\n+\nIII\n", "a.fq", r"row 4: 3 qualities for 4 letters"),
        ("@a\nACGT\n+\n", "a.fq", r"row 1: the last record is cut short"),
        ("@a\nACGT\n+\nIIII\nr2\nA\n+\nI\n", "a.fq", r"row 5: should begin with '@'"),
        ("@a\nACGT\n-\nIIII\n", "a.fq", r"row 3: should begin with '\+'"),
        ("@a\nACZT\n+\nIIII\n", "a.fq", r"row 2, column 'sequence': 'Z' at position 3"),
    ],
)
def test_bad_dna(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text, name), PLAIN)


HEAD = "#a comment\n@problemName X\n@timeStamps false\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"


def test_archive(tmp_path: Path) -> None:
    table = read(write(tmp_path, HEAD + "1,2,3:4,?,6:a\n7:8:b\n\n9,9:9,NaN:?\n", "x.ts"), PLAIN)
    assert table["series"].kind is Kind.SERIES
    assert table["series"].channels == ("channel_1", "channel_2")
    np.testing.assert_array_equal(table["series"].values[0], [[1, 4], [2, np.nan], [3, 6]])
    assert table["label"].values == ["a", "b", ""]
    assert table["label"].missing == {2}
    assert table.line_of.tolist() == [8, 9, 11]
    assert table.notes == ("3 series of 1 to 3 steps, 2 channels", "2 values missing")


def test_archive_of_regression_and_without_labels(tmp_path: Path) -> None:
    table = read(write(tmp_path, "@targetLabel true\n@data\n1,2:0.5\n3:?\n", "x.ts"), PLAIN)
    assert table["target"].kind is Kind.NUMBER
    np.testing.assert_array_equal(table["target"].values, [0.5, np.nan])
    table = read(write(tmp_path, "@classLabel false\n@data\n1,2\n", "y.ts"), PLAIN)
    assert list(table.columns) == ["series"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "has no data"),
        ("1,2:a\n", "row 1: data before the line @data"),
        ("@timeStamps true\n@data\n(0,1):a\n", "row 1: has time stamps, which are not read"),
        ("@dimensions two\n@data\n", "row 1: 'two' is no number of dimensions"),
        (HEAD + "1,2:3,4:c\n", r"row 8: the label 'c' is none of those announced by @classLabel \(a, b\)"),
        (HEAD + "1,2:a\n", "row 8: has 1 channel instead of 2"),
        (HEAD + "1,2:3:a\n", r"row 8: channels differ in length \(2, 1\)"),
        (HEAD + "1,x:3,4:a\n", r"row 8, column 'channel 1': 'x' is not a number \(value 2\)"),
        (HEAD + "1,2:3,inf:a\n", r"row 8, column 'channel 2': holds an infinite number"),
        ("@targetLabel true\n@data\n1,2:high\n", r"row 3, column 'target': 'high' is not a number"),
    ],
)
def test_bad_archives(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text, "x.ts"), PLAIN)
