"""The torch engine: the recurrences PyTorch ships, oneDNN and ATen on the CPU, cuDNN on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ostinato.cells import Cell, Weights
from ostinato.engines.reference import empty
from ostinato.engines.request import Engine, Request, Result
from ostinato.sequences.segments import Segments, segments_of

KERNELS = {"rnn": "rnn_tanh", "rnn_relu": "rnn_relu", "lstm": "lstm", "gru": "gru"}
"""The cells PyTorch computes itself, and its names for them."""


class TorchEngine(Engine):
    """``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` and ``torch.rnn_relu``, made to serve ragged rows and resets.

    A reset begins a new sequence: each sequence is cut at its resets into segments that are just more sequences of the
    batch, and the final state is that of a sequence's last segment. A reversed direction is the forward kernel over
    reversed rows.
    """

    name = "torch"

    def refuses(self, request: Request) -> str | None:
        """Other cells than torch's, traces, and the function transforms its kernels cannot take."""
        if request.cell.name not in KERNELS:
            return f"PyTorch has no kernel for cell '{request.cell.name}'"
        if request.trace:
            return "PyTorch's kernels keep states and gates to themselves"
        if under_transform():
            return "PyTorch's kernels cannot be used under vmap, jvp or forward-mode differentiation"
        return None

    def how(self, request: Request) -> str:
        """Which of PyTorch's ways."""
        return f"torch.{KERNELS[request.cell.name]}, {kernel_of(request)}"

    def run(self, request: Request) -> Result:
        """Cut, reverse, compute, put back."""
        if not request.rows.batch_sizes.numel():
            return empty(request)
        if request.reset is None and not request.reverse:
            reach = int(request.rows.batch_sizes[0])
            output, final = compute(request, request.rows.data, request.rows.batch_sizes, first(request.state, reach))
            return Result(output, extended(final, request.state, reach))
        segments = segments_of(request.rows, request.reset, reverse=request.reverse)
        state = type(request.state)(*(part.index_select(0, segments.owner.to(part.device)) for part in request.state))
        output, final = compute(request, segments.gather(request.rows.data), segments.batch_sizes, state)
        return Result(segments.scatter(output), last(final, request.state, segments))


def under_transform() -> bool:
    """Whether a torch.func transform or forward-mode differentiation is active."""
    from torch.autograd import forward_ad

    return bool(torch._C._are_functorch_transforms_active()) or forward_ad._current_level >= 0


def kernel_of(request: Request) -> str:
    """What stands behind PyTorch's name, in words."""
    device = request.rows.data.device.type
    if device == "cuda":
        return "cuDNN" if torch.backends.cudnn.is_available() else "ATen on the GPU"
    return f"ATen on {device.upper()}"


def kernel_function(cell: Cell) -> Callable[..., Any]:
    """PyTorch's kernel of a cell."""
    kernel: Callable[..., Any] = getattr(torch._VF, KERNELS[cell.name])
    return kernel


def compute(request: Request, data: Tensor, batch_sizes: Tensor, state: Any) -> tuple[Tensor, Any]:
    """One call of PyTorch's kernel: rows ``(N, I)`` of sequences of at least one step, forward in time."""
    kernel = kernel_function(request.cell)
    weights, bias = flat(request.weights)
    hidden = tuple(part.unsqueeze(0) for part in state)
    hx = hidden if len(hidden) > 1 else hidden[0]
    if int(batch_sizes[-1]) == int(batch_sizes[0]):
        dense = data.view(batch_sizes.numel(), int(batch_sizes[0]), -1)
        output, *final = kernel(dense, hx, weights, bias, 1, 0.0, False, False, False)
        output = output.flatten(0, 1)
    else:
        output, *final = kernel(data, batch_sizes, hx, weights, bias, 1, 0.0, False, False)
    return output, type(state)(*(part.squeeze(0) for part in final))


def flat(weights: Weights) -> tuple[list[Tensor], bool]:
    """The weights as PyTorch's kernels take them, and whether there are biases."""
    return [part for part in weights if part is not None], weights.bias_ih is not None


def first(state: Any, count: int) -> Any:
    """The states of the first ``count`` slots."""
    return state if state[0].shape[0] == count else type(state)(*(part[:count] for part in state))


def extended(final: Any, state: Any, reach: int) -> Any:
    """Final states, with the initial ones of sequences that have no step below them."""
    if state[0].shape[0] == reach:
        return final
    return type(state)(*(torch.cat([a, b[reach:]]) for a, b in zip(final, state, strict=True)))


def last(final: Any, state: Any, segments: Segments) -> Any:
    """The final state of each sequence is that of its last segment; without a step it is the initial one."""
    index = segments.last.to(final[0].device)
    return extended(type(final)(*(part.index_select(0, index) for part in final)), state, index.shape[0])
