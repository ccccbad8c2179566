"""KneserNey: the next symbol from the last few, by counting; what a language model must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostinato.sequences import Ragged

Rung = tuple[int, bool]
"""A context: how many symbols back it reaches, and whether it also names the class of the sequence."""


def ladder(order: int, classes: bool = False) -> tuple[Rung, ...]:
    """The contexts of a k-gram of ``order`` symbols, from the empty one to the longest.

    With classes each context comes first for all classes together, then for the class of its own, so that a class with
    little text leans on what all have in common.
    """
    pair = (False, True) if classes else (False,)
    return tuple((back, own) for back in range(order) for own in pair)


@dataclass(frozen=True)
class Steps:
    """``N`` places at which a symbol follows others.

    Args:
        lags: ``(N, M)`` int64: column ``j`` is the symbol ``j + 1`` places before the one to predict, -1 where the
            sequence had not begun.
        classes: ``(N,)`` int64, the class of the sequence (all 0 without classes).
    """

    lags: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, inputs: Ragged, classes: np.ndarray | None, memory: int, before: np.ndarray | None = None) -> Steps:
        """The places after each input: ``inputs`` ``(N,)`` ids, ``classes`` ``(B,)``, up to ``memory`` symbols back.

        ``before`` ``(memory, B)`` holds the symbols that came before the inputs, the latest last, -1 for none.
        """
        ids, lengths = inputs.values.cpu().numpy(), inputs.lengths.numpy()
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(ids))
        lags = np.full((len(ids), memory), -1, dtype=np.int64)
        for back in range(memory):
            source = place - back
            inside = source >= starts
            lags[inside, back] = ids[source[inside]]
            if before is not None:
                earlier = memory + source - starts
                outside = ~inside & (earlier >= 0)
                lags[outside, back] = before[earlier[outside], owner[outside]]
        own = np.zeros(len(ids), dtype=np.int64) if classes is None else classes[owner].astype(np.int64)
        return cls(lags, own)

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class _Level:
    """Discounted counts of one rung: row ``context`` of a sparse matrix (contexts, V), and what is left for the next.

    ``starts`` ``(contexts + 1,)``, ``symbols`` and ``shares`` ``(entries,)``: symbols that followed the context, and
    ``(count - discount) / total`` of each; ``rest`` ``(contexts,)``.
    """

    starts: np.ndarray
    symbols: np.ndarray
    shares: np.ndarray
    rest: np.ndarray

    def add(self, chances: np.ndarray, context: np.ndarray) -> None:
        """``chances (N, V)`` of the rung before become those of this one, in place; context -1 was never seen."""
        seen = np.flatnonzero(context >= 0)
        rows = context[seen]
        chances[seen] *= self.rest[rows, None]
        counts = self.starts[rows + 1] - self.starts[rows]
        entries = np.arange(counts.sum()) + np.repeat(self.starts[rows] - (np.cumsum(counts) - counts), counts)
        chances[np.repeat(seen, counts), self.symbols[entries]] += self.shares[entries]

    def add_one(self, chance: np.ndarray, context: np.ndarray, symbol: np.ndarray, size: int) -> None:
        """The same for one symbol a place: ``chance (N,)``."""
        seen = np.flatnonzero(context >= 0)
        rows = context[seen]
        chance[seen] *= self.rest[rows]
        keys = np.repeat(np.arange(len(self.rest)), np.diff(self.starts)) * size + self.symbols
        found = find(keys, rows * size + symbol[seen])
        hit = found >= 0
        chance[seen[hit]] += self.shares[found[hit]]


class KneserNey:
    """Interpolated modified Kneser-Ney over a ladder of contexts.

    On rung ``r`` with the context ``x``, and ``x'`` that of the rung before, which says less::

        p_r(w | x) = (n(x, w) - D(n(x, w))) / n(x, .) + rest(x) p_{r-1}(w | x')
        rest(x)    = (D_1 N_1(x) + D_2 N_2(x) + D_3 N_3+(x)) / n(x, .)

    ``n`` counts on the last rung how often ``w`` followed ``x``, on any other in how many contexts of the next rung it
    did (each beginning of a sequence is a context of its own); ``N_i(x)`` symbols have the count ``i``. Below the first
    rung all ``V`` symbols are equally likely, so every probability is positive and they add up to 1. ``D_1, D_2, D_3+``
    follow from the counts of counts of the rung.

    Source: Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling, section 3.

    Args:
        size: ``V``.
        rungs: the contexts, see :func:`ladder`.
        classes: how many classes there are.
    """

    def __init__(self, size: int, rungs: Sequence[Rung], classes: int = 1) -> None:
        if size < 1 or not rungs or rungs[0] != (0, False):
            raise ValueError("a k-gram needs symbols, and a ladder that begins with the empty context")
        self.size, self.rungs, self.classes = size, tuple(rungs), classes
        self.memory = max(back for back, _ in rungs)
        self._words: list[np.ndarray] = []
        self._owned: dict[int, np.ndarray] = {}
        self._levels: list[_Level] = []

    def fit(self, steps: Steps, targets: np.ndarray) -> KneserNey:
        """Counts which of ``targets (N,)`` followed at ``steps``; gives itself back."""
        self._words, self._owned, self._levels = [], {}, []
        contexts = self._contexts(steps, learn=True)
        for number, context in enumerate(contexts):
            last = number + 1 == len(contexts)
            longer = None if last else contexts[number + 1]
            self._levels.append(_count(context, targets, self.size, longer))
        return self

    def chances(self, steps: Steps) -> np.ndarray:
        """``(N, V)`` float64: the probability of every symbol at every place."""
        chances = np.full((len(steps), self.size), 1.0 / self.size)
        for level, context in zip(self._levels, self._contexts(steps), strict=True):
            level.add(chances, context)
        return chances

    def chance(self, steps: Steps, targets: np.ndarray) -> np.ndarray:
        """``(N,)``: the probability of ``targets (N,)`` alone, which costs ``V`` times less."""
        chance = np.full(len(steps), 1.0 / self.size)
        for level, context in zip(self._levels, self._contexts(steps), strict=True):
            level.add_one(chance, context, targets, self.size)
        return chance

    def _contexts(self, steps: Steps, learn: bool = False) -> list[np.ndarray]:
        """For every rung the number of the context at each place, -1 where it was never seen or reaches too far."""
        words = [np.zeros(len(steps), dtype=np.int64)]
        for back in range(self.memory):
            keys = _join(words[-1], steps.lags[:, back], self.size)
            if learn:
                self._words.append(np.unique(keys[keys >= 0]))
            words.append(find(self._words[back], keys))
        contexts = []
        for back, own in self.rungs:
            context = words[back]
            if own:
                keys = _join(context, steps.classes, self.classes)
                if learn:
                    self._owned[back] = np.unique(keys[keys >= 0])
                context = find(self._owned[back], keys)
            contexts.append(context)
        return contexts


def find(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The place of each of ``keys`` in the sorted ``known``, -1 where it is not there."""
    if not len(known):
        return np.full(len(keys), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, place, -1)


def _join(first: np.ndarray, second: np.ndarray, size: int) -> np.ndarray:
    """A number for each pair, -1 where either is -1."""
    return np.where((first >= 0) & (second >= 0) & (second < size), first * size + second, -1)


def _count(context: np.ndarray, targets: np.ndarray, size: int, longer: np.ndarray | None) -> _Level:
    """The level of one rung from its contexts and those of the next one (None: there is no next one)."""
    rows = np.flatnonzero(context >= 0)
    pairs, pair = np.unique(context[rows] * size + targets[rows], return_inverse=True)
    if longer is None:
        counts = np.bincount(pair, minlength=len(pairs))
    else:
        inside = longer[rows] >= 0
        width = int(longer.max(initial=0)) + 1
        distinct = np.unique(pair[inside] * width + longer[rows][inside]) // width
        counts = np.bincount(distinct, minlength=len(pairs)) + np.bincount(pair[~inside], minlength=len(pairs))
    owner, symbols = pairs // size, pairs % size
    contexts = int(context.max(initial=-1)) + 1
    discount = discounts(counts)[np.minimum(counts, 3)]
    total = np.bincount(owner, counts, minlength=contexts)
    return _Level(
        starts=np.searchsorted(owner, np.arange(contexts + 1)),
        symbols=symbols,
        shares=(counts - discount) / total[owner],
        rest=np.bincount(owner, discount, minlength=contexts) / total,
    )


def discounts(counts: np.ndarray) -> np.ndarray:
    """``(0, D_1, D_2, D_3+)`` by Chen & Goodman's estimate from the counts of counts.

    ``Y = n_1 / (n_1 + 2 n_2)``, ``D_i = i - (i + 1) Y n_{i+1} / n_i``. Where a count of counts is 0 or a discount falls
    outside ``0 < D_i <= i`` (tiny or very regular text), the usual ``1/2, 1, 3/2`` stand instead.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    if (n[1:5] == 0).any():
        return np.array([0.0, 0.5, 1.0, 1.5])
    share = n[1] / (n[1] + 2 * n[2])
    found = np.array([0.0] + [i - (i + 1) * share * n[i + 1] / n[i] for i in (1, 2, 3)])
    usable = bool((found[1:] > 0).all() and (found[1:] <= (1, 2, 3)).all())
    return found if usable else np.array([0.0, 0.5, 1.0, 1.5])
