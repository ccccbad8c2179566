"""The memory profile against recurrences whose derivatives are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch, SequenceExamples
from ostinato.evaluation import memory as memory_module
from ostinato.evaluation.memory import memory_profile
from ostinato.sequences import Ragged


class Decay(nn.Module):
    """h[t] = a h[t-1] + W x[t]: the derivative of h[t] by x[t-k] is a^k W."""

    def __init__(self, decay: float, outputs: int, outputs_kind: str, both: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, outputs, generator=generator, dtype=torch.float64))
        self.decay, self.kind = decay, outputs_kind
        self.settings = SimpleNamespace(bidirectional=both)

    def embed(self, batch: Batch) -> Ragged:
        return batch.inputs.map(lambda values: values.double())

    def forward(self, batch: Batch, state: object = None, embedded: Ragged | None = None) -> tuple[Tensor, tuple[()]]:
        steps = self.embed(batch) if embedded is None else embedded
        rows = []
        for sequence in steps.to_list():
            t = torch.arange(len(sequence), dtype=torch.float64)
            lag = t[:, None] - t[None, :]
            matrix = torch.where(lag >= 0, self.decay ** lag.clamp(min=0), torch.zeros(()).double())
            if self.settings.bidirectional:
                matrix = self.decay ** lag.abs()
            rows.append(matrix @ sequence @ self.weight)
        if self.kind == "step":
            return torch.cat(rows), ()
        return torch.stack([row[-1] for row in rows]), ()


def task(outputs: str) -> object:
    return SimpleNamespace(spec=SimpleNamespace(outputs=outputs))


def examples(*lengths: int) -> SequenceExamples:
    torch.manual_seed(0)
    return SequenceExamples(Ragged.from_list([torch.randn(length, 3) for length in lengths]))


@pytest.mark.parametrize("outputs", [1, 5])
@pytest.mark.parametrize("kind", ["sequence", "step"])
def test_a_decay_is_found_exactly(kind: str, outputs: int) -> None:
    model = Decay(0.5, outputs, kind)
    profile = memory_profile(model, task(kind), examples(20, 20, 20))  # type: ignore[arg-type]
    expected = 0.5 ** np.arange(20)
    np.testing.assert_array_equal(profile.lags, np.arange(20))
    np.testing.assert_allclose(profile.influence, expected / expected.sum(), rtol=1e-9)
    assert profile.half == 0
    assert profile.reach == 4  # 1 - 0.5^5 = 0.969
    assert "95 % within 4 steps" in profile.text


def test_unequal_lengths_are_averaged_over_those_that_reach_so_far() -> None:
    profile = memory_profile(Decay(0.9, 2, "sequence"), task("sequence"), examples(3, 10, 0))  # type: ignore[arg-type]
    expected = 0.9 ** np.arange(10)
    np.testing.assert_allclose(profile.influence, expected / expected.sum(), rtol=1e-9)


def test_random_signs_estimate_large_answers() -> None:
    profile = memory_profile(Decay(0.8, 64, "sequence"), task("sequence"), examples(*[15] * 24))  # type: ignore[arg-type]
    expected = 0.8 ** np.arange(15)
    np.testing.assert_allclose(profile.influence, expected / expected.sum(), rtol=1e-9)  # the same signs at every lag


def test_both_directions_see_what_comes_after() -> None:
    profile = memory_profile(Decay(0.5, 2, "step", both=True), task("step"), examples(*[21] * 4))  # type: ignore[arg-type]
    assert profile.lags.min() == -20
    assert profile.lags.max() == 20
    share = dict(zip(profile.lags.tolist(), profile.influence.tolist(), strict=True))
    assert share[-3] == pytest.approx(share[3], rel=1e-9)
    assert share[3] == pytest.approx(share[0] / 8, rel=1e-9)
    assert profile.half == 1  # a third at lag 0, a third at lags 1 and -1
    assert "around it" in profile.text


def test_a_long_memory_says_that_it_may_be_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MOST_STEPS", 8)
    profile = memory_profile(Decay(1.0, 1, "sequence"), task("sequence"), examples(30))  # type: ignore[arg-type]
    np.testing.assert_allclose(profile.influence, np.full(8, 1 / 8))
    assert profile.longest == 7
    assert "may be more" in profile.text


def test_no_influence_and_no_examples() -> None:
    model = Decay(0.5, 2, "sequence")
    nn.init.zeros_(model.weight)
    for some in (examples(4), examples(0, 0), examples()):
        profile = memory_profile(model, task("sequence"), some)  # type: ignore[arg-type]
        assert profile.influence.sum() == 0
        assert profile.text.startswith("Nothing")


def test_the_model_is_left_as_it_was_and_the_profile_repeats() -> None:
    model = Decay(0.7, 20, "step").train()
    first = memory_profile(model, task("step"), examples(*range(1, 40)), seed=3)  # type: ignore[arg-type]
    again = memory_profile(model, task("step"), examples(*range(1, 40)), seed=3)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.influence, again.influence)
    assert model.training
    assert model.weight.requires_grad
    assert model.weight.grad is None


def test_a_real_recurrent_model() -> None:
    from ostinato.data.spec import Spec
    from ostinato.models import ModelSettings, build

    torch.manual_seed(0)
    spec = Spec("ids", 12, "sequence", 3)
    model = build(spec, ModelSettings(hidden=8, bidirectional=True), None)
    ids = SequenceExamples(Ragged.from_list([torch.randint(12, (n,)) for n in (5, 9, 30)]))
    profile = memory_profile(model, task("sequence"), ids)  # type: ignore[arg-type]
    assert profile.influence.sum() == pytest.approx(1.0)
    assert profile.lags.tolist() == list(range(30))


def test_the_characters_of_tokens_are_cut_along_with_a_long_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    from ostinato.data.spec import Spec
    from ostinato.models import ModelSettings, build

    monkeypatch.setattr(memory_module, "MOST_STEPS", 6)
    torch.manual_seed(0)
    lengths = torch.tensor([10, 4])
    spelled = Ragged(torch.randint(5, (28,)), torch.full((14,), 2))
    some = SequenceExamples(Ragged(torch.randint(9, (14,)), lengths), parts=spelled)
    model = build(Spec("ids", 9, "step", 3, parts_size=5), ModelSettings(hidden=4), None)
    profile = memory_profile(model, task("step"), some)  # type: ignore[arg-type]
    assert profile.longest == 5
    assert profile.influence.sum() == pytest.approx(1.0)
