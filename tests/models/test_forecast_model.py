from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models.build import build
from ostinato.models.forecast import FeedForwardForecast, ForecastModel
from ostinato.models.settings import ModelSettings
from ostinato.sequences import Ragged
from ostinato.tasks.settings import TaskSettings

SPEC = Spec(
    "values", 1, "horizon", 3, static_size=2, horizon=7, look_back=9, segment=3, season=4, known_size=2, causal=True
)
SMALL = ModelSettings(cell="gru", hidden=8)
DIRECT = TaskSettings()


def batch_of(spec: Spec, lengths: list[int], seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    steps = [torch.randn(n, spec.input_size, generator=random) for n in lengths]
    count = len(lengths)
    known = torch.randn(count, spec.look_back + spec.horizon, spec.known_size, generator=random)
    return Batch(
        inputs=Ragged.from_list(steps),
        index=torch.arange(count),
        static=torch.eye(spec.static_size)[torch.arange(count) % spec.static_size] if spec.static_size else None,
        known=known if spec.known_size else None,
    )


def rows(batch: Batch, index: list[int]) -> Batch:
    at = torch.tensor(index)
    return replace(
        batch,
        inputs=batch.inputs.take(at),
        index=at,
        static=None if batch.static is None else batch.static[at],
        known=None if batch.known is None else batch.known[at],
    )


def model_of(spec: Spec = SPEC, settings: ModelSettings = SMALL, task: TaskSettings = DIRECT) -> ForecastModel:
    torch.manual_seed(0)
    model = build(spec, settings, task)
    assert isinstance(model, ForecastModel)
    return model.eval()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "gru_before"])
@pytest.mark.parametrize("decode", ["direct", "rollout"])
@pytest.mark.parametrize("layers", [1, 2])
def test_an_answer_does_not_depend_on_its_batch(cell, decode, layers):
    model = model_of(settings=replace(SMALL, cell=cell, layers=layers), task=TaskSettings(decode=decode))
    batch = batch_of(SPEC, [9, 1, 4, 9, 3])
    whole, state = model(batch)
    assert whole.shape == (5, 7, 3)
    assert state[0].shape == (layers, 5, 8)
    for b in range(5):
        alone = model(rows(batch, [b]))[0]
        assert torch.allclose(alone[0], whole[b], atol=1e-6)


def test_the_equation_by_hand():
    """The same numbers from the weights, written out for one full window."""
    spec = replace(SPEC, known_size=0, static_size=0)
    model = model_of(spec)
    batch = batch_of(spec, [9])
    x = batch.inputs.values[:, 0]
    gru = torch.nn.GRU(8, 8)
    gru.load_state_dict(dict(model.stack.layers[0].state_dict()))
    segments = torch.relu(x.reshape(3, 1, 3) @ model.read.weight.T + model.read.bias)
    _, h = gru(segments)
    season = x[-4:].repeat(3)
    blocks = []
    for j in range(3):
        seen, _ = gru(model.place[j].reshape(1, 1, 8), h)
        written = (seen[0] @ model.write.weight.T + model.write.bias).reshape(3, 3)
        trust = torch.sigmoid(seen[0] @ model.trust.weight.T + model.trust.bias).reshape(3)
        blocks.append(written + (trust * season[3 * j : 3 * j + 3])[:, None])
    assert torch.allclose(model(batch)[0][0], torch.cat(blocks)[:7], atol=1e-6)


def test_roll_out_reads_what_it_wrote():
    """With one segment more in the past, what was the second segment is the first."""
    spec = replace(SPEC, known_size=0, static_size=0, season=0, horizon=6)
    model = model_of(spec, task=TaskSettings(decode="rollout"))
    batch = batch_of(spec, [6])
    answer = model(batch)[0]
    longer = torch.cat([batch.inputs.values, answer[0, :3, 1:2]])
    later = model(replace(batch, inputs=Ragged.from_list([longer])))[0]
    assert torch.allclose(later[0, :3], answer[0, 3:], atol=1e-6)


def test_known_covariates_reach_past_and_future():
    for decode in ("direct", "rollout"):
        model = model_of(task=TaskSettings(decode=decode))
        batch = batch_of(SPEC, [9, 9])
        base = model(batch)[0]
        assert batch.known is not None
        for step in (0, 8, 9, 15):
            known = batch.known.clone()
            known[0, step] += 1
            changed = model(replace(batch, known=known))[0]
            assert not torch.allclose(changed[0], base[0], atol=1e-6), step
            assert torch.equal(changed[1], base[1])


def test_what_is_known_later_does_not_change_an_earlier_segment():
    model = model_of()
    batch = batch_of(SPEC, [9])
    assert batch.known is not None
    known = batch.known.clone()
    known[:, 9 + 3 :] += 1
    changed, base = model(replace(batch, known=known))[0], model(batch)[0]
    assert torch.equal(changed[:, :3], base[:, :3])
    assert not torch.allclose(changed[:, 3:], base[:, 3:])


def test_missing_covariates_are_said():
    with pytest.raises(ValueError, match="needs covariates known ahead, 2 a step"):
        model_of()(replace(batch_of(SPEC, [9]), known=None))


def test_a_season_that_is_not_seen_is_not_copied():
    spec = replace(SPEC, known_size=0, static_size=0)
    model = model_of(spec)
    assert model._season(batch_of(spec, [3]).inputs).abs().sum() == 0
    steps = Ragged.from_list([torch.arange(6.0)[:, None]])
    assert model._season(steps).flatten().tolist() == [2, 3, 4, 5, 2, 3, 4, 5, 2]


@pytest.mark.parametrize("decode", ["direct", "rollout"])
def test_every_weight_learns(decode):
    model = model_of(task=TaskSettings(decode=decode))
    model(batch_of(SPEC, [9, 5]))[0].sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    segment=st.integers(1, 5),
    horizon=st.integers(1, 9),
    season=st.sampled_from([0, 2, 5]),
)
def test_any_sizes(lengths, segment, horizon, season):
    spec = replace(SPEC, look_back=12, segment=segment, horizon=horizon, season=season, known_size=1)
    batch = batch_of(spec, lengths)
    for decode in ("direct", "rollout"):
        model = model_of(spec, task=TaskSettings(decode=decode))
        answer, _ = model(batch)
        assert answer.shape == (len(lengths), horizon, 3)
        assert torch.isfinite(answer).all()
        for b in range(len(lengths)):
            assert torch.allclose(model(rows(batch, [b]))[0][0], answer[b], atol=1e-5)


def test_embedded_steps_carry_the_gradient():
    model = model_of()
    batch = batch_of(SPEC, [9])
    steps = model.embed(batch).map(lambda v: v.clone().requires_grad_())
    answer, _ = model(batch, embedded=steps)
    assert torch.equal(answer, model(batch)[0])
    answer[0, 0, 1].backward()
    assert (steps.values.grad.abs() > 0).all()


def test_settings_that_do_not_fit():
    with pytest.raises(UsageError, match="cannot read from the end"):
        model_of(settings=replace(SMALL, bidirectional=True))


def test_feed_forward_sees_the_last_steps_alone():
    model = FeedForwardForecast(SPEC, look_back=4, hidden=5).eval()
    batch = batch_of(SPEC, [9, 2, 4])
    whole, state = model(batch)
    assert whole.shape == (3, 7, 3)
    assert state == ()
    for b in range(3):
        assert torch.allclose(model(rows(batch, [b]))[0][0], whole[b], atol=1e-6)
    values = batch.inputs.values.clone()
    values[:5] += 1
    assert torch.equal(model(replace(batch, inputs=Ragged(values, batch.inputs.lengths)))[0], whole)
    values[5] += 1
    assert not torch.equal(model(replace(batch, inputs=Ragged(values, batch.inputs.lengths)))[0], whole)
    short = rows(batch, [1])
    filled = torch.cat([short.inputs.values[:1].expand(2, 1), short.inputs.values])
    assert torch.equal(model(replace(short, inputs=Ragged.from_list([filled])))[0], model(short)[0])


def test_feed_forward_alone():
    spec = replace(SPEC, known_size=0, static_size=0)
    model = FeedForwardForecast(spec)
    assert model.look_back == 9
    assert model(batch_of(spec, [9]))[0].shape == (1, 7, 3)
    for look_back, hidden in ((10, 5), (-1, 5), (3, 0)):
        with pytest.raises(UsageError, match="look-back of 1 to 9"):
            FeedForwardForecast(spec, look_back, hidden)


@pytest.mark.parametrize("decode", ["direct", "rollout"])
def test_double_precision_gradients(decode):
    """Against finite differences, through the roll-out too."""
    spec = replace(SPEC, horizon=4, segment=2, look_back=5, known_size=0, static_size=0, season=3)
    model = model_of(spec, replace(SMALL, hidden=3), TaskSettings(decode=decode)).double()
    batch = batch_of(spec, [5, 2])

    def answer(values: torch.Tensor) -> torch.Tensor:
        return model(batch, embedded=Ragged(values, batch.inputs.lengths))[0]

    values = batch.inputs.values.double().requires_grad_()
    assert torch.autograd.gradcheck(answer, (values,))
    assert np.isfinite(values.detach().numpy()).all()


def test_several_seasons_are_mixed():
    """Without other weights: the mean of both last seasons, by the weights of a softmax; trust is nearly whole."""
    spec = Spec("values", 1, "horizon", 1, horizon=6, look_back=12, segment=3, season=2, seasons=(5,), causal=True)
    settings = TaskSettings(quantiles=(0.5,))
    model = ForecastModel(spec, ModelSettings(cell="gru", hidden=4), settings)
    for parameter in model.parameters():
        parameter.data.zero_()
    model.trust.bias.data.fill_(50.0)
    model.mix.bias.data.copy_(torch.tensor([0.0, math.log(3)]).repeat(3))  # a quarter and three quarters
    x = torch.arange(12.0)
    answer = model(Batch(Ragged(x[:, None], torch.tensor([12])), torch.tensor([0])))[0][0, :, 0]
    two, five = x[-2:].repeat(3), x[-5:].repeat(2)[:6]
    assert answer.tolist() == pytest.approx((two / 4 + 3 * five / 4).tolist(), rel=1e-5)
    short = torch.arange(4.0)  # five steps back it shows nothing, so the first season stands for both
    answer = model(Batch(Ragged(short[:, None], torch.tensor([4])), torch.tensor([0])))[0][0, :, 0]
    assert answer.tolist() == pytest.approx(short[-2:].repeat(3).tolist(), rel=1e-5)


@pytest.mark.parametrize("decode", ["direct", "rollout"])
def test_weights_of_several_seasons_learn(decode):
    spec = Spec("values", 1, "horizon", 3, horizon=7, look_back=12, segment=3, season=2, seasons=(5, 4), causal=True)
    model = ForecastModel(spec, ModelSettings(cell="gru", hidden=4), TaskSettings(decode=decode))
    batch = Batch(Ragged(torch.randn(31, 1), torch.tensor([12, 7, 12])), torch.arange(3))
    model(batch)[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (model.mix.weight, model.mix.bias))
