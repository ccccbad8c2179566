"""Films and images from files to a trained model and its answers."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import ostinato
from films import square, write_film, write_frames
from ostinato.cli import main
from ostinato.errors import DataError
from ostinato.runs import Reporter, resume
from ostinato.training import Progress

QUICK = {"training.epochs": 2, "model.hidden": 8, "vision.size": 16}


def clips(root: Path, count: int, *, folders: bool = False) -> Path:
    """Squares that move to the left or right, of unequal lengths."""
    random = np.random.default_rng(0)
    for number in range(count):
        label = ("left", "right")[number % 2]
        top, step = int(random.integers(0, 50)), 3 if label == "right" else -3
        shown = [square(top, 26 + step * n) for n in range(int(random.integers(6, 10)))]
        if folders:
            write_frames(root / label / f"{number}", shown)
        else:
            write_film(root / label / f"{number}.mp4", shown, 10)
    return root


def test_films_from_files_to_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Learns which way things move, and answers for films beside each other, alone, and as folders of frames."""
    root = clips(tmp_path / "clips", 48)
    settings = QUICK | {"training.epochs": 12, "training.batch_size": 8, "data.test": 0.2, "model.hidden": 16}
    run = ostinato.train(root, settings, tmp_path / "run")
    assert run.metrics["task"] == "classify"
    assert run.metrics["test"]["model"]["accuracy"] >= 0.9
    config = json.loads((run.path / "model/config.json").read_text())
    assert config["spec"]["frame"] == [1, 16, 16]
    assert config["fitted"]["features"]["media"]["vision"]["size"] == 16
    loaded = run.load()
    assert loaded.evaluate(root)["accuracy"] >= 0.9
    answers = loaded.predict(root / "right")
    assert answers["name"][0] == "1.mp4"
    alone = loaded.predict(root / "right/1.mp4")
    assert alone["p(right)"][0] == pytest.approx(answers["p(right)"][0], abs=1e-5)
    folders = clips(tmp_path / "frames", 4, folders=True)
    assert loaded.predict(folders)["truth"].to_list() == ["left", "left", "right", "right"]
    assert loaded.predict(folders / "left")["name"].to_list() == ["0", "2"]
    seen = loaded.inspect(root, 1)
    assert seen.steps == tuple(str(n) for n in range(1, len(seen.steps) + 1))
    with pytest.raises(SystemExit) as end:
        main(["predict", str(run.path), str(root / "left/0.mp4")])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("name,prediction")


class Stop(Reporter):
    """Ctrl-C in the second epoch."""

    def on_step(self, progress: Progress) -> None:
        if (progress.epoch, progress.step) == (2, 1):
            os.kill(os.getpid(), signal.SIGINT)


def test_stopped_and_resumed_is_the_same(tmp_path: Path) -> None:
    """Random moves and all: the same weights and numbers."""
    root = clips(tmp_path / "clips", 24, folders=True)
    settings = QUICK | {"vision.shift": 2, "data.test": 0.2, "data.valid": 0.2, "training.batch_size": 4}
    whole = ostinato.train(root, settings, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        ostinato.train(root, settings, tmp_path / "stopped", reporter=Stop())
    resumed = resume(tmp_path / "stopped")
    weights = [(run.path / "model/model.safetensors").read_bytes() for run in (whole, resumed)]
    assert weights[0] == weights[1]
    assert resumed.metrics["test"] == whole.metrics["test"]


def test_films_of_a_table_with_numbers_beside_them(tmp_path: Path) -> None:
    root = clips(tmp_path / "clips", 12)
    rows = [
        {"clip": f"clips/{path.parent.name}/{path.name}", "weight": float(n), "way": path.parent.name}
        for n, path in enumerate(sorted(root.rglob("*.mp4")))
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "list.csv")
    run = ostinato.train(tmp_path / "list.csv", QUICK | {"data.target": "way", "data.test": 0.2}, tmp_path / "run")
    loaded = run.load()
    told = loaded.task.describe(loaded.read(tmp_path / "list.csv"))
    assert told.startswith("12 films, a frame of 16 x 16 pixels a step, beside 'weight'; target 'way', 2 labels")
    run = ostinato.train(
        tmp_path / "list.csv",
        QUICK | {"data.target": "weight", "data.test": 0.2, "task.name": "regress", "vision.rate": 5.0},
        tmp_path / "number",
    )
    assert set(run.metrics["test"]["baselines"]) == {"mean", "feed_forward"}


def spelled(folder: Path, count: int) -> Path:
    """Images of words: a letter is three rows with one bright column of three."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        word = "".join(random.choice(list("abc"), 4))
        pixels = random.integers(0, 60, (12, 3), dtype=np.uint8)
        for place, letter in enumerate(word):
            pixels[3 * place : 3 * place + 3, "abc".index(letter)] = 220
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append({"picture": f"{number}.png", "said": word})
    pl.DataFrame(rows).write_csv(folder / "said.csv")
    return folder / "said.csv"


def test_a_text_from_an_image(tmp_path: Path) -> None:
    """One-to-many from an image, by the encoder that reads any sequence."""
    table = spelled(tmp_path / "words", 240)
    settings = {
        "task.name": "translate",
        "data.target": "said",
        "training.epochs": 10,
        "training.batch_size": 16,
        "model.hidden": 32,
        "model.embedding": 16,
        "data.test": 0.2,
    }
    run = ostinato.train(table, settings, tmp_path / "run")
    assert run.metrics["test"]["model"]["cer"] < 0.1
    assert set(run.metrics["test"]["baselines"]) == {"nearest", "feed_forward"}
    found = run.load().predict(table)
    assert (found["truth"] == found["prediction"]).mean() > 0.8


def test_another_kind_than_the_model_learned_from(tmp_path: Path) -> None:
    run = ostinato.train(
        spelled(tmp_path / "words", 12),
        {
            "data.target": "said",
            "task.name": "translate",
            "training.epochs": 1,
            "model.hidden": 4,
            "model.embedding": 4,
        },
        tmp_path / "run",
    )
    write_film(tmp_path / "a.mp4", [square(1, 1)] * 3)
    (tmp_path / "said.csv").write_text("picture\na.mp4\n")
    with pytest.raises(DataError, match=r"said\.csv, row 2, column 'picture'"):
        run.load().predict(tmp_path / "said.csv")
