"""JAX: ``lax.scan`` over the steps, the input's product ahead of it, everything in one jit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.layers.backends.common import Arm, fastest, leaves
from benchmarks.layers.equations import EQUATIONS, Ops
from benchmarks.layers.problem import Arrays, Problem


def _linear(x: Any, w: Any, b: Any) -> Any:
    """``x w^T + b``."""
    return x @ w.T if b is None else x @ w.T + b


def _norm(x: Any, gain: Any, bias: Any) -> Any:
    """Layer normalisation."""
    centred = x - x.mean(-1, keepdims=True)
    return gain * centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) + bias


OPS = Ops(_linear, jax.nn.sigmoid, jnp.tanh, _norm, lambda parts: jnp.concatenate(parts, -1), jnp)
UNROLLS = (1, 4)
"""Steps a turn of the loop that are tried; the faster serves."""


def scan(problem: Problem) -> Arm:
    """The faster of the loops, with values and gradients in one compiled function."""
    given = {name: jnp.asarray(value) for name, value in problem.numbers().items()}
    chosen = {name: given[name] for name in leaves(problem)}
    rest = {name: value for name, value in given.items() if name not in chosen}
    calls = {}
    for unroll in UNROLLS[: 1 if problem.T == 1 else None]:
        function = jax.jit(_function(problem, unroll))
        calls[unroll] = _blocking(function, chosen, rest)
    best = fastest(calls)
    return Arm(calls[best], lambda: _named(problem, calls[best]()), {"unroll": best})


def _function(problem: Problem, unroll: int) -> Callable[[Any, Any], Any]:
    """Results, and gradients where it is trained."""
    equation = EQUATIONS[problem.cell]

    def forward(chosen: Any, rest: Any) -> tuple[Any, ...]:
        first = tuple(chosen[f"{part}0"] for part in equation.states)
        alive = jnp.arange(problem.T)[:, None] < rest["lengths"] if problem.ragged else None

        def step(state: Any, row: Any) -> Any:
            projected, reset, living = row
            begin = state
            if reset is not None:
                begin = tuple(jnp.where(reset[:, None], a, b) for a, b in zip(first, state, strict=True))
            after = equation.step(OPS, chosen, projected, begin)
            if living is None:
                return after, after[0]
            held = tuple(jnp.where(living[:, None], new, old) for new, old in zip(after, state, strict=True))
            return held, jnp.where(living[:, None], after[0], 0.0)

        projected = equation.project(OPS, chosen, chosen["x"])
        state, outputs = jax.lax.scan(step, first, (projected, rest.get("reset"), alive), unroll=unroll)
        return outputs, *state

    def both(chosen: Any, rest: Any) -> Any:
        outputs, pull = jax.vjp(lambda chosen: forward(chosen, rest), chosen)
        return outputs, pull(tuple(rest[f"d{name}"] for name in ("y", *equation.states)))[0]

    return both if problem.train else forward


def _blocking(function: Any, chosen: Any, rest: Any) -> Callable[[], Any]:
    """A call that ends when its results are there."""
    return lambda: jax.block_until_ready(function(chosen, rest))


def _named(problem: Problem, results: Any) -> Arrays:
    """Results and gradients by name."""
    outputs, grads = results if problem.train else (results, {})
    found = dict(zip(("y", *EQUATIONS[problem.cell].states), outputs, strict=True))
    found |= {f"grad {name}": grad for name, grad in grads.items()}
    return {name: np.asarray(value) for name, value in found.items()}
