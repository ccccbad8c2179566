"""Constant: answers that hardly look at the input: the majority, the mean."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.tasks.base import target_array
from ostinato.tasks.music import Music
from ostinato.tasks.signal import Signal

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


class Switch(nn.Module):
    """``on (K,)`` where the last step is 1, ``off (K,)`` where it is 0."""

    def __init__(self, on: Tensor, off: Tensor) -> None:
        super().__init__()
        self.register_buffer("on", on)
        self.register_buffer("off", off)
        self.on: Tensor
        self.off: Tensor

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(N, K)``, and no state."""
        del state
        return torch.where(batch.inputs.values > 0, self.on, self.off), ()


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
    """The mean of the training targets, for every sequence or step; of keys, how often each sounds.

    Raises:
        UsageError: the task answers with labels.
    """
    truth = target_array(ground.train)
    if isinstance(ground.task, Music):
        return Constant(log_odds(truth.sum(0, dtype=np.float64), len(truth)), per_step=True)
    if isinstance(ground.task, Signal):
        means = np.nanmean(truth, axis=0, dtype=np.float64)
        return Constant(torch.from_numpy(np.nan_to_num(means)).float(), per_step=True)
    if ground.task.spec.outputs != "sequence" or not np.issubdtype(truth.dtype, np.floating):
        raise UsageError(f"mean needs a number a sequence; the task '{ground.task.name}' has none")
    return Constant(torch.tensor([float(np.nanmean(truth, dtype=np.float64))]), per_step=False)


def flips(ground: Ground) -> nn.Module:
    """Each key goes on as it is, or changes, as often as in training: ``p(on | on)`` and ``p(on | off)`` of its own.

    Raises:
        UsageError: the task is not music.
    """
    examples, task = ground.train, ground.task
    if not isinstance(task, Music) or not isinstance(examples, SequenceExamples):
        raise UsageError(f"repeat_last needs series or keys; the task '{task.name}' has neither")
    before, after = examples.inputs.values.numpy() > 0, target_array(examples) > 0
    on = log_odds((before & after).sum(0), before.sum(0))
    off = log_odds((~before & after).sum(0), (~before).sum(0))
    return Switch(on, off)


def log_odds(count: np.ndarray, total: np.ndarray | int) -> Tensor:
    """``ln p / (1 - p)`` of ``p = (count + 1/2) / (total + 1)``, which is never 0 or 1 (Krichevsky and Trofimov)."""
    return torch.from_numpy(np.log((count + 0.5) / (total - count + 0.5))).float()


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
