from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from ostinato.errors import ModelFolderError
from ostinato.training import Callback, History, Log, Progress
from ostinato.training.interrupt import Interrupts


def row(epoch: int) -> dict[str, object]:
    return {"epoch": epoch, "loss": 1.0 / epoch}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_base_listens_and_does_nothing() -> None:
    base = Callback()
    progress = Progress(epoch=1, epochs=2)
    base.on_start(progress)
    base.on_step(progress)
    base.on_epoch(progress, {})
    base.on_end(History([], 0, 0.0, "epochs"))
    base.on_warning("nothing")


def test_one_line_an_epoch_however_often_it_was_interrupted(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.on_start(Progress(epoch=1, epochs=9))
    for epoch in (1, 2, 3):
        log.on_epoch(Progress(epoch=epoch, epochs=9), row(epoch))
    # Killed while line 4 was written; the checkpoint is of epoch 2.
    with log.path.open("ab") as file:
        file.write(b'{"epoch": 4, "lo')
    again = Log(log.path)
    again.on_start(Progress(epoch=3, epochs=9))
    assert lines(log.path) == [row(1), row(2)]
    again.on_epoch(Progress(epoch=3, epochs=9), row(3))
    assert lines(log.path) == [row(1), row(2), row(3)]
    again.on_start(Progress(epoch=1, epochs=9))
    assert lines(log.path) == []


def test_a_finished_training_keeps_its_last_line(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for epoch in (1, 2, 3):
        log.on_epoch(Progress(epoch=epoch, epochs=3), row(epoch))
    log.on_start(Progress(epoch=3, epochs=3, finished=True))
    assert lines(log.path) == [row(1), row(2), row(3)]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = Log(tmp_path / "log.jsonl")
    monkeypatch.setattr(os, "fsync", fail)
    for call in (log.on_start, lambda progress: log.on_epoch(progress, row(1))):
        with pytest.raises(ModelFolderError, match=r"log.jsonl: the log cannot be written \(No space left"):
            call(Progress(epoch=1, epochs=1))


def test_threads_without_signals_are_left_alone() -> None:
    problems: list[BaseException] = []

    def enter() -> None:
        try:
            with Interrupts() as interrupts:
                assert not interrupts.asked
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert problems == []
