"""The network without memory: what it sees, step by step, against windows cut by hand."""

from __future__ import annotations

import pytest
import torch
from model_batches import LENGTHS, answers, cut, make_batch, rows
from torch import Tensor

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import FeedForward, ModelSettings

SPECS = {
    "classify": Spec("ids", 9, "sequence", 3, static_size=2),
    "series": Spec("values", 2, "sequence", 3),
    "tag": Spec("ids", 9, "step", 4, parts_size=6, static_size=2),
    "language": Spec("ids", 9, "step", 9, causal=True),
}


def make(spec: Spec, look_back: int) -> FeedForward:
    torch.manual_seed(5)
    return FeedForward(spec, look_back, hidden=7, settings=ModelSettings(embedding=3)).eval()


def seen_by_hand(model: FeedForward, steps: Tensor, first: int) -> Tensor:
    """``look_back`` steps from ``first`` on, flattened; a flag says which exist."""
    window = []
    for place in range(first, first + model.look_back):
        exists = 0 <= place < len(steps)
        window.append(torch.cat([steps[place], torch.ones(1)]) if exists else torch.zeros(steps.shape[1] + 1))
    return torch.cat(window)


@pytest.mark.parametrize("look_back", [1, 2, 3, 6, 9])
@pytest.mark.parametrize("name", SPECS)
def test_sees_what_it_should(name: str, look_back: int) -> None:
    spec = SPECS[name]
    model = make(spec, look_back)
    batch = make_batch(spec)
    output, _ = model(batch)
    first, _, _, second, _, _, third = model.layers
    embedded = model.embed(batch)
    for row, found in enumerate(answers(spec, batch, output)):
        steps = embedded[row]
        if spec.outputs == "sequence":
            starts = [len(steps) - look_back]
        elif spec.causal:
            starts = [t - look_back + 1 for t in range(len(steps))]
        else:
            starts = [t - look_back // 2 for t in range(len(steps))]
        assert len(found) == len(starts)
        for start, answer in zip(starts, found, strict=True):
            x = seen_by_hand(model, steps, start)
            if spec.static_size:
                x = torch.cat([x, batch.static[row]])
            x = torch.relu(second(torch.relu(first(x))))
            torch.testing.assert_close(answer, third(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["series", "language", "classify"])
@pytest.mark.parametrize("look_back", [1, 2, 4])
def test_windows_give_what_the_whole_gives(name: str, look_back: int) -> None:
    spec = SPECS[name]
    model = make(spec, look_back)
    batch = make_batch(spec)
    expected = answers(spec, batch, model(batch)[0])
    state, pieces = None, []
    for start in range(0, max(LENGTHS), 2):
        window = cut(batch, start, start + 2)
        output, state = model(window, state)
        pieces.append(answers(spec, window, output))
    for row, answer in enumerate(expected):
        found = torch.cat([piece[row] for piece in pieces]) if spec.outputs == "step" else pieces[-1][row]
        torch.testing.assert_close(found, answer, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_a_batch_says_what_each_alone_says(name: str) -> None:
    spec = SPECS[name]
    model = make(spec, 3)
    batch = make_batch(spec)
    for row, found in enumerate(answers(spec, batch, model(batch)[0])):
        torch.testing.assert_close(found, model(rows(batch, [row]))[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [1]])
@pytest.mark.parametrize("name", SPECS)
def test_odd_batches(name: str, lengths: list[int]) -> None:
    spec = SPECS[name]
    output, _ = make(spec, 3)(make_batch(spec, lengths))
    assert output.shape == (sum(lengths) if spec.outputs == "step" else len(lengths), spec.output_size)


@pytest.mark.parametrize("name", SPECS)
def test_everything_learns(name: str) -> None:
    spec = SPECS[name]
    model = make(spec, 3)
    batch = make_batch(spec)
    model(batch, embedded=model.embed(batch))[0].square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_is_blind_beyond_its_look_back() -> None:
    spec = SPECS["language"]
    model = make(spec, 3)
    batch = make_batch(spec, [8])
    changed = Batch(batch.inputs.map(lambda ids: torch.cat([(ids[:1] + 1) % 9, ids[1:]])), batch.index)
    same = (model(batch)[0] == model(changed)[0]).all(dim=1)
    assert same.tolist() == [False] * 3 + [True] * 5


def test_says_what_can_be_carried() -> None:
    assert make(SPECS["tag"], 3).settings.bidirectional
    assert not make(SPECS["tag"], 1).settings.bidirectional
    both = FeedForward(SPECS["series"], 3, settings=ModelSettings(bidirectional=True, pool="mean"))
    assert (both.settings.bidirectional, both.settings.pool) == (False, "last")


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        FeedForward(SPECS["series"], 0)
    with pytest.raises(UsageError, match="rivals of its own"):
        FeedForward(Spec("values", 1, "horizon", 1, horizon=3), 3)
    with pytest.raises(UsageError, match=r"model\.dropout"):
        FeedForward(SPECS["series"], 3, settings=ModelSettings(dropout=2.0))
    tag, batch = make(SPECS["tag"], 3), make_batch(SPECS["tag"])
    with pytest.raises(UsageError, match=r"training\.window=0"):
        tag(batch, ())
    with pytest.raises(ValueError, match="found none"):
        tag(Batch(batch.inputs, batch.index, parts=batch.parts))
