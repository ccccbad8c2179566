"""Segments of steps, against slicing by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import build
from ostinato.models.segments import segments
from ostinato.models.settings import ModelSettings
from ostinato.sequences import Ragged
from ostinato.tasks import TaskSettings


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 4))
def test_each_segment_holds_its_steps_and_zeros_after_the_end(lengths: list[int], size: int) -> None:
    sequences = [torch.randn(length, 2) for length in lengths]
    values = torch.cat(sequences) if sequences else torch.empty(0, 2)
    found = segments(Ragged(values, torch.tensor(lengths, dtype=torch.int64)), size).to_list()
    assert len(found) == len(lengths)
    for sequence, rows in zip(sequences, found, strict=True):
        padded = torch.cat([sequence, torch.zeros(-len(sequence) % size, 2)])
        torch.testing.assert_close(rows, padded.reshape(-1, 2 * size), rtol=0, atol=0)


def spec(outputs: str = "sequence") -> Spec:
    return Spec("values", 3, outputs, 2)  # type: ignore[arg-type]


def batch(sequences: list[torch.Tensor]) -> Batch:
    return Batch(Ragged.from_list(sequences), torch.arange(len(sequences)))


def test_a_model_of_segments_is_a_model_of_steps_laid_side_by_side() -> None:
    torch.manual_seed(0)
    sequences = [torch.randn(length, 3) for length in (4, 7, 1, 12)]
    model = build(spec(), ModelSettings(hidden=5, segment=4, bidirectional=True), TaskSettings()).eval()
    plain = build(Spec("values", 12, "sequence", 2), ModelSettings(hidden=5, bidirectional=True), TaskSettings()).eval()
    plain.load_state_dict(model.state_dict())
    wide = segments(Ragged.from_list(sequences), 4)
    expected, _ = plain(Batch(wide, torch.arange(4)))
    found, _ = model(batch(sequences))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    alone = torch.cat([model(batch([sequence]))[0] for sequence in sequences])
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-6)


def test_segments_need_one_answer_a_sequence_and_no_state() -> None:
    with pytest.raises(UsageError, match=r"model\.segment=1"):
        build(spec("step"), ModelSettings(segment=2), TaskSettings())
    with pytest.raises(UsageError, match="at least 1"):
        build(spec(), ModelSettings(segment=0), TaskSettings())
    model = build(spec(), ModelSettings(hidden=4, segment=2), TaskSettings())
    sequences = batch([torch.randn(4, 3)])
    _, state = model(sequences)
    with pytest.raises(UsageError, match="segment"):
        model(sequences, state)
