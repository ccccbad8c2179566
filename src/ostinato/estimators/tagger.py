"""Tagger: a label a token."""

from __future__ import annotations

from typing import Self

import numpy as np

from ostinato.data import Kind
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Tag
from ostinato.tasks.labels import best


class Tagger(SequenceEstimator):
    """Labels every token of a sequence (many-to-many, aligned).

    ``X`` is a list of lists of tokens, ``y`` a list of lists of tags of the same lengths. ``classes_`` are the tags,
    sorted.

    >>> model = Tagger(hidden=8, epochs=1, valid=0.0)
    >>> tags = model.fit([["a", "dog"], ["the", "cat", "sat"]], [["D", "N"], ["D", "N", "V"]]).predict([["a", "cat"]])
    >>> len(tags[0])
    2
    """

    task_name = "tag"
    target_kind = Kind.TAGS

    def fit(self, X: Sequences, y: Sequences) -> Self:
        """Trains; raises ``DataError`` where a row has more or fewer tags than tokens."""
        self._fit(X, y)
        assert isinstance(self.task_, Tag)
        self.classes_ = np.array(self.task_.labels.names)
        return self

    def predict_proba(self, X: Sequences) -> list[np.ndarray]:
        """``(T, K)`` for each sequence: the probability of each of ``classes_`` at every token."""
        outputs, table = self._outputs(X)
        ends = self.task_.examples(table).lengths.cumsum(0).tolist()
        return np.split(outputs["probabilities"], ends[:-1])

    def predict(self, X: Sequences) -> list[list[str]]:
        """A list of tags for each sequence."""
        outputs, table = self._outputs(X)
        assert isinstance(self.task_, Tag)
        names = [self.task_.labels.names[place] for place in best(outputs).tolist()]
        lengths = self.task_.examples(table).lengths.tolist()
        ends = np.cumsum(lengths).tolist()
        return [names[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def score(self, X: Sequences, y: Sequences) -> float:
        """Share of tokens with the right tag."""
        answers = [tag for row in self.predict(X) for tag in row]
        truth = [str(tag) for row in y for tag in row]
        if len(answers) != len(truth):
            raise ValueError(f"y has {len(truth)} tags, X has {len(answers)} tokens")
        return float(np.mean([a == b for a, b in zip(answers, truth, strict=True)]))
