"""A stack of layers in one or two directions: whole where the chosen engine takes it so, else layer by layer."""

from __future__ import annotations

import torch
from torch.nn.functional import dropout

from ostinato.cells import State
from ostinato.cells.base import like
from ostinato.engines.chooser import choose
from ostinato.engines.request import Stack, StackResult, Trace


def run_stack(stack: Stack) -> StackResult:
    """Serve a stack: the chooser takes an engine by its first layer and asks again for every further one."""
    engine = choose(stack.requests(0, stack.rows)[0]).engine
    if engine.takes_whole(stack):
        return engine.run_whole(stack)
    rows, finals, traces = stack.rows, list[State](), list[Trace]()
    for layer in range(stack.layers):
        if layer and stack.dropout:
            rows = rows.with_data(dropout(rows.data, stack.dropout))
        requests = stack.requests(layer, rows)
        results = [choose(request).engine.run(request) for request in requests]
        finals += [result.state for result in results]
        traces += [result.trace for result in results if result.trace is not None]
        output = torch.cat([result.output for result in results], 1) if stack.bidirectional else results[0].output
        rows = rows.with_data(output)
    state = like(stack.state, (torch.stack(parts) for parts in zip(*finals, strict=True)))
    return StackResult(rows.data, state, traces)
