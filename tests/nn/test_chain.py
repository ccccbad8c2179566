"""Chains of labels against every sequence of labels there is."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.nn import chain
from ostinato.sequences import Ragged

LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def potentials(lengths: list[int], size: int, seed: int, grad: bool = False) -> Ragged:
    generator = torch.Generator().manual_seed(seed)
    values = 2 * torch.randn(sum(lengths), size, size, dtype=torch.float64, generator=generator)
    return Ragged(values.requires_grad_(grad), torch.tensor(lengths))


def score(steps: Tensor, labels: tuple[int, ...]) -> Tensor:
    """The definition, step by step."""
    total = steps.new_zeros(())
    for t, (before, label) in enumerate(pairwise((0, *labels))):
        total = total + steps[t, before, label]
    return total


def every(steps: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
    size = steps.shape[-1]
    return [(labels, score(steps, labels)) for labels in product(range(size), repeat=len(steps))]


def log_z(steps: Tensor) -> Tensor:
    return torch.stack([value for _, value in every(steps)]).logsumexp(0)


@settings(deadline=None, max_examples=30)
@given(LENGTHS, st.integers(1, 3), st.integers(0, 1000))
def test_partition_path_and_marginals(lengths: list[int], size: int, seed: int) -> None:
    ragged = potentials(lengths, size, seed)
    paths, shares = [], []
    for steps in ragged:
        table = every(steps)
        paths += max(table, key=lambda pair: float(pair[1]))[0]
        chance = {labels: float((value - log_z(steps)).exp()) for labels, value in table}
        for t in range(len(steps)):
            shares.append([sum(p for labels, p in chance.items() if labels[t] == k) for k in range(size)])
    torch.testing.assert_close(chain.log_partition(ragged), torch.stack([log_z(steps) for steps in ragged]))
    assert chain.viterbi(ragged).tolist() == paths
    torch.testing.assert_close(chain.marginals(ragged), torch.tensor(shares, dtype=torch.float64).reshape(-1, size))


@settings(deadline=None, max_examples=30)
@given(LENGTHS, st.integers(1, 3), st.integers(0, 1000), st.data())
def test_likelihood_and_its_gradient(lengths: list[int], size: int, seed: int, data: st.DataObject) -> None:
    """Known labels, unknown ones (summed over), and both in one batch."""
    ragged = potentials(lengths, size, seed, grad=True)
    labels = data.draw(st.lists(st.integers(-2, size - 1), min_size=sum(lengths), max_size=sum(lengths)))
    found = chain.log_likelihood(ragged, torch.tensor(labels, dtype=torch.int64))
    wanted, at = [], 0
    for steps in ragged:
        given = labels[at : at + len(steps)]
        at += len(steps)
        fits = [value for path, value in every(steps) if all(g < 0 or g == p for g, p in zip(given, path, strict=True))]
        wanted.append(torch.stack(fits).logsumexp(0) - log_z(steps))
    expected = torch.stack(wanted)
    torch.testing.assert_close(found, expected)
    if sum(lengths):
        mine, theirs = (torch.autograd.grad(one.sum(), ragged.values)[0] for one in (found, expected))
        torch.testing.assert_close(mine, theirs)


def test_gradients_are_those_of_differences() -> None:
    ragged = potentials([3, 1, 0, 5], 3, 0, grad=True)
    labels = torch.tensor([0, 2, 1, 1, 0, -1, 2, 2, 1])
    assert torch.autograd.gradcheck(
        lambda values: chain.log_likelihood(Ragged(values, ragged.lengths), labels), ragged.values
    )


def test_a_sequence_does_not_see_its_batch() -> None:
    ragged = potentials([7, 1, 40, 0, 3], 4, 1)
    alone = [Ragged(steps, torch.tensor([len(steps)])) for steps in ragged]
    for function in (chain.log_partition, chain.viterbi, chain.marginals):
        torch.testing.assert_close(function(ragged), torch.cat([function(one) for one in alone]))


def test_what_never_follows_is_never_answered() -> None:
    ragged = potentials([6, 2], 3, 2)
    ragged.values[:, 1, 2] = chain.NEVER
    path = chain.viterbi(ragged).tolist()
    assert all(pair != (1, 2) for part in (path[:6], path[6:]) for pair in pairwise(part))
    assert chain.marginals(ragged).isfinite().all()


@pytest.mark.parametrize("function", [chain.viterbi, chain.marginals])
def test_nothing_at_all(function) -> None:
    assert len(function(Ragged(torch.empty(0, 3, 3), torch.tensor([0, 0])))) == 0
