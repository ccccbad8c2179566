"""Bad input: one clear line, the right exit status, and nothing lost. A row a mistake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from shell import TINY, Call

from run_toys import words

ROOT_SKIPS = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


@dataclass(frozen=True)
class Mistake:
    """What is typed (``{t}``: a temporary folder), the files there, and what must be answered."""

    files: dict[str, str | bytes]
    typed: str
    code: int
    told: tuple[str, ...]


WORDS = "word,kind\n" + "".join(f"w{i}{'ae'[i % 2]}x,{'pq'[i % 2]}\n" for i in range(40))
SERIES = "time,value\n" + "".join(f"2024-01-{1 + i:02d},{i + 0.5}\n" for i in range(20))
TRAIN = "train {t}/a.csv --target kind --out {t}/run --epochs 1 --hidden 4"
FORECAST = "train {t}/a.csv --task forecast --out {t}/run --epochs 1 --hidden 4"

MISTAKES: dict[str, Mistake] = {
    # the command itself
    "unknown command": Mistake({}, "trian x.csv", 2, ("No such command 'trian'", "Did you mean 'train'")),
    "unknown option": Mistake({}, "train x.csv --taget kind", 2, ("No such option", "--target")),
    "missing argument": Mistake({}, "train", 2, ("Missing argument", "ostinato train --help")),
    "option that is no number": Mistake({}, "train x.csv --epochs many", 2, ("--epochs", "valid integer")),
    "unknown recipe key": Mistake(
        {"a.csv": WORDS}, f"{TRAIN} --set training.epoch=3", 2, ("Did you mean 'training.epochs'?",)
    ),
    "wrong recipe value": Mistake({"a.csv": WORDS}, f"{TRAIN} --cell lsmt", 2, ("model.cell", "Did you mean 'lstm'?")),
    "unknown key in a recipe file": Mistake(
        {"a.csv": WORDS, "r.yaml": "model: {hiden: 3}"}, f"{TRAIN} --config {{t}}/r.yaml", 2, ("r.yaml", "model.hidden")
    ),
    "recipe that is no YAML": Mistake(
        {"a.csv": WORDS, "r.yaml": "model: [\n"}, f"{TRAIN} --config {{t}}/r.yaml", 2, ("r.yaml", "no YAML")
    ),
    "no recipe": Mistake({"a.csv": WORDS}, f"{TRAIN} --config {{t}}/none.yaml", 2, ("none.yaml", "cannot be read")),
    "unknown task": Mistake({"a.csv": WORDS}, f"{TRAIN} --task clasify", 2, ("clasify", "Did you mean 'classify'?")),
    "no hidden units": Mistake({"a.csv": WORDS}, f"{TRAIN} --hidden 0", 2, ("model.hidden", "at least 1")),
    "no epochs": Mistake({"a.csv": WORDS}, f"{TRAIN} --epochs 0", 2, ("training.epochs", "1 or more")),
    "no seeds": Mistake({"a.csv": WORDS}, f"{TRAIN} --seeds 0", 2, ("training.seeds", "1 or more")),
    "no such device": Mistake({"a.csv": WORDS}, f"{TRAIN} --device tpu", 2, ("training.device", "tpu")),
    "nothing to test on": Mistake({"a.csv": WORDS}, f"{TRAIN} --set data.test=0", 2, ("the test part is empty",)),
    "bidirectional forecast": Mistake(
        {"a.csv": SERIES}, f"{FORECAST} --bidirectional", 2, ("set model.bidirectional=false",)
    ),
    # the data
    "no file": Mistake({}, TRAIN, 1, ("a.csv", "does not exist")),
    "empty file": Mistake({"a.csv": ""}, TRAIN, 1, ("a.csv", "is empty")),
    "only a header": Mistake({"a.csv": "word,kind\n"}, TRAIN, 1, ("a.csv", "only a header")),
    "unreadable bytes": Mistake({"a.csv": b"word,kind\nab\xff,p\n"}, TRAIN, 1, ("row 2", "0xff", "offset 12")),
    "wrong number of fields": Mistake({"a.csv": WORDS + "a,b,c\n"}, TRAIN, 1, ("row 42", "3 fields")),
    "missing column": Mistake({"a.csv": WORDS.replace("kind", "kinds")}, TRAIN, 1, ("Did you mean 'kinds'?",)),
    "missing input column": Mistake({"a.csv": WORDS}, f"{TRAIN} --input wrod", 1, ("'wrod'", "Did you mean 'word'?")),
    "a single class": Mistake(
        {"a.csv": "word,kind\n" + "".join(f"w{i},p\n" for i in range(40))}, TRAIN, 1, ("'kind'", "a single label, 'p'")
    ),
    "too few rows": Mistake({"a.csv": "word,kind\nab,p\ncd,q\n"}, TRAIN, 1, ("a.csv", "too few")),
    "text where numbers belong": Mistake(
        {"a.csv": SERIES.replace("2024-01-07,6.5", "2024-01-07,much")},
        f"{FORECAST} --set data.kinds.value=number",
        1,
        ("row 8", "'value'", "'much'"),
    ),
    "infinity": Mistake(
        {"a.csv": SERIES.replace("2024-01-07,6.5", "2024-01-07,inf")}, FORECAST, 1, ("row 8", "'value'", "inf")
    ),
    "duplicate times": Mistake(
        {"a.csv": SERIES.replace("2024-01-07", "2024-01-06")},
        FORECAST,
        1,
        ("row 8", "'time'", "stands on row 7 already"),
    ),
    "horizon too long": Mistake({"a.csv": SERIES}, f"{FORECAST} --horizon 19", 1, ("horizon", "smaller --horizon")),
    "series shorter than the horizon": Mistake({"a.csv": SERIES}, f"{FORECAST} --horizon 30", 1, ("20 steps", "31")),
    "unknown DNA letters": Mistake({"a.csv": WORDS}, f"{TRAIN} --set data.kinds.word=dna", 1, ("row 2", "'word'")),
    "leaves open what to predict": Mistake(
        {
            "a.csv": "said,kind,tone\n"
            + "".join(f"{'so it is ' * (i + 2)},{'pq'[i % 2]},{'ab'[i % 2]}\n" for i in range(40))
        },
        "train {t}/a.csv --out {t}/run",
        1,
        ("--target",),
    ),
    # folders
    "no such run": Mistake({}, "resume {t}/none", 1, ("none", "no such folder")),
    "no run": Mistake({"a.csv": WORDS}, "resume {t}", 1, ("this is no run",)),
    "no model": Mistake({}, "predict {t}/none --text x", 1, ("config.json", "is not there")),
    "a file instead of a run": Mistake({"a.csv": WORDS}, "predict {t}/a.csv --text x", 1, ("is a file",)),
    "a pickle instead of a run": Mistake({"m.pt": b"\x80\x04."}, "predict {t}/m.pt --text x", 1, ("never loaded",)),
    "folder under a file": Mistake(
        {"a.csv": WORDS, "f": ""}, f"{TRAIN.replace('{t}/run', '{t}/f/run')}", 2, ("f/run", "another --out")
    ),
    "init over a file": Mistake(
        {"a.csv": WORDS, "r.yaml": "x"}, "init {t}/a.csv --target kind --out {t}/r.yaml", 2, ("exists already",)
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(call: Call, tmp_path: Path, name: str) -> None:
    mistake = MISTAKES[name]
    for file, content in mistake.files.items():
        (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = call(*mistake.typed.format(t=tmp_path).split())
    line = err.strip().splitlines()[-1]
    assert code == mistake.code, err
    assert line.startswith("ostinato: ")
    assert "Traceback" not in err
    for part in mistake.told:
        assert part in line, err
    assert not (tmp_path / "run").exists(), "a run folder was left behind"
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_output_folder_exists(call: Call, classifier: Path, words_csv: Path, tmp_path: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in classifier.rglob("*"))
    code, _, err = call("train", words_csv, "--target", "kind", *TINY, "--out", classifier)
    assert code == 2
    assert f"ostinato resume {classifier}" in err
    assert before == sorted(path.stat().st_mtime_ns for path in classifier.rglob("*"))
    (tmp_path / "mine").mkdir()
    assert call("train", words_csv, "--target", "kind", "--out", tmp_path / "mine").code == 2


def test_label_with_one_example(call: Call, tmp_path: Path) -> None:
    """Said, and trained all the same."""
    path = tmp_path / "a.csv"
    path.write_text(WORDS + "zzz,once\n", encoding="utf-8")
    code, _, err = call("train", path, "--target", "kind", *TINY, "--out", tmp_path / "run")
    assert code == 0
    assert "label 'once' has one example" in err


def test_test_label_never_seen_in_training(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(WORDS, encoding="utf-8")
    (tmp_path / "b.csv").write_text("word,kind\nab,p\ncd,new\n", encoding="utf-8")
    words = ["--target", "kind", *TINY, "--test", tmp_path / "b.csv", "--out", tmp_path / "run"]
    code, _, err = call("train", tmp_path / "a.csv", *words)
    assert code == 0
    assert "never seen in training ('new')" in err


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (
        lambda model: (model / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:100]),
        "model.safetensors: is truncated",
    ),
    "altered": (
        lambda model: (model / "config.json").write_text(
            (model / "config.json").read_text(encoding="utf-8").replace("vowel", "volew"), encoding="utf-8"
        ),
        "config.json: was altered",
    ),
    "newer": (
        lambda model: (model / "config.json").write_text(
            '{"format": "ostinato", "format_version": 99}', encoding="utf-8"
        ),
        "format 99 is newer than 1",
    ),
    "pickle": (lambda model: (model / "model.pkl").write_bytes(b"\x80\x04."), "model.pkl: may hold a pickle"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_model_folder(call: Call, classifier: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(classifier, tmp_path / "run")
    harm, told = DAMAGES[damage]
    harm(tmp_path / "run" / "model")
    code, out, err = call("predict", tmp_path / "run", "--text", "aeiou")
    assert (code, out) == (1, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_predicting_with_wrong_columns(call: Call, classifier: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("wrd,kind\nab,p\n", encoding="utf-8")
    code, _, err = call("predict", classifier, path)
    assert code == 1
    assert "no column 'word'" in err
    path.write_text("word\nab\n", encoding="utf-8")
    code, _, err = call("evaluate", classifier, path)
    assert code == 1
    assert "no column 'kind' to compare the answers with" in err


def test_the_wrong_verb(call: Call, classifier: Path, writer: Path, forecaster: Path) -> None:
    assert "only a language model writes" in call("generate", classifier).err
    assert "only a forecaster forecasts" in call("forecast", writer).err
    assert call("forecast", forecaster, "--horizon", "-3").code == 2
    assert call("generate", writer, "--condition", "vowel", "--temperature", "-1").code == 2
    code, _, err = call("generate", writer, "--condition", "vowle")
    assert code == 1
    assert "Did you mean 'vowel'?" in err
    assert call("generate", writer).code == 1
    assert call("predict", classifier).code == 2
    assert call("predict", classifier, "x.csv", "--text", "y").code == 2
    assert call("predict", classifier, "--text", "ae", "--out", "x.xlsx").code == 2


@ROOT_SKIPS
def test_read_only_folder(call: Call, words_csv: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    code, _, err = call("train", words_csv, "--target", "kind", *TINY, "--out", tmp_path / "run")
    tmp_path.chmod(0o700)
    assert code == 2
    assert "another --out" in err


def test_a_folder_in_which_nothing_can_be_written(
    call: Call, words_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder can be made and its first file cannot: nothing stays behind."""
    from ostinato.runs import folder

    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(30, "Read-only file system", str(path))

    monkeypatch.setattr(folder, "write_atomically", refuse)
    code, _, err = call("train", words_csv, "--target", "kind", *TINY, "--out", tmp_path / "run")
    assert code == 2
    assert "Read-only file system" in err
    assert not (tmp_path / "run").exists()


def test_full_disk_at_the_end_keeps_the_training(
    call: Call, words_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model cannot be written; with room again, resume writes it without another epoch."""
    from ostinato.runs import model_folder

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "write_atomically", full)
    code, _, err = call("train", words_csv, "--target", "kind", *TINY, "--out", tmp_path / "run")
    assert code == 1
    assert "No space left on device" in err
    assert "resume" in err
    monkeypatch.undo()
    code, _, err = call("resume", tmp_path / "run")
    assert code == 0
    assert "epoch 1/1  loss" not in err
    assert call("predict", tmp_path / "run", "--text", "ae").code == 0


def _start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "ostinato", *map(str, arguments)]
    return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_ctrl_c_in_an_epoch(call: Call, tmp_path: Path) -> None:
    """A real process: exit 130, a checkpoint, a line that says how to go on; resumed, the bits of a whole run."""
    data = words(tmp_path / "words.csv", rows=200)
    options = ["--target", "kind", "--epochs", "4", "--hidden", "4", "--set", "training.batch_size=4"]
    process = _start("train", data, *options, "--out", tmp_path / "run")
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "00000002.json").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"ostinato resume {tmp_path / 'run'}" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert call("resume", tmp_path / "run").code == 0
    assert call("train", data, *options, "--out", tmp_path / "whole", "--json").code == 0
    for name in ("model/model.safetensors", "predictions.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found = [json.loads((tmp_path / run / "metrics.json").read_text(encoding="utf-8")) for run in ("run", "whole")]
    assert found[0]["test"] == found[1]["test"]


def test_a_broken_pipe(classifier: Path, words_csv: Path) -> None:
    """Who reads stops reading: no traceback."""
    process = _start("predict", classifier, words_csv)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_nan_loss_names_the_epoch(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"x": [[float(i % 7), 1.0]] * 4, "y": (i * 37 % 100) / 10}) for i in range(60)]
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = ["optimizer.learning_rate=1e30", "optimizer.clip_norm=0", "optimizer.name=sgd"]
    words = [word for setting in settings for word in ("--set", setting)]
    code, _, err = call("train", path, "--target", "y", "--task", "regress", *TINY, *words, "--out", tmp_path / "run")
    assert code == 1
    assert "epoch 1" in err
    assert "learning_rate" in err
