"""The reference engine: a loop over the cell. It defines the right answer and serves every request."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ostinato.cells import Gates, State
from ostinato.cells.base import S, like
from ostinato.engines.noise import Masks
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
        resets = None if request.reset is None else torch.split(request.reset, sizes)
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
                state = chosen(resets[t], slots(request.state, 0, sizes[t]), state)
            opened, state = step(request, t, projected[t], state)
            states.append(state)
            if request.trace:
                gates.append(opened)
        final_state = joined([state, *finished[::-1], slots(request.state, sizes[0], len(request.rows))])
        in_time = slice(None, None, -1) if request.reverse else slice(None)
        trace = Trace(joined(states[in_time]), joined(gates[in_time])) if request.trace else None
        return Result(torch.cat([after[0] for after in states[in_time]]), final_state, trace)


def step(request: Request, t: int, projected: Tensor, state: State) -> tuple[Gates, State]:
    """Step ``t`` of the sequences in the first slots: gates and state after, with the noise inside the recurrence."""
    cell, weights, noise = request.cell, request.weights, request.noise
    gates: Gates = cell.gate(weights, projected, state)
    if noise is None or not noise.inside:
        return gates, cell.update(weights, gates, state)
    sequence = request.rows.order[: projected.shape[0]].to(projected.device)
    masks = None if noise.seed is None else Masks(noise.seed, request.layer, int(request.reverse))
    if masks is not None and noise.recurrent_dropout:
        candidate = getattr(gates, cell.candidate or "")
        mask = masks.scale("recurrent_dropout", noise.recurrent_dropout, t, sequence, candidate)
        gates = cell.drop(weights, projected, state, gates, mask)
    parts = cell.update(weights, gates, state)._asdict()
    for name in [name for name in cell.zones if noise.rates[f"zoneout_{name}"]]:
        share, before, after = noise.rates[f"zoneout_{name}"], getattr(state, name), parts[name]
        if masks is None:
            parts[name] = after + share * (before - after)
        else:
            held = masks.dropped(f"zoneout_{name}", share, t, sequence, after.shape[-1])
            parts[name] = torch.where(held, before, after)
    return gates, like(state, parts.values())


def chosen(flags: Tensor, where: S, otherwise: S) -> S:
    """States of ``where`` in the slots with a flag ``(B,)``, of ``otherwise`` in the others."""
    pairs = zip(where, otherwise, strict=True)
    return like(where, [torch.where(flags.reshape(-1, *[1] * (a.dim() - 1)), a, b) for a, b in pairs])


def slots(state: S, first: int, last: int) -> S:
    """The state of slots ``first`` to ``last``."""
    return like(state, (part[first:last] for part in state))


def joined(parts: list[S]) -> S:
    """Named tuples of rows, one below the other."""
    return like(parts[0], (torch.cat(fields) for fields in zip(*parts, strict=True)))


def stepless(request: Request) -> Result:
    """The answer where no sequence has a step: no rows, and the initial state is the final one."""
    none = slots(request.state, 0, 0)
    if not request.trace:
        return Result(none[0], request.state)
    gates = request.cell.gate(request.weights, request.cell.project(request.weights, request.rows.data), none)
    return Result(none[0], request.state, Trace(none, gates))
