"""Pairs of source and target as examples, with what both are in plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato.data.examples import SequenceExamples
from ostinato.data.features import Features
from ostinato.sequences import Ragged


@dataclass(frozen=True)
class PairExamples(SequenceExamples):
    """Beside the tensors: the symbols of each source, by which unknown ones are copied, and the true targets."""

    sources: tuple[tuple[str, ...], ...] | None = None
    truth: tuple[Any, ...] | None = None

    @property
    def lengths(self) -> Tensor:
        """Steps of each source."""
        return self.inputs.lengths


def symbols_of(features: Features, values: list[Any]) -> tuple[tuple[str, ...], ...] | None:
    """The symbols of each source, known or not; None where it has none."""
    if features.vocabulary is None:
        return None
    return tuple(tuple(pieces) for pieces in features.vocabulary.cut(values))


def with_end(ids: Ragged, end: int) -> Ragged:
    """Each sequence with ``end`` after it."""
    lengths = ids.lengths + 1
    values = torch.full((int(lengths.sum()),), end, dtype=torch.int64)
    inside = torch.ones(len(values), dtype=torch.bool)
    inside[lengths.cumsum(0) - 1] = False
    values[inside] = ids.values
    return Ragged(values, lengths)
