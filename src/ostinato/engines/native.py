"""The native engine: the C++ kernels, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.functional import dropout

from ostinato.cells import State, Weights
from ostinato.cells.base import like
from ostinato.engines.native_operators import KERNELS, MISSING, NUMBERS
from ostinato.engines.request import Engine, Kernel, Request, Result, Stack, StackResult
from ostinato.sequences.segments import episode_ends

if MISSING is None:
    from ostinato.engines import _native
    from ostinato.engines.native_autograd import layer


@final
class NativeEngine(Engine):
    """One call a layer, in one direction or both, over equal or ragged rows, resets included.

    It computes in float32 or float64; under autocast inputs and states of less precision are widened to the dtype of
    the weights, and so is the answer. It uses as many threads as PyTorch (``torch.set_num_threads``).
    """

    name = "native"

    def refuses(self, request: Request) -> str | None:
        """Other cells, devices and dtypes than the kernels', projections, traces, and forward-mode differentiation."""
        data, weight = request.rows.data, request.weights.ih
        dtypes = {weight.dtype} if autocast() else {weight.dtype, data.dtype, *(part.dtype for part in request.state)}
        devices = {data.device.type, weight.device.type} - {"cpu"}
        reasons = {
            MISSING: MISSING is not None,
            f"it has no kernel for cell '{request.cell.name}'": request.cell.name not in KERNELS,
            "its kernels do not project": request.weights.hr is not None,
            "its kernels keep states and gates to themselves": request.trace,
            f"it serves the CPU, not {' and '.join(sorted(devices))}": bool(devices),
            f"it computes in float32 or float64, not {' and '.join(sorted(map(str, dtypes)))}": len(dtypes) > 1
            or weight.dtype not in NUMBERS,
            "its kernels do not work under jvp or forward-mode differentiation": forward_ad._current_level >= 0,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def how(self, request: Request) -> str:  # noqa: ARG002
        """The instruction set and the threads."""
        threads = torch.get_num_threads()
        return f"C++ kernels for {_native.isa()}, {threads} thread{'' if threads == 1 else 's'}"

    def run(self, request: Request) -> Result:
        """One call."""
        state = [part.unsqueeze(0) for part in request.state]
        flags = None if request.reset is None else request.reset.unsqueeze(0)
        inputs = matched([request.rows.data, *state], request.weights)
        flow = (request.rows.batch_sizes, flags)
        weights = tensors_of([request.weights])
        output, *after = layer(inputs, flow, weights, request.cell.name, two=False, reverse=request.reverse)
        return Result(output, like(request.state, (part.squeeze(0) for part in after)))

    def takes_whole(self, stack: Stack) -> bool:
        """All but traces."""
        return not stack.trace

    def run_whole(self, stack: Stack) -> StackResult:
        """A call a layer."""
        rows, reset, directions = stack.rows, stack.reset, stack.directions
        flags = None
        if reset is not None:
            flags = torch.stack([reset, episode_ends(rows, reset)]) if stack.bidirectional else reset.unsqueeze(0)
        data, finals = rows.data, list[State]()
        for at in range(0, len(stack.weights), directions):
            if at and stack.dropout:
                data = dropout(data, stack.dropout)
            own = stack.weights[at : at + directions]
            inputs = matched([data, *(part[at : at + directions] for part in stack.state)], own[0])
            flow = (rows.batch_sizes, flags)
            data, *after = layer(inputs, flow, tensors_of(own), stack.cell.name, two=stack.bidirectional, reverse=False)
            finals.append(tuple(after))
        state = like(stack.state, (torch.cat(parts) for parts in zip(*finals, strict=True)))
        return StackResult(data, state, [])


def dense(
    cell: str,
    input: Tensor,
    hx: Tensor | Sequence[Tensor] | None,
    weights: list[Tensor],
    *options: bool | float,
) -> Sequence[Tensor]:
    """A stack over equal lengths, as :class:`~ostinato.engines.request.Kernel`."""
    _, layers, share, train, bidirectional, batch_first = options
    state = () if hx is None else (hx,) if isinstance(hx, Tensor) else hx
    x = input.transpose(0, 1) if batch_first else input
    if layers == 1:
        x, *after = layer([x, *state], NO_FLOW, weights, cell, two=bool(bidirectional), reverse=False)
    else:
        finals, directions, count = [], 2 if bidirectional else 1, len(weights) // int(layers)
        for at in range(int(layers)):
            if at and share:
                x = dropout(x, share, bool(train))
            begin = [part[at * directions : (at + 1) * directions] for part in state]
            own = weights[at * count : (at + 1) * count]
            x, *found = layer([x, *begin], NO_FLOW, own, cell, two=bool(bidirectional), reverse=False)
            finals.append(found)
        after = [torch.cat(parts) for parts in zip(*finals, strict=True)]
    return (x.transpose(0, 1) if batch_first else x, *after)


NO_FLOW = (None, None)
DENSE = {cell: Kernel(partial(dense, cell), needs_state=False) for cell in KERNELS}
"""Stacks over equal lengths, by cell."""


def serves_dense(cell: str, input: Tensor) -> bool:
    """Whether ``DENSE`` can take this input, whose dtype is that of the weights."""
    if exporting():
        return False  # what is exported must run elsewhere too
    usual = input.is_cpu and input.dtype in NUMBERS and cell in KERNELS
    return usual and MISSING is None and forward_ad._current_level < 0 and not autocast()


exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
"""Whether torch.export looks on; PyTorch 2.6 cannot tell it from torch.compile."""


def native_state() -> str:
    """The instruction sets the kernels are compiled for that this processor has, the one in use first; or why none."""
    if MISSING is not None:
        return f"missing: {MISSING}"
    return f"{_native.isa()} (of {', '.join(_native.isas())})"


def autocast() -> bool:
    """Whether autocast acts on the CPU now."""
    return torch.is_autocast_enabled("cpu")


def matched(inputs: list[Tensor], weights: Weights) -> list[Tensor]:
    """Input and states in the dtype of the weights, which under autocast they may not have."""
    return [part.to(weights.ih.dtype) for part in inputs] if autocast() else inputs


def tensors_of(weights: list[Weights]) -> list[Tensor]:
    """What the kernels read, direction by direction."""
    found = [part for one in weights for part in (one.ih, one.hh, one.bias_ih, one.bias_hh)]
    return [part for part in found if part is not None]
