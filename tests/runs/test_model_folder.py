"""Model folders: what is stored comes back; what was touched is refused with the file and the mend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ostinato.errors import ModelFolderError, UsageError
from ostinato.runs import LoadedModel, load, model_folder
from ostinato.runs.learn import new_model
from ostinato.runs.prepare import Prepared, prepare
from ostinato.training import predict
from run_toys import SMALL, words


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    data = words(tmp_path_factory.mktemp("data") / "words.csv")
    return prepare({**SMALL, "files.data": str(data), "data.target": "kind"})


@pytest.fixture
def folder(prepared: Prepared, tmp_path: Path) -> Path:
    model = new_model(prepared, 3)
    model_folder.save(model, prepared.task, prepared.recipe, prepared.table, tmp_path / "model")
    return tmp_path / "model"


def test_round_trip_is_exact(prepared: Prepared, folder: Path) -> None:
    stored = model_folder.read(folder)
    model = new_model(prepared, 3)
    expected = predict(model, prepared.task, prepared.test)
    found = predict(stored.model, stored.task, prepared.test)
    assert (expected["probabilities"] == found["probabilities"]).all()
    assert stored.kinds == {"word": "text", "kind": "category"}
    assert stored.layout == "rows"
    assert stored.recipe.model == prepared.recipe.model
    assert not stored.model.training


def test_files_of_a_folder(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["format"], config["format_version"], config["task"]) == ("ostinato", 1, "classify")
    body = (folder / "model.safetensors").read_bytes()
    assert config["weights"]["sha256"] == hashlib.sha256(body).hexdigest()


def test_saving_again_replaces(prepared: Prepared, folder: Path) -> None:
    before = (folder / "model.safetensors").read_bytes()
    model_folder.save(new_model(prepared, 4), prepared.task, prepared.recipe, prepared.table, folder)
    assert (folder / "model.safetensors").read_bytes() != before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    model_folder.read(folder)


def test_a_foreign_folder_is_left_alone(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="no model folder"):
        model_folder.save(new_model(prepared, 0), prepared.task, prepared.recipe, prepared.table, tmp_path)
    assert (tmp_path / "precious").exists()


def test_a_failed_save_keeps_the_old_one(prepared: Prepared, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "write_atomically", full)
    with pytest.raises(ModelFolderError, match="No space left on device"):
        model_folder.save(new_model(prepared, 4), prepared.task, prepared.recipe, prepared.table, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    model_folder.read(folder)


def change(folder: Path, **values: Any) -> None:
    """Alters the config and signs it again, as a forger or a newer version would."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        config[key] = value
    config["sha256"] = model_folder._digest(config)
    path.write_text(json.dumps(config), encoding="utf-8")


def reweigh(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Puts other weights in, with a checksum that fits."""
    path = folder / "model.safetensors"
    weights = safetensors.torch.load(path.read_bytes())
    edit(weights)
    body = safetensors.torch.save(weights)
    path.write_bytes(body)
    change(folder, weights={"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})


def cut(path: Path, share: float) -> None:
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) * 2 // 3] ^= 1
    path.write_bytes(bytes(body))


def first(weights: dict[str, torch.Tensor]) -> str:
    return next(name for name in sorted(weights) if weights[name].dim() == 2)


DAMAGES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no config": (lambda f: (f / "config.json").unlink(), ("config.json", "is not there")),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ("model.safetensors", "cannot be read")),
    "config cut": (lambda f: cut(f / "config.json", 0.6), ("config.json", "truncated or altered")),
    "weights cut": (lambda f: cut(f / "model.safetensors", 0.6), ("model.safetensors", "is truncated", "bytes")),
    "weights empty": (lambda f: cut(f / "model.safetensors", 0.0), ("model.safetensors", "is truncated: 0 of")),
    "weights altered": (lambda f: flip(f / "model.safetensors"), ("model.safetensors", "was altered")),
    "config altered": (
        lambda f: (f / "config.json").write_text(
            (f / "config.json").read_text(encoding="utf-8").replace('"vowel"', '"volew"'), encoding="utf-8"
        ),
        ("config.json", "was altered"),
    ),
    "newer": (lambda f: change(f, format_version=2), ("format 2 is newer than 1", "update ostinato")),
    "no version": (lambda f: change(f, format_version=None), ("has no format version",)),
    "other format": (lambda f: change(f, format="keras"), ("no model of ostinato",)),
    "a list": (lambda f: (f / "config.json").write_text("[]", encoding="utf-8"), ("no model of ostinato",)),
    "unknown task": (lambda f: change(f, task="clasify"), ("no task 'clasify'", "Did you mean 'classify'")),
    "no task": (lambda f: change(f, fitted={}), ("config.json", "damaged")),
    "no settings": (lambda f: change(f, settings=3), ("config.json", "damaged")),
    "no checksum": (lambda f: change(f, weights={}), ("does not tell the checksum",)),
    "other sizes": (lambda f: change(f, spec={"inputs": "ids"}), ("config.json", "damaged")),
    "missing weight": (
        lambda f: reweigh(f, lambda w: w.pop(first(w))),
        ("model.safetensors", "lacks '"),
    ),
    "one weight more": (
        lambda f: reweigh(f, lambda w: w.update(extra=torch.zeros(1))),
        ("model.safetensors", "holds 'extra'"),
    ),
    "wrong shape": (
        lambda f: reweigh(f, lambda w: w.update({first(w): w[first(w)][:-1].clone()})),
        ("model.safetensors", "has the shape"),
    ),
    "a pickle beside": (lambda f: (f / "model.pt").write_bytes(b"\x80\x04."), ("model.pt", "never loaded")),
    "a pickle instead": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        ("pytorch_model.bin", "never loaded"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told(folder: Path, damage: str) -> None:
    harm, told = DAMAGES[damage]
    harm(folder)
    with pytest.raises(ModelFolderError) as error:
        load(folder)
    for part in told:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_no_pickle_is_run(folder: Path) -> None:
    """A file that is a pickle under the name of the weights is refused before it is read as anything."""
    import pickle

    (folder / "model.safetensors").write_bytes(pickle.dumps({"a": 1}) * 10_000)
    with pytest.raises(ModelFolderError, match="was altered"):
        load(folder)


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    body = b"not safetensors at all"
    (folder / "model.safetensors").write_bytes(body)
    change(folder, weights={"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    with pytest.raises(ModelFolderError, match="no safetensors file"):
        load(folder)


def test_paths_that_are_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="is not there"):
        load(tmp_path / "none")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ModelFolderError, match="is a file"):
        load(tmp_path / "file")
    (tmp_path / "model.pkl").write_bytes(b"")
    with pytest.raises(ModelFolderError, match="pickle"):
        load(tmp_path / "model.pkl")


def test_a_copy_elsewhere_works(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    assert isinstance(load(tmp_path / "copy"), LoadedModel)
