"""Translator: a sequence for a sequence."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ostinato.data import Kind
from ostinato.decoding.written import Looked, best, looked
from ostinato.errors import UsageError
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Translate


class Translator(SequenceEstimator):
    """Writes another sequence for each (many-to-many, fed back): translations, spellings, formats.

    ``X`` and ``y`` are lists of strings. Symbols are characters, or sub-words where ``y`` holds sentences (which needs
    the extra ``text``); ``settings={"data.unit": "word"}`` says otherwise.

    >>> model = Translator(hidden=8, epochs=1, valid=0.0).fit(["ab", "abb", "b", "ba"], ["ba", "bba", "b", "ab"])
    >>> len(model.predict(["ab", "bb"]))
    2
    """

    task_name = "translate"
    target_kind = Kind.TEXT

    def _task_settings(self) -> dict[str, Any]:
        return {"data.target": "target", "data.kinds": {"sequence": "text"}}

    def fit(self, X: Sequences, y: Sequences) -> Self:
        """Trains; raises ``DataError`` where a target is empty."""
        return self._fit(X, y)

    def predict(self, X: Sequences) -> list[str]:
        """The best answer to each sequence."""
        outputs, table = self._outputs(X)
        assert isinstance(self.task_, Translate)
        return self.task_.texts(outputs, self.task_.examples(table).sources)

    def predict_best(self, X: Sequences, count: int = 5) -> list[list[tuple[str, float]]]:
        """The ``count`` best answers to each sequence, best first, with their scores."""
        _, table = self._outputs(X)
        return best(self.model_, self.task_, self.task_.examples(table), count)

    def predict_attention(self, X: Sequences) -> list[Looked]:
        """What each symbol of the best answer to each sequence looked at.

        Raises:
            UsageError: the model does not look back (``model.attention`` is ``none``).
        """
        check_is_fitted(self, "model_")
        examples = self.task_.examples(self._table(X, None, self.recipe_.data))
        found = [looked(self.model_, self.task_, examples, row) for row in range(len(examples))]
        seen = [one for one in found if one is not None]
        if len(seen) < len(found):
            raise UsageError("this model was trained with model.attention=none: it does not look back at what it read")
        return seen

    def score(self, X: Sequences, y: Sequences) -> float:
        """Share of answers that are exactly right."""
        answers = self.predict(X)
        return float(np.mean([one == str(other) for one, other in zip(answers, y, strict=True)]))
