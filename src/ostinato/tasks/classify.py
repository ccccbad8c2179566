"""Classify: one label for a sequence (many-to-one)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import Tensor

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.features import Features
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError
from ostinato.tasks import metrics
from ostinato.tasks.base import Outputs, target_array
from ostinato.tasks.dependence import Dependence, equal_inputs
from ostinato.tasks.describe import describe_inputs
from ostinato.tasks.labels import MISSING, Labelled, Labels, best, label_text, probabilities, without_label
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target


@dataclass(frozen=True)
class Classify(Labelled):
    """A label a sequence: text, tokens, DNA or series in, ``K`` labels out.

    A model gives logits ``(B, K)``; :meth:`outputs` gives ``probabilities (B, K)``. The loss is cross entropy, with
    class weights and label smoothing where they are set. Targets are ``(B,)`` int64, see :mod:`ostinato.tasks.labels`
    for the two that are no label.
    """

    name: ClassVar[str] = "classify"
    watch: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    target_kind: ClassVar[Kind | None] = Kind.CATEGORY
    defaults: ClassVar[dict[str, Any]] = {
        "model.hidden": 256,
        "model.bidirectional": True,
        "model.pool": "concat",
        "model.dropout": 0.5,
        "model.embedding_dropout": 0.2,
        "model.symbol_dropout": 0.05,
        "training.keep": "last",
    }

    @property
    def mapping(self) -> str:
        """``many-to-one``."""
        return "many-to-one"

    @property
    def spec(self) -> Spec:
        """One answer a sequence, ``K`` numbers each."""
        return self.features.spec("sequence", len(self.labels))

    @property
    def baselines(self) -> tuple[str, ...]:
        """Majority and the network without memory; for symbols also n-grams, for images all pixels at once."""
        symbols = ("ngram_logistic",) if self.features.symbolic else ()
        pixels = ("logistic",) if self.features.kind == Kind.IMAGE else ()
        return ("majority", "feed_forward", *symbols, *pixels)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns labels and input columns; raises ``DataError`` on a single label."""
        data = with_target(table, data, {Kind.CATEGORY})
        column = table[data.target]
        values = _labels_of(column)
        try:
            labels = Labels.fit(values, data.target)
        except DataError as error:
            raise DataError(str(error), path=table.path) from error
        features = Features.fit(table, data, data.target)
        return cls(
            data.target, features, labels, settings.class_weights, settings.logit_adjustment, settings.label_smoothing
        )

    def examples(self, table: Table) -> SequenceExamples:
        """Inputs, and targets ``(B,)`` where the table has the target column."""
        targets = None
        if self.target in table.columns:
            column = table[self.target]
            targets = self.labels.encode(label_text(column))
            targets[list(without_label(column))] = MISSING
        return self.features.examples(table, targets)

    def notes(self, table: Table) -> tuple[str, ...]:
        """Labels never seen in training, unknown symbols, filled values."""
        notes = self.features.notes(table)
        if self.target not in table.columns:
            return notes
        column = table[self.target]
        values = _labels_of(column)
        return notes + self.labels.unseen(values, "rows")

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Cross entropy in nats over the rows that have a known label."""
        assert isinstance(batch.targets, Tensor)
        return self.label_loss(output, batch.targets)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``probabilities (B, K)``."""
        del batch
        return {"probabilities": probabilities(output)}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``accuracy``, ``macro_f1``, ``log_loss`` (nats), ``error = 1 - accuracy`` over the rows that have a label."""
        return label_metrics(target_array(examples), outputs)

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """1 for a right answer, 0 for a wrong one, of every row that has a label."""
        truth = target_array(examples)
        right: np.ndarray = (truth == outputs["probabilities"].argmax(1))[truth != MISSING]
        return right.astype(np.float64)

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """Rows with equal inputs are one proof."""
        return equal_inputs(examples, target_array(examples) != MISSING)

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """``prediction``, ``probability`` (of it), a probability a label, and ``truth`` where the table has it."""
        chances = outputs["probabilities"]
        names = self.labels.names
        data: dict[str, Any] = {}
        if self.target in table.columns:
            column = table[self.target]
            absent = without_label(column)
            data["truth"] = [None if r in absent else text for r, text in enumerate(label_text(column))]
        data["prediction"] = [names[place] for place in chances.argmax(1)]
        data["probability"] = chances.max(1)
        data |= {f"p({name})": chances[:, place] for place, name in enumerate(names)}
        return pl.DataFrame(data)

    def describe(self, table: Table) -> str:
        """``3,190 DNA sequences of 60 bases; target 'class', 3 labels: many-to-one classification``."""
        inputs = describe_inputs(table, self.features)
        return f"{inputs}; target '{self.target}', {len(self.labels):,} labels: {self.mapping} classification"


def label_metrics(truth: np.ndarray, outputs: Outputs) -> dict[str, float]:
    """Metrics of ``probabilities (n, K)``, and of ``answer (n,)`` where it stands beside, against labels ``(n,)``.

    A missing label is left out; one never seen in training is wrong in ``accuracy``, one more class in ``macro_f1`` and
    left out of ``log_loss``.
    """
    given = truth != MISSING
    truth, chances, answer = truth[given], outputs["probabilities"][given], best(outputs)[given]
    known = truth >= 0
    accuracy = metrics.accuracy(truth, answer)
    return {
        "accuracy": accuracy,
        "macro_f1": metrics.macro_f1(truth, answer),
        "log_loss": metrics.log_loss(truth[known], chances[known]),
        "error": 1.0 - accuracy,
    }


def _labels_of(column: Column) -> list[str]:
    absent = without_label(column)
    return [text for row, text in enumerate(label_text(column)) if row not in absent]
