from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ostinato.data.settings import DataSettings
from ostinato.decoding.roll_out import roll_out
from ostinato.errors import DataError
from ostinato.models.build import build
from ostinato.models.settings import ModelSettings
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_heads import HEADS, Counts, Scaling, Student
from ostinato.tasks.forecast_parts import cut
from ostinato.tasks.settings import TaskSettings
from series_tables import fitted, table_of, wave

LEVELS = (0.1, 0.5, 0.9)


def scaling(*pairs: tuple[float, float]) -> Scaling:
    level, scale = zip(*pairs, strict=True)
    return Scaling(torch.tensor(level, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64))


def softplus(x: np.ndarray | float) -> np.ndarray:
    return np.logaddexp(0, x)


def test_student_is_scipys():
    random = np.random.default_rng(0)
    output, truth = random.normal(size=(2, 5, 3)), random.normal(size=(2, 5))
    truth[1, 3] = np.nan
    spread = stats.t(2 + softplus(output[..., 2]), output[..., 0], softplus(output[..., 1]) + 1e-3)
    units = scaling((10, 2), (-5, 0.1))
    loss, count = Student().loss(torch.tensor(output), torch.tensor(truth), units)
    assert count == 9
    assert float(loss) == pytest.approx(-np.nansum(spread.logpdf(truth)) / 9, rel=1e-9)
    found = Student().quantiles(torch.tensor(output), units, LEVELS)
    for place, level in enumerate(LEVELS):
        want = np.array([[10], [-5]]) + np.array([[2], [0.1]]) * spread.ppf(level)
        assert found[..., place] == pytest.approx(want, rel=1e-9)
    at = Student().at(torch.tensor(output), units, np.array([0.3, 0.995]))
    want = np.array([[10], [-5]]) + np.array([[2], [0.1]]) * spread.ppf(np.array([[0.3], [0.995]]))
    assert at == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(("level", "scale"), [(0, 1.0), (3, 2.5), (40_000, 900.0), (7, 0.0)])
def test_counts_are_scipys(level, scale):
    random = np.random.default_rng(1)
    output = random.normal(size=(1, 6, 2))
    unit = scale or 1.0
    mean = unit * (softplus(level / unit + output[..., 0]) + 1e-6)
    shape = ((mean + unit) / (unit * (softplus(output[..., 1]) + 1e-3))) ** 2
    spread = stats.nbinom(shape, shape / (shape + mean))
    assert spread.mean() == pytest.approx(mean)
    truth = np.array([[0, 1, 2, 5, level, level + 3]], dtype=np.float64)
    z = (truth - level) / unit if scale else np.zeros_like(truth)
    loss, count = Counts().loss(torch.tensor(output), torch.tensor(z), scaling((level, scale)))
    assert count == 6
    assert float(loss) == pytest.approx(-spread.logpmf(truth if scale else np.full((1, 6), level)).mean(), rel=1e-8)
    found = Counts().quantiles(torch.tensor(output), scaling((level, scale)), LEVELS)
    if not scale:
        assert (found == level).all()
        return
    for place, share in enumerate(LEVELS):  # the definition: the least count that is reached with this probability
        assert (spread.cdf(found[..., place]) >= share).all()
        assert (spread.cdf(found[..., place] - 1) < share).all()


@given(place=st.floats(-30, 30), width=st.floats(-30, 30), level=st.integers(0, 10**7), scale=st.floats(1e-3, 1e6))
def test_counts_of_any_size_are_counts(place, width, level, scale):
    output = torch.tensor([[[place, width]]], requires_grad=True)
    units = scaling((level, scale))
    found = Counts().quantiles(output, units, LEVELS)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (np.diff(found) >= 0).all()
    loss, _ = Counts().loss(output, torch.tensor([[1.0]]), units)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("head", ["student_t", "negative_binomial"])
def test_gradients(head):
    torch.manual_seed(0)
    size = HEADS[head](LEVELS).size
    output = torch.randn(2, 3, size, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.0, 1.0, torch.nan], [2.0, -1.0, 0.5]], dtype=torch.float64)
    units = scaling((5, 2), (3, 1))
    assert torch.autograd.gradcheck(lambda o: HEADS[head](LEVELS).loss(o, target, units)[0], output)


def test_a_constant_series_teaches_no_distribution():
    """Its scaled values are all 0: learned from, they would make every width as narrow as can be."""
    output = torch.zeros(2, 1, 3, requires_grad=True)
    loss, count = Student().loss(output, torch.zeros(2, 1), scaling((4, 1), (4, 0)))
    loss.backward()
    assert count == 1
    assert output.grad[1].abs().sum() == 0
    assert (Student().quantiles(output, scaling((4, 1), (4, 0)), LEVELS)[1] == 4).all()


def learned(task: Forecast, table, steps: int = 100, **settings: object):
    torch.manual_seed(0)
    model = build(task.spec, ModelSettings(cell="gru", hidden=8), TaskSettings(**settings))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    examples = task.examples(table)
    for step in range(steps):
        batch = examples.take(torch.arange(step % 4, len(examples), 4))
        optimizer.zero_grad()
        task.loss(model(batch)[0], batch)[0].backward()
        optimizer.step()
    return model.eval()


def test_what_is_learned_is_the_distribution_that_drew():
    """Counts of a negative binomial of mean 6 and variance 15: bands of a model that has nothing else to learn."""
    random = np.random.default_rng(0)
    counts = random.negative_binomial(4, 0.4, size=(40, 40)).astype(np.float64)
    settings = {"horizon": 2, "look_back": 4, "segment": 2, "season": 1, "head": "negative_binomial"}
    table = table_of(*counts)
    task = fitted(table, **settings)
    model = learned(task, cut(table, DataSettings(), TaskSettings(**settings)).train, **settings)
    said = roll_out(model, task, table)
    assert said["quantiles"][..., 0].mean() == pytest.approx(stats.nbinom.ppf(0.1, 4, 0.4), abs=1)
    assert said["quantiles"][..., 2].mean() == pytest.approx(stats.nbinom.ppf(0.9, 4, 0.4), abs=1.5)
    assert said["forecast"].mean() == pytest.approx(stats.nbinom.median(4, 0.4), abs=1)
    assert np.array_equal(said["quantiles"], said["quantiles"].round())
    far = roll_out(model, task, table, 7, paths=40)
    assert (far["quantiles"] >= 0).all()


def test_the_season_moves_the_place_alone():
    """With weights of 0 beside the trust in the last season, place is the last season and width is what it was."""
    table = table_of(wave(120, 6, noise=0))
    settings = {"horizon": 6, "look_back": 12, "segment": 6, "season": 6, "head": "student_t"}
    task = fitted(table, **settings)
    model = build(task.spec, ModelSettings(cell="gru", hidden=8), TaskSettings(**settings))
    for parameter in model.parameters():
        parameter.data.zero_()
    model.trust.bias.data.fill_(50.0)
    batch = task.examples(table).take(torch.tensor([0]))
    output = model(batch)[0]
    assert output[0, :, 0].detach().numpy() == pytest.approx(batch.inputs.values[-6:, 0].numpy(), abs=1e-6)
    assert (output[..., 1:] == 0).all()


@pytest.mark.parametrize(("value", "said"), [(2.5, "2.5 is no count"), (-1.0, "-1 is no count")])
def test_counts_must_be_counts(value, said):
    values = np.arange(40.0) % 7
    values[9] = value
    with pytest.raises(DataError, match=f"series 'S1', step 10: {said}.*student_t"):
        fitted(table_of(values), horizon=2, head="negative_binomial")
