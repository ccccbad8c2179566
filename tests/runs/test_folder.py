"""Run folders: new ones only, and files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ostinato.errors import ModelFolderError, UsageError
from ostinato.runs.folder import RunFolder, without_nan


def test_default_names_count_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [RunFolder.create(None, "/data/names.csv.gz").path for _ in range(3)]
    assert [str(name) for name in names] == ["runs/names-1", "runs/names-2", "runs/names-3"]


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "keep").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="use another --out"):
        RunFolder.create(tmp_path / "run")
    (tmp_path / "run" / "recipe.yaml").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="ostinato resume"):
        RunFolder.create(tmp_path / "run")
    assert (tmp_path / "run" / "keep").read_text(encoding="utf-8") == "x"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be made"):
        RunFolder.create(tmp_path / "file" / "run")


def test_open_wants_a_run(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no such folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(ModelFolderError, match="this is no run"):
        RunFolder.open(tmp_path)


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write_json(folder.metrics, {"a": 1})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ModelFolderError, match="No space left on device"):
        folder.write_json(folder.metrics, {"a": 2})
    monkeypatch.undo()
    assert folder.read_json(folder.metrics) == {"a": 1}
    assert [path.name for path in folder.path.iterdir()] == ["metrics.json"]


def test_documents_that_cannot_be_read(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(ModelFolderError, match="ostinato resume"):
        folder.read_json(folder.metrics)
    for text in ('{"a": ', "[]"):
        folder.metrics.write_text(text, encoding="utf-8")
        with pytest.raises(ModelFolderError, match="damaged"):
            folder.read_json(folder.metrics)


def test_json_has_no_nan() -> None:
    nan, infinity = float("nan"), float("inf")
    assert without_nan({"a": nan, "b": [1.0, infinity, (2, nan)], 3: "x"}) == {
        "a": None,
        "b": [1.0, None, [2, None]],
        "3": "x",
    }
