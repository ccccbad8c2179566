"""mLSTM: the LSTM whose memory is a matrix."""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.slstm import RANGE, share_kept


class MLSTMState(NamedTuple):
    """``h`` ``(B, H)`` hidden state; for each head ``c`` ``(B, K, H/K, H/K)``, ``n`` ``(B, K, H/K)``, ``m`` ``(B, K)``.

    ``exp(m) c`` and ``exp(m) n`` are the paper's matrix memory and normaliser. ``h`` is only put out, never read.
    """

    h: Tensor
    c: Tensor
    n: Tensor
    m: Tensor


class MLSTMGates(NamedTuple):
    """``q`` query, ``k`` scaled key, ``v`` value, ``o`` output gate ``(B, H)``; the logs of ``i``, ``f`` ``(B, K)``."""

    q: Tensor
    k: Tensor
    v: Tensor
    i: Tensor
    f: Tensor
    o: Tensor


@final
class MLSTM(Cell[MLSTMState, MLSTMGates]):
    """Matrix LSTM: a memory of key-value pairs in each of ``K`` heads, with exponential gates and a stabiliser.

    ``(q, k, v, i~, f~, o~) = W_ih x_t + b_ih``; q, k, v, o are cut into heads of ``d = H / K`` numbers; i, f, m are one
    number a head::

        log i = i~        log f = log σ(f~)        o = σ(o~)        k = k / √d
        m_t = max(log f + m_{t-1}, log i)                      m_t = log i where n_{t-1} = 0
        C_t = exp(log f + m_{t-1} - m_t) C_{t-1} + exp(log i - m_t) v kᵀ
        n_t = exp(log f + m_{t-1} - m_t) n_{t-1} + exp(log i - m_t) k
        h_t = o ⊙ C_t q / max(|n_tᵀ q|, exp(-m_t))

    Shapes: x ``(B, I)``, W_ih ``(4H + 2K, I)``, b_ih ``(4H + 2K,)``, states as in :class:`MLSTMState`. Gate order: q,
    k, v, i, f, o. There is no ``W_hh``: a step reads nothing of ``h_{t-1}``. ``h`` does not depend on ``m``, which only
    keeps numbers in range (in ``exp(-m_t)`` it is held within ±80). The biases of the forget gates begin at 3 to 6.

    Reference: Beck et al., "xLSTM: Extended Long Short-Term Memory", arXiv 2405.04517, equations 19 to 27, with the
    forget gate as σ, one of its two choices and that of its authors' code; as there, the key is scaled with its bias.
    Not the multiplicative LSTM (Krause et al. 2016), also called mLSTM, and not the whole mLSTM block of the paper
    (up-projection, convolution before q and k, group norm, skip).
    """

    name = "mlstm"
    State = MLSTMState
    Gates = MLSTMGates
    candidate = "v"
    zones = ()
    keep, write = "f", "i"

    def rows(self, sizes: Sizes) -> list[int]:
        """``H`` each, but ``K`` for i and f."""
        return [sizes.hidden] * 3 + [sizes.heads] * 2 + [sizes.hidden]

    def shapes(self, sizes: Sizes) -> Shapes:
        """No recurrent weights."""
        rows = sum(self.rows(sizes))
        return {"ih": (rows, sizes.input)} | ({"bias_ih": (rows,)} if sizes.bias else {})

    def state_shapes(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """``(H,)``, ``(K, d, d)``, ``(K, d)``, ``(K,)``."""
        heads, width = sizes.heads, sizes.hidden // sizes.heads
        return (sizes.hidden,), (heads, width, width), (heads, width), (heads,)

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:
        """Forget gates that keep: biases from 3 to 6 over the heads."""
        if name == "bias_ih":
            forget = weight.split(self.rows(sizes))[4]  # type: ignore[no-untyped-call]
            forget.copy_(torch.linspace(3, 6, sizes.heads))

    def gate(self, weights: Weights, projected: Tensor, state: MLSTMState) -> MLSTMGates:  # noqa: ARG002
        """q, k, v, i, f, o of one step."""
        heads, width = state.n.shape[-2:]
        q, k, v, i, f, o = torch.split(projected, [heads * width] * 3 + [heads] * 2 + [heads * width], -1)
        return MLSTMGates(q, k / math.sqrt(width), v, i, logsigmoid(f), torch.sigmoid(o))

    def update(self, weights: Weights, gates: MLSTMGates, state: MLSTMState) -> MLSTMState:  # noqa: ARG002
        """Forget, write the pair, look up, put out."""
        q, k, v = (part.reshape(*part.shape[:-1], *state.n.shape[-2:]) for part in gates[:3])
        kept = gates.f + state.m
        m = torch.where((state.n == 0).all(-1), gates.i, torch.maximum(kept, gates.i))
        forget, write = share_kept(kept - m).unsqueeze(-1), torch.exp(gates.i - m).unsqueeze(-1)
        c = forget.unsqueeze(-1) * state.c + (write * v).unsqueeze(-1) * k.unsqueeze(-2)
        n = forget * state.n + write * k
        size = torch.maximum((n * q).sum(-1).abs(), torch.exp(-m.clamp(-RANGE, RANGE)))
        found = (c @ q.unsqueeze(-1)).squeeze(-1) / size.unsqueeze(-1)
        return MLSTMState(gates.o * found.flatten(-2), c, n, m)
