"""Signal: a signal from a signal, as many steps out as in (many-to-many, aligned): what an effect makes of a sound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ostinato.data.batching import lanes
from ostinato.data.channels import fill_forward
from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.scaler import Scaler
from ostinato.data.settings import DataSettings
from ostinato.data.signals import KINDS, Signals, channels_of, cut, read_signals
from ostinato.data.spec import Spec
from ostinato.data.split import Division, divide
from ostinato.data.table import Kind, Table
from ostinato.errors import DataError, UsageError, intact
from ostinato.sequences import Ragged
from ostinato.tasks import metrics
from ostinato.tasks.base import Outputs, Task, target_array
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.describe import spread
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.signal_loss import Loss, signal_loss

FEW = 10
"""Fewer signals than this are cut in time, if nothing else is asked for; more are divided as rows."""
BLOCK = 1024
"""Steps of a signal that make one score."""
LANE = 4096
"""A lane begins without memory of what came before, so a long signal is cut into no shorter ones."""


@dataclass(frozen=True)
class Signal(Task):
    """``K`` numbers a step from all steps so far.

    Columns of sound are a channel each; columns of series have channels by name. The target is one column (or one
    channel), the inputs are the others. A model gives ``(N, K)`` in scaled units, :meth:`outputs` gives
    ``value (N, K)`` in the target's own. Targets are a Ragged ``(N, K)``, scaled; NaN is missing, or not asked for: in
    the first ``warm_up`` steps of a signal. Sounds are scaled about 0, so that silence stays silence.

    Args:
        inputs: names of the input channels.
        targets: names of the target channels.
        kind: of the columns.
        rate: samples a second of sounds; 0: a series.
        scale_in: of the inputs.
        scale_out: of the targets.
        loss_of: ``mse``, ``mae`` or ``esr``.
        emphasis: of ``esr``.
        warm_up: first steps of each signal that are neither learned from nor scored.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    kind: Kind
    rate: int
    scale_in: Scaler
    scale_out: Scaler
    loss_of: Loss
    emphasis: float
    warm_up: int

    name: ClassVar[str] = "signal"
    watch: ClassVar[str] = "esr"
    higher_is_better: ClassVar[bool] = False
    defaults: ClassVar[dict[str, Any]] = {
        "model.hidden": 16,
        "model.skip": True,
        "model.init": "chrono",
        "model.max_lag": 1000,
        "training.window": 1024,
        "training.batch_size": 10,
        "training.epochs": 30,
        "optimizer.learning_rate": 1e-2,
    }

    @property
    def mapping(self) -> str:
        """``many-to-many, aligned``."""
        return "many-to-many, aligned"

    @property
    def spec(self) -> Spec:
        """An answer a step, ``K`` numbers each; causal, so that it can be computed while the signal comes in."""
        return Spec("values", len(self.inputs), "step", len(self.targets), causal=True)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The mean, the best linear filter, and the network without memory."""
        return ("mean", "linear_filter", "feed_forward")

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
        """Divides many signals as rows; cuts a few in time: the beginning trains, then comes validation, then test."""
        del settings
        if data.split not in {"auto", "time"} or (data.split == "auto" and len(table) >= FEW) or (valid and test):
            named = data.target if data.target in table.columns else ""
            inputs = tuple(name for name in data.inputs if name in table.columns)
            return divide(table, replace(data, target=named, inputs=inputs), seed, valid=valid, test=test)
        shares = (0.0 if valid else data.valid, 0.0 if test else data.test)
        if min(shares) < 0 or sum(shares) >= 1 or data.fold:
            raise UsageError(
                "data.valid and data.test are shares of a signal that leave some to train on, without fold"
            )
        middle, last = 1.0 - sum(shares), 1.0 - shares[1]
        bounds = ((0.0, middle), (middle, last), (last, 1.0))
        train, second, third = cut(table, _columns(table, data), data.audio.rate, bounds)
        nothing = table.take(np.empty(0, dtype=np.int64))
        return Division(train, valid or (second if shares[0] else nothing), test or (third if shares[1] else nothing))

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns the scales.

        Raises:
            DataError: there is no target, no input, or nothing to learn; columns of several kinds.
            UsageError: the loss's settings are out of their range.
        """
        if not 0.0 <= settings.emphasis < 1.0 or settings.warm_up < 0:
            raise UsageError("task.emphasis is from 0 to under 1, task.warm_up a number of steps")
        columns = _columns(table, data)
        kind = table[columns[0]].kind
        found = read_signals(table, columns, data.audio.rate)
        target = _target(table, data)
        targets = channels_of(table[target]) if target in table.columns else (target,)
        others = tuple(name for name in found.names if name not in targets)
        wanted = [c for name in data.inputs for c in (channels_of(table[name]) if name in table.columns else (name,))]
        inputs = tuple(name for name in others if not wanted or name in wanted)
        if not inputs:
            raise DataError(f"there is no signal beside '{target}' to learn it from", path=table.path)
        truth = found.take(targets)
        if np.isnan(truth).all():
            raise DataError("no step has a target", path=table.path, column=target)
        scale_in, scale_out = (_scaler(values, sound=bool(found.rate)) for values in (found.take(inputs), truth))
        chosen: Loss = ("esr" if found.rate else "mse") if settings.loss == "auto" else settings.loss
        warm_up, rate = settings.warm_up, found.rate
        return cls(inputs, targets, kind, rate, scale_in, scale_out, chosen, settings.emphasis, warm_up)

    def examples(self, table: Table) -> SequenceExamples:
        """The inputs, and targets where the table has them.

        Raises:
            DataError: an input is missing or of another kind, or as :func:`~ostinato.data.signals.read_signals`.
        """
        found = self._read(table)
        inputs = fill_forward(self.scale_in.encode(found.take(self.inputs)), found.lengths)
        lengths = torch.from_numpy(found.lengths)
        targets = None
        if set(self.targets) <= set(found.names):
            scaled = torch.from_numpy(self.scale_out.encode(found.take(self.targets)).astype(np.float32))
            targets = Ragged(_without_start(scaled, lengths, self.warm_up), lengths)
        return SequenceExamples(Ragged(torch.from_numpy(inputs.astype(np.float32)), lengths), targets=targets)

    def _read(self, table: Table) -> Signals:
        columns = [column for column in table if column.kind == self.kind]
        if self.rate and len(columns) == 1 and len(self.inputs) == 1 and columns[0].name != self.targets[0]:
            table = replace(table, columns={self.inputs[0]: replace(columns[0], name=self.inputs[0])})
            columns = list(table)
        names = {*self.inputs, *self.targets}
        needed = [column.name for column in columns if names & set(channels_of(column))]
        known = {channel for name in needed for channel in channels_of(table[name])}
        for name in self.inputs:
            if name not in known:
                raise DataError(f"there is no {self.kind.value} '{name}' to be the input", path=table.path)
        return read_signals(table, needed, self.rate)

    def lay_out(self, examples: Examples, batch_size: int) -> Examples:
        """Fewer signals than ``batch_size`` are cut into lanes side by side, none shorter than ``LANE`` steps."""
        if not isinstance(examples, SequenceExamples) or not isinstance(examples.targets, Ragged):
            return examples
        cut_up = lanes(examples, max(1, min(batch_size, int(examples.lengths.sum()) // LANE)))
        assert isinstance(cut_up.targets, Ragged)
        values = _without_start(cut_up.targets.values, cut_up.lengths, self.warm_up)
        return replace(cut_up, targets=Ragged(values, cut_up.lengths))

    def size(self, table: Table, examples: Examples) -> str:
        """``200 (2,205,000 steps)``."""
        return f"{len(table):,} ({int(examples.lengths.sum()):,} steps)"

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Of the scaled target, over the steps that have one; see :func:`~ostinato.tasks.signal_loss.signal_loss`."""
        assert isinstance(batch.targets, Ragged)
        return signal_loss(output, batch.targets, self.loss_of, self.emphasis)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``value (N, K)`` float32 in the target's units."""
        del batch
        return {"value": self.scale_out.decode(output.detach().double().cpu().numpy()).astype(np.float32)}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``esr``, ``mae``, ``rmse``, ``mse`` in the target's units, over the steps that have a target."""
        truth = self._truth(examples)
        given = ~np.isnan(truth)
        truth, answer = truth[given], outputs["value"].astype(np.float64)[given]
        return {
            "esr": metrics.esr(truth, answer),
            "mae": metrics.mae(truth, answer),
            "rmse": metrics.rmse(truth, answer),
            "mse": metrics.mse(truth, answer),
        }

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The squared error of every ``BLOCK`` steps, divided by the mean energy of a block: their mean is ``esr``."""
        truth = self._truth(examples)
        block, count = self._blocks(examples)[0], len(self._blocks(examples)[1])
        errors = np.nan_to_num(np.square(outputs["value"] - truth)).sum(1)
        energy = float(np.nan_to_num(np.square(truth)).sum()) / max(count, 1)
        sums: np.ndarray = np.bincount(block, errors, count)
        return sums / energy if energy else np.full(count, np.nan)

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """Blocks of one signal go on from each other."""
        _, signal, place = self._blocks(examples)
        return (Dependence(signal, place),)

    def _blocks(self, examples: Examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The block of every step ``(N,)``; and of each block its signal and its place there."""
        lengths = examples.lengths.numpy()
        counts = np.maximum(lengths // BLOCK, lengths > 0)  # what is left at the end belongs to the last block
        first = np.cumsum(counts) - counts
        step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        block = np.repeat(first, lengths) + np.minimum(step // BLOCK, np.repeat(counts, lengths) - 1)
        signal = np.repeat(np.arange(len(lengths)), counts)
        return block, signal, np.arange(len(signal)) - first[signal]

    def _truth(self, examples: Examples) -> np.ndarray:
        return self.scale_out.decode(target_array(examples).astype(np.float64))

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row a step: ``row`` of the table, ``step`` in it, ``truth`` where the table has it, ``prediction``.

        Of several target channels each has its own: ``truth(name)``, ``prediction(name)``.
        """
        examples = self.examples(table)
        lengths = examples.lengths.numpy()
        data: dict[str, Any] = {
            "row": np.repeat(np.arange(len(lengths)), lengths),
            "step": np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1,
        }
        for number, name in enumerate(self.targets):
            suffix = f"({name})" if len(self.targets) > 1 else ""
            if examples.targets is not None:
                truth = self._truth(examples)[:, number].astype(np.float32)
                data[f"truth{suffix}"] = pl.Series(truth, nan_to_null=True)
            data[f"prediction{suffix}"] = outputs["value"][:, number]
        return pl.DataFrame(data)

    def describe(self, table: Table) -> str:
        """``200 sounds of 11,025 samples, 44,100 a second: 'wet' from 'dry' (many-to-many, aligned)``."""
        lengths = self._read(table).lengths.tolist()
        what, step = ("sound", "samples") if self.rate else ("signal", "steps")
        size = f" of {spread(min(lengths), max(lengths))} {step}" if lengths else ""
        rate = f", {self.rate:,} a second" if self.rate else ""
        names, given = (", ".join(f"'{name}'" for name in part) for part in (self.targets, self.inputs))
        return f"{len(lengths):,} {what}{'s' * (len(lengths) != 1)}{size}{rate}: {names} from {given} ({self.mapping})"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "inputs": list(self.inputs),
            "targets": list(self.targets),
            "kind": self.kind.value,
            "rate": self.rate,
            "scale_in": self.scale_in.to_config(),
            "scale_out": self.scale_out.to_config(),
            "loss": self.loss_of,
            "emphasis": self.emphasis,
            "warm_up": self.warm_up,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            inputs, targets = (tuple(config[key]) for key in ("inputs", "targets"))
            scale_in, scale_out = (Scaler.from_config(config[key]) for key in ("scale_in", "scale_out"))
            rate, loss, emphasis, warm_up = (config[key] for key in ("rate", "loss", "emphasis", "warm_up"))
            return cls(inputs, targets, Kind(config["kind"]), rate, scale_in, scale_out, loss, emphasis, warm_up)


def _target(table: Table, data: DataSettings) -> str:
    """The target named, or the last of two columns of sound."""
    if data.target:
        return data.target
    sounds: list[str] = [column.name for column in table if column.kind == Kind.AUDIO]
    if len(sounds) == 2 and not data.inputs:
        return sounds[1]
    raise DataError(
        "name the signal that is wanted with --target: a column of sound, a series or a channel of one", path=table.path
    )


def _columns(table: Table, data: DataSettings) -> list[str]:
    """The columns of sound, or of series: those named, or all."""
    target = _target(table, data)
    holder = target if target in table.columns else next((c.name for c in table if target in c.channels), "")
    if not holder or table[holder].kind not in KINDS:
        told = f"is {table[holder].kind.value}" if holder else "is no column and no channel"
        raise DataError(f"the target '{target}' {told}: name a sound, a series or a channel of one", path=table.path)
    kind = table[holder].kind
    for name in data.inputs:
        if name in table.columns and table[name].kind != kind:
            raise DataError(
                f"is {table[name].kind.value}, but the target is {kind.value}", path=table.path, column=name
            )
    named = {*data.inputs, holder}
    return [
        column.name
        for column in table
        if column.kind == kind and (not data.inputs or column.name in named or named & set(column.channels))
    ]


def _scaler(values: np.ndarray, *, sound: bool) -> Scaler:
    """By mean and deviation; of sound by the root of the mean square, about 0."""
    if not sound:
        return Scaler.fit([values])
    size = np.sqrt(np.square(values).mean(0))
    return Scaler((0.0,) * len(size), tuple(np.where(size > 0, size, 1.0).tolist()))


def _without_start(values: Tensor, lengths: Tensor, count: int) -> Tensor:
    """``(N, K)`` with NaN in the first ``count`` steps of each signal."""
    if not count:
        return values
    step = torch.arange(len(values)) - (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    return values.masked_fill((step < count)[:, None], float("nan"))
