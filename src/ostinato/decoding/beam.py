"""Beam search: the likeliest continuations of a language model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ostinato.decoding.step import Stepper, select
from ostinato.errors import UsageError


@dataclass(frozen=True)
class Hypothesis:
    """One continuation.

    Args:
        ids: the symbols, without the end mark.
        log_probability: natural logarithm of the probability of the symbols (and of the end, if there is one).
        ended: whether the end mark follows; otherwise the allowed length was used up.
        score: ``log_probability / n ** alpha``, where ``n`` counts the symbols and the end mark.
    """

    ids: tuple[int, ...]
    log_probability: float
    ended: bool
    score: float


@dataclass(frozen=True)
class Beam:
    """Keeps the ``width`` likeliest beginnings at each step.

    Longer sequences are less probable than short ones just for being longer; ``alpha`` weighs that out: hypotheses are
    compared by ``log P / n ** alpha`` (0: not at all, 1: the mean; Wu et al. 2016, arXiv 1609.08144, section 7, without
    their constant 5).

    Args:
        width: beginnings kept at each step, and hypotheses given at most.
        length: most symbols of a hypothesis, the end mark being one; longer ones are cut there.
        alpha: of the comparison above.

    Raises:
        UsageError: a value is out of its range.
    """

    width: int = 5
    length: int = 100
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.length < 1:
            raise UsageError(f"a beam needs a width and a length of at least 1, not {self.width} and {self.length}")
        if not 0.0 <= self.alpha < float("inf"):
            raise UsageError(f"alpha must be 0 (no normalisation) or more, not {self.alpha}")

    def search(
        self, stepper: Stepper, prompt: Tensor, *, end: int | None = None, banned: Collection[int] = ()
    ) -> list[Hypothesis]:
        """The best hypotheses after ``prompt``, best first.

        The result is exact when ``width`` is at least the number of possible beginnings; otherwise, as every beam
        search, it may miss the best. It stops as soon as no beginning can still overtake what has ended.

        Args:
            stepper: the model.
            prompt: ids ``(T,)``, ``T >= 1``.
            end: id of the end mark, None where sequences have no end.
            banned: ids that never come.
        """
        logits, state = stepper.begin(prompt)
        totals, beginnings, done = torch.zeros(1, dtype=torch.float64), EMPTY, list[Hypothesis]()
        for step in range(self.length):
            following = totals[:, None] + _log_probabilities(logits, banned)
            if end is not None:
                done += self._ended(beginnings, following[:, end])
                following[:, end] = -torch.inf
            totals, rows, symbols = _best(following, self.width)
            beginnings = _extended(beginnings, rows, symbols)
            if not beginnings or self._settled(done, float(totals[0])):
                break
            if step + 1 < self.length:
                logits, state = stepper.advance(symbols, select(state, rows))
        else:
            done += [
                Hypothesis(ids, total, ended=False, score=total / self.length**self.alpha)
                for ids, total in zip(beginnings, totals.tolist(), strict=True)
            ]
        return sorted(done, key=lambda hypothesis: -hypothesis.score)[: self.width]

    def _ended(self, beginnings: list[tuple[int, ...]], totals: Tensor) -> list[Hypothesis]:
        """Each beginning with the end mark after it, unless that is impossible."""
        return [
            Hypothesis(ids, total, ended=True, score=total / (len(ids) + 1) ** self.alpha)
            for ids, total in zip(beginnings, totals.tolist(), strict=True)
            if total > -torch.inf
        ]

    def _settled(self, done: list[Hypothesis], best: float) -> bool:
        """Whether no beginning can still overtake: not if all its further symbols were certain and there were many."""
        scores = sorted((hypothesis.score for hypothesis in done), reverse=True)
        return len(scores) >= self.width and scores[self.width - 1] >= best / self.length**self.alpha


EMPTY: list[tuple[int, ...]] = [()]


def _log_probabilities(logits: Tensor, banned: Collection[int]) -> Tensor:
    """``(K, V)`` float64 on the CPU; banned symbols are impossible, and the others add up to 1 without them."""
    logits = logits.double().cpu()
    if banned:
        logits = logits.index_fill(1, torch.tensor(sorted(banned)), -torch.inf)
    return logits.log_softmax(dim=1)


def _best(following: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The ``width`` largest possible entries of ``(K, V)``, largest first: their values, rows and columns."""
    totals, places = following.flatten().sort(descending=True, stable=True)
    count = min(width, int((totals > -torch.inf).sum()))
    return totals[:count], places[:count] // following.shape[1], places[:count] % following.shape[1]


def _extended(beginnings: list[tuple[int, ...]], rows: Tensor, symbols: Tensor) -> list[tuple[int, ...]]:
    return [(*beginnings[row], symbol) for row, symbol in zip(rows.tolist(), symbols.tolist(), strict=True)]
