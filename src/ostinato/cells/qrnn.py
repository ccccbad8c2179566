"""QRNN: a convolution over the input, and pooling over time."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.lstm import LSTMState
from ostinato.cells.min_gru import input_shapes


class QRNNState(NamedTuple):
    """``h``, ``c`` ``(B, H)``: output, cell state; ``ahead`` ``(B, 3H)``: what the last input adds to the next gates.

    ``h`` is only put out, never read.
    """

    h: Tensor
    c: Tensor
    ahead: Tensor


class QRNNGates(NamedTuple):
    """``z`` candidate, ``f`` forget gate, ``o`` output gate ``(B, H)``; ``ahead`` ``(B, 3H)``, for the next step."""

    z: Tensor
    f: Tensor
    o: Tensor
    ahead: Tensor


class PooledGates(NamedTuple):
    """Each ``(B, H)``: ``z`` candidate, ``f`` forget gate, ``o`` output gate."""

    z: Tensor
    f: Tensor
    o: Tensor


@final
class QRNN(Cell[QRNNState, QRNNGates]):
    """Quasi-recurrent network: a convolution over two steps, then fo-pooling, a linear recurrence.

    ::

        z = tanh(W_z x_t + V_z x_{t-1} + b_z)
        f = σ(W_f x_t + V_f x_{t-1} + b_f)
        o = σ(W_o x_t + V_o x_{t-1} + b_o)
        c_t = f ⊙ c_{t-1} + (1 - f) ⊙ z
        h_t = o ⊙ c_t

    The state ``ahead`` is ``V x_{t-1}``, 0 at first, so that a sequence can be cut anywhere.

    Shapes: x ``(B, I)``, h, c ``(B, H)``, ahead ``(B, 3H)``, ``W_ih = (W_z, W_f, W_o, V_z, V_f, V_o)`` ``(6H, I)``,
    b_ih ``(3H,)``. Gate order: z, f, o. There is no ``W_hh``.

    Reference: Bradbury, Merity, Xiong & Socher, "Quasi-Recurrent Neural Networks", arXiv 1611.01576, a filter of width
    2 and fo-pooling. A convolution never looks ahead; in the reverse direction ``x_{t-1}`` is the input read before.
    Not the paper's ifo-pooling, which has an input gate of its own; not a filter of width 1 (:class:`PooledQRNN`).
    """

    name = "qrnn"
    State = QRNNState
    Gates = QRNNGates
    candidate = "z"
    zones = ()
    keep = "f"

    def rows(self, sizes: Sizes) -> list[int]:
        """``H`` each, and as many again for the step after."""
        return [sizes.hidden] * 3 + [3 * sizes.hidden]

    def shapes(self, sizes: Sizes) -> Shapes:
        """No recurrent weights."""
        return input_shapes(6 * sizes.hidden, sizes, biased=3 * sizes.hidden)

    def state_shapes(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """``(H,)``, ``(H,)``, ``(3H,)``."""
        return (sizes.hidden,), (sizes.hidden,), (3 * sizes.hidden,)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """This step's part of its gates, and of those of the step after."""
        return linear(x, weights.ih, padded(weights))

    def gate(self, weights: Weights, projected: Tensor, state: QRNNState) -> QRNNGates:  # noqa: ARG002
        """z, f, o of one step, and what goes to the next."""
        now, ahead = projected.chunk(2, -1)
        return QRNNGates(*pooled_gates(now + state.ahead), ahead)

    def update(self, weights: Weights, gates: QRNNGates, state: QRNNState) -> QRNNState:  # noqa: ARG002
        """Pool, put out."""
        c = gates.f * state.c + (1 - gates.f) * gates.z
        return QRNNState(gates.o * c, c, gates.ahead)


@final
class PooledQRNN(Cell[LSTMState, PooledGates]):
    """Quasi-recurrent network with a filter of width 1: :class:`QRNN` without ``V``, for layers above the first.

    ::

        z = tanh(W_z x_t + b_z)        f = σ(W_f x_t + b_f)        o = σ(W_o x_t + b_o)
        c_t = f ⊙ c_{t-1} + (1 - f) ⊙ z
        h_t = o ⊙ c_t

    Shapes: x ``(B, I)``, h, c ``(B, H)``, W_ih ``(3H, I)``, b_ih ``(3H,)``. Gate order: z, f, o. ``h`` is never read.

    Reference: Bradbury et al., arXiv 1611.01576, fo-pooling.
    Not a convolution any more: a step sees its own input only.
    """

    name = "qrnn_1"
    State = LSTMState
    Gates = PooledGates
    candidate = "z"
    zones = ()
    keep = "f"

    def shapes(self, sizes: Sizes) -> Shapes:
        """No recurrent weights."""
        return input_shapes(3 * sizes.hidden, sizes)

    def gate(self, weights: Weights, projected: Tensor, state: LSTMState) -> PooledGates:  # noqa: ARG002
        """z, f, o of one step."""
        return pooled_gates(projected)

    def update(self, weights: Weights, gates: PooledGates, state: LSTMState) -> LSTMState:  # noqa: ARG002
        """Pool, put out."""
        c = gates.f * state.c + (1 - gates.f) * gates.z
        return LSTMState(gates.o * c, c)


def pooled_gates(a: Tensor) -> PooledGates:
    """The activations."""
    z, f, o = a.chunk(3, -1)
    return PooledGates(torch.tanh(z), torch.sigmoid(f), torch.sigmoid(o))


def padded(weights: Weights) -> Tensor | None:
    """The bias with zeros for the rows that have none."""
    bias = weights.bias_ih
    return None if bias is None else pad(bias, (0, weights.ih.shape[0] - bias.shape[0]))
