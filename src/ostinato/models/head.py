"""Heads: what the stack's steps become: an answer a sequence, or an answer a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostinato.models.dropout import VariationalDropout
from ostinato.models.pool import POOLS, AttentionPool, ConcatPool, LastPool
from ostinato.models.stack import State
from ostinato.sequences import Ragged


class SequenceHead(nn.Module):
    """Pools the steps and answers once a sequence: ``y = W drop(pool(h)) + b``.

    Args:
        size: ``D * H``.
        answers: ``K``.
        pool: ``last``, ``mean``, ``max``, ``concat``, ``attention`` or ``middle``.
        directions: ``D``.
        dropout: share of the pooled units dropped.
    """

    def __init__(
        self, size: int, answers: int, *, pool: str = "last", directions: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.pool: nn.Module
        if pool == "last":
            self.pool = LastPool(directions)
        elif pool == "concat":
            self.pool = ConcatPool(directions)
        elif pool == "attention":
            self.pool = AttentionPool(size)
        else:
            self.pool = POOLS[pool]()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(3 * size if pool == "concat" else size, answers)

    def forward(self, steps: Ragged, state: State) -> Tensor:
        """``steps`` ``(N, D * H)`` and the final state; gives ``(B, K)``."""
        if isinstance(self.pool, ConcatPool):
            pooled = self.pool(steps, state[0])
        else:
            pooled = self.pool(state[0] if isinstance(self.pool, LastPool) else steps)
        answers: Tensor = self.linear(self.dropout(pooled))
        return answers


class StepHead(nn.Module):
    """Answers at every step: ``y[t] = W drop(h[t]) + b``.

    Args:
        size: ``D * H``.
        answers: ``K``.
        dropout: share of the units dropped, the same ones at every step of a sequence.
    """

    def __init__(self, size: int, answers: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = VariationalDropout(dropout)
        self.linear = nn.Linear(size, answers)

    def forward(self, steps: Ragged) -> Tensor:
        """``steps`` ``(N, D * H)``; gives ``(N, K)``."""
        answers: Tensor = self.linear(self.dropout(steps).values)
        return answers


class ChainHead(nn.Module):
    """Potentials of a chain of labels at every step: ``s[t, i, j] = y[t, j] + A[i, j]``, ``y`` of :class:`StepHead`.

    At the first step ``start[j]`` stands in the place of ``A[i, j]``, and at the last ``end[j]`` is added. See
    :mod:`ostinato.nn.chain`. Source: Huang, Xu and Yu 2015, arXiv 1508.01991.

    Args:
        size: ``D * H``.
        answers: ``K``.
        dropout: share of the units dropped, the same ones at every step of a sequence.
    """

    def __init__(self, size: int, answers: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.steps = StepHead(size, answers, dropout=dropout)
        self.transitions = nn.Parameter(torch.zeros(answers, answers))
        self.start = nn.Parameter(torch.zeros(answers))
        self.end = nn.Parameter(torch.zeros(answers))

    def forward(self, steps: Ragged) -> Tensor:
        """``steps`` ``(N, D * H)``; gives ``(N, K, K)``."""
        answers: Tensor = self.steps(steps)
        there, device = steps.lengths > 0, answers.device
        first = torch.zeros(len(answers), 1, 1, dtype=torch.bool, device=device)
        first[steps.offsets[:-1][there].to(device)] = True
        last = torch.zeros_like(first)
        last[steps.offsets[1:][there].to(device) - 1] = True
        between = torch.where(first, self.start, self.transitions)
        return answers.unsqueeze(1) + between + torch.where(last, self.end, 0.0)


class TiedHead(nn.Module):
    """Answers at every step with the embedding itself: ``y[t] = E (P drop(h[t])) + b``.

    ``E`` ``(V, width)`` is the matrix by which symbols come in (Press and Wolf 2017, arXiv 1608.05859); the bottleneck
    ``P`` stands between only where ``size`` differs from ``width``. ``E`` is handed in at each call and is no parameter
    of this module, so that it stands once, not twice, in a ``state_dict``.

    Args:
        size: ``H``.
        width: size of a symbol's vector.
        answers: ``V``.
        dropout: share of the units dropped, the same ones at every step of a sequence.
    """

    def __init__(self, size: int, width: int, answers: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = VariationalDropout(dropout)
        self.bottleneck = nn.Linear(size, width, bias=False) if size != width else None
        self.bias = nn.Parameter(torch.zeros(answers))

    def forward(self, steps: Ragged, matrix: Tensor) -> Tensor:
        """``steps`` ``(N, H)`` and ``matrix`` ``(V, width)``; gives ``(N, V)``."""
        values = self.dropout(steps).values
        if self.bottleneck is not None:
            values = self.bottleneck(values)
        return F.linear(values, matrix, self.bias)
