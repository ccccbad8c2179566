"""Windows, cuts at resets and reversal: laid together again they are the whole."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.sequences import Ragged, cut, pack, reverse, windows
from ostinato.sequences.segments import episode_ends, segments_of

LENGTHS = st.lists(st.integers(0, 7), max_size=6)


def ragged(lengths: list[int]) -> Ragged:
    return Ragged(torch.arange(sum(lengths)), torch.tensor(lengths).long())


@given(LENGTHS, st.integers(1, 9))
def test_windows_of_a_sequence_are_the_sequence(lengths: list[int], width: int) -> None:
    given_ = ragged(lengths)
    pieces: dict[int, list[torch.Tensor]] = {b: [] for b in range(len(lengths))}
    position = 0
    for window in windows(given_, width):
        assert window.first == position
        position = window.last
        assert window.last <= max(lengths)
        assert len(window.steps) == len(window.rows)
        assert window.rows.tolist() == [b for b, length in enumerate(lengths) if length > window.first]
        assert int(window.steps.lengths.min()) >= 1
        for row, piece in zip(window.rows.tolist(), window.steps, strict=True):
            pieces[row].append(piece)
    assert position == max(lengths, default=0)
    for b, found in pieces.items():
        assert torch.equal(torch.cat([given_[b][:0], *found]), given_[b])


def test_window_width() -> None:
    with pytest.raises(ValueError, match="at least one step, not 0"):
        next(windows(ragged([2]), 0))


@given(LENGTHS)
def test_reverse_turns_each_sequence(lengths: list[int]) -> None:
    given_ = ragged(lengths)
    turned = reverse(given_)
    assert torch.equal(turned.lengths, given_.lengths)
    for ours, theirs in zip(turned, given_, strict=True):
        assert torch.equal(ours, theirs.flip(0))
    assert torch.equal(reverse(turned).values, given_.values)


@given(LENGTHS, st.data())
def test_cut_and_segments(lengths: list[int], data: st.DataObject) -> None:
    """A cut begins a segment at each flag; packed segments are the same, also read from the end."""
    given_ = ragged(lengths)
    flags = torch.tensor(
        data.draw(st.lists(st.booleans(), min_size=sum(lengths), max_size=sum(lengths))), dtype=torch.bool
    )
    pieces, owner = cut(given_, flags)
    wanted, owners = [], []
    for b, (steps, marks) in enumerate(zip(given_, Ragged(flags, given_.lengths), strict=True)):
        for t in range(len(steps)):
            if t == 0 or marks[t]:
                wanted.append([])
                owners.append(b)
            wanted[-1].append(int(steps[t]))
    assert [piece.tolist() for piece in pieces] == wanted
    assert owner.tolist() == owners

    packed = pack(given_)
    rows = pack(Ragged(flags, given_.lengths)).data
    for backward in (False, True):
        marks = episode_ends(packed, rows) if backward else rows
        segments = segments_of(packed, marks, reverse=backward)
        values = packed.data[segments.rows]
        assert torch.equal(values[segments.inverse], packed.data)
        starts = segments.batch_sizes.cumsum(0) - segments.batch_sizes
        found = []
        for slot, of in enumerate(segments.owner.tolist()):
            steps = [
                int(values[start + slot])
                for start, size in zip(starts, segments.batch_sizes, strict=True)
                if slot < size
            ]
            found.append((int(packed.order[of]), steps[::-1] if backward else steps))
        assert sorted(found) == sorted(zip(owners, wanted, strict=True))
        for slot, last in enumerate(segments.last.tolist()):
            b = int(packed.order[slot])
            mine = [steps for of, steps in zip(owners, wanted, strict=True) if of == b]
            assert found[last] == (b, mine[0] if backward else mine[-1])


@pytest.mark.parametrize("flags", [torch.zeros(2, dtype=torch.bool), torch.zeros(3)])
def test_cut_wants_a_flag_a_step(flags: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one flag a step"):
        cut(ragged([3]), flags)
