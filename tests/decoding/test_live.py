"""A live signal: blocks of any sizes and single steps against the whole signal at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.data.examples import Batch
from ostinato.data.scaler import Scaler
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.decoding import Live
from ostinato.errors import UsageError
from ostinato.models import FeedForward, ModelSettings, build
from ostinato.sequences import Ragged
from ostinato.tasks import Language, Signal, TaskSettings


def made(channels: int = 1, targets: int = 1, **settings: object) -> tuple[torch.nn.Module, Signal]:
    scale_in, scale_out = Scaler((0.5,) * channels, (2.0,) * channels), Scaler((1.0,) * targets, (0.3,) * targets)
    names = tuple(f"in{c}" for c in range(channels)), tuple(f"out{c}" for c in range(targets))
    task = Signal(*names, Kind.SERIES, 0, scale_in, scale_out, "mse", 0.0, 0)
    torch.manual_seed(0)
    chosen = {"hidden": 5, "init": "orthogonal", **settings}
    return build(task.spec, ModelSettings(**chosen), TaskSettings()), task  # type: ignore[arg-type]


def whole(model: torch.nn.Module, task: Signal, values: np.ndarray) -> np.ndarray:
    scaled = torch.from_numpy(task.scale_in.encode(values).astype(np.float32))
    batch = Batch(Ragged(scaled, torch.tensor([len(values)])), torch.tensor([0]))
    with torch.no_grad():
        return task.outputs(model.eval()(batch)[0], batch)["value"]


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "gru", "skip": True},
        {"cell": "lstm", "layers": 2, "dropout": 0.3},
        {"cell": "rnn", "embedding": 4, "skip": True},
        {"cell": "lstm", "channels": 3, "targets": 2, "skip": True},
        {"cell": "lstm_norm"},
        {"cell": "gru", "learned_state": True},
    ],
    ids=str,
)
def test_streamed_is_whole(settings: dict[str, object]) -> None:
    model, task = made(**settings)  # type: ignore[arg-type]
    values = np.random.default_rng(0).normal(size=(60, len(task.inputs)))
    wanted = whole(model, task, values)
    live = Live(model, task)
    for _ in range(2):
        parts = [live.block(values[:7]), live.block(values[7:7]), live.block(values[7:30])]
        parts += [live.step(one)[None] for one in values[30:41]] + [live.block(values[41:])]
        np.testing.assert_allclose(np.concatenate(parts), wanted, rtol=1e-4, atol=1e-6)
        live.reset()
    assert next(model.parameters()).requires_grad


def test_one_channel_may_come_flat() -> None:
    live = Live(*made())
    values = np.linspace(-1, 1, 9)
    flat = live.block(values)
    live.reset()
    np.testing.assert_array_equal(flat, live.block(values[:, None])[:, 0])
    live.reset()
    assert live.step(values[0])[0] == pytest.approx(flat[0], rel=1e-5)
    assert live.block(np.zeros(0)).shape == (0,)


def test_training_on_does_not_reach_it() -> None:
    model, task = made()
    live, values = Live(model, task), np.ones(3)
    before = live.block(values)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    live.reset()
    np.testing.assert_array_equal(live.block(values), before)


def test_what_does_not_fit() -> None:
    model, task = made(channels=2)
    with pytest.raises(ValueError, match=r"a block is \(T, 2\), not \(4, 3\)"):
        Live(model, task).block(np.zeros((4, 3)))
    text = Table({"text": Column("text", Kind.TEXT, ["abc" * 20])})
    with pytest.raises(UsageError, match="trained for 'language'"):
        Live(model, Language.fit(text, DataSettings(), TaskSettings()))
    with pytest.raises(UsageError, match="a FeedForward does not go along"):
        Live(FeedForward(task.spec, 3), task)
