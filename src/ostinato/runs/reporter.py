"""Reporter: how a run tells the outside what it does; a run itself prints nothing and knows no screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ostinato.training.callbacks import Callback


@dataclass(frozen=True)
class Understood:
    """What a run took the data and the wish for, before it starts.

    Args:
        description: the task's own line: ``3,190 DNA sequences of 60 bases; target 'class', 3 labels: …``.
        reason: why this task.
        model: the model in one line.
        parts: what the training, validation and test part hold: ``1,204``, ``414 series (301,000 windows)``.
        baselines: what the model will be held against.
        notes: what the reader decided and what one should know of the data.
        folder: where everything will be written.
    """

    description: str
    reason: str
    model: str
    parts: tuple[str, str, str]
    baselines: tuple[str, ...]
    notes: tuple[str, ...]
    folder: Path


class Reporter(Callback):
    """Override what is of interest; the methods of a training's :class:`Callback` are called too."""

    def on_stage(self, stage: str) -> None:
        """A part of the work begins, such as ``reading names.csv``, or ``baseline feed_forward``."""

    def on_understood(self, understood: Understood) -> None:
        """The data are read, and nothing is trained yet."""

    def on_seed(self, seed: int, number: int, count: int) -> None:
        """The ``number``-th of ``count`` trainings begins (or goes on)."""
