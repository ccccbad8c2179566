"""The rival of a transcriber that hears nothing: the same text for every sound."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.tasks.transcribe import BLANK, Transcribe
from ostinato.tasks.translate_metrics import distance

MOST = 100
"""Texts that are compared with each other."""


class SameText(nn.Module):
    """Says ``ids (U,)`` of everything, as far as a sound has steps for it."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__()
        labels: list[int] = []
        for number in ids:
            labels += [BLANK, number] if labels and labels[-1] == number else [number]
        self.register_buffer("labels", torch.tensor(labels, dtype=torch.int64))
        self.labels: Tensor

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Nothing is scored."""
        del batch, state
        return torch.empty(0), ()

    def paths(self, batch: Batch) -> Tensor:
        """``(N,)``: the text from the first step on, then blanks."""
        path = torch.full((len(batch.inputs.values),), BLANK)
        for start, length in zip(batch.inputs.offsets[:-1].tolist(), batch.inputs.lengths.tolist(), strict=True):
            said = self.labels[:length].cpu()
            path[start : start + len(said)] = said
        return path


def constant(ground: Ground) -> nn.Module:
    """The text of the training whose edit distance to the others, in characters, is least; of equals the first.

    Of more than :data:`MOST` texts as many are drawn.

    Raises:
        UsageError: the task writes no transcripts.
    """
    targets = getattr(ground.train, "targets", None)
    if not isinstance(ground.task, Transcribe) or not isinstance(targets, Ragged):
        raise UsageError(f"constant says a text; the task '{ground.task.name}' does not")
    rows = [row.tolist() for row in targets]
    chosen = np.random.default_rng([ground.seed, 7]).permutation(len(rows))[:MOST]
    texts = [rows[row] for row in sorted(chosen.tolist())]
    total = [sum(distance(one, other) for other in texts) for one in texts]
    return SameText(texts[int(np.argmin(total))])
