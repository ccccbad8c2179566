"""Every real set of text, series, tokens and DNA is read as its PROVENANCE.md describes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ostinato.data import Kind, read
from ostinato.data.settings import DataSettings
from ostinato.errors import DataError

pytestmark = pytest.mark.real
PLAIN = DataSettings()


def test_names(real_data: Path) -> None:
    table = read(real_data / "names_nationality/names", PLAIN)
    counts = Counter(table["label"].values)
    assert (len(table), len(counts), counts["Russian"], counts["Portuguese"]) == (20050, 18, 9384, 74)
    assert len(set(table["text"].values)) == 17450


@pytest.mark.parametrize(
    ("name", "rows", "labels"), [("stsa.fine.train", 8544, "01234"), ("stsa.binary.test", 1821, "01")]
)
def test_sst(real_data: Path, name: str, rows: int, labels: str) -> None:
    table = read(real_data / "sst" / name, PLAIN)
    assert len(table) == rows
    assert set(table["label"].values) == set(labels)
    assert not any(text[0].isdigit() and text[1] == " " for text in table["text"].values[:50])


def test_splice(real_data: Path) -> None:
    table = read(real_data / "dna_splice/splice.csv", DataSettings(target="Class"))
    assert {c.name: c.kind for c in table} == {"Class": Kind.CATEGORY, "Donor": Kind.ID, "Sequence": Kind.DNA}
    assert Counter(table["Class"].values) == {"N": 1655, "IE": 768, "EI": 767}
    assert {len(s) for s in table["Sequence"].values} == {60}
    assert len(set(table["Sequence"].values)) == 3005
    assert set("".join(table["Sequence"].values)) == set("ACGTNDSR")


def test_enhancers(real_data: Path) -> None:
    files = [real_data / f"dna_enhancers/test_{name}_enhancers.txt" for name in ("strong", "weak", "non")]
    table = read(files, PLAIN)
    assert Counter(table["label"].values) == {f.stem: n for f, n in zip(files, (100, 100, 200), strict=True)}
    assert len(read(real_data / "dna_enhancers/train_non_enhancers.txt", PLAIN)) == 1484


def test_genomes(real_data: Path) -> None:
    for name, bases in (("lambda_virus.fa", 48502), ("phix.fa", 5386)):
        assert len(read(real_data / "dna_genomes" / name, PLAIN)["sequence"].values[0]) == bases


@pytest.mark.parametrize(
    ("name", "rows", "channels", "classes", "lengths"),
    [
        ("JapaneseVowels_TRAIN", 270, 12, 9, (7, 26)),
        ("JapaneseVowels_TEST", 370, 12, 9, (7, 29)),
        ("BasicMotions_TRAIN", 40, 6, 4, (100, 100)),
        ("OSULeaf_TEST", 242, 1, 6, (427, 427)),
    ],
)
def test_archives(real_data: Path, name: str, rows: int, channels: int, classes: int, lengths: tuple[int, int]) -> None:
    table = read(real_data / f"uea_ucr/{name}.ts", PLAIN)
    found = [len(v) for v in table["series"].values]
    assert (len(table), len(table["series"].channels), len(set(table["label"].values))) == (rows, channels, classes)
    assert (min(found), max(found)) == lengths


@pytest.mark.parametrize(
    ("name", "steps", "channels", "first", "last"),
    [
        ("etth/ETTh1.csv", 17420, 7, "2016-07-01", "2018-06-26T19:00"),
        ("small_series/AirPassengers.csv", 144, 1, "1949-01-01", "1960-12-01"),
        ("small_series/monthly-sunspots.csv", 2820, 1, "1749-01-01", "1983-12-01"),
        ("small_series/temps.csv", 3650, 1, "1981-01-01", "1990-12-31"),
        ("small_series/us_gasoline.csv", 1578, 1, "1991-02-08", "2021-04-30"),
        ("stocks/sp500-2000.csv", 5105, 6, "2000-01-03", "2020-04-17"),
        ("small_series/exchange_rate.csv", 7588, 8, "", ""),
        ("small_series/taylor.csv", 4032, 1, "", ""),
        ("small_series/heart_rate.csv", 1800, 1, "", ""),
        ("small_series/gasrate_co2.csv", 296, 2, "", ""),
        ("uea_ucr/Daphnet_S06R02E0.csv", 7040, 10, "1970-01-01T00:04:40", ""),
        ("uea_ucr/135_UCR_Anomaly_InternalBleeding16_TEST.csv", 7501, 2, "", ""),
    ],
)
def test_one_series(real_data: Path, name: str, steps: int, channels: int, first: str, last: str) -> None:
    table = read(real_data / name, PLAIN)
    assert len(table) == 1
    assert table["values"].values[0].shape == (steps, channels)
    times = [c for c in table if c.kind is Kind.TIME]
    assert len(times) == bool(first)
    if first:
        assert times[0].values[0][0] == np.datetime64(first, "ns")
        assert (np.diff(times[0].values[0]) > np.timedelta64(0)).all()
    if last:
        assert times[0].values[0][-1] == np.datetime64(last, "ns")


def test_newest_first_is_sorted(real_data: Path) -> None:
    notes = read(real_data / "small_series/us_gasoline.csv", PLAIN).notes
    assert any(note.startswith("rows were not in order of time") for note in notes)


def test_stocks(real_data: Path) -> None:
    table = read(real_data / "stocks/stocks.csv", PLAIN)
    assert table["symbol"].values == ["MSFT", "AMZN", "IBM", "GOOG", "AAPL"]
    assert sum(len(v) for v in table["values"].values) == 560
    assert not any("irregular" in note for note in table.notes)


def test_m4(real_data: Path) -> None:
    train = read(real_data / "m4/Hourly-train.csv", PLAIN)
    test = read(real_data / "m4/Hourly-test.csv", PLAIN)
    lengths = [len(v) for v in train["values"].values]
    assert (len(train), min(lengths), max(lengths)) == (414, 700, 960)
    assert {len(v) for v in test["values"].values} == {48}
    assert train["V1"].values == test["V1"].values == [f"H{k}" for k in range(1, 415)]


def test_gestures(real_data: Path) -> None:
    table = read(real_data / "gesture_point_history/point_history.csv", DataSettings(target="column_1"))
    assert sorted(Counter(table["column_1"].values).values()) == [1234, 1279, 1302, 1481]
    assert {v.shape for v in table["values"].values} == {(32, 1)}


@pytest.mark.parametrize(("part", "sentences", "words"), [("dev", 2001, 25147), ("test", 2077, 25094)])
def test_universal_dependencies(real_data: Path, part: str, sentences: int, words: int) -> None:
    """Sizes as the treebank's own documentation has them; 17 universal tags."""
    table = read(real_data / f"ud_english_ewt/en_ewt-ud-{part}.conllu", PLAIN)
    assert (len(table), sum(map(len, table["form"].values))) == (sentences, words)
    assert len({tag for tags in table["upos"].values for tag in tags}) == 17


@pytest.mark.parametrize(
    ("name", "characters"), [("tiny_shakespeare/input.txt", 1115394), ("ptb/ptb.test.txt", 449945)]
)
def test_documents(real_data: Path, name: str, characters: int) -> None:
    table = read(real_data / name, PLAIN)
    assert [len(text) for text in table["text"].values] == [characters]


def test_translations_are_text(real_data: Path) -> None:
    for language in ("en", "de"):
        text = read(real_data / f"multi30k_en_de/val.{language}", PLAIN)["text"].values[0]
        assert text.count("\n") == 1014


def test_anomaly_series(real_data: Path) -> None:
    """All 58 are read, or refused for times that come twice, with both rows named."""
    read_, refused = 0, 0
    for path in sorted((real_data / "nab/data").rglob("*.csv")):
        try:
            table = read(path, PLAIN)
        except DataError as error:
            assert "stands on row" in str(error)  # noqa: PT017
            refused += 1
        else:
            assert table["values"].channels == ("value",)
            read_ += 1
    assert read_ + refused == 58
    assert read_ >= 40


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_10k/t10k-labels-idx1-ubyte.gz", "no images: name the file of images"),
        ("poly_music/JSB_Chorales.mat", ".mat files are not read"),
        ("poly_music/jsb-chorales-quarter.json", "nested too deep"),
    ],
)
def test_what_is_not_read(real_data: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(real_data / name, PLAIN)
