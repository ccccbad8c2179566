"""What a task that writes is answered with: a search by its settings, and its results as one tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.search import NOTHING, Search, write
from ostinato.errors import UsageError
from ostinato.models.writing import WritingModel
from ostinato.tasks.base import Task
from ostinato.tasks.translate import Translate

BATCH = 256
"""Sources that are searched at once."""


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


def decoder(task: Task, greedy: bool) -> Callable[[nn.Module, Batch, Tensor | None], Tensor]:
    """Answers ``(B, 2, L)``: :func:`answers` of the search that the task asks for, greedy without a beam."""
    search = search_of(task, width=1 if greedy else 0)
    assert search is not None

    def decode(model: nn.Module, batch: Batch, output: Tensor | None) -> Tensor:
        del output  # of symbols that were known
        return answers(model, batch, search)

    return decode


def padded(rows: list[list[int]], limit: int) -> Tensor:
    """``(B, 2, limit)`` of rows of ids, cut and filled up; nothing was looked at."""
    told = torch.full((len(rows), 2, limit), NOTHING)
    for number, row in enumerate(rows):
        ids = row[:limit]
        told[number, 0, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return told


class Looked(NamedTuple):
    """One answer and what each of its symbols looked at: ``shares (symbols and end, steps of the source)``."""

    source: tuple[str, ...]
    symbols: tuple[str, ...]
    shares: np.ndarray


def best(model: nn.Module, task: Task, examples: Examples, count: int) -> list[list[tuple[str, float]]]:
    """The ``count`` best answers to each example, best first, with their scores (see :class:`Search`).

    Raises:
        UsageError: the task writes nothing, or ``count`` is below 1.
    """
    search = search_of(task, count=max(1, count))
    if count < 1 or search is None or not isinstance(task, Translate) or not isinstance(model, WritingModel):
        raise UsageError(f"{count} best answers cannot be given by the task '{task.name}': that is for a translation")
    device = next(model.parameters()).device
    answered: list[list[tuple[str, float]]] = [[] for _ in range(len(examples))]
    sources = getattr(examples, "sources", None)
    for index in torch.split(examples.lengths.argsort(stable=True), BATCH):
        found = write(model, examples.take(index).to(device), search)
        for place, row in enumerate(index.tolist()):
            arrays = {key: part[place].cpu().numpy() for key, part in (("ids", found.ids), ("places", found.places))}
            texts = task.texts(arrays, None if sources is None else (sources[row],) * count)
            pairs = zip(texts, found.scores[place].tolist(), strict=True)
            answered[row] = [(text, score) for text, score in pairs if score > float("-inf")]
    return answered


def looked(model: nn.Module, task: Task, examples: Examples, row: int) -> Looked | None:
    """What the best answer to one example looked at, symbol by symbol; None where the model does not look."""
    search = search_of(task)
    sources = getattr(examples, "sources", None)
    if search is None or not isinstance(model, WritingModel) or not model.attends or not isinstance(task, Translate):
        return None
    batch = examples.take(torch.tensor([row])).to(next(model.parameters()).device)
    ids = write(model, batch, search).ids[0, 0]
    ids = ids[ids != NOTHING]
    with torch.inference_mode():
        source = model.read(batch)
        state, shares = source.first, []
        for symbol in (model.begin_id, *ids.tolist()):
            _, state, seen = model.advance(ids.new_tensor([symbol]), state, source)
            shares.append(seen[0, 0].float().cpu().numpy())
    count = int(batch.inputs.lengths[0])
    read = tuple(sources[row]) if sources is not None else tuple(str(step) for step in range(1, count + 1))
    return Looked(read, (*(task.vocabulary.symbol(number) for number in ids.tolist()), "end"), np.stack(shares))
