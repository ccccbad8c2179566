"""Cases, memory, processor time, what is kept for backward, and the gate before all of it."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.layers import __main__ as program
from benchmarks.layers import parity, worker
from benchmarks.layers.arena import Load, Pace, compete, pin
from benchmarks.layers.backends.common import saved_bytes, tensors, torch_arm
from benchmarks.layers.backends.loops import run_loop
from benchmarks.layers.cases import Arm, Case, all_cases, chosen
from benchmarks.layers.measured import Measured
from benchmarks.layers.problem import Problem, in_bfloat16

import ostinato

BACKENDS = Path(worker.__file__).parent / "backends"


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in all_cases()]
    assert len(names) == len(set(names))


def test_every_backend_exists() -> None:
    """Also those whose library is not here."""
    defined = {}
    for path in BACKENDS.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined[path.stem] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for case in all_cases():
        for arm in case.arms:
            module, _, function = arm.backend.partition(":")
            assert function in defined[module], f"{case.name}: {arm.backend}"


def test_words_choose_cases() -> None:
    assert {case.problem.cell for case in chosen("lstm,gru", quick=False)} == {"lstm", "gru"}
    assert {case.group for case in chosen("step", quick=False)} == {"step"}
    assert {case.problem.H for case in chosen("ragged train 64", quick=False)} >= {64}
    assert max(case.problem.H for case in chosen("", quick=True)) == 128
    with pytest.raises(ValueError, match=r"no case fits 'lstn'; words are .*lstm"):
        chosen("lstn", quick=False)


def test_lengths_are_spread() -> None:
    problem = Problem("lstm", 100, 32, 4, 4, ragged=True)
    assert (problem.lengths.min(), problem.lengths.max()) == (10, 100)
    assert problem.rows == problem.lengths.sum() == 1760
    padded = problem.numbers()["dy"][np.arange(100)[:, None] >= problem.lengths]
    assert not padded.any()


def test_bfloat16_rounds_to_the_nearest() -> None:
    numbers = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    numbers[:3] = 1 + 2**-8, 1 + 3 * 2**-8, -1e-30  # ties go to the even neighbour
    wanted = torch.from_numpy(numbers).bfloat16().float().numpy()
    np.testing.assert_array_equal(in_bfloat16(numbers), wanted)
    held = Problem("lstm", 5, 2, 3, 4, dtype="bfloat16").numbers()
    assert all((torch.from_numpy(a).bfloat16().float().numpy() == a).all() for a in held.values())


def test_work_of_a_problem() -> None:
    """8 T B H (I + H), three times that in training; ragged by real steps."""
    assert Problem("lstm", 10, 2, 3, 4).flops == 8 * 10 * 2 * 4 * (3 + 4)
    assert Problem("gru", 10, 2, 3, 4, train=True).flops == 3 * 6 * 10 * 2 * 4 * (3 + 4)
    ragged = Problem("elman", 10, 2, 3, 4, ragged=True)
    assert ragged.flops == 2 * (1 + 10) * 4 * (3 + 4)


def test_kept_bytes_count_a_storage_once() -> None:
    x = torch.randn(100, 10, requires_grad=True)

    def forward() -> torch.Tensor:
        y = torch.exp(x)  # keeps its result
        return (y[:50] * y[50:]).sum()  # keeps two views of it

    assert saved_bytes(forward, [x]) == 4 * 1000
    assert saved_bytes(forward, []) == 4 * 1000
    assert saved_bytes(lambda: x.square().sum(), [x]) == 0
    assert saved_bytes(lambda: x.square().sum(), []) == 4 * 1000


def test_kept_floats_of_an_eager_loop() -> None:
    problem = Problem("elman", 5, 4, 3, 8, train=True)
    given = tensors(problem)
    arm = torch_arm(problem, given, lambda: run_loop(problem, given))
    kept = Measured("", "equal", problem, (), {"ostinato": {"seconds": {}, "facts": arm.facts}}).saved()
    assert kept == pytest.approx(1, abs=0.01)  # tanh keeps its result, which is the next step's input


def test_peak_memory_begins_anew() -> None:
    big = np.ones(64 * 2**20 // 8)
    del big
    worker.forget_peak()
    low = worker.memory("VmHWM")
    again = np.ones(64 * 2**20 // 8)
    assert 60 * 2**20 < worker.memory("VmHWM") - low < 80 * 2**20
    del again


def test_own_work_is_not_foreign() -> None:
    load = Load([])
    before, until = load.used(), time.process_time() + 0.3
    while time.process_time() < until:
        pass
    assert load.used() - before == pytest.approx(0.3, abs=0.1)
    assert 0 <= load.foreign() <= 1.1


def test_red_parity_stops_everything(tmp_path: Path) -> None:
    seal = tmp_path / "results" / "parity.json"
    red = (sys.executable, "-c", "raise SystemExit(1)")
    with pytest.raises(SystemExit, match="the parity suite is red"):
        parity.require(seal, red)
    assert not seal.exists()
    parity.require(seal, (sys.executable, "-c", ""))
    parity.require(seal, red)  # these very sources passed: it is not run again
    seal.write_text('{"sources": "others"}', encoding="utf-8")
    with pytest.raises(SystemExit, match="the parity suite is red"):
        parity.require(seal, red)


def test_parity_sees_every_change(tmp_path: Path) -> None:
    places = [tmp_path / "src"]
    seals = [parity.fingerprint(tmp_path, places)]
    changes = (
        ("src/a.py", "1"),
        ("src/a.py", "2"),
        ("src/b/native.so", "2"),
        ("csrc/a.h", "2"),
        ("tests/nn/test.py", "2"),
    )
    for name, text in changes:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        seals.append(parity.fingerprint(tmp_path, places))
    assert len(set(seals)) == len(seals)


def test_parity_is_of_the_package_that_is_measured() -> None:
    assert Path(ostinato.__file__).parent in parity.package()


def test_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case at a time, the newest of each; a file a machine; those of other libraries go."""
    monkeypatch.setattr(program, "KEPT", tmp_path / "results" / "layers")
    assert program.kept() == []
    here, there = {"processor": "A 1", "cores": 2}, {"processor": "B", "cores": 2}
    program.keep("a", {"rounds": [1 / 3, 2]}, here)
    program.keep("b", {"why": 'a "quote" and µs'}, here)
    program.keep("a", {"rounds": [2e-6 / 3]}, here)
    program.keep("a", {}, there)
    both = {"a": {"rounds": [6.667e-07]}, "b": {"why": 'a "quote" and µs'}}
    assert program.kept() == [{"machine": here, "cases": both}, {"machine": there, "cases": {"a": {}}}]
    assert program.of_machine(here) == (tmp_path / "results" / "layers" / "a-1.json", both)
    program.keep("c", {}, here | {"cores": 4})
    assert program.kept()[0] == {"machine": here | {"cores": 4}, "cases": {"c": {}}}


@pytest.mark.slow
def test_a_case_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes, oracle, turns; one arm has no such layer and one dies."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    cores = os.sched_getaffinity(0)
    problem = Problem("lstm", 4, 3, 2, 5, train=True)
    arms = (
        Arm("ostinato", "ours:layer", problem),
        Arm("eager loop", "loops:eager_loop", problem),
        Arm("no such layer", "torch_layers:nothing", problem),
    )
    try:
        pin(1)
        record = compete(Case("equal", problem, arms, ("eager loop", "no such layer")), tmp_path, Pace(3, 0.001))
    finally:
        os.sched_setaffinity(0, cores)
    case = Measured("case", "equal", problem, ("eager loop", "no such layer"), record["arms"])
    assert "nothing" in record["arms"]["no such layer"]["failed"]
    assert case.best_peer() == "eager loop"
    assert case.lead() is not None
    assert len(record["foreign"]) == 3
    assert record["arms"]["ostinato"]["peak"] > record["arms"]["ostinato"]["resting"] > 0
