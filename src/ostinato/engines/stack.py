"""A stack of layers in one or two directions: whole where the chosen engine takes it so, else layer by layer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ostinato.cells import State, Weights
from ostinato.cells.base import like
from ostinato.engines.chooser import choose, run
from ostinato.engines.noise import Masks, Noise
from ostinato.engines.request import Request, Result, Stack, StackResult, Trace
from ostinato.sequences import Packed


def run_stack(stack: Stack) -> StackResult:
    """Serve a stack: the chooser takes an engine by its first layer and asks again for every further one."""
    engine = choose(stack.requests(0, stack.rows)[0]).engine
    if engine.takes_whole(stack):
        return engine.run_whole(stack)
    if stack.noise is not None:
        stack = replace(stack, noise=stack.noise.seeded())
    rows, finals, traces = stack.rows, list[State](), list[Trace]()
    for layer in range(stack.layers):
        results = [run_layer(request) for request in stack.requests(layer, rows)]
        finals += [result.state for result in results]
        traces += [result.trace for result in results if result.trace is not None]
        output = torch.cat([result.output for result in results], 1) if stack.bidirectional else results[0].output
        rows = rows.with_data(output)
    state = like(stack.state, (torch.stack(parts) for parts in zip(*finals, strict=True)))
    return StackResult(rows.data, state, traces)


def run_layer(request: Request) -> Result:
    """Serve one layer in one direction, with the masks of its noise on inputs, weights and outputs.

    Its noise must be seeded: both directions of a layer read the same masked input.
    """
    noise = request.noise
    if noise is None or noise.seed is None:
        return run(request)
    shared = Masks(noise.seed, request.layer)
    data = _masked(request.rows.data, request.rows, shared, "input_dropout", noise)
    if request.layer:
        data = _masked(data, request.rows, shared, "dropout", noise)
    masks = replace(shared, direction=int(request.reverse))
    weights = _thinned(request.weights, masks, noise.weight_dropout)
    result = run(replace(request, rows=request.rows.with_data(data), weights=weights))
    return result._replace(output=_masked(result.output, request.rows, masks, "output_dropout", noise))


def _masked(data: Tensor, rows: Packed, masks: Masks, kind: str, noise: Noise) -> Tensor:
    """Rows ``(N, ·)`` times a mask: one a sequence, or with ``dropout`` one a step."""
    share = getattr(noise, kind)
    if not share:
        return data
    sizes = rows.batch_sizes
    step = torch.arange(sizes.numel()).repeat_interleave(sizes)
    slot = torch.arange(len(step)) - (sizes.cumsum(0) - sizes)[step]
    sequence = rows.order[slot].to(data.device)
    return data * masks.scale(kind, share, step.to(data.device) if kind == "dropout" else 0, sequence, data)


def _thinned(weights: Weights, masks: Masks, share: float) -> Weights:
    """The weights with a mask on ``W_hh``."""
    if not share:
        return weights
    hh = weights.hh.reshape(-1, weights.hh.shape[-1])
    mask = masks.scale("weight_dropout", share, 0, torch.arange(hh.shape[0], device=hh.device), hh)
    return Weights(**(weights | {"hh": (hh * mask).reshape(weights.hh.shape)}))
