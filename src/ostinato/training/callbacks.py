"""Callback: how a training tells the outside what it does; training itself prints nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ostinato.errors import ModelFolderError
from ostinato.training.atomic import write_atomically
from ostinato.training.history import History, Row


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Args:
        epoch: the epoch at work, from 1; at the start, the first that will be worked on.
        epochs: how many there will be at most.
        step: updates of the weights done in this epoch.
        steps: updates this epoch has.
        loss: mean training loss of the epoch so far; NaN before its first answer.
        metrics: of the validation part after the last finished epoch.
        updates_per_second: rolling.
        steps_per_second: steps of sequences a second, rolling.
        seconds_left: to the end of the training by the rolling speed, validation included; NaN while unknown.
        learning_rate: of the last update.
        finished: at the start, that no epoch is left to work on.
    """

    epoch: int
    epochs: int
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    metrics: dict[str, float] = field(default_factory=dict)
    updates_per_second: float = 0.0
    steps_per_second: float = 0.0
    seconds_left: float = float("nan")
    learning_rate: float = 0.0
    finished: bool = False


class Callback:
    """Override what is of interest. Called in the training's own thread, between two updates."""

    def on_start(self, progress: Progress) -> None:
        """Before the first update of this process; ``progress.epoch`` tells where a resumed training goes on."""

    def on_step(self, progress: Progress) -> None:
        """After every update of the weights."""

    def on_epoch(self, progress: Progress, row: Row) -> None:
        """After the validation of an epoch, before its checkpoint; ``row`` is its row of the history."""

    def on_end(self, history: History) -> None:
        """After the last epoch; the model has its best weights."""

    def on_warning(self, message: str) -> None:
        """Something a person should know that does not stop the training."""


class Log(Callback):
    """Writes ``log.jsonl``: one line an epoch, on disk before the training goes on.

    A training that is resumed in epoch ``e`` first drops the lines of epoch ``e`` and later (and a last line that a
    kill cut short), so that every epoch has one line however often the training was interrupted.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_start(self, progress: Progress) -> None:
        """Keeps the lines of the epochs before ``progress.epoch``, and all of a training that is at its end."""
        first = progress.epochs + 1 if progress.finished else progress.epoch
        kept = []
        for line in self.path.read_bytes().splitlines() if self.path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and row.get("epoch", first) < first:
                kept.append(line + b"\n")
        with self._telling():
            write_atomically(self.path, b"".join(kept))

    def on_epoch(self, progress: Progress, row: Row) -> None:  # noqa: ARG002
        """Appends the row and waits until the disk has it."""
        with self._telling(), self.path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelFolderError(
                f"{self.path}: the log cannot be written ({error.strerror or error}). "
                "Free some space or make the folder writable, then resume"
            ) from error
