"""The scan engine: cells whose state is updated element by element, on the CPU, as fast as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato.cells import Weights
from ostinato.cells.base import like
from ostinato.cells.rg_lru import block_product
from ostinato.engines.core import looked_on, native, refusal
from ostinato.engines.request import Engine, Request, Result, Stack, StackResult
from ostinato.engines.scan_operators import run_scan
from ostinato.sequences import Packed


class Operands(NamedTuple):
    """What the operator reads, but for the initial state."""

    kernel: str
    pre: Tensor
    skip: Tensor | None = None
    vectors: Tensor | None = None


@final
class ScanEngine(Engine):
    """The products of all steps at once by PyTorch, and the recurrence in one pass of a kernel over memory.

    Over equal or ragged rows, with resets, in float32 or float64; under autocast the products are computed in its dtype
    and the recurrence in that of the weights. It uses as many threads as PyTorch (``torch.set_num_threads``).
    """

    name = "scan"

    def refuses(self, request: Request) -> str | None:
        """Other cells, devices and dtypes than the kernels', noise inside, traces, forward-mode derivatives."""
        if request.cell.name not in OPERANDS:
            return f"cell '{request.cell.name}' is not a recurrence element by element"
        if request.noise is not None and request.noise.inside:
            return "its kernels have neither recurrent dropout nor zoneout"
        return refusal(request)

    def how(self, request: Request) -> str:  # noqa: ARG002
        """The instruction set and the threads."""
        threads = torch.get_num_threads()
        return f"C++ scan for {native.isa()}, {threads} thread{'' if threads == 1 else 's'}"

    def run(self, request: Request) -> Result:
        """Products, scan, and what is read of the state."""
        rows, dtype = request.rows, request.weights.ih.dtype
        first = request.state[-1 if request.cell.name != "qrnn" else 1].to(dtype)
        kernel, *operands = OPERANDS[request.cell.name](request)
        operands = [None if part is None else part.to(dtype) for part in operands]
        keep = torch._C._are_functorch_transforms_active() or torch.is_grad_enabled()
        y, last = run_scan(*operands, first, rows.batch_sizes, request.reset, kernel, request.reverse, keep)
        if request.cell.name == "lru":
            y = _read(request, y).to(dtype)
        if len(request.state) == 1:
            return Result(y, like(request.state, [last]))
        at = last_rows(rows, reverse=request.reverse)
        parts = [_last(y, at, request.state[0]), last]
        if request.cell.name == "qrnn":
            ahead = linear(rows.data.index_select(0, at), request.weights.ih[3 * last.shape[1] :])
            parts.append(torch.cat([ahead.to(dtype), request.state[2][rows.reach :].to(dtype)]))
        return Result(y, like(request.state, parts))

    def takes_whole(self, stack: Stack) -> bool:  # noqa: ARG002
        """Never: layer by layer is as fast."""
        return False

    def run_whole(self, stack: Stack) -> StackResult:
        """Never called."""
        raise NotImplementedError


def _last(y: Tensor, at: Tensor, first: Tensor) -> Tensor:
    """The output of each sequence's last step; of a sequence without one, the initial state."""
    return torch.cat([y.index_select(0, at), first[at.shape[0] :].to(y.dtype)])


def last_rows(rows: Packed, *, reverse: bool) -> Tensor:
    """The row of the step processed last, for each slot that has a step."""
    slot = torch.arange(rows.reach)
    if reverse:
        return slot
    starts = rows.batch_sizes.cumsum(0) - rows.batch_sizes
    return starts[rows.lengths[: rows.reach] - 1] + slot


def _minimal(request: Request) -> Operands:
    """Gates are all there is."""
    cell = request.cell.name
    return Operands("qrnn" if cell == "qrnn_1" else cell, request.cell.project(request.weights, request.rows.data))


def _convolved(request: Request) -> Operands:
    """A product with this input and the one before; where there is none, the initial state stands in its place."""
    rows, weights, ahead = request.rows, request.weights, request.state[2]
    before, begins = predecessors(rows, request.reset, reverse=request.reverse)
    both = torch.cat([rows.data, rows.data.index_select(0, before).masked_fill_(begins.unsqueeze(1), 0)], 1)
    pre = linear(both, torch.cat(weights.ih.chunk(2), 1), weights.bias_ih)
    rows_begun = begins.nonzero().squeeze(1)
    slots = rows_begun - (rows.batch_sizes.cumsum(0) - rows.batch_sizes)[step_of(rows)[rows_begun]]
    add = pre.index_add if looked_on() else pre.index_add_  # under vmap the state may be mapped where pre is not
    return Operands("qrnn", add(0, rows_begun, ahead.index_select(0, slots).to(pre.dtype)))


def step_of(rows: Packed) -> Tensor:
    """The step of every row ``(N,)``."""
    return torch.arange(rows.batch_sizes.numel()).repeat_interleave(rows.batch_sizes)


def predecessors(rows: Packed, reset: Tensor | None, *, reverse: bool) -> tuple[Tensor, Tensor]:
    """For every row the row processed before it in its sequence, and whether there is none (it then names itself)."""
    sizes, step = rows.batch_sizes, step_of(rows)
    starts = sizes.cumsum(0) - sizes
    place = torch.arange(len(step))
    slot = place - starts[step]
    other = step + (1 if reverse else -1)
    near = other.clamp(0, max(0, sizes.numel() - 1))
    begins = (other < 0) | (other >= sizes.numel()) | (slot >= sizes[near])
    if reset is not None:
        begins = begins | reset
    return torch.where(begins, place, starts[near] + slot), begins


def _highway(request: Request) -> Operands:
    """The gates' own vectors, and the input as the skip where it is as wide as the state."""
    weights, x = request.weights, request.rows.data
    vectors = torch.stack([weights["vf"], weights["vr"]])
    if weights.ih.shape[0] > 3 * vectors.shape[1]:
        return Operands("sru_projected", request.cell.project(weights, x), vectors=vectors)
    return Operands("sru", _products(weights, x), x, vectors)


def _products(weights: Weights, x: Tensor) -> Tensor:
    """``W_ih x + b_ih``, where the bias belongs to the first rows."""
    bias = weights.bias_ih
    wide = None if bias is None else torch.cat([bias, bias.new_zeros(weights.ih.shape[0] - bias.shape[0])])
    return linear(x, weights.ih, wide)


def _gated(request: Request) -> Operands:
    """Two gates, the input, and the decay of each unit."""
    weights, x, cell = request.weights, request.rows.data, request.cell
    entering: Any = cell
    pre = block_product(weights, x)
    return Operands("rg_lru", pre, entering.entering(weights, x), entering.decay(weights).unsqueeze(0))


def _turning(request: Request) -> Operands:
    """What enters the complex state; the kernel scales it."""
    weights, cell = request.weights, request.cell
    written: Any = cell
    output = request.state[0].shape[-1]
    return Operands("lru", linear(request.rows.data, weights.ih[output:]), vectors=written.vectors(weights))


def _read(request: Request, states: Tensor) -> Tensor:
    """``Re(C c) + D x + b``."""
    weights = request.weights
    straight = linear(request.rows.data, weights.ih[: weights["hr"].shape[0]], weights.bias_ih)
    return linear(states, weights["hr"]) + straight


OPERANDS: dict[str, Callable[[Request], Operands]] = {
    "min_gru": _minimal,
    "min_lstm": _minimal,
    "qrnn": _convolved,
    "qrnn_1": _minimal,
    "sru": _highway,
    "rg_lru": _gated,
    "lru": _turning,
}
"""What each cell's kernel reads."""
