"""RG-LRU: the real-gated linear recurrent unit."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import init
from torch.nn.functional import linear, softplus

from ostinato.cells.base import Cell, Shapes, Sizes, Weights
from ostinato.cells.gru import GRUState

SHARPNESS = 8.0
RING = 0.9, 0.999
"""Between what ``exp(-softplus(Λ))`` begins."""


class RGLRUGates(NamedTuple):
    """Each ``(B, H)``: ``r`` recurrence gate, ``i`` input gate, ``u`` the input itself."""

    r: Tensor
    i: Tensor
    u: Tensor


@final
class RGLRU(Cell[GRUState, RGLRUGates]):
    """Real-gated linear recurrent unit: a decay of each unit's own, opened and closed by the input.

    ::

        r = σ(W_r x_t + b_r)               recurrence gate
        i = σ(W_i x_t + b_i)               input gate
        u = x_t, or W_u x_t where I ≠ H
        log a = -8 softplus(Λ) ⊙ r
        h_t = a ⊙ h_{t-1} + √(1 - a²) ⊙ (i ⊙ u)

    Shapes: x ``(B, I)``, h ``(B, H)``, ``W_ih = (W_r, W_i)`` ``(2H, I / K)``, each gate in ``K`` diagonal blocks of
    ``(H / K, I / K)`` (one block: a full matrix); b_ih ``(2H,)``, ``lambda`` ``(H,)``; where I ≠ H ``in`` ``(H, I)``,
    which is ``W_u``. Gate order: r, i. There is no ``W_hh``.

    ``Λ`` begins so that ``exp(-softplus(Λ))`` lies between 0.9 and 0.999, uniform in its square; weights normal with
    variance ``K / I``, biases 0. Where ``a`` is 1 the slope of the square root is taken as 0.

    Reference: De et al., "Griffin", arXiv 2402.19427, equations 1 to 4; where ``Λ`` begins as in its authors' code.
    Not the whole recurrent block of that paper (convolution, gated branch); not their code's rule that the first input
    of an episode is taken whole, without ``√(1 - a²)``; not the LRU, whose decay is complex and does not see the input.
    """

    name = "rg_lru"
    State = GRUState
    Gates = RGLRUGates
    candidate = "u"

    def rows(self, sizes: Sizes) -> list[int]:
        """``H`` a gate; the input has a weight of its own, if any."""
        return [sizes.hidden] * 2 + [0]

    def shapes(self, sizes: Sizes) -> Shapes:
        """Two block-diagonal gates and the decay."""
        found: Shapes = {"ih": (2 * sizes.hidden, sizes.input // sizes.heads)}
        found |= {"bias_ih": (2 * sizes.hidden,)} if sizes.bias else {}
        found |= {"lambda": (sizes.hidden,)}
        return found | ({} if sizes.input == sizes.hidden else {"in": (sizes.hidden, sizes.input)})

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:  # noqa: ARG002
        """Slow decays, gates half open."""
        if name == "bias_ih":
            init.zeros_(weight)
        elif name == "lambda":
            low, high = RING
            rate = init.uniform_(weight, low**2, high**2).log_().mul_(-0.5)  # softplus(Λ)
            rate.expm1_().log_()
        else:
            init.normal_(weight, std=weight.shape[1] ** -0.5)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """Both gates before their activations, and the input: ``(*, 3H)``."""
        return torch.cat([block_product(weights, x), self.entering(weights, x)], -1)

    def entering(self, weights: Weights, x: Tensor) -> Tensor:
        """``u``."""
        return linear(x, weights["in"]) if "in" in weights else x

    def decay(self, weights: Weights) -> Tensor:
        """``log a`` where ``r`` is 1, ``(H,)``."""
        return -SHARPNESS * softplus(weights["lambda"])

    def gate(self, weights: Weights, projected: Tensor, state: GRUState) -> RGLRUGates:  # noqa: ARG002
        """r, i, u of one step."""
        r, i, u = projected.chunk(3, -1)
        return RGLRUGates(torch.sigmoid(r), torch.sigmoid(i), u)

    def update(self, weights: Weights, gates: RGLRUGates, state: GRUState) -> GRUState:
        """Decay, take in as much as keeps the size."""
        log_a = self.decay(weights) * gates.r
        square = -torch.expm1(2 * log_a)
        scale = torch.sqrt(square.clamp(min=torch.finfo(square.dtype).tiny))
        return GRUState(torch.exp(log_a) * state.h + scale * (gates.i * gates.u))


def block_product(weights: Weights, x: Tensor) -> Tensor:
    """``W_ih x + b_ih`` ``(*, 2H)`` for two gates of diagonal blocks."""
    width = weights.ih.shape[1]
    blocks = x.shape[-1] // width
    if blocks == 1:
        return linear(x, weights.ih, weights.bias_ih)
    parts = x.reshape(*x.shape[:-1], blocks, width)  # (*, K, I / K)
    matrices = weights.ih.reshape(2, blocks, -1, width)  # (2, K, H / K, I / K)
    found = torch.einsum("...ki,gkoi->...gko", parts, matrices).flatten(-3)
    return found if weights.bias_ih is None else found + weights.bias_ih
