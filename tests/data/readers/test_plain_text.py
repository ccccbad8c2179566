"""Plain text, folders of it, sources (gzip, encodings), and picking a reader by content."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data import Kind, read
from ostinato.data.readers.sniff import sniff
from ostinato.data.readers.source import Source
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

PLAIN = DataSettings()
BYTES = DataSettings(unit="byte")


def write(folder: Path, data: bytes | str, name: str = "data.txt") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_one_document(tmp_path: Path) -> None:
    table = read(write(tmp_path, "To be,\r\nor not to be.\n"), PLAIN)
    assert len(table) == 1
    assert table["text"].kind is Kind.TEXT
    assert table["text"].values == ["To be,\nor not to be.\n"]


def test_bytes_of_any_kind(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2
    table = read(write(tmp_path, data), BYTES)
    assert table["text"].values[0].encode("latin-1") == data


def test_unreadable_bytes_name_the_offset(tmp_path: Path) -> None:
    path = write(tmp_path, b"good line\nbad \xe9 line\n")
    with pytest.raises(DataError, match=r"row 2: byte 0xe9 at offset 14 .*UTF-8.*data.unit=byte"):
        read(path, PLAIN)
    with pytest.raises(DataError, match="at offset 5"):
        read(write(tmp_path, b"\xef\xbb\xbfab\xff"), PLAIN)


def test_labelled_lines(tmp_path: Path) -> None:
    text = "".join(f"{k % 2} sentence number {k}\n" for k in range(12)) + "\n"
    table = read(write(tmp_path, text, "set.train"), PLAIN)
    assert table["label"].kind is Kind.CATEGORY
    assert table["label"].values[:3] == ["0", "1", "0"]
    assert table["text"].values[2] == "sentence number 2"
    fast = read(write(tmp_path, text.replace("0 ", "__label__bad ").replace("1 ", "__label__good ")), PLAIN)
    assert set(fast["label"].values) == {"bad", "good"}


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{k} a numbered list\n" for k in range(30)),  # labels never come again
        "".join(f"{k % 2} text\n" for k in range(8)),  # too few to be sure
        "0 text\n" * 30,  # one label only
        "".join(f"{k % 2} text\n" for k in range(30)) + "and a line without\n",
    ],
)
def test_what_is_not_labelled_stays_text(tmp_path: Path, text: str) -> None:
    assert list(read(write(tmp_path, text), PLAIN).columns) == ["text"]


def test_a_folder_is_a_file_a_class(tmp_path: Path) -> None:
    write(tmp_path / "names", "Abe\nAida\n\n", "Japanese.txt")
    write(tmp_path / "names", "Smith\n", "English.txt")
    write(tmp_path / "names", "not data", "README.md")
    table = read(tmp_path / "names", PLAIN)
    assert table["text"].values == ["Smith", "Abe", "Aida"]
    assert table["label"].values == ["English", "Japanese", "Japanese"]
    assert table.notes == ("2 files, each a class: English 1, Japanese 2",)
    one = read([tmp_path / "names" / "Japanese.txt"], PLAIN)
    assert one.line_of.tolist() == [1, 2]


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder without files of text, DNA, sound, film or images"):
        read(tmp_path, PLAIN)
    with pytest.raises(DataError, match="no files"):
        read([], PLAIN)
    a, b = write(tmp_path / "a", "x\n", "same.txt"), write(tmp_path / "b", "y\n", "same.txt")
    with pytest.raises(DataError, match="two files are named 'same'"):
        read([a, b], PLAIN)
    c = write(tmp_path, ">x\nACGT\n", "dna.fa")
    with pytest.raises(DataError, match=r"dna.fa: holds text, and the other files DNA"):
        read([a, c], PLAIN)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.txt", "is empty"),
        (b"\n \n", "a.txt", "is empty"),
        (b"\xef\xbb\xbf", "a.txt", "is empty"),
        (b"", "a.txt.gz", "is empty"),
        (b"plain", "a.txt.gz", "is not a gzip file"),
        (gzip.compress(b"text " * 1000, mtime=0)[:-9], "a.txt.gz", "truncated or damaged gzip"),
        (gzip.compress(b"text " * 1000, mtime=0)[:20] + b"junk" * 9, "a.txt.gz", "truncated or damaged gzip"),
        (b"PK", "a.xlsx", ".xlsx files are not read: use .csv"),
    ],
)
def test_bad_sources(tmp_path: Path, data: bytes, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, data, name), PLAIN)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing.csv: does not exist"):
        read(tmp_path / "nothing.csv", PLAIN)
    with pytest.raises(DataError, match="cannot be read"):
        Source(tmp_path).data  # noqa: B018  (a folder where a file should be)


def test_gzip_whatever_its_name(tmp_path: Path) -> None:
    for name in ("a.txt.gz", "a.txt"):
        assert read(write(tmp_path, gzip.compress(b"hello there", mtime=0), name), PLAIN)["text"].values == [
            "hello there"
        ]
    assert Source(tmp_path / "a.CSV.GZ").suffix == ".csv"
    assert Source(tmp_path / "a.csv.gz").stem == "a"


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b">seq one\nACGT\n", ".fasta"),
        (b"> a quoted letter\nsaid: 1,2\n", ".txt"),
        (b"@r1\nACGT\n+\nIIII\n", ".fastq"),
        (b"#comment\n@problemName X\n", ".ts"),
        (b"PAR1....", ".parquet"),
        (b'{"a": 1}\n{"a": 2}\n', ".jsonl"),
        (b"# sent_id = 1\n1\tA\ta\tX\tX\t_\t0\troot\t_\t_\n\n", ".conllu"),
        (b"EU NNP\nrejects VBZ\n\nPeter NNP\nsays VBZ\n\nIt PRP\nrains VBZ\n", ".conll"),
        (b"a,b\n1,2\n3,4\n", ".csv"),
        (b"a\tb\n1\t2\n", ".csv"),
        (b"Well, then.\nNo comma\n", ".txt"),
        (b"one line, only", ".txt"),
    ],
)
def test_sniff(tmp_path: Path, data: bytes, suffix: str) -> None:
    assert sniff(Source(write(tmp_path, data, "data.unknown")), prose=False) == suffix


def test_prose_may_hold_commas(tmp_path: Path) -> None:
    assert list(read(write(tmp_path, "a, b\nc, d\n"), PLAIN).columns) == ["text"]


@given(
    st.binary(max_size=300),
    st.sampled_from([".csv", ".txt", ".jsonl", ".conllu", ".fa", ".fq", ".ts", ".parquet", ".x"]),
)
def test_junk_is_read_or_refused_never_crashes(data: bytes, suffix: str) -> None:
    """Whatever the bytes: a table, or a DataError that names the file."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = write(Path(folder), data, "junk" + suffix)
        try:
            table = read(path, PLAIN)
        except DataError as error:
            assert "junk" in str(error)  # noqa: PT017
        else:
            assert len(table) > 0


@given(
    st.text(alphabet="ab1.,;|\t\n\"' -:@>#{}[]+?", max_size=120),
    st.sampled_from([".csv", ".jsonl", ".conll", ".fa", ".fq", ".ts", ".x"]),
)
def test_hostile_text_is_read_or_refused(text: str, suffix: str) -> None:
    """The same with the letters that mean something to some reader."""
    test_junk_is_read_or_refused_never_crashes.hypothesis.inner_test(text.encode(), suffix)  # type: ignore[attr-defined]
