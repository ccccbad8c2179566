"""The coupled input-forget LSTM: what is written takes the place of what is forgotten."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Weights
from ostinato.cells.lstm import LSTMState


class CoupledGates(NamedTuple):
    """Each ``(B, H)``: ``i`` input gate, ``g`` candidate, ``o`` output gate."""

    i: Tensor
    g: Tensor
    o: Tensor

    @property
    def f(self) -> Tensor:
        """The forget gate, ``1 - i``."""
        return 1 - self.i


@final
class CoupledLSTM(Cell[LSTMState, CoupledGates]):
    """Long short-term memory with one gate for writing and forgetting (coupled input and forget gate, CIFG).

    ``(i, g, o) = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh``, then σ on i, o and tanh on g::

        c_t = (1 - i) ⊙ c_{t-1} + i ⊙ g
        h_t = W_hr (o ⊙ tanh c_t)          (without projection: o ⊙ tanh c_t)

    Shapes: x ``(B, I)``, h ``(B, P)``, c ``(B, H)``, W_ih ``(3H, I)``, W_hh ``(3H, P)``, biases ``(3H,)``,
    W_hr ``(P, H)``. Gate order: i, g, o.

    Reference: Greff et al., "LSTM: A Search Space Odyssey", IEEE TNNLS 28 (2017), its variant CIFG (without peepholes);
    ONNX's LSTM with ``input_forget=1``, whose weights have a block for f that is not read.
    Not the cell of TensorFlow 1 that learns f and sets ``i = 1 - f``: its gate is this one's with the opposite sign.
    """

    name = "lstm_coupled"
    State = LSTMState
    Gates = CoupledGates
    candidate = "g"
    zones = ("h", "c")
    write = "i"
    projects = True

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> CoupledGates:
        """i, g, o of one step."""
        i, g, o = (projected + linear(state.h, weights.hh, weights.bias_hh)).chunk(3, -1)
        return CoupledGates(torch.sigmoid(i), torch.tanh(g), torch.sigmoid(o))

    def update(self, weights: Weights, gates: CoupledGates, state: LSTMState) -> LSTMState:
        """Write over, put out."""
        c = (1 - gates.i) * state.c + gates.i * gates.g
        h = gates.o * torch.tanh(c)
        return LSTMState(h if weights.hr is None else linear(h, weights.hr), c)
