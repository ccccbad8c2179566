"""Runs of every task end with a report that shows what the task answers."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import polars as pl
import pytest

from ostinato.runs import Run, train

SMALL = {"model.hidden": 4, "training.epochs": 1}


def text_of(run: Run) -> str:
    assert run.folder.finished
    return run.folder.report.read_text(encoding="utf-8")


def test_a_document_is_continued(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 200, encoding="utf-8")
    run = train(tmp_path / "a.txt", SMALL, tmp_path / "run")
    assert run.metrics["mapping"] == "many-to-many, fed back"
    assert "What the model writes" in text_of(run)
    metrics = run.metrics["test"]["model"]
    assert metrics["bits"] == pytest.approx(metrics["nats"] / math.log(2))
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["nats"]))
    assert len(run.load().generate("the ", length=10, seed=2)[0]) == 14


def test_texts_from_two_conditions(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [{"a": draw.choice("xy"), "n": draw.random(), "t": "".join(draw.choices("abc", k=5))} for _ in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    wanted = {"data.target": "t", "data.inputs": ["a", "n"], "task.name": "language"}
    run = train(tmp_path / "a.jsonl", {**SMALL, **wanted}, tmp_path / "run")
    assert "What the model writes" not in text_of(run)
    model = run.load()
    assert model.generate(length=5, condition="a=x,n=0.5") == model.generate(length=5, condition={"a": "x", "n": 0.5})
    from ostinato.errors import UsageError

    with pytest.raises(UsageError, match=r"several columns \(a, n\)"):
        model.generate(condition="x")


def test_a_number_a_sequence(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [{"x": [draw.random() for _ in range(draw.randint(3, 9))]} for _ in range(60)]
    lines = [json.dumps({**row, "y": sum(row["x"])}) for row in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = train(tmp_path / "a.jsonl", {**SMALL, "data.target": "y"}, tmp_path / "run")
    assert run.metrics["task"] == "regress"
    assert "Largest errors" in text_of(run)
    frame = pl.read_parquet(run.folder.predictions)
    mae = (frame["truth"] - frame["prediction"]).abs().mean()
    assert run.metrics["test"]["model"]["mae"] == pytest.approx(mae, rel=1e-5)
    more = run.load().predict([[0.5] * 40, [0.1]])
    assert more.height == 2


def test_a_forecast_goes_on_where_the_test_file_ends(tmp_path: Path) -> None:
    """Without a history: the same as of one file that holds training and test."""
    rows = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{math.sin(day / 3):.5f}" for day in range(80)]
    for name, part in (("a", rows[:70]), ("b", rows[70:]), ("whole", rows)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["time,value", *part]) + "\n", encoding="utf-8")
    wanted = {**SMALL, "task.name": "forecast", "task.horizon": 4}
    model = train(tmp_path / "a.csv", wanted, tmp_path / "run", test=tmp_path / "b.csv").load()
    alone, given = model.forecast(), model.forecast(tmp_path / "whole.csv")
    assert alone["time"].to_list() == given["time"].to_list()
    assert str(alone["time"][0]).startswith("2024-03-25")
    assert alone["forecast"].to_list() == pytest.approx(given["forecast"].to_list(), abs=1e-5)


def test_a_tag_a_token(tmp_path: Path) -> None:
    draw = random.Random(0)
    lines = []
    for _ in range(60):
        tokens = [draw.choice(["dog", "cat", "runs", "sits"]) for _ in range(draw.randint(2, 6))]
        lines += [f"{token}\t{'N' if token in {'dog', 'cat'} else 'V'}" for token in tokens] + [""]
    (tmp_path / "a.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = train(tmp_path / "a.conll", SMALL, tmp_path / "run")
    assert run.metrics["task"] == "tag"
    assert run.metrics["mapping"] == "many-to-many, aligned"
    assert "What is taken for what" in text_of(run)
    frame = run.load().predict(["dog runs", "sits"])
    assert frame["symbol"].to_list() == ["dog", "runs", "sits"]


def test_many_series_of_two_channels(tmp_path: Path) -> None:
    lines = ["id,time,a,b"]
    for name in "pqrs":
        for day in range(60):
            a, b = math.sin(day / 3), math.cos(day / 5)
            lines.append(f"{name},2024-{1 + day // 28:02d}-{1 + day % 28:02d},{a},{b}")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    wanted = {"task.name": "forecast", "task.horizon": 4, "data.id": "id", "data.time": "time"}
    run = train(tmp_path / "a.csv", {**SMALL, **wanted}, tmp_path / "run")
    assert text_of(run).count("<h2>Forecast of ") == 3
    frame = run.load().forecast()
    assert frame.height == 4 * 2 * 4
    assert set(frame["series"]) == set("pqrs")
    assert set(frame["channel"]) == {"a", "b"}


def test_no_validation_part(tmp_path: Path) -> None:
    """The last weights are kept, of the first seed."""
    rows = [f"{'ab'[i % 2] * 3}{'xyz'[i % 3]}{i},{'pq'[i % 2]}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["w,k", *rows]) + "\n", encoding="utf-8")
    wanted = {"data.target": "k", "data.valid": 0.0, "training.seeds": 2}
    run = train(tmp_path / "a.csv", {**SMALL, **wanted}, tmp_path / "run")
    assert text_of(run)
    assert set(run.metrics["seeds"]["metrics"]) == {"0", "1"}
