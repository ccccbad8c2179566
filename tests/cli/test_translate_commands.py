"""From pairs to a run, and what a translator answers, as one types it."""

from __future__ import annotations

import io
import json
import random
import re
from pathlib import Path

import polars as pl
import pytest
from shell import Call

import ostinato
from ostinato.cli import main
from ostinato.runs import resume, train

QUICK = ["--epochs", "2", "--hidden", "16", "--json"]


def dates(path: Path, rows: int = 150) -> Path:
    draw = random.Random(0)
    lines = ["said\tiso"]
    for _ in range(rows):
        day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1950, 2030)
        lines.append(f"{day}.{month}.{year}\t{year}-{month:02d}-{day:02d}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dates")
    with pytest.raises(SystemExit) as ended:
        main(["train", str(dates(folder / "dates.tsv")), "--task", "translate", *QUICK, "--out", str(folder / "run")])
    assert ended.value.code == 0
    return folder / "run"


def test_what_a_run_holds(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["task"], metrics["mapping"]) == ("translate", "many-to-many, fed back")
    assert metrics["model"].startswith(
        "embedding 128 -> LSTM 16, both directions -> multiplicative attention -> LSTM 16 -> "
    )
    assert set(metrics["test"]["model"]) == {"cer", "accuracy"}
    assert set(metrics["test"]["baselines"]) == {"nearest", "dictionary", "feed_forward"}
    page = (run / "report.html").read_text()
    assert len(re.findall(r"<h2>What answer \d looked at</h2>", page)) == 3


def test_answers(run: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "new.tsv").write_text("said\n3.4.1999\n12.12.2012\n", encoding="utf-8")
    told = pl.read_csv(io.StringIO(call("predict", run, tmp_path / "new.tsv").out), infer_schema=False)
    assert told.columns == ["said", "prediction"]
    assert told["said"].to_list() == ["3.4.1999", "12.12.2012"]
    best = pl.read_csv(io.StringIO(call("predict", run, tmp_path / "new.tsv", "--best", 3).out), infer_schema=False)
    assert best["rank"].to_list() == ["1", "2", "3"] * 2
    assert best.filter(pl.col("rank") == "1")["prediction"].to_list() == told["prediction"].to_list()
    assert call("evaluate", run, run.parent / "dates.tsv").code == 0
    assert call("inspect", run, "--text", "3.4.1999", "--out", tmp_path / "x.svg").code == 0


def test_best_is_for_translations(classifier: Path, call: Call) -> None:
    answer = call("predict", classifier, "--text", "abc", "--best", 2)
    assert answer.code == 2
    assert "2 best answers cannot be given by the task 'classify'" in answer.err


def test_a_stored_model_answers_the_same(run: Path) -> None:
    model = ostinato.load(run)
    texts = ["3.4.1999", "12.12.2012", "1.1.2000"]
    together = model.predict(texts)["prediction"].to_list()
    assert together == [model.predict([text])["prediction"].item() for text in texts]


def test_two_files(tmp_path: Path, call: Call) -> None:
    draw = random.Random(1)
    words = {"eins": "one", "zwei": "two", "drei": "three", "rot": "red", "blau": "blue"}
    rows = [[draw.choice(list(words)) for _ in range(draw.randint(3, 5))] for _ in range(120)]
    (tmp_path / "t.de").write_text("\n".join(" ".join(row) for row in rows) + "\n", encoding="utf-8")
    said = "\n".join(" ".join(words[word] for word in row) for row in rows) + "\n"
    (tmp_path / "t.en").write_text(said, encoding="utf-8")
    answer = call("train", tmp_path / "t.de", tmp_path / "t.en", "--task", "translate", *QUICK, "--out", tmp_path / "r")
    assert answer.code == 0, answer.err
    metrics = json.loads(answer.out)
    assert "bleu" in metrics["test"]["model"]
    assert metrics["measure"].startswith("BLEU|nrefs:1|case:mixed|")
    assert metrics["test"]["baselines"]["dictionary"]["bleu"] == pytest.approx(100.0)
    (tmp_path / "new.de").write_text("eins rot\nzwei blau drei\n", encoding="utf-8")
    told = call("predict", tmp_path / "r", tmp_path / "new.de").out.splitlines()
    assert told[0] == "de,prediction"
    assert len(told) == 3
    assert call("evaluate", tmp_path / "r", tmp_path / "t.de", tmp_path / "t.en").code == 0
    assert resume(tmp_path / "r").metrics == metrics
    assert sorted(path.suffix for path in (tmp_path / "r" / "model").iterdir()) == [".json", ".safetensors"]


def test_bad_pairs(tmp_path: Path, call: Call) -> None:
    (tmp_path / "t.de").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "t.en").write_text("A\n", encoding="utf-8")
    answer = call("train", tmp_path / "t.de", tmp_path / "t.en", "--task", "translate")
    assert answer.code == 1
    assert f"{tmp_path}/t.en, row 2: has no line 2: it ends after 1 line" in answer.err
    answer = call("train", tmp_path / "t.de", tmp_path / "gone.en", "--task", "translate")
    assert (answer.code, "gone.en: does not exist" in answer.err) == (1, True)
    path = dates(tmp_path / "d.tsv", 40)
    path.write_text(path.read_text() + "3.4.1999\t\n", encoding="utf-8")
    answer = call("train", path, "--task", "translate")
    assert answer.code == 1
    assert "d.tsv, row 42, column 'iso': the target is empty" in answer.err


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_other_attentions_from_file_to_answer(tmp_path: Path, attention: str) -> None:
    settings = {
        "task.name": "translate",
        "training.epochs": 1,
        "model.hidden": 8,
        "model.attention": attention,
        "model.scheduled_sampling": 0.2,
        "task.coverage": 0.1,
    }
    made = train(dates(tmp_path / "d.tsv", 60), settings, tmp_path / "run")
    assert made.load().predict(["3.4.1999"]).height == 1
