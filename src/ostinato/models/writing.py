"""WritingModel: what all models share that write a sequence symbol by symbol, each fed back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.models.stack import State
from ostinato.sequences import Ragged

RAMP = 2000
"""Training batches over which scheduled sampling rises from 0 to its share."""


class Source(NamedTuple):
    """What was read of ``B`` sources, once; ``first`` is the state before the first symbol, ``(L, B, ·)`` each."""

    memory: Tensor
    keys: Tensor
    mask: Tensor
    first: State

    def take(self, rows: Tensor) -> Source:
        """The sources ``rows``."""
        rows = rows.to(self.memory.device)
        memory, keys, mask = (part.index_select(0, rows) for part in (self.memory, self.keys, self.mask))
        return Source(memory, keys, mask, tuple(part.index_select(1, rows) for part in self.first))


class WritingModel(nn.Module):
    """``p(y | x) = prod_t p(y[t] | y[<t], x)``: the source is read once, then every symbol is told from those before.

    A subclass says how it reads, how it runs over known symbols at once, and how it goes on by one.

    Args:
        begin: id fed before the first symbol.
        sampling: share of the symbols read from the model itself in training (Bengio et al. 2015, arXiv 1506.03099),
            rising linearly over the first :data:`RAMP` batches. All steps are guessed at once, from a first pass over
            the target (Mihaylova and Martins 2019, arXiv 1906.07651), so that the recurrence is still called once.
    """

    attends = True

    def __init__(self, begin: int, sampling: float) -> None:
        super().__init__()
        self.begin_id, self.sampling = begin, sampling
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64), persistent=sampling > 0)
        self.seen: Tensor

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs of the source ``(N, I)``."""
        raise NotImplementedError

    def read(self, batch: Batch, embedded: Ragged | None = None) -> Source:
        """Reads the sources of a batch."""
        raise NotImplementedError

    def run(self, inputs: Ragged, source: Source) -> Tensor:
        """Logits ``(N', V)`` after each of the symbols ``inputs`` ``(N',)`` of ``B`` targets."""
        raise NotImplementedError

    def advance(self, ids: Tensor, state: State, source: Source) -> tuple[Tensor, State, Tensor]:
        """Feeds a symbol to each of ``B * W`` targets, ``W`` a source.

        Gives logits ``(B * W, V)``, the state after it, and the shares of the source looked at, ``(B, W, T)``.
        """
        raise NotImplementedError

    def forward(self, batch: Batch, state: State | None = None, embedded: Ragged | None = None) -> tuple[Tensor, State]:
        """Logits ``(N', V)`` of every symbol of the targets given those before it, and no state.

        Without targets: logits ``(B, V)`` of the first symbol.
        """
        del state
        source = self.read(batch, embedded)
        if not isinstance(batch.targets, Ragged):
            begin = torch.full((len(batch),), self.begin_id, device=source.memory.device)
            return self.advance(begin, source.first, source)[0], ()
        inputs = shifted(batch.targets, self.begin_id)
        if self.training and self.sampling:
            inputs = self._mixed(inputs, source)
        return self.run(inputs, source), ()

    def _mixed(self, inputs: Ragged, source: Source) -> Ragged:
        share = self.sampling * min(1.0, int(self.seen) / RAMP)
        self.seen += 1
        if not share:
            return inputs
        with torch.no_grad():
            guessed = self.run(inputs, source).argmax(-1)
        own = shifted(Ragged(guessed, inputs.lengths), self.begin_id).values  # what was said after the symbol before
        mine = torch.rand(len(own), device=own.device) < share
        return inputs.map(lambda values: torch.where(mine, own, values))


def shifted(targets: Ragged, begin: int) -> Ragged:
    """``begin s1 … sn`` of ``s1 … sn end``: what is fed while the target is told."""
    values = torch.cat([targets.values.new_full((1,), begin), targets.values[:-1]])
    starts = targets.offsets[:-1][targets.lengths > 0].to(values.device)
    return Ragged(values.index_fill(0, starts, begin), targets.lengths)


def alive(lengths: Tensor, steps: int) -> Tensor:
    """``(B, steps)`` bool: which steps exist."""
    return torch.arange(steps) < lengths[:, None]
