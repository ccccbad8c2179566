"""Language: the next symbol of a text, and so new texts (many-to-many, fed back; from a condition: one-to-many)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.data import dna
from ostinato.data.batching import lanes
from ostinato.data.documents import cut_documents
from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division, divide
from ostinato.data.static import Static
from ostinato.data.strands import either_strand, other_strand
from ostinato.data.table import Column, Kind, Table
from ostinato.data.vocabulary import Unit, Vocabulary
from ostinato.errors import DataError, intact
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of
from ostinato.tasks import metrics
from ostinato.tasks.base import Outputs, Task, target_array
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.describe import spread
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.writing import Writing, condition_row, writing

DOCUMENT = 1000
"""Texts of so many steps on average, or a single text, are documents."""
FEW = 10
"""Fewer documents than this are cut by position; more are divided as rows."""
LANE = 256
"""A lane begins without memory of what came before, so a short document is cut into fewer of them."""
BLOCK = 1000
"""Steps of a document that make one score."""


@dataclass(frozen=True)
class Language(Task):
    """The next symbol at every step, given all before it and the condition, if there is one.

    A document is one stream without begin or end: its symbols but the last are inputs, its symbols but the first are
    targets. A text is read as ``begin s1 … sn`` and answered with ``s1 … sn end``. A model gives logits ``(N, V)``.
    :meth:`outputs` gives, for every step of all examples end to end, ``nll (N,)``, the negative log likelihood of the
    next symbol in nats, and ``correct (N,)``, whether it was the likeliest. A symbol that the vocabulary does not
    know is scored as the unknown symbol. Where symbols are several bases of DNA, all metrics are of one base.

    Args:
        column: of the texts.
        vocabulary: of their symbols.
        condition: what they are written from.
        document: whether a text is a stream without begin or end.
        strands: whether DNA is learned from both ends.
    """

    column: str
    vocabulary: Vocabulary
    condition: Static
    document: bool
    strands: bool = False

    name: ClassVar[str] = "language"
    watch: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False
    defaults: ClassVar[dict[str, Any]] = {
        "model.hidden": 256,
        "training.epochs": 10,
        "training.window": 128,
        "optimizer.learning_rate": 4e-3,
    }

    @property
    def mapping(self) -> str:
        """``one-to-many`` with a condition, else ``many-to-many, fed back``."""
        return "one-to-many" if self.condition.columns else "many-to-many, fed back"

    @property
    def spec(self) -> Spec:
        """An answer a step, ``V`` numbers each; causal."""
        size = len(self.vocabulary)
        return Spec("ids", size, "step", size, static_size=self.condition.size, causal=True)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The k-gram and the network without memory."""
        return ("kgram", "feed_forward")

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
        """Cuts a few documents by position; divides texts as rows, equal ones together, conditions in balance."""
        del settings
        chosen = writing(table, data)
        texts = table[chosen.text].values
        lengths = [len(text) for text in texts]
        whole = chosen.conditions or len(texts) >= FEW or (len(texts) > 1 and np.mean(lengths) < 2 * DOCUMENT)
        if len(texts) == 1 and not (valid and test) and data.split not in {"auto", "time"}:
            raise DataError(
                f"a single document is cut by position, not by data.split={data.split}: leave data.split out",
                path=table.path,
            )
        if whole or data.split not in {"auto", "time"}:
            stratum = next((name for name in chosen.conditions if table[name].kind == Kind.CATEGORY), "")
            return divide(table, replace(data, target=stratum, inputs=(chosen.text,)), seed, valid=valid, test=test)
        given = replace(data, valid=0.0 if valid else data.valid, test=0.0 if test else data.test)
        parts = cut_documents(table, chosen.text, given)
        return Division(parts[0], parts[1] if valid is None else valid, parts[2] if test is None else test)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns the vocabulary, and the condition's labels and scales."""
        del settings
        chosen = writing(table, data)
        column = table[chosen.text]
        dna.check_strands(data, column.kind)
        unit: Unit = "token" if column.kind == Kind.TOKENS else _unit(column, data)
        values, both = _texts(column), data.strands == "both"
        counted = Vocabulary((), "word" if unit == "subword" else unit)  # sub-words are not learned yet
        steps = sum(len(counted.pieces(value)) for value in values)
        if not steps:
            raise DataError("there is no text to learn from", path=table.path, column=column.name)
        document = not chosen.conditions and (len(values) == 1 or steps / len(values) >= DOCUMENT)
        vocabulary = Vocabulary.fit(
            values + [dna.reverse_complement(value) for value in values if both],
            unit,
            min_count=data.min_count,
            marks=not document,
            lower=data.lower,
            size=data.subwords,
            width=data.kmer,
            stride=data.kmer,
        )
        return cls(column.name, vocabulary, Static.fit(table, chosen.conditions), document, both)

    def examples(self, table: Table) -> SequenceExamples:
        """Every row as symbols in and the next symbols out."""
        ids = self.vocabulary.encode(_texts(table[self.column]))
        if self.document:
            lengths = (ids.lengths - 1).clamp(min=0)
            steps = steps_of(ids.offsets[:-1], lengths)
            inputs, targets = ids.values[steps], ids.values[steps + 1]
            return SequenceExamples(Ragged(inputs, lengths), targets=Ragged(targets, lengths))
        return SequenceExamples(
            ids.prepend(self.vocabulary.begin),
            static=self.condition.encode(table),
            targets=ids.append(self.vocabulary.end),
        )

    def lay_out(self, examples: Examples, batch_size: int) -> Examples:
        """Documents as up to ``batch_size`` lanes side by side, none shorter than ``LANE`` steps; texts as they are."""
        if not self.document or not isinstance(examples, SequenceExamples):
            return examples
        return lanes(examples, max(1, min(batch_size, int(examples.lengths.sum()) // LANE)))

    def draw(self, examples: Examples, index: Tensor) -> Batch:
        """The examples ``index``; with ``data.strands=both`` a random half of them as their reverse complement.

        Its inputs are then the reverse complement of the targets, and its targets that of the inputs.
        """
        batch = examples.take(index)
        if not self.strands or not isinstance(batch.targets, Ragged):
            return batch
        inputs, targets = (other_strand(part, self.vocabulary.complements) for part in (batch.targets, batch.inputs))
        return either_strand(batch, replace(batch, inputs=inputs, targets=targets))

    def size(self, table: Table, examples: Examples) -> str:
        """``1 (1,003,853 symbols)``."""
        return f"{len(table):,} ({int(examples.lengths.sum()):,} symbols)"

    def notes(self, table: Table) -> tuple[str, ...]:
        """How many symbols the vocabulary does not know."""
        ids = self.vocabulary.encode(_texts(table[self.column])).values
        unknown = int((ids == Vocabulary.UNKNOWN).sum())
        return (f"{unknown:,} of {len(ids):,} symbols are unknown and scored as such",) if unknown else ()

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean over all steps of ``-ln p(next symbol)``, in nats."""
        targets = _targets(batch)
        if not len(targets):
            return output.sum() * 0.0, 0
        return F.cross_entropy(output, targets), len(targets)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``nll (N,)`` float32 and ``correct (N,)`` bool."""
        targets = _targets(batch)
        nll = F.cross_entropy(output.float(), targets, reduction="none")
        correct = output.argmax(-1) == targets
        return {"nll": nll.detach().cpu().numpy(), "correct": correct.cpu().numpy()}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``nats`` and ``bits`` a step, ``perplexity``, and ``accuracy`` where ``correct`` is given.

        The mean runs over all scored steps: each symbol of a text and its end, each but the first of a document. Of
        symbols of several bases it runs over the bases, and only ``accuracy`` is of symbols.
        """
        nll, bases = outputs["nll"], self.bases(examples)
        values = metrics.of_nats(float(np.sum(nll, dtype=np.float64) / bases.sum()) if len(nll) else float("nan"))
        return values | ({"accuracy": float(np.mean(outputs["correct"]))} if "correct" in outputs else {})

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """Mean nats of every text, or of every ``BLOCK`` steps of a document."""
        lengths = self._blocks(examples)[0]
        starts = np.cumsum(lengths) - lengths
        nll, bases = outputs["nll"].astype(np.float64), self.bases(examples)
        if not len(starts):
            return np.empty(0)
        means: np.ndarray = np.add.reduceat(nll, starts) / np.add.reduceat(bases, starts)
        return means

    def bases(self, examples: Examples) -> np.ndarray:
        """``(N,)``: how many a target counts for: the bases of a k-mer, 1 of any other symbol and of an end."""
        vocabulary = self.vocabulary
        if vocabulary.unit != "kmer":
            return np.ones(int(examples.lengths.sum()), dtype=np.int64)
        widths = [len(vocabulary.symbol(number)) for number in range(len(vocabulary))]
        widths[Vocabulary.UNKNOWN] = vocabulary.width
        counts: np.ndarray = np.maximum(widths, 1)[target_array(examples)]
        return counts

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """Blocks of one document go on from each other; texts do not."""
        if not self.document:
            return ()
        _, document, place = self._blocks(examples)
        return (Dependence(document, place),)

    def _blocks(self, examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is scored: its steps, the example it is cut from, and its place there; each ``(n,)``."""
        lengths = examples.lengths.numpy()
        size = BLOCK if self.document else max(1, int(lengths.max(initial=0)))
        counts = -(-lengths // size)
        example = np.repeat(np.arange(len(lengths)), counts)
        place = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.minimum(size, lengths[example] - place * size), example, place

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row a step: ``row`` of the table, ``step`` in it, the ``symbol`` that came, and its ``nats``."""
        examples = self.examples(table)
        lengths = examples.lengths.numpy()
        ids = target_array(examples)
        symbols = np.array([self.vocabulary.symbol(number) for number in range(len(self.vocabulary))], dtype=object)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return pl.DataFrame(
            {
                "row": np.repeat(np.arange(len(lengths)), lengths),
                "step": np.arange(len(ids)) - starts + 1,
                "symbol": pl.Series(symbols[ids].tolist(), dtype=pl.String),
                "nats": outputs["nll"],
            }
        )

    def describe(self, table: Table) -> str:
        """``1 document of 1,115,394 characters, 65 different: next character (many-to-many, fed back)``."""
        lengths = self.vocabulary.encode(_texts(table[self.column])).lengths
        step = {"char": "character", "subword": "sub-word"}.get(self.vocabulary.unit, self.vocabulary.unit)
        step = "base" if table[self.column].kind == Kind.DNA else step
        step = f"{self.vocabulary.width}-mer" if self.vocabulary.unit == "kmer" else step
        what = "document" if self.document else "text"
        size = f" of {spread(int(lengths.min()), int(lengths.max()))}" if len(lengths) else " of"
        names = ", ".join(f"'{column.name}'" for column in self.condition.columns)
        given = (f" given {names}" if names else "") + (", both strands" if self.strands else "")
        return (
            f"{len(lengths):,} {what}{'s' if len(lengths) != 1 else ''}{size} {step}s, "
            f"{len(self.vocabulary.symbols):,} different: next {step}{given} ({self.mapping})"
        )

    @property
    def stop(self) -> int | None:
        """The id that ends a text; None for a document, which has no end."""
        return None if self.document else self.vocabulary.end

    @property
    def never(self) -> tuple[int, ...]:
        """Ids that are never written: the unknown symbol and the begin."""
        return (Vocabulary.UNKNOWN,) if self.document else (Vocabulary.UNKNOWN, self.vocabulary.begin)

    def prompt(self, text: str) -> Tensor:
        """``(T,)`` ids to begin with: the text, after the begin mark if there is one.

        Without text a document begins with a line end if it knows one, else with its most frequent symbol.
        """
        value = text.split() if self.vocabulary.unit == "token" else text
        ids = self.vocabulary.encode([value]).values
        if not self.document:
            return torch.cat([torch.tensor([self.vocabulary.begin]), ids])
        if len(ids):
            return ids
        return torch.tensor([self.vocabulary.ids.get("\n", self.vocabulary.ids[self.vocabulary.symbols[0]])])

    def given(self, values: Mapping[str, str | float]) -> Tensor | None:
        """``(1, S)``: the condition of a text to write, a value a column.

        Raises:
            DataError: a column is missing or unknown, a label is unknown, or a number is none.
        """
        return self.condition.encode(condition_row(self.condition, values))

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "column": self.column,
            "vocabulary": self.vocabulary.to_config(),
            "condition": self.condition.to_config(),
            "document": self.document,
            **({"strands": True} if self.strands else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            vocabulary, condition = (
                Vocabulary.from_config(config["vocabulary"]),
                Static.from_config(config["condition"]),
            )
            return cls(config["column"], vocabulary, condition, config["document"], bool(config.get("strands")))


def _unit(column: Column, data: DataSettings) -> Unit:
    if column.kind == Kind.DNA:
        return "kmer" if data.kmer > 1 else "char"
    return "char" if data.unit == "auto" else data.unit


def _texts(column: Column) -> list[Any]:
    if column.kind not in Writing.KINDS:
        raise DataError(f"a {column.kind.value} column is no text", column=column.name)
    return list(column.values)


def _targets(batch: Batch) -> Tensor:
    if not isinstance(batch.targets, Ragged):
        raise TypeError("a language model is scored on targets a step")
    return batch.targets.values
