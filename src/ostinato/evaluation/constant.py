"""Constant: answers that hardly look at the input: the majority, the mean."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.tasks.base import target_array

State = tuple[Tensor, ...]


class Constant(nn.Module):
    """The same answer ``(K,)`` to everything: a sequence or a step."""

    def __init__(self, answer: Tensor, per_step: bool) -> None:
        super().__init__()
        self.register_buffer("answer", answer)
        self.answer: Tensor
        self.per_step = per_step

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(B, K)`` or ``(N, K)``, and no state."""
        del state
        count = len(batch.inputs.values) if self.per_step else len(batch)
        return self.answer.expand(count, -1), ()


class Lookup(nn.Module):
    """An answer for every symbol: ``table (V, K)``, row ``x[t]``."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.table: Tensor

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(N, K)``, and no state."""
        del state
        return self.table[batch.inputs.values], ()


def majority(ground: Ground) -> nn.Module:
    """The label that is most frequent in training, with the shares of all labels as probabilities.

    A tagger's majority knows the symbol: the most frequent tag of that symbol, and of all where it was never seen:
    ``p(tag | s) = (n(s, tag) + p(tag)) / (n(s) + 1)``. A language model's is the share of each symbol.

    Raises:
        UsageError: the task has no labels.
    """
    spec, examples = ground.task.spec, ground.train
    truth = target_array(examples)
    if not np.issubdtype(truth.dtype, np.integer):
        raise UsageError(f"majority needs labels; the task '{ground.task.name}' answers with numbers")
    shares = _shares(truth, spec.output_size)
    if spec.outputs == "step" and spec.inputs == "ids" and not spec.causal:
        return Lookup(_by_symbol(examples, truth, shares, spec.input_size))
    return Constant(torch.from_numpy(np.log(shares)).float(), spec.outputs == "step")


def mean(ground: Ground) -> nn.Module:
    """The mean of the training targets, for every sequence.

    Raises:
        UsageError: the task answers with labels.
    """
    truth = target_array(ground.train)
    if ground.task.spec.outputs != "sequence" or not np.issubdtype(truth.dtype, np.floating):
        raise UsageError(f"mean needs a number a sequence; the task '{ground.task.name}' has none")
    return Constant(torch.tensor([float(np.nanmean(truth, dtype=np.float64))]), per_step=False)


def _shares(truth: np.ndarray, size: int) -> np.ndarray:
    """The share of each label; one that never occurred counts as half an occurrence, so that no share is 0."""
    counts = np.maximum(np.bincount(truth[truth >= 0], minlength=size).astype(np.float64), 0.5)
    shares: np.ndarray = counts / counts.sum()
    return shares


def _by_symbol(examples: object, truth: np.ndarray, shares: np.ndarray, size: int) -> Tensor:
    assert isinstance(examples, SequenceExamples)
    symbols, given = examples.inputs.values.numpy(), truth >= 0
    counts = np.zeros((size, len(shares)))
    np.add.at(counts, (symbols[given], truth[given]), 1.0)
    counts[0] = 0.0  # the unknown symbol stands for many: it says nothing of its own
    chances = (counts + shares) / (counts.sum(axis=1, keepdims=True) + 1.0)
    return torch.from_numpy(np.log(chances)).float()
