"""Classifier: a label a sequence."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import ClassifierMixin

from ostinato.data import Kind
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Classify


class Classifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """Labels sequences (many-to-one). Parameters: :class:`~ostinato.estimators.base.SequenceEstimator`.

    ``X`` is a list of strings, of lists of tokens, of arrays ``(T,)`` or ``(T, C)``, an array ``(n, T)`` or
    ``(n, T, C)``, or a data frame; lengths may differ. ``y`` holds labels of any type. ``classes_`` are the labels,
    sorted.

    >>> model = Classifier(hidden=8, epochs=1, valid=0.0)
    >>> model.fit(["aab", "abb", "xyz", "xzz"], [0, 0, 1, 1]).predict(["aaa"]).shape
    (1,)
    """

    task_name = "classify"
    target_kind = Kind.CATEGORY

    def fit(self, X: Sequences, y: Sequences) -> Self:
        """Trains; raises ``DataError`` on a single class or lengths of ``X`` and ``y`` that differ."""
        labels = np.asarray(y)
        self.classes_ = np.unique(labels)
        self._fit(X, [str(label) for label in labels.tolist()])
        assert isinstance(self.task_, Classify)
        place = {name: number for number, name in enumerate(self.task_.labels.names)}
        self._order = np.array([place[str(label)] for label in self.classes_.tolist()])
        return self

    def predict_proba(self, X: Sequences) -> np.ndarray:
        """``(n, K)``: the probability of each of ``classes_``."""
        outputs, _ = self._outputs(X)
        probabilities: np.ndarray = outputs["probabilities"][:, self._order]
        return probabilities

    def predict(self, X: Sequences) -> np.ndarray:
        """``(n,)``: the likeliest of ``classes_``."""
        best = self.predict_proba(X).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels
