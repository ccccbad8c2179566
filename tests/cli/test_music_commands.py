"""From tunes to a run and from a run to tunes, as one types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from shell import Call

from ostinato.cli import main
from ostinato.data.media.midi import KEYS, NAMES, Tune, read_midi

SMALL = ["--epochs", "2", "--hidden", "8", "--json"]


def scale(start: int, steps: int = 24) -> Tune:
    """Up and down a scale of eight notes."""
    degrees = np.array([0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2])
    keys = np.zeros((steps, KEYS), dtype=bool)
    keys[np.arange(steps), 39 - 21 + degrees[(start + np.arange(steps)) % 14]] = True
    return Tune(keys, 2, 90.0)


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music") / "tunes"
    folder.mkdir()
    for number in range(14):
        scale(number).save(folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="module")
def run(tunes: Path) -> Path:
    out = tunes.parent / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", str(tunes), "--set", "music.steps_per_beat=2", *SMALL, "--out", str(out)])
    assert ended.value.code == 0
    return out


def test_what_a_run_holds(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["task"], metrics["mapping"]) == ("music", "many-to-many, fed back")
    assert set(metrics["test"]["model"]) == {"nats", "accuracy"}
    assert set(metrics["test"]["baselines"]) == {"mean", "repeat_last", "feed_forward"}
    assert len(re.findall(r"<h2>How it goes on with test tune \d</h2>", (run / "report.html").read_text())) == 1


def test_a_tune_is_continued(run: Path, tunes: Path, tmp_path: Path, call: Call) -> None:
    arguments = ["generate", run, "--prompt", tunes / "3.mid", "--length", 16, "--seed", 5, "--out"]
    done = call(*arguments, tmp_path / "new.mid")
    assert (done.code, done.err) == (0, "")
    assert "24 steps of" in done.out
    assert "16 that the model played" in done.out
    found = read_midi(tmp_path / "new.mid", 2)
    assert len(found.keys) == 40
    assert found.beats_per_minute == pytest.approx(90.0)
    np.testing.assert_array_equal(found.keys[:24], scale(3).keys)
    call(*arguments, tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "new.mid").read_bytes()
    call(*arguments, tmp_path / "new.csv")
    assert (tmp_path / "new.csv").read_text().splitlines()[0] == ",".join(["step", *NAMES])


def test_a_model_of_rolls_reads_rolls(run: Path, tunes: Path, tmp_path: Path, call: Call) -> None:
    rows = [json.dumps({"roll": scale(n).keys[:, 39 - 21 : 52 - 21].astype(int).tolist()}) for n in range(14)]
    (tmp_path / "rolls.jsonl").write_text("\n".join(rows))
    (tmp_path / "one.jsonl").write_text(rows[0])
    done = call("train", tmp_path / "rolls.jsonl", "--task", "music", *SMALL, "--out", tmp_path / "rolls")
    assert done.code == 0
    prompt = ["generate", tmp_path / "rolls", "--prompt", tmp_path / "one.jsonl", "--length", 3, "--out"]
    assert call(*prompt, tmp_path / "new.csv").code == 0
    assert len((tmp_path / "new.csv").read_text().splitlines()) == 1 + 24 + 3
    done = call(*prompt, tmp_path / "new.mid")
    assert (done.code, "piano's 88 keys" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--out", "new.mid"], 2, "--prompt tune.mid --out new.mid"),
        (["--prompt", "{tune}"], 2, "--prompt tune.mid --out new.mid"),
        (["--prompt", "{tune}", "--out", "new.txt"], 2, "ends in .mid, .midi or .csv"),
        (["--prompt", "{tune}", "--out", "new.mid", "--top-p", "0.5"], 2, "--top-k"),
        (["--prompt", "{tune}", "--out", "new.mid", "--count", "2"], 2, "one at a time"),
        (["--prompt", "{tune}", "--out", "new.mid", "--length", "-1"], 2, "0 or more"),
        (["--prompt", "{folder}", "--out", "new.mid"], 2, "a prompt is one tune, but there are 14"),
        (["--prompt", "none.mid", "--out", "new.mid"], 1, "none.mid: does not exist"),
        (["--prompt", "{tune}", "--out", "no/folder/new.mid"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_played(
    run: Path, tunes: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int,
    told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = call("generate", run, *(word.format(tune=tunes / "0.mid", folder=tunes) for word in words))
    assert (done.code, told in done.err) == (code, True), done.err
    assert not list(tmp_path.glob("new.*"))


def test_texts_are_not_written_to_files(writer: Path, call: Call) -> None:
    done = call("generate", writer, "--condition", "a", "--out", "new.mid")
    assert (done.code, "--out is for music" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"", "is empty"), (b"MThd\x00\x00", "is a damaged MIDI file"), (b"RIFFabcd", "is no MIDI file")],
)
def test_a_bad_tune_in_a_folder_is_named(tunes: Path, tmp_path: Path, call: Call, data: bytes, told: str) -> None:
    (tmp_path / "tunes").mkdir()
    for number in range(12):
        scale(number).save(tmp_path / "tunes" / f"{number}.mid")
    (tmp_path / "tunes" / "bad.mid").write_bytes(data)
    done = call("train", tmp_path / "tunes", *SMALL, "--out", tmp_path / "run")
    assert (done.code, f"bad.mid: {told}" in done.err) == (1, True), done.err
    assert not (tmp_path / "run").exists()
