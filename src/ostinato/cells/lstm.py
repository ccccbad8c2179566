"""The long short-term memory cell, with or without a projection of its output."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Weights


class LSTMState(NamedTuple):
    """``h`` ``(B, P)``, the hidden state (``P = H`` without projection); ``c`` ``(B, H)``, the cell state."""

    h: Tensor
    c: Tensor


class LSTMGates(NamedTuple):
    """Each ``(B, H)``: ``i`` input gate, ``f`` forget gate, ``g`` candidate, ``o`` output gate."""

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor


@final
class LSTM(Cell[LSTMState, LSTMGates]):
    """Long short-term memory with a forget gate and, where ``W_hr`` is given, a projection.

    ``(i, f, g, o) = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh``, then σ on i, f, o and tanh on g::

        c_t = f ⊙ c_{t-1} + i ⊙ g
        h_t = W_hr (o ⊙ tanh c_t)          (without projection: o ⊙ tanh c_t)

    Shapes: x ``(B, I)``, h ``(B, P)``, c ``(B, H)``, W_ih ``(4H, I)``, W_hh ``(4H, P)``, biases ``(4H,)``,
    W_hr ``(P, H)``. Gate order: i, f, g, o.

    Reference: Hochreiter & Schmidhuber, Neural Computation 9 (1997); forget gate: Gers, Schmidhuber & Cummins (2000);
    projection: Sak, Senior & Beaufays (2014). Equal to ``torch.nn.LSTM``.
    Not the peephole LSTM (its gates see c), and not the coupled one (f = 1 - i).
    """

    name = "lstm"
    State = LSTMState
    Gates = LSTMGates
    candidate = "g"
    zones = ("h", "c")
    keep, write = "f", "i"
    projects = True

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> LSTMGates:
        """i, f, g, o of one step."""
        i, f, g, o = (projected + linear(state.h, weights.hh, weights.bias_hh)).chunk(4, -1)
        return LSTMGates(torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o))

    def update(self, weights: Weights, gates: LSTMGates, state: LSTMState) -> LSTMState:
        """Forget, write, put out."""
        c = gates.f * state.c + gates.i * gates.g
        h = gates.o * torch.tanh(c)
        return LSTMState(h if weights.hr is None else linear(h, weights.hr), c)
