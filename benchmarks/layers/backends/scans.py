"""Linear recurrences as their authors publish them for PyTorch: everything but the recurrence at once, then a scan.

``looped``: over time, with the gates computed ahead, as the CPU code of QRNN, SRU and RecurrentGemma does; what only
reads the states comes after the loop, for all steps at once. ``in_logarithms``: minGRU and minLSTM with ``cumsum`` and
``logcumsumexp`` (Feng et al. 2024, after Heinsen 2023), which loses digits as sequences grow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear, logsigmoid, softplus

from benchmarks.layers.backends.common import Arm, tensors, torch_arm
from benchmarks.layers.problem import Problem

Outputs = tuple[Tensor, ...]
Given = dict[str, Tensor]


def looped(problem: Problem) -> Arm:
    """A loop of elementwise steps."""
    given = tensors(problem)
    return torch_arm(problem, given, lambda: LOOPS[problem.cell](given))


def in_logarithms(problem: Problem) -> Arm:
    """Two cumulative sums."""
    given = tensors(problem)
    arm = torch_arm(problem, given, lambda: LOGARITHMS[problem.cell](given))
    arm.bound = "logarithms"
    return arm


def log_positive(a: Tensor) -> Tensor:
    """The logarithm of ``a + 0.5`` where ``a ≥ 0``, else of ``σ(a)``."""
    return torch.where(a >= 0, (torch.relu(a) + 0.5).log(), -softplus(-a))


def log_scan(keep: Tensor, add: Tensor, first: Tensor) -> Tensor:
    """``h_t = exp(keep_t) h_{t-1} + exp(add_t)`` by way of logarithms; ``first`` may be negative: it goes apart."""
    decay = keep.cumsum(0)
    return torch.exp(decay + torch.logcumsumexp(add - decay, 0)) + torch.exp(decay) * first


def min_gru_logarithms(given: Given) -> Outputs:
    """z, n."""
    z, n = linear(given["x"], given["weight_ih"], given["bias_ih"]).chunk(2, -1)
    h = log_scan(-softplus(z), -softplus(-z) + log_positive(n), given["h0"])
    return h, h[-1]


def min_lstm_logarithms(given: Given) -> Outputs:
    """i, f, g."""
    i, f, g = linear(given["x"], given["weight_ih"], given["bias_ih"]).chunk(3, -1)
    odds = logsigmoid(f) - logsigmoid(i)
    h = log_scan(-softplus(-odds), -softplus(odds) + log_positive(g), given["h0"])
    return h, h[-1]


def loop(keep: Tensor, add: Tensor, first: Tensor) -> Tensor:
    """``c_t = keep_t c_{t-1} + add_t``, a step at a time."""
    states, c = [], first
    for a, b in zip(keep.unbind(0), add.unbind(0), strict=True):
        c = torch.addcmul(b, a, c)
        states.append(c)
    return torch.stack(states)


def positive(a: Tensor) -> Tensor:
    """``a + 0.5`` where ``a ≥ 0``, else ``σ(a)``."""
    return torch.where(a >= 0, a + 0.5, torch.sigmoid(a))


def min_gru(given: Given) -> Outputs:
    """z, n."""
    z, n = linear(given["x"], given["weight_ih"], given["bias_ih"]).chunk(2, -1)
    z = torch.sigmoid(z)
    h = loop(1 - z, z * positive(n), given["h0"])
    return h, h[-1]


def min_lstm(given: Given) -> Outputs:
    """i, f, g."""
    i, f, g = linear(given["x"], given["weight_ih"], given["bias_ih"]).chunk(3, -1)
    f = torch.sigmoid(logsigmoid(f) - logsigmoid(i))
    h = loop(f, (1 - f) * positive(g), given["h0"])
    return h, h[-1]


def qrnn(given: Given) -> Outputs:
    """z, f, o over this input and the last."""
    now, ahead = linear(given["x"], given["weight_ih"]).chunk(2, -1)
    z, f, o = (now + torch.cat([given["ahead0"].unsqueeze(0), ahead[:-1]]) + given["bias_ih"]).chunk(3, -1)
    z, f, o = torch.tanh(z), torch.sigmoid(f), torch.sigmoid(o)
    c = loop(f, (1 - f) * z, given["c0"])
    y = o * c
    return y, y[-1], c[-1], ahead[-1]


def sru(given: Given) -> Outputs:
    """The gate f sees the state, so it stays in the loop; r does too, but only reads."""
    f, r, w = linear(given["x"], given["weight_ih"]).chunk(3, -1)
    states, c = [given["c0"]], given["c0"]
    f = f + given["bias_ih"][: f.shape[-1]]
    for gate, new in zip(f.unbind(0), w.unbind(0), strict=True):
        c = torch.lerp(new, c, torch.sigmoid(torch.addcmul(gate, given["weight_vf"], c)))
        states.append(c)
    whole = torch.stack(states)
    r = torch.sigmoid(r + given["bias_ih"][r.shape[-1] :] + given["weight_vr"] * whole[:-1])
    y = torch.lerp(math.sqrt(3.0) * given["x"], whole[1:], r)
    return y, y[-1], c


def rg_lru(given: Given) -> Outputs:
    """r, i."""
    r, i = torch.sigmoid(linear(given["x"], given["weight_ih"], given["bias_ih"])).chunk(2, -1)
    log_a = -8 * softplus(given["weight_lambda"]) * r
    h = loop(torch.exp(log_a), torch.sqrt(-torch.expm1(2 * log_a)) * i * given["x"], given["h0"])
    return h, h[-1]


def lru(given: Given) -> Outputs:
    """The complex states in a loop, both products outside it."""
    H = given["weight_nu"].shape[0]
    d, entering = linear(given["x"], given["weight_ih"]).split([given["weight_ih"].shape[0] - 2 * H, 2 * H], -1)
    size, angle = torch.exp(-torch.exp(given["weight_nu"])), torch.exp(given["weight_theta"])
    scale = torch.exp(given["weight_gamma"])
    add = torch.complex(*(scale * part for part in entering.chunk(2, -1)))
    c = loop(torch.polar(size, angle).expand_as(add), add, torch.complex(*given["c0"].chunk(2, -1)))
    parts = torch.cat([c.real, c.imag], -1)
    y = linear(parts, given["weight_hr"]) + d + given["bias_ih"]
    return y, y[-1], parts[-1]


LOGARITHMS: dict[str, Callable[[Given], Outputs]] = {"min_gru": min_gru_logarithms, "min_lstm": min_lstm_logarithms}
LOOPS: dict[str, Callable[[Given], Outputs]] = {
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "qrnn": qrnn,
    "sru": sru,
    "rg_lru": rg_lru,
    "lru": lru,
}
