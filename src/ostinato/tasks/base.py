"""Task: what is wanted of a model: targets, loss, metrics, answers, and the baselines to beat."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples
from ostinato.data.features import Features
from ostinato.data.layouts import Layout
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division, divide
from ostinato.data.table import Kind, Table
from ostinato.sequences import Ragged
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target

Outputs = dict[str, np.ndarray]
"""What a model (or a baseline) said about a set of examples: arrays whose first axis runs over the examples in order,
or over the steps of all examples, end to end (then a task's docstring says so)."""
Load = Callable[[str], tuple[nn.Module, "Task"]]
"""Reads the model of a run folder, and its task."""


class Task(ABC):
    """One row of :data:`ostinato.tasks.TASKS`. Fitted on the training part only; JSON in, JSON out.

    Class attributes: ``name``; ``watch``, the metric by which models are compared and training is stopped;
    ``higher_is_better``, whether a larger ``watch`` is better; ``target_kind``, what the target column must hold, by
    which rows are divided in balance (None: the task divides in its own way); ``defaults``, recipe keys that this task
    sets (``{"model.bidirectional": True}``); ``reads``, what a row of its tables is (see :func:`ostinato.data.read`);
    ``decoder``, the row of :data:`ostinato.decoding.decoders.DECODERS` that finds an answer where a model's output is
    none yet (empty: it is one).
    """

    name: ClassVar[str]
    watch: ClassVar[str]
    higher_is_better: ClassVar[bool]
    target_kind: ClassVar[Kind | None] = None
    defaults: ClassVar[dict[str, Any]]
    reads: ClassVar[Layout] = "auto"
    decoder: ClassVar[str] = ""

    @property
    @abstractmethod
    def mapping(self) -> str:
        """``one-to-one``, ``one-to-many``, ``many-to-one``, ``many-to-many, aligned`` or ``many-to-many, fed back``."""

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """What a model must take and give."""

    @property
    @abstractmethod
    def baselines(self) -> tuple[str, ...]:
        """Keys of the baselines to beat.

        Of ``majority, mean, feed_forward, ngram_logistic, logistic, kgram, repeat_last, seasonal_naive, random_walk``,
        ``ewma``.
        """

    @classmethod
    @abstractmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns vocabularies, labels and scalers from the training part.

        Raises:
            DataError: the table cannot serve this task (a single class, text where numbers belong, …).
        """

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
        """The train, valid and test tables; parts a user gave are used as they are.

        Rows are divided by :func:`ostinato.data.split.divide`; a task whose examples are cut out of a row (a document,
        a long series) cuts the rows instead.

        Raises:
            DataError: there are too few rows to divide.
        """
        del settings
        if cls.target_kind is not None:
            data = with_target(table, data, {cls.target_kind})
        return divide(table, data, seed, valid=valid, test=test)

    def equipped(self, load: Load) -> Self:
        """With the other models that its settings name, which ``load`` reads."""
        del load
        return self

    @abstractmethod
    def examples(self, table: Table) -> Examples:
        """The table as tensors; without targets where the target column is absent."""

    def lay_out(self, examples: Examples, batch_size: int) -> Examples:
        """Examples as training and validation read them: as they are, or a document cut into lanes side by side."""
        del batch_size
        return examples

    def draw(self, examples: Examples, index: Tensor) -> Batch:
        """The examples ``index`` ``(B,)`` to learn from, with the changes a task makes to each at random.

        A change draws from PyTorch's own random numbers alone, which the trainer seeds for each batch.
        """
        batch, features = examples.take(index), self._features
        return batch if features is None else features.draw(batch)

    def views(self, batch: Batch) -> tuple[Batch, ...]:
        """The ways in which a batch is read to be answered: a model's answer is the mean of its outputs over them."""
        return (batch,) if self._features is None else self._features.views(batch)

    @property
    def _features(self) -> Features | None:
        """The input columns, of a task that has them."""
        return getattr(self, "features", None)

    def size(self, table: Table, examples: Examples) -> str:
        """What a part holds: rows, and where these are cut up, what they are cut into: ``8 series (120 windows)``."""
        del examples
        return f"{len(table):,}"

    def notes(self, table: Table) -> tuple[str, ...]:
        """What a user should know of a table against what was fitted: labels never seen, unknown symbols."""
        del table
        return ()

    @abstractmethod
    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean loss over what the batch asks for, and how many answers that mean is over (0: nothing to learn here)."""

    @abstractmethod
    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """A model's output as what it says, per example or per step, in the batch's order."""

    @property
    def calibrates(self) -> bool:
        """Whether :meth:`calibrated` has something to learn."""
        return False

    def calibrated(self, outputs: Outputs, examples: Examples) -> Self:
        """This task, which has learned from a model's outputs on the validation part how sure that model may be."""
        del outputs, examples
        return self

    @abstractmethod
    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """The task's metrics (keys of the run folder's contract) against the targets of ``examples``."""

    @abstractmethod
    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """A number an example (sentence, series, …) whose mean is, or follows, ``watch``: for paired comparison."""

    @property
    def measure(self) -> str:
        """How the metrics were measured, where their names do not say it all: a signature; else empty."""
        return ""

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """In which ways the scores of ``examples`` hang together; empty: every score is a proof of its own.

        Of several ways (within a series, between series at one time) the one that leaves most doubt counts.
        """
        del examples
        return ()

    @abstractmethod
    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """Answers a person reads: one row an answer, with the truth beside it where the table has it."""

    @abstractmethod
    def describe(self, table: Table) -> str:
        """One line that says what was understood: ``3,190 DNA sequences of 60 bases; target 'class', 3 labels``."""

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""


def target_array(examples: Examples) -> np.ndarray:
    """The targets of sequence examples as an array ``(B, *)`` or ``(N, *)``; raises ``ValueError`` without targets."""
    targets = getattr(examples, "targets", None)
    if targets is None:
        raise ValueError("these examples have no targets: metrics need the truth")
    array: np.ndarray = (targets.values if isinstance(targets, Ragged) else targets).cpu().numpy()
    return array
