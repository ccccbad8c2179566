"""The gated recurrent unit, reset gate applied after the matrix product."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Weights


class GRUState(NamedTuple):
    """``h`` ``(B, H)``: the hidden state."""

    h: Tensor


class GRUGates(NamedTuple):
    """Each ``(B, H)``: ``r`` reset gate, ``z`` update gate (1 keeps the old state), ``n`` candidate."""

    r: Tensor
    z: Tensor
    n: Tensor


@final
class GRU(Cell[GRUState, GRUGates]):
    """Gated recurrent unit, *reset after*: the reset gate scales the product ``W_hn h + b_hn``.

    ::

        r = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n = tanh(W_in x_t + b_in + r ⊙ (W_hn h_{t-1} + b_hn))
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(3H, I)``, W_hh ``(3H, H)``, biases ``(3H,)``. Gate order: r, z, n.

    Reference: Cho et al., arXiv 1406.1078 version 1. Equal to ``torch.nn.GRU``, cuDNN, Keras with
    ``reset_after=True`` and ONNX with ``linear_before_reset=1``.
    Not the published form of the paper (version 3), which is :class:`~ostinato.cells.gru_before.GRUBefore`; the two
    give different numbers for the same weights.
    """

    name = "gru"
    State = GRUState
    Gates = GRUGates
    candidate = "n"
    keep = "z"

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> GRUGates:
        """r, z, n of one step."""
        r_x, z_x, n_x = projected.chunk(3, -1)
        r_h, z_h, n_h = linear(state.h, weights.hh, weights.bias_hh).chunk(3, -1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        return GRUGates(r, z, torch.tanh(n_x + r * n_h))

    def update(self, weights: Weights, gates: GRUGates, state: GRUState) -> GRUState:  # noqa: ARG002
        """Between the candidate and the old state."""
        return GRUState((1 - gates.z) * gates.n + gates.z * state.h)
