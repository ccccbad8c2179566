"""Parity: every cell, on every engine, in both directions, with and without biases, projection and resets.

Values, final states and every gradient against a float64 oracle, on one batch that mixes all the awkward lengths.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import linear_oracle
import oracle
import pytest
import torch
from oracle import LENGTHS, close, shapes

from ostinato.cells import CELLS, Weights
from ostinato.engines import ENGINES, Request, force, run
from ostinato.engines.native_operators import KERNELS as NATIVE
from ostinato.engines.scan import OPERANDS as SCAN
from ostinato.sequences import Packed, Ragged, pack, unpack

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, once

INPUT, HIDDEN, PROJECTED = 5, 6, 4
TORCH = ("rnn", "rnn_relu", "lstm", "gru")
CASES = [
    (cell, bias, projected, reset, reverse)
    for cell, bias, projected, reset, reverse in product(
        CELLS, (True, False), (False, True), (False, True), (False, True)
    )
    if cell in oracle.PROJECTED or not projected
]
SERVED = [
    (case, engine)
    for case in CASES
    for engine in ENGINES
    if engine == "reference"
    or (case[0] in TORCH and engine == "torch")
    or (engine == "native" and case[0] in NATIVE and (not case[2] or NATIVE[case[0]].projected is not None))
    or (case[0] in SCAN and engine == "scan")
]
"""All but the pairs that an engine refuses (its refusal is tested in test_chooser.py)."""


class Case:
    """Numbers for one case: leaves in float64, upstream gradients, and the oracle's answer to them."""

    def __init__(self, cell: str, bias: bool, projected: bool, reset: bool, reverse: bool) -> None:
        random = torch.Generator().manual_seed(sum(map(ord, cell)) + 8 * bias + 4 * projected + 2 * reset + reverse)

        def draw(*shape: int) -> torch.Tensor:
            values = torch.randn(*shape, generator=random, dtype=torch.float64) * 0.4
            return values.float().double().requires_grad_()  # float32 numbers, so that both dtypes start alike

        self.cell, self.reverse = cell, reverse
        width = PROJECTED if projected else HIDDEN
        weights, states = shapes(cell, INPUT, HIDDEN, width, bias)
        self.weights = {name: draw(*shape) for name, shape in weights.items()}
        for name in [name for name in weights if name.startswith("norm")]:
            # Small gains: with large ones a norm makes the recurrence expand, and errors grow with it (LOG.md).
            self.weights[name] = (self.weights[name].detach() / 4 + 0.3).float().double().requires_grad_()
        self.state = [draw(len(LENGTHS), *shape) for shape in states]
        if cell == "slstm":
            self.state[2] = self.state[2].detach().exp().float().double().requires_grad_()  # a count of what was read
        self.x = draw(sum(LENGTHS), INPUT)
        self.flags = torch.rand(sum(LENGTHS), generator=random) < 0.15 if reset else None
        self.upstream = [draw(sum(LENGTHS), width).detach(), *(draw(*part.shape).detach() for part in self.state)]
        flags = None if self.flags is None else list(self.flags.split(LENGTHS))
        outputs, final = oracle.run(cell, self.weights, list(self.x.split(LENGTHS)), self.state, flags, reverse)
        self.values = [torch.cat(outputs), *final]
        self.leaves = [self.x, *self.state, *self.weights.values()]
        self.gradients = gradients(self.values, self.leaves, self.upstream)


case_of = cache(Case)
SERVED = [pair for pair in SERVED if pair[1] != "scan"]
SERVED += [(case, "scan") for case in CASES if case[0] in linear_oracle.CELLS]


def gradients(values: list[torch.Tensor], leaves: list[torch.Tensor], upstream: list[torch.Tensor]) -> Any:
    """Of every leaf; an mLSTM does not read its hidden state, whose gradient is 0 but for sequences without a step."""
    return torch.autograd.grad(values, leaves, upstream, materialize_grads=True, allow_unused=True)


def answer(case: Case, dtype: torch.dtype, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    """What the chosen engine says, with rows and states back in the order of the sequences."""
    x, parts, weights = leaves[0], leaves[1 : 1 + len(case.state)], leaves[1 + len(case.state) :]
    rows = pack(Ragged(x, torch.tensor(LENGTHS)))
    flags = None if case.flags is None else rows_of(rows, case.flags)
    state = CELLS[case.cell].State(*(part[rows.order] for part in parts))
    named = Weights(**dict(zip(case.weights, weights, strict=True)))
    result = run(Request(CELLS[case.cell], named, rows, state, flags, case.reverse))
    assert type(result.state) is CELLS[case.cell].State
    return [unpack(rows.with_data(result.output)).values, *(part[rows.slots] for part in result.state)]


def rows_of(rows: Packed, flags: torch.Tensor) -> torch.Tensor:
    return pack(Ragged(flags, torch.tensor(LENGTHS))).data


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("case", "engine"), SERVED, ids=str)
def test_engine_equals_oracle(case: tuple[Any, ...], engine: str, dtype: torch.dtype) -> None:
    told = case_of(*case)
    leaves = [leaf.detach().to(dtype).requires_grad_() for leaf in told.leaves]
    with force(engine):
        found = answer(told, dtype, leaves)
        slopes = gradients(found, leaves, [part.to(dtype) for part in told.upstream])
        with torch.no_grad():
            quiet = answer(told, dtype, leaves)
    for ours, silent, wanted in zip(found, quiet, told.values, strict=True):
        close(ours, wanted, "value")
        close(silent, wanted, "value")
    for ours, wanted in zip(slopes, told.gradients, strict=True):
        close(ours, wanted, "gradient")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("case", "engine"), [pair for pair in SERVED if pair[1] != "native"], ids=str)
def test_engine_equals_oracle_on_gpu(case: tuple[Any, ...], engine: str) -> None:
    told = case_of(*case)
    leaves = [leaf.detach().cuda().requires_grad_() for leaf in told.leaves]
    with force(engine):
        found = answer(told, torch.float64, leaves)
        slopes = gradients(found, leaves, [part.cuda() for part in told.upstream])
    for ours, wanted in zip(found, told.values, strict=True):
        close(ours.cpu(), wanted, "value")
    for ours, wanted in zip(slopes, told.gradients, strict=True):
        close(ours.cpu(), wanted, "gradient")
