"""The native engine's kernels: every size, instruction set and thread count against the oracle; poison; threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import oracle
import pytest
import torch
from oracle import LENGTHS, close, shapes

from ostinato.cells import CELLS, Weights
from ostinato.engines import Request, force, run
from ostinato.engines.core import MISSING
from ostinato.engines.native_operators import KERNELS, Call
from ostinato.sequences import Ragged, pack, unpack

if MISSING is None:
    from ostinato.engines import _native

WIDTHS = [1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130]
PAIRS = [*zip(WIDTHS, WIDTHS[5:] + WIDTHS[:5], strict=True), (130, 130), (3, 130)]
ISAS = _native.isas() if MISSING is None else []
native = pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")


def test_built_where_it_can_be() -> None:
    """A machine with a compiler has the module; without it a broken build would go unseen."""
    assert MISSING is None or not any(map(shutil.which, ("c++", "g++", "clang++")))


def test_without_the_module_others_serve_and_say_why() -> None:
    code = """
import sys
sys.modules["ostinato.engines._native"] = None
import torch
from ostinato import nn
from ostinato.engines import explain, force, native_state
layer = nn.LSTM(3, 4)
print(layer(torch.zeros(2, 1, 3))[0].shape)
print(explain(layer))
print(native_state())
with force("native"):
    layer(torch.zeros(2, 1, 3), lengths=[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "torch.Size([2, 1, 4])" in done.stdout
    assert "torch: torch.lstm on oneDNN (not 'native': its C++ module is not built; install a C++17" in done.stdout
    assert "missing: its C++ module is not built" in done.stdout
    assert "UsageError: engine 'native' is forced, but its C++ module is not built" in done.stderr


class Case:
    """One cell of one size over all the awkward lengths, in float64, and the oracle's answer."""

    def __init__(self, cell: str, inputs: int, units: int, reset: bool, reverse: bool) -> None:
        random = torch.Generator().manual_seed(units + 1000 * inputs)

        def draw(*shape: int, scale: float = 0.5) -> torch.Tensor:
            values = torch.randn(*shape, generator=random, dtype=torch.float64) * scale
            return values.float().double().requires_grad_()

        self.cell, self.reverse = cell, reverse
        named, parts = shapes(cell, inputs, units, units, bias=True)
        self.weights = {name: draw(*shape, scale=min(0.5, shape[-1] ** -0.5)) for name, shape in named.items()}
        with torch.no_grad():
            if cell.startswith("rnn"):  # without gates an error grows from step to step, unless the weights are small
                self.weights["hh"] *= 0.25
            if cell in {"rnn_relu", "indrnn"}:  # each unit well on one side of the kink, where rounding would decide
                self.weights["bias_ih"] += 6 * (-1.0) ** torch.arange(units)
        self.state = [draw(len(LENGTHS), *shape) for shape in parts]
        self.x = draw(sum(LENGTHS), inputs)
        self.flags = torch.rand(sum(LENGTHS), generator=random) < 0.1 if reset else None
        flags = None if self.flags is None else list(self.flags.split(LENGTHS))
        outputs, final = oracle.run(cell, self.weights, list(self.x.split(LENGTHS)), self.state, flags, reverse)
        self.values = [torch.cat(outputs), *final]
        self.upstream = [draw(*value.shape).detach() for value in self.values]
        self.leaves = [self.x, *self.state, *self.weights.values()]
        self.gradients = torch.autograd.grad(self.values, self.leaves, self.upstream)

    def answer(self, dtype: torch.dtype) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Values and gradients by the native engine."""
        leaves = [leaf.detach().to(dtype).requires_grad_() for leaf in self.leaves]
        x, parts, weights = leaves[0], leaves[1 : 1 + len(self.state)], leaves[1 + len(self.state) :]
        rows = pack(Ragged(x, torch.tensor(LENGTHS)))
        flags = None if self.flags is None else pack(Ragged(self.flags, torch.tensor(LENGTHS))).data
        state = CELLS[self.cell].State(*(part[rows.order] for part in parts))
        with force("native"):
            result = run(
                Request(
                    CELLS[self.cell],
                    Weights(**dict(zip(self.weights, weights, strict=True))),
                    rows,
                    state,
                    flags,
                    self.reverse,
                )
            )
        found = [unpack(rows.with_data(result.output)).values, *(part[rows.slots] for part in result.state)]
        upstream = [part.to(dtype) for part in self.upstream]
        return found, list(torch.autograd.grad(found, leaves, upstream))


case_of = cache(Case)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Instruction set and threads as they were."""
    before = _native.isa() if MISSING is None else ""
    yield
    torch.set_num_threads(1)
    if MISSING is None:
        _native.choose_isa(before)


@native
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
@pytest.mark.parametrize("cell", KERNELS)
def test_every_size_on_every_instruction_set(cell: str, pair: tuple[int, int], isa: str) -> None:
    number = PAIRS.index(pair)
    case = case_of(cell, *pair, reset=number % 2 == 0, reverse=number % 3 == 0)
    assert _native.choose_isa(isa)
    # Normalising two numbers or one has no slope to speak of: what float32 gives then is rounding.
    numbers = {torch.float64: 1} if "norm" in cell and pair[1] < 3 else {torch.float64: 1, torch.float32: 2}
    for dtype, threads in numbers.items():
        torch.set_num_threads(threads)
        values, gradients = case.answer(dtype)
        for ours, wanted in zip(values, case.values, strict=True):
            close(ours, wanted, "value")
        for ours, wanted in zip(gradients, case.gradients, strict=True):
            close(ours, wanted, "gradient")


@native
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("cell", "outputs"), [(cell, 9) for cell in KERNELS] + [(cell, 4) for cell in KERNELS if KERNELS[cell].projected]
)
def test_gates_computed_again_give_the_same_gradients(cell: str, outputs: int, threads: int) -> None:
    """Whatever is kept for backward, all or little, values and gradients are the same."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    named, parts = shapes(cell, 5, 9, outputs, bias=True)
    leaves = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in named.values()]
    x = torch.randn(sum(LENGTHS), 5, dtype=torch.float64, requires_grad=True)
    state = CELLS[cell].State(
        *(torch.randn(len(LENGTHS), *shape, dtype=torch.float64, requires_grad=True) for shape in parts)
    )
    flags, weights = torch.rand(len(x)) < 0.1, Weights(**dict(zip(named, leaves, strict=True)))
    answers = []
    for low in (False, True):
        rows = pack(Ragged(x, torch.tensor(LENGTHS)))
        with force("native"):
            result = run(Request(CELLS[cell], weights, rows, state, flags, low=low))
        found = [result.output, *result.state]
        total = sum((part * part.detach().cos()).sum() for part in found)
        answers.append([*found, *torch.autograd.grad(total, [x, *state, *leaves])])
    for little, everything in zip(answers[1], answers[0], strict=True):
        torch.testing.assert_close(little, everything, atol=1e-11, rtol=1e-11)


@native
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(("batch", "inputs", "units"), [(33, 8, 40), (3, 70, 260), (1, 9, 33)])
@pytest.mark.parametrize("cell", KERNELS)
def test_equal_bits_whatever_the_threads(cell: str, batch: int, inputs: int, units: int, two: bool) -> None:
    answers = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        answers.append(both(cell, 90, batch, inputs, units, two))
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            assert torch.equal(a, b)


def both(cell: str, steps: int, batch: int, inputs: int, units: int, two: bool) -> list[torch.Tensor]:
    """Output, state and all gradients of one layer over equal lengths, from drawn numbers."""
    from ostinato.engines.native_autograd import layer

    random = torch.Generator().manual_seed(0)
    directions = 1 + two
    named, parts = shapes(cell, inputs, units, units, bias=True)

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(*shape, generator=random) * units**-0.5).requires_grad_()

    x, states = draw(steps, batch, inputs), [draw(directions, batch, *shape) for shape in parts]
    weights = [draw(*shape) for shape in [*named.values()] * directions]
    outputs = layer([x, *states], (None,) * 4, weights, Call(cell, two=two))
    upstream = [torch.randn(part.shape, generator=random) for part in outputs]
    return [*outputs, *torch.autograd.grad(outputs, [x, *states, *weights], upstream)]


@native
@pytest.mark.parametrize("cell", KERNELS)
def test_two_directions_are_each_alone(cell: str) -> None:
    """One call for both equals two calls; the gradients of x add up."""
    from ostinato.engines.native_autograd import layer

    torch.manual_seed(0)
    sizes = torch.tensor([4, 3, 3, 1])
    named, parts = shapes(cell, 3, 5, 5, bias=True)
    count = len(named)
    x = torch.randn(11, 3, dtype=torch.float64, requires_grad=True)
    states = [torch.randn(2, 6, *shape, dtype=torch.float64) for shape in parts]
    weights = [torch.randn(*shape, dtype=torch.float64) for shape in [*named.values()] * 2]
    flags = torch.rand(2, 11) < 0.3
    y, *after = layer([x, *states], (sizes, flags, None, None), weights, Call(cell, two=True))
    alone = []
    for d in range(2):
        inputs = [x, *(part[d : d + 1] for part in states)]
        flow = (sizes, flags[d : d + 1], None, None)
        alone.append(layer(inputs, flow, weights[count * d : count * (d + 1)], Call(cell, reverse=d == 1)))
    upstream = torch.randn_like(y)
    assert torch.equal(y, torch.cat([one[0] for one in alone], 1))
    for part, parts in zip(after, zip(*(one[1:] for one in alone), strict=True), strict=True):
        assert torch.equal(part, torch.cat(parts))
    (whole,) = torch.autograd.grad(y, x, upstream)
    halves = [torch.autograd.grad(one[0], x, upstream[:, 5 * d : 5 * d + 5])[0] for d, one in enumerate(alone)]
    torch.testing.assert_close(whole, halves[0] + halves[1], atol=1e-14, rtol=0)


@native
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cell", KERNELS)
def test_fresh_memory_is_never_read(cell: str, isa: str) -> None:
    """Every buffer PyTorch hands out is full of NaN, and none comes through."""
    assert _native.choose_isa(isa)
    case = case_of(cell, 17, 33, reset=True, reverse=False)
    torch.use_deterministic_algorithms(True)  # only then is fresh memory filled
    try:
        assert torch.empty(3).isnan().all()
        values, gradients = case.answer(torch.float64)
    finally:
        torch.use_deterministic_algorithms(False)
    for ours, wanted in zip([*values, *gradients], [*case.values, *case.gradients], strict=True):
        close(ours, wanted, "gradient")


@native
def test_nan_and_inf_go_where_they_belong() -> None:
    """A poisoned sequence spoils its own rows, from the poison on, and no other sequence's."""
    for cell in KERNELS:
        case = case_of(cell, 3, 7, reset=False, reverse=False)
        x = case.x.detach().clone()
        begin = LENGTHS[0]
        x[begin + 70] = float("nan")
        rows = pack(Ragged(x, torch.tensor(LENGTHS)))
        state = CELLS[cell].State(*(part.detach()[rows.order] for part in case.state))
        weights = Weights(**{name: part.detach() for name, part in case.weights.items()})
        result = run(Request(CELLS[cell], weights, rows, state))
        found = unpack(rows.with_data(result.output)).values
        assert found[begin + 70 : begin + LENGTHS[1]].isnan().all() or cell == "rnn_relu"
        found[begin + 70 : begin + LENGTHS[1]] = case.values[0].detach()[begin + 70 : begin + LENGTHS[1]]
        close(found, case.values[0], "value")


@native
@pytest.mark.parametrize("number", [float("inf"), float("-inf"), 1e30, -1e30, 0.0])
@pytest.mark.parametrize("cell", KERNELS)
def test_extreme_inputs_as_the_equations(cell: str, number: float) -> None:
    torch.manual_seed(0)
    dtype = torch.float64 if "norm" in cell else torch.float32  # a variance squares them
    rows = pack(Ragged(torch.full((6, 3), number, dtype=dtype), torch.tensor([4, 2])))
    named, parts = shapes(cell, 3, 4, 4, bias=False)
    weights = Weights(**{name: torch.randn(*shape, dtype=dtype) for name, shape in named.items()})
    state = CELLS[cell].State(*(torch.randn(2, *shape, dtype=dtype) for shape in parts))
    answers: list[Any] = []
    for engine in ("native", "reference"):
        with force(engine):
            answers.append(run(Request(CELLS[cell], weights, rows, state)))
    torch.testing.assert_close(answers[0].output, answers[1].output, atol=1e-5, rtol=1e-5, equal_nan=True)


@native
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("cell", "outputs"), [(cell, 5) for cell in KERNELS] + [(cell, 3) for cell in KERNELS if KERNELS[cell].projected]
)
def test_gradients_beside_infinite_numbers(cell: str, outputs: int, isa: str) -> None:
    """Where the equations' gradients are finite, so are the kernels', whose vectors reach beyond the last unit."""
    assert _native.choose_isa(isa)
    torch.manual_seed(0)
    named, parts = shapes(cell, 3, 5, outputs, bias=True)
    x = torch.randn(9, 3, dtype=torch.float64)
    x[6, 1] = float("inf")
    leaves = [x, *(torch.randn(2, *shape, dtype=torch.float64) for shape in parts)]
    leaves += [torch.randn(*shape, dtype=torch.float64) for shape in named.values()]
    answers: list[Any] = []
    for engine in ("native", "reference"):
        data, *rest = [part.clone().requires_grad_() for part in leaves]
        rows = pack(Ragged(data, torch.tensor([5, 4])))
        state, weights = CELLS[cell].State(*rest[: len(parts)]), dict(zip(named, rest[len(parts) :], strict=True))
        with force(engine):
            result = run(Request(CELLS[cell], Weights(**weights), rows, state))
        answers.append(torch.autograd.grad(result.output.sum() + result.state[-1].sum(), [data, *rest]))
    for ours, wanted in zip(*answers, strict=True):
        finite = wanted.isfinite()
        torch.testing.assert_close(ours[finite], wanted[finite], atol=1e-12, rtol=1e-12)
