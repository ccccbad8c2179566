"""Regressor: a number a sequence."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import RegressorMixin

from ostinato.data import Kind
from ostinato.estimators.base import SequenceEstimator, Sequences


class Regressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """Gives a number for a sequence (many-to-one). ``X`` as for :class:`~ostinato.Classifier`; ``y`` holds numbers.

    >>> model = Regressor(hidden=8, epochs=1, valid=0.0)
    >>> model.fit([[0.0, 1.0], [1.0, 2.0, 3.0]], [1.0, 6.0]).predict([[1.0]]).shape
    (1,)
    """

    task_name = "regress"
    target_kind = Kind.NUMBER

    def fit(self, X: Sequences, y: Sequences) -> Self:
        """Trains; raises ``DataError`` where ``y`` holds no numbers."""
        return self._fit(X, y)

    def predict(self, X: Sequences) -> np.ndarray:
        """``(n,)`` float64."""
        outputs, _ = self._outputs(X)
        values: np.ndarray = outputs["value"]
        return values
