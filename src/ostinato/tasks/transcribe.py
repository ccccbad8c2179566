"""Transcribe: a sound in, what is said in it out, by connectionist temporal classification (CTC)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.data.cells import shown
from ostinato.data.examples import Batch, Examples
from ostinato.data.features import Features, input_columns
from ostinato.data.media.sounds import Sounds
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division, divide
from ostinato.data.subwords import BLANK as WORD_BLANK
from ostinato.data.table import Column, Kind, Table
from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError, UsageError, intact
from ostinato.sequences import Ragged
from ostinato.sequences.padded import to_padded
from ostinato.tasks import transcribe_metrics
from ostinato.tasks.base import Load, Outputs, Task
from ostinato.tasks.describe import describe_inputs, spread
from ostinato.tasks.language import Language
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target
from ostinato.tasks.translate import check_written
from ostinato.tasks.translate_examples import PairExamples

BLANK = 0
"""The label of a step at which nothing new is said: the id that stands for the unknown symbol elsewhere."""
SPOKEN = frozenset({Kind.TEXT, Kind.CATEGORY, Kind.TOKENS, Kind.ID})
"""Kinds of a column that can be said."""
SETTINGS = ("beam", "language", "language_weight", "word_bonus")
"""What decoding reads of the recipe."""


class Word(NamedTuple):
    """A word, and from when to when it was said: seconds of a sound, steps of another series."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcribe(Task):
    """The likeliest text for each sound (or series), without a word where each letter lies (Graves et al. 2006).

    A model gives logits ``(N, V)``, one of whose labels is blank. A text's probability is the sum over all paths of
    labels that become it when repeats are merged and blanks left out; the loss is ``-ln`` of it. An answer is such a
    path ``(N,)``; :meth:`outputs` gives it as ``path (N,)`` int32, and ``steps (B,)``, which of it are whose.

    Args:
        target: the column of the texts.
        features: how the inputs are encoded.
        vocabulary: of the texts; a letter that never occurred in training can never be written.
        settings: of which decoding reads :data:`SETTINGS`.
        spoken: the language model that ``settings.language`` names, and its task; see :meth:`equipped`.
    """

    target: str
    features: Features
    vocabulary: Vocabulary
    settings: TaskSettings
    spoken: tuple[torch.nn.Module, Language] | None = None

    name: ClassVar[str] = "transcribe"
    watch: ClassVar[str] = "wer"
    higher_is_better: ClassVar[bool] = False
    decoder: ClassVar[str] = "ctc"
    defaults: ClassVar[dict[str, Any]] = {
        "audio.stack": 2,
        "model.bidirectional": True,
        "model.layers": 2,
        "model.dropout": 0.3,
        "training.epochs": 30,
        "training.keep": "last",
    }

    @property
    def mapping(self) -> str:
        """``many-to-many``: fewer symbols than steps, in the same order."""
        return "many-to-many"

    @property
    def spec(self) -> Spec:
        """An answer a step: the symbols and the blank."""
        return self.features.spec("step", len(self.vocabulary))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The text that is nearest to all others, and the network without memory, with the same loss."""
        return ("constant", "feed_forward")

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
        """As rows, without regard to the texts."""
        del settings
        data = with_target(table, data, SPOKEN)
        chosen = input_columns(table, data, data.target)
        data = replace(data, target="", inputs=(*chosen.sequence, *chosen.static))
        return divide(table, data, seed, valid=valid, test=test)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns the symbols of the texts and the scale of the inputs.

        Raises:
            DataError: no target, an empty target, no input, or inputs that are symbols.
            UsageError: texts cut into bytes; the extra ``audio`` is missing; a setting is out of its range.
        """
        transcribe_metrics.jiwer()  # before the long work
        data = with_target(table, data, SPOKEN)
        column = table[data.target]
        check_written(table, column)
        if data.unit == "byte":
            raise UsageError("a transcript is written in characters, words or sub-words: set data.unit=char")
        if settings.beam < 1:
            raise UsageError(f"task.beam is {settings.beam}; it must be 1 or more")
        vocabulary = Vocabulary.fit(
            texts_of(column), data.unit, min_count=data.min_count, lower=data.lower, size=data.subwords
        )
        features = Features.fit(table, data, data.target)
        if features.symbolic:
            raise DataError(
                f"a transcript is of sound or of a series, and this is {features.kind.value}: set --task translate",
                path=table.path,
                column=features.column,
            )
        language = str(Path(settings.language).absolute()) if settings.language else ""
        return cls(data.target, features, vocabulary, replace(settings, features=(), language=language))

    def equipped(self, load: Load) -> Self:
        """With the language model of the run folder ``settings.language``, if one is named.

        Raises:
            UsageError: it is no language model, or one of other units than characters.
        """
        if not self.settings.language:
            return self
        model, task = load(self.settings.language)
        if not isinstance(task, Language) or task.vocabulary.unit != "char" or task.condition.size:
            raise UsageError(
                f"task.language={self.settings.language}: that is no language model of characters; train one with "
                "ostinato train TEXT --task language"
            )
        if self.vocabulary.unit != "char":
            raise UsageError("a language model of characters helps to write characters: set data.unit=char")
        return replace(self, spoken=(model, task))

    def examples(self, table: Table) -> PairExamples:
        """Inputs, and the symbols of the texts where the table has them; letters never seen are left out.

        Raises:
            DataError: a target is empty, or longer than its sound has steps; file and row are named.
        """
        read = self.features.examples(table)
        if self.target not in table.columns or len(table[self.target].missing) == len(table) > 0:
            return PairExamples(read.inputs, static=read.static)
        column = table[self.target]
        check_written(table, column)
        texts = texts_of(column)
        rows = [ids[ids != Vocabulary.UNKNOWN] for ids in self.vocabulary.encode(texts)]
        targets = Ragged.from_list(rows) if rows else Ragged(torch.empty(0, dtype=torch.int64), read.inputs.lengths)
        for row, (ids, steps) in enumerate(zip(rows, read.inputs.lengths.tolist(), strict=True)):
            needed = least_steps(ids.tolist())
            if needed > steps:
                raise DataError(
                    f"{shown(texts[row])} needs {needed} steps, and what is heard has {steps}: is it the right text? "
                    "Else set audio.stack or audio.hop lower",
                    path=table.path,
                    row=table.row(row),
                    column=self.target,
                )
        truth = tuple(text.lower() if self.vocabulary.lower else text for text in texts)
        return PairExamples(read.inputs, static=read.static, targets=targets, truth=truth)

    def notes(self, table: Table) -> tuple[str, ...]:
        """Letters of the texts that were never seen, and where the first one stands."""
        notes = list(self.features.notes(table))
        if self.target in table.columns:
            notes += unseen(table, table[self.target], self.vocabulary)
        return tuple(notes)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean of ``-ln p(text)`` a symbol, in nats.

        A text that has become too long for its sound (which training may play faster) is left out.
        """
        if not isinstance(batch.targets, Ragged):
            return output.sum() * 0.0, 0
        lengths, targets = batch.inputs.lengths, batch.targets
        count = int(targets.lengths.sum())
        if not count:
            return output.sum() * 0.0, 0
        padded = to_padded(Ragged(output.float().log_softmax(-1), lengths), batch_first=False)
        losses = F.ctc_loss(
            padded, targets.values, lengths, targets.lengths, blank=BLANK, reduction="sum", zero_infinity=True
        )
        return losses / count, count

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``path (N,)`` of an answer ``(N,)``, and ``steps (B,)``."""
        return {
            "path": output.cpu().numpy().astype(np.int32),
            "steps": batch.inputs.lengths.numpy().astype(np.int32),
        }

    def texts(self, outputs: Outputs) -> list[str]:
        """What each path says."""
        return [" ".join(word.text for word in words) for words in self.words(outputs)]

    def words(self, outputs: Outputs) -> list[list[Word]]:
        """What each path says, word by word, with times."""
        return [self.spelled(path) for path in np.split(outputs["path"], np.cumsum(outputs["steps"])[:-1])]

    def spelled(self, path: np.ndarray) -> list[Word]:
        """The words of one path ``(T,)``: a word lasts from the first step of its first symbol to its last one's last.

        A network says a symbol when it is sure of it, so that times are right to about a syllable.
        """
        media = self.features.media
        seconds = media.spectrum.seconds if isinstance(media, Sounds) else 1.0
        words: list[Word] = []
        begun = False
        for label, start, stop in runs(path):
            symbol = self.symbol(label)
            begun = begun and not (self.parted or symbol[:1].isspace())
            text = symbol.strip()
            if text and begun:
                words[-1] = Word(words[-1].text + text, words[-1].start, stop * seconds)
            elif text:
                words.append(Word(text, start * seconds, stop * seconds))
            begun = (begun or bool(text)) and not (len(symbol) > 0 and symbol[-1].isspace())
        return words

    @property
    def parted(self) -> bool:
        """Whether every symbol is a word."""
        return self.vocabulary.unit == "word"

    def symbol(self, label: int) -> str:
        """A label as it is written, with the blank before a word where it has one."""
        return self.vocabulary.symbol(label).replace(WORD_BLANK, " ")

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``wer``, ``cer``, and ``accuracy``, the share of exact texts."""
        return transcribe_metrics.metrics(self.texts(outputs), _truth(examples))

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The share of wrong words of every text."""
        return transcribe_metrics.scores(self.texts(outputs), _truth(examples))

    @property
    def measure(self) -> str:
        """How words are counted."""
        return "words between blanks, as they are written (jiwer)"

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row an answer: ``truth`` where the table has it, ``prediction``, and ``times``, ``start-end`` a word."""
        data: dict[str, Any] = {}
        if self.target in table.columns:
            data["truth"] = texts_of(table[self.target])
        words = self.words(outputs)
        data["prediction"] = [" ".join(word.text for word in row) for row in words]
        data["times"] = [" ".join(f"{word.start:.2f}-{word.end:.2f}" for word in row) for row in words]
        return pl.DataFrame(data, schema=dict.fromkeys(data, pl.String))

    def describe(self, table: Table) -> str:
        """``900 sounds, a step of 20 ms: …; to be written: 'text', 3 to 40 characters, 15 different``."""
        lengths = self.vocabulary.encode(texts_of(table[self.target])).lengths
        what = {"char": "characters", "subword": "sub-words"}.get(self.vocabulary.unit, "words")
        size = spread(int(lengths.min()), int(lengths.max())) if len(lengths) else "no"
        known = f"{len(self.vocabulary.symbols):,} different"
        return f"{describe_inputs(table, self.features)}; to be written: '{self.target}', {size} {what}, {known}"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "target": self.target,
            "features": self.features.to_config(),
            "vocabulary": self.vocabulary.to_config(),
            "settings": {name: getattr(self.settings, name) for name in SETTINGS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            features, vocabulary = (
                Features.from_config(config["features"]),
                Vocabulary.from_config(config["vocabulary"]),
            )
            settings = replace(TaskSettings(**config["settings"]), features=())
            return cls(config["target"], features, vocabulary, settings)


def texts_of(column: Column) -> list[str]:
    """The texts of a column, blanks in a row being one."""
    return [" ".join(value.split() if isinstance(value, str) else value) for value in column.values]


def least_steps(ids: list[int]) -> int:
    """Steps that a path needs which says ``ids``: one each, and a blank between equal neighbours."""
    return len(ids) + sum(one == other for one, other in pairwise(ids))


def runs(path: np.ndarray) -> list[tuple[int, int, int]]:
    """``(label, start, stop)`` of each symbol that a path ``(T,)`` says: equal labels in a row are one, blanks none."""
    if not len(path):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1])
    stops = np.append(starts[1:], len(path))
    return [
        (int(path[start]), int(start), int(stop))
        for start, stop in zip(starts, stops, strict=True)
        if path[start] != BLANK
    ]


def unseen(table: Table, column: Column, vocabulary: Vocabulary) -> list[str]:
    """A note where texts hold symbols that never occurred in training: how many, and the first one with its place."""
    missing = [row for row in range(len(column)) if row not in column.missing]
    texts = texts_of(column)
    found = [(row, piece) for row in missing for piece in vocabulary.pieces(texts[row]) if piece not in vocabulary.ids]
    if not found:
        return []
    row, piece = found[0]
    line = f", row {table.row(row):,}" if table.row(row) is not None else ""
    return [
        f"{table.path or 'the table'}{line}, column '{column.name}': '{piece}' never occurred in training. "
        f"{len(found):,} such symbols cannot be written, and count as errors"
    ]


def _truth(examples: Examples) -> list[str]:
    assert isinstance(examples, PairExamples)
    if examples.truth is None:
        raise ValueError("these examples have no targets: metrics need the truth")
    return list(examples.truth)
