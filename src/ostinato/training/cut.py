"""cut: some steps of some sequences of a batch."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.sequences import Ragged
from ostinato.sequences.ragged import steps_of


def cut(batch: Batch, rows: Tensor, starts: Tensor, lengths: Tensor) -> Batch:
    """The sequences ``rows`` ``(K,)``: of the ``k``-th the ``lengths[k]`` steps from ``starts[k]`` on.

    Targets that have a step each are cut alike; what belongs to a whole sequence stays whole.
    """
    steps = step_rows(batch.inputs, rows, starts, lengths)
    there = rows.to(batch.inputs.values.device)
    targets = batch.targets
    if isinstance(targets, Ragged):
        targets = Ragged(targets.values[steps.to(targets.values.device)], lengths)
    elif targets is not None:
        targets = targets[there]
    return replace(
        batch,
        inputs=Ragged(batch.inputs.values[steps.to(batch.inputs.values.device)], lengths),
        index=batch.index[rows],
        static=None if batch.static is None else batch.static[there],
        parts=None if batch.parts is None else batch.parts.take(steps),
        targets=targets,
        known=None if batch.known is None else batch.known[there],
    )


def step_rows(inputs: Ragged, rows: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """Where those steps lie in ``inputs.values``: ``(N',)``."""
    return steps_of(inputs.offsets[:-1][rows] + starts, lengths)
