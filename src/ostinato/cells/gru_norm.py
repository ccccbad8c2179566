"""The layer-normalised GRU."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells import norm
from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.gru import GRUGates, GRUState
from ostinato.cells.norm import normalised


@final
class NormGRU(Cell[GRUState, GRUGates]):
    """Gated recurrent unit, *reset after*, with layer normalisation of both products.

    The two gates are normalised together, the candidate by itself; ``[·]_rz`` and ``[·]_n`` are the rows of either::

        (r, z) = σ(LN([W_ih x_t]_rz; a_ih) + [b_ih]_rz + LN([W_hh h_{t-1}]_rz; a_hh) + [b_hh]_rz)
        n = tanh(LN([W_ih x_t]_n; a_ih) + [b_ih]_n + r ⊙ (LN([W_hh h_{t-1}]_n; a_hh) + [b_hh]_n))
        h_t = (1 - z) ⊙ n + z ⊙ h_{t-1}
        LN(v; a) = a ⊙ (v - mean v) / √(var v + 1e-5)

    Shapes: as :class:`~ostinato.cells.gru.GRU`, and the gains ``norm_ih`` and ``norm_hh`` ``(3H,)``, whose rows belong
    to r, z, n. Gate order: r, z, n.

    Reference: Ba, Kiros & Hinton, "Layer Normalization", arXiv 1607.06450, supplementary material, the GRU of its
    skip-thought experiments, with four norms: gates and candidate, of input and state. The biases of the norms are
    ``b_ih`` and ``b_hh``. z weighs the old state, as in torch and in the authors' code; in the paper the candidate.
    Not the form that normalises all ``3H`` numbers together, and not the reset-before form.
    """

    name = "gru_norm"
    State = GRUState
    Gates = GRUGates
    candidate = "n"
    keep = "z"

    def shapes(self, sizes: Sizes) -> Shapes:
        """The GRU's, and the gains."""
        rows = sum(self.rows(sizes))
        return super().shapes(sizes) | {"norm_ih": (rows,), "norm_hh": (rows,)}

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:  # noqa: ARG002
        """Gains 1."""
        norm.begin(name, weight)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``LN(W_ih x) + b_ih``, gates and candidate each by itself."""
        return _apart(linear(x, weights.ih), weights["norm_ih"], weights.bias_ih)

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> GRUGates:
        """r, z, n of one step."""
        r_x, z_x, n_x = projected.chunk(3, -1)
        r_h, z_h, n_h = _apart(linear(state.h, weights.hh), weights["norm_hh"], weights.bias_hh).chunk(3, -1)
        r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        return GRUGates(r, z, torch.tanh(n_x + r * n_h))

    def update(self, weights: Weights, gates: GRUGates, state: GRUState) -> GRUState:  # noqa: ARG002
        """Between the candidate and the old state."""
        return GRUState((1 - gates.z) * gates.n + gates.z * state.h)


def _apart(a: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
    """``a`` ``(*, 3H)`` with its gates ``(*, 2H)`` and its candidate ``(*, H)`` normalised apart."""
    split = 2 * (a.shape[-1] // 3)
    biases = (None, None) if bias is None else (bias[:split], bias[split:])
    gates = normalised(a[..., :split], gain[:split], biases[0])
    return torch.cat([gates, normalised(a[..., split:], gain[split:], biases[1])], -1)
