"""Cells: one step against hand-worked numbers, the named state and gates, and the table."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ostinato.cells import CELLS, Elman, LSTMState, Weights


def squash(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def scalar(*rows: float) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).unsqueeze(1)


def weights(gates: int) -> Weights:
    """H = I = 1: gate ``k`` has W_ih 0.1 (k + 1), W_hh 0.3 - 0.2 k, b_ih 0.05 k, b_hh -0.02 (k + 1)."""
    k = range(gates)
    return Weights(
        scalar(*(0.1 * (i + 1) for i in k)),
        scalar(*(0.3 - 0.2 * i for i in k)),
        scalar(*(0.05 * i for i in k)).squeeze(1),
        scalar(*(-0.02 * (i + 1) for i in k)).squeeze(1),
    )


X, H, C = 2.0, 0.5, -0.7


def by_hand(name: str) -> dict[str, float]:
    """The step on paper: pre-activations are 0.2 (k + 1) + 0.05 k from the input, (0.3 - 0.2 k) h - 0.02 (k + 1)."""
    x = [0.2 * (k + 1) + 0.05 * k for k in range(4)]
    h = [(0.3 - 0.2 * k) * H - 0.02 * (k + 1) for k in range(4)]
    if name == "rnn":
        return {"h": math.tanh(x[0] + h[0])}
    if name == "rnn_relu":
        return {"h": max(0.0, x[0] + h[0])}
    if name == "lstm":
        c = squash(x[1] + h[1]) * C + squash(x[0] + h[0]) * math.tanh(x[2] + h[2])
        return {"h": squash(x[3] + h[3]) * math.tanh(c), "c": c}
    r, z = squash(x[0] + h[0]), squash(x[1] + h[1])
    inner = r * h[2] if name == "gru" else (0.3 - 0.4) * r * H - 0.06
    return {"h": (1 - z) * math.tanh(x[2] + inner) + z * H}


@pytest.mark.parametrize("name", ["rnn", "rnn_relu", "lstm", "gru", "gru_before"])
def test_one_step_by_hand(name: str) -> None:
    cell = CELLS[name]
    w = weights(len(cell.gates))
    state = cell.State(*(scalar(value) for value in (H, C)[: len(cell.State._fields)]))
    output, after = cell.step(w, cell.project(w, scalar(X)), state)
    wanted = by_hand(name)
    assert after._fields == tuple(wanted)
    assert output.item() == pytest.approx(wanted["h"], abs=1e-15)
    for part, value in zip(after, wanted.values(), strict=True):
        assert part.item() == pytest.approx(value, abs=1e-15)


def test_projection() -> None:
    """Two cells, one output: h = W_hr (o tanh c), while c keeps its width."""
    cell: Any = CELLS["lstm"]
    ones = torch.ones(8, 1, dtype=torch.float64)
    w = Weights(ones, 0 * ones, hr=torch.tensor([[2.0, -3.0]], dtype=torch.float64))
    state = LSTMState(scalar(0.0), torch.tensor([[1.0, -1.0]], dtype=torch.float64))
    output, after = cell.step(w, cell.project(w, scalar(1.0)), state)
    s, g = squash(1.0), math.tanh(1.0)
    c = [s + s * g, -s + s * g]
    assert after.c.flatten().tolist() == pytest.approx(c, abs=1e-15)
    assert output.item() == pytest.approx(s * (2 * math.tanh(c[0]) - 3 * math.tanh(c[1])), abs=1e-15)


def test_the_two_grus_differ_only_where_the_reset_gate_acts() -> None:
    after, before = CELLS["gru"], CELLS["gru_before"]
    torch.manual_seed(0)
    w = Weights(torch.randn(12, 3), torch.randn(12, 4), torch.randn(12), torch.randn(12))
    x, h = torch.randn(5, 3), torch.randn(5, 4)
    a, b = (cell.gate(w, cell.project(w, x), cell.State(h)) for cell in (after, before))
    torch.testing.assert_close(a.r, b.r)
    torch.testing.assert_close(a.z, b.z)
    assert float((a.n - b.n).abs().max()) > 0.1


def test_table() -> None:
    assert list(CELLS)[:5] == ["rnn", "rnn_relu", "lstm", "gru", "gru_before"]
    assert all(cell.name == name for name, cell in CELLS.items())
    assert CELLS["lstm"].gates == ("i", "f", "g", "o")
    assert CELLS["gru"].gates == CELLS["gru_before"].gates == ("r", "z", "n")
    assert isinstance(CELLS["rnn_relu"], Elman)
    assert [name for name, cell in CELLS.items() if cell.projects] == ["lstm", *VARIANTS[:2], "lstm_norm", "lru"]


VARIANTS = ["lstm_peephole", "lstm_coupled"]


def test_variants_fall_back_to_the_lstm() -> None:
    """Without peepholes, or with an input gate that is the opposite of the forget gate, it is the LSTM."""
    torch.manual_seed(0)
    plain = Weights(torch.randn(16, 3), torch.randn(16, 4), torch.randn(16), torch.randn(16))
    x, state = torch.randn(5, 3), LSTMState(torch.randn(5, 4), torch.randn(5, 4))
    cell = CELLS["lstm"]
    wanted = cell.step(plain, cell.project(plain, x), state)[1]
    sighted = Weights(**plain, ci=torch.zeros(4), cf=torch.zeros(4), co=torch.zeros(4))
    cell = CELLS["lstm_peephole"]
    assert all(map(torch.equal, cell.step(sighted, cell.project(sighted, x), state)[1], wanted))
    mirrored = {name: torch.cat([part[:4], -part[:4], part[8:]]) for name, part in plain.items()}
    thrifty = Weights(**{name: torch.cat([part[:4], part[8:]]) for name, part in plain.items()})
    wanted = CELLS["lstm"].step(Weights(**mirrored), CELLS["lstm"].project(Weights(**mirrored), x), state)[1]
    cell = CELLS["lstm_coupled"]
    after = cell.step(thrifty, cell.project(thrifty, x), state)[1]
    torch.testing.assert_close(after, wanted, atol=1e-6, rtol=0)


def test_weights_by_name() -> None:
    """A weight given as None is not there; the order is torch's, then that in which the others were given."""
    ones = torch.ones(4, 1)
    w = Weights(ones, hr=None, ci=ones[:, 0], bias_ih=ones[:, 0])
    assert list(w) == ["ih", "bias_ih", "ci"]
    assert w.ih is ones
    assert w.bias_hh is None
    assert w.hr is None
    with pytest.raises(KeyError):
        _ = w.hh
