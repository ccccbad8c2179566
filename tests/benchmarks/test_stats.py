"""Medians, quartiles, quiet rounds and ratios."""

from __future__ import annotations

import pytest
from benchmarks.layers.stats import kept_rounds, ratios, spread


def test_quartiles() -> None:
    found = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert found == (3.0, 2.0, 4.0, 1.0, 5)


def test_one_time() -> None:
    assert spread([2.0]) == (2.0, 2.0, 2.0, 2.0, 1)


@pytest.mark.parametrize(
    ("foreign", "kept"),
    [
        ([0.0, 0.5, 0.01, 0.03, 0.2], [0, 2, 3]),  # three quiet rounds are enough
        ([0.0, 0.5, 0.01, 0.2], [0, 1, 2, 3]),  # two are not
        ([0.9, 0.8], [0, 1]),
    ],
)
def test_rounds_under_foreign_load_are_left_out(foreign: list[float], kept: list[int]) -> None:
    assert kept_rounds(foreign) == kept


def test_ratios_are_of_one_round() -> None:
    """A load that doubles every time of a round leaves the ratio alone."""
    found = ratios([1.0, 2.0, 1.0], [3.0, 6.0, 4.0])
    assert found == (3.0, 3.0, 3.5, 3.0, 3)


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])
