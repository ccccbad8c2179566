from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.training import OptimizerSettings
from ostinato.training.schedule import Schedule, drops


def schedule(name: str, **settings: float) -> Schedule:
    return Schedule(OptimizerSettings(schedule=name, learning_rate=0.8, **settings))


@given(st.floats(0, 1), st.integers(0, 100))
def test_constant_is_constant(progress: float, epoch: int) -> None:
    assert schedule("constant").rate(progress, epoch) == 0.8


@given(st.integers(0, 200))
def test_cosine_is_torchs(step: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
    optimizer.step()
    for _ in range(step):
        theirs.step()
    assert schedule("cosine").rate(step / 200, 0) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)


def test_warm_up_rises_from_zero_and_the_cosine_begins_after_it() -> None:
    ours = schedule("cosine", warmup=0.2)
    assert [ours.rate(p, 0) for p in (0.0, 0.05, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.2, 0.8, 0.4, 0.0])
    assert schedule("constant", warmup=1.0).rate(0.25, 0) == pytest.approx(0.2)
    assert schedule("cosine", warmup=1.0).rate(0.5, 0) == pytest.approx(0.4)


def test_step_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    theirs = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    ours = schedule("step", every=3, decay=0.5)
    for epoch in range(10):
        assert ours.rate(0.5, epoch) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 4), st.booleans())
def test_plateau_is_torchs(values: list[int], every: int, higher: bool) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max" if higher else "min", factor=0.5, patience=every - 1, threshold=0.0, eps=0.0
    )
    for value in values:
        theirs.step(float(value))
    count = drops([float(value) for value in values], every, higher)
    assert schedule("plateau").rate(0.5, 0, count) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_nan_is_never_a_best() -> None:
    assert drops([math.nan, math.nan], 2, True) == 1
    assert drops([1.0, math.nan, 2.0, math.nan], 2, True) == 0
