"""Examples and Batch: what a task gives the training loop, and what the loop gives a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ostinato.sequences import Ragged


@dataclass(frozen=True)
class Batch:
    """``B`` examples at once.

    Args:
        inputs: the sequences: ``(N,)`` int64 ids, or ``(N, C)`` float values.
        static: ``(B, S)`` float, what does not change over a sequence (numbers, one-hot categories), or None.
        parts: for tokens, the characters of each of the ``N`` tokens (a Ragged of ``N`` sequences of ids), or None.
        targets: a Ragged ``(N, *)`` for a target a step, a Tensor ``(B, *)`` for a target a sequence, None to predict.
        known: ``(B, L + horizon, K)`` float, covariates known ahead over the look-back and the horizon, or None.
        index: ``(B,)`` int64, which examples these are.
    """

    inputs: Ragged
    index: Tensor
    static: Tensor | None = None
    parts: Ragged | None = None
    targets: Ragged | Tensor | None = None
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device | str) -> Batch:
        """Everything but lengths and index on ``device``."""
        return replace(
            self,
            inputs=self.inputs.to(device),
            static=None if self.static is None else self.static.to(device),
            parts=None if self.parts is None else self.parts.to(device),
            targets=None if self.targets is None else self.targets.to(device),
            known=None if self.known is None else self.known.to(device),
        )


class Examples(Protocol):
    """Something to draw batches from. ``lengths`` (steps of each example) serve the bucketing."""

    @property
    def lengths(self) -> Tensor:
        """``(len(self),)`` int64 on the CPU."""
        ...

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Batch:
        """The examples ``index`` ``(B,)`` in that order."""
        ...


@dataclass(frozen=True)
class SequenceExamples:
    """Examples held as ragged tensors; the fields are those of :class:`Batch`, over all rows."""

    inputs: Ragged
    static: Tensor | None = None
    parts: Ragged | None = None
    targets: Ragged | Tensor | None = None

    @property
    def lengths(self) -> Tensor:
        """Steps of each example."""
        return self.inputs.lengths

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: Tensor) -> Batch:
        """The examples ``index`` ``(B,)`` in that order."""
        parts = None
        if self.parts is not None:
            numbers = Ragged(torch.arange(self.inputs.values.shape[0]), self.inputs.lengths)
            parts = self.parts.take(numbers.take(index).values)
        targets = self.targets.take(index) if isinstance(self.targets, Ragged) else self.targets
        return Batch(
            inputs=self.inputs.take(index),
            index=index,
            static=None if self.static is None else self.static[index],
            parts=parts,
            targets=targets[index] if isinstance(targets, Tensor) else targets,
        )
