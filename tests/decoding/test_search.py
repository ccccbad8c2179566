"""Batched beams against every sequence there is, against a greedy loop, and one by one."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.decoding.search import NOTHING, Search, write
from ostinato.errors import UsageError
from ostinato.models import ModelSettings
from ostinato.models.writer import Writer
from ostinato.sequences import Ragged

BEGIN, END, SIZE, LIMIT = 1, 2, 6, 4
SPEC = Spec("ids", 8, "text", SIZE, begin=BEGIN)
BANNED = (0, BEGIN)


@pytest.fixture(scope="module")
def model() -> Writer:
    torch.manual_seed(3)
    model = Writer(SPEC, ModelSettings(hidden=8, embedding=8, bidirectional=True)).double().eval()
    with torch.no_grad():  # far from uniform, so that sequences differ in their chances and lengths
        for weight in model.parameters():
            weight.mul_(3.0)
    return model


def sources(lengths: list[int], seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 8, (sum(lengths),), generator=draw)
    return Batch(Ragged(ids, torch.tensor(lengths)), torch.arange(len(lengths)))


def one(batch: Batch, row: int) -> Batch:
    return Batch(batch.inputs.take(torch.tensor([row])), torch.tensor([0]))


@torch.no_grad()
def scored(model: Writer, batch: Batch, ids: tuple[int, ...], search: Search) -> tuple[float, list[int]]:
    """A sequence's score and where it looked, symbol by symbol; one shorter than the limit ends."""
    source = model.read(batch)
    state, total, seen, places = source.first, 0.0, torch.zeros(source.mask.shape[1], dtype=torch.float64), []
    last, symbols = BEGIN, (*ids, END) if len(ids) < search.limit else ids
    for symbol in symbols:
        logits, state, shares = model.advance(torch.tensor([last]), state, source)
        logits[:, list(search.banned)] = -torch.inf
        chances = logits[0].log_softmax(-1)
        total += float(chances[symbol])
        seen += shares[0, 0]
        places.append(int(shares[0, 0].argmax()))
        last = symbol
    penalty = sum(math.log(min(max(value, 1e-9), 1.0)) for value in seen.tolist())
    return total / len(symbols) ** search.alpha + search.coverage * penalty, places[: len(ids)]


def everything(model: Writer, batch: Batch, search: Search) -> list[tuple[float, tuple[int, ...]]]:
    """Every sequence there is with its score, best first."""
    letters = [symbol for symbol in range(SIZE) if symbol not in (*BANNED, END)]
    found = [ids for length in range(search.limit + 1) for ids in itertools.product(letters, repeat=length)]
    return sorted(((scored(model, batch, ids, search)[0], ids) for ids in found), reverse=True)


def told(ids: torch.Tensor) -> tuple[int, ...]:
    return tuple(symbol for symbol in ids.tolist() if symbol != NOTHING)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("coverage", [0.0, 0.5])
def test_a_wide_beam_is_exhaustive(model: Writer, alpha: float, coverage: float) -> None:
    batch = sources([3, 5, 1])
    search = Search(END, LIMIT, 200, alpha, coverage, BANNED, count=6, exact=True)
    found = write(model, batch, search)
    for row in range(3):
        best = everything(model, one(batch, row), search)[:6]
        assert [told(ids) for ids in found.ids[row]] == [ids for _, ids in best]
        assert found.scores[row].tolist() == pytest.approx([score for score, _ in best], abs=1e-9)
        ids = best[0][1]
        assert told(found.places[row, 0]) == tuple(scored(model, one(batch, row), ids, search)[1])


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("coverage", [0.0, 0.3])
def test_a_batch_is_one_by_one(model: Writer, width: int, coverage: float) -> None:
    batch = sources([2, 7, 1, 4, 4, 0, 9], seed=1)
    search = Search(END, 9, width, 0.8, coverage, BANNED, count=width)
    whole = write(model, batch, search)
    for row in range(len(batch)):
        alone = write(model, one(batch, row), search)
        assert torch.equal(whole.ids[row], alone.ids[0])
        assert torch.equal(whole.places[row], alone.places[0])
        torch.testing.assert_close(whole.scores[row], alone.scores[0], rtol=1e-9, atol=1e-10)


@torch.no_grad()
def test_a_width_of_one_is_greedy(model: Writer) -> None:
    batch = sources([3, 6, 2, 5], seed=2)
    found = write(model, batch, Search(END, 12, 1, banned=BANNED))
    for row in range(4):
        source = model.read(one(batch, row))
        state, last, ids = source.first, BEGIN, []
        for _ in range(12):
            logits, state, _ = model.advance(torch.tensor([last]), state, source)
            logits[:, list(BANNED)] = -torch.inf
            last = int(logits.argmax())
            if last == END:
                break
            ids.append(last)
        assert list(told(found.ids[row, 0])) == ids


def test_the_best_n_are_different_and_in_order(model: Writer) -> None:
    found = write(model, sources([3, 5]), Search(END, 8, 6, banned=BANNED, count=6))
    for row in range(2):
        assert len({told(ids) for ids in found.ids[row]}) == 6
        assert found.scores[row].tolist() == sorted(found.scores[row].tolist(), reverse=True)


def test_the_mode_of_the_model_is_kept(model: Writer) -> None:
    model.train()
    write(model, sources([2]), Search(END, 4, 2))
    assert model.training
    model.eval()


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"limit": 0}, {"count": 0}, {"count": 6}, {"alpha": -1.0}, {"coverage": float("inf")}]
)
def test_wrong_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Search(**{"end": END, "limit": 5, **wrong})  # type: ignore[arg-type]
