"""Numbers are told in one way by a terminal, a report and the page of results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import results
from ostinato.evaluation.words import METRICS, amount
from ostinato.training.words import HIGHER, PERCENT, number


@pytest.mark.parametrize("key", sorted(METRICS))
def test_what_is_told_in_per_cent(key: str) -> None:
    told = (number(key, 0.25), amount(key, 0.25), results._shown(key, 0.25))
    shares = [text.endswith(" %") for text in told]
    assert shares == [key in PERCENT] * 3
    if key in PERCENT:
        assert told == ("25.0 %", "25.0 %", "25.00 %")


def test_every_metric_of_these_lists_has_a_name() -> None:
    assert sorted((PERCENT | HIGHER) - METRICS.keys()) == []


@pytest.mark.parametrize(("measure", "best"), [("bleu", "b"), ("f1", "b"), ("accuracy", "b"), ("wer", "a")])
def test_the_best_baseline(measure: str, best: str) -> None:
    one = next(iter(results.RESULTS))
    chosen = results._best(replace(one, measure=measure), {"a": {measure: 0.1}, "b": {measure: 0.2}})
    assert chosen == best
