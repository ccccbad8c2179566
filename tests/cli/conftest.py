"""The command line in this process, and one small trained run of each kind that several tests ask."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from shell import TINY, Answer, Call

from ostinato.cli import main
from run_toys import words


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs ``ostinato`` with the given words."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in arguments])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, out, err)

    return run


def _quietly(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments), *TINY, "--json"])
    assert ended.value.code == 0


@pytest.fixture(scope="session")
def words_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return words(tmp_path_factory.mktemp("words") / "words.csv")


@pytest.fixture(scope="session")
def classifier(words_csv: Path) -> Path:
    """A run that tells two kinds of words apart."""
    _quietly("train", words_csv, "--target", "kind", "--out", words_csv.parent / "run")
    return words_csv.parent / "run"


@pytest.fixture(scope="session")
def writer(words_csv: Path) -> Path:
    """A run that writes words of a kind."""
    out = words_csv.parent / "writer"
    _quietly("train", words_csv, "--target", "word", "--input", "kind", "--task", "language", "--out", out)
    return out


@pytest.fixture(scope="session")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that forecasts a wave."""
    folder = tmp_path_factory.mktemp("wave")
    rows = [f"2020-01-{1 + h // 24:02d}T{h % 24:02d}:00,{10 + math.sin(h / 4):.4f}" for h in range(240)]
    (folder / "wave.csv").write_text("\n".join(["time,value", *rows]) + "\n", encoding="utf-8")
    _quietly("train", folder / "wave.csv", "--task", "forecast", "--horizon", "6", "--out", folder / "run")
    return folder / "run"
