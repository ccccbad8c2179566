"""sLSTM: the LSTM with exponential gates and a normaliser."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ostinato.cells.base import Cell, Shapes, Sizes, Weights

RANGE = 80.0
"""``exp(±RANGE)`` still is a float32."""


class SLSTMState(NamedTuple):
    """Each ``(B, H)``: ``h`` hidden state, ``c`` cell state, ``n`` normaliser, ``m`` stabiliser.

    ``exp(m) c`` and ``exp(m) n`` are the paper's cell and normaliser states; where ``n`` is 0 nothing was read yet.
    """

    h: Tensor
    c: Tensor
    n: Tensor
    m: Tensor


class SLSTMGates(NamedTuple):
    """Each ``(B, H)``: the *logarithms* ``i``, ``f`` of input and forget gate, ``z`` candidate, ``o`` output gate."""

    i: Tensor
    f: Tensor
    z: Tensor
    o: Tensor


@final
class SLSTM(Cell[SLSTMState, SLSTMGates]):
    """Scalar LSTM with exponential input gate, normaliser state and stabiliser; ``K`` heads that mix within themselves.

    ``(i~, f~, z~, o~) = W_ih x_t + b_ih + W_hh h_{t-1}``, where the rows of a unit read the ``H / K`` units of its own
    head::

        log i = i~        log f = log σ(f~)        z = tanh(z~)        o = σ(o~)
        m_t = max(log f + m_{t-1}, log i)                      m_t = log i where n_{t-1} = 0
        c_t = exp(log f + m_{t-1} - m_t) ⊙ c_{t-1} + exp(log i - m_t) ⊙ z
        n_t = exp(log f + m_{t-1} - m_t) ⊙ n_{t-1} + exp(log i - m_t)
        h_t = o ⊙ c_t / n_t

    Shapes: x ``(B, I)``, h, c, n, m ``(B, H)``, W_ih ``(4H, I)``, W_hh ``(4H, H / K)``, b_ih ``(4H,)``. Gate order: i,
    f, z, o. ``h`` does not depend on ``m``, which only keeps numbers in range.

    Reference: Beck et al., "xLSTM: Extended Long Short-Term Memory", arXiv 2405.04517, equations 8 to 17, with the
    forget gate as σ, one of its two choices and that of its authors' code.
    Not the whole sLSTM block of that paper (convolution, group norm, up-projection), and not the LSTM, whose memory can
    neither be revised by an ever larger gate nor is it divided by what was written.
    """

    name = "slstm"
    State = SLSTMState
    Gates = SLSTMGates
    candidate = "z"
    keep, write = "f", "i"

    def shapes(self, sizes: Sizes) -> Shapes:
        """One bias, and recurrent weights within the heads."""
        rows = 4 * sizes.hidden
        found: Shapes = {"ih": (rows, sizes.input), "hh": (rows, sizes.hidden // sizes.heads)}
        return found | ({"bias_ih": (rows,)} if sizes.bias else {})

    def state_shapes(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """Four times ``(H,)``."""
        return ((sizes.hidden,),) * 4

    def gate(self, weights: Weights, projected: Tensor, state: SLSTMState) -> SLSTMGates:
        """i, f, z, o of one step."""
        width = weights.hh.shape[1]
        count = state.h.shape[-1] // width
        heads = state.h.reshape(*state.h.shape[:-1], count, width)  # (B, K, H / K)
        blocks = weights.hh.reshape(4, count, width, width)  # (4, K, H / K rows, H / K columns)
        read = torch.einsum("...kj,gkij->...gki", heads, blocks).flatten(-3)
        i, f, z, o = (projected + read).chunk(4, -1)
        return SLSTMGates(i, logsigmoid(f), torch.tanh(z), torch.sigmoid(o))

    def update(self, weights: Weights, gates: SLSTMGates, state: SLSTMState) -> SLSTMState:  # noqa: ARG002
        """Forget, write, divide, put out."""
        kept = gates.f + state.m
        m = torch.where(state.n == 0, gates.i, torch.maximum(kept, gates.i))
        forget, write = share_kept(kept - m), torch.exp(gates.i - m)
        c, n = forget * state.c + write * gates.z, forget * state.n + write
        return SLSTMState(gates.o * c / n, c, n, m)


def share_kept(exponent: Tensor) -> Tensor:
    """``exp`` of what is above 0 only where the memory is empty: there it multiplies 0, and must be finite."""
    return torch.exp(exponent.clamp(max=RANGE))
