"""A detector as a person types it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import polars as pl
import pytest
from shell import TINY, Call


def series(path: Path, steps: int = 200, label: str = ",label") -> Path:
    lines = [f"time,value{label}"]
    for step in range(steps):
        strange = 170 <= step < 175
        value = 10 + math.sin(step / 4) + 6 * strange
        lines.append(
            f"2024-01-{1 + step // 24:02d} {step % 24:02d}:00,{value:.4f}" + (f",{int(strange)}" if label else "")
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def run(call: Call, tmp_path: Path) -> Path:
    out = tmp_path / "run"
    code, said, _ = call("train", series(tmp_path / "load.csv"), "--task", "detect", *TINY, "--out", out)
    assert code == 0
    assert said.startswith("1 series of 120 steps; what comes next in 'value', and so what does not come as expected")
    assert "labels 'label', never learned from (many-to-many, aligned)" in said
    head = next(line for line in said.splitlines() if line.startswith("test"))
    assert head.split() == ["test", "nll", "alarm_rate", "precision", "recall", "f1", "nab"]
    for row in ("model", "windowed_gaussian", "last_change", "feed_forward"):
        assert any(line.startswith(row) for line in said.splitlines())
    return out


def test_train_predict_evaluate_and_watch(
    call: Call, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["mapping"] == "many-to-many, aligned"
    bare = series(tmp_path / "new.csv", label="")
    code, out, _ = call("predict", run, bare)
    found = pl.read_csv(io.StringIO(out))
    assert (code, found.columns) == (0, ["time", "value", "expected", "score", "chance", "alarm"])
    assert found["score"].arg_max() in range(170, 176)
    assert set(found["alarm"].to_list()) <= {0, 1}
    code, out, _ = call("evaluate", run, tmp_path / "load.csv", "--json")
    assert (code, set(json.loads(out))) == (0, {"nll", "alarm_rate", "precision", "recall", "f1", "nab"})
    values = found["value"].to_list()
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(["value", *map(str, values), ""]) + "\n"))
    code, out, _ = call("predict", run, "-")
    lines = pl.read_csv(io.StringIO(out))
    assert (code, lines.height) == (0, 201)
    assert lines["score"][:200].to_numpy() == pytest.approx(found["score"].to_numpy(), abs=2e-3)
    assert lines["alarm"][:200].to_list() == found["alarm"].to_list()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1\nx\n", "standard input, row 2: 'x' is no number; leave a missing value empty"),
        ("1\n2,3\n", "standard input, row 2: step 2 has 2 values, and the model watches 1"),
        ("inf\n", "row 1: column 'value': step 1: the value is infinite"),
        ("9" * 20_000, "row 1: has more than 10,000 characters"),
    ],
    ids=["text", "many", "infinite", "long"],
)
def test_lines_that_are_no_values(
    call: Call, run: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, _, err = call("predict", run, "-")
    assert code == 1
    assert words in err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda lines: [lines[0], *(line.split(",")[0] + ",7,0" for line in lines[1:])],
            "column 'value': is 7 at every",
        ),
        (lambda lines: [*lines, lines[-1]], "already (1 duplicate in all): remove or average the rows"),
        (lambda lines: [*lines[:50], lines[50].split(",")[0] + ",much,0", *lines[51:]], "row 51, column 'value'"),
    ],
    ids=["constant", "twice", "text"],
)
def test_series_that_cannot_be(call: Call, tmp_path: Path, spoil, words: str) -> None:
    path = series(tmp_path / "bad.csv")
    path.write_text("\n".join(spoil(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    code, _, err = call("train", path, "--task", "detect", *TINY, "--out", tmp_path / "run")
    assert code == 1
    assert f"{path}" in err
    assert words in err
    assert not (tmp_path / "run").exists()
