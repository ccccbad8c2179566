"""Layers of linear recurrences: where their weights begin, what they refuse, long memories."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from ostinato import nn


def test_eigenvalues_begin_on_the_ring() -> None:
    """Uniform over the area between the radii, angles uniform, and states of the size of the input."""
    torch.manual_seed(0)
    layer = nn.LRU(8, 4000, ring=(0.6, 0.99), max_phase=math.pi / 4)
    with torch.no_grad():
        size, angle = (-layer.weight_nu_l0.exp()).exp(), layer.weight_theta_l0.exp()
    assert 0.6 <= float(size.min()) < 0.61
    assert 0.98 < float(size.max()) <= 0.99
    assert abs(float(size.square().mean()) - (0.6**2 + 0.99**2) / 2) < 0.01
    assert 0 < float(angle.min()) < 0.01
    assert abs(float(angle.mean()) - math.pi / 8) < 0.01
    torch.testing.assert_close(layer.weight_gamma_l0.exp(), (1 - size.square()).sqrt(), atol=1e-5, rtol=1e-4)
    assert "ring=(0.6, 0.99), max_phase=0.7854" in repr(layer)
    whole = nn.LRU(8, 4000)
    assert all(weight.isfinite().all() for weight in whole.parameters())
    deep = nn.LRU(8, 16, 2, bidirectional=True, ring=(0.9, 0.99))
    assert all((-getattr(deep, f"weight_nu_{end}").exp()).exp().min() >= 0.9 for end in ("l0", "l1", "l1_reverse"))
    with torch.no_grad():
        _, (_, c) = nn.LRU(64, 2000, ring=(0.5, 0.99))(torch.randn(2000, 1, 64))
    assert 0.9 < float(c.square().mean()) * 2 < 1.1  # |c|² of one complex state is 1, half of it in each part


def test_decays_begin_slow() -> None:
    torch.manual_seed(0)
    layer = nn.RGLRU(6, 3000)
    rate = (-softplus(layer.weight_lambda_l0.detach())).exp()
    assert 0.9 <= float(rate.min()) < 0.901
    assert 0.9985 < float(rate.max()) <= 0.999
    assert abs(float(rate.square().mean()) - (0.9**2 + 0.999**2) / 2) < 0.003
    assert not layer.bias_ih_l0.any()
    assert abs(float(layer.weight_ih_l0.detach().std()) - 6**-0.5) < 0.01
    blocks = nn.RGLRU(64, 128, num_heads=4)
    assert blocks.weight_ih_l0.shape == (256, 16)
    assert abs(float(blocks.weight_ih_l0.detach().std()) - 16**-0.5) < 0.01
    assert "num_heads=4" in repr(blocks)


def test_simple_units_begin_as_large_as_the_input() -> None:
    torch.manual_seed(0)
    layer = nn.SRU(300, 1000)
    gates, candidate, passing = layer.weight_ih_l0.detach().split([2000, 1000, 1000])
    for part, bound in ((gates, math.sqrt(1.5 / 300)), (candidate, 0.1), (passing, 0.1)):
        assert 0.99 * bound < float(part.abs().max()) <= bound * 1.0001
    assert 1.2 < float(layer.weight_vf_l0.detach().abs().max()) <= math.sqrt(1.5)
    assert not layer.bias_ih_l0.any()
    with torch.no_grad():
        y, _ = nn.SRU(256, 256)(torch.randn(50, 8, 256))
    assert 0.7 < float(y.square().mean()) < 1.4  # what α is for


def test_memories_begin_where_they_are_told() -> None:
    layer = nn.MinLSTM(3, 2000, init="chrono", max_lag=100)
    i, f, _ = layer.bias_ih_l0.detach().chunk(3)
    assert torch.equal(i, -f)
    assert 1 <= float(f.exp().min()) < 3
    assert 97 < float(f.exp().max()) <= 99.01
    assert nn.MinLSTM(3, 4, forget_bias=2.0).bias_ih_l0.chunk(3)[1].tolist() == [2.0] * 4
    z, n = nn.MinGRU(3, 2000, init="chrono", max_lag=100).bias_ih_l0.detach().chunk(2)
    assert 97 < float((-z).exp().max()) <= 99.01
    assert not n.any()
    for kind in (nn.QRNN, nn.SRU):
        told = kind(3, 2000, init="chrono", max_lag=100)
        forget = told.bias_ih_l0.detach().split(2000)[told.cell.gates.index("f")]
        assert 97 < float(forget.exp().max()) <= 99.01


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.QRNN(3, 4, window=3), "window must be 1 or 2, not 3"),
        (lambda: nn.RGLRU(3, 4, num_heads=2), "input_size 3 cannot be cut into 2"),
        (lambda: nn.RGLRU(4, 5, num_heads=2), "hidden_size 5 cannot be cut into 2"),
        (lambda: nn.LRU(3, 4, ring=(0.9, 0.5)), "ring must rise"),
        (lambda: nn.LRU(3, 4, max_phase=7.0), "max_phase lie in"),
        (lambda: nn.LRU(3, 4, init="chrono", max_lag=9), "has none"),
        (lambda: nn.MinGRU(3, 4, weight_dropout=0.1), "weight_dropout= has nothing to act on in cell 'min_gru'"),
        (lambda: nn.SRU(3, 4, zoneout_c=0.1), "zoneout_c= has nothing to act on"),
    ],
)
def test_what_does_not_fit(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


def test_a_convolution_can_be_cut_anywhere() -> None:
    """The last input is part of the state, and a reset forgets it."""
    torch.manual_seed(0)
    layer = nn.QRNN(3, 4, dtype=torch.float64)
    x = torch.randn(5, 1, 3, dtype=torch.float64)
    whole, _ = layer(x)
    weights, bias = layer.weight_ih_l0.detach(), layer.bias_ih_l0.detach()
    late = torch.cat([torch.zeros(1, 3), x[:-1, 0]]).double()
    a = x[:, 0] @ weights[:12].T + late @ weights[12:].T + bias
    z, f, o = a[:, :4].tanh(), a[:, 4:8].sigmoid(), a[:, 8:].sigmoid()
    c = torch.zeros(4).double()
    for t in range(5):
        c = f[t] * c + (1 - f[t]) * z[t]
        torch.testing.assert_close(whole[t, 0], o[t] * c, atol=1e-14, rtol=0)
    first, state = layer(x[:2])
    rest, _ = layer(x[2:], state)
    torch.testing.assert_close(torch.cat([first, rest]), whole, atol=1e-14, rtol=0)
    flags = torch.zeros(5, 1, dtype=torch.bool)
    flags[2] = True
    torch.testing.assert_close(layer(x, reset=flags)[0][2:], layer(x[2:])[0], atol=1e-14, rtol=0)
