"""A stack of layers in one or two directions: one fused call where PyTorch can, else an engine call a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout

from ostinato.cells import Cell, Weights
from ostinato.engines.aten import TorchEngine, flat, kernel_function
from ostinato.engines.chooser import choose, run
from ostinato.engines.request import Request, Trace
from ostinato.sequences import Packed


@dataclass(frozen=True, eq=False)
class Stack:
    """``L`` layers, each in ``D`` directions.

    Args:
        cell: the equation of every layer.
        weights: ``L * D`` of them, layer by layer, forward before reverse.
        rows: the input of the first layer.
        state: the initial state, ``cell.State`` of ``(L * D, B, ·)``, by slot.
        reset: ``(N,)`` bool or None: a new episode begins at this row, in either direction.
        bidirectional: whether ``D`` is 2.
        dropout: share of each layer's output but the last one's that is dropped.
        trace: whether states and gates of every step are wanted.
    """

    cell: Cell
    weights: list[Weights]
    rows: Packed
    state: Any
    reset: Tensor | None = None
    bidirectional: bool = False
    dropout: float = 0.0
    trace: bool = False

    def requests(self, layer: int, rows: Packed) -> list[Request]:
        """What the engine is asked for one layer: a request a direction."""
        directions = 2 if self.bidirectional else 1
        found = []
        for direction in range(directions):
            at = layer * directions + direction
            state = type(self.state)(*(part[at] for part in self.state))
            reset = self.reset if direction == 0 or self.reset is None else ends_of(self.rows, self.reset)
            found.append(Request(self.cell, self.weights[at], rows, state, reset, direction == 1, self.trace))
        return found


class StackResult(NamedTuple):
    """``output`` ``(N, D * P)``; ``state`` of ``(L * D, B, ·)``; ``traces``, one a layer and direction, where wanted."""

    output: Tensor
    state: Any
    traces: list[Trace]


def run_stack(stack: Stack) -> StackResult:
    """Serve a whole stack."""
    layers = len(stack.weights) // (2 if stack.bidirectional else 1)
    if whole(stack):
        return run_whole(stack, layers)
    rows, finals, traces = stack.rows, [], []
    for layer in range(layers):
        results = [run(request) for request in stack.requests(layer, rows)]
        finals += [result.state for result in results]
        traces += [result.trace for result in results if result.trace is not None]
        output = torch.cat([result.output for result in results], -1) if stack.bidirectional else results[0].output
        if stack.dropout and layer + 1 < layers:
            output = dropout(output, stack.dropout)
        rows = rows.with_data(output)
    state = type(stack.state)(*(torch.stack(parts) for parts in zip(*finals, strict=True)))
    return StackResult(rows.data, state, traces)


def whole(stack: Stack) -> bool:
    """Whether one call of PyTorch's kernel serves all layers: the engine is PyTorch's and nothing cuts the rows."""
    if stack.reset is not None or not stack.rows.batch_sizes.numel():
        return False
    request = stack.requests(0, stack.rows)[0]
    return isinstance(choose(request).engine, TorchEngine)


def run_whole(stack: Stack, layers: int) -> StackResult:
    """All layers and directions in one call."""
    sizes = stack.rows.batch_sizes
    reach = int(sizes[0])
    state = type(stack.state)(*(part[:, :reach] for part in stack.state))
    hx = tuple(part.contiguous() for part in state)
    hidden = hx if len(hx) > 1 else hx[0]
    weights = [part for one in stack.weights for part in flat(one)[0]]
    bias = stack.weights[0].bias_ih is not None
    rest = (hidden, weights, bias, layers, stack.dropout, stack.dropout > 0, stack.bidirectional)
    kernel = kernel_function(stack.cell)
    if int(sizes[-1]) == reach:
        output, *final = kernel(stack.rows.data.view(sizes.numel(), reach, -1), *rest, False)
        output = output.flatten(0, 1)
    else:
        output, *final = kernel(stack.rows.data, sizes, *rest)
    if reach < len(stack.rows):
        final = [torch.cat([a, b[:, reach:]], 1) for a, b in zip(final, stack.state, strict=True)]
    return StackResult(output, type(stack.state)(*final), [])


def ends_of(rows: Packed, reset: Tensor) -> Tensor:
    """``(N,)`` bool: the next step of the same sequence begins an episode, so that this one ends here."""
    sizes = rows.batch_sizes
    ends = torch.zeros_like(reset)
    starts = sizes.cumsum(0)
    for t in range(1, sizes.numel()):
        size = int(sizes[t])
        before = int(starts[t - 1]) - int(sizes[t - 1])
        ends[before : before + size] = reset[int(starts[t - 1]) : int(starts[t - 1]) + size]
    return ends
