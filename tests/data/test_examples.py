"""Taking examples takes all that belongs to them, and moves with them."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.examples import SequenceExamples
from ostinato.sequences import Ragged


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=5), st.data())
def test_take_keeps_steps_parts_targets_and_static_together(rows, data):
    """``rows`` holds, for every step of every example, how many parts the step has."""
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=7))
    lengths = torch.tensor([len(row) for row in rows])
    sizes = torch.tensor([size for row in rows for size in row], dtype=torch.int64)
    step_of_part = torch.arange(len(sizes)).repeat_interleave(sizes)
    examples = SequenceExamples(
        inputs=Ragged(torch.arange(len(sizes)), lengths),
        static=torch.arange(len(rows))[:, None],
        parts=Ragged(step_of_part, sizes),
        targets=Ragged(torch.arange(len(sizes)) + 100, lengths),
    )
    batch = examples.take(torch.tensor(index, dtype=torch.int64))
    assert len(batch) == len(index)
    assert batch.index.tolist() == batch.static[:, 0].tolist() == index
    assert [one.tolist() for one in batch.inputs] == [examples.inputs[number].tolist() for number in index]
    assert batch.targets.values.equal(batch.inputs.values + 100)
    for step, part in zip(batch.inputs.values.tolist(), batch.parts, strict=True):
        assert part.tolist() == [step] * int(sizes[step])


def test_a_tensor_of_targets_is_taken_by_row_and_to_moves_everything():
    examples = SequenceExamples(Ragged(torch.zeros(3), torch.tensor([1, 2])), targets=torch.tensor([5, 6]))
    assert (len(examples), examples.lengths.tolist()) == (2, [1, 2])
    batch = examples.take(torch.tensor([1])).to("meta")
    assert batch.targets.device.type == batch.inputs.values.device.type == "meta"
    assert batch.index.tolist() == [1]
    assert batch.static is batch.parts is batch.known is None
