"""The torch engine: the recurrences PyTorch ships, oneDNN and ATen on the CPU, cuDNN on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ostinato.cells import State
from ostinato.cells.base import like
from ostinato.engines.padded_lstm import onednn_serves, padded_lstm, pays_to_pad
from ostinato.engines.reference import slots, stepless
from ostinato.engines.request import Engine, Request, Result, Stack, StackResult
from ostinato.sequences.segments import segments_of

KERNELS = {"rnn": "rnn_tanh", "rnn_relu": "rnn_relu", "lstm": "lstm", "gru": "gru"}
"""The cells PyTorch computes itself, and its names for them."""

Kernel = Callable[..., tuple[Tensor, ...]]


@final
class TorchEngine(Engine):
    """``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` and ``torch.rnn_relu``, made to serve ragged rows and resets.

    A reset begins a new sequence: each sequence is cut at its resets into segments that are just more sequences of the
    batch, and the final state is that of a sequence's last segment. The reverse direction is the forward kernel over
    rows in reversed order. Resets that lie on a GPU are read by the CPU, which waits for it.
    """

    name = "torch"

    def refuses(self, request: Request) -> str | None:
        """Other cells than torch's, traces, and the transforms its kernels cannot take."""
        if request.cell.name not in KERNELS:
            return f"PyTorch has no kernel for cell '{request.cell.name}'"
        if request.trace:
            return "PyTorch's kernels keep states and gates to themselves"
        if request.noise is not None and request.noise.inside:
            return "PyTorch's kernels have neither recurrent dropout nor zoneout"
        if transformed():
            return "PyTorch's kernels do not work under vmap, jvp or forward-mode differentiation"
        return None

    def how(self, request: Request) -> str:
        """Which of PyTorch's kernels."""
        device = request.rows.data.device.type
        name = f"torch.{KERNELS[request.cell.name]}"
        if device == "cuda":
            return f"{name} on cuDNN" if torch.backends.cudnn.enabled else f"{name} on CUDA without cuDNN"
        if device != "cpu":
            return f"{name} on {device}"
        equal = request.rows.equal and request.reset is None
        if equal and onednn_serves(request):
            return f"{name} on oneDNN"
        if not equal and pays_to_pad(request, request.rows.batch_sizes):
            return f"{name} on oneDNN, with padded steps that hold the state"
        return f"{name} on ATen"

    def run(self, request: Request) -> Result:
        """Cut, turn round, compute, put back."""
        rows = request.rows
        if not rows.reach:
            return stepless(request)
        if request.reset is None and not request.reverse:
            output, after = _compute(request, rows.data, rows.batch_sizes, slots(request.state, 0, rows.reach))
        else:
            segments = segments_of(rows, request.reset, reverse=request.reverse)
            state = like(request.state, (part.index_select(0, segments.owner) for part in request.state))
            output, after = _compute(request, rows.data.index_select(0, segments.rows), segments.batch_sizes, state)
            output = output.index_select(0, segments.inverse)
            after = like(after, (part.index_select(0, segments.last) for part in after))
        if rows.reach < len(rows):
            pairs = zip(after, slots(request.state, rows.reach, len(rows)), strict=True)
            after = like(after, (torch.cat(pair) for pair in pairs))
        return Result(output, after)

    def takes_whole(self, stack: Stack) -> bool:
        """Where nothing cuts the rows, no mask but dropout is laid on, and no layer is better padded on its own."""
        if stack.reset is not None or not stack.rows.reach or not (stack.noise is None or stack.noise.plain):
            return False
        request = stack.requests(0, stack.rows)[0]
        return stack.rows.equal or not pays_to_pad(request, stack.rows.batch_sizes)

    def run_whole(self, stack: Stack) -> StackResult:
        """All layers, directions and dropouts in one call."""
        rows, reach = stack.rows, stack.rows.reach
        weights = [part for one in stack.weights for part in one.values()]
        hx = _hx([part[:, :reach].contiguous() for part in stack.state])
        options = (
            stack.weights[0].bias_ih is not None,
            stack.layers,
            stack.dropout,
            stack.dropout > 0 or torch.is_grad_enabled(),
        )
        kernel = kernel_of(stack.cell.name)
        if rows.equal:
            dense = rows.data.reshape(rows.batch_sizes.numel(), reach, -1)
            output, *after = kernel(dense, hx, weights, *options, stack.bidirectional, False)
            output = output.flatten(0, 1)
        else:
            output, *after = kernel(rows.data, rows.batch_sizes, hx, weights, *options, stack.bidirectional)
        if reach < len(rows):
            after = [torch.cat([a, b[:, reach:]], 1) for a, b in zip(after, stack.state, strict=True)]
        return StackResult(output, like(stack.state, after), [])


def transformed() -> bool:
    """Whether a torch.func transform or forward-mode differentiation is active."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def kernel_of(name: str) -> Kernel:
    """PyTorch's kernel for the cell ``name``."""
    return cast("Kernel", getattr(torch._VF, KERNELS[name]))


def _hx(state: list[Tensor]) -> Any:  # one tensor or a tuple: the kernels are not typed
    """A state as the kernels take it: LSTM a pair, the others a tensor."""
    return tuple(state) if len(state) > 1 else state[0]


def _compute(request: Request, data: Tensor, batch_sizes: Tensor, state: State) -> tuple[Tensor, State]:
    """One kernel call: rows ``(N, I)`` of sequences of at least one step each, forward in time."""
    equal = int(batch_sizes[0]) == int(batch_sizes[-1])
    if not equal and pays_to_pad(request, batch_sizes):
        return padded_lstm(request.weights, data, batch_sizes, state)
    weights = request.weights
    parts = list(weights.values())
    hx = _hx([part.unsqueeze(0) for part in state])
    options = (weights.bias_ih is not None, 1, 0.0, torch.is_grad_enabled(), False)
    kernel = kernel_of(request.cell.name)
    if equal:
        dense = data.reshape(batch_sizes.numel(), int(batch_sizes[0]), -1)
        output, *after = kernel(dense, hx, parts, *options, False)
        output = output.flatten(0, 1)
    else:
        output, *after = kernel(data, batch_sizes, hx, parts, *options)
    return output, like(state, (part.squeeze(0) for part in after))
