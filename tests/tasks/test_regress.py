"""Regress: a scaled target, a loss by hand, metrics in the target's own units."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, ModelFolderError
from ostinato.tasks import Regress, TaskSettings

NAN = float("nan")


def table_of(values, kind=Kind.NUMBER, rows=None):
    count = len(values) if values is not None else rows
    columns = {"s": Column("s", Kind.SERIES, [np.arange(3.0)[:, None] + n for n in range(count)])}
    if values is not None:
        columns["y"] = Column("y", kind, np.array(values) if kind == Kind.NUMBER else values)
    return Table(columns)


TRAIN = table_of([10.0, 30.0, NAN])  # mean 20, deviation 10


def fitted():
    return Regress.fit(TRAIN, DataSettings(), TaskSettings())


def test_the_target_is_scaled_and_what_is_missing_teaches_nothing():
    task = fitted()
    batch = task.examples(TRAIN).take(torch.arange(3))
    assert batch.targets[:2].tolist() == [-1.0, 1.0]
    output = torch.tensor([[0.0], [2.0], [99.0]], requires_grad=True)
    loss, count = task.loss(output, batch)
    loss.backward()
    assert (loss.item(), count) == (pytest.approx((1 + 1) / 2 / 2), 2)
    assert output.grad[:, 0].tolist() == [0.5, 0.5, 0.0]
    only = task.examples(table_of([NAN])).take(torch.arange(1))
    nothing, none = task.loss(torch.zeros(1, 1, requires_grad=True), only)
    nothing.backward()
    assert (nothing.item(), none) == (0.0, 0)


def test_metrics_are_in_the_units_of_the_target():
    task = fitted()
    outputs = task.outputs(torch.tensor([[0.0], [2.0], [99.0]]), None)
    assert outputs["value"].tolist() == [20.0, 40.0, 1010.0]
    examples = task.examples(TRAIN)
    assert task.metrics(outputs, examples) == pytest.approx({"mae": 10.0, "rmse": 10.0, "mse": 100.0})
    assert task.scores(outputs, examples) == pytest.approx([100.0, 100.0])
    assert task.frame(outputs, TRAIN).rows() == [(10.0, 20.0), (30.0, 40.0), (None, 1010.0)]


def test_rows_without_a_target_are_predicted():
    task = fitted()
    table = table_of(None, rows=2)
    assert task.examples(table).targets is None
    assert task.frame({"value": np.array([1.0, 2.0])}, table).columns == ["prediction"]
    assert task.describe(table) == "2 series of 3 steps, 1 channel; target 'y': many-to-one regression"


def test_it_says_what_it_is():
    task = fitted()
    assert task.describe(TRAIN).endswith("target 'y', from 10 to 30: many-to-one regression")
    assert (task.spec.outputs, task.spec.output_size, task.mapping) == ("sequence", 1, "many-to-one")
    assert task.baselines == ("mean", "feed_forward")
    assert task.notes(TRAIN) == ()
    division = Regress.divide(table_of(np.arange(20.0)), DataSettings(), TaskSettings(), 0)
    assert (len(division.train), len(division.valid), len(division.test)) == (16, 2, 2)


def test_config_goes_through_json():
    task = fitted()
    config = json.loads(json.dumps(task.to_config()))
    assert Regress.from_config(config) == task
    with pytest.raises(ModelFolderError, match="task is damaged"):
        Regress.from_config({})


def test_targets_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match="column 'y': a regression needs numbers, but this is category"):
        Regress.fit(table_of(["a"], Kind.CATEGORY), DataSettings(target="y"), TaskSettings())
    with pytest.raises(DataError, match="no row has a target"):
        Regress.fit(table_of([NAN]), DataSettings(), TaskSettings())
    with pytest.raises(DataError, match="an infinite value"):
        Regress.fit(table_of([1.0, np.inf]), DataSettings(), TaskSettings())


def test_rows_with_equal_inputs_are_one_proof():
    values = [np.arange(3.0)[:, None] + n for n in (0, 1, 0, 0)]
    columns = {"s": Column("s", Kind.SERIES, values), "y": Column("y", Kind.NUMBER, np.array([1.0, 2.0, NAN, 3.0]))}
    task = fitted()
    (way,) = task.dependence(task.examples(Table(columns)))
    assert (way.track.tolist(), way.place.tolist()) == ([0, 1, 0], [0, 0, 0])
    assert task.dependence(task.examples(TRAIN)) == ()
