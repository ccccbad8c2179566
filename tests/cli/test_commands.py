"""Every command once as a person would type it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from shell import TINY, Call

from ostinato import __version__


def test_train_tells_what_it_understood_and_ends_with_a_table(call: Call, words_csv: Path, tmp_path: Path) -> None:
    code, out, err = call("train", words_csv, "--target", "kind", *TINY, "--out", tmp_path / "run")
    assert code == 0
    assert out.startswith("96 texts of ")
    assert "target 'kind', 2 labels: many-to-one classification" in out.splitlines()[0]
    for row in ("model", "majority", "feed_forward", "ngram_logistic"):
        assert any(line.startswith(row) for line in out.splitlines())
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["verdict"] in out
    assert str(tmp_path / "run" / "report.html") in out
    assert "epoch 1/1  loss " in err  # a line an epoch, for there is no terminal
    assert "\x1b[" not in err


def test_json_is_all_there_is(call: Call, words_csv: Path, tmp_path: Path) -> None:
    code, out, err = call("train", words_csv, "--target", "kind", *TINY, "--json", "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))


def test_default_folders_count_up(call: Call, words_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert call("train", words_csv, "--target", "kind", *TINY, "--json").code == 0
        assert Path(f"runs/words-{number}/metrics.json").is_file()


def test_flags_over_config_under_set(call: Call, words_csv: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: {hidden: 3, layers: 2}\ntraining: {epochs: 1, seed: 5}\n", encoding="utf-8")
    words = ["--target", "kind", "--config", recipe, "--hidden", "4", "--cell", "gru", "--no-bidirectional"]
    words += ["--set", "training.seed=6", "--set", "optimizer.learning_rate=0.01", "--out", tmp_path / "run"]
    assert call("train", words_csv, *words, "--json").code == 0
    found = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8"))
    assert found["model"]["hidden"] == 4
    assert found["model"]["layers"] == 2
    assert found["model"]["cell"] == "gru"
    assert found["model"]["bidirectional"] is False
    assert found["training"]["seed"] == 6
    assert found["training"]["epochs"] == 1
    assert found["optimizer"]["learning_rate"] == 0.01


def test_seeds(call: Call, words_csv: Path, tmp_path: Path) -> None:
    code, out, err = call("train", words_csv, "--target", "kind", *TINY, "--seeds", "2", "--out", tmp_path / "run")
    assert code == 0
    assert "over 2 seeds: accuracy" in out
    assert "seed 1 (2/2)" in err


def test_predict_without_a_target(call: Call, classifier: Path, tmp_path: Path) -> None:
    """No target, one row, another order of columns, one column more, and a longer word than any in training."""
    path = tmp_path / "new.csv"
    path.write_text(f"note,word\nx,{'aeiou' * 40}\n", encoding="utf-8")
    code, out, _ = call("predict", classifier, path)
    assert code == 0
    frame = pl.read_csv(out.encode())
    assert frame.height == 1
    assert frame["word"][0] == "aeiou" * 40
    assert frame["prediction"][0] in {"vowel", "other"}


def test_an_answer_does_not_depend_on_the_rows_around_it(call: Call, classifier: Path, tmp_path: Path) -> None:
    """Rows that look like categories in a small file are still read as texts."""
    path = tmp_path / "many.csv"
    path.write_text("word\n" + "\n".join(["aeiou", "bcdfg", "aeiou", "bcdfg", "12"]) + "\n", encoding="utf-8")
    many = pl.read_csv(call("predict", classifier, path).out.encode(), schema_overrides={"word": pl.String})
    one = pl.read_csv(call("predict", classifier, "--text", "aeiou").out.encode())
    assert many["probability"][0] == pytest.approx(one["probability"][0], abs=1e-6)
    assert many["prediction"][0] == one["prediction"][0]
    assert many["word"].to_list() == ["aeiou", "bcdfg", "aeiou", "bcdfg", "12"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_predict_to_a_file(call: Call, classifier: Path, words_csv: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"answers.{suffix}"
    code, out, err = call("predict", classifier, words_csv, "--out", path)
    assert (code, out) == (0, "")
    assert "120 rows" in err
    readers = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    assert readers[suffix](path).height == 120


def test_evaluate(call: Call, classifier: Path, words_csv: Path) -> None:
    code, out, _ = call("evaluate", classifier, words_csv, "--json")
    assert code == 0
    metrics = json.loads(out)
    frame = pl.read_csv(call("predict", classifier, words_csv).out.encode())
    assert metrics["accuracy"] == pytest.approx((frame["truth"] == frame["prediction"]).mean())
    assert "accuracy" in call("evaluate", classifier, words_csv).out


def test_evaluate_with_a_label_never_seen(call: Call, classifier: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("word,kind\naeiou,vowel\nbcdfg,third\n", encoding="utf-8")
    code, out, err = call("evaluate", classifier, path, "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] <= 0.5
    assert "never seen in training ('third')" in call("evaluate", classifier, path).err
    assert err == ""


def test_generate(call: Call, writer: Path) -> None:
    words = ("generate", writer, "--condition", "vowel", "--count", "3", "--length", "12", "--seed", "4")
    code, out, _ = call(*words)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert all(len(line) <= 12 for line in out.splitlines())
    assert call(*words).out == out
    assert call(*words[:-1], "5").out != out
    assert call("generate", writer, "--condition", "kind=vowel", "--temperature", "0").code == 0


def test_generate_tells_of_unknown_symbols(call: Call, writer: Path) -> None:
    code, out, err = call("generate", writer, "--condition", "other", "--prompt", "Ж", "--top-k", "2", "--top-p", "0.9")
    assert code == 0
    assert out.startswith("Ж")
    assert "does not know 'Ж'" in err


def test_forecast_goes_on_from_the_training_data(call: Call, forecaster: Path) -> None:
    code, out, _ = call("forecast", forecaster)
    assert code == 0
    frame = pl.read_csv(out.encode(), try_parse_dates=True)
    assert frame.height == 6
    assert str(frame["time"][0]).startswith("2020-01-11 00:00")
    assert (frame["q0.1"] <= frame["forecast"]).all()
    long = pl.read_csv(call("forecast", forecaster, "--horizon", "20").out.encode())
    assert long.height == 20
    assert long["forecast"][:6].to_list() == pytest.approx(frame["forecast"].to_list())
    assert pl.read_csv(call("forecast", forecaster, "--horizon", "2").out.encode()).height == 2


def test_forecast_of_another_history(call: Call, forecaster: Path, tmp_path: Path) -> None:
    """A constant added to a series is added to its forecast."""
    frame = pl.read_csv(forecaster.parent / "wave.csv")
    frame.with_columns(pl.col("value") + 100).write_csv(tmp_path / "up.csv")
    up = pl.read_csv(call("forecast", forecaster, tmp_path / "up.csv").out.encode())
    down = pl.read_csv(call("predict", forecaster, forecaster.parent / "wave.csv").out.encode())
    assert up["forecast"].to_list() == pytest.approx([value + 100 for value in down["forecast"]], abs=1e-3)
    assert call("evaluate", forecaster, forecaster.parent / "wave.csv").code == 0


def test_inspect(call: Call, classifier: Path, tmp_path: Path) -> None:
    picture = tmp_path / "gates.svg"
    code, out, _ = call("inspect", classifier, "--text", "aexb", "--out", picture)
    assert code == 0
    assert "layer 1, forward" in out
    assert "layer 1, backward" in out
    assert "Half of what moves an answer" in out
    steps = [line.split()[0] for line in out.splitlines() if line[:2] in {"a ", "e ", "x ", "b "}]
    assert steps[:4] == ["a", "e", "x", "b"]
    assert picture.read_text(encoding="utf-8").lstrip().startswith("<")
    assert "row 7" in call("inspect", classifier, "--text", "ae", "--row", "7", "--out", picture).err


def test_inspect_a_forecast_and_a_text(call: Call, forecaster: Path, writer: Path, tmp_path: Path) -> None:
    picture = tmp_path / "gates.svg"
    assert call("inspect", forecaster, forecaster.parent / "wave.csv", "--out", picture).code == 0
    code, out, _ = call("inspect", writer, writer.parent / "words.csv", "--row", "1", "--out", picture)
    assert code == 0
    assert "layer 1, forward" in out


def test_init_and_train_with_it(call: Call, words_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("init", words_csv, "--target", "kind")
    assert code == 0
    assert "ostinato train" in out
    text = Path("recipe.yaml").read_text(encoding="utf-8")
    assert "  # passes over the training part" in text
    assert yaml.safe_load(text)["task"]["name"] == "classify"
    assert call("train", words_csv, "--config", "recipe.yaml", *TINY, "--out", "run", "--json").code == 0
    code, _, err = call("init", words_csv, "--target", "kind")
    assert code == 2
    assert "recipe.yaml exists already" in err


def test_resume_of_a_finished_run(call: Call, classifier: Path) -> None:
    code, out, _ = call("resume", classifier, "--json")
    assert code == 0
    assert json.loads(out)["task"] == "classify"


def test_doctor(call: Call) -> None:
    import torch

    code, out, _ = call("doctor")
    assert code == 0
    for part in (torch.__version__, __version__, "engines", "reference", "cuda", "unequal lengths"):
        assert part in out


def test_version_and_help(call: Call) -> None:
    assert call("--version") == (0, f"ostinato {__version__}\n", "")
    code, out, _ = call("--help")
    assert code == 0
    commands = ("train", "evaluate", "resume", "init", "predict", "generate", "forecast", "inspect", "doctor", "demo")
    assert all(f"  {name} " in out for name in commands)
    assert call("train", "--help").code == 0
    assert "Commands:" in "".join(call()[1:])
