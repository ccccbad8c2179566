"""The gated recurrent unit, reset gate applied before the matrix product."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Weights
from ostinato.cells.gru import GRUGates, GRUState


@final
class GRUBefore(Cell[GRUState, GRUGates]):
    """Gated recurrent unit, *reset before*: the reset gate scales the old state ahead of the matrix product.

    ::

        r = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n = tanh(W_in x_t + b_in + W_hn (r ⊙ h_{t-1}) + b_hn)
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(3H, I)``, W_hh ``(3H, H)``, biases ``(3H,)``. Gate order: r, z, n, as in
    :class:`~ostinato.cells.gru.GRU`, so the same state_dict loads into both.

    Reference: Cho et al., EMNLP 2014 (arXiv 1406.1078 version 3); ONNX with ``linear_before_reset=0`` (its default);
    Keras with ``reset_after=False``. The paper's z weighs the old state, as here.
    Not ``torch.nn.GRU``, which resets after the product.
    """

    name = "gru_before"
    State = GRUState
    Gates = GRUGates
    candidate = "n"
    keep = "z"

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> GRUGates:
        """r, z, n of one step."""
        split = 2 * (weights.hh.shape[0] // 3)
        rz_x, n_x = projected[..., :split], projected[..., split:]
        bias_rz, bias_n = (None, None) if weights.bias_hh is None else weights.bias_hh.tensor_split([split])
        rz = torch.sigmoid(rz_x + linear(state.h, weights.hh[:split], bias_rz))
        r, z = rz.chunk(2, -1)
        return GRUGates(r, z, torch.tanh(n_x + linear(r * state.h, weights.hh[split:], bias_n)))

    def update(self, weights: Weights, gates: GRUGates, state: GRUState) -> GRUState:  # noqa: ARG002
        """Between the candidate and the old state."""
        return GRUState((1 - gates.z) * gates.n + gates.z * state.h)
