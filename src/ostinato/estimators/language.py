"""LanguageModel: what comes next in a text, and texts of its own."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from sklearn.utils.validation import check_is_fitted

from ostinato.data import Column, Kind, Table, from_rows
from ostinato.data.settings import DataSettings
from ostinato.decoding.generate import samples
from ostinato.decoding.sampling import Sampling
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.runs.recipe import Recipe

TEXT, CONDITION = "sequence", "condition"


class LanguageModel(SequenceEstimator):
    """Learns to continue texts (many-to-many, fed back), or to write them from a class (one-to-many).

    ``X`` is one string (a document, of which windows are read with the state carried over) or a list of strings (texts
    with a begin and an end). ``y``, if given, is a class a text; :meth:`generate` then takes ``condition``.

    >>> model = LanguageModel(hidden=8, epochs=1, valid=0.0).fit(["abab", "abba", "baab"])
    >>> len(model.generate(count=2, length=5))
    2
    """

    task_name: ClassVar[str] = "language"

    def _task_settings(self) -> dict[str, Any]:
        return {"data.target": TEXT, "data.kinds": {TEXT: "text"}}

    def fit(self, X: Sequences, y: Sequences = None) -> Self:
        """Trains; a single string is one document."""
        self._conditional = y is not None
        return self._fit([X] if isinstance(X, str) else X, y)

    def _table(self, X: Sequences, y: Sequences, data: DataSettings) -> Table:
        table = from_rows([X] if isinstance(X, str) else X, None, data)
        if y is None:
            return table
        values = [str(label) for label in y]
        return Table({**table.columns, CONDITION: Column(CONDITION, Kind.CATEGORY, values)}, None, table.line_of)

    def _recipe(self) -> Recipe:
        recipe = super()._recipe()
        return recipe.override({"data.inputs": (CONDITION,)}) if self._conditional else recipe

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        condition: str | None = None,
        count: int = 1,
    ) -> list[str]:
        """``count`` texts that begin with ``prompt``; the same for the same ``random_state``."""
        check_is_fitted(self, "model_")
        return samples(
            self.model_,
            self.task_,
            prompt=prompt,
            length=length,
            sampling=Sampling(temperature, top_k, top_p),
            seed=self.random_state,
            condition=None if condition is None else {CONDITION: condition},
            count=count,
        )

    def score(self, X: Sequences, y: Sequences = None) -> float:
        """Minus the nats a symbol: higher is better, 0 the best."""
        check_is_fitted(self, "model_")
        table = self._table(X, y, self.recipe_.data)
        examples = self.task_.examples(table)
        outputs, _ = self._outputs_of(table)
        return -float(self.task_.metrics(outputs, examples)["nats"])
