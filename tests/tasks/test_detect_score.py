from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ostinato.tasks.detect_score import Judge, Scorer, Views, ranked, scored
from ostinato.tasks.detect_tail import FEWEST, MOST, PRIOR, WINDOW, Tail, prior


def test_the_prior_is_students_distribution() -> None:
    chance = (np.arange(PRIOR) + 0.5) / PRIOR
    assert prior() == pytest.approx(scipy.stats.t(4).ppf(0.5 + chance / 2))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=FEWEST), st.floats(0, 1e6))
def test_the_body_is_ranked_as_in_conformal_prediction(past: list[float], error: float) -> None:
    wanted = (1 + sum(one >= error for one in past)) / (len(past) + 1)
    assert Tail(past).step(error) == pytest.approx(-math.log10(wanted))


@pytest.mark.parametrize(
    "law", [scipy.stats.halfnorm(), scipy.stats.expon(scale=1e5), scipy.stats.pareto(4, loc=-1)], ids=["n", "e", "p"]
)
def test_scores_are_calibrated(law: scipy.stats.rv_continuous) -> None:
    """Of independent errors, a share of 10^-s has a score above s, whatever their distribution."""
    errors = law.rvs(size=20_000, random_state=1)
    tail = Tail()
    scores = np.array([tail.step(float(error)) for error in errors])[1000:]
    for level in (0.5, 1.0, 2.0, 3.0):
        wanted = 10.0**-level
        noise = 4 * math.sqrt(wanted / len(scores))
        assert (scores >= level).mean() == pytest.approx(wanted, abs=noise + 0.25 * wanted)


def test_far_beyond_the_past_is_ever_stranger_and_never_infinite() -> None:
    base = np.random.default_rng(0).exponential(size=2000).tolist()
    found = [Tail(base).step(error) for error in (5.0, 10.0, 20.0, 1e3, 1e300)]
    assert found == sorted(found)
    assert found[-1] <= MOST
    assert len(set(found[:4])) == 4
    law = scipy.stats.expon()
    assert found[1] == pytest.approx(-law.logsf(10.0) / math.log(10), rel=0.25)


def test_equal_errors_are_ordinary_and_the_first_other_one_is_not() -> None:
    tail = Tail()
    assert all(tail.step(0.0) == 0.0 for _ in range(500))
    assert tail.step(1e-3) > 3


def test_a_missing_error_is_not_remembered() -> None:
    tail = Tail()
    assert math.isnan(tail.step(math.nan))
    assert len(tail.past) == tail.seen == 0


def test_only_the_last_errors_are_remembered() -> None:
    tail = Tail()
    for error in range(WINDOW + 50):
        tail.step(float(error))
    assert tail.past == [float(error) for error in range(50, WINDOW + 50)]


def test_no_score_depends_on_what_comes_later() -> None:
    random = np.random.default_rng(2)
    errors, values = np.abs(random.normal(size=(300, 2))), random.normal(size=(300, 2))
    whole, part = scored(errors, values, 20), scored(errors[:170], values[:170], 20)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[:170], other)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]), max_size=40), st.integers(0, 8))
def test_fresh_is_above_all_of_the_quiet_steps(scores: list[float], quiet: int) -> None:
    judge = Judge(quiet)
    for place, score in enumerate(scores):
        before = [one for one in scores[max(0, place - quiet) : place] if not math.isnan(one)]
        assert judge.step(score)[1] == (not math.isnan(score) and all(score > one for one in before))


def test_views_see_a_shock_a_disturbance_and_a_level() -> None:
    random = np.random.default_rng(0)
    calm = np.abs(random.normal(size=600)).tolist()

    def after(errors: list[float], values: list[float]) -> float:
        views = Views()
        for error in calm:
            views.step(error, float(random.normal()))
        return [views.step(*pair) for pair in zip(errors, values, strict=True)][-1]

    ordinary = after([0.5], [0.1])
    assert after([8.0], [0.1]) > ordinary + 3
    assert after([2.5] * 8, [0.1] * 8) > ordinary + 2
    assert after([0.5], [9.0]) > ordinary + 2


def test_the_strangest_channel_is_named_and_a_missing_one_passed_over() -> None:
    scorer = Scorer(3, 10)
    for _ in range(50):
        scorer.step([0.1, 0.1, 0.1], [0.0, 0.0, 0.0])
    assert scorer.step([0.1, 9.0, math.nan], [0.0, 9.0, math.nan]).channel == 1
    gone = scorer.step([math.nan] * 3, [math.nan] * 3)
    assert math.isnan(gone.score)
    assert math.isnan(gone.chance)
    assert not gone.fresh


def test_nothing_scores_nothing() -> None:
    assert [len(column) for column in scored(np.empty((0, 1)), np.empty((0, 1)), 5)] == [0] * 4
    assert ranked(np.array([1.0, math.nan, 2.0]), 5).fresh.tolist() == [True, False, True]
