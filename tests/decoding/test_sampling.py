"""Filters and draws against numbers worked out by hand and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ostinato.decoding import Sampling
from ostinato.decoding.sampling import draw, top_k, top_p
from ostinato.errors import UsageError

LOGITS = torch.tensor([[0.2, 0.5, 0.3]]).log()
ROWS = st.lists(st.lists(st.floats(0.001, 1.0), min_size=4, max_size=4), min_size=1, max_size=3)


def distribution(rows: list[list[float]]) -> Tensor:
    weights = torch.tensor(rows, dtype=torch.float64)
    return weights / weights.sum(dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.2, 0.5, 0.3]),
        # A temperature of 1/2 squares: 0.04, 0.25, 0.09 of 0.38.
        (Sampling(temperature=0.5), [4 / 38, 25 / 38, 9 / 38]),
        (Sampling(temperature=0.0), [0, 1, 0]),
        (Sampling(temperature=1e-9), [0, 1, 0]),
        (Sampling(temperature=1e300), [1 / 3, 1 / 3, 1 / 3]),
        (Sampling(top_k=2), [0, 5 / 8, 3 / 8]),
        (Sampling(top_k=1), [0, 1, 0]),
        (Sampling(top_k=99), [0.2, 0.5, 0.3]),
        (Sampling(top_p=0.5), [0, 1, 0]),
        (Sampling(top_p=0.51), [0, 5 / 8, 3 / 8]),
        (Sampling(top_p=0.8), [0, 5 / 8, 3 / 8]),
        (Sampling(top_p=0.81), [0.2, 0.5, 0.3]),
        (Sampling(top_p=1e-300), [0, 1, 0]),
        # Top-p looks at what top-k left: 5/8 alone reaches 0.6.
        (Sampling(top_k=2, top_p=0.6), [0, 1, 0]),
        # And at what the temperature made: 25/38 alone reaches 0.65.
        (Sampling(temperature=0.5, top_p=0.65), [0, 1, 0]),
        (Sampling(temperature=0.0, top_k=2, top_p=0.9), [0, 1, 0]),
    ],
)
def test_filters_by_hand(sampling: Sampling, expected: list[float]) -> None:
    found = sampling.probabilities(LOGITS)
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64), atol=1e-7, rtol=0)


def test_banned_symbols_have_no_share() -> None:
    found = Sampling().probabilities(LOGITS, banned={1})
    torch.testing.assert_close(found, torch.tensor([[0.4, 0.0, 0.6]], dtype=torch.float64), atol=1e-7, rtol=0)
    assert Sampling(temperature=0).probabilities(LOGITS, banned=(1,)).tolist() == [[0, 0, 1]]
    assert Sampling(top_k=2).probabilities(LOGITS, banned=(1,))[0, 1] == 0


def test_of_equal_ones_the_first_stay() -> None:
    even = torch.full((1, 4), 0.25)
    assert top_k(even, 2).tolist() == [[0.5, 0.5, 0, 0]]
    assert top_p(even, 0.5).tolist() == [[0.5, 0.5, 0, 0]]
    assert Sampling(temperature=0).probabilities(even).tolist() == [[1, 0, 0, 0]]


@given(ROWS, st.integers(1, 5))
def test_top_k_by_definition(rows: list[list[float]], k: int) -> None:
    before = distribution(rows)
    after = top_k(before, k)
    for old, new in zip(before.tolist(), after.tolist(), strict=True):
        kept = [place for place, share in enumerate(new) if share > 0]
        assert len(kept) == min(k, 4)
        assert min(old[place] for place in kept) >= max([old[p] for p in range(4) if p not in kept], default=0)
        assert new == pytest.approx([share / sum(old[p] for p in kept) * (p in kept) for p, share in enumerate(old)])


@given(ROWS, st.floats(0.01, 0.99))
def test_top_p_by_definition(rows: list[list[float]], p: float) -> None:
    before = distribution(rows)
    after = top_p(before, p)
    for old, new in zip(before.tolist(), after.tolist(), strict=True):
        kept = [old[place] for place, share in enumerate(new) if share > 0]
        assert sum(kept) >= p - 1e-9
        assert sum(kept) - min(kept) < p
        assert min(kept) >= max([old[place] for place, share in enumerate(new) if share == 0], default=0)
        assert sum(new) == pytest.approx(1)


def test_draw_takes_each_symbol_as_often_as_it_should() -> None:
    shares = torch.tensor([[0.0, 0.2, 0.0, 0.5, 0.3, 0.0]], dtype=torch.float64)
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    found = draw(shares.expand(1000, -1).contiguous(), uniforms)
    assert found.bincount(minlength=6).tolist() == [0, 200, 0, 500, 300, 0]


@given(ROWS, st.lists(st.booleans(), min_size=4, max_size=4), st.sampled_from([0.0, 0.3, 1 - 2**-53]))
def test_draw_never_takes_the_impossible(rows: list[list[float]], possible: list[bool], uniform: float) -> None:
    mask = torch.tensor(possible) if any(possible) else torch.tensor([True, False, False, False])
    shares = distribution(rows) * mask
    found = draw(shares / shares.sum(1, keepdim=True), torch.full((len(rows),), uniform, dtype=torch.float64))
    assert all(mask[number] for number in found)


def test_rows_do_not_meddle() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    sampling = Sampling(temperature=0.7, top_k=4, top_p=0.8)
    together = sampling.probabilities(logits)
    for row in range(5):
        torch.testing.assert_close(together[row : row + 1], sampling.probabilities(logits[row : row + 1]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -0.1}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"temperature": float("inf")}, "temperature must be 0"),
        ({"top_k": -1}, "top-k must be 0"),
        ({"top_p": 0.0}, "top-p must be above 0"),
        ({"top_p": 1.1}, "top-p must be above 0"),
        ({"top_p": float("nan")}, "top-p must be above 0"),
    ],
)
def test_wrong_values(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampling(**values)


def test_probabilities_are_those_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 6)) * 50
    expected = np.exp(logits - logits.max(1, keepdims=True))
    found = Sampling().probabilities(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-12)
