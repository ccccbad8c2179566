"""Ragged: several sequences of unequal lengths in one tensor, without padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """``B`` sequences laid end to end: sequence ``b`` is ``values[offsets[b] : offsets[b + 1]]``.

    Args:
        values: ``(N, *)``, the steps of all sequences, one sequence after the other.
        lengths: ``(B,)`` int64 on the CPU, ``lengths.sum() == N``; a length may be 0, and ``B`` may be 0.

    Raises:
        ValueError: lengths are negative, not int64 on the CPU, or do not add up to ``N``.
    """

    values: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        if self.lengths.dim() != 1 or self.lengths.dtype != torch.int64 or self.lengths.device.type != "cpu":
            raise ValueError("lengths must be a one-dimensional int64 tensor on the CPU")
        if self.values.dim() == 0:
            raise ValueError("values must have at least one dimension: (N, *)")
        if bool((self.lengths < 0).any()):
            raise ValueError("a length is negative")
        total = int(self.lengths.sum())
        if total != self.values.shape[0]:
            raise ValueError(f"lengths add up to {total}, but values hold {self.values.shape[0]} steps")

    @classmethod
    def from_list(cls, sequences: Sequence[Tensor]) -> Ragged:
        """From tensors ``(T_b, *)``; an empty list gives an empty batch of scalars per step."""
        if not sequences:
            return cls(torch.empty(0), torch.empty(0, dtype=torch.int64))
        lengths = torch.tensor([sequence.shape[0] for sequence in sequences], dtype=torch.int64)
        return cls(torch.cat(list(sequences)), lengths)

    def to_list(self) -> list[Tensor]:
        """The sequences one by one, as views ``(T_b, *)``."""
        return list(torch.split(self.values, self.lengths.tolist()))

    @cached_property
    def offsets(self) -> Tensor:
        """``(B + 1,)``: where each sequence begins, and ``N`` at the end."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), self.lengths.cumsum(0)])

    def __len__(self) -> int:
        return int(self.lengths.shape[0])

    def __getitem__(self, index: int) -> Tensor:
        return self.values[int(self.offsets[index]) : int(self.offsets[index]) + int(self.lengths[index])]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.to_list())

    def take(self, index: Tensor) -> Ragged:
        """The sequences ``index`` ``(K,)`` in that order, copied."""
        lengths = self.lengths[index]
        return Ragged(self.values[steps_of(self.offsets[:-1][index], lengths).to(self.values.device)], lengths)

    def slice(self, start: int, stop: int) -> Ragged:
        """Steps ``start`` to ``stop`` of every sequence; a shorter one gives what it has, maybe nothing."""
        lengths = (self.lengths.clamp(max=stop) - start).clamp(min=0)
        return Ragged(self.values[steps_of(self.offsets[:-1] + start, lengths).to(self.values.device)], lengths)

    def last(self, count: int) -> Ragged:
        """The last ``count`` steps of every sequence (all of a shorter one)."""
        lengths = self.lengths.clamp(max=count)
        return Ragged(self.values[steps_of(self.offsets[1:] - lengths, lengths).to(self.values.device)], lengths)

    def prepend(self, value: float) -> Ragged:
        """Every sequence with a step of ``value`` before it."""
        return self._with(self.offsets[:-1], value)

    def append(self, value: float) -> Ragged:
        """Every sequence with a step of ``value`` after it."""
        return self._with(self.offsets[1:], value)

    def _with(self, before: Tensor, value: float) -> Ragged:
        """``value`` put in before row ``before[b]``, as a step of sequence ``b``."""
        places = (before + torch.arange(len(self))).to(self.values.device)
        values = self.values.new_full((len(self.values) + len(self), *self.values.shape[1:]), value)
        rest = torch.ones(len(values), dtype=torch.bool, device=values.device)
        rest[places] = False
        values[rest] = self.values
        return Ragged(values, self.lengths + 1)

    def map(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """The same lengths with ``function(values)``, which must keep the first dimension."""
        return Ragged(function(self.values), self.lengths)

    def to(self, device: torch.device | str) -> Ragged:
        """The values on ``device``; lengths stay on the CPU."""
        return Ragged(self.values.to(device), self.lengths)


def steps_of(starts: Tensor, lengths: Tensor) -> Tensor:
    """Row numbers ``starts[b], starts[b] + 1, …``, ``lengths[b]`` of them for each ``b``, as one ``(N,)`` index."""
    total = int(lengths.sum())
    ends = lengths.cumsum(0)
    return torch.arange(total) + (starts - (ends - lengths)).repeat_interleave(lengths)
