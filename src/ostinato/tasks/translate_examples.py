"""Pairs of source and target as examples, with what both are in plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ostinato.data.examples import SequenceExamples
from ostinato.data.features import Features


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
