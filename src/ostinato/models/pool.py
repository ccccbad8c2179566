"""Pooling: the steps of a sequence become one vector; only its own steps count, whatever else is in the batch."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from ostinato.models.dropout import rows_of
from ostinato.sequences import Ragged


class MeanPool(nn.Module):
    """``y = (1/T) sum_t h[t]``; zeros for a sequence without steps."""

    def forward(self, steps: Ragged) -> Tensor:
        """``(N, H)`` in, ``(B, H)`` out."""
        counts = steps.lengths.clamp(min=1).to(steps.values.device, steps.values.dtype)
        return _sum(steps, steps.values) / counts[:, None]


class MaxPool(nn.Module):
    """``y[i] = max_t h[t, i]``; zeros for a sequence without steps."""

    def forward(self, steps: Ragged) -> Tensor:
        """``(N, H)`` in, ``(B, H)`` out."""
        values = steps.values
        peaks = _max(steps, values)
        empty = (steps.lengths == 0).to(values.device)
        return peaks.masked_fill(empty[:, None], 0.0)


class AttentionPool(nn.Module):
    """``y = sum_t a[t] h[t]``, ``a = softmax_t(v . tanh(W h[t] + b))``; zeros for a sequence without steps.

    The additive attention of Yang et al. 2016 (Hierarchical Attention Networks, equations 5 to 7).

    Args:
        size: ``H``, size of a step.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))

    def weights(self, steps: Ragged) -> Tensor:
        """``(N,)``: the share of each step in its sequence's answer; they add up to 1 over a sequence."""
        scores = self.score(steps.values)
        rows = rows_of(steps)
        # The softmax does not change when a constant is subtracted; the peak keeps exp from overflowing.
        exponentials = (scores - _max(steps, scores).detach().index_select(0, rows)).exp()
        totals = _sum(steps, exponentials).index_select(0, rows)
        shares: Tensor = (exponentials / totals).squeeze(-1)
        return shares

    def forward(self, steps: Ragged) -> Tensor:
        """``(N, H)`` in, ``(B, H)`` out."""
        return _sum(steps, steps.values * self.weights(steps)[:, None])


class MiddlePool(nn.Module):
    """``y = h[m]``, ``m`` the step in the middle: what stands there, and in both directions what leads up to it.

    For windows that were cut around a place of interest (a splice junction). ``m = ceil(T / 2)``, counted from 1; zeros
    for a sequence without steps.
    """

    def forward(self, steps: Ragged) -> Tensor:
        """``(N, H)`` in, ``(B, H)`` out."""
        there = steps.lengths > 0
        found = steps.values.new_zeros(len(steps), steps.values.shape[1])
        rows = (steps.offsets[:-1] + (steps.lengths - 1) // 2)[there].to(steps.values.device)
        return found.index_put((there.to(found.device),), steps.values[rows])


class LastPool(nn.Module):
    """The final hidden state of the last layer, of both directions: ``y = [h_forward[T]; h_backward[1]]``.

    For a sequence without steps that is the initial state.

    Args:
        directions: ``D``.
    """

    def __init__(self, directions: int) -> None:
        super().__init__()
        self.directions = directions

    def forward(self, hidden: Tensor) -> Tensor:
        """``hidden`` ``(L * D, B, H)`` in, ``(B, D * H)`` out."""
        return torch.cat(list(hidden[-self.directions :]), dim=-1)


class ConcatPool(nn.Module):
    """``y = [h at the end; mean of h; maximum of h]``: what was read, what it was on the whole, and what stood out.

    The concat pooling of Howard and Ruder 2018 (arXiv 1801.06146, section 3.3).

    Args:
        directions: ``D``.
    """

    def __init__(self, directions: int) -> None:
        super().__init__()
        self.last, self.mean, self.max = LastPool(directions), MeanPool(), MaxPool()

    def forward(self, steps: Ragged, hidden: Tensor) -> Tensor:
        """``(N, D * H)`` and ``(L * D, B, H)`` in, ``(B, 3 * D * H)`` out."""
        return torch.cat([self.last(hidden), self.mean(steps), self.max(steps)], dim=-1)


POOLS: Final = {"mean": MeanPool, "max": MaxPool, "middle": MiddlePool}


def _sum(steps: Ragged, values: Tensor) -> Tensor:
    """``(B, *)``: sums of ``values`` ``(N, *)`` over each sequence."""
    zeros = torch.zeros(len(steps), *values.shape[1:], dtype=values.dtype, device=values.device)
    return zeros.index_add(0, rows_of(steps), values)


def _max(steps: Ragged, values: Tensor) -> Tensor:
    """``(B, H)``: the largest of ``values`` ``(N, H)`` over each sequence; minus infinity where there is no step."""
    lowest = torch.full((len(steps), values.shape[1]), -torch.inf, dtype=values.dtype, device=values.device)
    rows = rows_of(steps)[:, None].expand_as(values)
    return lowest.scatter_reduce(0, rows, values, reduce="amax")
