"""The peephole LSTM: gates that see the cell state."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.lstm import LSTMGates, LSTMState


@final
class PeepholeLSTM(Cell[LSTMState, LSTMGates]):
    """Long short-term memory whose gates also see the cell state, each unit its own.

    ::

        i = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi + w_ci ⊙ c_{t-1})
        f = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf + w_cf ⊙ c_{t-1})
        g = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        c_t = f ⊙ c_{t-1} + i ⊙ g
        o = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho + w_co ⊙ c_t)          sees the new cell state
        h_t = W_hr (o ⊙ tanh c_t)                                          (without projection: o ⊙ tanh c_t)

    Shapes: as :class:`~ostinato.cells.lstm.LSTM`, and the peepholes ``ci``, ``cf``, ``co`` ``(H,)``. Gate order: i, f,
    g, o.

    Reference: Gers & Schmidhuber, IJCNN 2000; Gers, Schraudolph & Schmidhuber, JMLR 3 (2002). Equal to ONNX's LSTM with
    its input ``P`` (whose gate order is i, o, f, c), and with ``W_hr`` to Sak, Senior & Beaufays (2014). With all
    peepholes 0 it is the plain LSTM. With recurrent dropout ``o`` sees the cell state after it.
    Not the LSTM whose gates see all of ``c`` through a matrix.
    """

    name = "lstm_peephole"
    State = LSTMState
    Gates = LSTMGates
    candidate = "g"
    zones = ("h", "c")
    keep, write = "f", "i"
    projects = True

    def shapes(self, sizes: Sizes) -> Shapes:
        """The LSTM's, and a peephole a gate."""
        return super().shapes(sizes) | dict.fromkeys(("ci", "cf", "co"), (sizes.hidden,))

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> LSTMGates:
        """i, f, g, o of one step."""
        i, f, g, o = (projected + linear(state.h, weights.hh, weights.bias_hh)).chunk(4, -1)
        i, f = torch.sigmoid(i + weights["ci"] * state.c), torch.sigmoid(f + weights["cf"] * state.c)
        g = torch.tanh(g)
        return LSTMGates(i, f, g, torch.sigmoid(o + weights["co"] * (f * state.c + i * g)))

    def update(self, weights: Weights, gates: LSTMGates, state: LSTMState) -> LSTMState:
        """Forget, write, put out."""
        c = gates.f * state.c + gates.i * gates.g
        h = gates.o * torch.tanh(c)
        return LSTMState(h if weights.hr is None else linear(h, weights.hr), c)

    def drop(self, weights: Weights, projected: Tensor, state: LSTMState, gates: LSTMGates, mask: Tensor) -> LSTMGates:
        """The candidate times ``mask``, and the output gate of the cell state that follows from it."""
        i, f, g = gates.i, gates.f, gates.g * mask
        row = 3 * projected.shape[-1] // 4
        bias = None if weights.bias_hh is None else weights.bias_hh[row:]
        o = projected[..., row:] + linear(state.h, weights.hh[row:], bias)
        return LSTMGates(i, f, g, torch.sigmoid(o + weights["co"] * (f * state.c + i * g)))
