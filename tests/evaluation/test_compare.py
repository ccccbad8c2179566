"""Verdicts say what the scores allow, and intervals hold against known standard errors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import lfilter

from ostinato.evaluation import interval
from ostinato.evaluation.compare import compare
from ostinato.evaluation.interval import dependent_interval, paired_interval, widen
from ostinato.evaluation.seeds import spread
from ostinato.evaluation.words import amount, metric_name, number
from ostinato.tasks.dependence import Dependence


def accuracy_task() -> object:
    """Outputs ``{"right": (n,)}``; accuracy is their mean."""
    return SimpleNamespace(
        watch="accuracy",
        higher_is_better=True,
        scores=lambda outputs, examples: outputs["right"].astype(float),
        dependence=lambda examples: (),
        metrics=lambda outputs, examples: {"accuracy": float(outputs["right"].mean())},
    )


def error_task(root: bool) -> object:
    """Outputs ``{"error": (n,)}``; the metric is the (root of the) mean of their squares."""
    follow = np.sqrt if root else (lambda value: value)
    watch = "rmse" if root else "mse"
    return SimpleNamespace(
        watch=watch,
        higher_is_better=False,
        scores=lambda outputs, examples: outputs["error"] ** 2,
        dependence=lambda examples: (),
        metrics=lambda outputs, examples: {watch: float(follow((outputs["error"] ** 2).mean()))},
    )


def right(share: float, count: int = 1000, shift: int = 0) -> dict[str, np.ndarray]:
    return {"right": np.roll(np.arange(count) < share * count, shift)}


def test_a_clear_winner_beats_and_its_memory_helps() -> None:
    rivals = {"majority": right(0.4), "feed_forward": right(0.7), "ngram_logistic": right(0.8)}
    verdict = compare(accuracy_task(), right(0.9), rivals, None, name="the LSTM")  # type: ignore[arg-type]
    assert verdict.beaten
    assert verdict.best == "ngram_logistic"
    assert verdict.difference == pytest.approx(0.1)
    low, high = verdict.interval
    assert 0.08 < low < 0.1 < high < 0.12
    assert verdict.text.startswith(
        "The LSTM beats every baseline, the best of them being n-gram logistic regression: "
        "accuracy 90.0 % against 80.0 % (10.0 points better, 95 % interval "
    )
    assert "Its memory helps" in verdict.text
    assert [duel.outcome for duel in verdict.duels] == ["beats"] * 3


def test_a_loser_is_told_what_to_use_instead() -> None:
    verdict = compare(accuracy_task(), right(0.6), {"feed_forward": right(0.8)}, None, name="the GRU")  # type: ignore[arg-type]
    assert verdict.outcome == "does not beat"
    assert not verdict.beaten
    assert verdict.interval[1] < 0
    assert "The GRU does not beat the feed-forward network" in verdict.text
    assert "20.0 points worse, 95 % interval" in verdict.text
    assert "Use the feed-forward network instead" in verdict.text
    assert "Its memory does not help" in verdict.text


def test_a_tie_is_no_victory() -> None:
    verdict = compare(
        accuracy_task(), right(0.81, shift=500), {"majority": right(0.8), "feed_forward": right(0.79)}, None
    )  # type: ignore[arg-type]
    assert verdict.outcome == "cannot be told apart from"
    low, high = verdict.interval
    assert low < 0 < high
    assert "cannot be told apart from always answering the most frequent label" in verdict.text
    assert "No use of its memory can be shown" in verdict.text


def test_memory_is_not_praised_where_another_baseline_does_as_well() -> None:
    rivals = {"feed_forward": right(0.6), "ngram_logistic": right(0.81, shift=500)}
    verdict = compare(accuracy_task(), right(0.8), rivals, None, name="the GRU")  # type: ignore[arg-type]
    assert verdict.outcome == "cannot be told apart from"
    assert "Its memory helps" not in verdict.text
    assert "It is better than a network that sees the last steps but remembers nothing (60.0 %; " in verdict.text
    assert verdict.text.endswith(
        "; but where n-gram logistic regression does as well or better, that is no proof of a memory."
    )


def test_the_same_answers_make_no_difference() -> None:
    verdict = compare(accuracy_task(), right(0.5), {"majority": right(0.5)}, None)  # type: ignore[arg-type]
    assert verdict.outcome == "cannot be told apart from"
    assert "no difference" in verdict.text


@pytest.mark.parametrize("root", [False, True])
def test_less_is_better_for_errors_and_a_root_is_followed(root: bool) -> None:
    random = np.random.default_rng(0)
    base = random.normal(0, 1, 500)
    verdict = compare(error_task(root), {"error": 0.5 * base}, {"mean": {"error": base}}, None)  # type: ignore[arg-type]
    scale = np.sqrt((base**2).mean()) if root else (base**2).mean()
    assert verdict.difference == pytest.approx((0.5 if root else 0.75) * scale)
    assert verdict.beaten
    assert "better" in verdict.text


def test_a_metric_that_scores_do_not_follow_is_told_as_a_mean_over_examples() -> None:
    task = accuracy_task()
    task.metrics = lambda outputs, examples: {"accuracy": 0.5 * float(outputs["right"].mean())}  # type: ignore[attr-defined]
    verdict = compare(task, right(0.9), {"majority": right(0.5)}, None)  # type: ignore[arg-type]
    assert verdict.duels[0].averaged
    assert "in the mean over test examples" in verdict.text


def test_few_examples_and_no_baselines_promise_nothing() -> None:
    one = {"right": np.array([True])}
    verdict = compare(accuracy_task(), one, {"majority": {"right": np.array([False])}}, None)  # type: ignore[arg-type]
    assert verdict.outcome == "cannot be told apart from"
    assert "too few test examples" in verdict.text
    alone = compare(accuracy_task(), right(0.9), {}, None)  # type: ignore[arg-type]
    assert not alone.beaten
    assert "no baseline" in alone.text


def test_a_metric_without_a_value_compares_nothing() -> None:
    """As the MASE of series that never move: the errors are divided by 0."""
    task = error_task(False)
    task.metrics = lambda outputs, examples: {"mse": float("nan")}  # type: ignore[attr-defined]
    same = {"error": np.zeros(50)}
    verdict = compare(task, same, {"repeat_last": same, "feed_forward": same}, None)  # type: ignore[arg-type]
    assert verdict.text.startswith("Nothing can be compared: ")
    assert not verdict.beaten
    assert verdict.best == ""
    assert len(verdict.duels) == 2


def test_several_seeds_widen_the_interval() -> None:
    rivals = {"majority": right(0.8)}
    single = compare(accuracy_task(), right(0.9), rivals, None)  # type: ignore[arg-type]
    seeds = [right(share) for share in (0.86, 0.9, 0.94)]
    several = compare(accuracy_task(), seeds, rivals, None)  # type: ignore[arg-type]
    assert several.difference == pytest.approx(0.1)
    assert several.interval[0] < single.interval[0]
    assert several.interval[1] > single.interval[1]
    assert "90.0 ± 4.0 % over 3 seeds" in several.text
    extra = 4.302653 * 0.04 / 3**0.5
    assert several.interval[0] == pytest.approx(0.1 - np.hypot(0.1 - single.interval[0], extra), abs=0.003)


def test_seeds_of_a_root_metric_are_averaged_as_metrics() -> None:
    base = np.random.default_rng(1).normal(0, 1, 400)
    runs = [{"error": 0.4 * base}, {"error": 0.6 * base}]
    verdict = compare(error_task(True), runs, {"mean": {"error": base}}, None)  # type: ignore[arg-type]
    assert verdict.difference == pytest.approx(0.5 * np.sqrt((base**2).mean()))


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="no outputs"):
        compare(accuracy_task(), [], {}, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same examples"):
        compare(accuracy_task(), right(0.5), {"mean": right(0.5, 10)}, None)  # type: ignore[arg-type]


def test_the_bootstrap_agrees_with_the_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    first, second = random.normal(1, 1, 800), random.normal(0.5, 2, 800)
    error = (first - second).std(ddof=1) / 800**0.5
    difference, low, high = paired_interval(first, second)
    assert difference == pytest.approx((first - second).mean())
    assert low == pytest.approx(difference - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(difference + 1.96 * error, abs=0.1 * error)
    assert paired_interval(first, second) == (difference, low, high)
    monkeypatch.setattr(interval, "LARGE", 100)
    normal = paired_interval(first, second)
    assert normal == pytest.approx((difference, difference - 1.96 * error, difference + 1.96 * error), rel=1e-6)
    assert np.isnan(paired_interval(np.empty(0), np.empty(0))).all()


def overlapping(random: np.random.Generator, windows: int, horizon: int, memory: float) -> np.ndarray:
    """Mean of ``horizon`` steps from every origin of ``x[t] = memory x[t - 1] + e[t]``; its expectation is 0."""
    noise = lfilter([1.0], [1.0, -memory], random.normal(size=100 + windows + horizon - 1))[100:]
    return np.convolve(noise, np.full(horizon, 1.0 / horizon), "valid")


@pytest.mark.parametrize(
    ("tracks", "windows", "horizon", "memory"),
    [
        (1, 400, 1, 0.0),
        (1, 650, 5, 0.0),
        (1, 650, 5, 0.5),
        (1, 736, 24, 0.5),
        (1, 1500, 48, 0.9),
        (12, 100, 10, 0.5),
        (12, 1, 24, 0.0),
    ],
)
def test_95_of_100_intervals_hold_the_truth_where_windows_overlap(
    tracks: int, windows: int, horizon: int, memory: float
) -> None:
    random = np.random.default_rng(3)
    dependence = Dependence(np.repeat(np.arange(tracks), windows), np.tile(np.arange(windows), tracks), horizon)
    hits, rounds = 0, 600
    for _ in range(rounds):
        scores = np.concatenate([overlapping(random, windows, horizon, memory) for _ in range(tracks)])
        _, low, high = dependent_interval(scores, np.zeros(len(scores)), dependence)
        hits += low < 0 < high
    assert hits / rounds == pytest.approx(0.95, abs=0.03)


def test_taken_as_independent_overlapping_windows_are_far_too_sure() -> None:
    """What the rule above is for: the bootstrap over windows holds the truth in fewer than half of the cases."""
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(100):
        scores = overlapping(random, 736, 24, 0.5)
        _, low, high = paired_interval(scores, np.zeros(len(scores)))
        hits += low < 0 < high
    assert hits < 50


def test_scores_that_are_neighbours_of_none_keep_their_interval() -> None:
    random = np.random.default_rng(5)
    first, second = random.normal(1, 1, 800) ** 2, random.normal(0.5, 2, 800) ** 2
    alone = Dependence(np.arange(800), random.integers(0, 50, 800), reach=24)
    for follow in (np.asarray, np.sqrt):
        found = dependent_interval(first, second, alone, follow=follow)
        expected = paired_interval(first, second, follow=follow)
        assert found[0] == expected[0]
        assert found == pytest.approx(expected, abs=0.05 * (expected[2] - expected[1]))


def test_channels_at_one_time_are_one_event() -> None:
    """Ten copies of a channel say no more than one, and the order of the scores says nothing."""
    random = np.random.default_rng(6)
    scores = overlapping(random, 500, 5, 0.5)
    once = dependent_interval(scores, np.zeros(500), Dependence(np.zeros(500, int), np.arange(500), 5))
    shuffled = random.permutation(5000)
    copies = Dependence(np.zeros(5000, int), np.tile(np.arange(500), 10), 5).take(shuffled)
    assert dependent_interval(np.tile(scores, 10)[shuffled], np.zeros(5000), copies) == pytest.approx(once)


def test_the_long_run_variance_is_that_of_its_definition() -> None:
    sums = np.random.default_rng(7).normal(size=40)
    for width in (1.0, 3.5, 12.0, 100.0):
        expected = sum(
            (1 - abs(s - t) / width) * sums[s] * sums[t] for s in range(40) for t in range(40) if abs(s - t) < width
        )
        assert interval._long_run(sums, width) == pytest.approx(max(expected, 0.0), abs=1e-9)


def test_too_few_blocks_promise_nothing() -> None:
    scores = np.random.default_rng(8).normal(1, 0.1, 60)
    close = Dependence(np.zeros(60, int), np.arange(60), 24)
    assert np.isnan(dependent_interval(scores, np.zeros(60), close)[1:]).all()
    assert np.isnan(dependent_interval(np.empty(0), np.empty(0), close.take(np.arange(0)))).all()


def test_the_way_that_leaves_most_doubt_counts() -> None:
    """Each of 30 series alone looks sure; what they share at one time does not."""
    random = np.random.default_rng(9)
    shocks = overlapping(random, 200, 5, 0.5)
    scores = (0.1 + np.tile(shocks, 30)).astype(float)
    within = Dependence(np.repeat(np.arange(30), 200), np.tile(np.arange(200), 30), 5)
    clock = Dependence(np.zeros(6000, int), np.tile(np.arange(200), 30), 5)
    task = error_task(False)
    task.scores = lambda outputs, examples: outputs["error"]  # type: ignore[attr-defined]
    task.metrics = lambda outputs, examples: {"mse": float(outputs["error"].mean())}  # type: ignore[attr-defined]
    verdicts = []
    for ways in ((within,), (clock,), (within, clock)):
        task.dependence = lambda examples, ways=ways: ways  # type: ignore[attr-defined]
        rivals = {"mean": {"error": scores}}
        verdicts.append(compare(task, {"error": np.zeros(6000)}, rivals, None))  # type: ignore[arg-type]
    alone, shared, both = (verdict.interval[1] - verdict.interval[0] for verdict in verdicts)
    assert alone < 0.3 * shared
    assert both == shared


def test_one_seed_widens_nothing() -> None:
    assert widen(-1.0, 1.0, 0.0, float("nan"), 1) == (-1.0, 1.0)


def test_spread_is_the_sample_standard_deviation() -> None:
    found = spread([{"a": 1.0, "b": 2.0}, {"a": 3.0}])
    assert set(found) == {"a"}
    assert (found["a"].mean, found["a"].count) == (2.0, 2)
    assert found["a"].sd == pytest.approx(2**0.5)
    assert np.isnan(spread([{"a": 1.0}])["a"].sd)
    with pytest.raises(ValueError, match="at least one"):
        spread([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (amount("accuracy", 0.8314), "83.1 %"),
        (amount("accuracy", 0.8314, 0.004), "83.1 ± 0.4 %"),
        (amount("accuracy", 0.0004, points=True), "0.04 points"),
        (amount("accuracy", -0.02, bare=True), "−2.0"),
        (amount("nats", 1.72793), "1.728"),
        (amount("mse", 0.000123), "0.000123"),
        (amount("rmse", 123456.7), "123,457"),
        (amount("mse", 1e-9), "1.00e−09"),
        (amount("mse", float("nan")), "–"),
        (number(float("-inf"), 1), "−∞"),
        (metric_name("macro_f1"), "macro-F1"),
        (metric_name("my_own"), "my own"),
    ],
)
def test_amounts_are_told_as_people_write_them(text: str, expected: str) -> None:
    assert text == expected
