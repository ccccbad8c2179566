"""The newer cells over time against their papers in NumPy, and every derivative against finite differences."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from papers import STEPS

from ostinato.cells import CELLS, Sizes, Weights
from ostinato.engines import Request, force, run
from ostinato.sequences import Ragged, pack

LENGTHS = [4, 0, 2, 3]
FLAGS = [False, False, True, False, False, True, True, False, False]
CASES = [
    (name, bias, reverse, output)
    for name, bias, reverse, output in product(STEPS, (True, False), (False, True), (4, 3))
    if output == 4 or CELLS[name].projects
]


def numbers(name: str, bias: bool, output: int = 4) -> tuple[Any, list[torch.Tensor], torch.Tensor]:
    """Weights, state and rows of one case, float64."""
    random = torch.Generator().manual_seed(len(name) + bias)
    sizes = Sizes(3, 4, output, bias, 2 if name in {"slstm", "mlstm"} else 1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64) * 0.7

    weights = {key: draw(*shape) for key, shape in CELLS[name].shapes(sizes).items()}
    state = [draw(len(LENGTHS), *shape) for shape in CELLS[name].state_shapes(sizes)]
    if name == "slstm":
        state[2] = state[2].abs() + 0.1  # a count of what was read
    return weights, state, draw(sum(LENGTHS), 3)


def answer(name: str, reverse: bool, x: torch.Tensor, state: Any, weights: dict[str, torch.Tensor]) -> list[Any]:
    """Outputs and final states of the reference engine, by slot."""
    rows = pack(Ragged(x, torch.tensor(LENGTHS)))
    flags = pack(Ragged(torch.tensor(FLAGS), torch.tensor(LENGTHS))).data
    begin = CELLS[name].State(*(part[rows.order] for part in state))
    with force("reference"):
        result = run(Request(CELLS[name], Weights(**weights), rows, begin, flags, reverse))
    return [result.output, *result.state]


@pytest.mark.parametrize(("name", "bias", "reverse", "output"), CASES)
def test_equals_the_paper(name: str, bias: bool, reverse: bool, output: int) -> None:
    weights, state, x = numbers(name, bias, output)
    found, *final = answer(name, reverse, x, state, weights)
    plain = {key: weight.numpy() for key, weight in weights.items()}
    rows = pack(Ragged(torch.arange(len(x)), torch.tensor(LENGTHS)))
    place = {int(row): at for at, row in enumerate(rows.data)}
    first = 0
    for b, length in enumerate(LENGTHS):
        begin = [part[b].numpy() for part in state]
        now = begin
        for t in sorted(range(first, first + length), reverse=reverse):
            now = STEPS[name](plain, x[t].numpy(), begin if FLAGS[t] else now)
            np.testing.assert_allclose(found[place[t]], now[0], atol=1e-13, rtol=0)
        for part, wanted in zip(final, now, strict=True):
            np.testing.assert_allclose(part[int(rows.slots[b])], wanted, atol=1e-12, rtol=0)
        first += length


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_every_derivative(name: str, reverse: bool) -> None:
    """First and second derivatives by everything that goes in: rows, states, every weight."""
    weights, state, x = numbers(name, True, 3 if CELLS[name].projects else 4)
    leaves = [leaf.requires_grad_() for leaf in (x, *state, *weights.values())]

    def values(*given: torch.Tensor) -> list[torch.Tensor]:
        named = dict(zip(weights, given[1 + len(state) :], strict=True))
        return answer(name, reverse, given[0], given[1 : 1 + len(state)], named)

    assert torch.autograd.gradcheck(values, leaves)
    if not reverse:
        assert torch.autograd.gradgradcheck(values, leaves, fast_mode=True)


@pytest.mark.parametrize("name", ["slstm", "mlstm"])
def test_exponential_gates_stay_in_range(name: str) -> None:
    """Logarithms of gates up to thousands overflow nothing, from an empty memory and from a full one."""
    weights, state, x = numbers(name, True)
    weights = {key: (200 * weight).float().requires_grad_() for key, weight in weights.items()}
    empty = [torch.zeros_like(part).float() for part in state]
    for begin in (empty, [part.float() for part in state]):
        found = answer(name, False, 10 * x.float(), begin, weights)
        slopes = torch.autograd.grad(sum(part.square().mean() for part in found[:1]), list(weights.values()))
        assert all(part.isfinite().all() for part in (*found, *slopes))


@pytest.mark.parametrize("name", ["slstm", "mlstm"])
def test_the_first_step_reads_an_empty_memory(name: str) -> None:
    """From the zero state a step puts out what it wrote, however small its input gate was."""
    weights, state, x = numbers(name, True)
    row = {"slstm": slice(0, 4), "mlstm": slice(12, 14)}[name]  # the input gates
    weights["bias_ih"] = weights["bias_ih"].clone()
    empty = [torch.zeros_like(part) for part in state]
    first = answer(name, False, x, empty, weights)[0][:3]
    weights["bias_ih"][row] -= 400
    shut = answer(name, False, x, empty, weights)[0][:3]
    if name == "slstm":  # a mean over what was read: the size of the gate cancels
        torch.testing.assert_close(shut, first, atol=1e-12, rtol=0)
    else:  # |n q| falls below 1: the output fades with the gate
        assert float(shut.abs().max()) < 1e-30 < float(first.abs().min())
