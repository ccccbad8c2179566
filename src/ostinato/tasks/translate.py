"""Translate: a sequence (or a class, or numbers) in, another sequence out, written symbol by symbol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.data import dna
from ostinato.data.examples import Batch, Examples
from ostinato.data.features import Features, input_columns
from ostinato.data.layouts import Layout
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division, divide
from ostinato.data.static import Static
from ostinato.data.table import Column, Kind, Table
from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError, intact
from ostinato.sequences import Ragged
from ostinato.tasks import translate_metrics
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.describe import describe_inputs, spread
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.translate_examples import PairExamples, symbols_of

WRITTEN = frozenset({Kind.TEXT, Kind.TOKENS, Kind.DNA, Kind.CATEGORY, Kind.ID, Kind.TAGS})
"""Kinds of a column that can be written."""
SENTENCE = 3.0
"""Targets of so many words on average are sentences, which are cut into sub-words and judged by BLEU."""
Judge = Literal["bleu", "cer"]


@dataclass(frozen=True)
class Translate(Task):
    """The likeliest sequence for each input, found by a beam.

    A model gives logits ``(N', V)`` of every symbol of the target and its end. An answer is two rows of whole numbers
    ``(B, 2, L)``, -1 after its end: ids, and the step of the source that each looked at most. :meth:`outputs` gives
    them as ``ids (B, L)`` and ``places (B, L)`` int32. An unknown symbol that is written is copied from that place.

    Sentences are judged by BLEU, whatever else is written by the share of symbols that are wrong.
    """

    features: Features | None
    condition: Static
    target: str
    vocabulary: Vocabulary
    limit: int
    judge: Judge
    settings: TaskSettings

    name: ClassVar[str] = "translate"
    reads: ClassVar[Layout] = "pairs"
    decoder: ClassVar[str] = "search"
    defaults: ClassVar[dict[str, Any]] = {
        "data.unit": "auto",
        "model.bidirectional": True,
        "model.hidden": 256,
        "model.embedding": 128,
        "model.tied": True,
        "model.dropout": 0.2,
        "task.label_smoothing": 0.1,
        "training.epochs": 15,
        "training.batch_size": 64,
        "optimizer.learning_rate": 3e-3,
    }

    @property
    def watch(self) -> str:  # type: ignore[override]
        """``bleu`` of sentences, else ``cer``."""
        return self.judge

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """Of BLEU."""
        return self.judge == "bleu"

    @property
    def mapping(self) -> str:
        """``many-to-many, fed back``, or ``one-to-many`` without a sequence to read."""
        return "one-to-many" if self.features is None else "many-to-many, fed back"

    @property
    def shared(self) -> bool:
        """Whether source and target have one vocabulary."""
        return self.features is not None and self.features.vocabulary == self.vocabulary

    @property
    def spec(self) -> Spec:
        """A text of ``V`` symbols; without a sequence the condition is read as a sequence of one step."""
        size, begin = len(self.vocabulary), self.vocabulary.begin
        if self.features is None:
            return Spec("values", self.condition.size, "text", size, begin=begin)
        inputs = self.features.spec("step", size)
        return replace(inputs, outputs="text", begin=begin, shared=self.shared)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The nearest example of the training, a dictionary of symbols, and the network without memory."""
        known = self.features is not None and self.features.vocabulary is not None
        return ("nearest", *(("dictionary",) if known else ()), "feed_forward")

    @classmethod
    def divide(
        cls,
        table: Table,
        data: DataSettings,
        settings: TaskSettings,
        seed: int,
        valid: Table | None = None,
        test: Table | None = None,
    ) -> Division:
        """As rows; equal sources stay together."""
        del settings
        target = written_column(table, data)
        chosen = input_columns(table, replace(data, target=target), target)
        inputs = (*chosen.sequence, *chosen.static)
        return divide(table, replace(data, target="", inputs=inputs), seed, valid=valid, test=test)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns the symbols of both sides; of two texts cut in the same way they are one vocabulary.

        Raises:
            DataError: no target, an empty target, no input.
            UsageError: what is needed for sentences is not installed.
        """
        dna.check_strands(data, Kind.DNA, "what is written belongs to the bases read, one by one, on this strand")
        target = written_column(table, data)
        column = table[target]
        check_written(table, column)
        values = list(column.values)
        unit, judge = _unit(column, values, data)
        settings = replace(settings, features=())
        if judge == "bleu":
            translate_metrics.sacrebleu()  # before the long work
        chosen = input_columns(table, replace(data, target=target), target)
        data = replace(data, target=target, unit="char" if unit == "token" else unit)
        features = Features.fit(table, data, target, marks=True) if chosen.sequence else None
        kind = None if features is None else features.kind
        if features is not None and kind == Kind.TEXT and unit in {"subword", "char", "byte"}:
            values = [*table[features.column].values, *values]
        lower = data.lower and unit != "token"
        vocabulary = Vocabulary.fit(values, unit, min_count=data.min_count, marks=True, lower=lower, size=data.subwords)
        if features is not None and kind == Kind.TEXT and unit in {"subword", "char", "byte"}:
            features = replace(features, vocabulary=vocabulary)
        condition = Static() if features is not None else Static.fit(table, chosen.static)
        if features is None and not condition.size:
            raise DataError("there is nothing to write from: no other column can be an input", path=table.path)
        longest = int(vocabulary.encode(list(column.values)).lengths.max())
        return cls(features, condition, target, vocabulary, longest + longest // 2 + 5, judge, settings)

    def examples(self, table: Table) -> PairExamples:
        """Every row as source and target; without targets where the column is absent.

        Raises:
            DataError: a target is empty; file and row are named.
        """
        if self.features is not None:
            read = self.features.examples(table)
            inputs, static = read.inputs, read.static
            column = table[self.features.column]
            sources = symbols_of(self.features, list(column.values))
        else:
            values = self.condition.encode(table)
            assert values is not None
            inputs, static, sources = Ragged(values, torch.ones(len(values), dtype=torch.int64)), None, None
        if self.target not in table.columns or len(table[self.target].missing) == len(table) > 0:
            return PairExamples(inputs, static=static, sources=sources)
        column = table[self.target]
        check_written(table, column)
        ids = self.vocabulary.encode(list(column.values))
        targets = ids.append(self.vocabulary.end)
        return PairExamples(inputs, static=static, targets=targets, sources=sources, truth=tuple(column.values))

    def notes(self, table: Table) -> tuple[str, ...]:
        """Symbols of source and target that were never seen, and where the first one of the target stands."""
        notes = [f"source: {note}" for note in (self.features.notes(table) if self.features else ())]
        if self.target in table.columns:
            column = table[self.target]
            ids = self.vocabulary.encode(list(column.values))
            unknown = (ids.values == Vocabulary.UNKNOWN).nonzero()[:, 0]
            if len(unknown):
                row = int(torch.searchsorted(ids.offsets[1:], unknown[0], right=True))
                place = int(unknown[0] - ids.offsets[row])
                piece = replace(self.vocabulary, lower=False).pieces(column.values[row])[place]
                line = f", row {table.row(row):,}" if table.row(row) is not None else ""
                notes.append(
                    f"{table.path or 'the table'}{line}, column '{self.target}': '{piece}' never occurred in training. "
                    f"{len(unknown):,} of {len(ids.values):,} symbols of the target are unknown: only a copy "
                    "can hold them"
                )
        return tuple(notes)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean of ``-ln p(symbol)`` over all symbols and ends, in nats, smoothed by ``task.label_smoothing``."""
        if not isinstance(batch.targets, Ragged):
            return output.sum() * 0.0, 0
        targets = batch.targets.values
        return F.cross_entropy(output, targets, label_smoothing=self.settings.label_smoothing), len(targets)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``ids`` and ``places``, ``(B, L)`` int32 each, of an answer ``(B, 2, L)``."""
        del batch
        numbers = output.cpu().numpy().astype(np.int32)
        return {"ids": numbers[:, 0], "places": numbers[:, 1]}

    def texts(self, outputs: Outputs, sources: tuple[tuple[str, ...], ...] | None) -> list[str]:
        """The answers as text; an unknown symbol is the symbol of the source that it looked at."""
        found = []
        for row, (ids, places) in enumerate(zip(outputs["ids"].tolist(), outputs["places"].tolist(), strict=True)):
            symbols = []
            for number, place in zip(ids, places, strict=True):
                if number < 0:
                    break
                source = () if sources is None else sources[row]
                copied = number == Vocabulary.UNKNOWN and 0 <= place < len(source)
                symbols.append(source[place] if copied else self.vocabulary.symbol(number))
            found.append(self.vocabulary.join(symbols))
        return found

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``bleu`` of sentences; ``cer``, and ``accuracy``, the share of exact answers."""
        said, truth = self._compared(outputs, examples)
        return translate_metrics.metrics(said, truth, self.judge, lower=self.vocabulary.lower)

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """BLEU of every sentence, or the share of wrong symbols of every target."""
        said, truth = self._compared(outputs, examples)
        return translate_metrics.scores(said, truth, self.judge, lower=self.vocabulary.lower)

    def _compared(self, outputs: Outputs, examples: Examples) -> tuple[list[str], list[str]]:
        assert isinstance(examples, PairExamples)
        if examples.truth is None:
            raise ValueError("these examples have no targets: metrics need the truth")
        truth = [value if isinstance(value, str) else " ".join(value) for value in examples.truth]
        return self.texts(outputs, examples.sources), [t.lower() if self.vocabulary.lower else t for t in truth]

    @property
    def measure(self) -> str:
        """The signature of sacreBLEU, where sentences are judged by it."""
        return translate_metrics.signature(lower=self.vocabulary.lower) if self.judge == "bleu" else ""

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row an answer: ``truth`` where the table has it, and ``prediction``."""
        data: dict[str, Any] = {}
        if self.target in table.columns:
            column = table[self.target]
            data["truth"] = [v if isinstance(v, str) else " ".join(v) for v in column.values]
        sources = None if self.features is None else symbols_of(self.features, list(table[self.features.column].values))
        data["prediction"] = self.texts(outputs, sources)
        return pl.DataFrame(data, schema=dict.fromkeys(data, pl.String))

    def describe(self, table: Table) -> str:
        """``900 texts of 10 to 18 characters; to be written: 'iso', 10 to 10 characters, 12 different``."""
        if self.features is not None:
            inputs = describe_inputs(table, self.features)
        else:
            inputs = f"{len(table):,} rows of " + ", ".join(f"'{column.name}'" for column in self.condition.columns)
        lengths = self.vocabulary.encode(list(table[self.target].values)).lengths
        size = spread(int(lengths.min()), int(lengths.max())) if len(lengths) else "no"
        what = {"char": "characters", "subword": "sub-words"}.get(self.vocabulary.unit, f"{self.vocabulary.unit}s")
        both = " in both" if self.shared else ""
        known = f"{len(self.vocabulary.symbols):,} different{both}"
        return f"{inputs}; to be written: '{self.target}', {size} {what}, {known}: {self.mapping}"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        names = ("label_smoothing", "beam", "length_weight", "coverage")
        return {
            "name": self.name,
            "features": None if self.features is None else self.features.to_config(),
            "condition": self.condition.to_config(),
            "target": self.target,
            "vocabulary": self.vocabulary.to_config(),
            "limit": self.limit,
            "judge": self.judge,
            "settings": {name: getattr(self.settings, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            features = None if config["features"] is None else Features.from_config(config["features"])
            return cls(
                features,
                Static.from_config(config["condition"]),
                config["target"],
                Vocabulary.from_config(config["vocabulary"]),
                int(config["limit"]),
                config["judge"],
                replace(TaskSettings(**config["settings"]), features=()),
            )


def written_column(table: Table, data: DataSettings) -> str:
    """The target: the one named, or the last column that is neither input nor id."""
    if data.target:
        target: str = table[data.target].name
        return target
    found = [c.name for c in table if c.kind in WRITTEN and c.name not in {data.id, data.time, *data.inputs}]
    if not found:
        raise DataError("no column holds what is to be written; choose one with --target", path=table.path)
    last: str = found[-1]
    return last


def check_written(table: Table, column: Column) -> None:
    """Raises ``DataError`` for a target that cannot be written, or an empty one, with its row."""
    if column.kind not in WRITTEN:
        raise DataError(
            f"a {column.kind.value} column cannot be written; read it as text with --set data.kinds.{column.name}=text",
            path=table.path,
            column=column.name,
        )
    for row, value in enumerate(column.values):
        if not value:
            raise DataError(
                "the target is empty: write it, or take the row out",
                path=table.path,
                row=table.row(row),
                column=column.name,
            )


def _unit(
    column: Column, values: list[Any], data: DataSettings
) -> tuple[Literal["char", "word", "byte", "subword", "token"], Judge]:
    """How targets are cut, and what judges them."""
    if column.kind in {Kind.TOKENS, Kind.TAGS}:
        return "token", "cer"
    words = float(np.mean([len(value.split()) for value in values])) if column.kind != Kind.DNA else 1.0
    sentences = words >= SENTENCE and data.unit in {"auto", "word", "subword"}
    if data.unit != "auto":
        return data.unit, "bleu" if sentences else "cer"
    return ("subword", "bleu") if sentences else ("char", "cer")
