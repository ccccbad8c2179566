"""The public names: what is documented is there, lazily, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ostinato

DOCUMENTED = {
    "Classifier",
    "DataError",
    "Detector",
    "Forecaster",
    "LanguageModel",
    "ModelFolderError",
    "OstinatoError",
    "Ragged",
    "Regressor",
    "Tagger",
    "TrainingError",
    "Transcriber",
    "Translator",
    "UsageError",
    "__version__",
    "explain",
    "load",
    "nn",
    "train",
}


def test_all_is_what_is_documented() -> None:
    assert set(ostinato.__all__) == DOCUMENTED
    assert list(ostinato.__all__) == sorted(ostinato.__all__)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_every_name_is_there(name: str) -> None:
    assert getattr(ostinato, name) is not None
    assert name in dir(ostinato)


def test_names_lead_home() -> None:
    from ostinato.errors import DataError
    from ostinato.runs.loaded import load
    from ostinato.runs.pipeline import train
    from ostinato.sequences import Ragged

    assert (ostinato.DataError, ostinato.load, ostinato.train, ostinato.Ragged) == (DataError, load, train, Ragged)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        _ = ostinato.Clasifier


def test_import_loads_nothing() -> None:
    code = "import sys, ostinato; print([m for m in sys.modules if m.startswith('ostinato')], 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() in ("['ostinato.version', 'ostinato'] False", "['ostinato', 'ostinato.version'] False")


def test_the_version_is_that_of_the_project() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{ostinato.__version__}"' in text
