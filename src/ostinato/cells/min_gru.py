"""minGRU: a GRU whose gate and candidate read the input alone."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.gru import GRUState


class MinGRUGates(NamedTuple):
    """Each ``(B, H)``: ``z`` update gate (1 writes), ``n`` candidate."""

    z: Tensor
    n: Tensor


@final
class MinGRU(Cell[GRUState, MinGRUGates]):
    """Minimal gated recurrent unit, a linear recurrence.

    ::

        z = σ(W_iz x_t + b_iz)
        n = g(W_in x_t + b_in)                      g(a) = a + 0.5 where a ≥ 0, else σ(a)
        h_t = (1 - z) ⊙ h_{t-1} + z ⊙ n

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(2H, I)``, b_ih ``(2H,)``. Gate order: z, n. There is no ``W_hh``.

    Reference: Feng, Tung, Ahmed, Bengio & Hajimirsadeghi, "Were RNNs All We Needed?", arXiv 2410.01201, with the
    positive candidate of its appendix B (the form its authors compute). ``z`` weighs what is new, as in the paper.
    Not the GRU, whose z weighs the old state and whose gates read it; not the paper's first form, with g(a) = a.
    """

    name = "min_gru"
    State = GRUState
    Gates = MinGRUGates
    candidate = "n"
    write = "z"

    def shapes(self, sizes: Sizes) -> Shapes:
        """No recurrent weights."""
        return input_shapes(2 * sizes.hidden, sizes)

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> MinGRUGates:  # noqa: ARG002
        """z, n of one step."""
        z, n = projected.chunk(2, -1)
        return MinGRUGates(torch.sigmoid(z), positive(n))

    def update(self, weights: Weights, gates: MinGRUGates, state: GRUState) -> GRUState:  # noqa: ARG002
        """Between the old state and the candidate."""
        return GRUState((1 - gates.z) * state.h + gates.z * gates.n)


def positive(a: Tensor) -> Tensor:
    """``a + 0.5`` where ``a ≥ 0``, else ``σ(a)``: positive, rising, and smooth but for its slope at 0."""
    return torch.where(a >= 0, a + 0.5, torch.sigmoid(a))


def input_shapes(rows: int, sizes: Sizes, biased: int | None = None) -> Shapes:
    """Weights of gates that read the input alone: ``ih`` ``(rows, I)``, a bias for the first ``biased`` rows."""
    bias: Shapes = {"bias_ih": (rows if biased is None else biased,)} if sizes.bias else {}
    return {"ih": (rows, sizes.input)} | bias
