"""minLSTM: an LSTM whose gates and candidate read the input alone, and share their weight."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.gru import GRUState
from ostinato.cells.min_gru import input_shapes, positive


class MinLSTMGates(NamedTuple):
    """Each ``(B, H)``: ``i`` input gate, ``f`` forget gate, which add up to 1, ``g`` candidate."""

    i: Tensor
    f: Tensor
    g: Tensor


@final
class MinLSTM(Cell[GRUState, MinLSTMGates]):
    """Minimal long short-term memory with normalised gates, a linear recurrence.

    ::

        i~ = σ(W_ii x_t + b_ii)        f~ = σ(W_if x_t + b_if)
        i = i~ / (f~ + i~)             f = f~ / (f~ + i~)
        g = G(W_ig x_t + b_ig)                      G(a) = a + 0.5 where a ≥ 0, else σ(a)
        h_t = f ⊙ h_{t-1} + i ⊙ g

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(3H, I)``, b_ih ``(3H,)``. Gate order: i, f, g. There is no ``W_hh``, no
    output gate, and one state.

    Reference: Feng et al., "Were RNNs All We Needed?", arXiv 2410.01201, with the positive candidate of its appendix B.
    Not the LSTM, and not the paper's variant without normalised gates.
    """

    name = "min_lstm"
    State = GRUState
    Gates = MinLSTMGates
    candidate = "g"
    keep, write = "f", "i"

    def shapes(self, sizes: Sizes) -> Shapes:
        """No recurrent weights."""
        return input_shapes(3 * sizes.hidden, sizes)

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> MinLSTMGates:  # noqa: ARG002
        """i, f, g of one step; ``f~ / (f~ + i~) = σ(log f~ - log i~)``, which is safe where both are tiny."""
        i, f, g = projected.chunk(3, -1)
        odds = logsigmoid(f) - logsigmoid(i)
        return MinLSTMGates(torch.sigmoid(-odds), torch.sigmoid(odds), positive(g))

    def update(self, weights: Weights, gates: MinLSTMGates, state: GRUState) -> GRUState:  # noqa: ARG002
        """Forget, write."""
        return GRUState(gates.f * state.h + gates.i * gates.g)
