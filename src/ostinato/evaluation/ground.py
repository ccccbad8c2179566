"""Ground: what every baseline is given, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import nn

from ostinato.data.examples import Examples
from ostinato.data.table import Table
from ostinato.tasks.base import Outputs, Task
from ostinato.training import OptimizerSettings, TrainingSettings, predict

MOST_NUMBERS = 1 << 24
"""Numbers a baseline's answer may hold at once; longer sequences are answered window by window."""


@dataclass(frozen=True)
class Ground:
    """The same split, seed and budget that the model had.

    A baseline is a module with a model's face, ``forward(batch, state=None) -> (answers, state)``, whose answers are
    what a model would give (logits, scaled numbers). So the task reads, scores and prints both alike.
    """

    task: Task
    train_table: Table
    valid_table: Table
    test_table: Table
    seed: int
    training: TrainingSettings
    optimizer: OptimizerSettings

    @cached_property
    def train(self) -> Examples:
        """What is learned from."""
        return self.task.examples(self.train_table)

    @cached_property
    def valid(self) -> Examples:
        """By which settings of a baseline are chosen; may be empty."""
        return self.task.examples(self.valid_table)

    @cached_property
    def test(self) -> Examples:
        """What is answered."""
        return self.task.examples(self.test_table)

    def answer(self, model: nn.Module, examples: Examples) -> Outputs:
        """What ``model`` says about ``examples``."""
        size = min(256, max(1, len(examples)))
        window = max(1, MOST_NUMBERS // (size * max(1, self.task.spec.output_size)))
        return predict(model, self.task, examples, window=window, batch_size=size)

    def merit(self, model: nn.Module) -> float:
        """How good ``model`` is on the validation part, more is better; NaN where that part is empty."""
        if not len(self.valid):
            return float("nan")
        value = self.task.metrics(self.answer(model, self.valid), self.valid)[self.task.watch]
        return value if self.task.higher_is_better else -value
