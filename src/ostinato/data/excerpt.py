"""excerpt: some steps of some sequences of a batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of


def excerpt(batch: Batch, rows: Tensor, starts: Tensor, lengths: Tensor) -> Batch:
    """The sequences ``rows`` ``(K,)``: of the ``k``-th the ``lengths[k]`` steps from ``starts[k]`` on.

    Targets that have a step each are cut alike; what belongs to a whole sequence stays whole. The cost follows what is
    cut out, not what it is cut from.

    Raises:
        ValueError: a sequence has more or fewer targets than steps.
    """
    steps = step_rows(batch.inputs, rows, starts, lengths)
    device = batch.inputs.values.device
    there, steps_there = rows.to(device), steps.to(device)
    targets = batch.targets
    if isinstance(targets, Ragged):
        if not torch.equal(targets.lengths, batch.inputs.lengths):
            raise ValueError("targets a step must be as many as the inputs of their sequence")
        targets = Ragged(targets.values[steps_there], lengths)
    elif targets is not None:
        targets = targets[there]
    return replace(
        batch,
        inputs=Ragged(batch.inputs.values[steps_there], lengths),
        index=batch.index[rows],
        static=None if batch.static is None else batch.static[there],
        parts=None if batch.parts is None else batch.parts.take(steps),
        targets=targets,
        known=None if batch.known is None else batch.known[there],
    )


def step_rows(inputs: Ragged, rows: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """Where those steps lie in ``inputs.values``: ``(N',)``."""
    return steps_of(inputs.offsets[:-1][rows] + starts, lengths)
