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
from ostinato.engines.native_operators import KERNELS, MISSING, NUMBERS, Call, layout
from ostinato.engines.noise import Noise
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
        """Other cells, devices and dtypes than the kernels', traces, and forward-mode differentiation."""
        data, weight = request.rows.data, request.weights.ih
        dtypes = {weight.dtype} if autocast() else {weight.dtype, data.dtype, *(part.dtype for part in request.state)}
        devices = {part.device.type for part in (data, weight, *request.state)} - {"cpu"}
        reasons = {
            MISSING: MISSING is not None,
            f"it has no kernel for cell '{request.cell.name}'": request.cell.name not in KERNELS,
            f"it has no kernel for cell '{request.cell.name}' with a projection": request.weights.hr is not None
            and request.cell.name in KERNELS
            and KERNELS[request.cell.name].projected is None,
            "its kernels keep states and gates to themselves": request.trace,
            "its kernels draw no masks under vmap": request.noise is not None
            and request.noise.inside
            and torch._C._are_functorch_transforms_active(),
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
        noise, seed = noise_of(request.noise, request.layer)
        flow = (request.rows.batch_sizes, flags, request.rows.order if noise else None)
        call = Call(request.cell.name, noise, seed, reverse=request.reverse)
        output, *after = layer(inputs, flow, tensors_of([request.weights], call.cell), call, low=request.low)
        return Result(output, like(request.state, (part.squeeze(0) for part in after)))

    def takes_whole(self, stack: Stack) -> bool:
        """All but traces, and masks other than dropout."""
        return not stack.trace and (stack.noise is None or stack.noise.plain)

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
            call = Call(stack.cell.name, two=stack.bidirectional)
            data, *after = layer(
                inputs, (rows.batch_sizes, flags, None), tensors_of(own, call.cell), call, low=stack.low
            )
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
    call = Call(cell, two=bool(bidirectional))
    if layers == 1:
        x, *after = layer([x, *state], NO_FLOW, weights, call)
    else:
        finals, directions, count = [], 2 if bidirectional else 1, len(weights) // int(layers)
        for at in range(int(layers)):
            if at and share:
                x = dropout(x, share, bool(train))
            begin = [part[at * directions : (at + 1) * directions] for part in state]
            own = weights[at * count : (at + 1) * count]
            x, *found = layer([x, *begin], NO_FLOW, own, call)
            finals.append(found)
        after = [torch.cat(parts) for parts in zip(*finals, strict=True)]
    return (x.transpose(0, 1) if batch_first else x, *after)


NO_FLOW = (None, None, None)
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


def tensors_of(weights: list[Weights], cell: str) -> list[Tensor]:
    """What the kernels read, direction by direction, in the order of the cell's shapes."""
    names = layout(cell, 1, 2, 1 if weights[0].hr is not None else 2, bias=weights[0].bias_ih is not None)
    return [one[name] for one in weights for name in names]


def noise_of(noise: Noise | None, number: int) -> tuple[tuple[float, ...], int]:
    """What acts within the recurrence of layer ``number``, as the operators want it, and the seed."""
    if noise is None or not noise.inside:
        return (), 0
    training = noise.seed is not None
    shares = (noise.recurrent_dropout if training else 0.0, noise.zoneout_h, noise.zoneout_c)
    return (float(training), *shares, float(number)), int(noise.seed) if noise.seed is not None else 0
