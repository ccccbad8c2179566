"""Whole runs: what lies in the folder, whether it is the same twice, and whether a stopped one ends the same."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ostinato.errors import DataError, ModelFolderError, TrainingError, UsageError
from ostinato.runs import Recipe, Reporter, Run, Understood, load, resume, train
from ostinato.training import Progress
from run_toys import quick, words


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return words(tmp_path_factory.mktemp("data") / "words.csv")


@pytest.fixture(scope="module")
def run(data: Path) -> Run:
    return quick(data, data.parent / "run", training__seeds=2)


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def numbers(folder: Path) -> dict[str, Any]:
    """metrics.json without what the clock says."""
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    del found["seconds"]
    return found


def test_a_run_holds_everything(run: Run) -> None:
    names = {path.name for path in run.path.iterdir()}
    assert names == {
        "recipe.yaml",
        "model",
        "metrics.json",
        "predictions.parquet",
        "report.html",
        "log.jsonl",
        "checkpoints",
        "seeds",
    }


def test_metrics(run: Run) -> None:
    metrics = json.loads(run.folder.metrics.read_text(encoding="utf-8"))
    assert metrics == run.metrics
    assert (metrics["task"], metrics["mapping"]) == ("classify", "many-to-one")
    assert set(metrics["test"]["baselines"]) == {"majority", "feed_forward", "ngram_logistic"}
    assert set(metrics["test"]["model"]) == {"accuracy", "macro_f1", "log_loss", "error"}
    assert len(metrics["memory"]["lags"]) == len(metrics["memory"]["influence"])
    assert metrics["verdict"]
    assert metrics["seconds"] > 0


def test_spread_over_seeds(run: Run) -> None:
    """Against the formulas of mean and sample standard deviation of two numbers."""
    seeds = run.metrics["seeds"]
    a, b = (seeds["metrics"][seed]["log_loss"] for seed in ("0", "1"))
    assert seeds["mean"]["log_loss"] == pytest.approx((a + b) / 2)
    assert seeds["sd"]["log_loss"] == pytest.approx(abs(a - b) / math.sqrt(2))
    assert seeds["metrics"][str(seeds["deployed"])] == run.metrics["test"]["model"]


def test_the_deployed_model_is_the_best_on_validation(run: Run) -> None:
    best = {}
    for seed in (0, 1):
        rows = [json.loads(x) for x in (run.path / f"seeds/{seed}/log.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["epoch"] for row in rows] == [1, 2]
        best[seed] = max(row["watched"] for row in rows)
    assert best[run.metrics["seeds"]["deployed"]] == max(best.values())


def test_predictions_give_the_metrics(run: Run) -> None:
    """The accuracy in metrics.json is that of predictions.parquet."""
    frame = pl.read_parquet(run.folder.predictions)
    assert frame.columns[0] not in {"truth", "prediction"}, "a row must be named"
    accuracy = (frame["truth"] == frame["prediction"]).mean()
    assert run.metrics["test"]["model"]["accuracy"] == pytest.approx(accuracy)


def test_the_recipe_repeats_the_run(run: Run, data: Path, tmp_path: Path) -> None:
    again = train(data, run.folder.recipe, tmp_path / "again")
    assert weights(again.path) == weights(run.path)
    assert numbers(again.path) == numbers(run.path)
    assert Recipe.load(again.folder.recipe) == Recipe.load(run.folder.recipe)


def test_the_resolved_recipe_has_the_task_defaults(run: Run) -> None:
    recipe = Recipe.load(run.folder.recipe)
    assert recipe.model.bidirectional  # of the task
    assert recipe.training.epochs == 2  # chosen over the task's
    assert (recipe.task.name, recipe.data.target) == ("classify", "kind")


def test_the_report_is_one_file(run: Run) -> None:
    text = run.folder.report.read_text(encoding="utf-8")
    assert run.verdict.split(":")[0] in text
    assert "<script src" not in text
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "")


def test_a_whole_recipe_is_taken_as_it_is(data: Path, tmp_path: Path) -> None:
    recipe = Recipe.of({"model.hidden": 4, "training.epochs": 1, "data.target": "kind", "task.name": "classify"})
    found = train(data, recipe, tmp_path / "run")
    assert not Recipe.load(found.folder.recipe).model.bidirectional


class Told(Reporter):
    """Writes down what it is told, and may stop the run."""

    def __init__(self, stop: tuple[int, int] | None = None, at_stage: str = "") -> None:
        self.stages: list[str] = []
        self.understood: list[Understood] = []
        self.stop, self.at_stage = stop, at_stage

    def on_stage(self, stage: str) -> None:
        self.stages.append(stage)
        if self.at_stage and stage.startswith(self.at_stage):
            raise KeyboardInterrupt

    def on_understood(self, understood: Understood) -> None:
        self.understood.append(understood)

    def on_step(self, progress: Progress) -> None:
        if self.stop == (progress.epoch, progress.step):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_reporter_is_told(data: Path, tmp_path: Path) -> None:
    told = Told()
    quick(data, tmp_path / "run", reporter=told, training__epochs=1)
    assert told.stages[0].startswith("reading")
    assert "baseline ngram_logistic" in told.stages
    (understood,) = told.understood
    assert "many-to-one classification" in understood.description
    assert sum(int(part) for part in understood.parts) == 120


@pytest.mark.parametrize("stop", [{"stop": (2, 3)}, {"at_stage": "baseline ngram"}, {"at_stage": "writing"}], ids=str)
def test_stopped_and_resumed_is_the_same(run: Run, data: Path, tmp_path: Path, stop: dict[str, Any]) -> None:
    """Ctrl-C in an epoch, in a baseline and before the last files; two seeds."""
    with pytest.raises(KeyboardInterrupt):
        quick(data, tmp_path / "run", reporter=Told(**stop), training__seeds=2)
    assert not (tmp_path / "run" / "metrics.json").exists()
    with pytest.raises(UsageError, match="ostinato resume"):
        quick(data, tmp_path / "run")
    told = Told()
    resumed = resume(tmp_path / "run", reporter=told)
    assert weights(resumed.path) == weights(run.path)
    assert numbers(resumed.path) == numbers(run.path)
    assert (resumed.folder.predictions).read_bytes() == run.folder.predictions.read_bytes()
    assert len(resumed.folder.log.read_text(encoding="utf-8").splitlines()) == 2
    if "at_stage" in stop:
        assert "baseline majority" not in told.stages  # what a baseline said was kept


def test_a_finished_run_is_returned(run: Run) -> None:
    before = run.folder.metrics.stat().st_mtime_ns
    assert resume(run.path).metrics == run.metrics
    assert run.folder.metrics.stat().st_mtime_ns == before


def test_kill_nine_and_resume(run: Run, data: Path, tmp_path: Path) -> None:
    """A process killed in the middle of an epoch, resumed in another one."""
    script = (
        "import os, signal, sys, torch; torch.set_num_threads(1)\n"
        f"sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from pathlib import Path\nfrom run_toys import quick\nfrom ostinato.runs import Reporter\n"
        "class Kill(Reporter):\n"
        "    def on_step(self, progress):\n"
        "        if (progress.epoch, progress.step) == (2, 4):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "quick(Path(sys.argv[1]), Path(sys.argv[2]), reporter=Kill(), training__seeds=2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(data), str(tmp_path / "run")], check=False)
    assert done.returncode == -signal.SIGKILL
    resumed = resume(tmp_path / "run")
    assert weights(resumed.path) == weights(run.path)
    assert numbers(resumed.path) == numbers(run.path)


def test_resume_wants_the_same_data(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    shutil.copy(data, copy)
    with pytest.raises(KeyboardInterrupt):
        quick(copy, tmp_path / "run", reporter=Told(stop=(1, 2)))
    copy.write_text(copy.read_text(encoding="utf-8").replace("vowel", "vowels"), encoding="utf-8")
    with pytest.raises(DataError, match="has changed since the run began"):
        resume(tmp_path / "run")
    copy.unlink()
    with pytest.raises(DataError, match="is gone"):
        resume(tmp_path / "run")


def test_wrong_settings_leave_no_folder(data: Path, tmp_path: Path) -> None:
    for wrong in ({"model__hidden": 0}, {"training__seeds": 0}, {"data__test": 0.0}, {"task__name": "clasify"}):
        with pytest.raises(UsageError):
            quick(data, tmp_path / "run", **wrong)
    with pytest.raises(UsageError, match=r"training\.epochs"):
        train(data, {"training.epoch": 1}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_are_not_there(data: Path, tmp_path: Path) -> None:
    for name in ("valid", "test"):
        with pytest.raises(DataError, match="does not exist"):
            quick(data, tmp_path / "run", **{name: tmp_path / "none.csv"})
    assert not (tmp_path / "run").exists()


def test_given_parts_are_used(data: Path, tmp_path: Path) -> None:
    more = words(tmp_path / "test.csv", rows=30, seed=1)
    told = Told()
    found = quick(data, tmp_path / "run", test=more, reporter=told, training__epochs=1)
    assert pl.read_parquet(found.folder.predictions).height == 30
    assert told.understood[0].parts[2] == "30"


def test_only_the_first_rows(data: Path, tmp_path: Path) -> None:
    told = Told()
    quick(data, tmp_path / "run", reporter=told, data__rows=60, training__epochs=1)
    assert sum(int(part) for part in told.understood[0].parts) == 60


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    """Numbers so large that the loss overflows: the message names the epoch and what to try, checkpoints are kept."""
    path = tmp_path / "big.jsonl"
    lines = [json.dumps({"x": [[float(i % 7), 1.0]] * 4, "y": (i * 37 % 100) / 10}) for i in range(60)]
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = {"data.target": "y", "model.hidden": 4, "optimizer.learning_rate": 1e30, "optimizer.clip_norm": 0.0}
    settings |= {"task.name": "regress", "optimizer.name": "sgd"}
    with pytest.raises(TrainingError) as error:
        train(path, settings, tmp_path / "run")
    assert "epoch 1" in str(error.value)
    assert "learning_rate" in str(error.value)
    assert list((tmp_path / "run" / "checkpoints").glob("*.safetensors"))


def test_a_full_disk_in_training(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint cannot be written; after there is room again, the run goes on from the one before."""
    from ostinato.training import checkpoint

    real, count = checkpoint.write_atomically, [0]

    def sometimes(path: Path, content: bytes) -> None:
        count[0] += 1
        if count[0] > 3:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(checkpoint, "write_atomically", sometimes)
    with pytest.raises(ModelFolderError, match="No space left on device"):
        quick(data, tmp_path / "run")
    monkeypatch.undo()
    assert resume(tmp_path / "run").folder.finished


def test_loaded_from_a_run(run: Run) -> None:
    start = time.perf_counter()
    model = run.load()
    answers = model.predict(["aeiou", "bcdfg"])
    assert answers.height == 2
    alone = load(run.path / "model").predict(["aeiou"])
    assert alone["prediction"][0] == answers["prediction"][0]
    assert alone["probability"][0] == pytest.approx(answers["probability"][0], abs=1e-6)
    assert time.perf_counter() - start < 30


def test_paths_are_told_as_typed_and_found_again_from_elsewhere(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(data, tmp_path / "words.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^word\.csv: does not exist"):
        quick(Path("word.csv"), Path("run"))

    class Stop(Reporter):
        def on_seed(self, seed: int, number: int, count: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(Path("words.csv"), Path("run"), reporter=Stop())
    assert "data: ../words.csv" in Path("run/recipe.yaml").read_text()
    monkeypatch.chdir(tmp_path.parent)
    stages: list[str] = []

    class Stages(Reporter):
        def on_stage(self, stage: str) -> None:
            stages.append(stage)

    finished = resume(Path(tmp_path.name) / "run", reporter=Stages())
    assert stages[0] == f"reading {Path(tmp_path.name) / 'words.csv'}"
    assert finished.metrics["test"]["model"]


def test_the_defaults_of_a_tagger_fit_series_too(tmp_path: Path) -> None:
    draw = [[(7 * row + 3 * step) % 11 - 5.0 for step in range(3 + row % 4)] for row in range(60)]
    rows = [{"x": x, "kind": ["up" if value > 0 else "down" for value in x]} for x in draw]
    path = tmp_path / "signs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = quick(path, tmp_path / "run", training__epochs=20, optimizer__learning_rate=0.03)
    assert found.metrics["task"] == "tag"
    assert found.metrics["test"]["model"]["accuracy"] > 0.9
