"""The equation in plain PyTorch, step by step: the oracle in float64, the eager loop, and torch.compile's arms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.layers.backends.common import OPS, Arm, tensors, torch_arm
from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Problem

Outputs = tuple[Tensor, ...]


def step_of(problem: Problem, given: dict[str, Tensor]) -> Callable[[Outputs, tuple[Any, ...]], tuple[Outputs, Tensor]]:
    """One step from a state over ``(projected, reset, alive)``, the latter None where all sequences are alike."""
    equation = EQUATIONS[problem.cell]
    first = tuple(given[f"{part}0"] for part in equation.states)

    def step(state: Outputs, row: tuple[Any, ...]) -> tuple[Outputs, Tensor]:
        projected, reset, alive = row
        begin = state
        if reset is not None:
            begin = tuple(torch.where(reset, a, b) for a, b in zip(first, state, strict=True))
        after = equation.step(OPS, given, projected, begin)
        if alive is None:
            return after, after[0]
        held = tuple(torch.where(alive, new, old) for new, old in zip(after, state, strict=True))
        return held, torch.where(alive, after[0], torch.zeros_like(after[0]))

    return step


def rows_of(problem: Problem, given: dict[str, Tensor]) -> tuple[Any, ...]:
    """What the steps read, each with time first, or None."""
    projected = EQUATIONS[problem.cell].project(OPS, given, given["x"])
    reset = given["reset"].unsqueeze(2) if problem.resets else None
    alive = (torch.arange(problem.T).unsqueeze(1) < given["lengths"]).unsqueeze(2) if problem.ragged else None
    return projected, reset, alive


def run_loop(problem: Problem, given: dict[str, Tensor], step: Any = None) -> Outputs:
    """All steps; gives the outputs ``(T, B, H)``, 0 beyond the lengths, and the final state."""
    step = step or step_of(problem, given)
    rows = [[None] * problem.T if part is None else part.unbind(0) for part in rows_of(problem, given)]
    state = tuple(given[f"{part}0"] for part in EQUATIONS[problem.cell].states)
    outputs = []
    for row in zip(*rows, strict=True):
        state, output = step(state, row)
        outputs.append(output)
    return torch.stack(outputs), *state


def eager_loop(problem: Problem) -> Arm:
    """A Python loop over the steps, as everyone writes a cell that torch.nn does not have."""
    given = tensors(problem)
    return torch_arm(problem, given, lambda: run_loop(problem, given))


def compiled(problem: Problem) -> Arm:
    """torch.compile at its best: in inference the whole sequence in one graph, in training one graph for each step.

    A ``scan`` in training gives wrong gradients of the recurrent weights (PyTorch 2.13).
    """
    given = tensors(problem)
    if problem.train:
        step = torch.compile(step_of(problem, given), fullgraph=True)
        return torch_arm(problem, given, lambda: run_loop(problem, given, step))
    whole = torch.compile(lambda given: run_scan(problem, given), fullgraph=True)
    return torch_arm(problem, given, lambda: whole(given))


def run_scan(problem: Problem, given: dict[str, Tensor]) -> Outputs:
    """As :func:`run_loop`, its loop an operator of the compiler."""
    from torch._higher_order_ops.scan import scan

    step = step_of(problem, given)
    present = [part for part in rows_of(problem, given) if part is not None]

    def one(state: Outputs, row: list[Tensor]) -> tuple[Outputs, Tensor]:
        ahead = iter(row)
        full = (next(ahead), next(ahead) if problem.resets else None, next(ahead) if problem.ragged else None)
        after, output = step(state, full)
        return tuple(part.clone() for part in after), output.clone()

    state, outputs = scan(one, tuple(given[f"{part}0"] for part in EQUATIONS[problem.cell].states), present)
    return outputs, *state
