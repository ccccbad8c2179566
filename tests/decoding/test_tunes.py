"""Continuations against a loop that runs the whole tune anew for every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato.data.examples import Batch
from ostinato.data.settings import DataSettings
from ostinato.data.spec import Spec
from ostinato.data.table import Column, Kind, Table
from ostinato.decoding import Sampling, continuation
from ostinato.errors import UsageError
from ostinato.models import ModelSettings, build
from ostinato.sequences import Ragged
from ostinato.tasks import Language, Music, TaskSettings

TASK = Music("roll", tuple("abcde"), 2.0, None)


def model(cell: str = "lstm", layers: int = 1) -> torch.nn.Module:
    torch.manual_seed(0)
    spec = Spec("values", 5, "step", 5, causal=True)
    made = build(spec, ModelSettings(cell=cell, hidden=6, layers=layers), TaskSettings())  # type: ignore[arg-type]
    with torch.no_grad():
        made.head.linear.weight.mul_(4.0)
    return made


def given(steps: int = 4) -> torch.Tensor:
    return (torch.rand(steps, 5, generator=torch.Generator().manual_seed(1)) < 0.4).float()


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("gru", 2)])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_the_same_as_running_everything_anew(cell: str, layers: int, temperature: float) -> None:
    made, keys, random = model(cell, layers), given(), np.random.default_rng([3, 0])
    for _ in range(7):
        with torch.no_grad():
            logits = made(Batch(Ragged(keys * TASK.scale, torch.tensor([len(keys)])), torch.tensor([0])))[0][-1]
        uniforms = torch.from_numpy(random.random(5))
        chance = torch.sigmoid(logits.double() / temperature) if temperature else (logits > 0).double()
        keys = torch.cat([keys, (uniforms < chance).float()[None]])
    played = continuation(made, TASK, given(), length=7, sampling=Sampling(temperature), seed=3)
    np.testing.assert_array_equal(played, keys[4:].numpy() > 0)


def test_top_k_lets_no_more_keys_sound() -> None:
    made = model()
    with torch.no_grad():
        made.head.linear.bias.fill_(9.0)  # every key would sound
    for k in (1, 2, 5):
        assert (continuation(made, TASK, given(), length=6, sampling=Sampling(top_k=k)).sum(1) == k).all()


def test_frequencies_follow_the_probabilities() -> None:
    made = model()
    with torch.no_grad():
        made.head.linear.weight.zero_()
        made.head.linear.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 9.0, -9.0]))
    chance = continuation(made, TASK, given(), length=400, sampling=Sampling(2.0)).mean(0)
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-np.array([0, 0.5, -0.5, 4.5, -4.5]))), atol=0.12)


def test_a_temperature_near_zero_takes_what_is_likelier() -> None:
    bold = continuation(model(), TASK, given(), length=5, sampling=Sampling(1e-300))
    np.testing.assert_array_equal(bold, continuation(model(), TASK, given(), length=5, sampling=Sampling(0.0)))


def test_nothing_more_and_what_is_wrong() -> None:
    assert continuation(model(), TASK, given(), length=0).shape == (0, 5)
    with pytest.raises(UsageError, match="at least one step"):
        continuation(model(), TASK, given(0))
    with pytest.raises(UsageError, match="--top-k"):
        continuation(model(), TASK, given(), sampling=Sampling(top_p=0.9))
    with pytest.raises(UsageError, match="0 or more"):
        continuation(model(), TASK, given(), length=-1)
    text = Table({"text": Column("text", Kind.TEXT, ["abc" * 20])})
    with pytest.raises(UsageError, match="trained for the task 'language'"):
        continuation(model(), Language.fit(text, DataSettings(), TaskSettings()), given())
