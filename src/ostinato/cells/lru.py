"""LRU: the linear recurrent unit, a diagonal of complex eigenvalues."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import init
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.qrnn import padded


class LRUState(NamedTuple):
    """``h`` ``(B, P)``: the output, never read; ``c`` ``(B, 2H)``: the complex state, real then imaginary parts."""

    h: Tensor
    c: Tensor


class LRUGates(NamedTuple):
    """``d`` ``(B, P)``: what goes by the state; ``re``, ``im`` ``(B, H)``: what enters it. No gate is among them."""

    d: Tensor
    re: Tensor
    im: Tensor


@final
class LRU(Cell[LRUState, LRUGates]):
    """Linear recurrent unit: complex states that turn and fade, read and written through matrices.

    ::

        λ = exp(-exp(nu) + i exp(theta))        |λ| < 1, whatever the parameters
        c_t = λ ⊙ c_{t-1} + exp(gamma) ⊙ (B x_t)                c, λ, B complex
        h_t = Re(C c_t) + D x_t + b                             C complex

    Shapes: x ``(B, I)``, h ``(B, P)``, ``H`` complex states, c ``(B, 2H)``: real parts, then imaginary ones;
    ``W_ih = (D, Re B, Im B)`` ``(P + 2H, I)``; ``W_hr = (Re C, -Im C)`` ``(P, 2H)``; ``nu``, ``theta``, ``gamma``
    ``(H,)``; b_ih ``(P,)``, which the paper has not. Without ``proj_size`` ``P = H``.

    ``B`` begins normal with variance ``1 / 2I`` in each part, ``C`` with ``1 / H``, ``D`` with ``1 / I``; ``λ`` and
    ``gamma`` as :class:`ostinato.nn.LRU` says.

    Reference: Orvieto et al., "Resurrecting Recurrent Neural Networks for Long Sequences", arXiv 2303.06349, equations
    1 and 5 to 7 with the exponential parametrisation and normalisation of its section 3.
    Not the deep block of that paper (norm, gated linear unit, skip); not a state-space model, which discretises.
    """

    name = "lru"
    State = LRUState
    Gates = LRUGates
    zones = ()
    projects = True

    def rows(self, sizes: Sizes) -> list[int]:
        """``P``, and ``H`` for each part of the state."""
        return [sizes.output, sizes.hidden, sizes.hidden]

    def shapes(self, sizes: Sizes) -> Shapes:
        """What writes, what reads, and three vectors."""
        hidden, output = sizes.hidden, sizes.output
        found: Shapes = {"ih": (output + 2 * hidden, sizes.input), "hr": (output, 2 * hidden)}
        found |= {"bias_ih": (output,)} if sizes.bias else {}
        return found | dict.fromkeys(("nu", "theta", "gamma"), (hidden,))

    def state_shapes(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """``(P,)``, ``(2H,)``."""
        return (sizes.output,), (2 * sizes.hidden,)

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:
        """Products of the size of the input."""
        if name == "ih":
            init.normal_(weight, std=sizes.input**-0.5)
            weight[sizes.output :].mul_(0.5**0.5)
        elif name == "hr":
            init.normal_(weight, std=sizes.hidden**-0.5)
        elif name == "bias_ih":
            init.zeros_(weight)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``(D x + b, Re B x, Im B x)``: ``(*, P + 2H)``."""
        return linear(x, weights.ih, padded(weights))

    def vectors(self, weights: Weights) -> Tensor:
        """``Re λ``, ``Im λ``, ``exp(gamma)``: ``(3, H)``."""
        size, angle = torch.exp(-torch.exp(weights["nu"])), torch.exp(weights["theta"])
        return torch.stack([size * torch.cos(angle), size * torch.sin(angle), torch.exp(weights["gamma"])])

    def gate(self, weights: Weights, projected: Tensor, state: LRUState) -> LRUGates:  # noqa: ARG002
        """What goes by, and what enters the state."""
        hidden = weights["gamma"].shape[-1]
        d, re, im = torch.split(projected, [projected.shape[-1] - 2 * hidden, hidden, hidden], -1)
        scale = torch.exp(weights["gamma"])
        return LRUGates(d, scale * re, scale * im)

    def update(self, weights: Weights, gates: LRUGates, state: LRUState) -> LRUState:
        """Turn and fade, take in, read."""
        a, b, _ = self.vectors(weights)
        re, im = state.c.chunk(2, -1)
        c = torch.cat([a * re - b * im + gates.re, a * im + b * re + gates.im], -1)
        return LRUState(linear(c, weights["hr"]) + gates.d, c)
