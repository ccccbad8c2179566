"""Tag: a label for every step (many-to-many, aligned)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ostinato.data import dna
from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.features import Features, check_groups
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError, UsageError
from ostinato.nn import chain
from ostinato.sequences import Ragged
from ostinato.tasks import metrics, spans
from ostinato.tasks.base import Outputs, target_array
from ostinato.tasks.classify import label_metrics
from ostinato.tasks.describe import describe_inputs
from ostinato.tasks.labels import MISSING, Labelled, Labels, best, probabilities
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target


@dataclass(frozen=True)
class Tag(Labelled):
    """A label a step: tokens (or DNA, text, series) in, one of ``K`` labels at each step out.

    A model gives logits ``(N, K)``; :meth:`outputs` gives ``probabilities (N, K)`` over the steps of all examples, end
    to end. Targets are a Ragged ``(N,)`` of int64. Where labels mark spans (``B-``, ``I-`` …) metrics are of
    spans too.

    With ``crf`` the labels of a sequence are a chain: a model gives potentials ``(N, K, K)``, the loss is the negative
    log likelihood of the whole sequence of labels, ``probabilities`` are the marginals of each step, ``answer (N,)``
    is the likeliest sequence that keeps to the scheme of the training part.

    Args:
        crf: see ``TaskSettings``.
        never: pairs of neighbours that are no answer, see :func:`ostinato.tasks.spans.never`.
    """

    crf: bool = False
    never: tuple[tuple[int, int], ...] = ()

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
        """One answer a step, ``K`` numbers each, or a chain of them."""
        return replace(self.features.spec("step", len(self.labels)), chain=self.crf)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Majority and the network without memory; for symbols also n-grams around the step."""
        symbols = ("ngram_logistic",) if self.features.symbolic else ()
        return ("majority", "feed_forward", *symbols)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns labels and input columns; raises ``DataError`` on a single label, or tags that are not aligned."""
        check_groups(settings.features)
        _check_chain(settings)
        dna.check_strands(data, Kind.DNA, "labels a step stand on one strand")
        data = with_target(table, data, {Kind.TAGS})
        rows = _rows(table[data.target], table)
        try:
            labels = Labels.fit([label for row in rows for label in row], data.target)
        except DataError as error:
            raise DataError(str(error), path=table.path) from error
        features = Features.fit(table, data, data.target, settings.features)
        kept = settings.crf and metrics.are_spans(labels.names)
        task = cls(
            data.target,
            features,
            labels,
            settings.class_weights,
            settings.logit_adjustment,
            settings.label_smoothing,
            settings.crf,
            spans.never(labels.names, [row for row in rows if row]) if kept else (),
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
        """Cross entropy in nats over the steps that have a known label; of a chain, nats of all by their number.

        Where a chain lacks a label, all are summed over.
        """
        assert isinstance(batch.targets, Ragged)
        targets = batch.targets.values
        if output.dim() < 3:  # a rival looks at one label after the other
            return self.label_loss(output, targets)
        count = int((targets >= 0).sum())
        likelihood = chain.log_likelihood(Ragged(output.float(), batch.inputs.lengths), targets)
        return -likelihood.sum() / max(1, count), count

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``probabilities (N, K)`` of every step, and of a chain the likeliest ``answer (N,)``."""
        if output.dim() < 3:
            return {"probabilities": probabilities(output)}
        potentials = self._kept(Ragged(output.detach().double(), batch.inputs.lengths))
        marginals = chain.marginals(potentials).float()
        return {"probabilities": marginals.cpu().numpy(), "answer": chain.viterbi(potentials).cpu().numpy()}

    def _kept(self, potentials: Ragged) -> Ragged:
        """Without the pairs of neighbours that are no answer."""
        if not self.never or not len(potentials.values):
            return potentials
        size = len(self.labels)
        barred = torch.from_numpy(spans.barred(self.never, size)).to(potentials.values.device)
        there = potentials.lengths > 0
        values = potentials.values.masked_fill(barred[:size, :size], chain.NEVER)
        first, last = potentials.offsets[:-1][there], potentials.offsets[1:][there] - 1
        values[first] = potentials.values[first].masked_fill(barred[size, :size], chain.NEVER)
        values[last] = values[last].masked_fill(barred[:size, size], chain.NEVER)
        return Ragged(values, potentials.lengths)

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``accuracy``, ``macro_f1``, ``log_loss``, ``error`` over steps, and ``span_f1`` where labels mark spans."""
        truth = target_array(examples)
        values = label_metrics(truth, outputs)
        if metrics.are_spans(self.labels.names):
            lengths = examples.lengths.tolist()
            # A label never seen in training marks no span that could be hit: it is read as outside of any.
            true = [self._named(row) for row in np.split(truth, np.cumsum(lengths)[:-1])]
            answers = np.where(truth == MISSING, MISSING, best(outputs))
            said = [self._named(row) for row in np.split(answers, np.cumsum(lengths)[:-1])]
            values |= metrics.span_scores(true, said)
        return values

    def _named(self, numbers: np.ndarray) -> list[str]:
        return [self.labels.names[number] if number >= 0 else "O" for number in numbers.tolist()]

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The share of right steps of every sequence that has labelled ones."""
        truth = target_array(examples)
        given = (truth != MISSING).astype(np.float64)
        right = (truth == best(outputs)) * given
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
        answers = best(outputs)
        data["prediction"] = [self.labels.names[place] for place in answers]
        data["probability"] = chances[np.arange(len(answers)), answers]
        return pl.DataFrame(data)

    def describe(self, table: Table) -> str:
        """``12,544 token sequences of 1 to 159 tokens; tags 'upos', 17 labels: many-to-many, aligned``."""
        inputs = describe_inputs(table, self.features)
        return f"{inputs}; tags '{self.target}', {len(self.labels):,} labels: {self.mapping}"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return super().to_config() | {"crf": self.crf, "never": [list(pair) for pair in self.never]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        task = super().from_config(config)
        never = config.get("never", [])  # version 0.1.0 had no chains
        size = len(task.labels)
        if not all(len(pair) == 2 and all(0 <= place <= size for place in pair) for pair in never):
            raise ModelFolderError("the task is damaged: 'never' holds pairs of numbers of labels")
        return replace(task, crf=bool(config.get("crf", False)), never=tuple((i, j) for i, j in never))


def _check_chain(settings: TaskSettings) -> None:
    """Raises ``UsageError`` for a setting that weighs labels one by one, which a chain does not."""
    for key in ("class_weights", "logit_adjustment", "label_smoothing"):
        if settings.crf and getattr(settings, key) != getattr(TaskSettings, key):
            raise UsageError(f"task.{key} weighs labels one by one and a CRF whole sequences: leave task.{key} out")


def _rows(column: Column, table: Table) -> list[list[str]]:
    """A list of labels a row, none where they are missing; a text holds a label a character."""
    if column.kind not in {Kind.TAGS, Kind.TOKENS, Kind.TEXT}:
        raise DataError(f"a {column.kind.value} column holds no tags", path=table.path, column=column.name)
    return [[] if row in column.missing else list(value) for row, value in enumerate(column.values)]
