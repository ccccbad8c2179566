"""What a task that writes is answered with: a search by its settings, and its results as one tensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.search import NOTHING, Search
from ostinato.models.writing import WritingModel
from ostinato.tasks.base import Task
from ostinato.tasks.translate import Translate


def search_of(task: Task, *, width: int = 0, count: int = 1) -> Search | None:
    """The search that a task's settings ask for, None of a task that writes nothing.

    Args:
        task: fitted.
        width: of the beam; 0: as the task has it, or what ``count`` needs.
        count: answers wanted for each source.
    """
    if not isinstance(task, Translate):
        return None
    settings, vocabulary = task.settings, task.vocabulary
    copies = task.features is not None and task.features.vocabulary is not None
    return Search(
        end=vocabulary.end,
        limit=task.limit,
        width=width or max(settings.beam, count),
        alpha=settings.length_weight,
        coverage=settings.coverage,
        banned=(vocabulary.begin,) if copies else (Vocabulary.UNKNOWN, vocabulary.begin),
        count=count,
    )


def answers(model: nn.Module, batch: Batch, search: Search) -> Tensor:
    """``(B, 2, L)``: ids and places of the best answer to each source.

    A model that tells its answers itself (a baseline) has ``answers(batch, limit) -> (B, 2, L)``.
    """
    if isinstance(model, WritingModel):
        found = search.run(model, batch)
        return torch.stack([found.ids[:, 0], found.places[:, 0]], dim=1)
    told: Tensor = model.answers(batch, search.limit)  # type: ignore[operator]
    return told


def padded(rows: list[list[int]], limit: int) -> Tensor:
    """``(B, 2, limit)`` of rows of ids, cut and filled up; nothing was looked at."""
    told = torch.full((len(rows), 2, limit), NOTHING)
    for number, row in enumerate(rows):
        ids = row[:limit]
        told[number, 0, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return told
