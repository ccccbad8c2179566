"""Tag: a label for every step (many-to-many, aligned)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.features import Features, check_groups
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError
from ostinato.sequences import Ragged
from ostinato.tasks import metrics
from ostinato.tasks.base import Outputs, target_array
from ostinato.tasks.classify import label_metrics
from ostinato.tasks.describe import describe_inputs
from ostinato.tasks.labels import MISSING, Labelled, Labels, probabilities
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target


@dataclass(frozen=True)
class Tag(Labelled):
    """A label a step: tokens (or DNA, text, series) in, one of ``K`` labels at each step out.

    A model gives logits ``(N, K)``; :meth:`outputs` gives ``probabilities (N, K)`` over the steps of all examples, end
    to end. Targets are a Ragged ``(N,)`` of int64. Where labels mark spans (``B-``, ``I-`` …) metrics hold ``span_f1``.
    """

    name: ClassVar[str] = "tag"
    watch: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    target_kind: ClassVar[Kind | None] = Kind.TAGS
    defaults: ClassVar[dict[str, Any]] = {
        "data.min_count": 2,
        "model.bidirectional": True,
        "model.dropout": 0.4,
        "model.embedding_dropout": 0.4,
        "model.symbol_dropout": 0.1,
        "training.epochs": 8,
    }

    @property
    def mapping(self) -> str:
        """``many-to-many, aligned``."""
        return "many-to-many, aligned"

    @property
    def spec(self) -> Spec:
        """One answer a step, ``K`` numbers each."""
        return self.features.spec("step", len(self.labels))

    @property
    def baselines(self) -> tuple[str, ...]:
        """Majority and the network without memory; for symbols also n-grams around the step."""
        symbols = ("ngram_logistic",) if self.features.symbolic else ()
        return ("majority", "feed_forward", *symbols)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns labels and input columns; raises ``DataError`` on a single label, or tags that are not aligned."""
        check_groups(settings.features)
        data = with_target(table, data, {Kind.TAGS})
        rows = _rows(table[data.target], table)
        try:
            labels = Labels.fit([label for row in rows for label in row], data.target)
        except DataError as error:
            raise DataError(str(error), path=table.path) from error
        features = Features.fit(table, data, data.target, settings.features)
        task = cls(
            data.target, features, labels, settings.class_weights, settings.logit_adjustment, settings.label_smoothing
        )
        task.examples(table)  # refuses tags that are not aligned with the sequence
        return task

    def examples(self, table: Table) -> SequenceExamples:
        """Inputs, and targets a step where the table has the target column.

        Raises:
            DataError: a row has another number of tags than steps.
        """
        inputs = self.features.examples(table)
        if self.target not in table.columns:
            return inputs
        column = table[self.target]
        lengths = inputs.lengths.tolist()
        targets = []
        for row, values in enumerate(_rows(column, table)):
            if row in column.missing:
                targets.append(torch.full((lengths[row],), MISSING))
                continue
            if len(values) != lengths[row]:
                raise DataError(
                    f"{len(values)} tags for {lengths[row]} steps of '{self.features.column}'",
                    path=table.path,
                    row=table.row(row),
                    column=self.target,
                )
            targets.append(self.labels.encode(values))
        aligned = Ragged(torch.cat(targets) if targets else torch.empty(0, dtype=torch.int64), inputs.lengths)
        return SequenceExamples(inputs.inputs, inputs.static, inputs.parts, aligned)

    def notes(self, table: Table) -> tuple[str, ...]:
        """Labels never seen in training, unknown symbols, filled values."""
        notes = self.features.notes(table)
        if self.target not in table.columns:
            return notes
        values = [label for row in _rows(table[self.target], table) for label in row]
        return notes + self.labels.unseen(values, "steps")

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Cross entropy in nats over the steps that have a known label."""
        assert isinstance(batch.targets, Ragged)
        return self.label_loss(output, batch.targets.values)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``probabilities (N, K)`` of every step."""
        del batch
        return {"probabilities": probabilities(output)}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``accuracy``, ``macro_f1``, ``log_loss``, ``error`` over steps, and ``span_f1`` where labels mark spans."""
        truth = target_array(examples)
        values = label_metrics(truth, outputs["probabilities"])
        if metrics.are_spans(self.labels.names):
            lengths = examples.lengths.tolist()
            # A label never seen in training marks no span that could be hit: it is read as outside of any.
            true = [self._named(row) for row in np.split(truth, np.cumsum(lengths)[:-1])]
            answers = np.where(truth == MISSING, MISSING, outputs["probabilities"].argmax(1))
            said = [self._named(row) for row in np.split(answers, np.cumsum(lengths)[:-1])]
            values["span_f1"] = metrics.span_f1(true, said)
        return values

    def _named(self, numbers: np.ndarray) -> list[str]:
        return [self.labels.names[number] if number >= 0 else "O" for number in numbers.tolist()]

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The share of right steps of every sequence that has labelled ones."""
        truth = target_array(examples)
        given = (truth != MISSING).astype(np.float64)
        right = (truth == outputs["probabilities"].argmax(1)) * given
        row = np.repeat(np.arange(len(examples)), examples.lengths.numpy())
        counts = np.bincount(row, given, len(examples))
        hits: np.ndarray = np.bincount(row, right, len(examples))[counts > 0] / counts[counts > 0]
        return hits

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row a step: ``row`` of the table, ``step`` in it, ``symbol``, ``truth``, ``prediction``, ``probability``.

        ``symbol`` stands where the input has some, ``truth`` where the table has it.
        """
        examples = self.features.examples(table)
        lengths = examples.lengths.numpy()
        chances = outputs["probabilities"]
        data: dict[str, Any] = {
            "row": np.repeat(np.arange(len(lengths)), lengths),
            "step": np.arange(len(chances)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1,
        }
        if self.features.vocabulary is not None:
            values = table[self.features.column].values
            data["symbol"] = [
                piece for value in values for piece in replace(self.features.vocabulary, lower=False).pieces(value)
            ]
        if self.target in table.columns:
            column = table[self.target]
            rows = _rows(column, table)
            data["truth"] = pl.Series(
                [
                    label
                    for r, row in enumerate(rows)
                    for label in ([None] * lengths[r] if r in column.missing else row)
                ],
                dtype=pl.String,
            )
        data["prediction"] = [self.labels.names[place] for place in chances.argmax(1)]
        data["probability"] = chances.max(1)
        return pl.DataFrame(data)

    def describe(self, table: Table) -> str:
        """``12,544 token sequences of 1 to 159 tokens; tags 'upos', 17 labels: many-to-many, aligned``."""
        inputs = describe_inputs(table, self.features)
        return f"{inputs}; tags '{self.target}', {len(self.labels):,} labels: {self.mapping}"


def _rows(column: Column, table: Table) -> list[list[str]]:
    """A list of labels a row, none where they are missing; a text holds a label a character."""
    if column.kind not in {Kind.TAGS, Kind.TOKENS, Kind.TEXT}:
        raise DataError(f"a {column.kind.value} column holds no tags", path=table.path, column=column.name)
    return [[] if row in column.missing else list(value) for row, value in enumerate(column.values)]
