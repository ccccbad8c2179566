"""Layers of bfloat16 in the native engine: rounded operands, sums in float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ostinato import nn
from ostinato.engines import explain, force
from ostinato.engines.core import MISSING, native

pytestmark = pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")

LAYERS: dict[str, dict[str, Any]] = {
    "LSTM": {},
    "GRU": {},
    "RNN": {"nonlinearity": "tanh"},
    "IndRNN": {},
    "LSTM projected": {"proj_size": 5},
    "LSTM low": {"memory": "low"},
}
SIZES = [(1, 1), (7, 33), (16, 15), (65, 64), (31, 130)]
LENGTHS = torch.tensor([9, 2, 5, 9, 0, 1])


def made(name: str, inputs: int, units: int) -> tuple[Any, Any]:
    """A layer of bfloat16 in both directions, and the same of float64."""
    torch.manual_seed(0)
    options = {**LAYERS[name], "bidirectional": True}
    if "proj_size" in options:
        options["proj_size"] = units // 3
    kind = getattr(nn, name.split(maxsplit=1)[0])
    half, exact = (kind(inputs, units, dtype=dtype, **options) for dtype in (torch.bfloat16, torch.float64))
    exact.load_state_dict(half.state_dict())
    return half, exact


def answers(layer: Any, x: torch.Tensor, flags: torch.Tensor, upstream: torch.Tensor) -> list[torch.Tensor]:
    """Output, final state and every gradient, in float64."""
    x = x.clone().requires_grad_()
    output, state = layer(x, lengths=LENGTHS, reset=flags)
    parts = [output, *(state if isinstance(state, tuple) else (state,))]
    loss = sum((part * upstream.to(part.dtype)[: part.shape[0], :, : part.shape[2]]).sum() for part in parts)
    assert isinstance(loss, torch.Tensor)
    return [part.double() for part in (*parts, *torch.autograd.grad(loss, [x, *layer.parameters()]))]


@pytest.mark.parametrize(
    ("name", "inputs", "units"),
    [(name, *size) for name in LAYERS for size in SIZES if size[1] > 1 or "proj" not in name],
)
def test_close_to_float64(name: str, inputs: int, units: int) -> None:
    """Values and all gradients, with unequal lengths, resets and both directions: a few roundings (2⁻⁸) apart."""
    half, exact = made(name, inputs, units)
    x = torch.randn(9, len(LENGTHS), inputs).bfloat16()
    flags, upstream = torch.rand(9, len(LENGTHS)) < 0.2, torch.randn(9, len(LENGTHS), 2 * units).bfloat16()
    with force("native"):
        found = answers(half, x, flags, upstream)
    with force("reference"):
        wanted = answers(exact, x.double(), flags, upstream)
    for ours, right in zip(found, wanted, strict=True):
        scale = right.abs().max().clamp_min(1e-3)
        assert ((ours - right).abs().max() / scale) < 0.04


@pytest.mark.parametrize("units", [33, 64])
def test_forward_rounds_operands_alone(units: int) -> None:
    """Of the state only what is multiplied and what is given out is rounded: a loop that does so finds the same."""
    torch.manual_seed(0)
    layer, x = nn.GRU(7, units, dtype=torch.bfloat16), torch.randn(30, 4, 7).bfloat16()
    w_ih, w_hh, b_ih, b_hh = (part.detach().double() for part in layer.parameters())
    h, outputs = torch.zeros(4, units, dtype=torch.float64), []
    for row in x.double():
        r_x, z_x, n_x = (row @ w_ih.T + b_ih).chunk(3, 1)
        r_h, z_h, n_h = (h.bfloat16().double() @ w_hh.T + b_hh).chunk(3, 1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        h = n + z * (h - n)
        outputs.append(h)
    with force("native"), torch.no_grad():
        found = layer(x)[0]
    if native.serves(3, 2):  # elsewhere the products are those of float32
        # Where a sum lies between two neighbours float32 may round it to the other: one step of 2⁻⁸.
        torch.testing.assert_close(found.double(), torch.stack(outputs), atol=1e-4, rtol=2**-8)


def test_dtypes_and_engine() -> None:
    """The native engine is first, and everything that comes out is bfloat16."""
    layer, x = nn.LSTM(3, 4, dtype=torch.bfloat16), torch.randn(5, 2, 3).bfloat16().requires_grad_()
    output, (h, c) = layer(x)
    output.sum().backward()
    assert {part.dtype for part in (output, h, c, x.grad, layer.weight_hh_l0.grad)} == {torch.bfloat16}
    assert "native" in explain(layer)


def test_compiled_is_the_same() -> None:
    """Under torch.compile, gradients included."""
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 20, dtype=torch.bfloat16), torch.randn(5, 2, 3).bfloat16().requires_grad_()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    wanted = torch.autograd.grad(layer(x)[0].square().sum(), [x, *layer.parameters()])
    found = torch.autograd.grad(compiled(x)[0].square().sum(), [x, *layer.parameters()])
    assert all(map(torch.equal, found, wanted))
