"""The operators of the scan kernels: recurrences element by element over packed rows, forward and backward.

A row of ``pre`` ``(N, G H)`` holds the gates of a step before their activations; ``skip`` ``(N, H)`` is the input, for
cells that read it unit by unit; ``vectors`` ``(A, H)`` are parameters of each unit; ``first`` ``(B, S H)`` is the
initial state. What a kernel does with them stands in :mod:`ostinato.engines.scan_equations`, which also gives the
derivatives beyond the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ostinato.engines.core import NUMBERS, native
from ostinato.engines.derivatives import second_derivative
from ostinato.engines.scan_equations import scanned

Flow = tuple[Tensor, Tensor | None]
"""Batch sizes ``(T,)`` and flags ``(N,)``."""

Parts = Sequence[Tensor | None]


class Kernel(NamedTuple):
    """A kernel's number and, for each unit, ``G`` gates, ``S`` numbers of state, ``A`` parameters.

    ``skips``: it reads the input itself; ``apart``: its output is not its state.
    """

    number: int
    gates: int
    states: int = 1
    vectors: int = 0
    skips: bool = False
    apart: bool = False


KERNELS = {
    "min_gru": Kernel(0, 2),
    "min_lstm": Kernel(1, 3),
    "qrnn": Kernel(2, 3, apart=True),
    "sru": Kernel(3, 3, vectors=2, skips=True, apart=True),
    "sru_projected": Kernel(4, 4, vectors=2, apart=True),
    "rg_lru": Kernel(5, 2, vectors=1, skips=True),
    "lru": Kernel(6, 2, states=2, vectors=3),
}

LIBRARY: Any = cast("Any", torch.library).Library("ostinato", "FRAGMENT")
LIBRARY.define(
    "scan(Tensor pre, Tensor? skip, Tensor? vectors, Tensor first, Tensor batch_sizes, Tensor? reset, str kernel,"
    " bool reverse, bool keep) -> (Tensor, Tensor, Tensor)"
)
LIBRARY.define(
    "scan_backward(Tensor dy, Tensor dlast, Tensor pre, Tensor? skip, Tensor? vectors, Tensor first, Tensor states,"
    " Tensor batch_sizes, Tensor? reset, str kernel, bool reverse) -> (Tensor, Tensor, Tensor, Tensor)"
)
scan = torch.ops.ostinato.scan.default
"""``scan(pre, skip, vectors, first, batch_sizes, reset, kernel, reverse, keep)``: output, final state, kept.

The output is the state after every step ``(N, S H)``, or what a kernel puts out apart from it ``(N, H)``; only then,
and with ``keep``, the third result holds the states, for backward.
"""
scan_backward = torch.ops.ostinato.scan_backward.default
"""The gradients of ``pre``, ``skip``, ``vectors`` and ``first``; an empty one for what is not there."""


class Call:
    """Kernel, sizes and shapes of one call, from its operands.

    Raises:
        ValueError: something has another shape, dtype or device than the kernel reads.
    """

    def __init__(self, pre: Tensor, first: Tensor, kernel: str) -> None:
        self.kernel = k = KERNELS[kernel]
        self.pre, self.rows, self.slots = pre, pre.shape[0], first.shape[0]
        self.units = h = pre.shape[1] // k.gates
        self.operands = [
            (self.rows, k.gates * h),
            (self.rows, h) if k.skips else None,
            (k.vectors, h) if k.vectors else None,
            (self.slots, k.states * h),
        ]
        self.states = self.rows, k.states * h
        self.output = (self.rows, h) if k.apart else self.states

    def new(self, shape: tuple[int, ...] | None) -> Tensor:
        """Room for a result; none for what is not there."""
        return self.pre.new_empty(shape or 0)

    def checked(self, tensors: Parts, shapes: Sequence[tuple[int, ...] | None]) -> list[Tensor | None]:
        """The tensors in one piece."""
        dtype = self.pre.dtype
        if dtype not in NUMBERS:
            raise ValueError(f"the scan kernels compute in float32 or float64, not {dtype}")
        for tensor, shape in zip(tensors, shapes, strict=True):
            if (tensor is None) != (shape is None):
                raise ValueError("an operand of the kernel is missing, or there is one too many")
            if tensor is not None and (tensor.shape != shape or tensor.dtype != dtype or not tensor.is_cpu):
                found = f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device.type}"
                raise ValueError(f"expected {shape} of {dtype} on the CPU, but got {found}")
        return [None if tensor is None else tensor.contiguous() for tensor in tensors]

    def run(self, kernel: Any, flow: Flow, reverse: bool, parts: Parts) -> None:
        """Hand the addresses over."""
        sizes, reset = flow
        if sizes.dtype != torch.int64 or not sizes.is_cpu or sizes.dim() != 1:
            raise ValueError("batch_sizes must be a one-dimensional int64 tensor on the CPU")
        if reset is not None and (reset.dtype != torch.bool or reset.shape != (self.rows,) or not reset.is_cpu):
            raise ValueError(f"reset must be a bool tensor ({self.rows},) on the CPU")
        sizes, reset = sizes.contiguous(), None if reset is None else reset.contiguous()
        counts = [torch.get_num_threads(), self.units, sizes.shape[0], self.slots, self.rows]
        places = [0 if part is None else part.data_ptr() for part in (sizes, reset, *parts)]
        kernel(self.kernel.number, NUMBERS[self.pre.dtype], reverse, counts, places[:2], places[2:])


def _forward(
    pre: Tensor, skip: Tensor | None, vectors: Tensor | None, first: Tensor, *more: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """By the kernel."""
    sizes, reset, kernel, reverse, keep = more
    call = Call(pre, first, kernel)
    operands = call.checked((pre, skip, vectors, first), call.operands)
    y, last, kept = _forward_shapes(pre, skip, vectors, first, *more)
    states, output = (kept if keep else None, y) if call.kernel.apart else (y, None)
    call.run(native.scan_forward, (sizes, reset), reverse, [*operands, states, output, last])
    return y, last, kept


def _forward_shapes(
    pre: Tensor, _skip: Tensor | None, _vectors: Tensor | None, first: Tensor, *more: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Room for what forward gives."""
    _, _, kernel, _, keep = more
    call = Call(pre, first, kernel)
    kept = call.states if keep and call.kernel.apart else None
    return call.new(call.output), call.new(call.operands[3]), call.new(kept)


def _backward(dy: Tensor, dlast: Tensor, *given: Any) -> tuple[Tensor, ...]:
    """By the kernel."""
    pre, skip, vectors, first, states, sizes, reset, kernel, reverse = given
    call = Call(pre, first, kernel)
    operands = call.checked((pre, skip, vectors, first), call.operands)
    above = call.checked((states, dy, dlast), (call.states, call.output, call.operands[3]))
    dpre, dskip, _, dfirst = (call.new(shape) for shape in call.operands)
    members = pre.new_zeros(torch.get_num_threads(), call.kernel.vectors, call.units)
    call.run(native.scan_backward, (sizes, reset), reverse, [*operands, *above, dpre, dskip, members, dfirst])
    return dpre, dskip, members.sum(0) if call.kernel.vectors else call.new(None), dfirst


def _backward_shapes(_dy: Tensor, _dlast: Tensor, *given: Any) -> tuple[Tensor, ...]:
    """Room for what backward gives."""
    call = Call(given[0], given[3], given[7])
    return tuple(call.new(shape) for shape in call.operands)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """The operands and the states."""
    *tensors, ctx.kernel, ctx.reverse, keep = inputs
    apart = KERNELS[ctx.kernel].apart
    if apart and not keep:
        raise ValueError("the scan must be called with keep=True to be differentiated")
    ctx.save_for_backward(*tensors, output[2] if apart else output[0])
    ctx.set_materialize_grads(False)


def _first_derivative(
    ctx: Any, dy: Tensor | None, dlast: Tensor | None, _: Tensor | None, *, backward: Any = scan_backward
) -> tuple[Any, ...]:
    """By the backward operator."""
    *operands, sizes, reset, states = ctx.saved_tensors
    call = Call(operands[0], operands[3], ctx.kernel)
    dy = operands[0].new_zeros(call.output) if dy is None else dy
    dlast = torch.zeros_like(operands[3]) if dlast is None else dlast
    found = backward(dy, dlast, *operands, states, sizes, reset, ctx.kernel, ctx.reverse)
    pairs = zip(found, operands, strict=True)
    return *(None if operand is None else part for part, operand in pairs), None, None, None, None, None


def _keep_again(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ARG001
    """All but the states: the equations give them anew."""
    *tensors, ctx.kernel, ctx.reverse = inputs
    ctx.save_for_backward(*tensors[:6], *tensors[7:])


def _second_derivative(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
    """Through the equations, whose derivatives know no end."""
    dy, dlast, *operands, sizes, reset = ctx.saved_tensors
    there = [part for part in operands if part is not None]
    wanted = [part for part, operand in zip(gradients, operands, strict=True) if operand is not None]

    def outputs(*given: Tensor) -> tuple[Tensor, Tensor]:
        parts = iter(given)
        full: Any = [None if part is None else next(parts) for part in operands]
        return scanned(tuple(full), (sizes, reset), ctx.kernel, reverse=ctx.reverse)

    found = iter(second_derivative(outputs, (dy, dlast), there, wanted))
    first = [next(found), next(found), *(None if part is None else next(found) for part in operands)]
    return *first, None, None, None, None, None


def _folded(tensor: Tensor | None, dim: int | None, count: int, units: int) -> Tensor | None:
    """A mapped operand ``(R, K H)`` with the mapped dimension among its units: ``(R, K count H)``."""
    if tensor is None:
        return None
    moved = tensor.expand(count, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return moved.reshape(*moved.shape[:2], moved.shape[2] // units, units).permute(1, 2, 0, 3).flatten(1)


def _unfolded(tensor: Tensor, count: int, units: int) -> Tensor:
    """The inverse, with the mapped dimension first."""
    if not tensor.numel():
        return tensor.new_empty(count, *tensor.shape[:-1], tensor.shape[-1] // count)
    return tensor.reshape(tensor.shape[0], -1, count, units).permute(2, 0, 1, 3).flatten(2)


def _mapped(operator: Any, tensors: int, pre: int) -> Any:
    """The vmap rule of an operator: units know nothing of each other, so mapped calls are more units of one call.

    ``tensors``: how many of its arguments are rows of units, vectors last among the operands; ``pre``: the place of
    ``pre`` among them.
    """

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, ...]:
        if any(dim is not None for dim in in_dims[tensors:]):
            raise ValueError("batch sizes and reset flags of a scan cannot be mapped")
        width = arguments[pre].shape[-1 if in_dims[pre] != arguments[pre].dim() - 1 else 0]
        units = width // KERNELS[arguments[tensors + 2]].gates
        folded = [
            _folded(part, dim, info.batch_size, units)
            for part, dim in zip(arguments[:tensors], in_dims[:tensors], strict=True)
        ]
        found = operator(*folded, *arguments[tensors:])
        return tuple(_unfolded(part, info.batch_size, units) for part in found), (0,) * len(found)

    return rule


LIBRARY.impl("scan", _forward, "CPU")
LIBRARY.impl("scan_backward", _backward, "CPU")
torch.library.register_fake("ostinato::scan", _forward_shapes, lib=LIBRARY)
torch.library.register_fake("ostinato::scan_backward", _backward_shapes, lib=LIBRARY)
torch.library.register_autograd("ostinato::scan", _first_derivative, setup_context=_keep, lib=LIBRARY)
torch.library.register_autograd("ostinato::scan_backward", _second_derivative, setup_context=_keep_again, lib=LIBRARY)
torch.library.register_vmap("ostinato::scan", _mapped(scan, 4, 0), lib=LIBRARY)
torch.library.register_vmap("ostinato::scan_backward", _mapped(scan_backward, 7, 2), lib=LIBRARY)


class _Transformed(torch.autograd.Function):
    """The forward operator in the one form of derivative that torch.func can transform."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Any:
        """Below autograd, which this function is."""
        with torch._C._AutoDispatchBelowAutograd():
            return scan(*arguments)

    setup_context = staticmethod(_keep)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """As the operator's, itself transformable."""
        dy, dlast, _ = gradients
        return _first_derivative(ctx, dy, dlast, None, backward=cast("Any", _TransformedBackward).apply)


class _TransformedBackward(torch.autograd.Function):
    """The same for the backward operator."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Any:
        """Below autograd."""
        with torch._C._AutoDispatchBelowAutograd():
            return scan_backward(*arguments)

    setup_context = staticmethod(_keep_again)
    backward = staticmethod(_second_derivative)


def run_scan(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Output and final state of :data:`scan`, also under torch.func's transforms."""
    operator = cast("Any", _Transformed).apply if torch._C._are_functorch_transforms_active() else scan
    y, last, _ = operator(*arguments)
    return y, last
