"""Sampling: from a model's logits to the next symbol. Pure functions; all random numbers come in from outside."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.errors import UsageError

ROUNDING = 1e-12
"""Sums of probabilities that differ by less are equal."""


@dataclass(frozen=True)
class Sampling:
    """How the next symbol is drawn; the filters apply in the order in which they stand here.

    Args:
        temperature: logits are divided by it; below 1 bolder, above 1 wilder, 0 always takes the likeliest symbol.
        top_k: only the ``k`` likeliest symbols; 0: all.
        top_p: only the likeliest symbols that together have a probability of ``p``; 1: all.

    Raises:
        UsageError: a value is out of its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature must be 0 (always the likeliest symbol) or more, not {self.temperature}")
        if self.top_k < 0:
            raise UsageError(f"top-k must be 0 (all symbols) or a number of symbols, not {self.top_k}")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top-p must be above 0 and at most 1 (all symbols), not {self.top_p}")

    def probabilities(self, logits: Tensor, banned: Collection[int] = ()) -> Tensor:
        """Logits ``(B, V)`` as the probabilities ``(B, V)`` to draw from, float64; ``banned`` symbols get 0."""
        logits = logits.double()
        if banned:
            logits = logits.index_fill(1, torch.tensor(sorted(banned), device=logits.device), -torch.inf)
        if self.temperature == 0.0:
            return torch.nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).double()
        # The difference to the peak is divided, so that a temperature near 0 cannot overflow.
        logits = (logits - logits.amax(dim=1, keepdim=True)) / self.temperature
        return top_p(top_k(torch.softmax(logits, dim=1), self.top_k), self.top_p)


def top_k(probabilities: Tensor, k: int) -> Tensor:
    """The ``k`` likeliest symbols of each row of ``(B, V)``, made to add up to 1 again; 0 keeps all.

    Exactly ``k`` stay: of equal ones those that stand first (Fan et al. 2018, arXiv 1805.04833).
    """
    if k == 0 or k >= probabilities.shape[1]:
        return probabilities
    order = probabilities.argsort(dim=1, descending=True, stable=True)
    return _keep(probabilities, order[:, :k], torch.ones_like(order[:, :k], dtype=torch.bool))


def top_p(probabilities: Tensor, p: float) -> Tensor:
    """The nucleus of each row of ``(B, V)``, made to add up to 1 again.

    That is the smallest set of likeliest symbols whose probabilities reach ``p``, so at least one symbol (Holtzman et
    al. 2020, arXiv 1904.09751).
    """
    if p >= 1.0:
        return probabilities
    order = probabilities.argsort(dim=1, descending=True, stable=True)
    before = probabilities.gather(1, order).cumsum(dim=1).roll(1, dims=1)
    before[:, 0] = -1.0  # nothing stands before the likeliest, which always stays
    return _keep(probabilities, order, before < p - ROUNDING)


def draw(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """One symbol a row: the first ``v`` with ``P(1) + … + P(v) > u``.

    Args:
        probabilities: ``(B, V)``.
        uniforms: ``(B,)``, ``u`` from 0 to under 1.

    Returns:
        ``(B,)`` int64; never a symbol of probability 0.
    """
    cumulative = probabilities.cumsum(dim=1)
    targets = uniforms.to(cumulative)[:, None] * cumulative[:, -1:]
    numbers = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    # Rounding may put the target on the very end; the last symbol with any probability is meant then.
    places = torch.arange(probabilities.shape[1], device=probabilities.device)
    last = torch.where(probabilities > 0, places, 0).amax(dim=1)
    return torch.minimum(numbers, last)


def _keep(probabilities: Tensor, order: Tensor, kept: Tensor) -> Tensor:
    """``probabilities`` where ``kept`` (in the given ``order`` of symbols) is true, 0 elsewhere, scaled to 1."""
    mask = torch.zeros_like(probabilities, dtype=torch.bool).scatter(1, order, kept)
    filtered = probabilities * mask
    return filtered / filtered.sum(dim=1, keepdim=True)
