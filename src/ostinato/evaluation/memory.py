"""Memory: how far back a model really looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, Examples
from ostinato.sequences import Ragged
from ostinato.tasks.base import Task

SEQUENCES = 24
"""Test sequences that are sampled."""
PLACES = 6
"""Steps of a sequence whose answers are looked at, where every step has one."""
PROJECTIONS = 8
"""Random directions of the output; with no more numbers than this in an answer every one is taken, which is exact."""
MOST_STEPS = 512
"""Only so many last steps of a sequence are looked at."""


@dataclass(frozen=True)
class MemoryProfile:
    """The influence of the input ``k`` steps back on the answer.

    Args:
        lags: ``(K,)`` int64, in order; negative: steps after the one answered for (a model that also reads backwards).
        influence: ``(K,)``, shares of the whole: they add up to 1 (all 0 where nothing has any influence).
        half: the least distance within which half of the influence lies.
        reach: the least distance within which 95 % of it lies.
        longest: the longest distance that was looked at.
        text: all that in a sentence.
    """

    lags: np.ndarray
    influence: np.ndarray
    half: int
    reach: int
    longest: int
    text: str


def memory_profile(model: nn.Module, task: Task, examples: Examples, *, seed: int = 0) -> MemoryProfile:
    """The size of ``d output(t) / d input(t - k)`` over the lag ``k``.

    ::

        influence(k) = mean over sequences and steps t of || d y(t) / d x(t - k) ||_F,   then divided by its sum over k

    ``x`` are the float inputs of the recurrent stack (``model.embed``), ``y`` the numbers it answers with (logits, not
    probabilities). An answer of up to :data:`PROJECTIONS` numbers is differentiated number by number; of a larger
    one the norm is estimated with that many random signs ``v``: ``||J||_F² = E ||v^T J||²`` (Hutchinson 1990). Looked
    at are :data:`SEQUENCES` sequences (their last :data:`MOST_STEPS` steps) and, where every step has an answer,
    :data:`PLACES` steps of each, spread evenly over its second half (over all of it for a model that reads both ways).
    A model with one answer a sequence, or a forecast, answers at its last step.

    Args:
        model: ``embed(batch)`` and ``forward(batch, embedded=…)``; it is put back into its mode.
        task: says whether answers are a step or a sequence.
        examples: of the test part.
        seed: of the sample and the signs.
    """
    random = np.random.default_rng([seed, 4])
    batch = _sample(examples, random)
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    if batch is not None:
        device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
        with _frozen(model):
            for norms, lags in _norms(model, task, batch.to(device), random):
                for lag, norm in zip(lags.tolist(), norms.tolist(), strict=True):
                    sums[lag] = sums.get(lag, 0.0) + norm
                    counts[lag] = counts.get(lag, 0) + 1
    lags = np.array(sorted(sums) or [0], dtype=np.int64)
    means = np.array([sums[lag] / counts[lag] if lag in sums else 0.0 for lag in lags.tolist()])
    total = means.sum()
    influence = means / total if total > 0 and np.isfinite(total) else np.zeros(len(lags))
    return _profile(lags, influence)


def _profile(lags: np.ndarray, influence: np.ndarray) -> MemoryProfile:
    longest = int(np.abs(lags).max())
    if not influence.sum():
        text = "Nothing in the input has any influence on the answer."
        return MemoryProfile(lags, influence, 0, 0, longest, text)
    distance = np.bincount(np.abs(lags), influence)
    covered = np.cumsum(distance)
    half, reach = (int(np.searchsorted(covered, share * covered[-1] * (1 - 1e-9))) for share in (0.5, 0.95))
    where = "around it" if (lags < 0).any() else "back"
    text = f"Half of what moves an answer lies within {_steps(half)} {where}, 95 % within {_steps(reach)}"
    if longest and reach >= 0.9 * longest:
        text += f" (no more than {_steps(longest)} could be looked at, so it may be more)"
    return MemoryProfile(lags, influence, half, reach, longest, text + ".")


def _steps(count: int) -> str:
    return f"{count:,} step{'s' if count != 1 else ''}"


def _sample(examples: Examples, random: np.random.Generator) -> Batch | None:
    """Some examples that have steps, cut to their last ones; None where there are none."""
    rows = np.flatnonzero(examples.lengths.numpy() > 0)
    if not len(rows):
        return None
    chosen = np.sort(random.permutation(rows)[:SEQUENCES])
    batch = examples.take(torch.from_numpy(chosen))
    if batch.known is not None or int(batch.inputs.lengths.max()) <= MOST_STEPS:
        return batch
    parts = batch.parts
    if parts is not None:
        numbers = Ragged(torch.arange(len(batch.inputs.values)), batch.inputs.lengths)
        parts = parts.take(numbers.last(MOST_STEPS).values)
    return replace(batch, inputs=batch.inputs.last(MOST_STEPS), parts=parts, targets=None)


def _norms(
    model: nn.Module, task: Task, batch: Batch, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For every place looked at: norms of the derivative by each step of each sequence, and their lags."""
    embed = model.embed
    assert callable(embed)
    with torch.no_grad():
        steps: Ragged = embed(batch)
    values = steps.values.detach().requires_grad_()
    # What is written is differentiated at its first symbol: without targets.
    output = model(replace(batch, targets=None), embedded=Ragged(values, steps.lengths))[0]
    lengths = steps.lengths.numpy()
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    per_step = task.spec.outputs == "step"
    both_ways = bool(getattr(getattr(model, "settings", None), "bidirectional", False))
    for at in _places(lengths, per_step, both_ways):
        rows = (np.cumsum(lengths) - lengths + at) if per_step else np.arange(len(lengths))
        answers = output[torch.from_numpy(rows).to(output.device)].flatten(1)
        norms = _jacobian(answers, values, random)
        inside = (at[owner] - place >= 0) | both_ways
        yield norms[inside], (at[owner] - place)[inside]


def _places(lengths: np.ndarray, per_step: bool, both_ways: bool) -> list[np.ndarray]:
    """``(B,)`` each: the steps of all sequences that are looked at together."""
    if not per_step:
        return [lengths - 1]
    first = 0.0 if both_ways else 0.5
    shares = np.linspace(first, 1.0, PLACES)
    return [np.round(share * (lengths - 1)).astype(np.int64) for share in shares]


def _jacobian(answers: Tensor, values: Tensor, random: np.random.Generator) -> np.ndarray:
    """``(N,)``: the norm of the derivative of its sequence's answer ``(B, K)`` by each row of ``values (N, I)``.

    No answer depends on another sequence, so one backward pass gives the derivatives of all sequences.
    """
    size = answers.shape[1]
    exact = size <= PROJECTIONS
    squares = torch.zeros(len(values), device=values.device, dtype=torch.float64)
    for number in range(size if exact else PROJECTIONS):
        if exact:
            signs = torch.zeros_like(answers)
            signs[:, number] = 1.0
        else:
            signs = torch.from_numpy(random.choice([-1.0, 1.0], size=tuple(answers.shape))).to(answers)
        (gradient,) = torch.autograd.grad(answers, values, signs, retain_graph=True, materialize_grads=True)
        squares += gradient.double().square().sum(1)
    norms: np.ndarray = (squares if exact else squares / PROJECTIONS).sqrt().cpu().numpy()
    return norms


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Without dropout, gradients of the weights, or cuDNN, whose layers can be differentiated only in training mode."""
    was_training = model.training
    needed = [weight.requires_grad for weight in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        with torch.backends.cudnn.flags(enabled=False), torch.enable_grad():
            yield
    finally:
        model.train(was_training)
        for weight, need in zip(model.parameters(), needed, strict=True):
            weight.requires_grad_(need)
