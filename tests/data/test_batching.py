"""Batches, windows and lanes: nothing is lost, nothing comes twice, everything follows from seed and epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.batching import batches, lanes, windows
from ostinato.data.examples import SequenceExamples
from ostinato.sequences import Ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=12)


def examples_of(lengths, **others):
    counts = torch.tensor(lengths, dtype=torch.int64)
    return SequenceExamples(Ragged(torch.arange(int(counts.sum())), counts), **others)


@given(LENGTHS, st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_an_epoch_gives_every_example_once(lengths, size, epoch, shuffle):
    found = batches(examples_of(lengths), size, 7, epoch, shuffle)
    assert sorted(torch.cat(found).tolist()) == list(range(len(lengths)))
    counts = [len(index) for index in found]
    assert max(counts) <= size
    assert max(counts) - min(counts) <= 1
    again = batches(examples_of(lengths), size, 7, epoch, shuffle)
    assert all(one.equal(other) for one, other in zip(found, again, strict=True))


def test_seed_and_epoch_change_the_order():
    examples = examples_of([5] * 50)
    orders = {tuple(torch.cat(batches(examples, 8, seed, epoch)).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert batches(examples, 8, 0, 0, shuffle=False)[0].tolist() == list(range(8))[:8]


def test_examples_of_similar_lengths_stand_together():
    lengths = np.random.default_rng(0).integers(1, 1000, 2000)
    examples = SequenceExamples(Ragged(torch.zeros(int(lengths.sum())), torch.from_numpy(lengths)))
    found = batches(examples, 20, 0, 0)
    waste = sum(float(lengths[index].max()) * len(index) for index in found) / lengths.sum()
    assert waste < 1.2
    firsts = [int(lengths[index].min()) for index in found]
    assert firsts != sorted(firsts)


@given(st.integers(1, 7), st.integers(1, 20), st.integers(1, 6))
def test_a_count_goes_through_all_examples_evenly(total, count, epochs):
    drawn = [torch.cat(batches(examples_of([1] * total), 3, 0, epoch, count=count)) for epoch in range(epochs)]
    assert all(len(index) == count for index in drawn)
    seen = np.bincount(torch.cat(drawn).numpy(), minlength=total)
    assert seen.max() - seen.min() <= 1


def test_no_examples_give_no_batches_and_wrong_sizes_are_refused():
    assert batches(examples_of([]), 4, 0, 0) == []
    with pytest.raises(ValueError, match="size"):
        batches(examples_of([1]), 0, 0, 0)
    with pytest.raises(ValueError, match="count"):
        batches(examples_of([1]), 1, 0, 0, count=-1)


@given(LENGTHS, st.integers(0, 10))
def test_windows_put_together_are_the_batch(lengths, window):
    counts = torch.tensor(lengths)
    total = int(counts.sum())
    examples = examples_of(
        lengths,
        static=torch.arange(len(lengths), dtype=torch.float32)[:, None],
        parts=Ragged(torch.arange(2 * total), torch.full((total,), 2)),
        targets=Ragged(torch.arange(total) * 10, counts),
    )
    batch = examples.take(torch.arange(len(lengths)).flip(0))
    collected = {slot: [] for slot in range(len(lengths))}
    before, ended = list(range(len(lengths))), []
    for number, piece in enumerate(windows(batch, window)):
        rows = piece.rows.tolist()
        assert piece.first == (number == 0)
        assert rows == before[: len(rows)] if number else sorted(rows) == before
        before = rows
        assert piece.batch.index.tolist() == batch.index[piece.rows].tolist()
        assert piece.batch.static[:, 0].tolist() == piece.batch.index.tolist()
        assert piece.batch.parts.values.tolist() == [
            n for v in piece.batch.inputs.values.tolist() for n in (2 * v, 2 * v + 1)
        ]
        assert piece.batch.targets.values.tolist() == (piece.batch.inputs.values * 10).tolist()
        for slot, values in zip(rows, piece.batch.inputs, strict=True):
            collected[slot] += values.tolist()
        ended += [slot for slot, last in zip(rows, piece.last.tolist(), strict=True) if last]
    assert sorted(ended) == list(range(len(lengths)))
    assert [collected[slot] for slot in range(len(lengths))] == [values.tolist() for values in batch.inputs]


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_the_target_of_a_sequence_comes_where_it_ends(dtype):
    batch = examples_of([2, 5, 3], targets=torch.tensor([7, 8, 9], dtype=dtype)).take(torch.arange(3))
    told = {}
    for piece in windows(batch, 2):
        for slot, target in zip(piece.rows.tolist(), piece.batch.targets.tolist(), strict=True):
            missing = target == -1 if dtype == torch.int64 else target != target
            if not missing:
                told.setdefault(slot, []).append((target, int(piece.batch.inputs.lengths[0])))
    assert {slot: [one for one, _ in values] for slot, values in told.items()} == {0: [7], 1: [8], 2: [9]}
    assert batch.targets.tolist() == [7, 8, 9]  # the whole batch is left as it was


def test_an_empty_batch_has_one_window_and_a_negative_window_is_refused():
    found = list(windows(examples_of([]).take(torch.arange(0)), 4))
    assert [(piece.first, len(piece.rows)) for piece in found] == [(True, 0)]
    with pytest.raises(ValueError, match="negative"):
        next(windows(examples_of([1]).take(torch.arange(1)), -1))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(1, 9))
def test_lanes_keep_every_step_in_order(lengths, count):
    total = sum(lengths)
    examples = examples_of(lengths, targets=Ragged(torch.arange(total) + 1, torch.tensor(lengths)))
    cut = lanes(examples, count)
    assert cut.inputs.values.tolist() == list(range(total))
    assert cut.targets.lengths.equal(cut.lengths)
    assert len(cut) <= max(count, len(lengths))
    ends = set(torch.tensor(lengths).cumsum(0).tolist())
    assert ends <= set(cut.lengths.cumsum(0).tolist())  # no lane spans two sequences


def test_one_document_becomes_lanes_of_nearly_equal_lengths():
    assert lanes(examples_of([103]), 10).lengths.tolist() == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]
    assert lanes(examples_of([4, 4]), 2).lengths.tolist() == [4, 4]


def test_what_belongs_to_a_whole_sequence_cannot_be_cut():
    with pytest.raises(ValueError, match="only steps"):
        lanes(examples_of([9], static=torch.zeros(1, 1)), 3)
    with pytest.raises(ValueError, match="only steps"):
        lanes(examples_of([9], targets=torch.zeros(1)), 3)
