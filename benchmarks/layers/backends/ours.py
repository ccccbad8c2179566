"""Ostinato's layers, on whatever engine the chooser takes."""

from __future__ import annotations

import ostinato
from benchmarks.layers.backends.common import Arm, torch_arm
from benchmarks.layers.backends.torch_layers import begin, built, flat, packed
from benchmarks.layers.problem import Problem


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
