"""From sounds to a run, and what it hears, as one types it."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from shell import Call

import ostinato
from ostinato.cli import main
from ostinato.data.media.sound import read_sound
from ostinato.errors import UsageError
from ostinato.runs import resume
from speech_toys import manifest

QUICK = ["--hidden", "24", "--set", "audio.stack=2", "--set", "training.batch_size=4", "--json"]


def quietly(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    assert ended.value.code == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-directional transcriber of made speech."""
    folder = tmp_path_factory.mktemp("speech")
    talks = manifest(folder, 60)
    settings = [
        "--epochs",
        "10",
        "--set",
        "model.layers=1",
        "--set",
        "model.bidirectional=false",
        "--set",
        "model.dropout=0",
    ]
    quietly(
        "train",
        talks,
        "--target",
        "text",
        *QUICK,
        *settings,
        "--set",
        "optimizer.learning_rate=0.02",
        "--out",
        folder / "run",
    )
    return folder / "run"


def test_what_a_run_holds(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["task"], metrics["mapping"]) == ("transcribe", "many-to-many")
    assert set(metrics["test"]["model"]) == {"wer", "cer", "accuracy"}
    assert set(metrics["test"]["baselines"]) == {"constant", "feed_forward"}
    assert metrics["test"]["model"]["cer"] < 0.2 < metrics["test"]["baselines"]["constant"]["cer"]
    assert resume(run).metrics == metrics
    frame = pl.read_parquet(run / "predictions.parquet")
    assert {"truth", "prediction", "times"} <= set(frame.columns)


def test_a_file_is_its_text(run: Path, call: Call) -> None:
    talk = run.parent / "0-0.wav"
    answer = call("predict", run, talk)
    assert answer.code == 0
    assert answer.out.endswith("\n")
    model = ostinato.load(run)
    assert model.predict(str(talk))["prediction"].to_list() == [answer.out.strip()]
    assert model.predict([str(talk)])["prediction"].to_list() == [answer.out.strip()]
    samples = read_sound(talk).samples
    assert model.predict(str(talk))["times"].item().count("-") == len(answer.out.split())
    assert float(model.predict(str(talk))["times"].item().split("-")[-1]) < len(samples) / 8000 + 0.05


def test_a_table_and_a_folder(run: Path, tmp_path: Path, call: Call) -> None:
    told = pl.read_csv(io.StringIO(call("predict", run, run.parent / "talks.csv").out), infer_schema=False)
    assert told.columns == ["audio", "truth", "prediction", "times"]
    for number in range(2):
        shutil.copy(run.parent / f"0-{number}.wav", tmp_path / f"{number}.wav")
    folder = pl.read_csv(io.StringIO(call("predict", run, tmp_path).out), infer_schema=False)
    assert folder.columns == ["name", "prediction", "times"]
    assert folder["prediction"].to_list() == told["prediction"].to_list()[:2]
    answer = call("evaluate", run, run.parent / "talks.csv", "--json")
    assert json.loads(answer.out)["cer"] < 0.2
    assert call("inspect", run, tmp_path / "0.wav", "--out", tmp_path / "x.svg").code == 0


class Microphone:
    """Standard input that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int = 777) -> None:
        self.buffer, self.source, self.size = self, io.BytesIO(content), size

    def read1(self, most: int) -> bytes:
        return self.source.read(min(most, self.size))


def test_live_sound(run: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ostinato.load(run)
    for number in range(3):
        talk = run.parent / f"0-{number}.wav"
        samples = np.round(read_sound(talk).samples * 32768).astype("<i2")
        monkeypatch.setattr(sys, "stdin", Microphone(samples.tobytes()))
        answer = call("predict", run, "-")
        listener = model.listen()
        whole = listener.hear(read_sound(talk).samples) + listener.end()
        assert (answer.code, answer.out) == (0, f"{whole}\n")
        assert answer.err == "listening: 16-bit samples, one channel, 8,000 a second\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"RIFF\x00\x00\x00\x00WAVE", "name the file instead of -"), (bytes(4001), "the samples end within one")],
)
def test_no_live_sound(run: Path, call: Call, monkeypatch: pytest.MonkeyPatch, content: bytes, told: str) -> None:
    monkeypatch.setattr(sys, "stdin", Microphone(content, 3))
    answer = call("predict", run, "-")
    assert answer.code == 1
    assert told in answer.err


def test_live_sound_for_another_model(classifier: Path, call: Call) -> None:
    answer = call("predict", classifier, "-")
    assert answer.code == 2
    assert "only a transcriber of sound listens" in answer.err
    with pytest.raises(UsageError, match="'classify'"):
        ostinato.load(classifier).listen()


@pytest.mark.parametrize("name", ["cut.wav", "letter.wav", "empty.wav"])
def test_bad_sound(run: Path, tmp_path: Path, call: Call, name: str) -> None:
    good = (run.parent / "0-0.wav").read_bytes()
    content = {"cut.wav": good[:500], "letter.wav": b"Dear all", "empty.wav": b""}[name]
    (tmp_path / name).write_bytes(content)
    answer = call("predict", run, tmp_path / name)
    assert answer.code == 1
    assert name in answer.err
    (tmp_path / "list.csv").write_text(f"audio,text\n{run.parent / '0-0.wav'},ab\n{name},ab\n")
    answer = call("predict", run, tmp_path / "list.csv")
    assert answer.code == 1
    assert "row 3, column 'audio'" in answer.err


def test_a_language_model_helps(run: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "words.txt").write_text("\n".join(["ab cad dab", "bad cab da", "ab da"] * 12) + "\n")
    quietly(
        "train", tmp_path / "words.txt", "--task", "language", "--epochs", 1, "--hidden", 8, "--json",
        "--set", "model.embedding=4", "--out", tmp_path / "language",
    )  # fmt: skip
    talks = run.parent / "talks.csv"
    settings = [
        f"task.language={tmp_path / 'language'}",
        "task.language_weight=0.3",
        "task.word_bonus=0.5",
        "data.rows=20",
    ]
    answer = call(
        "train",
        talks,
        "--target",
        "text",
        *QUICK,
        "--epochs",
        1,
        *(w for s in settings for w in ("--set", s)),
        "--out",
        tmp_path / "run",
    )
    assert answer.code == 0, answer.err
    model = ostinato.load(tmp_path / "run")
    assert model.task.spoken is not None  # type: ignore[attr-defined]
    assert len(model.predict(str(talks))) == 60
    shutil.rmtree(tmp_path / "language")
    answer = call("predict", tmp_path / "run", talks)
    assert answer.code == 1
    assert "language" in answer.err
    answer = call("train", talks, "--target", "text", "--set", f"task.language={run}", "--out", tmp_path / "other")
    assert answer.code == 2
    assert "no language model of characters" in answer.err
    assert not (tmp_path / "other").exists()


def test_sounds_by_class(tmp_path: Path, call: Call) -> None:
    """A folder for each class, one rate different, is enough for a classifier."""
    manifest(tmp_path / "all", 24)
    for number in range(24):
        place = tmp_path / "classes" / ("odd" if number % 2 else "even")
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(tmp_path / "all" / f"0-{number}.wav", place / f"{number}.wav")
    changes = [
        word for name in ("speed", "noise", "mask_time", "mask_bands") for word in ("--set", f"audio.{name}=0.1")
    ]
    answer = call(
        "train", tmp_path / "classes", "--epochs", 1, "--hidden", 4, *changes, "--json", "--out", tmp_path / "run"
    )
    assert answer.code == 0, answer.err
    metrics = json.loads(answer.out)
    assert (metrics["task"], set(metrics["test"]["baselines"])) == ("classify", {"majority", "feed_forward"})
    told = pl.read_csv(io.StringIO(call("predict", tmp_path / "run", tmp_path / "classes" / "odd").out))
    assert told.columns[:3] == ["name", "prediction", "probability"]
    assert call("predict", tmp_path / "run", tmp_path / "classes" / "odd" / "1.wav").out.startswith("name,prediction,")
