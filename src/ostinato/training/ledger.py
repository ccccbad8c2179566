"""Ledger: where a training stands, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from ostinato.training.history import Row
from ostinato.training.schedule import better, drops


@dataclass
class Ledger:
    """The part of a checkpoint that is JSON; early stopping and plateaus follow from the rows alone.

    Args:
        epoch: epochs that are finished.
        batch: batches of the epoch at work that are finished.
        piece: updates of the batch at work that are done (windows of truncated BPTT).
        step: updates of the epoch at work that are done.
        loss: sum of the losses of the epoch at work, one for each answer.
        answers: how many.
        first_loss: of the whole training, the measure of what exploded; None before it.
        rate: learning rate of the last update.
        seconds: since the training began, over all resumptions, at the last checkpoint.
        rows: of the history.
    """

    epoch: int = 0
    batch: int = 0
    piece: int = 0
    step: int = 0
    loss: float = 0.0
    answers: int = 0
    first_loss: float | None = None
    rate: float = 0.0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        return cls(**config)

    @property
    def mean_loss(self) -> float:
        """Of the epoch at work; NaN before its first answer."""
        return self.loss / self.answers if self.answers else math.nan

    def finish_epoch(self, row: Row) -> None:
        """Takes the row in and turns to the next epoch."""
        self.rows.append(row)
        self.epoch += 1
        self.batch = self.piece = self.step = self.answers = 0
        self.loss = 0.0

    def watched(self) -> list[float]:
        """The compared number of each epoch."""
        return [_number(row["watched"]) for row in self.rows]

    def best_epoch(self, higher_is_better: bool) -> int:
        """The best epoch, from 1; of equals in ``watched`` the one with the lowest validation loss, of these the first.

        0 where none has a number.
        """
        best, value, loss = 0, math.nan, math.nan
        for epoch, (row, other) in enumerate(zip(self.rows, self.watched(), strict=True), start=1):
            other_loss = _number(row["metrics"].get("loss"))
            if better(other, value, higher_is_better) or (other == value and better(other_loss, loss, False)):
                best, value, loss = epoch, other, other_loss
        return best

    def drops(self, every: int, higher_is_better: bool) -> int:
        """See :func:`ostinato.training.schedule.drops`."""
        return drops(self.watched(), every, higher_is_better)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
