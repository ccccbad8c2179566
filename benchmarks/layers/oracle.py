"""The float64 oracle: what every arm must answer before it is timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.layers.problem import Arrays, Problem

BOUNDS = {
    # dtype, or form: bound on max |a - b| / max |b| of each result and gradient, and where it comes from
    "float32": 5e-5,  # eps 6e-8; up to 1,000 steps, and gradients are sums over up to 6,400 rows
    "bfloat16": 5e-2,  # eps 4e-3; PyTorch's GRU adds up its weight gradients in it, off by 2.6e-2 at 100 steps
    "logarithms": 2e-2,  # a scan of float32 logarithms that grow with time: a right form that loses digits
    "int8": 3e-2,  # weights in 127 steps a row, inputs and states too
}
"""A gate in the wrong place, a bias forgotten or a step too many is off by 0.1 and more."""


class WrongAnswer(Exception):  # noqa: N818
    """An arm's answer is not the oracle's: it must not be timed."""


def answer(problem: Problem) -> Arrays:
    """Results and gradients by name, in float64, from the plain equation."""
    import torch

    from benchmarks.layers.backends.common import tensors, training_answers
    from benchmarks.layers.backends.loops import run_loop

    given = tensors(problem, torch.float64)
    return training_answers(problem, given, lambda: run_loop(problem, given))


def errors(found: Arrays, wanted: Arrays) -> dict[str, float]:
    """For each of an arm's answers, max ``|found - wanted| / max |wanted|``; not a number anywhere: infinite.

    Raises:
        WrongAnswer: an answer is missing or has another shape.
    """
    if missing := wanted.keys() - found.keys():
        raise WrongAnswer(f"no answer for {', '.join(sorted(missing))}")
    worst = {}
    for name, right in wanted.items():
        if found[name].shape != right.shape:
            raise WrongAnswer(f"{name} has shape {found[name].shape}, not {right.shape}")
        off = float(np.abs(found[name].astype(np.float64) - right).max()) / max(float(np.abs(right).max()), 1e-30)
        worst[name] = off if np.isfinite(off) else float("inf")
    return worst


def check(found: Arrays, wanted: Arrays, bound: str) -> dict[str, float]:
    """The errors of an arm.

    Raises:
        WrongAnswer: one is beyond that row of the table.
    """
    off = errors(found, wanted)
    name = max(off, key=off.__getitem__)
    if off[name] > BOUNDS[bound]:
        raise WrongAnswer(f"{name} is off by {off[name]:.2g}, allowed {BOUNDS[bound]:.0e}")
    return off


def save(problem: Problem, path: Path) -> None:
    """The oracle's answers as a file, which every arm of a case reads."""
    np.savez(path, **answer(problem))  # type: ignore[arg-type]


def load(path: Path, *, train: bool) -> Arrays:
    """What an arm must answer: gradients only where it is trained."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files if train or not name.startswith("grad ")}
