"""Transcriber: what is said in a sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ostinato.data import Kind, Table, from_rows
from ostinato.data.frames import SEQUENCE
from ostinato.data.settings import DataSettings
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Transcribe
from ostinato.tasks.transcribe import Word


class Transcriber(SequenceEstimator):
    """Writes what is heard (many-to-many): sounds in, texts out. Needs the extra ``audio``.

    ``X`` is a list of file names, or of arrays of samples ``(T,)``, whose rate is told by
    ``settings={"audio.rate": 16000}``; ``y`` is a list of texts.

    >>> import numpy as np
    >>> tones = [np.sin(np.arange(4000) * pitch) for pitch in (0.2, 0.9, 0.2, 0.9)]
    >>> model = Transcriber(hidden=4, epochs=1, valid=0.0, settings={"audio.rate": 8000})
    >>> len(model.fit(tones, ["low", "high", "low", "high"]).predict(tones))
    4
    """

    task_name = "transcribe"
    target_kind = Kind.TEXT

    def _task_settings(self) -> dict[str, Any]:
        return {"data.target": "target", "data.kinds": {SEQUENCE: "audio"}}

    def _table(self, X: Sequences, y: Sequences, data: DataSettings) -> Table:
        if isinstance(X, list | tuple):
            X = [str(row) if isinstance(row, Path) else row for row in X]
        table = from_rows(X, y, data, target_kind=self.target_kind)
        if SEQUENCE not in table.columns or table[SEQUENCE].kind != Kind.SERIES:
            return table
        column = table[SEQUENCE]
        sounds = replace(column, kind=Kind.AUDIO, values=[samples[:, 0] for samples in column.values])
        return replace(table, columns={**table.columns, SEQUENCE: sounds})

    def fit(self, X: Sequences, y: Sequences) -> Self:
        """Trains.

        Raises:
            DataError: a file cannot be read, a text is empty, or needs more steps than its sound has.
        """
        return self._fit(X, y)

    def predict(self, X: Sequences) -> list[str]:
        """The text of each sound."""
        outputs, _ = self._outputs(X)
        assert isinstance(self.task_, Transcribe)
        return self.task_.texts(outputs)

    def predict_words(self, X: Sequences) -> list[list[Word]]:
        """The words of each sound, with the seconds from which to which they were said."""
        outputs, _ = self._outputs(X)
        assert isinstance(self.task_, Transcribe)
        return self.task_.words(outputs)

    def score(self, X: Sequences, y: Sequences) -> float:
        """1 less the word error rate: 1 is the best."""
        table = self._table(X, y, self.recipe_.data)
        examples = self.task_.examples(table)
        outputs, _ = self._outputs_of(table)
        return 1.0 - self.task_.metrics(outputs, examples)["wer"]
