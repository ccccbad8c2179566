"""Detect: which steps of a series are unlike what its past led to expect."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ostinato.data.examples import Batch, Examples
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.split import Division
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError, intact
from ostinato.sequences import Ragged
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.dependence import Dependence
from ostinato.tasks.describe import spread
from ostinato.tasks.detect_metrics import detect_metrics, is_alarm, scores_of
from ostinato.tasks.detect_series import DetectExamples, examples_of, read_series, windows, with_label
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.forecast_series import Layout, series_of
from ostinato.tasks.settings import TaskSettings

FREEDOM = 4.0
"""Degrees of freedom of Student's distribution: tails heavy enough that a spike does not tear the mean away."""
WINDOW = 64
"""Steps of a training window, if nothing is said."""
SHORTEST = 10
"""Steps that the longest series must have."""
BLOCK = 50
"""Steps that are compared with a baseline as one."""
SMALLEST = 1e-2
"""The least scale of a prediction, in scales of the channel."""


@dataclass(frozen=True)
class Detect(Task):
    """What comes next in each channel, and so what did not come as expected (many-to-many, aligned).

    A causal model reads the last value ``z[t-1] = (x[t-1] - level) / scale`` and the change that led to it, and tells
    the next change and its scale: ``z[t] - z[t-1]`` has Student's distribution with 4 degrees of freedom. Labels are
    never learned from. The sizes of the errors become scores by :class:`~ostinato.tasks.detect_score.Scorer`, which
    looks at nothing but earlier steps, so that a series may as well come value by value.

    Outputs, per step of all series, end to end: ``error`` ``(N, C)``, absolute and scaled; ``expected`` and ``spread``
    ``(N, C)`` in the units of the series; ``nll`` ``(N,)``, nats of the value under the prediction, a mean over
    channels, NaN where it is not judged.
    """

    name: ClassVar[str] = "detect"
    watch: ClassVar[str] = "nll"
    higher_is_better: ClassVar[bool] = False
    defaults: ClassVar[dict[str, Any]] = {
        "data.test": 0.3,
        "model.cell": "gru",
        "model.hidden": 24,
        "training.epochs": 20,
        "training.batch_size": 8,
        "training.epoch_size": 256,
        "optimizer.learning_rate": 1e-2,
    }

    channels: tuple[str, ...]
    level: tuple[float, ...]
    scale: tuple[float, ...]
    rate: float
    quiet: int
    window: int
    missing: str
    label: str = ""
    id: str = ""
    time: str = ""

    @property
    def mapping(self) -> str:
        """``many-to-many, aligned``."""
        return "many-to-many, aligned"

    @property
    def spec(self) -> Spec:
        """Two numbers a channel in, two out."""
        size = 2 * len(self.channels)
        return Spec("values", size, "step", size, causal=True)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Values beside all values before, changes beside all changes before, and a network without memory."""
        return ("windowed_gaussian", "last_change", "feed_forward")

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
        """By time, each series for itself; a part keeps the steps before it as its past.

        Raises:
            DataError: every series is shorter than :data:`SHORTEST`; as :func:`~ostinato.tasks.forecast_parts.cut`.
        """
        del seed
        data = with_label(table, data)
        longest = max(len(one) for one in series_of(table, data, Layout.of(table, data, ())))
        if longest < SHORTEST:
            raise DataError(
                f"the longest series has {longest:,} steps, and a detector needs {SHORTEST} to learn, choose and test",
                path=table.path,
            )
        parts = cut(table, data, replace(settings, horizon=1), valid, test)
        return Division(parts.train, parts.valid, parts.test)

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Finds channels and labels, and scales the channels by the training part.

        Raises:
            DataError: no channel is left beside the labels, or every one is constant; as
                :func:`~ostinato.tasks.forecast_series.series_of`.
            UsageError: a rate of alarms outside (0, 1), or a negative number of steps.
        """
        if not 0 < settings.alarms < 1:
            raise UsageError(f"task.alarms is a share of the steps, above 0 and below 1: {settings.alarms:g}")
        for key in ("quiet", "look_back"):
            if getattr(settings, key) < 0:
                raise UsageError(f"task.{key} cannot be negative: {getattr(settings, key)}")
        data = with_label(table, replace(data, id=data.id if data.id in table.columns else ""))
        layout = Layout.of(table, data, ())
        channels = layout.seen if data.target else layout.targets
        if not channels:
            raise DataError(
                f"there is no column of numbers beside the labels '{data.target}'", path=table.path, column=data.target
            )
        values = np.concatenate([one.values for one in series_of(table, data, Layout(channels))])
        level, scale = _scales(values, channels, table)
        return cls(
            channels=channels,
            level=level,
            scale=scale,
            rate=settings.alarms,
            quiet=settings.quiet,
            window=settings.look_back or WINDOW,
            missing=data.missing,
            label=data.target,
            id=data.id,
            time=data.time,
        )

    def examples(self, table: Table) -> DetectExamples:
        """Every series as an example; see :class:`~ostinato.tasks.detect_series.DetectExamples`."""
        known = self.id if self.id in table.columns else ""
        data = DataSettings(target=self.label, id=known, time=self.time, missing=self.missing)  # type: ignore[arg-type]
        return examples_of(read_series(table, data, self.channels, np.array(self.level), np.array(self.scale)))

    def lay_out(self, examples: Examples, batch_size: int) -> Examples:
        """The training part as overlapping windows; a validation part whole, since its past belongs to it."""
        del batch_size
        assert isinstance(examples, DetectExamples)
        if all(one.judged.all() for one in examples.read) and len(examples):
            return windows(examples, self.window)
        return replace(examples, told=False)

    def size(self, table: Table, examples: Examples) -> str:
        """``1 series (3,528 steps)``."""
        assert isinstance(examples, DetectExamples)
        del examples
        steps = sum(int(one.judged.sum()) for one in self.examples(table).read)
        return f"{len(table):,} series ({steps:,} steps)"

    def notes(self, table: Table) -> tuple[str, ...]:
        """Missing values, which have no score, and channels that the training part held constant."""
        values = np.concatenate([one.values for one in self.examples(table).read])
        counts = np.isnan(values).sum(axis=0)
        return tuple(
            f"channel '{name}': {count:,} of {len(values):,} values are missing and have no score"
            for name, count in zip(self.channels, counts.tolist(), strict=True)
            if count
        )

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Mean negative log-likelihood, in nats of scaled changes, over the values that are there and judged."""
        nll = self._nll(output, batch)
        known = torch.isfinite(nll)
        count = int(known.sum())
        return torch.where(known, nll, 0.0).sum() / max(count, 1), count

    def _nll(self, output: Tensor, batch: Batch) -> Tensor:
        """``(N, C)``; NaN where a change is unknown, with no gradient from there."""
        assert isinstance(batch.targets, Ragged)
        mean, scale = _told(output)
        change = batch.targets.values[:, : mean.shape[1]]
        known = torch.isfinite(change)
        found = student_nll(torch.where(known, change, mean.detach()), mean, scale)
        return torch.where(known, found, torch.nan)

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``error``, ``expected``, ``spread`` and ``nll``; see the class."""
        assert isinstance(batch.targets, Ragged)
        width = len(self.channels)
        mean, scale = (part.detach().double().cpu() for part in _told(output))
        last = batch.inputs.values[:, :width].double().cpu()
        value = batch.targets.values[:, width:].double().cpu()
        level, unit = torch.tensor(self.level).double(), torch.tensor(self.scale).double()
        return {
            "error": (value - last - mean).abs().numpy(),
            "expected": ((last + mean) * unit + level).numpy(),
            "spread": (scale * unit).numpy(),
            "nll": self._nll(output.detach(), batch).nanmean(dim=1).double().cpu().numpy(),
        }

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``nll``; and of a part whose alarms are asked for those of :func:`~ostinato.tasks.detect_metrics`."""
        assert isinstance(examples, DetectExamples)
        known = outputs["nll"][np.isfinite(outputs["nll"])]
        found = {"nll": float(known.mean()) if len(known) else math.nan}
        return found | (detect_metrics(outputs, examples, self.rate, self.quiet) if examples.told else {})

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The mean ``nll`` of every :data:`BLOCK` judged steps."""
        return np.array([np.nanmean(outputs["nll"][steps]) for _, steps in self._blocks(examples)])

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """Blocks of one series go on from each other."""
        rows = np.array([row for row, _ in self._blocks(examples)], dtype=np.int64)
        return (Dependence(rows, np.arange(len(rows))),)

    def _blocks(self, examples: Examples) -> list[tuple[int, np.ndarray]]:
        """The series and the steps of each block that holds a judged value."""
        assert isinstance(examples, DetectExamples)
        found, begin = [], 0
        for row, one in enumerate(examples.read):
            there = one.judged & ~np.isnan(one.clipped).all(axis=1)
            there[0] = False
            steps = begin + np.flatnonzero(there)
            found += [(row, steps[start : start + BLOCK]) for start in range(0, len(steps), BLOCK)]
            begin += len(one.judged)
        return found

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """One row a judged step.

        ``series`` (of several), ``time`` or ``step`` (from 1), then for each channel its value and what was
        ``expected``, then ``score``, ``chance``, ``alarm`` (0 or 1), ``channel`` (of several), ``truth`` where it is.
        """
        examples = self.examples(table)
        frames, begin = [], 0
        for one, found in zip(examples.read, scores_of(outputs, examples, self.quiet), strict=True):
            keep, steps = np.flatnonzero(one.judged), slice(begin, begin + len(one.judged))
            begin = steps.stop
            columns: dict[str, Any] = {}
            if len(examples) > 1:
                columns["series"] = pl.Series([one.name] * len(keep), dtype=pl.String)
            columns |= {"time": one.times[keep]} if one.times is not None else {"step": keep + 1}
            several = len(self.channels) > 1
            for place, name in enumerate(self.channels):
                columns[name] = one.values[keep, place]
                columns[f"expected {name}" if several else "expected"] = outputs["expected"][steps][keep, place]
            columns |= {"score": found.score[keep], "chance": found.chance[keep]}
            columns["alarm"] = is_alarm(found, self.rate)[keep].astype(np.int8)
            if several:
                columns["channel"] = pl.Series([self.channels[k] for k in found.channel[keep]], dtype=pl.String)
            if one.truth is not None:
                columns["truth"] = one.truth[keep].astype(np.int8)
            frames.append(pl.DataFrame(columns).fill_nan(None))
        return pl.concat(frames)

    def describe(self, table: Table) -> str:
        """``1 series of 3,528 steps; what comes next in 'value', and so what did not come as expected``."""
        read = self.examples(table).read
        lengths = [len(one.values) for one in read]
        names = ", ".join(f"'{name}'" for name in self.channels[:4])
        more = f" and {len(self.channels) - 4:,} more channels" if len(self.channels) > 4 else ""
        labels = f"; labels '{self.label}', never learned from" if self.label else ""
        return (
            f"{len(read):,} series of {spread(min(lengths), max(lengths))} steps; what comes next in {names}{more}, "
            f"and so what does not come as expected; alarms wanted on {self.rate:g} of the steps{labels} "
            f"({self.mapping})"
        )

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        with intact("the task of this folder is damaged"):
            lists = {key: tuple(config[key]) for key in ("channels", "level", "scale")}
            return cls(**{**config, **lists})


def _told(output: Tensor) -> tuple[Tensor, Tensor]:
    """The mean change and its scale, ``(N, C)`` each."""
    mean, raw = output.chunk(2, dim=1)
    return mean, torch.nn.functional.softplus(raw) + SMALLEST


def student_nll(value: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """``-ln p(value)`` of Student's distribution with :data:`FREEDOM` degrees of freedom."""
    v = FREEDOM
    constant = math.lgamma((v + 1) / 2) - math.lgamma(v / 2) - 0.5 * math.log(v * math.pi)
    return scale.log() - constant + (v + 1) / 2 * torch.log1p(((value - mean) / scale) ** 2 / v)


def _scales(values: np.ndarray, channels: tuple[str, ...], table: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The median and the standard deviation of each channel ``(N, C)``; of a constant one a thousandth of its size."""
    for place, name in enumerate(channels):
        if np.isnan(values[:, place]).all():
            raise DataError("holds no value in the training part", path=table.path, column=name)
    level, scale = np.nanmedian(values, axis=0), np.nanstd(values, axis=0)
    still = scale <= 1e-9 * np.maximum(np.abs(level), 1e-300)
    if still.all():
        raise DataError(
            f"is {level[0]:g} at every step of the training part: there is nothing to expect from it. Train on a part "
            "in which it moves (data.valid and data.test say how long it is), or compare with a number instead",
            path=table.path,
            column=channels[0],
        )
    scale = np.where(still, 1e-3 * np.maximum(np.abs(level), 1.0), scale)
    return tuple(level.tolist()), tuple(scale.tolist())
