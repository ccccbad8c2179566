"""The linear filter against scipy and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import UsageError
from ostinato.evaluation import linear_filter as module
from ostinato.evaluation.baselines import baseline
from ostinato.evaluation.ground import Ground
from ostinato.evaluation.linear_filter import TAPS, linear_filter
from ostinato.tasks import Language, Signal, TaskSettings
from ostinato.training import OptimizerSettings, TrainingSettings, predict


def table(lengths: tuple[int, ...], taps: np.ndarray, bias: float = 0.7) -> Table:
    random = np.random.default_rng(0)
    dry = [random.normal(size=(length, 1)) for length in lengths]
    wet = [lfilter(taps, [1], one, axis=0) + bias for one in dry]
    return Table({"dry": Column("dry", Kind.SERIES, dry, ("dry",)), "wet": Column("wet", Kind.SERIES, wet, ("wet",))})


def ground(data: Table, warm_up: int = 0) -> Ground:
    task = Signal.fit(data, DataSettings(target="wet"), TaskSettings(warm_up=warm_up))
    return Ground(task, data, data, data, 0, TrainingSettings(), OptimizerSettings())


def test_a_filter_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 100)
    taps = np.random.default_rng(1).normal(size=TAPS)
    here = ground(table((700, 3, 400), taps), warm_up=TAPS)
    here.train_table["wet"].values[0][5] = np.nan  # steps without a target do not count
    outputs = here.answer(linear_filter(here), here.test)
    assert here.task.metrics(outputs, here.test)["esr"] < 1e-8


def test_windows_give_the_same_as_the_whole() -> None:
    here = ground(table((300, 40, 129), np.array([1.0, -0.5, 0.25])))
    fitted = linear_filter(here)
    whole = predict(fitted, here.task, here.test)["value"]
    for window in (1, 7, 64, 200):
        np.testing.assert_allclose(predict(fitted, here.task, here.test, window=window)["value"], whole, atol=1e-6)


def test_least_squares_against_numpy() -> None:
    data = table((500,), np.array([1.0]))
    data["wet"].values[0][:] = np.tanh(2 * data["dry"].values[0] + np.roll(data["dry"].values[0], 3))
    here = ground(data)
    x, y = here.train.inputs.values.numpy()[:, 0], here.train.targets.values.numpy()[:, 0]
    seen = np.array([[x[t - k] if t >= k else 0.0 for k in range(TAPS - 1, -1, -1)] + [1.0] for t in range(500)])
    solution = np.linalg.lstsq(seen, y, rcond=None)[0]
    fitted = linear_filter(here)
    np.testing.assert_allclose(torch.cat([fitted.weight[:, 0], fitted.bias]), solution, atol=1e-4)


def test_it_is_a_rival_of_signals_only() -> None:
    text = Table({"text": Column("text", Kind.TEXT, ["abcd" * 30])})
    task = Language.fit(text, DataSettings(), TaskSettings())
    with pytest.raises(UsageError, match="a rival for signals"):
        baseline("linear_filter", task, text, text, text)
