"""Small languages and models for the tests of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.models import ModelSettings, build
from ostinato.tasks.language import Language
from ostinato.tasks.settings import TaskSettings


def make_language(texts: Sequence[Any], conditions: Sequence[str] = (), **data: Any) -> Language:
    """A language task fitted on texts (a single one is a document), maybe with a label each."""
    kind = Kind.TEXT if isinstance(texts[0], str) else Kind.TOKENS
    columns = {"text": Column("text", kind, list(texts))}
    if conditions:
        columns["label"] = Column("label", Kind.CATEGORY, list(conditions))
        data["inputs"] = ("label",)
    return Language.fit(Table(columns), DataSettings(target="text", **data), TaskSettings())


def make_model(task: Language, seed: int = 0, **settings: Any) -> nn.Module:
    """An untrained model whose outputs are spread enough to matter."""
    torch.manual_seed(seed)
    model = build(task.spec, ModelSettings(**{"hidden": 8, "embedding": 4, **settings}), TaskSettings()).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3.0)
    return model


class Chain(nn.Module):
    """A model without a cell: the logits after a symbol are its row of a table; its state counts the steps."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, batch: Any, state: Any = None, embedded: Any = None) -> tuple[Tensor, Any]:
        steps = torch.zeros(1, len(batch), 1) if state is None else state[0]
        return self.table[batch.inputs.values], (steps + batch.inputs.lengths[None, :, None],)


def whole_prefix(model: nn.Module, task: Language, ids: Sequence[int], condition: dict[str, Any] | None) -> np.ndarray:
    """Logits after a prefix, from a single run over all of it: what carried states must agree with."""
    from ostinato.data.examples import Batch
    from ostinato.sequences import Ragged

    inputs = Ragged(torch.tensor(list(ids)), torch.tensor([len(ids)]))
    with torch.no_grad():
        logits, _ = model(Batch(inputs, torch.arange(1), static=task.given(condition or {})))
    found: np.ndarray = logits[-1].double().numpy()
    found[list(task.never)] = -np.inf
    return found
