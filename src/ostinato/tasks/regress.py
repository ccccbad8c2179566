"""Regress: one number for a sequence (many-to-one)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ostinato.data.examples import Batch, Examples, SequenceExamples
from ostinato.data.features import Features
from ostinato.data.scaler import Scaler
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, intact
from ostinato.tasks import metrics
from ostinato.tasks.base import Outputs, Task, target_array
from ostinato.tasks.dependence import Dependence, equal_inputs
from ostinato.tasks.describe import describe_inputs
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import with_target


@dataclass(frozen=True)
class Regress(Task):
    """A number a sequence.

    A model gives ``(B, 1)`` in scaled units, :meth:`outputs` gives ``value (B,)`` in the target's own. The loss is half
    the mean squared error of the scaled target. Targets are ``(B,)`` float32, scaled; NaN is missing.
    """

    target: str
    features: Features
    scaler: Scaler

    name: ClassVar[str] = "regress"
    watch: ClassVar[str] = "rmse"
    higher_is_better: ClassVar[bool] = False
    target_kind: ClassVar[Kind | None] = Kind.NUMBER
    defaults: ClassVar[dict[str, Any]] = {}

    @property
    def mapping(self) -> str:
        """``many-to-one``."""
        return "many-to-one"

    @property
    def spec(self) -> Spec:
        """One answer a sequence, one number each."""
        return self.features.spec("sequence", 1)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The mean and the network without memory."""
        return ("mean", "feed_forward")

    @classmethod
    def fit(cls, table: Table, data: DataSettings, settings: TaskSettings) -> Self:
        """Learns the target's scale and the input columns; raises ``DataError`` on a target that is no number."""
        del settings
        data = with_target(table, data, {Kind.NUMBER})
        values = _numbers(table[data.target], table)
        if np.isnan(values).all():
            raise DataError("no row has a target", path=table.path, column=data.target)
        return cls(data.target, Features.fit(table, data, data.target), Scaler.fit([values[:, None]]))

    def examples(self, table: Table) -> SequenceExamples:
        """Inputs, and scaled targets ``(B,)`` where the table has the target column."""
        targets = None
        if self.target in table.columns:
            values = _numbers(table[self.target], table)
            targets = torch.from_numpy(self.scaler.encode(values[:, None])[:, 0].astype(np.float32))
        return self.features.examples(table, targets)

    def notes(self, table: Table) -> tuple[str, ...]:
        """Unknown symbols, filled values."""
        return self.features.notes(table)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, int]:
        """Half the mean squared error, in squared deviations of the target, over the rows that have one."""
        assert isinstance(batch.targets, Tensor)
        rows = ~batch.targets.isnan()
        count = int(rows.sum())
        if not count:
            return output.sum() * 0.0, 0
        return (output[rows, 0] - batch.targets[rows]).square().mean() / 2, count

    def outputs(self, output: Tensor, batch: Batch) -> Outputs:
        """``value (B,)`` float64 in the target's units."""
        del batch
        return {"value": self.scaler.decode(output.detach().double().cpu().numpy())[:, 0]}

    def metrics(self, outputs: Outputs, examples: Examples) -> dict[str, float]:
        """``mae``, ``rmse``, ``mse`` in the target's units, over the rows that have a target."""
        truth, answer = self._pairs(outputs, examples)
        return {
            "mae": metrics.mae(truth, answer),
            "rmse": metrics.rmse(truth, answer),
            "mse": metrics.mse(truth, answer),
        }

    def scores(self, outputs: Outputs, examples: Examples) -> np.ndarray:
        """The squared error of every row that has a target."""
        truth, answer = self._pairs(outputs, examples)
        squares: np.ndarray = np.square(truth - answer)
        return squares

    def dependence(self, examples: Examples) -> tuple[Dependence, ...]:
        """Rows with equal inputs are one proof."""
        return equal_inputs(examples, ~np.isnan(target_array(examples)))

    def _pairs(self, outputs: Outputs, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        truth = self.scaler.decode(target_array(examples).astype(np.float64)[:, None])[:, 0]
        given = ~np.isnan(truth)
        return truth[given], outputs["value"][given]

    def frame(self, outputs: Outputs, table: Table) -> pl.DataFrame:
        """``prediction``, and ``truth`` where the table has it."""
        data: dict[str, Any] = {}
        if self.target in table.columns:
            data["truth"] = pl.Series(_numbers(table[self.target], table), nan_to_null=True)
        return pl.DataFrame({**data, "prediction": outputs["value"]})

    def describe(self, table: Table) -> str:
        """``500 series of 100 steps, 2 channels; target 'sum', from 0.1 to 1.9: many-to-one regression``."""
        text = f"{describe_inputs(table, self.features)}; target '{self.target}'"
        if self.target in table.columns and not np.isnan(values := _numbers(table[self.target], table)).all():
            text += f", from {np.nanmin(values):,.6g} to {np.nanmax(values):,.6g}"
        return f"{text}: {self.mapping} regression"

    def to_config(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {
            "name": self.name,
            "target": self.target,
            "features": self.features.to_config(),
            "scaler": self.scaler.to_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the task is damaged"):
            return cls(config["target"], Features.from_config(config["features"]), Scaler.from_config(config["scaler"]))


def _numbers(column: Column, table: Table) -> np.ndarray:
    """``(rows,)`` float64, NaN where missing."""
    if column.kind != Kind.NUMBER:
        raise DataError(
            f"a regression needs numbers, but this is {column.kind.value}", path=table.path, column=column.name
        )
    values = np.array(column.values, dtype=np.float64)
    values[list(column.missing)] = np.nan
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError("an infinite value", path=table.path, row=table.row(row), column=column.name)
    return values
