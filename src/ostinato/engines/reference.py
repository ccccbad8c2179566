"""The reference engine: a loop over the cell. It defines the right answer and serves every request."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato.engines.request import Engine, Request, Result, Trace


class ReferenceEngine(Engine):
    """A loop over steps in plain PyTorch, differentiable any number of times, forward and backward, under vmap too."""

    name = "reference"

    def refuses(self, request: Request) -> str | None:  # noqa: ARG002
        """Nothing."""
        return None

    def how(self, request: Request) -> str:
        """The cell's own equation."""
        return f"a loop over the steps of cell '{request.cell.name}'"

    def run(self, request: Request) -> Result:
        """Step by step; a sequence joins where it begins and leaves where it ends."""
        sizes = request.rows.batch_sizes.tolist()
        if not sizes:
            return empty(request)
        projected = request.cell.project(request.weights, request.rows.data).split(sizes)
        resets = None if request.reset is None else request.reset.unsqueeze(1).split(sizes)
        steps = range(len(sizes))[::-1] if request.reverse else range(len(sizes))
        state, finished, states, gates = take(request, 0, sizes[steps[0]]), [], [], []
        for t in steps:
            alive = state.h.shape[0]
            if alive > sizes[t]:
                finished.append(type(state)(*(part[sizes[t] :] for part in state)))
                state = type(state)(*(part[: sizes[t]] for part in state))
            elif alive < sizes[t]:
                state = joined([state, take(request, alive, sizes[t])])
            if resets is not None:
                first = take(request, 0, sizes[t])
                state = type(state)(*(torch.where(resets[t], a, b) for a, b in zip(first, state, strict=True)))
            opened = request.cell.gate(request.weights, projected[t], state)
            state = request.cell.update(request.weights, opened, state)
            states.append(state)
            gates.append(opened)
        final = joined([state, *finished[::-1], take(request, sizes[0], len(request.rows))])
        if request.reverse:
            states, gates = states[::-1], gates[::-1]
        trace = Trace(joined(states), joined(gates)) if request.trace else None
        return Result(torch.cat([step.h for step in states]), final, trace)


def take(request: Request, first: int, last: int) -> Any:
    """The initial states of slots ``first`` to ``last``."""
    return type(request.state)(*(part[first:last] for part in request.state))


def joined(parts: list[Any]) -> Any:
    """Named tuples of rows, one below the other."""
    return type(parts[0])(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def empty(request: Request) -> Result:
    """The answer where no sequence has a step: no rows, and the initial state is the final one."""
    state = request.state
    none: list[Tensor] = [part[:0] for part in state]
    hidden = request.weights.hh.shape[0] // len(request.cell.gates)
    gates = request.cell.Gates(*(state.h.new_empty(0, hidden) for _ in request.cell.gates))
    return Result(none[0], state, Trace(type(state)(*none), gates) if request.trace else None)
