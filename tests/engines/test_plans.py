"""Calls that come again: with a plan they have the bits they have without one; what is another call is seen as such."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ostinato import nn
from ostinato.engines import plans
from ostinato.engines.core import MISSING
from ostinato.engines.native_operators import KERNELS

pytestmark = pytest.mark.skipif(MISSING is not None or not plans.READS, reason="no plans with this PyTorch")

LAYERS: dict[str, Callable[..., Any]] = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *sizes, **more: nn.RNN(*sizes, nonlinearity="relu", **more),
    "lstm": nn.LSTM,
    "projected": lambda *sizes, **more: nn.LSTM(*sizes, proj_size=3, **more),
    "peephole_projected": lambda *sizes, **more: nn.PeepholeLSTM(*sizes, proj_size=3, **more),
    "gru": nn.GRU,
    "gru_before": lambda *sizes, **more: nn.GRU(*sizes, reset_after=False, **more),
    "peephole": nn.PeepholeLSTM,
    "coupled": nn.CoupledLSTM,
    "indrnn": nn.IndRNN,
    "lstm_norm": nn.LayerNormLSTM,
    "gru_norm": nn.LayerNormGRU,
}


@pytest.fixture(autouse=True)
def none_known() -> Iterator[None]:
    """No plan of another test."""
    plans.PLANS.clear()
    yield
    plans.PLANS.clear()


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What plans did, in order."""
    found: list[str] = []

    def told(name: str) -> None:
        before = getattr(plans.Plan, name)

        def after(self: plans.Plan, *arguments: Any, **more: Any) -> Any:
            answer = before(self, *arguments, **more)
            found.append(name if answer is not None else f"no {name}")
            return answer

        monkeypatch.setattr(plans.Plan, name, after)

    told("forward")
    told("backward")
    return found


def answers(layer: Any, x: Tensor, hx: Any = None, *, full: bool = True) -> list[Tensor]:
    """Values, and gradients of everything; not ``full``: without gradients of the output and of the input."""
    leaf = x.detach().clone().requires_grad_(full)
    output, final = layer(leaf, hx)
    parts = final if isinstance(final, tuple) else (final,)
    states = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
    heads = [*([output] if full else []), *parts]
    generator = torch.Generator().manual_seed(5)
    above = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in heads]
    leaves = [*([leaf] if full else []), *states, *layer.parameters()]
    found = torch.autograd.grad(heads, leaves, above)
    with torch.no_grad():
        silent, _ = layer(x, hx)
    return [output, *parts, *found, silent]


def same(found: list[Tensor], wanted: list[Tensor]) -> None:
    """To the bit."""
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.dtype is theirs.dtype
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_the_bits_of_a_call_without_a_plan(kind: str, two: bool, dtype: torch.dtype, used: list[str]) -> None:
    """Every cell, two layers of it, with states and without, biases and without."""
    torch.manual_seed(0)
    for bias in (True, False):
        layer = LAYERS[kind](5, 7, num_layers=2, bidirectional=two, bias=bias, dtype=dtype)
        x = torch.randn(6, 3, 5, dtype=dtype)
        _, final = layer(x)
        parts = final if isinstance(final, tuple) else (final,)
        hx: Any = tuple(torch.randn_like(part).requires_grad_() for part in parts)
        for state in (None, hx if len(hx) > 1 else hx[0]):
            for full in (True, False):
                plans.PLANS.clear()
                wanted = answers(layer, x, state, full=full)
                used.clear()
                same(answers(layer, x, state, full=full), wanted)
                assert used.count("forward") == 4
                assert used.count("backward") == 2
                assert not any(one.startswith("no") for one in used)


def test_every_cell_is_among_them() -> None:
    """A new kernel must be tried here."""
    assert {LAYERS[kind](2, 4).cell_name for kind in LAYERS} | {"indrnn_tanh"} == set(KERNELS)


def test_what_is_written_into_weights_counts(used: list[str]) -> None:
    """In place, through ``.data``, by a new parameter: a plan keeps no address."""
    torch.manual_seed(0)
    layer, x = nn.GRU(4, 8), torch.randn(5, 2, 4)
    with torch.no_grad():
        layer(x)
        for change in range(3):
            before = layer(x)[0]
            new = torch.randn_like(layer.weight_hh_l0)
            if change == 0:
                layer.weight_hh_l0.copy_(new)
            elif change == 1:
                layer.weight_hh_l0.data = new
            else:
                layer.weight_hh_l0 = torch.nn.Parameter(new)
            after = layer(x)[0]
            plans.PLANS.clear()
            assert torch.equal(after, layer(x)[0])
            assert not torch.allclose(after, before)
    assert "forward" in used


def other_calls() -> dict[str, Callable[[], Tensor]]:
    """Inputs that look like ``(5, 3, 4)`` of float32 but must not be read as they lie."""

    class Own(torch.Tensor):
        """A tensor that may be anything."""

    return {
        "turned": lambda: torch.randn(3, 5, 4).transpose(0, 1),
        "spread": lambda: torch.randn(5, 1, 4).expand(5, 3, 4),
        "every second": lambda: torch.randn(5, 3, 8)[..., ::2],
        "of another type": lambda: torch.randn(5, 3, 4).as_subclass(Own),
    }


@pytest.mark.parametrize("kind", other_calls())
def test_other_inputs_take_the_other_way(kind: str, used: list[str]) -> None:
    """With the answer they always had."""
    torch.manual_seed(0)
    layer, x = nn.LSTM(4, 6), other_calls()[kind]()
    layer(torch.randn(5, 3, 4))
    found = answers(layer, x)
    assert ("forward" in used) == (kind in {"spread", "every second"})  # whose copy in ``answers`` is dense
    plans.PLANS.clear()
    same(found, answers(layer, x))


def test_gradients_that_are_not_dense(used: list[str]) -> None:
    """Those of a sum are one number, spread; backward takes the other way, with the same bits."""
    torch.manual_seed(0)
    layer = nn.LSTM(4, 6)
    x = torch.randn(5, 3, 4, requires_grad=True)
    wanted = torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()])
    found = torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()])
    same(list(found), list(wanted))
    assert used == ["forward", "no backward"]


def test_wrong_calls_are_refused_as_ever() -> None:
    """Beside a plan that knows the shape of x."""
    layer, x = nn.LSTM(4, 6), torch.randn(5, 3, 4)
    state = (torch.zeros(1, 3, 6), torch.zeros(1, 3, 6))
    for _ in range(2):
        layer(x, state)
    with pytest.raises(RuntimeError, match="Expected hidden h size"):
        layer(x, (torch.zeros(1, 2, 6), torch.zeros(1, 3, 6)))
    with pytest.raises(RuntimeError, match="float64"):
        layer(x, (state[0].double(), state[1]))
    with pytest.raises((RuntimeError, ValueError), match="float64"):
        layer(x.double())
    layer.weight_hh_l0 = torch.nn.Parameter(torch.zeros(24, 5))
    with pytest.raises(ValueError, match="has not 4 weights"):
        layer(x)


def test_threads_and_instruction_sets_may_change() -> None:
    """What is kept for backward depends on them; a plan asks anew."""
    torch.manual_seed(0)
    layer, x = nn.LSTM(33, 33), torch.randn(20, 16, 33)
    isas = plans.native.isas()
    wanted = answers(layer, x)
    try:
        for isa in (*isas, isas[0]):
            plans.native.choose_isa(isa)
            for number in (2, 1):
                torch.set_num_threads(number)
                for mine, theirs in zip(answers(layer, x), wanted, strict=True):
                    torch.testing.assert_close(mine, theirs, atol=2e-5, rtol=2e-5)
    finally:
        plans.native.choose_isa(isas[0])
        torch.set_num_threads(1)


def test_no_more_than_so_many() -> None:
    """Sequences of every length do not fill the memory."""
    layer = nn.RNN(1, 1)
    with torch.no_grad():
        for steps in range(1, 2 * plans.MOST):
            layer(torch.zeros(steps, 1, 1))
            assert len(plans.PLANS) <= plans.MOST


def test_nothing_is_left_at_the_end() -> None:
    """The module would say so."""
    code = "import torch; from ostinato import nn; m = nn.LSTM(2, 3); x = torch.zeros(4, 1, 2); m(x); m(x); print('ok')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "ok\n"
    assert found.stderr == ""
