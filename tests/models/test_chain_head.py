"""A tagger whose labels are a chain."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from model_batches import make_batch

from ostinato import Tagger
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, describe
from ostinato.models.head import ChainHead
from ostinato.models.sequence import SequenceModel
from ostinato.sequences import Ragged

SPEC = Spec("ids", 9, "step", 3, chain=True)


def test_potentials_are_answers_and_what_stands_between() -> None:
    torch.manual_seed(0)
    head = ChainHead(4, 3).double().requires_grad_(False)
    for weight in (head.transitions, head.start, head.end):
        torch.nn.init.normal_(weight)
    steps = Ragged(torch.randn(4, 4, dtype=torch.float64), torch.tensor([3, 0, 1]))
    answers, found = head.steps(steps), head(steps)
    for t in range(4):
        for i in range(3):
            for j in range(3):
                between = head.start[j] if t in {0, 3} else head.transitions[i, j]
                end = head.end[j] if t in {2, 3} else 0.0
                assert float(found[t, i, j]) == pytest.approx(float(answers[t, j] + between + end))
    assert head(Ragged(steps.values[:0], torch.tensor([0, 0]))).shape == (0, 3, 3)


def test_a_model_gives_potentials_and_is_read_whole() -> None:
    model = SequenceModel(SPEC, ModelSettings(hidden=4))
    batch = make_batch(SPEC)
    answers, state = model(batch)
    assert answers.shape == (16, 3, 3)
    assert describe(model).startswith("embedding 9 -> LSTM 4 -> 3 outputs, a CRF, ")
    with pytest.raises(UsageError, match=r"task\.crf=false"):
        model(batch, state)


@pytest.mark.parametrize("setting", [{"training.window": 2}, {"training.burn_in": 1}])
def test_a_chain_is_not_cut(setting: dict[str, int]) -> None:
    model = Tagger(hidden=4, epochs=1, valid=0.0, bidirectional=False, settings={"task.crf": True, **setting})
    with pytest.raises(UsageError, match=r"task\.crf=false"):
        model.fit([["a", "b", "c"]] * 3, [["X", "Y", "X"]] * 3)


def test_a_chain_learns_what_neighbours_have_in_common() -> None:
    """Every token is the same, and labels alternate from either of two beginnings: only a chain is consistent."""
    words = [["w"] * length for length in (2, 3, 4, 5) for _ in range(20)]
    tags = [[("A", "B")[(place + row) % 2] for place in range(len(text))] for row, text in enumerate(words)]
    chain = {"task.crf": True, "model.dropout": 0.0}
    model = Tagger(hidden=4, epochs=15, learning_rate=0.05, valid=0.0, settings=chain).fit(words, tags)
    for length in (1, 2, 5):
        found = model.predict([["w"] * length])[0]
        assert all(one != other for one, other in pairwise(found))
    # One by one every label costs ln 2; as a chain the first does, and the 2.5 after it (in the mean) cost nothing.
    assert float(model.history_.rows[-1]["loss"]) < 0.5 * math.log(2)
