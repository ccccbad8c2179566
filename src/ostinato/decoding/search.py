"""Search: the likeliest sequences that a model writes for many sources at once, by beams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.errors import UsageError
from ostinato.models.stack import State
from ostinato.models.writing import Source, WritingModel

NOTHING = -1
"""Where a sequence has ended."""
LEAST = 1e-9
"""A step of the source that was never looked at counts as this much, or its logarithm were infinite."""


class Found(NamedTuple):
    """The ``n`` best of each of ``B`` sources, best first.

    ``ids (B, n, L)`` int64 without the end, :data:`NOTHING` after it; ``places (B, n, L)``, the step of the source that
    each symbol looked at most (:data:`NOTHING` where the model does not look); ``scores (B, n)``, minus infinity where
    there are fewer.
    """

    ids: Tensor
    places: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Search:
    """Keeps the ``width`` likeliest beginnings of every source at each step; all sources step together.

    A sequence that ended is compared by (Wu et al. 2016, arXiv 1609.08144, section 7, without their constant 5)::

        score = log P / n ** alpha + coverage * sum_t log(min(sum_j a[j, t], 1))

    ``n`` counts the symbols and the end, ``a[j, t]`` is what symbol ``j`` saw of step ``t`` of the source. A source is
    done when ``width`` sequences have ended, or as many as are wanted and no beginning is as good.

    Args:
        end: id of the end.
        limit: most symbols, the end being one.
        width: of the beam; 1 is greedy.
        alpha: how far length is weighed out.
        coverage: how much it matters that every step of the source was looked at.
        banned: ids that never come; the others add up to 1 without them.
        count: sequences wanted for each source.
        exact: whether the search goes on until nothing can overtake, however long (without ``coverage``).

    Raises:
        UsageError: a number is out of its range.
    """

    end: int
    limit: int
    width: int = 5
    alpha: float = 1.0
    coverage: float = 0.0
    banned: tuple[int, ...] = ()
    count: int = 1
    exact: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or self.limit < 1 or not 1 <= self.count <= self.width:
            raise UsageError(
                f"a beam needs a width and a length of at least 1, and no more answers than its width: {self.width}, "
                f"{self.limit}, {self.count}"
            )
        if not (0.0 <= self.alpha < float("inf") and 0.0 <= self.coverage < float("inf")):
            raise UsageError(f"length and coverage weigh 0 or more, not {self.alpha} and {self.coverage}")

    def run(self, model: WritingModel, batch: Batch) -> Found:
        """Searches without gradient; the model must be in evaluation mode. No answer depends on the batch around it."""
        source = model.read(batch)
        size, device = len(batch), source.memory.device
        shape = (size, self.width, self.limit)
        nothing = torch.full(shape, NOTHING, device=device)
        done = Found(nothing, nothing.clone(), source.memory.new_full((size, self.width), -torch.inf))
        live = _Live(
            rows=torch.arange(size, device=device),
            source=source,
            state=source.first,
            last=torch.full((size, 1), model.begin_id, device=device),
            totals=source.memory.new_zeros(size, 1),
            told=torch.full((2, size, 1, self.limit), NOTHING, device=device),
            seen=source.memory.new_zeros(size, 1, source.mask.shape[1]),
        )
        for step in range(self.limit):
            live, ended = self._step(model, live, step)
            _keep(done, live.rows, ended)
            open_ = ~self._settled(done, live, step)
            if not bool(open_.any()):
                break
            live = live if bool(open_.all()) else live.take(open_.nonzero()[:, 0])
        return Found(*(part[:, : self.count] for part in done))

    def _step(self, model: WritingModel, live: _Live, step: int) -> tuple[_Live, Found]:
        """All beginnings one symbol longer, and those that ended here."""
        size, beams = live.totals.shape
        logits, state, shares = model.advance(live.last.flatten(), live.state, live.source)
        if self.banned:
            logits[:, list(self.banned)] = -torch.inf
        chances = logits.log_softmax(-1)
        following = (live.totals[..., None] + chances.view(size, beams, -1)).flatten(1)
        # Twice as many as are kept: of each beginning one may be its end.
        best, where = following.topk(min(2 * self.width, following.shape[1]))
        row, symbol = where // chances.shape[-1], where % chances.shape[-1]
        seen = live.seen + shares
        look = shares.argmax(-1) if model.attends else torch.full_like(live.last, NOTHING)
        ends = symbol == self.end
        accepted = ends & (torch.arange(best.shape[1], device=best.device) < self.width) & (best > -torch.inf)
        last = step + 1 == self.limit
        told = live.told.gather(2, row[None, ..., None].expand(2, -1, -1, self.limit))
        if last:  # what has not ended is cut
            accepted = accepted | (~ends & (best > -torch.inf))
        told[0, ..., step] = torch.where(ends, NOTHING, symbol)
        told[1, ..., step] = torch.where(ends, NOTHING, look.gather(1, row))
        scores = torch.where(accepted, self._score(best, step + 1, live, seen, row), -torch.inf)
        ended = Found(told[0], told[1], scores)
        kept = torch.where(ends, -torch.inf, best).topk(min(self.width, best.shape[1])).indices
        row, symbol = row.gather(1, kept), symbol.gather(1, kept)
        flat = (row + torch.arange(size, device=row.device)[:, None] * beams).flatten()
        pick = kept[None, ..., None].expand(2, -1, -1, self.limit)
        return live._replace(
            state=tuple(part.index_select(1, flat) for part in state),
            last=symbol,
            totals=torch.where(ends, -torch.inf, best).gather(1, kept),
            told=told.gather(2, pick),
            seen=seen.gather(1, row[..., None].expand(-1, -1, seen.shape[2])),
        ), ended

    def _score(self, totals: Tensor, length: int, live: _Live, seen: Tensor, row: Tensor) -> Tensor:
        scores = totals / float(length**self.alpha)
        if not self.coverage:
            return scores
        logs = seen.clamp(LEAST, 1.0).log().masked_fill(~live.source.mask[:, None], 0.0).sum(-1)
        return scores + self.coverage * logs.gather(1, row)

    def _settled(self, done: Found, live: _Live, step: int) -> Tensor:
        """``(B',)``: whether a source needs no further step."""
        scores = done.scores[live.rows]
        best = live.totals[:, 0]
        if self.exact:  # if all further symbols were certain and there were as many as may be
            bound = best / float(self.limit**self.alpha)
            return (scores[:, self.count - 1] >= bound) | (best == -torch.inf)
        bound = best / float((step + 2) ** self.alpha)
        enough = scores[:, self.count - 1] >= bound
        return (scores[:, -1] > -torch.inf) | enough | (best == -torch.inf)


class _Live(NamedTuple):
    """What goes on: ``B'`` sources of number ``rows``, ``W`` beginnings each."""

    rows: Tensor
    source: Source
    state: State
    last: Tensor
    totals: Tensor
    told: Tensor
    seen: Tensor

    def take(self, kept: Tensor) -> _Live:
        """The sources ``kept``."""
        beams = self.totals.shape[1]
        flat = (kept[:, None] * beams + torch.arange(beams, device=kept.device)).flatten()
        return _Live(
            rows=self.rows[kept],
            source=self.source.take(kept),
            state=tuple(part.index_select(1, flat) for part in self.state),
            last=self.last[kept],
            totals=self.totals[kept],
            told=self.told[:, kept],
            seen=self.seen[kept],
        )


def _keep(done: Found, rows: Tensor, ended: Found) -> None:
    """The best of what ended before and what ended now, in place."""
    width = done.scores.shape[1]
    scores, order = torch.cat([done.scores[rows], ended.scores], dim=1).topk(width)
    for old, new in ((done.ids, ended.ids), (done.places, ended.places)):
        both = torch.cat([old[rows], new], dim=1)
        old[rows] = both.gather(1, order[..., None].expand(-1, -1, both.shape[2]))
    done.scores[rows] = scores


def write(model: WritingModel, batch: Batch, search: Search) -> Found:
    """:meth:`Search.run` in evaluation mode and without gradient; the mode of the model is kept."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return search.run(model, batch)
    finally:
        model.train(training)
