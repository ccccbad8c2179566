"""docs/performance.md from records: targets, losses and wrong answers are shown for what they are."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from benchmarks.layers import page, plot, targets
from benchmarks.layers.cases import all_cases
from benchmarks.layers.measured import Measured
from benchmarks.layers.problem import Problem
from benchmarks.layers.stats import spread


def arm(problem: Problem, *seconds: float, **more: Any) -> dict[str, Any]:
    found = {"seconds": spread(list(seconds))._asdict(), "rounds": list(seconds), "problem": problem.facts()}
    return found | {"errors": {"y": 1e-7, "grad x": 2e-7}, "facts": {}, "peak": 3 * 2**20, "resting": 2**20} | more


def record(group: str, problem: Problem, peers: tuple[str, ...], **arms: dict[str, Any]) -> dict[str, Any]:
    named = {name.replace("_", " "): value for name, value in arms.items()}
    where = {"date": "2026-11-25", "command": "python -m benchmarks.layers", "commit": "abc1234"}
    facts = {"group": group, "problem": problem.facts(), "peers": list(peers), "foreign": [0.0, 0.5], "kept": [0, 1]}
    return {"arms": named} | facts | where


def kept(**cases: dict[str, Any]) -> dict[str, Any]:
    machine = {"processor": "Test 1", "instructions": ["avx2"], "cores": 2, "of": 4, "system": "Linux x86_64"}
    return {"machine": machine | {"python": "3.11", "libraries": {"torch": "2.13.0"}}, "cases": cases}


LSTM = Problem("lstm", 100, 32, 64, 64, train=True)
HEAVY = Problem("lstm", 100, 64, 256, 256)


def written(**cases: dict[str, Any]) -> str:
    found = kept(**cases)
    return page.text(found, [Measured.of(name, value) for name, value in found["cases"].items()], "a.svg")


def row(text: str, start: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return line


def test_a_target_that_is_reached() -> None:
    text = written(
        one=record(
            "equal",
            LSTM,
            ("torch", "JAX"),
            ostinato=arm(LSTM, 0.001, 0.001),
            torch=arm(LSTM, 0.004, 0.004),
            JAX=arm(LSTM, 0.002, 0.0022),
        )
    )
    assert row(text, "| LSTM, equal lengths, H = 64").endswith("| ≥ 1.70× | 2.10× (one) | reached |")
    assert "| 2.10× [2.05, 2.15] |" in row(text, "| lstm 100, 32, 64, 64")
    assert "## Losses\n\nNone." in text


def test_a_target_that_is_missed_and_a_loss() -> None:
    good = record("equal", LSTM, ("torch",), ostinato=arm(LSTM, 0.001), torch=arm(LSTM, 0.004))
    bad = record("equal", LSTM, ("torch",), ostinato=arm(LSTM, 0.002), torch=arm(LSTM, 0.001))
    text = written(good=good, bad=bad)
    assert row(text, "| LSTM, equal lengths, H = 64").endswith("| 0.50× (bad) | **missed** in 1 of 2 |")
    assert "≥ 1.70×. bad: 0.50×" in row(text, "- LSTM, equal lengths, H = 64")
    assert "- bad: torch takes 0.50 of our time" in text
    assert "**0.50× [0.50, 0.50]**" in text
    assert "good: torch takes" not in text


def test_what_was_not_measured_says_so() -> None:
    text = written(one=record("equal", LSTM, ("torch",), ostinato=arm(LSTM, 0.001), torch=arm(LSTM, 0.004)))
    assert row(text, "| GRU, H ≤ 128, torch").endswith("| – | not measured |")


def test_a_wrong_peer_has_no_time_and_is_no_rival() -> None:
    wrong = {"wrong": "y is off by 0.3, allowed 5e-05", "problem": LSTM.facts()}
    text = written(
        one=record("equal", LSTM, ("torch", "JAX"), ostinato=arm(LSTM, 0.001), torch=arm(LSTM, 0.004), JAX=wrong)
    )
    assert "| wrong answer |" in row(text, "| lstm 100, 32, 64, 64")
    assert "4.00× (one) | reached" in row(text, "| LSTM, equal lengths, H = 64")
    assert "- one: JAX was not timed; wrong answer: y is off by 0.3" in text


def test_our_own_failure_is_no_success() -> None:
    failed = {"failed": "RuntimeError: no engine", "problem": LSTM.facts()}
    case = Measured.of("one", record("equal", LSTM, ("torch",), ostinato=failed, torch=arm(LSTM, 0.004)))
    assert case.lead() is None
    assert all(target.reached([case]) is None for target in targets.TARGETS)
    assert "- one: ostinato was not timed; RuntimeError: no engine" in page.text(
        kept(one=record("equal", LSTM, ("torch",), ostinato=failed, torch=arm(LSTM, 0.004))), [case], "a.svg"
    )


def test_share_of_the_product_rate() -> None:
    """As many operations a second as the product: 100 %."""
    probe = arm(HEAVY, 0.1, facts={"work": 1e10, "path": "oneDNN"})
    case = Measured.of("one", record("equal", HEAVY, (), ostinato=arm(HEAVY, HEAVY.flops / 5e10), product=probe))
    assert case.share() == pytest.approx(0.5)
    assert "50%" in written(
        one=record(
            "equal", HEAVY, ("torch",), ostinato=arm(HEAVY, HEAVY.flops / 5e10), product=probe, torch=arm(HEAVY, 1.0)
        )
    )


def test_time_of_a_real_step() -> None:
    """As long as for equal lengths although 55 % of the steps are real: 1.82 times as long a step."""
    ragged = Problem("gru", 100, 32, 64, 64, ragged=True)
    equal = Problem("gru", 100, 32, 64, 64)
    case = Measured.of("one", record("ragged", ragged, (), ostinato=arm(ragged, 1.0), equal_lengths=arm(equal, 1.0)))
    assert case.per_step("equal lengths") == pytest.approx(1 / 0.55)


def test_kept_floats() -> None:
    case = Measured.of("one", record("equal", LSTM, (), ostinato=arm(LSTM, 1.0, facts={"saved": 6 * 4 * 3200 * 64})))
    assert case.saved() == 6


def test_every_group_has_a_target_and_a_table() -> None:
    groups = {case.group for case in all_cases()}
    assert groups == set(page.GROUPS) == set(plot.SHOWN)
    for name in groups:
        case = next(case for case in all_cases() if case.group == name and case.problem.H >= 32)
        measured = Measured(case.name, name, case.problem, case.peers, {})
        assert any(target.where(measured) for target in targets.TARGETS), name


def test_every_target_is_about_some_case() -> None:
    """A target that no case of the table can meet or miss would never be looked at."""
    for target in targets.TARGETS:
        mode = target.mode == "train"
        found = []
        for case in all_cases():
            arms = {one.label: arm(one.problem, 1.0, facts={"work": 1.0, "saved": 1.0}) for one in case.arms}
            measured = Measured(case.name, case.group, case.problem, case.peers, arms)
            if case.problem.train is mode and target.where(measured):
                found.append(target.value(measured))
        assert found, target.what
        assert None not in found, target.what


def test_the_page_is_the_same_for_the_same_records() -> None:
    one = record("equal", LSTM, ("torch",), ostinato=arm(LSTM, 0.001), torch=arm(LSTM, 0.004))
    assert written(one=one) == written(one=one)


def test_the_picture_shows_every_peer() -> None:
    cases = [
        Measured.of(
            "one",
            record(
                "equal", LSTM, ("torch", "JAX"), ostinato=arm(LSTM, 0.001), torch=arm(LSTM, 0.004), JAX=arm(LSTM, 0.003)
            ),
        )
    ]
    drawn = plot.leads(cases)
    ElementTree.fromstring(drawn)
    assert ">torch<" in drawn
    assert ">JAX<" in drawn
    assert "lstm 100,32,64,64" in drawn
    assert drawn == plot.leads(cases)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2.5e-6, "2.5 µs"), (7.36e-5, "73.6 µs"), (0.0023, "2.3 ms"), (0.4, "400 ms"), (2.2, "2,200 ms")],
)
def test_durations(seconds: float, words: str) -> None:
    assert page.duration(seconds) == words
