"""The scoring rules of the Numenta Anomaly Benchmark, against its published constants and a plain walk through them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.tasks.nab import (
    PROFILES,
    Judged,
    Profile,
    best_score,
    normalise,
    probation,
    scaled_sigmoid,
    score_at,
    worth,
)

STANDARD = PROFILES["standard"]


def sigmoid(position: float) -> float:
    return -1.0 if position >= 3 else 2 / (1 + math.exp(5 * position)) - 1


def walked(one: Judged, profile: Profile, threshold: float) -> float:
    """The raw score, point by point and window by window, as the benchmark's paper tells it."""
    alarms = [t for t in range(one.probation, len(one.scores)) if one.scores[t] >= threshold]
    total = 0.0
    for first, last in one.windows:
        inside = [t for t in alarms if first <= t <= last]
        if inside:
            position = -(last - min(inside) + 1) / (last - first + 1)
            total += profile.hit * sigmoid(position) / sigmoid(-1.0)
        else:
            total -= profile.miss
    for t in alarms:
        if any(first <= t <= last for first, last in one.windows):
            continue
        behind = [(first, last) for first, last in one.windows if last < t]
        if behind:
            first, last = behind[-1]
            total += profile.false_alarm * sigmoid((t - last) / max(last - first, 1))
        else:
            total -= profile.false_alarm
    return total


def test_published_constants() -> None:
    """Lavin and Ahmad 2015; the benchmark's own documentation."""
    found = scaled_sigmoid(np.array([-1.0, -0.5, 0.0, 1.0, 3.0, 99.0]))
    assert found == pytest.approx([0.98661, 0.84828, 0.0, -0.98661, -1.0, -1.0], abs=1e-5)
    assert [probation(steps) for steps in (4032, 1127, 22695, 5000, 0)] == [604, 169, 750, 750, 0]


@pytest.mark.parametrize(
    ("profile", "raw", "published"),
    [  # raw scores and results that the benchmark keeps, of 116 windows
        ("standard", 57.66075157860638, 74.9),
        ("standard", 46.634450197137596, 70.1),
        ("standard", 3.98356657241316, 51.7),
        ("reward_low_FP_rate", -27.003008629582606, 38.4),
        ("reward_low_FN_rate", -24.07429862443211, 59.7),
        ("standard", 10.7711775285, 54.6),
        ("reward_low_FP_rate", -5.57182391716, 47.6),
        ("reward_low_FN_rate", -27.2288224715, 58.8),
        ("standard", 19.024516260222065, 58.2),
        ("reward_low_FN_rate", -232.0, 0.0),
        ("standard", 116.0, 100.0),
    ],
)
def test_published_scores_follow_from_published_raw_scores(profile: str, raw: float, published: float) -> None:
    corpus = [Judged(np.zeros(400), [(3 * k, 3 * k + 1) for k in range(116)], 0)]
    assert normalise(raw, corpus, PROFILES[profile]) == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize("profile", PROFILES)
def test_silence_is_0_and_perfection_100(profile: str) -> None:
    windows = [(200, 260), (300, 300), (350, 399)]
    silent = [Judged(np.zeros(400), windows, 60), Judged(np.zeros(50), [], 7)]
    assert score_at(silent, PROFILES[profile], 1.0).normalised == 0.0
    perfect = np.zeros(400)
    perfect[[first for first, _ in windows]] = 1.0
    assert best_score([Judged(perfect, windows, 60)], PROFILES[profile]).normalised == pytest.approx(100.0)


def test_an_alarm_in_probation_counts_for_nothing() -> None:
    scores = np.zeros(100)
    scores[3] = 1.0
    assert score_at([Judged(scores, [(50, 60)], 15)], STANDARD, 1.0).raw == -1.0
    assert score_at([Judged(scores, [(50, 60)], 0)], STANDARD, 1.0).raw == pytest.approx(-1.11)


def test_without_windows_there_is_no_scale() -> None:
    assert math.isnan(best_score([Judged(np.zeros(9), [], 0)], STANDARD).normalised)


@st.composite
def judgements(draw: st.DrawFn) -> Judged:
    length = draw(st.integers(2, 60))
    bounds = sorted(draw(st.sets(st.integers(0, length - 1), max_size=6)))
    windows = list(zip(bounds[::2], bounds[1::2], strict=False))
    scores = draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=length, max_size=length))
    return Judged(np.array(scores), windows, draw(st.integers(0, length // 2)))


@given(st.lists(judgements(), min_size=1, max_size=3), st.sampled_from(sorted(PROFILES)), st.floats(0.0, 1.1))
def test_any_threshold_scores_as_a_walk_through_the_points(corpus: list[Judged], name: str, threshold: float) -> None:
    profile = PROFILES[name]
    wanted = sum(walked(one, profile, threshold) for one in corpus)
    assert score_at(corpus, profile, threshold).raw == pytest.approx(wanted, abs=1e-9)
    every = [2.0, *(float(score) for one in corpus for score in one.scores)]
    best = max(sum(walked(one, profile, one_of) for one in corpus) for one_of in every)
    assert best_score(corpus, profile).raw == pytest.approx(best, abs=1e-9)


def test_what_an_alarm_is_worth() -> None:
    found = worth(40, [(10, 19)], STANDARD)
    assert found[:10] == pytest.approx(-0.11)
    assert found[10] == pytest.approx(1.0)
    assert found[20] == pytest.approx(0.11 * sigmoid(1 / 9))
    assert (np.diff(found[10:20]) < 0).all()


@pytest.mark.parametrize("windows", [[(5, 3)], [(0, 4), (3, 6)], [(8, 10)], [(-1, 2)], [(1, 2), (1, 2)]], ids=str)
def test_windows_that_cannot_be(windows: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="window"):
        Judged(np.zeros(10), windows, 0)


def test_a_score_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Judged(np.array([0.0, np.nan]), [], 0)
