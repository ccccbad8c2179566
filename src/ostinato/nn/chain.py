"""A chain of labels (a linear-chain CRF): likelihood, best path and marginals, from potentials.

Potentials are a Ragged ``(N, K, K)``: ``s[t, i, j]`` is the score of label ``j`` at step ``t`` after label ``i`` at the
step before. At the first step of a sequence there is no step before, and row ``i = 0`` alone is read. The score of
labels ``y`` is the sum over a sequence's steps, and ``p(y) = exp(score(y)) / Z``, ``Z`` the sum over all.

Source: Lafferty, McCallum and Pereira 2001; Rabiner 1989 for the recursions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.sequences import Ragged, from_padded, to_padded

NEVER = -1e30
"""The score of what cannot be: finite, so that no gradient is NaN, and far below any sum of scores."""


def log_partition(potentials: Ragged) -> Tensor:
    """``(B,)``: ``ln Z`` of every sequence by the forward algorithm; 0 for a sequence without steps.

    ``a[0, j] = s[0, 0, j]``, ``a[t, j] = ln sum_i exp(a[t-1, i] + s[t, i, j])``, ``ln Z = ln sum_j exp a[T-1, j]``.
    """
    if not len(potentials.values):
        return potentials.values.new_zeros(len(potentials))
    padded, alive = _padded(potentials)
    ahead = padded[0, :, 0]
    for step in range(1, len(padded)):
        ahead = torch.where(alive[step], (ahead.unsqueeze(2) + padded[step]).logsumexp(1), ahead)
    return torch.where(alive[0, :, 0], ahead.logsumexp(1), 0.0)


def log_likelihood(potentials: Ragged, labels: Tensor) -> Tensor:
    """``(B,)``: ``ln p(labels)`` of every sequence.

    Args:
        potentials: ``(N, K, K)``.
        labels: ``(N,)``; a negative one is not known, and all labels are summed over there.
    """
    if bool((labels >= 0).all()):
        return _score(potentials, labels) - log_partition(potentials)
    size = potentials.values.shape[-1]
    other = (labels[:, None] >= 0) & (labels[:, None] != torch.arange(size, device=labels.device))
    allowed = potentials.map(lambda values: values.masked_fill(other[:, None, :], NEVER))
    return log_partition(allowed) - log_partition(potentials)


def viterbi(potentials: Ragged) -> Tensor:
    """``(N,)`` int64: the labels of highest score (of equals the lowest numbers), sequences end to end."""
    if not len(potentials.values):
        return torch.empty(0, dtype=torch.int64, device=potentials.values.device)
    padded, alive = _padded(potentials)
    best, came = padded[0, :, 0], []
    for step in range(1, len(padded)):
        found, origin = (best.unsqueeze(2) + padded[step]).max(1)
        best = torch.where(alive[step], found, best)
        came.append(origin)
    label = best.argmax(1)
    path = [label]
    for step in range(len(padded) - 1, 0, -1):
        before = came[step - 1].gather(1, label.unsqueeze(1)).squeeze(1)
        label = torch.where(alive[step, :, 0], before, label)
        path.append(label)
    return from_padded(torch.stack(path[::-1]), potentials.lengths).values


def marginals(potentials: Ragged) -> Tensor:
    """``(N, K)``: the probability of each label at each step, by the forward-backward algorithm.

    ``p(y_t = j) = exp(a[t, j] + b[t, j]) / Z`` with ``b[T-1, j] = 0``,
    ``b[t, i] = ln sum_j exp(s[t+1, i, j] + b[t+1, j])``.
    """
    if not len(potentials.values):
        return potentials.values.new_empty(0, potentials.values.shape[-1])
    padded, alive = _padded(potentials)
    forward, backward = [padded[0, :, 0]], [torch.zeros_like(padded[0, :, 0])]
    for step in range(1, len(padded)):
        ahead = (forward[-1].unsqueeze(2) + padded[step]).logsumexp(1)
        forward.append(torch.where(alive[step], ahead, forward[-1]))
    for step in range(len(padded) - 1, 0, -1):
        behind = (padded[step] + backward[-1].unsqueeze(1)).logsumexp(2)
        backward.append(torch.where(alive[step], behind, backward[-1]))
    both = torch.stack(forward) + torch.stack(backward[::-1])
    return from_padded(both.softmax(-1), potentials.lengths).values


def _padded(potentials: Ragged) -> tuple[Tensor, Tensor]:
    """``(T, B, K, K)`` padded with zeros, and ``(T, B, 1)``: whether a sequence has that step."""
    padded = to_padded(potentials)
    alive = torch.arange(len(padded))[:, None] < potentials.lengths
    return padded, alive.unsqueeze(2).to(padded.device)


def _score(potentials: Ragged, labels: Tensor) -> Tensor:
    """``(B,)``: the score of ``labels (N,)``."""
    before = labels.roll(1)
    before[potentials.offsets[:-1][potentials.lengths > 0].to(labels.device)] = 0
    steps = torch.arange(len(labels), device=labels.device)
    scores = potentials.values[steps, before, labels]
    owner = torch.arange(len(potentials)).repeat_interleave(potentials.lengths).to(scores.device)
    return scores.new_zeros(len(potentials)).index_add(0, owner, scores)
