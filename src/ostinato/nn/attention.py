"""Attention: what a state asks of the steps of another sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """``a = softmax_t(score(q, m[t]))``, ``context = sum_t a[t] m[t]``, over the steps that exist.

    A sequence without steps gives a context of zeros. ``Q`` questions of a sequence are asked at once.

    Args:
        query: size of a question.
        memory: size of a step of the memory.
    """

    def keys(self, memory: Tensor) -> Tensor:
        """What the questions are compared with, ``(B, T, ·)`` from ``(B, T, M)``: computed once a sequence."""
        raise NotImplementedError

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """``(B, Q, T)`` from questions ``(B, Q, H)``."""
        raise NotImplementedError

    def forward(self, queries: Tensor, keys: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts ``(B, Q, M)`` and shares ``(B, Q, T)``.

        Args:
            queries: ``(B, Q, H)``.
            keys: of :meth:`keys`.
            memory: ``(B, T, M)``.
            mask: ``(B, T)`` bool, the steps that exist.
        """
        scores = self.scores(queries, keys)
        absent = ~mask[:, None]
        shares = scores.masked_fill(absent, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(absent, 0.0)
        return shares @ memory, shares


class MultiplicativeAttention(Attention):
    """``score(q, m) = q . (W m)`` (Luong et al. 2015, arXiv 1508.04025, "general")."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory, query, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """``W m``."""
        found: Tensor = self.key(memory)
        return found

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """One batched product."""
        return queries @ keys.transpose(1, 2)


class AdditiveAttention(Attention):
    """``score(q, m) = v . tanh(W q + U m + b)`` (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2)."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, query, bias=False)
        self.key = nn.Linear(memory, query)
        self.score = nn.Linear(query, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """``U m + b``."""
        found: Tensor = self.key(memory)
        return found

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Holds ``(B, Q, T, H)`` numbers."""
        found: Tensor = self.score(torch.tanh(self.query(queries)[:, :, None] + keys[:, None]))
        return found.squeeze(-1)


ATTENTION: dict[str, type[MultiplicativeAttention] | type[AdditiveAttention]] = {
    "none": MultiplicativeAttention,  # over a single step, the summary of the source
    "multiplicative": MultiplicativeAttention,
    "additive": AdditiveAttention,
}
"""By the name in a recipe."""
