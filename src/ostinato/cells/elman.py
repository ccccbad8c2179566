"""The Elman cell, the simple recurrent network."""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells.base import Cell, Weights


class ElmanState(NamedTuple):
    """``h`` ``(B, H)``: the hidden state."""

    h: Tensor


class ElmanGates(NamedTuple):
    """``n`` ``(B, H)``: the new state itself. An Elman cell has no gate; this is all a step computes."""

    n: Tensor


@final
class Elman(Cell[ElmanState, ElmanGates]):
    """``h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`` with φ = tanh (``rnn``) or relu (``rnn_relu``).

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(H, I)``, W_hh ``(H, H)``, both biases ``(H,)``.

    Reference: Elman, "Finding Structure in Time", Cognitive Science 14 (1990). Equal to ``torch.nn.RNN``.
    Not the Jordan network, which feeds the output layer back, and not an IndRNN, whose W_hh is diagonal.
    """

    State = ElmanState
    Gates = ElmanGates

    def __init__(self, name: Literal["rnn", "rnn_relu"]) -> None:
        self.name = name
        self.activation = torch.tanh if name == "rnn" else torch.relu

    def gate(self, weights: Weights, projected: Tensor, state: ElmanState) -> ElmanGates:
        """The new state."""
        return ElmanGates(self.activation(projected + linear(state.h, weights.hh, weights.bias_hh)))

    def update(self, weights: Weights, gates: ElmanGates, state: ElmanState) -> ElmanState:  # noqa: ARG002
        """The new state, unchanged."""
        return ElmanState(gates.n)
