"""The oracle is right, every arm that needs PyTorch alone meets it, and a wrong arm is never timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.layers import oracle, worker
from benchmarks.layers.backends import common, loops, ours, scans, torch_layers
from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Problem
from torch import Tensor

import ostinato

SMALL = {"T": 9, "B": 5, "I": 3, "H": 6}
PLAIN = ("lstm", "gru", "elman")


def alone(problem: Problem) -> dict[str, np.ndarray]:
    """The answers from torch.nn in float64, a sequence and an episode at a time."""
    given = common.tensors(problem, torch.float64)
    equation = EQUATIONS[problem.cell]
    layer = getattr(torch.nn, equation.layer)(problem.I, problem.H, dtype=torch.float64)
    names = list(equation.weights(problem.I, problem.H))

    def call(x: Tensor, *state: Tensor) -> Any:
        hx = [part[None] for part in state]
        weights = {f"{name}_l0": given[name] for name in names}
        return torch.func.functional_call(layer, weights, (x, tuple(hx) if len(hx) > 1 else hx[0]))

    outputs, finals = [], []
    for b, length in enumerate(problem.lengths):
        first = [given[f"{part}0"][b] for part in equation.states]
        flags = given["reset"][:length, b].tolist() if problem.resets else [False] * length
        cuts = [0, *(t for t in range(1, length) if flags[t]), length]
        parts, after = [], None
        for begin, end in pairwise(cuts):
            y, after = call(given["x"][begin:end, b], *first)
            parts.append(y)
        outputs.append(torch.cat([*parts, torch.zeros(problem.T - length, problem.H)]))
        finals.append([part[0] for part in (after if isinstance(after, tuple) else (after,))])
    results = (torch.stack(outputs, 1), *(torch.stack(parts) for parts in zip(*finals, strict=True)))
    return common.training_answers(problem, given, lambda: results)


@pytest.mark.parametrize("resets", [0.0, 0.3])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("cell", PLAIN)
def test_the_oracle_is_right(cell: str, ragged: bool, resets: float) -> None:
    problem = Problem(cell, **SMALL, train=True, ragged=ragged, resets=resets)
    if resets:
        assert problem.numbers()["reset"].any()
    off = oracle.errors(oracle.answer(problem), alone(problem))
    assert max(off.values()) < 1e-13
    assert len(off) == 1 + 2 * len(EQUATIONS[cell].states) + 5


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("cell", EQUATIONS)
def test_our_layers_meet_it(cell: str, train: bool) -> None:
    equation = EQUATIONS[cell]
    if not hasattr(ostinato.nn, equation.layer):
        pytest.skip(f"ostinato.nn has no {equation.layer}")
    forms: list[dict[str, Any]] = [{}, {"ragged": True}, {"resets": 0.3}, {"ragged": True, "packed": True}]
    forms += [{"dtype": "bfloat16"}] if cell in PLAIN else []
    for form in forms:
        problem = Problem(cell, **SMALL, train=train, **form)
        assert meets(replace(problem, I=problem.H) if equation.linear else problem, ours.layer)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("cell", PLAIN)
def test_torch_meets_it(cell: str, train: bool) -> None:
    problem = Problem(cell, **SMALL, train=train)
    assert meets(problem, torch_layers.layer)
    assert meets(replace(problem, ragged=True), torch_layers.packed)
    assert meets(replace(problem, ragged=True, packed=True), torch_layers.packed)
    assert meets(replace(problem, dtype="bfloat16"), torch_layers.layer)
    assert meets(replace(problem, T=1, B=1, train=False), torch_layers.cell)
    assert meets(replace(problem, ragged=True, resets=0.3), loops.eager_loop)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("cell", "form"),
    [(cell, scans.looped) for cell in scans.LOOPS] + [(cell, scans.in_logarithms) for cell in scans.LOGARITHMS],
)
def test_published_scans_meet_it(cell: str, form: Callable[[Problem], common.Arm], train: bool) -> None:
    assert meets(Problem(cell, T=9, B=5, I=6, H=6, train=train), form)


def test_streams_meet_it() -> None:
    if not hasattr(ostinato.nn.LSTM, "stream"):
        pytest.skip("layers have no stream")
    for dtype in ("float32", "bfloat16", "int8"):
        assert meets(Problem("lstm", 1, 1, 16, 16, dtype=dtype), ours.stream)


def meets(problem: Problem, make: Callable[[Problem], common.Arm]) -> bool:
    """Whether the arm answers as the oracle does, and its timed call runs."""
    wanted = oracle.answer(replace(problem, packed=False))
    wanted = {name: value for name, value in wanted.items() if problem.train or not name.startswith("grad ")}
    with torch.inference_mode(not problem.train):
        arm = make(problem)
        oracle.check(arm.answers(), wanted, arm.bound or problem.dtype)
        arm.call()
    return True


def wrong_gates(found: dict[str, np.ndarray]) -> None:
    found["y"] = np.roll(found["y"], 1, -1)


def wrong_gradient(found: dict[str, np.ndarray]) -> None:
    found["grad weight_hh"] = found["grad weight_hh"] * 1.001


def not_a_number(found: dict[str, np.ndarray]) -> None:
    found["grad x"] = np.where(np.arange(3) == 0, np.nan, found["grad x"])


def missing(found: dict[str, np.ndarray]) -> None:
    del found["c"]


def wrong_shape(found: dict[str, np.ndarray]) -> None:
    found["h"] = found["h"][:1]


WRONG = {
    wrong_gates: "y is off by",
    wrong_gradient: "grad weight_hh is off by 0.001",
    not_a_number: "grad x is off by inf",
    missing: "no answer for c",
    wrong_shape: "h has shape",
}


class Pipe:
    """What a worker says, and what it is told."""

    def __init__(self, *told: float | None) -> None:
        self.told, self.said = ["build", *told], list[Any]()

    def send(self, message: Any) -> None:
        self.said.append(message)

    def recv(self) -> Any:
        return self.told.pop(0)


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(worker, "WARM_SECONDS", 0.0)
    path = tmp_path / "wanted.npz"
    oracle.save(Problem("lstm", **SMALL, train=True), path)
    return str(path)


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
def test_a_wrong_peer_is_not_timed(spoil: Any, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch_layers.layer

    def peer(problem: Problem) -> common.Arm:
        arm = right(problem)
        found = arm.answers()
        spoil(found)
        arm.answers = lambda: found
        return arm

    monkeypatch.setattr(torch_layers, "layer", peer)
    pipe = Pipe()
    worker.serve(pipe, "torch_layers:layer", Problem("lstm", **SMALL, train=True), wanted)
    (said,) = pipe.said
    assert said.keys() == {"wrong"}
    assert said["wrong"].startswith(WRONG[spoil])


def test_a_right_peer_is_timed(wanted: str) -> None:
    pipe = Pipe(0.001, 0.001, None)
    worker.serve(pipe, "torch_layers:layer", Problem("lstm", **SMALL, train=True), wanted)
    ready, first, second, end = pipe.said
    assert max(ready["errors"].values()) < 1e-6
    assert "mkldnn_rnn_layer" in ready["facts"]["path"]
    assert min(len(first), len(second)) >= worker.LEAST_CALLS
    assert 0 < min(first) < 1
    assert end["peak"] > 0


def test_a_peer_that_cannot_be_built_says_why() -> None:
    pipe = Pipe()
    worker.serve(pipe, "torch_layers:layer", Problem("lstm_norm", **SMALL), "")
    assert "LayerNormLSTM" in pipe.said[0]["failed"]
