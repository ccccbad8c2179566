"""Gates and states of one sequence against the equations, step by step."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from model_batches import make_batch

from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import FeedForward, ModelSettings, SequenceModel, build, inspect
from ostinato.tasks.settings import TaskSettings

GATES = {"lstm": list("ifgo"), "gru": list("rzn"), "gru_before": list("rzn"), "rnn": ["n"], "rnn_relu": ["n"]}
GATES |= {"peephole": list("ifgo"), "coupled": list("igo"), "lstm_norm": list("ifgo"), "gru_norm": list("rzn")}
GATES |= {"indrnn": ["n"], "indrnn_tanh": ["n"], "slstm": list("ifzo"), "mlstm": list("qkvifo")}
IDS, TAG = Spec("ids", 9, "sequence", 4), Spec("values", 3, "step", 2)


def make(spec: Spec, **settings: Any) -> SequenceModel:
    torch.manual_seed(1)
    model = build(spec, ModelSettings(**{"hidden": 5, "heads": 1, **settings}), TaskSettings())
    assert isinstance(model, SequenceModel)
    return model.eval()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(model: SequenceModel, inputs: np.ndarray, suffix: str = "") -> dict[str, np.ndarray]:
    """The equations of an LSTM in float64."""
    weights = {name: value.double().numpy() for name, value in model.stack.layers[0].state_dict().items()}
    w, u = weights[f"weight_ih_l0{suffix}"], weights[f"weight_hh_l0{suffix}"]
    b = weights[f"bias_ih_l0{suffix}"] + weights[f"bias_hh_l0{suffix}"]
    h = c = np.zeros(5)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in "ifgohc"}
    for x in inputs:
        i, f, g, o = np.split(w @ x + u @ h + b, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in zip("ifgohc", (i, f, g, o, h, c), strict=True):
            rows[name].append(value)
    return {name: np.array(values) for name, values in rows.items()}


def test_both_directions_of_an_lstm_by_hand() -> None:
    model, batch = make(TAG, bidirectional=True), make_batch(TAG, [6])
    found = inspect(model, batch)
    inputs = batch.inputs.values.numpy()
    np.testing.assert_array_equal(found.inputs, inputs)
    assert [(layer.layer, layer.direction) for layer in found.layers] == [(1, "forward"), (1, "backward")]
    forward = lstm_by_hand(model, inputs)
    backward = {name: rows[::-1] for name, rows in lstm_by_hand(model, inputs[::-1], "_reverse").items()}
    for layer, expected in zip(found.layers, (forward, backward), strict=True):
        for name, rows in {**layer.gates, **layer.states}.items():
            np.testing.assert_allclose(rows, expected[name], atol=1e-6)
        summary = layer.summary()
        assert list(summary) == ["i", "f", "g", "o", "|h|", "|c|"]
        np.testing.assert_allclose(summary["f"], expected["f"].mean(1), atol=1e-6)
        np.testing.assert_allclose(summary["|c|"], np.sqrt((expected["c"] ** 2).sum(1)), atol=1e-5)


@pytest.mark.parametrize(("cell", "spec", "bidirectional"), list(itertools.product(GATES, [IDS, TAG], [False, True])))
def test_looking_changes_nothing(cell: str, spec: Spec, bidirectional: bool) -> None:
    model, batch = make(spec, cell=cell, layers=2, bidirectional=bidirectional), make_batch(spec, [6])
    expected, state = model(batch)
    found = inspect(model, batch)
    np.testing.assert_allclose(found.output, (expected if spec is TAG else expected[0]).detach(), atol=1e-6)
    assert len(found.layers) == (4 if bidirectional else 2)
    for number, layer in enumerate(found.layers):
        assert list(layer.gates) == GATES[cell]
        last = 0 if layer.direction == "backward" else -1
        for part, rows in zip(state, layer.states.values(), strict=True):
            np.testing.assert_allclose(rows[last], part[number, 0].detach().flatten(), atol=1e-6)


def test_attention_shares() -> None:
    model, batch = make(IDS, pool="attention"), make_batch(IDS, [6])
    found = inspect(model, batch)
    assert found.attention is not None
    assert found.attention.sum() == pytest.approx(1, abs=1e-6)
    pooled = found.attention @ found.layers[-1].states["h"]
    answer = model.head.linear.weight.detach().numpy() @ pooled + model.head.linear.bias.detach().numpy()
    np.testing.assert_allclose(found.output, answer, atol=1e-6)
    assert inspect(make(IDS, pool="mean"), batch).attention is None


def test_a_forecaster_shows_its_past() -> None:
    spec = Spec("values", 1, "horizon", 3, horizon=6, look_back=24, segment=4, causal=True)
    torch.manual_seed(0)
    model = build(spec, ModelSettings(cell="gru", hidden=5), TaskSettings())
    batch = make_batch(spec, [24])
    found = inspect(model, batch)
    assert found.output.shape == (6, 3)
    assert found.layers[0].states["h"].shape == (6, 5)
    np.testing.assert_allclose(found.layers[0].states["h"][-1], model.eval()(batch)[1][0][0, 0].detach(), atol=1e-6)


def test_a_sequence_without_steps() -> None:
    found = inspect(make(IDS), make_batch(IDS, [0]))
    assert found.layers[0].gates["f"].shape == (0, 5)
    assert found.layers[0].summary()["|h|"].shape == (0,)
    assert np.isfinite(found.output).all()


def test_training_goes_on_as_before() -> None:
    model = make(IDS, dropout=0.5, layers=2).train()
    first, second = inspect(model, make_batch(IDS, [6])), inspect(model, make_batch(IDS, [6]))
    np.testing.assert_array_equal(first.output, second.output)
    assert model.training
    assert not model.stack._forward_pre_hooks


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="one sequence can be inspected at a time, not 2"):
        inspect(make(IDS), make_batch(IDS, [3, 3]))
    with pytest.raises(UsageError, match="FeedForward has no memory"):
        inspect(FeedForward(IDS, 3), make_batch(IDS, [3]))
