from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from ostinato.errors import ModelFolderError
from ostinato.training.atomic import sync_folder, write_atomically
from ostinato.training.checkpoint import Checkpoint, Checkpoints


def checkpoint(number: int) -> Checkpoint:
    tensors = {
        "a": torch.full((3, 2), float(number)),
        "b": torch.tensor(number, dtype=torch.int64),
        "c": torch.arange(5, dtype=torch.uint8),
        "d": torch.empty(0, 4, dtype=torch.bfloat16),
    }
    return Checkpoint(tensors, {"number": number, "value": 0.1 + number, "none": None, "list": [1, "é"]})


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return one.state == other.state and all(
        torch.equal(value, other.tensors[name]) and value.dtype == other.tensors[name].dtype
        for name, value in one.tensors.items()
    )


def test_what_is_saved_is_loaded_and_the_two_newest_stay(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "deep" / "checkpoints")
    for number in range(4):
        store.save(checkpoint(number))
        assert same(store.load(pytest.fail), checkpoint(number))
    assert store.numbers() == [3, 4]
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "00000003.json",
        "00000003.safetensors",
        "00000004.json",
        "00000004.safetensors",
    ]


def test_only_its_own_old_files_are_removed(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    others = ["notes.json", "best.safetensors", "00000001.backup.json", "1.json.partial"]
    for name in [*others, "00000001.safetensors.partial"]:
        (tmp_path / name).write_text("mine")
    for number in range(3):
        store.save(checkpoint(number))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*others, *(f"0000000{k}.{suffix}" for k in (2, 3) for suffix in ("json", "safetensors"))}


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "empty", "garbage"])
def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path: Path, suffix: str, harm: str) -> None:
    store = Checkpoints(tmp_path)
    store.save(checkpoint(1))
    store.save(checkpoint(2))
    path = tmp_path / f"00000002.{suffix}"
    content = path.read_bytes()
    harmed = {
        "truncate": content[:-3],
        "flip": content.replace(b"2.1", b"2.2") if suffix == "json" else content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "garbage": b"[1, 2]" if suffix == "json" else b"\x80\x04pickle",
    }
    path.unlink()
    if harm != "remove":
        path.write_bytes(harmed[harm])
    told: list[str] = []
    assert same(store.load(told.append), checkpoint(1))
    if (suffix, harm) != ("json", "remove"):  # without its description a pair is one that was never finished
        [message] = told
        assert "00000002" in message
        assert message.endswith("going on from the checkpoint before it")
    store.save(checkpoint(3))
    assert same(store.load(told.append), checkpoint(3))


def test_no_whole_checkpoint_is_an_error_with_the_mend(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    with pytest.raises(ModelFolderError, match="no checkpoint to resume from; train first"):
        store.load(pytest.fail)
    store.save(checkpoint(1))
    store.save(checkpoint(2))
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    with pytest.raises(ModelFolderError, match=r"no checkpoint is whole: .*00000002.*; .*00000001.*Restore the folder"):
        store.load(pytest.fail)


def test_a_newer_format_is_not_guessed_at(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.save(checkpoint(1))
    path = tmp_path / "00000001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(ModelFolderError, match=r"format 2 is newer than 1.*update ostinato"):
        store.load(pytest.fail)


@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace"])
def test_a_failing_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    store = Checkpoints(tmp_path)
    store.save(checkpoint(1))
    before = sorted(path.name for path in tmp_path.iterdir())

    def fail(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ModelFolderError, match=r"No space left on device\); the one before is kept. Free some space"):
        store.save(checkpoint(2))
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert same(store.load(pytest.fail), checkpoint(1))


def test_a_disk_that_fills_between_the_two_files_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Checkpoints(tmp_path)
    store.save(checkpoint(1))
    move, calls = os.replace, []

    def second_fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(ModelFolderError, match="No space left"):
        store.save(checkpoint(2))
    assert store.numbers() == [1]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: object, **keywords: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ModelFolderError, match=r"Permission denied\); there is none yet. .*make the folder writable"):
        Checkpoints(tmp_path / "new").save(checkpoint(1))
    monkeypatch.undo()
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelFolderError, match="cannot be written"):
        Checkpoints(tmp_path / "file").save(checkpoint(1))


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    write_atomically(tmp_path / "file", bytes(range(100)))
    assert (tmp_path / "file").read_bytes() == bytes(range(100))


def test_systems_whose_folders_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    sync_folder(tmp_path)
    assert opened == []
