"""Music: which keys sound at the next step (many-to-many, fed back), and so the continuation of a tune."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.media.midi import NAMES
from ostinato.data.media.rolls import Rolls
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, intact
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of
from ostinato.tasks.base import Outputs, Task, target_array
from ostinato.tasks.describe import spread
from ostinato.tasks.settings import TaskSettings

KINDS = frozenset({Kind.MIDI, Kind.SERIES})


@dataclass(frozen=True)
class Music(Task):
    """Many keys at once at every step, given all steps before it.

    A tune is a piano roll ``(T, K)`` of zeros and ones: a file of notes (``K`` = 88 keys), or a series of ``K`` such
    channels. Its steps but the last are inputs (times ``scale``, so that they vary as much as other inputs do, though
    few keys sound at once), its steps but the first are targets. A model gives a logit a key,
    ``(N, K)``; its loss and its ``nats`` are

    ::

        -ln p(step) = -sum over keys of (x ln p + (1 - x) ln(1 - p))

    averaged over the steps (Boulanger-Lewandowski et al. 2012, arXiv 1206.6392). ``accuracy`` is that paper's and Bay
    et al. 2009's: hits / (hits + misses + false alarms) over all keys and steps, a key being said where p > 0.5.

    :meth:`outputs` gives, for every step of all examples end to end, ``nll (N,)`` and ``counts (N, 3)``: hits, keys
    said, keys that came.
    """

    column: str
    keys: tuple[str, ...]
    scale: float
    rolls: Rolls | None

    name: ClassVar[str] = "music"
    watch: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool] = False
    defaults: ClassVar[dict[str, Any]] = {
        "model.dropout": 0.5,
        "training.epochs": 30,
        "training.batch_size": 4,
        "optimizer.learning_rate": 1e-2,
    }

    @property
    def mapping(self) -> str:
        """``many-to-many, fed back``."""
        return "many-to-many, fed back"

    @property
    def spec(self) -> Spec:
        """An answer a step, a number a key; causal."""
        return Spec("values", len(self.keys), "step", len(self.keys), causal=True)

    @property
    def baselines(self) -> tuple[str, ...]:
        """How often each key sounds; how often it goes on or off; and the network without memory."""
        return ("mean", "repeat_last", "feed_forward")

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Names the keys and learns the scale: 1 / the root of the keys' mean variance.

        Raises:
            DataError: there is no column of tunes, or several; no tune has two steps.
        """
        del settings
        column = table[_tunes_of(table, data)]
        midi = column.kind == Kind.MIDI
        width = column.values[0].shape[1] if not midi and len(column) else 0
        keys = NAMES if midi else column.channels or tuple(f"{column.name}.{k + 1}" for k in range(width))
        task = cls(column.name, keys, 1.0, Rolls.fit(column, table, data) if midi else None)
        inputs = task.examples(table).inputs.values
        if not len(inputs):
            raise DataError("no tune has two steps: there is nothing to continue", path=table.path, column=column.name)
        variance = float(inputs.double().var(0, correction=0).mean())
        return replace(task, scale=round(variance**-0.5, 3) if variance else 1.0)

    def tunes(self, table: Table) -> Ragged:
        """The piano rolls ``(N, K)`` float32.

        Raises:
            DataError: a file cannot be read, a series has other values than 0 and 1, or another number of channels.
        """
        column = table[self.column]
        if (column.kind == Kind.MIDI) != (self.rolls is not None) or column.kind not in KINDS:
            learned = Kind.MIDI if self.rolls else Kind.SERIES
            told = f"this is {column.kind.value}, but the model learned from {learned.value}"
            raise DataError(told, path=table.path, column=self.column)
        return self.rolls.encode(column, table) if self.rolls else _series(column, table, len(self.keys))

    def examples(self, table: Table) -> SequenceExamples:
        """Every tune's steps but the last, and what came after each."""
        whole = self.tunes(table)
        lengths = (whole.lengths - 1).clamp(min=0)
        steps = steps_of(whole.offsets[:-1], lengths)
        inputs, targets = whole.values[steps] * self.scale, whole.values[steps + 1]
        return SequenceExamples(Ragged(inputs, lengths), targets=Ragged(targets, lengths))

    def size(self, table: Table, examples: Examples) -> str:
        """``229 (13,578 steps)``."""
        return f"{len(table):,} ({int(examples.lengths.sum()):,} steps)"

    def notes(self, table: Table) -> tuple[str, ...]:
        """Notes that were left out."""
        return self.rolls.notes(table[self.column]) if self.rolls else ()

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean over all steps of ``-ln p(step)``, in nats."""
        targets = _targets(batch)
        if not len(targets):
            return output.sum() * 0.0, 0
        return F.binary_cross_entropy_with_logits(output, targets, reduction="sum") / len(targets), len(targets)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``nll (N,)`` float32 and ``counts (N, 3)`` int64."""
        targets, output = _targets(batch), output.detach().float()
        nll = F.binary_cross_entropy_with_logits(output, targets, reduction="none").sum(1)
        said, came = output > 0, targets > 0.5
        counts = torch.stack([(said & came).sum(1), said.sum(1), came.sum(1)], dim=1)
        return {"nll": nll.cpu().numpy(), "counts": counts.cpu().numpy()}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``nats`` a step and ``accuracy``."""
        del examples
        nll = outputs["nll"]
        hits, said, came = outputs["counts"].sum(0).tolist()
        union = said + came - hits
        return {
            "nats": float(np.mean(nll, dtype=np.float64)) if len(nll) else float("nan"),
            "accuracy": hits / union if union else float("nan"),
        }

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """Mean nats of every tune that has steps."""
        lengths = examples.lengths.numpy()
        row = np.repeat(np.arange(len(lengths)), lengths)
        sums = np.bincount(row, outputs["nll"].astype(np.float64), len(lengths))
        means: np.ndarray = sums[lengths > 0] / lengths[lengths > 0]
        return means

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row a step: ``row`` of the table, ``step`` in it (from 2: the first is given), its ``keys``, ``nats``."""
        examples = self.examples(table)
        lengths, came = examples.lengths.numpy(), target_array(examples) > 0.5
        names = np.array(self.keys)
        return pl.DataFrame(
            {
                "row": np.repeat(np.arange(len(lengths)), lengths),
                "step": np.arange(len(came)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 2,
                "keys": pl.Series([" ".join(names[step]) for step in came], dtype=pl.String),
                "nats": outputs["nll"],
            }
        )

    def describe(self, table: Table) -> str:
        """``229 tunes of 32 to 259 steps, 4 a beat, 88 keys: next step (many-to-many, fed back)``."""
        lengths = self.tunes(table).lengths.tolist()
        size = f" of {spread(min(lengths), max(lengths))} steps" if lengths else ""
        grid = f", {self.rolls.steps_per_beat} a beat" if self.rolls else ""
        many = "s" if len(lengths) != 1 else ""
        return f"{len(lengths):,} tune{many}{size}{grid}, {len(self.keys):,} keys: next step ({self.mapping})"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "column": self.column,
            "keys": list(self.keys),
            "scale": self.scale,
            "rolls": self.rolls.to_config() if self.rolls else None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            column, keys, scale, rolls = (config[key] for key in ("column", "keys", "scale", "rolls"))
            return cls(column, tuple(keys), float(scale), Rolls.from_config(rolls) if rolls else None)


def _tunes_of(table: Table, data: DataSettings) -> str:
    """The column of tunes: the one named, or the only one there is, files before series."""
    if data.target or data.inputs:
        name = data.target or data.inputs[0]
        if table[name].kind not in KINDS:
            told = f"a {table[name].kind.value} column holds no tunes: name one of MIDI files, or of series of 0 and 1"
            raise DataError(told, path=table.path, column=name)
        return name
    for kind in (Kind.MIDI, Kind.SERIES):
        found: list[str] = [column.name for column in table if column.kind == kind]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(f"{', '.join(found)} could each hold the tunes: choose one with --input", path=table.path)
    raise DataError("there are no tunes: give MIDI files, or series of 0 and 1, a channel a key", path=table.path)


def _series(column: Column, table: Table, keys: int) -> Ragged:
    """Series of zeros and ones, ``(N, keys)``."""
    for row, value in enumerate(column.values):
        wrong = ~np.isin(value, (0, 1))
        if wrong.any():
            step, key = np.argwhere(wrong)[0].tolist()
            name = column.channels[key] if column.channels else str(key + 1)
            told = f"{value[step, key]:g} at step {step + 1} of key '{name}': a key sounds (1) or not (0)"
            raise DataError(told, path=table.path, row=table.row(row), column=column.name)
        if value.shape[1] != keys:
            told = f"{value.shape[1]} keys, but the model knows {keys}"
            raise DataError(told, path=table.path, row=table.row(row), column=column.name)
    values = np.concatenate([np.zeros((0, keys)), *column.values]).astype(np.float32)
    lengths = torch.tensor([len(value) for value in column.values], dtype=torch.int64)
    return Ragged(torch.from_numpy(values), lengths)


def _targets(batch: Batch) -> Tensor:
    if not isinstance(batch.targets, Ragged):
        raise TypeError("music is scored on targets a step")
    return batch.targets.values
