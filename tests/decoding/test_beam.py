"""Beam search against every possible text, and against a plain search that never stops early."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from language_models import make_language, make_model, whole_prefix
from torch import nn

from ostinato.decoding import Beam, Hypothesis, Stepper, generate, likeliest
from ostinato.errors import UsageError
from ostinato.tasks.language import Language

TEXTS = make_language(["ab", "ba", "bb", "a", "c"] * 3)
DOCUMENT = make_language(["abacabcb" * 4])
LENGTH = 4


def log_probabilities(model: nn.Module, task: Language, ids: tuple[int, ...]) -> np.ndarray:
    logits = whole_prefix(model, task, [*task.prompt("").tolist(), *ids], None)
    peak = logits.max()
    found: np.ndarray = logits - peak - math.log(np.exp(logits - peak).sum())
    return found


def every_text(model: nn.Module, task: Language) -> dict[tuple[int, ...], tuple[float, bool]]:
    """Every text of at most ``LENGTH`` symbols (its end being one): its log probability, and whether it ended."""
    symbols = list(task.vocabulary.ids.values())
    found = {}
    for size in range(LENGTH + 1):
        for ids in itertools.product(symbols, repeat=size):
            total = sum(log_probabilities(model, task, ids[:place])[ids[place]] for place in range(size))
            if size == LENGTH:
                found[ids] = (total, False)
            elif task.stop is not None:
                found[ids] = (total + log_probabilities(model, task, ids)[task.stop], True)
    return found


def search(model: nn.Module, task: Language, beam: Beam) -> list[Hypothesis]:
    return beam.search(Stepper(model), task.prompt(""), end=task.stop, banned=task.never)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("task", [TEXTS, DOCUMENT], ids=["texts", "document"])
def test_a_wide_beam_finds_the_best_of_all(task: Language, alpha: float) -> None:
    model = make_model(task, seed=2)
    every = every_text(model, task)
    assert sum(math.exp(total) for total, _ in every.values()) == pytest.approx(1, abs=1e-5)
    scores = {ids: total / (len(ids) + ended) ** alpha for ids, (total, ended) in every.items()}
    best = sorted(scores, key=lambda ids: -scores[ids])
    found = search(model, task, Beam(width=3**LENGTH * 2, length=LENGTH, alpha=alpha))
    assert [hypothesis.ids for hypothesis in found] == best
    for hypothesis in found:
        assert hypothesis.log_probability == pytest.approx(every[hypothesis.ids][0], abs=1e-5)
        assert hypothesis.score == pytest.approx(scores[hypothesis.ids], abs=1e-5)
        assert hypothesis.ended == every[hypothesis.ids][1]


def plain_search(model: nn.Module, task: Language, width: int, length: int, alpha: float) -> list[tuple[int, ...]]:
    """The textbook: expand, keep the best ``width``, collect what ended, sort at the end."""
    alive, done = {(): 0.0}, {}
    for _ in range(length):
        grown = {}
        for ids, total in alive.items():
            after = log_probabilities(model, task, ids)
            if task.stop is not None:
                done[ids] = (total + after[task.stop]) / (len(ids) + 1) ** alpha
            grown |= {(*ids, symbol): total + after[symbol] for symbol in task.vocabulary.ids.values()}
        alive = dict(sorted(grown.items(), key=lambda item: -item[1])[:width])
    done |= {ids: total / length**alpha for ids, total in alive.items()}
    return sorted(done, key=lambda ids: -done[ids])[:width]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("width", "alpha"), [(1, 0.0), (2, 1.0), (3, 0.5), (4, 0.0)])
@pytest.mark.parametrize("task", [TEXTS, DOCUMENT], ids=["texts", "document"])
def test_stopping_early_changes_nothing(task: Language, width: int, alpha: float, seed: int) -> None:
    model = make_model(task, seed=seed)
    found = search(model, task, Beam(width=width, length=9, alpha=alpha))
    assert [hypothesis.ids for hypothesis in found] == plain_search(model, task, width, 9, alpha)


def test_a_beam_of_one_is_greedy_where_nothing_ends() -> None:
    model = make_model(DOCUMENT)
    found = likeliest(model, DOCUMENT, prompt="ab", beam=Beam(width=1, length=12))
    assert [text for text, _ in found] == [generate(model, DOCUMENT, prompt="ab", length=12, temperature=0)]


def test_it_stops_early() -> None:
    class Counting(Stepper):
        steps = 0

        def advance(
            self, ids: torch.Tensor, state: tuple[torch.Tensor, ...]
        ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
            self.steps += 1
            return super().advance(ids, state)

    model = make_model(TEXTS)
    stepper = Counting(model)
    Beam(width=2, length=1000, alpha=0.0).search(stepper, TEXTS.prompt(""), end=TEXTS.stop, banned=TEXTS.never)
    assert stepper.steps < 100


def test_nothing_need_be_banned() -> None:
    found = Beam(width=1000, length=2).search(Stepper(make_model(TEXTS)), TEXTS.prompt(""), end=TEXTS.stop)
    symbols = len(TEXTS.vocabulary) - 1
    assert len(found) == 1 + symbols + symbols**2
    assert sum(math.exp(hypothesis.log_probability) for hypothesis in found) == pytest.approx(1, abs=1e-5)


def test_where_only_the_end_is_possible() -> None:
    never = (*TEXTS.never, *TEXTS.vocabulary.ids.values())
    found = Beam().search(Stepper(make_model(TEXTS)), TEXTS.prompt(""), end=TEXTS.stop, banned=never)
    assert [(hypothesis.ids, hypothesis.ended) for hypothesis in found] == [((), True)]
    assert found[0].log_probability == pytest.approx(0.0)


@pytest.mark.parametrize("values", [{"width": 0}, {"length": 0}, {"alpha": -1.0}, {"alpha": float("nan")}])
def test_wrong_values(values: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"at least 1|alpha"):
        Beam(**values)
