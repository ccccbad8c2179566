"""Random batches and specs for the tests of models."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.sequences import Ragged

LENGTHS = [3, 0, 7, 1, 5]


def make_batch(spec: Spec, lengths: list[int] | None = None, seed: int = 0) -> Batch:
    """A batch that fits the spec; some tokens repeat and some have no characters."""
    random = torch.Generator().manual_seed(seed)
    steps = torch.tensor(LENGTHS if lengths is None else lengths, dtype=torch.int64)
    total = int(steps.sum())
    if spec.inputs == "ids":
        values = torch.randint(0, spec.input_size, (total,), generator=random)
    else:
        values = torch.randn(total, spec.input_size, generator=random)
    parts = None
    if spec.parts_size:
        sizes = torch.randint(0, 4, (total,), generator=random)
        parts = Ragged(torch.randint(0, spec.parts_size, (int(sizes.sum()),), generator=random), sizes)
    static = torch.randn(len(steps), spec.static_size, generator=random) if spec.static_size else None
    return Batch(Ragged(values, steps), torch.arange(len(steps)), static=static, parts=parts)


def rows(batch: Batch, index: list[int]) -> Batch:
    """Some sequences of a batch, as a batch."""
    chosen = torch.tensor(index)
    parts = None
    if batch.parts is not None:
        numbers = Ragged(torch.arange(len(batch.inputs.values)), batch.inputs.lengths)
        parts = batch.parts.take(numbers.take(chosen).values)
    static = None if batch.static is None else batch.static[chosen]
    return Batch(batch.inputs.take(chosen), batch.index[chosen], static=static, parts=parts)


def cut(batch: Batch, start: int, stop: int) -> Batch:
    """Some steps of every sequence of a batch, as a batch."""
    parts = None
    if batch.parts is not None:
        numbers = Ragged(torch.arange(len(batch.inputs.values)), batch.inputs.lengths)
        parts = batch.parts.take(numbers.slice(start, stop).values)
    return Batch(batch.inputs.slice(start, stop), batch.index, static=batch.static, parts=parts)


def answers(spec: Spec, batch: Batch, output: Tensor) -> list[Tensor]:
    """A model's output, sequence by sequence."""
    return list(output.split(batch.inputs.lengths.tolist() if spec.outputs == "step" else 1))
