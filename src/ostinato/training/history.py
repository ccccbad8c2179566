"""History: what a training did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Row = dict[str, Any]
"""One epoch: ``epoch`` (from 1), ``loss`` (mean over the epoch), ``metrics`` (of the validation part: ``loss`` and the
task's own; empty without one), ``watched`` (the number that is compared), ``learning_rate`` (of the last update),
``seconds`` (since the training began, over all its resumptions). Plain JSON."""

Stopped = Literal["epochs", "minutes", "patience"]


@dataclass(frozen=True)
class History:
    """What :meth:`Trainer.fit` gives back.

    Args:
        rows: one an epoch.
        best_epoch: the epoch whose weights the model now has; 0 where no epoch was finished.
        seconds: of training and validation, over all resumptions.
        stopped: what ended it: all ``epochs`` done, the budget of ``minutes``, or ``patience`` at its end.
    """

    rows: list[Row]
    best_epoch: int
    seconds: float
    stopped: Stopped
