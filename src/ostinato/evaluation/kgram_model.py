"""kgram: Kneser-Ney with a model's face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.evaluation.kgram import KneserNey, Rung, Steps, ladder
from ostinato.sequences import Ragged
from ostinato.tasks.base import target_array

MAX_ORDER = 5
"""Symbols a k-gram may span: the one to predict and four before it."""
MOST_CLASSES = 1000
"""More different conditions than this are ignored: nearly every text would be a class of its own."""

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Classes:
    """The conditions of the training part, told apart: ``rows (C, S)``; none: they are ignored."""

    rows: np.ndarray

    @classmethod
    def fit(cls, static: Tensor | None) -> Classes:
        """From ``(B, S)``."""
        if static is None or not static.shape[1]:
            return cls(np.empty((0, 0)))
        rows = np.unique(static.numpy(), axis=0)
        return cls(rows if len(rows) <= MOST_CLASSES else np.empty((0, 0)))

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, static: Tensor | None) -> np.ndarray | None:
        """``(B,)``: the class of each row, -1 for one never seen; None where there are none."""
        if not len(self) or static is None:
            return None
        known = {row.tobytes(): place for place, row in enumerate(self.rows)}
        return np.array([known.get(row.tobytes(), -1) for row in static.cpu().numpy()], dtype=np.int64)


class KGram(nn.Module):
    """:class:`~ostinato.evaluation.kgram.KneserNey` as a model: log probabilities ``(N, V)``.

    Its state is the symbols it saw last, ``(memory, B)``.
    """

    def __init__(self, counts: KneserNey, classes: Classes) -> None:
        super().__init__()
        self.counts, self.classes = counts, classes

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(N, V)``, and the state after the last step of each sequence."""
        memory, lengths = self.counts.memory, batch.inputs.lengths.numpy()
        before = np.full((memory, len(batch)), -1, dtype=np.int64) if state is None else state[0].numpy()
        steps = Steps.of(batch.inputs, self.classes.of(batch.static), memory, before)
        chances = torch.from_numpy(np.log(self.counts.chances(steps))).float()
        after, last = before.copy(), np.cumsum(lengths) - 1
        after[:, lengths > 0] = steps.lags[last[lengths > 0], ::-1].T
        return chances, (torch.from_numpy(after),)


def kgram(ground: Ground) -> nn.Module:
    """The k-gram whose order, up to :data:`MAX_ORDER`, and use of the condition are best on the validation part.

    Raises:
        UsageError: the task does not predict the next symbol.
    """
    spec = ground.task.spec
    if spec.inputs != "ids" or spec.outputs != "step" or not spec.causal:
        raise UsageError(f"kgram predicts the next symbol; the task '{ground.task.name}' does not")
    classes = Classes.fit(_static(ground.train))
    steps, targets = _steps(ground.train, classes), target_array(ground.train)
    best: KneserNey | None = None
    least = np.inf
    for rungs in candidates(len(classes) > 0):
        model = KneserNey(spec.output_size, rungs, max(1, len(classes))).fit(steps, targets)
        nats = _nats(model, ground.valid, classes)
        if best is None or not nats >= least:
            best, least = model, nats
    assert best is not None
    return KGram(best, classes)


def candidates(classes: bool) -> list[tuple[Rung, ...]]:
    """The ladders that are tried: every order, and with classes each also with the class."""
    plain = [ladder(order) for order in range(1, MAX_ORDER + 1)]
    return plain + ([ladder(order, classes=True) for order in range(1, MAX_ORDER + 1)] if classes else [])


def _static(examples: Examples) -> Tensor | None:
    static: Tensor | None = getattr(examples, "static", None)
    return static


def _steps(examples: Examples, classes: Classes) -> Steps:
    inputs = getattr(examples, "inputs", None)
    assert isinstance(inputs, Ragged)
    return Steps.of(inputs, classes.of(_static(examples)), MAX_ORDER - 1)


def _nats(model: KneserNey, examples: Examples, classes: Classes) -> float:
    """Mean nats a symbol; NaN of nothing, and then the widest context wins."""
    if not len(examples):
        return float("nan")
    chance = model.chance(_steps(examples, classes), target_array(examples))
    return float(-np.mean(np.log(chance))) if len(chance) else float("nan")
