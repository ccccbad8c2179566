"""Ragged, Packed, padded, PackedSequence, nested: every conversion and its inverse, exact on any lengths."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_sequence

from ostinato.sequences import (
    Packed,
    Ragged,
    from_nested,
    from_packed_sequence,
    from_padded,
    pack,
    to_nested,
    to_packed_sequence,
    to_padded,
    unpack,
)

LENGTHS = st.lists(st.integers(0, 7), max_size=6)


def ragged(lengths: list[int], width: int = 2) -> Ragged:
    total = sum(lengths)
    return Ragged(torch.arange(total * width, dtype=torch.float64).reshape(total, width), torch.tensor(lengths).long())


def same(a: Ragged, b: Ragged) -> None:
    assert torch.equal(a.values, b.values)
    assert torch.equal(a.lengths, b.lengths)


@given(LENGTHS)
def test_pack_is_exactly_undone(lengths: list[int]) -> None:
    given_ = ragged(lengths)
    packed = pack(given_)
    same(unpack(packed), given_)
    again = pack(unpack(packed))
    assert torch.equal(again.data, packed.data)
    assert torch.equal(again.order, packed.order)
    assert packed.lengths.tolist() == sorted(lengths, reverse=True)
    assert packed.lengths[packed.slots].tolist() == lengths
    assert len(packed) == len(lengths)
    assert packed.reach == sum(length > 0 for length in lengths)
    assert packed.equal == (len({length for length in lengths if length}) == 1)


@given(LENGTHS.map(lambda lengths: [length + 1 for length in lengths] or [1]))
def test_pack_equals_torch(lengths: list[int]) -> None:
    given_ = ragged(lengths)
    theirs = pack_sequence(given_.to_list(), enforce_sorted=False)
    ours = to_packed_sequence(given_)
    assert torch.equal(ours.data, theirs.data)
    assert torch.equal(ours.batch_sizes, theirs.batch_sizes)
    assert torch.equal(ours.sorted_indices[ours.unsorted_indices], torch.arange(len(lengths)))
    same(from_packed_sequence(ours), given_)
    same(from_packed_sequence(theirs), given_)
    same(from_nested(to_nested(given_)), given_)


@given(LENGTHS, st.booleans(), st.sampled_from([0.0, -1.0, float("nan")]), st.integers(0, 3))
def test_padding_is_exactly_undone(lengths: list[int], batch_first: bool, fill: float, extra: int) -> None:
    given_ = ragged(lengths)
    longest = max(lengths, default=0)
    padded = to_padded(given_, batch_first=batch_first, fill=fill, total_length=longest + extra if extra else None)
    batch, steps = padded.shape[:2] if batch_first else padded.shape[:2][::-1]
    assert (batch, steps) == (len(lengths), longest + extra)
    same(from_padded(padded, lengths, batch_first=batch_first), given_)
    in_batch = padded if batch_first else padded.transpose(0, 1)
    for b, length in enumerate(lengths):
        torch.testing.assert_close(in_batch[b, length:], torch.full_like(in_batch[b, length:], fill), equal_nan=True)
    if lengths and longest:
        wanted = pad_sequence(given_.to_list(), batch_first=True, padding_value=fill)
        torch.testing.assert_close(in_batch[:, :longest], wanted, rtol=0, atol=0, equal_nan=True)


@given(LENGTHS)
def test_list_is_exactly_undone(lengths: list[int]) -> None:
    given_ = ragged(lengths)
    if lengths:
        same(Ragged.from_list(given_.to_list()), given_)
    assert [len(sequence) for sequence in given_] == lengths
    for b in range(len(lengths)):
        assert torch.equal(given_[b], given_.to_list()[b])


def test_gradients_pass_every_form_unchanged() -> None:
    lengths = [2, 0, 3]
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)

    def through(x: torch.Tensor) -> torch.Tensor:
        padded = to_padded(unpack(pack(Ragged(x, torch.tensor(lengths)))), fill=7.0, total_length=5)
        return from_packed_sequence(
            to_packed_sequence(Ragged(from_padded(padded, lengths).values, torch.tensor([4, 1])))
        ).values

    assert torch.equal(through(x), x)
    assert torch.autograd.gradcheck(through, (x,))
    assert torch.autograd.gradgradcheck(through, (x,))


def test_nan_in_padding_reaches_no_gradient() -> None:
    padded = torch.full((3, 2, 1), float("nan"), dtype=torch.float64)
    padded[:2, 0] = 1.0
    padded.requires_grad_()
    from_padded(padded, [2, 0]).values.pow(2).sum().backward()
    assert padded.grad is not None
    assert padded.grad.flatten().tolist() == [2, 0, 2, 0, 0, 0]


def test_from_packed_sequence_sorted_by_the_user() -> None:
    packed = pack_padded_sequence(torch.randn(4, 2, 1), torch.tensor([4, 2]))
    assert packed.sorted_indices is None
    assert from_packed_sequence(packed).lengths.tolist() == [4, 2]


def test_nested_with_holes() -> None:
    values = torch.arange(6.0).reshape(6, 1)
    holed = torch.nested.nested_tensor_from_jagged(values, torch.tensor([0, 3, 6]), torch.tensor([2, 1]))
    same(from_nested(holed), Ragged(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([2, 1])))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_packed_sequence(ragged([2, 0])), "none of length 0"),
        (lambda: to_packed_sequence(ragged([])), "at least one sequence"),
        (lambda: to_nested(ragged([])), "at least one sequence"),
        (lambda: from_nested(torch.zeros(2, 3)), "layout torch.jagged"),
        (lambda: from_nested(to_nested(ragged([1, 2])).transpose(1, 2)), "transpose it back"),
        (lambda: to_padded(ragged([3]), total_length=2), "total_length is 2, but the longest sequence has 3 steps"),
        (lambda: from_padded(torch.zeros(3, 2), [1]), "the batch holds 2 sequences"),
        (lambda: from_padded(torch.zeros(3, 2), [1, 4]), "between 0 and 3, not 1 to 4"),
        (lambda: from_padded(torch.zeros(3, 2), [-1, 3]), "between 0 and 3, not -1 to 3"),
        (lambda: from_padded(torch.zeros(3, 2), torch.tensor([1.0, 2.0])), "whole numbers"),
        (lambda: Packed(torch.zeros(3), torch.tensor([1, 2]), torch.arange(2)), "never rise"),
        (lambda: Packed(torch.zeros(2), torch.tensor([2, 0]), torch.arange(2)), "end with at least 1"),
        (lambda: Packed(torch.zeros(2), torch.tensor([2, 1]), torch.arange(2)), "add up to 3"),
        (lambda: Packed(torch.zeros(2), torch.tensor([2]), torch.arange(1)), "names 1 sequences"),
        (lambda: Packed(torch.zeros(2), torch.tensor([2.0]), torch.arange(2)), "int64 tensor on the CPU"),
        (lambda: Ragged(torch.zeros(2), torch.tensor([1])), "add up to 1"),
        (lambda: Ragged(torch.zeros(0), torch.tensor([1, -1])), "negative"),
        (lambda: Ragged(torch.tensor(0.0), torch.tensor([1])), "at least one dimension"),
        (lambda: Ragged(torch.zeros(1), torch.tensor([1.0])), "int64"),
    ],
)
def test_wrong_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_ragged_parts() -> None:
    given_ = ragged([2, 0, 4])
    assert given_.slice(1, 3).lengths.tolist() == [1, 0, 2]
    assert torch.equal(given_.slice(1, 3).values, given_.values[[1, 3, 4]])
    assert given_.last(3).lengths.tolist() == [2, 0, 3]
    assert torch.equal(given_.last(3)[2], given_[2][1:])
    assert torch.equal(given_.take(torch.tensor([2, 2]))[1], given_[2])
    assert torch.equal(given_.map(lambda values: values * 2).values, given_.values * 2)
    assert given_.to("cpu").values.device.type == "cpu"
    assert len(Ragged.from_list([])) == 0


@given(LENGTHS)
def test_a_step_before_and_after(lengths: list[int]) -> None:
    """Each sequence with one more step, an empty one too."""
    given_ = ragged(lengths)
    mark = torch.full((1, 2), -1.0, dtype=torch.float64)
    led, ended = given_.prepend(-1), given_.append(-1)
    assert led.lengths.tolist() == ended.lengths.tolist() == [length + 1 for length in lengths]
    for one, before, after in zip(given_, led, ended, strict=True):
        assert torch.equal(before, torch.cat([mark, one]))
        assert torch.equal(after, torch.cat([one, mark]))
