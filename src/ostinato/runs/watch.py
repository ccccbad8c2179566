"""Watcher: a detector on a live series, one value at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError
from ostinato.models import SequenceModel
from ostinato.nn import Layer, Stream
from ostinato.tasks import Detect, Task
from ostinato.tasks.detect_score import Scorer
from ostinato.tasks.detect_series import CLIP

Values = float | None | Sequence[float | None] | np.ndarray
"""A value a channel; NaN or None where it is missing. Of one channel the number alone will do."""


@dataclass(frozen=True)
class Watched:
    """What one step was like.

    Args:
        score: the evidence that something is wrong, in powers of ten; NaN where every value is missing.
        chance: the share of the steps so far that were at least as strange.
        alarm: whether it is rare enough for an alarm, and the first of its event.
        expected: ``(C,)``, what was expected, in the units of the series.
        channel: the strangest channel.
    """

    score: float
    chance: float
    alarm: bool
    expected: np.ndarray
    channel: str


class Watcher:
    """Watches one series; made by :meth:`LoadedModel.watch <ostinato.runs.LoadedModel.watch>`.

    Value by value it gives what the model would give of the whole series (to a few ULP of the network): it remembers
    the state of each layer (:class:`ostinato.nn.Stream`) and the errors so far, and no series.

    Args:
        model: of a detector.
        task: its task.

    Raises:
        UsageError: the model is no detector.
    """

    def __init__(self, model: nn.Module, task: Task) -> None:
        if not isinstance(task, Detect) or not isinstance(model, SequenceModel):
            raise UsageError(f"only a detector watches a series; this model was trained for the task '{task.name}'")
        self.task = task
        self.streams: list[Stream] = [cast(Layer, layer).stream() for layer in model.stack.layers]
        front, head = model.front.embedding, cast(nn.Linear, model.head.linear)
        self.front = (
            None
            if front is None
            else (_array(cast(torch.Tensor, front.weight)), _array(cast(torch.Tensor, front.bias)))
        )
        self.head = _array(head.weight), _array(head.bias)
        self.level, self.scale = np.array(task.level), np.array(task.scale)
        self.scorer = Scorer(len(task.channels), task.quiet)
        self.last = self.before = np.zeros(len(task.channels), np.float32)
        self.steps = 0

    def step(self, value: Values) -> Watched:
        """The next value of each channel.

        Raises:
            DataError: it is no number for each channel, or infinite; nothing of it is remembered.
        """
        values = self._values(value)
        clipped = np.clip((values - self.level) / self.scale, -CLIP, CLIP)
        mean = self._mean(np.concatenate([self.last, self.last - self.before]))
        error = np.abs(clipped.astype(np.float32).astype(np.float64) - self.last - mean)
        seen = self.scorer.step(error.tolist(), clipped.tolist())
        expected = (self.last + mean) * self.scale + self.level
        self.before, self.last = self.last, np.where(np.isnan(clipped), self.last, clipped).astype(np.float32)
        self.steps += 1
        alarm = seen.fresh and seen.chance <= self.task.rate
        return Watched(seen.score, seen.chance, alarm, expected, self.task.channels[seen.channel])

    def _mean(self, inputs: np.ndarray) -> np.ndarray:
        """The change that is expected, ``(C,)`` float64."""
        steps = inputs if self.front is None else self.front[0] @ inputs + self.front[1]
        for stream in self.streams:
            steps = stream.step(steps.astype(np.float32))
        answer: np.ndarray = self.head[0] @ steps + self.head[1]
        return answer[: len(self.task.channels)].astype(np.float64)

    def follow(self, table: Table) -> None:
        """Goes through the one series of a table.

        Raises:
            UsageError: it holds more than one.
        """
        examples = self.task.examples(table)
        if len(examples) != 1:
            raise UsageError(f"a watcher watches one series, and these are {len(examples):,}: make one for each")
        for values in examples.read[0].values:
            self.step(values)

    def _values(self, value: Values) -> np.ndarray:
        given = np.atleast_1d(np.array(value, dtype=np.float64))
        wanted = len(self.task.channels)
        if given.shape != (wanted,):
            raise DataError(f"step {self.steps + 1:,} has {given.size} values, and the model watches {wanted}")
        if np.isinf(given).any():
            name = self.task.channels[int(np.isinf(given).argmax())]
            raise DataError(f"step {self.steps + 1:,}: the value is infinite; mend it or leave it out", column=name)
        return given


def _array(weight: torch.Tensor) -> np.ndarray:
    array: np.ndarray = weight.detach().to("cpu", torch.float32).numpy()
    return array
