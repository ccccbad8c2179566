"""The reference engine: a loop over the cell. It defines the right answer and serves every request."""

from __future__ import annotations

from typing import cast, final

import torch

from ostinato.cells import Gates, State
from ostinato.cells.base import S, like
from ostinato.engines.request import Engine, Request, Result, Stack, StackResult, Trace


@final
class ReferenceEngine(Engine):
    """A loop over steps in plain PyTorch, differentiable any number of times, forward and backward, under vmap too."""

    name = "reference"

    def refuses(self, request: Request) -> str | None:  # noqa: ARG002
        """Nothing."""
        return None

    def how(self, request: Request) -> str:
        """The cell's own equation."""
        return f"a loop over the steps of cell '{request.cell.name}'"

    def takes_whole(self, stack: Stack) -> bool:  # noqa: ARG002
        """Never: it defines one layer in one direction."""
        return False

    def run_whole(self, stack: Stack) -> StackResult:
        """Never called."""
        raise NotImplementedError

    def run(self, request: Request) -> Result:
        """Step by step; a sequence joins where it begins and leaves where it ends."""
        sizes = request.rows.batch_sizes.tolist()
        if not sizes:
            return stepless(request)
        projected = torch.split(request.cell.project(request.weights, request.rows.data), sizes)
        resets = None if request.reset is None else torch.split(request.reset.unsqueeze(1), sizes)
        order = range(len(sizes))[::-1] if request.reverse else range(len(sizes))
        state, finished = slots(request.state, 0, sizes[order[0]]), list[State]()
        states, gates = list[State](), list[Gates]()
        for t in order:
            alive = state[0].shape[0]
            if alive > sizes[t]:
                finished.append(slots(state, sizes[t], alive))
                state = slots(state, 0, sizes[t])
            elif alive < sizes[t]:
                state = joined([state, slots(request.state, alive, sizes[t])])
            if resets is not None:
                pairs = zip(slots(request.state, 0, sizes[t]), state, strict=True)
                state = like(state, [torch.where(resets[t], initial, now) for initial, now in pairs])
            opened = request.cell.gate(request.weights, projected[t], state)
            state = request.cell.update(request.weights, opened, state)
            states.append(state)
            if request.trace:
                gates.append(opened)
        final_state = joined([state, *finished[::-1], slots(request.state, sizes[0], len(request.rows))])
        in_time = slice(None, None, -1) if request.reverse else slice(None)
        trace = Trace(joined(states[in_time]), joined(gates[in_time])) if request.trace else None
        return Result(torch.cat([after[0] for after in states[in_time]]), final_state, trace)


def slots(state: S, first: int, last: int) -> S:
    """The state of slots ``first`` to ``last``."""
    return like(state, (part[first:last] for part in state))


def joined(parts: list[S]) -> S:
    """Named tuples of rows, one below the other."""
    return like(parts[0], (torch.cat(fields) for fields in zip(*parts, strict=True)))


def stepless(request: Request) -> Result:
    """The answer where no sequence has a step: no rows, and the initial state is the final one."""
    none = slots(request.state, 0, 0)
    hidden = none[-1].shape[1]
    gates = cast("Gates", request.cell.Gates(*(none[0].new_empty(0, hidden) for _ in request.cell.gates)))
    return Result(none[0], request.state, Trace(none, gates) if request.trace else None)
