"""The independently recurrent network: every unit remembers itself alone."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor
from torch.nn import init

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.elman import ElmanGates, ElmanState


@final
class IndRNN(Cell[ElmanState, ElmanGates]):
    """``h_t = φ(W_ih x_t + b_ih + w_hh ⊙ h_{t-1})`` with φ = relu (``indrnn``) or tanh (``indrnn_tanh``).

    Shapes: x ``(B, I)``, h ``(B, H)``, W_ih ``(H, I)``, w_hh ``(H,)``, b_ih ``(H,)``. There is no gate; a trace calls
    the new state ``n``. ``w_hh`` begins uniform in ``[0, 1]``, where nothing explodes and some units forget slowly.

    Reference: Li, Li, Cook, Zhu & Gao, "Independently Recurrent Neural Network (IndRNN)", CVPR 2018 (arXiv 1803.04831),
    where relu is the rule; units meet in the layer above.
    Not an Elman network, whose ``W_hh`` is a matrix; the paper's bound ``|w_hh| ≤ 2^{1/T}`` is left to the training.
    """

    State = ElmanState
    Gates = ElmanGates

    def __init__(self, name: Literal["indrnn", "indrnn_tanh"]) -> None:
        self.name = name
        self.activation = torch.relu if name == "indrnn" else torch.tanh

    def shapes(self, sizes: Sizes) -> Shapes:
        """One recurrent weight a unit, one bias."""
        hidden = sizes.hidden
        found: Shapes = {"ih": (hidden, sizes.input), "hh": (hidden,)}
        return found | ({"bias_ih": (hidden,)} if sizes.bias else {})

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:  # noqa: ARG002
        """Recurrent weights uniform in ``[0, 1]``."""
        if name == "hh":
            init.uniform_(weight, 0, 1)

    def gate(self, weights: Weights, projected: Tensor, state: ElmanState) -> ElmanGates:
        """The new state."""
        return ElmanGates(self.activation(projected + weights.hh * state.h))

    def update(self, weights: Weights, gates: ElmanGates, state: ElmanState) -> ElmanState:  # noqa: ARG002
        """The new state, unchanged."""
        return ElmanState(gates.n)
