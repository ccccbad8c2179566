"""linear_filter: the best filter of so many last steps; the rival that whatever is not linear must beat."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.tasks.base import target_array
from ostinato.tasks.signal import Signal

TAPS = 64
"""Steps it sees."""
RIDGE = 1e-6
"""Share of the mean energy that is added to the diagonal, so that inputs which hang together can be told apart."""
CHUNK = 1 << 16
"""Steps whose windows are in memory at once."""

State = tuple[Tensor, ...]


class LinearFilter(nn.Module):
    """``y[t] = sum over k < TAPS of W[k] x[t - k] + b``: a filter of finite impulse response.

    Its state is what it saw last.

    Args:
        weight: ``(TAPS * C, K)``, the oldest step first.
        bias: ``(K,)``.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Tensor, State]:
        """``(N, K)``, and the last steps ``(TAPS - 1, B, C)``."""
        inputs, answers, kept = batch.inputs, [], []
        for row, steps in enumerate(inputs.to_list()):
            before = steps.new_zeros(TAPS - 1, steps.shape[1]) if state is None else state[0][:, row]
            seen = torch.cat([before, steps])
            kept.append(seen[len(seen) - (TAPS - 1) :])
            answers += [
                windows(seen[start : start + CHUNK + TAPS - 1]) @ self.weight + self.bias
                for start in range(0, len(steps), CHUNK)
            ]
        empty = inputs.values.new_zeros(0, len(self.bias))
        return torch.cat([empty, *answers]), (torch.stack(kept, dim=1),)


def windows(seen: Tensor) -> Tensor:
    """``(T + TAPS - 1, C)`` as the ``TAPS`` steps that each of ``T`` answers sees: ``(T, TAPS * C)``."""
    return seen.unfold(0, TAPS, 1).transpose(1, 2).flatten(1)


def linear_filter(ground: Ground) -> nn.Module:
    """Fitted by least squares over every step that has a target, each with the steps before it, if any (else zeros).

    Raises:
        UsageError: the task is no signal's.
    """
    task, examples = ground.task, ground.train
    if not isinstance(task, Signal) or not isinstance(examples, SequenceExamples):
        raise UsageError(f"linear_filter is a rival for signals; the task '{task.name}' has none")
    targets = Ragged(torch.from_numpy(target_array(examples)), examples.lengths).to_list()
    width = TAPS * task.spec.input_size + 1
    gram, moment = np.zeros((width, width)), np.zeros((width, task.spec.output_size))
    for steps, wanted in zip(examples.inputs.to_list(), targets, strict=True):
        seen = torch.cat([steps.new_zeros(TAPS - 1, steps.shape[1]), steps])
        for start in range(0, len(steps), CHUNK):
            x = windows(seen[start : start + CHUNK + TAPS - 1]).double().numpy()
            y = wanted[start : start + CHUNK].double().numpy()
            given = ~np.isnan(y).any(1)
            x, y = np.concatenate([x[given], np.ones((int(given.sum()), 1))], axis=1), y[given]
            gram, moment = gram + x.T @ x, moment + x.T @ y
    ridge = RIDGE * float(np.trace(gram)) / width
    solved = torch.from_numpy(np.linalg.solve(gram + ridge * np.eye(width), moment)).float()
    return LinearFilter(solved[:-1], solved[-1])
