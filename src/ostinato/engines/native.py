"""The native engine: the C++ kernels, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.functional import dropout

from ostinato.cells import Weights
from ostinato.cells.base import like
from ostinato.engines.core import MISSING, autocast, native, refusal
from ostinato.engines.native_operators import KERNELS, WIDTHS, Call, layout
from ostinato.engines.request import Engine, Kernel, Request, Result, Stack, StackResult
from ostinato.sequences import Packed
from ostinato.sequences.segments import episode_ends

if MISSING is None:
    from ostinato.engines.native_autograd import layer


@final
class NativeEngine(Engine):
    """One call a layer, in one direction or both, over equal or ragged rows, resets included.

    It computes in float32 or float64; of bfloat16 it multiplies matrices in that and does all else in float32. Under
    autocast inputs and states of less precision are widened to the dtype of
    the weights, and so is the answer. It uses as many threads as PyTorch (``torch.set_num_threads``).
    """

    name = "native"

    def refuses(self, request: Request) -> str | None:
        """Other cells, devices and dtypes than the kernels', traces, and forward-mode differentiation."""
        kernel = KERNELS.get(request.cell.name)
        if kernel is None:
            return f"it has no kernel for cell '{request.cell.name}'"
        if request.weights.hr is not None and kernel.projected is None:
            return f"it has no kernel for cell '{request.cell.name}' with a projection"
        if request.noise is not None and request.noise.inside and torch._C._are_functorch_transforms_active():
            return "its kernels draw no masks under vmap"
        return refusal(request, tuple(WIDTHS))

    def how(self, request: Request) -> str:  # noqa: ARG002
        """The instruction set and the threads."""
        threads = torch.get_num_threads()
        return f"C++ kernels for {native.isa()}, {threads} thread{'' if threads == 1 else 's'}"

    def run(self, request: Request) -> Result:
        """One call."""
        state = [part.unsqueeze(0) for part in request.state]
        flags = None if request.reset is None else request.reset.unsqueeze(0)
        inputs = matched([request.rows.data, *state], request.weights)
        noise, seed = ((), 0) if request.noise is None else request.noise.numbers(request.layer)
        flow = (request.rows.batch_sizes, flags, request.rows.order if noise else None, None)
        call = Call(request.cell.name, noise, seed, reverse=request.reverse)
        output, *after = layer(inputs, flow, tensors_of([request.weights], call.cell), call, low=request.low)
        return Result(output, like(request.state, (part.squeeze(0) for part in after)))

    def takes_whole(self, stack: Stack) -> bool:
        """All but traces, and masks other than dropout."""
        return not stack.trace and (stack.noise is None or stack.noise.plain)

    def run_whole(self, stack: Stack) -> StackResult:
        """A call a layer."""
        cell, rows = stack.cell.name, stack.rows
        data, *state = matched([rows.data, *stack.state], stack.weights[0])
        weights = tensors_of(stack.weights, cell)
        options = (True, stack.layers, stack.dropout, True, stack.bidirectional, False)
        flow: dict[str, Any] = {"batch_sizes": rows.batch_sizes, "reset": stack.reset, "low": stack.low}
        output, *after = dense(cell, data, state, weights, *options, **flow)
        return StackResult(output, like(stack.state, after), [])


def dense(
    cell: str,
    input: Tensor,
    hx: Tensor | Sequence[Tensor] | None,
    weights: list[Tensor],
    *options: bool | float,
    batch_sizes: Tensor | None = None,
    reset: Tensor | None = None,
    places: Tensor | None = None,
    low: bool = False,
) -> Sequence[Tensor]:
    """A stack over equal lengths or packed rows, wherever they lie, as :class:`~ostinato.engines.request.Kernel`."""
    _, layers, share, train, bidirectional, batch_first = options
    state = () if hx is None else (hx,) if isinstance(hx, Tensor) else hx
    x = input.transpose(0, 1) if batch_first else input
    call, flags = Call(cell, two=bool(bidirectional)), None
    if batch_sizes is not None and reset is not None:
        rows = Packed(reset, batch_sizes, torch.arange(state[0].shape[1]))
        flags = torch.stack([reset, episode_ends(rows, reset)]) if bidirectional else reset.unsqueeze(0)
    flow = (batch_sizes, flags, None, places)
    if layers == 1:
        x, *after = layer([x, *state], flow, weights, call, low=low)
    else:
        finals, directions, count = [], 2 if bidirectional else 1, len(weights) // int(layers)
        for at in range(int(layers)):
            if at and share:
                x = dropout(x, share, bool(train))
            begin = [part[at * directions : (at + 1) * directions] for part in state]
            own = weights[at * count : (at + 1) * count]
            x, *found = layer([x, *begin], flow, own, call, low=low)
            finals.append(found)
        after = [torch.cat(parts) for parts in zip(*finals, strict=True)]
    return (x.transpose(0, 1) if batch_first else x, *after)


DENSE = {cell: Kernel(partial(dense, cell), needs_state=False, ragged=True) for cell in KERNELS}
"""Whole stacks, by cell."""


def serves_dense(cell: str, input: Tensor, *, projected: bool) -> bool:
    """Whether ``DENSE`` can take this input, whose dtype is that of the weights."""
    if exporting():
        return False  # what is exported must run elsewhere too
    kernel = KERNELS.get(cell)
    known = kernel is not None and not (projected and kernel.projected is None)
    usual = input.is_cpu and input.dtype in WIDTHS and known
    return usual and MISSING is None and forward_ad._current_level < 0 and not autocast()


exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
"""Whether torch.export looks on; PyTorch 2.6 cannot tell it from torch.compile."""


def native_state() -> str:
    """The instruction sets the kernels are compiled for that this processor has, the one in use first; or why none."""
    if MISSING is not None:
        return f"missing: {MISSING}"
    return f"{native.isa()} (of {', '.join(native.isas())})"


def matched(inputs: list[Tensor], weights: Weights) -> list[Tensor]:
    """Input and states in the dtype of the weights, which under autocast they may not have."""
    return [part.to(weights.ih.dtype) for part in inputs] if autocast() else inputs


def tensors_of(weights: list[Weights], cell: str) -> list[Tensor]:
    """What the kernels read, direction by direction, in the order of the cell's shapes."""
    names = layout(cell, 1, 2, 1 if weights[0].hr is not None else 2, bias=weights[0].bias_ih is not None)
    return [one[name] for one in weights for name in names]
