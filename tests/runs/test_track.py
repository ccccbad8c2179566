"""Scores along DNA: the same numbers as a prediction, in files that keep to UCSC's definitions."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ostinato.cli import main
from ostinato.errors import DataError, UsageError
from ostinato.runs import Run, train
from ostinato.runs.loaded import LoadedModel
from ostinato.runs.track import track, write_track

TINY = {"model.hidden": 4, "training.epochs": 1}


def bases(count: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=count))


def fasta(path: Path, **sequences: str) -> Path:
    path.write_text("".join(f">{name} of a test\n{text}\n" for name, text in sequences.items()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sequences, not in order of their names; the last is shorter than the windows below."""
    return fasta(tmp_path_factory.mktemp("genome") / "g.fa", chr2=bases(2500, 0), chr10=bases(1501, 1), alt=bases(9, 2))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "data").mkdir()
    for name, letters in (("rich", "CG"), ("poor", "AT")):
        rows = {f"{name}{n}": bases(10, n) + letters * 5 for n in range(30)}
        fasta(folder / "data" / f"{name}.fa", **rows)
    return train(folder / "data", {**TINY, "data.strands": "both", "data.kmer": 2}, folder / "run").load()


def language(folder: Path, **settings: object) -> Run:
    path = fasta(folder / "one.fa", one=bases(3000, 3))
    return train(path, {**TINY, **{k.replace("__", "."): v for k, v in settings.items()}}, folder / "run")


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return language(tmp_path_factory.mktemp("language")).load()


def read_track(path: Path, lengths: dict[str, int], fields: int, header: bool) -> list[list[str]]:
    """By UCSC's definitions: tabs, positions from 0, ends exclusive; and sorted, as tools that index tracks want it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if header:
        assert lines.pop(0).startswith("track type=bedGraph ")
    rows = [line.split("\t") for line in lines]
    for row in rows:
        assert len(row) == fields
        assert 0 <= int(row[1]) < int(row[2]) <= lengths[row[0]]
    keys = [(row[0], int(row[1])) for row in rows]
    assert keys == sorted(keys)
    return rows


LENGTHS = {"chr2": 2500, "chr10": 1501, "alt": 9}


def test_windows_of_a_classifier(classifier: LoadedModel, genome: Path, tmp_path: Path) -> None:
    frame = classifier.track(genome, 20, 10)
    counts = {name: (length - 20) // 10 + 1 for name, length in LENGTHS.items() if name != "alt"}
    assert dict(frame["chrom"].value_counts().rows()) == counts | {"alt": 1}
    one = frame.filter(chrom="chr2").row(7, named=True)
    assert (one["start"], one["end"]) == (70, 90)
    alone = classifier.predict([bases(2500, 0)[70:90]]).row(0, named=True)
    assert one["p(rich)"] == pytest.approx(alone["p(rich)"], abs=1e-6)
    assert one["prediction"] == alone["prediction"]
    write_track(frame, tmp_path / "t.bed")
    rows = read_track(tmp_path / "t.bed", LENGTHS, 6, header=False)
    assert len(rows) == frame.height
    assert {row[3] for row in rows} <= {"rich", "poor"}
    assert [int(row[4]) for row in rows] == [round(1000 * p) for p in frame["probability"]]
    assert {row[5] for row in rows} == {"."}


@pytest.mark.parametrize(("window", "step"), [(20, 6), (20, 20), (20, 0), (20, 33), (20, 1), (5000, 0)])
def test_intervals_of_a_bedgraph_do_not_overlap(
    classifier: LoadedModel, genome: Path, tmp_path: Path, window: int, step: int
) -> None:
    frame = classifier.track(genome, window, step)
    write_track(frame, tmp_path / "t.bedGraph", "rich")
    rows = read_track(tmp_path / "t.bedGraph", LENGTHS, 4, header=True)
    assert all(one[0] != other[0] or int(one[2]) <= int(other[1]) for one, other in pairwise(rows))
    assert [float(row[3]) for row in rows] == pytest.approx(frame["p(rich)"].to_list(), abs=1e-4)
    for row, whole in zip(rows, frame.iter_rows(named=True), strict=True):
        before, after = int(row[1]) - whole["start"], whole["end"] - int(row[2])
        assert 0 <= after - before <= 1  # in the middle
    assert frame.filter(chrom="alt").select("start", "end").rows() == [(0, 9)]


def test_every_base_of_a_language_model_has_its_bits(writer: LoadedModel, genome: Path, tmp_path: Path) -> None:
    frame, told = writer.track(genome), writer.predict(genome)
    write_track(frame, tmp_path / "t.bedgraph")
    rows = read_track(tmp_path / "t.bedgraph", LENGTHS, 4, header=True)
    assert len(rows) == sum(LENGTHS.values()) - 3  # all but the first of each
    nats = {name: told.filter(row=number)["nats"].to_numpy() for number, name in enumerate(LENGTHS)}
    for name, values in nats.items():
        found = [row for row in rows if row[0] == name]
        assert [(int(row[1]), int(row[2])) for row in found] == [(t, t + 1) for t in range(1, LENGTHS[name])]
        np.testing.assert_allclose([float(row[3]) for row in found], values / np.log(2), atol=1e-4)
    binned = writer.track(genome, 100).filter(chrom="chr10")
    assert binned.select("start", "end").rows()[:2] == [(1, 100), (100, 200)]
    assert binned.select("start", "end").rows()[-1] == (1500, 1501)
    np.testing.assert_allclose(binned["bits"][1], nats["chr10"][99:199].mean() / np.log(2), rtol=1e-5)


def test_bits_of_a_kmer_are_shared_by_its_bases(tmp_path: Path) -> None:
    model = language(tmp_path, data__kmer=4, data__strands="both").load()
    path = fasta(tmp_path / "g.fa", g=bases(10, 5))
    frame, told = model.track(path), model.predict(path)
    assert frame.select("start", "end").rows() == [(t, t + 1) for t in range(4, 10)]
    nats = told["nats"].to_numpy()
    assert told["symbol"].str.len_chars().to_list() in ([4, 2], [4, 1])  # a rest that was never seen is one symbol
    np.testing.assert_allclose(frame["bits"][:4], [nats[0] / 4 / np.log(2)] * 4, rtol=1e-6)


def test_short_sequences_have_bits_from_their_first_base_on(tmp_path: Path) -> None:
    path = fasta(tmp_path / "s.fa", **{f"s{n:02d}": bases(12, n) for n in range(40)})
    model = train(path, {**TINY, "data.strands": "both"}, tmp_path / "run").load()
    frame, told = model.track(path), model.predict(path)
    assert frame.filter(chrom="s03").select("start", "end").rows() == [(t, t + 1) for t in range(12)]
    nats = told.filter(row=3)["nats"].to_numpy()
    np.testing.assert_allclose(frame.filter(chrom="s03")["bits"], nats[:12] / np.log(2), rtol=1e-6)


def test_the_command(classifier: LoadedModel, genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path(classifier.files["data"]).parent / "run"

    def call(*words: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["predict", *map(str, words)])
        return end.value.code, *capsys.readouterr()

    out = tmp_path / "t.bedgraph"
    assert call(run, genome, "--window", 20, "--label", "rich", "--out", out)[0] == 0
    assert out.read_text(encoding="utf-8").startswith('track type=bedGraph name="p(rich)"\nalt\t0\t9\t0.')
    code, text, _ = call(run, genome, "--window", 20)
    assert (code, text.splitlines()[0].split(",")[:4]) == (0, ["chrom", "start", "end", "prediction"])
    code, _, told = call(run, genome, "--window", 20, "--out", out)
    assert (code, told.count("\n")) == (2, 1)
    assert "say of which label, --label. Known: poor, rich." in told


def test_what_cannot_be(classifier: LoadedModel, writer: LoadedModel, genome: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --window: as many bases"):
        classifier.track(genome)
    with pytest.raises(UsageError, match="leave --step out"):
        writer.track(genome, 10, 5)
    with pytest.raises(UsageError, match="numbers of bases, not -1"):
        classifier.track(genome, -1)
    with pytest.raises(UsageError, match=r"name it \.bedgraph"):
        write_track(writer.track(genome), tmp_path / "t.bed")
    with pytest.raises(UsageError, match=r"there is no label 'ritch'\. Did you mean 'rich'"):
        write_track(classifier.track(genome, 20), tmp_path / "t.bedgraph", "ritch")
    with pytest.raises(DataError, match="needs the names of its sequences"):
        classifier.track(["ACGT" * 10], 20)
    twice = tmp_path / "twice.fa"
    twice.write_text(">a\nACGT\n>b\nACGT\n>a x\nACGT\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"twice\.fa, row 1: 2 sequences are named 'a'"):
        classifier.track(twice, 4)
    blank = tmp_path / "blank.fa"
    blank.write_text(">a\nACGT\n>\nACGT\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"blank\.fa, row 3: .*write one after '>'"):
        classifier.track(blank, 4)


def test_only_dna_has_tracks(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("word,kind\n" + "".join(f"{'ab' * n},{n % 2}\n" for n in range(1, 40)), encoding="utf-8")
    model = train(path, {**TINY, "data.target": "kind"}, tmp_path / "run").load()
    with pytest.raises(UsageError, match="a track lies along DNA; this model reads text"):
        model.track(path, 4)
    table = model.read(path)
    with pytest.raises(UsageError, match="reads nothing but the sequence"):
        track(model.model, object(), table)  # type: ignore[arg-type]


def test_an_empty_track_is_no_error(writer: LoadedModel, tmp_path: Path) -> None:
    """A single base has nothing before it."""
    frame = writer.track(fasta(tmp_path / "g.fa", g="A"))
    assert frame.schema == {"chrom": pl.String, "start": pl.Int64, "end": pl.Int64, "bits": pl.Float64}
    assert frame.is_empty()
