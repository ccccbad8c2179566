"""What holds of every engine beyond the values: traces, empty batches, held steps, and the second derivative."""

from __future__ import annotations

import linear_oracle
import oracle
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.cells import CELLS, Weights
from ostinato.engines import ENGINES, Request, Result, force, run
from ostinato.engines.native_operators import KERNELS as NATIVE
from ostinato.engines.scan import OPERANDS as SCAN
from ostinato.sequences import Ragged, pack

KERNELS = {
    "torch": ("rnn", "rnn_relu", "lstm", "gru"),
    "native": tuple(NATIVE),
    "scan": tuple(SCAN),
    "reference": tuple(CELLS),
}
PAIRS = [(cell, engine) for engine in ENGINES for cell in KERNELS[engine]]


def request(
    cell: str, lengths: list[int], *, dtype: torch.dtype = torch.float64, seed: int = 0, **more: object
) -> Request:
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype) * 0.5

    named, parts = oracle.shapes(cell, 3, 4, 4, bias=True)
    weights = Weights(**{name: draw(*shape) for name, shape in named.items()})
    rows = pack(Ragged(draw(sum(lengths), 3), torch.tensor(lengths, dtype=torch.int64)))
    state = CELLS[cell].State(*(draw(len(lengths), *shape) for shape in parts))
    if cell == "slstm":
        state = state._replace(n=state.n.abs() + 0.1)
    return Request(CELLS[cell], weights, rows, state, **more)  # type: ignore[arg-type]


PAIRS = [pair for pair in PAIRS if pair[1] != "scan"] + [(cell, "scan") for cell in linear_oracle.CELLS]


@pytest.mark.parametrize(("cell", "engine"), PAIRS)
@pytest.mark.parametrize("lengths", [[], [0, 0, 0]])
@pytest.mark.parametrize("reverse", [False, True])
def test_no_step_at_all(cell: str, engine: str, lengths: list[int], reverse: bool) -> None:
    asked = request(cell, lengths, reverse=reverse, reset=torch.zeros(0, dtype=torch.bool))
    with force(engine):
        result = run(asked)
    assert result.output.shape == (0, 4)
    assert all(torch.equal(a, b) for a, b in zip(result.state, asked.state, strict=True))


@given(
    cell=st.sampled_from(list(CELLS)),
    lengths=st.lists(st.integers(0, 6), max_size=5),
    reverse=st.booleans(),
    data=st.data(),
)
def test_engines_agree_on_any_layout(cell: str, lengths: list[int], reverse: bool, data: st.DataObject) -> None:
    total = sum(lengths)
    flags = torch.tensor(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)), dtype=torch.bool)
    asked = request(cell, lengths, dtype=torch.float32, reverse=reverse, reset=flags)
    results: list[Result] = []
    for engine in ENGINES:
        if ENGINES[engine].refuses(asked) is None:
            with force(engine):
                results.append(run(asked))
    for other in results[1:]:
        torch.testing.assert_close(other.output, results[0].output, atol=2e-6, rtol=0)
        for a, b in zip(other.state, results[0].state, strict=True):
            torch.testing.assert_close(a, b, atol=2e-6, rtol=0)


def from_gates(cell: str, g: dict[str, torch.Tensor], before: list[torch.Tensor], w: Weights) -> list[torch.Tensor]:
    """The state after a step, from its gates and the state before."""
    if cell in linear_oracle.CELLS:
        return linear_oracle.from_gates(cell, g, before, w)
    if cell == "slstm":
        _, c, n, m = before
        peak = torch.maximum(g["f"] + m, g["i"])
        keep, write = (g["f"] + m - peak).exp(), (g["i"] - peak).exp()
        c, n = keep * c + write * g["z"], keep * n + write
        return [g["o"] * c / n, c, n, peak]
    if cell == "mlstm":
        _, c, n, m = before
        q, k, v = (g[name].reshape(2, 2) for name in "qkv")
        peak = torch.maximum(g["f"] + m, g["i"])
        keep, write = (g["f"] + m - peak).exp(), (g["i"] - peak).exp()
        c = keep[:, None, None] * c + write[:, None, None] * v[:, :, None] * k[:, None, :]
        n = keep[:, None] * n + write[:, None] * k
        size = torch.maximum((n * q).sum(1).abs(), (-peak).exp())
        return [g["o"] * ((c * q[:, None, :]).sum(2) / size[:, None]).flatten(), c, n, peak]
    if cell.startswith("lstm"):
        c = g.get("f", 1 - g["i"]) * before[1] + g["i"] * g["g"]
        shown = oracle.level(c, w["norm_c"]) + w["bias_norm_c"] if cell == "lstm_norm" else c
        return [g["o"] * shown.tanh(), c]
    if "rnn" in cell:
        return [g["n"]]
    return [g["n"] + g["z"] * (before[0] - g["n"])]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
def test_trace_explains_the_output(cell: str, reverse: bool) -> None:
    """States and gates fit the equations from one step to the next, and end in the final state."""
    lengths = [4, 0, 6, 1]
    asked = request(cell, lengths, reverse=reverse, trace=True)
    result = run(asked)
    assert result.trace is not None
    states, gates = result.trace
    assert gates._fields == CELLS[cell].gates  # type: ignore[attr-defined]
    assert torch.equal(states[0], result.output)
    starts = asked.rows.batch_sizes.cumsum(0) - asked.rows.batch_sizes
    for slot, length in enumerate(asked.rows.lengths.tolist()):
        before = [part[slot] for part in asked.state]
        for t in sorted(range(length), reverse=reverse):
            row = int(starts[t]) + slot
            g = {name: part[row] for name, part in zip(CELLS[cell].gates, gates, strict=True)}
            after = from_gates(cell, g, before, asked.weights)
            for part, wanted in zip(states, after, strict=True):
                torch.testing.assert_close(part[row], wanted, atol=1e-14, rtol=0)
            before = after
        for part, wanted in zip(result.state, before, strict=True):
            torch.testing.assert_close(part[slot], wanted, atol=1e-14, rtol=0)
    empty = run(request(cell, [0], trace=True)).trace
    assert [part.shape for part in empty.gates] == [(0, *part.shape[1:]) for part in gates]  # type: ignore[union-attr]


@pytest.mark.parametrize(("cell", "engine"), [pair for pair in PAIRS if pair[0] not in {"rnn_relu", "indrnn"}])
def test_twice_differentiable(cell: str, engine: str) -> None:
    asked = request(cell, [3, 1, 2], reset=torch.tensor([False, False, False, False, True, False]))

    def energy(x: torch.Tensor) -> torch.Tensor:
        with force(engine):
            return run(Request(asked.cell, asked.weights, asked.rows.with_data(x), asked.state, asked.reset)).output

    x = asked.rows.data.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(energy, (x,))
