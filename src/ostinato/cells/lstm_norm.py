"""The layer-normalised LSTM."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells import norm
from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.lstm import LSTMGates, LSTMState
from ostinato.cells.norm import normalised


@final
class NormLSTM(Cell[LSTMState, LSTMGates]):
    """Long short-term memory with layer normalisation of both products and of the cell state that is put out.

    ``(i, f, g, o) = LN(W_ih x_t; a_ih) + b_ih + LN(W_hh h_{t-1}; a_hh) + b_hh``, then σ on i, f, o and tanh on g::

        c_t = f ⊙ c_{t-1} + i ⊙ g
        h_t = W_hr (o ⊙ tanh LN(c_t; a_c, b_c))          (without projection: o ⊙ tanh LN(c_t; a_c, b_c))
        LN(v; a, b) = a ⊙ (v - mean v) / √(var v + 1e-5) + b

    Each of the two products is normalised over all ``4H`` numbers together; ``c`` is carried as it is.

    Shapes: as :class:`~ostinato.cells.lstm.LSTM`, and the gains ``norm_ih`` ``(4H,)``, ``norm_hh`` ``(4H,)``,
    ``norm_c`` ``(H,)``, and with biases ``bias_norm_c`` ``(H,)``. Gate order: i, f, g, o.

    Reference: Ba, Kiros & Hinton, "Layer Normalization", arXiv 1607.06450, supplementary material, equations 20 to 22.
    The biases of its two LN and its own b are here ``bias_hh + bias_ih``, which is the same function. Of the published
    forms it is that of the paper, of its authors' code and of the haste library: ``c`` itself stays additive, so the
    memory is that of the LSTM.
    Not the form of PyTorch's benchmark ``custom_lstms.py``, which carries the normalised cell state, and not that of
    TensorFlow's ``LayerNormBasicLSTMCell``, which normalises gate by gate the sum of both products.
    """

    name = "lstm_norm"
    State = LSTMState
    Gates = LSTMGates
    candidate = "g"
    zones = ("h", "c")
    keep, write = "f", "i"
    projects = True

    def shapes(self, sizes: Sizes) -> Shapes:
        """The LSTM's, and gains and biases of the norms."""
        rows = sum(self.rows(sizes))
        gains: Shapes = {"norm_ih": (rows,), "norm_hh": (rows,), "norm_c": (sizes.hidden,)}
        return super().shapes(sizes) | gains | ({"bias_norm_c": (sizes.hidden,)} if sizes.bias else {})

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:  # noqa: ARG002
        """Gains 1, their biases 0."""
        norm.begin(name, weight)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``LN(W_ih x) + b_ih``."""
        return normalised(linear(x, weights.ih), weights["norm_ih"], weights.bias_ih)

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> LSTMGates:
        """i, f, g, o of one step."""
        read = normalised(linear(state.h, weights.hh), weights["norm_hh"], weights.bias_hh)
        i, f, g, o = (projected + read).chunk(4, -1)
        return LSTMGates(torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o))

    def update(self, weights: Weights, gates: LSTMGates, state: LSTMState) -> LSTMState:
        """Forget, write, normalise, put out."""
        c = gates.f * state.c + gates.i * gates.g
        h = gates.o * torch.tanh(normalised(c, weights["norm_c"], weights.get("bias_norm_c")))
        return LSTMState(h if weights.hr is None else linear(h, weights.hr), c)
