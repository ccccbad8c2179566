"""KneserNey against a slow, literal reading of its equations, and against what probabilities must be."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import product
from time import process_time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.examples import Batch
from ostinato.evaluation.kgram import KneserNey, Steps, discounts, find, ladder
from ostinato.evaluation.kgram_model import Classes, KGram
from ostinato.sequences import Ragged

V = 4


def ragged(*sequences: list[int]) -> Ragged:
    return Ragged.from_list([torch.tensor(sequence, dtype=torch.int64) for sequence in sequences])


def sample(seed: int, count: int, length: int) -> tuple[Ragged, np.ndarray]:
    """Sequences with some structure, and the symbol after each step."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        row = [0]
        for _ in range(int(random.integers(1, length))):
            row.append(int((row[-1] + (1 if random.random() < 0.7 else random.integers(V))) % V))
        rows.append(row)
    return ragged(*[row[:-1] for row in rows]), np.array([symbol for row in rows for symbol in row[1:]])


def by_hand(inputs: Ragged, targets: np.ndarray, order: int) -> object:
    """p(w | history) straight from the definition, with dictionaries."""
    grams: list[dict[tuple[int, ...], list[object]]] = [defaultdict(list) for _ in range(order)]
    place = 0
    for number, sequence in enumerate(inputs.to_list()):
        ids = sequence.tolist()
        for t in range(len(ids)):
            for n in range(min(order, t + 2)):
                context = tuple(ids[t + 1 - n : t + 1])
                left: object = ids[t - n] if t - n >= 0 else ("beginning", number)
                grams[n][*context, int(targets[place])].append(left)
            place += 1
    counts = [
        {gram: len(lefts) if n == order - 1 else len(set(lefts)) for gram, lefts in level.items()}
        for n, level in enumerate(grams)
    ]
    levels = [discounts(np.array(list(level.values()))) for level in counts]

    def probability(symbol: int, history: tuple[int, ...]) -> float:
        value = 1.0 / V
        for n in range(min(order, len(history) + 1)):
            context = history[len(history) - n :]
            followers = {gram[-1]: count for gram, count in counts[n].items() if gram[:-1] == context}
            if not followers:
                return value
            total, cut = sum(followers.values()), levels[n]
            rest = sum(cut[min(count, 3)] for count in followers.values()) / total
            own = max(followers.get(symbol, 0) - cut[min(followers.get(symbol, 0), 3)], 0.0) / total
            value = own + rest * value
        return value

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_every_context_gives_the_probabilities_of_the_definition(order: int) -> None:
    inputs, targets = sample(order, 40, 30)
    model = KneserNey(V, ladder(order)).fit(Steps.of(inputs, None, 4), targets)
    probability = by_hand(inputs, targets, order)
    for length in range(1, 5):
        for history in product(range(V), repeat=length):
            steps = Steps.of(ragged(list(history)), None, 4)
            found = model.chances(steps)[-1]
            expected = [probability(symbol, history) for symbol in range(V)]  # type: ignore[operator]
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("classes", [False, True])
def test_probabilities_sum_to_one_everywhere(classes: bool) -> None:
    inputs, targets = sample(5, 60, 12)
    owners = np.arange(60) % 3 if classes else None
    model = KneserNey(V, ladder(3, classes), 3).fit(Steps.of(inputs, owners, 4), targets)
    histories = [list(h) for n in range(1, 5) for h in product(range(V), repeat=n)]
    for owner in (0, 1, 2, -1):
        steps = Steps.of(ragged(*histories), np.full(len(histories), owner), 4)
        chances = model.chances(steps)
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-12)
        assert (chances > 0).all()


@given(st.lists(st.lists(st.integers(0, V - 1), min_size=2, max_size=20), min_size=1, max_size=8), st.integers(1, 5))
def test_any_text_gives_probabilities(rows: list[list[int]], order: int) -> None:
    inputs = ragged(*[row[:-1] for row in rows])
    targets = np.array([symbol for row in rows for symbol in row[1:]])
    steps = Steps.of(inputs, None, 4)
    model = KneserNey(V, ladder(order)).fit(steps, targets)
    chances = model.chances(steps)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-9)
    assert (chances > 0).all()
    np.testing.assert_allclose(model.chance(steps, targets), chances[np.arange(len(targets)), targets], rtol=1e-12)


def test_a_class_of_its_own_is_learned_and_a_new_class_leans_on_the_shared_text() -> None:
    up, down = [0, 1, 2, 3] * 6, [3, 2, 1, 0] * 6
    inputs = ragged(up[:-1], down[:-1])
    targets = np.array(up[1:] + down[1:])
    model = KneserNey(V, ladder(2, classes=True), 2).fit(Steps.of(inputs, np.array([0, 1]), 4), targets)
    after_one = model.chances(Steps.of(ragged([1], [1], [1]), np.array([0, 1, -1]), 4))
    assert after_one[0].argmax() == 2
    assert after_one[1].argmax() == 0
    assert after_one[2, 2] == pytest.approx(after_one[2, 0], rel=0.1)


def test_windows_of_a_sequence_answer_as_the_whole() -> None:
    inputs, targets = sample(7, 30, 40)
    model = KGram(KneserNey(V, ladder(4)).fit(Steps.of(inputs, None, 4), targets), Classes(np.empty((0, 0))))
    batch = Batch(ragged([0, 1, 2, 3, 0, 1, 1], [2, 2, 3]), torch.arange(2))
    whole = Ragged(model(batch)[0], batch.inputs.lengths)
    state, pieces = None, []
    for start in range(7):
        piece = Batch(batch.inputs.slice(start, start + 1), torch.arange(2))
        answers, state = model(piece, state)
        pieces.append(Ragged(answers, piece.inputs.lengths))
    for row in range(2):
        torch.testing.assert_close(torch.cat([piece[row] for piece in pieces]), whole[row], rtol=0, atol=0)


def test_discounts_are_chen_and_goodmans() -> None:
    counts = np.array([1] * 10 + [2] * 5 + [3] * 3 + [4] * 2 + [9])
    y = 10 / 20
    np.testing.assert_allclose(discounts(counts), [0, 1 - 2 * y * 5 / 10, 2 - 3 * y * 3 / 5, 3 - 4 * y * 2 / 3])
    np.testing.assert_allclose(discounts(np.array([1, 1, 2])), [0, 0.5, 1.0, 1.5])
    beyond = np.array([1] * 100 + [2] + [3] * 5 + [4])  # D_2 would be 2 - 3 Y 5 < 0
    np.testing.assert_allclose(discounts(beyond), [0, 0.5, 1.0, 1.5])


def test_classes_are_told_apart_by_their_rows() -> None:
    static = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    classes = Classes.fit(static)
    assert len(classes) == 2
    assert classes.of(static).tolist() == [1, 0, 1]  # type: ignore[union-attr]
    assert classes.of(torch.tensor([[1.0, 1.0]])).tolist() == [-1]  # type: ignore[union-attr]
    assert len(Classes.fit(torch.rand(2000, 1))) == 0
    assert Classes.fit(None).of(static) is None


def test_bad_ladders_and_empty_lookups() -> None:
    with pytest.raises(ValueError, match="empty context"):
        KneserNey(V, [(1, False)])
    with pytest.raises(ValueError, match="symbols"):
        KneserNey(0, ladder(2))
    assert find(np.empty(0, dtype=np.int64), np.array([3])).tolist() == [-1]
    assert Counter(ladder(2, classes=True)) == Counter([(0, False), (0, True), (1, False), (1, True)])


def test_a_hundred_thousand_symbols_take_seconds() -> None:
    random = np.random.default_rng(0)
    ids = random.zipf(1.5, 100_000) % 60
    inputs = Ragged(torch.from_numpy(ids[:-1]), torch.tensor([99_999]))
    began = process_time()
    KneserNey(60, ladder(5)).fit(Steps.of(inputs, None, 4), ids[1:])
    assert process_time() - began < 6, "a million symbols must be counted within a minute"
