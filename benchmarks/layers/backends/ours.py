"""Ostinato's layers, on whatever engine the chooser takes."""

from __future__ import annotations

import torch

import ostinato
from benchmarks.layers.backends.common import Arm, torch_arm
from benchmarks.layers.backends.torch_layers import begin, built, flat, packed
from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Arrays, Problem


def layer(problem: Problem) -> Arm:
    """The layer, padded in and out with ``lengths=`` and ``reset=``, or on a PackedSequence."""
    module, given = built(problem, ostinato.nn)
    if problem.packed:
        arm = packed(problem, ostinato.nn)
    else:
        flow = {name: given.get(name) for name in ("lengths", "reset")}
        arm = torch_arm(problem, given, lambda: flat(*module(given["x"], begin(problem, given), **flow)))
    arm.facts["engine"] = ostinato.explain(module)
    return arm


def stream(problem: Problem) -> Arm:
    """The layer a step at a time, on numpy; its weights kept in the problem's dtype."""
    module, given = built(problem, ostinato.nn, torch.float32)
    names = EQUATIONS[problem.cell].states
    running = module.stream(problem.B, weights=problem.dtype)
    running.load(begin(problem, given))
    x = given["x"][0].numpy()

    def answers() -> Arrays:
        running.load(begin(problem, given))
        y, state = running.step(x), running.state
        parts = state if isinstance(state, tuple) else (state,)
        return {"y": y[None], **{name: part[0].numpy() for name, part in zip(names, parts, strict=True)}}

    return Arm(lambda: running.step(x), answers, {"engine": repr(running)})
