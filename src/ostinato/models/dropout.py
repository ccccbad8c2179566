"""Dropout for sequences: one mask a sequence, and unknown symbols."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.sequences import Ragged


class VariationalDropout(nn.Module):
    """Drops the same units at every step of a sequence: ``y[t] = x[t] * m / (1 - p)``, ``m ~ Bernoulli(1 - p)``.

    One mask ``(B, I)`` a sequence, drawn anew at each call, so a unit that is dropped cannot come back through the next
    step's memory (Gal and Ghahramani 2016, arXiv 1512.05287). Nothing happens outside training.

    Args:
        p: share of units dropped, ``0 <= p < 1``.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, steps: Ragged) -> Ragged:
        """``(N, I)`` in, ``(N, I)`` out."""
        if not self.training or self.p == 0.0:
            return steps
        values = steps.values
        mask = torch.empty(len(steps), values.shape[1], dtype=values.dtype, device=values.device)
        mask.bernoulli_(1.0 - self.p).div_(1.0 - self.p)
        return Ragged(values * mask.index_select(0, rows_of(steps)), steps.lengths)

    def extra_repr(self) -> str:
        """For ``print(model)``."""
        return f"p={self.p}"


class SymbolDropout(nn.Module):
    """Replaces a share of the symbols by the unknown symbol, in training only.

    A model that never met the unknown symbol has no use for it at test time; this teaches it one (Iyyer et al. 2015).

    Args:
        p: share of symbols replaced, ``0 <= p < 1``.
        unknown: id of the unknown symbol.
    """

    def __init__(self, p: float, unknown: int = 0) -> None:
        super().__init__()
        self.p, self.unknown = p, unknown

    def forward(self, ids: Tensor) -> Tensor:
        """``(N,)`` ids in, ``(N,)`` ids out."""
        if not self.training or self.p == 0.0:
            return ids
        hit = torch.rand(ids.shape, device=ids.device) < self.p
        return ids.masked_fill(hit, self.unknown)

    def extra_repr(self) -> str:
        """For ``print(model)``."""
        return f"p={self.p}, unknown={self.unknown}"


def rows_of(steps: Ragged) -> Tensor:
    """``(N,)``: which sequence each step belongs to, on the device of the values."""
    return torch.arange(len(steps)).repeat_interleave(steps.lengths).to(steps.values.device)
