"""SRU: the simple recurrent unit, light in its recurrence, with a highway around it."""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import init
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.lstm import LSTMState
from ostinato.cells.min_gru import input_shapes
from ostinato.cells.qrnn import padded

ALPHA = math.sqrt(3.0)
"""Keeps the size of what goes by the recurrence: ``√(1 + 2 exp(b))`` at a highway bias ``b`` of 0."""


class SRUGates(NamedTuple):
    """Each ``(B, H)``: ``f`` forget gate, ``r`` reset gate, ``w`` candidate, ``s`` what goes by, ``α`` included."""

    f: Tensor
    r: Tensor
    w: Tensor
    s: Tensor


@final
class SRU(Cell[LSTMState, SRUGates]):
    """Simple recurrent unit: units see nothing but their own past, and the input goes by on a highway.

    ::

        f = σ(W_f x_t + v_f ⊙ c_{t-1} + b_f)
        r = σ(W_r x_t + v_r ⊙ c_{t-1} + b_r)
        w = W x_t                          s = α x_t, or α W_s x_t where I ≠ H;  α = √3
        c_t = f ⊙ c_{t-1} + (1 - f) ⊙ w
        h_t = r ⊙ c_t + (1 - r) ⊙ s

    Shapes: x ``(B, I)``, h, c ``(B, H)``, ``W_ih = (W_f, W_r, W)`` ``(3H, I)``, where I ≠ H with ``W_s`` below
    ``(4H, I)``; ``vf``, ``vr`` ``(H,)``, b_ih ``(2H,)``. Gate order: f, r, w, s. ``h`` is never read.

    ``W`` begins uniform in ``±√(3 / I)``, ``vf`` and ``vr`` in ``±√1.5``; ``W_f`` and ``W_r`` are so scaled by ``√½``;
    biases begin at 0.

    Reference: Lei, Zhang, Wang, Dai & Artzi, "Simple Recurrent Units for Highly Parallelizable Recurrence", EMNLP 2018
    (arXiv 1709.02755), equations 1 to 4, and its scaling of the highway; the size of ``v`` as in its authors' code.
    Not SRU++, which has attention in the place of ``W``; not the paper's first version, in which v is 0 and c goes
    through a tanh.
    """

    name = "sru"
    State = LSTMState
    Gates = SRUGates
    candidate = "w"
    zones = ()
    keep = "f"

    def rows(self, sizes: Sizes) -> list[int]:
        """``H`` each; nothing goes by through a weight where the sizes are the same."""
        return [sizes.hidden] * 3 + [0 if sizes.input == sizes.hidden else sizes.hidden]

    def shapes(self, sizes: Sizes) -> Shapes:
        """A vector a gate in the place of recurrent weights."""
        hidden = sizes.hidden
        return input_shapes(sum(self.rows(sizes)), sizes, biased=2 * hidden) | {"vf": (hidden,), "vr": (hidden,)}

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:
        """Products of the size of the input; gates as large by their input as by the state."""
        if name == "bias_ih":
            init.zeros_(weight)
        elif name == "ih":
            init.uniform_(weight, -1, 1).mul_(math.sqrt(3 / sizes.input))
            weight[: 2 * sizes.hidden].mul_(math.sqrt(0.5))
        else:
            init.uniform_(weight, -math.sqrt(1.5), math.sqrt(1.5))

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """The products, and below them what goes by: ``(*, 4H)``."""
        found = linear(x, weights.ih, padded(weights))
        return found if found.shape[-1] > 3 * weights["vf"].shape[-1] else torch.cat([found, x], -1)

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> SRUGates:
        """f, r, w, s of one step."""
        f, r, w, s = projected.chunk(4, -1)
        f, r = torch.sigmoid(f + weights["vf"] * state.c), torch.sigmoid(r + weights["vr"] * state.c)
        return SRUGates(f, r, w, ALPHA * s)

    def update(self, weights: Weights, gates: SRUGates, state: LSTMState) -> LSTMState:  # noqa: ARG002
        """Forget, write, join the highway."""
        c = gates.f * state.c + (1 - gates.f) * gates.w
        return LSTMState(gates.r * c + (1 - gates.r) * gates.s, c)
