"""The operators of the native engine: a layer over whole sequences, in one direction or in both, in one call.

``ostinato::native_forward`` and ``ostinato::native_backward`` check what they are given and hand addresses to the C++
module. Their derivatives and their vmap rules stand in :mod:`ostinato.engines.native_autograd`.

Arguments of both:

- ``inputs``: ``x``, and the parts of the initial state, ``h0`` and of an LSTM ``c0``, ``(D, B, H)`` by slot. ``x`` is
  ``(T, B, I)``, every sequence of ``T`` steps; or packed rows ``(N, I)``, and then there must be a state. No state is
  zero.
- ``flow``: of packed rows the batch sizes ``(T,)`` int64, else None; and reset flags ``(D, N)`` bool, or None: before
  this row the state goes back to the initial one.
- ``weights``: ``W_ih``, ``W_hh`` and, if there are biases, both of them, of each direction, laid out as in torch.nn.
- ``cell``: a row of ``KERNELS``.
- ``form``: whether there are two directions (``D`` is 2), and whether the only one is reversed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

try:
    from ostinato.engines import _native

    MISSING: str | None = None
except ImportError as error:
    broken = (error.path or "").endswith((".so", ".pyd"))
    MISSING = (
        f"its C++ module cannot be loaded ({error}); install Ostinato again"
        if broken
        else "its C++ module is not built; install a C++17 compiler, then Ostinato again"
    )


class Kernel(NamedTuple):
    """A cell of the C++ module: its number there, how many gates it has, and the parts of its state."""

    code: int
    gates: int
    parts: int


KERNELS = {"rnn": Kernel(0, 1, 1), "rnn_relu": Kernel(1, 1, 1), "lstm": Kernel(2, 4, 2), "gru": Kernel(3, 3, 1)}
"""The cells that the C++ module serves."""

NUMBERS = {torch.float32: 0, torch.float64: 1}
"""The dtypes that it serves."""

LIBRARY = torch.library.Library("ostinato", "FRAGMENT")
LIBRARY.define(
    "native_forward(Tensor[] inputs, Tensor?[] flow, Tensor[] weights, str cell, bool[] form, bool keep) -> Tensor[]"
)
LIBRARY.define(
    "native_backward(Tensor?[] gradients, Tensor[] inputs, Tensor?[] flow, Tensor[] kept, Tensor[] weights, str cell, "
    "bool[] form) -> Tensor[]"
)
forward_operator = torch.ops.ostinato.native_forward.default
backward_operator = torch.ops.ostinato.native_backward.default

Maybe = Sequence[Tensor | None]


class Sizes(NamedTuple):
    """The sizes of a call whose arguments fit together: ``slots`` are ``B``, ``total`` is ``N``."""

    kernel: Kernel
    directions: int
    inputs: int
    units: int
    steps: int
    slots: int
    total: int

    @property
    def state(self) -> tuple[int, int, int]:
        """The shape of a part of the state."""
        return self.directions, self.slots, self.units

    def kept(self, dtype: torch.dtype) -> tuple[int, int]:
        """The shape of what is kept for backward: the gates of every row, and its ``c``, in the kernels' own order."""
        row = _native.saved_size(self.kernel.code, NUMBERS[dtype], self.units, 1) + (self.kernel.parts - 1) * self.units
        return self.directions, row * self.total

    def shape(self, dtype: torch.dtype, flow: Maybe, *, reverse: bool) -> Any:
        """As the C++ module wants it."""
        number, threads = NUMBERS[dtype], torch.get_num_threads()
        head = (self.kernel.code, number, threads, self.directions, reverse)
        return _native.shape(*head, *self[2:], *addresses(flow))


def sizes_of(inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], cell: str, *, two: bool) -> Sizes:
    """The sizes of a call.

    Raises:
        ValueError: something has another shape, dtype or device than the call needs.
    """
    x, *states = inputs
    batch_sizes, reset = flow
    kernel, directions, dtype = KERNELS.get(cell), 2 if two else 1, x.dtype
    if kernel is None or len(weights) not in {2 * directions, 4 * directions} or len(states) not in {0, kernel.parts}:
        raise ValueError(f"no kernel for cell '{cell}' with {len(weights)} weights and {len(states)} states")
    if dtype not in NUMBERS or x.dim() != (3 if batch_sizes is None else 2):
        raise ValueError(f"x must be (T, B, I), or (N, I) with batch_sizes, of float32 or float64, not {x.shape}")
    input_size, units = x.shape[-1], weights[1].shape[-1]
    if batch_sizes is None:
        steps, slots = x.shape[:2]
        total = steps * slots
    elif not states or batch_sizes.dtype is not torch.int64 or batch_sizes.dim() != 1 or states[0].dim() != 3:
        raise ValueError("batch_sizes must be (T,) of int64, and come with an initial state")
    else:
        steps, slots, total = batch_sizes.shape[0], states[0].shape[1], x.shape[0]
    rows = kernel.gates * units
    shapes = ((rows, input_size), (rows, units), (rows,), (rows,))[: len(weights) // directions] * directions
    state = (directions, slots, units)
    for part, shape in zip((*weights, *states), (*shapes, *(state for _ in states)), strict=True):
        if part.shape != shape or part.dtype is not dtype or units < 1:
            raise ValueError(f"expected {tuple(shape)} of {dtype}, but got {tuple(part.shape)} of {part.dtype}")
    if reset is not None and (reset.shape != (directions, total) or reset.dtype is not torch.bool):
        raise ValueError(f"reset must be {(directions, total)} of bool, not {tuple(reset.shape)} of {reset.dtype}")
    return Sizes(kernel, directions, input_size, units, steps, slots, total)


def addresses(tensors: Iterable[Tensor | None]) -> list[int]:
    """Where they begin; None is nowhere."""
    return [0 if tensor is None else tensor.data_ptr() for tensor in tensors]


def in_one_piece(tensors: Maybe) -> list[Any]:
    """The tensors, contiguous."""
    return [None if tensor is None else tensor.contiguous() for tensor in tensors]


def pair(state: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """The parts ``h`` and ``c`` of a state, None for what is not there."""
    return (state[0] if state else None), (state[1] if len(state) > 1 else None)


def four(weights: Sequence[Tensor], directions: int) -> list[list[Tensor | None]]:
    """The weights of each direction, None for a bias that is not there."""
    count = len(weights) // directions
    missing = [None] * (4 - count)
    return [[*weights[d * count : (d + 1) * count], *missing] for d in range(directions)]


def forward(
    sizes: Sizes, inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], *, reverse: bool, keep: bool
) -> list[Tensor]:
    """The forward operator, once its arguments are checked and nothing else wants to see the call."""
    x, *states = in_one_piece(inputs)
    flow, weights = in_one_piece(flow), in_one_piece(weights)
    y, *more = outputs_of(x, sizes, keep=keep)
    after, kept = more[: sizes.kernel.parts], more[-1] if keep else None
    parts = [x, *pair(states), y, *pair(after), kept]
    for own in four(weights, sizes.directions):
        parts += own
    _native.forward(sizes.shape(x.dtype, flow, reverse=reverse), sizes.kernel.parts > 1, addresses(parts))
    return [y, *more]


def outputs_of(x: Tensor, sizes: Sizes, *, keep: bool) -> list[Tensor]:
    """Room for what forward gives."""
    state = [x.new_empty(sizes.state) for _ in range(sizes.kernel.parts)]
    y = x.new_empty((*x.shape[:-1], sizes.directions * sizes.units))
    return [y, *state, x.new_empty(sizes.kept(x.dtype))] if keep else [y, *state]


def backward(
    sizes: Sizes,
    gradients: Maybe,
    inputs: Sequence[Tensor],
    flow: Maybe,
    kept: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    reverse: bool,
    want_x: bool,
) -> list[Tensor]:
    """The backward operator, once its arguments are checked and nothing else wants to see the call."""
    x, *states = in_one_piece(inputs)
    flow, weights, (dy, *dafter) = in_one_piece(flow), in_one_piece(weights), in_one_piece(gradients)
    dx = [torch.empty_like(x) for _ in range(sizes.directions)] if want_x else []
    dstates, dweights = [torch.empty_like(state) for state in states], [torch.empty_like(own) for own in weights]
    parts = [x, *pair(states), *in_one_piece(kept), dy, *pair(dafter), *pair(dstates)]
    for d, (own, its) in enumerate(zip(four(weights, sizes.directions), four(dweights, sizes.directions), strict=True)):
        parts += [*own, *its, dx[d] if want_x else None]
    _native.backward(sizes.shape(x.dtype, flow, reverse=reverse), sizes.kernel.parts > 1, addresses(parts))
    if len(dx) > 1:
        dx[0].add_(dx[1])
    return [dx[0] if want_x else x.new_empty(0), *dstates, *dweights]


def _forward(
    inputs: list[Tensor], flow: Maybe, weights: list[Tensor], cell: str, form: list[bool], keep: bool
) -> list[Tensor]:
    """One layer over whole sequences.

    Gives ``y`` ``(T, B, D * H)`` or ``(N, D * H)``, the parts of the final state ``(D, B, H)``, and with ``keep`` what
    backward needs.
    """
    two, reverse = form
    return forward(sizes_of(inputs, flow, weights, cell, two=two), inputs, flow, weights, reverse=reverse, keep=keep)


def _backward(
    gradients: Maybe,
    inputs: list[Tensor],
    flow: Maybe,
    kept: list[Tensor],
    weights: list[Tensor],
    cell: str,
    form: list[bool],
) -> list[Tensor]:
    """The gradients of ``inputs`` and of ``weights``.

    ``gradients`` are those of ``y`` and of the parts of the final state, None for zero; ``kept`` is ``y`` and what
    forward kept. ``form`` says also whether the gradient of ``x`` is wanted; without it, it is empty.
    """
    two, reverse, want_x = form
    sizes = sizes_of(inputs, flow, weights, cell, two=two)
    y = (*inputs[0].shape[:-1], sizes.directions * sizes.units)
    shapes = (y, *[sizes.state] * sizes.kernel.parts, y, sizes.kept(inputs[0].dtype))
    for part, shape in zip((*gradients, *kept), shapes, strict=True):
        if part is not None and (part.shape != shape or part.dtype is not inputs[0].dtype):
            raise ValueError(f"expected {tuple(shape)} of {inputs[0].dtype}, got {tuple(part.shape)} of {part.dtype}")
    return backward(sizes, gradients, inputs, flow, kept, weights, reverse=reverse, want_x=want_x)


def _forward_shapes(
    inputs: list[Tensor], flow: Maybe, weights: list[Tensor], cell: str, form: list[bool], keep: bool
) -> list[Tensor]:
    """The shapes of forward's outputs."""
    return outputs_of(inputs[0], sizes_of(inputs, flow, weights, cell, two=form[0]), keep=keep)


def _backward_shapes(
    gradients: Maybe,  # noqa: ARG001
    inputs: list[Tensor],
    flow: Maybe,  # noqa: ARG001
    kept: list[Tensor],  # noqa: ARG001
    weights: list[Tensor],
    cell: str,  # noqa: ARG001
    form: list[bool],
) -> list[Tensor]:
    """The shapes of backward's outputs."""
    x, *others = [part.new_empty(part.shape) for part in (*inputs, *weights)]
    return [x if form[2] else x.new_empty(0), *others]


LIBRARY.impl("native_forward", _forward, "CPU")
LIBRARY.impl("native_backward", _backward, "CPU")
torch.library.register_fake("ostinato::native_forward", _forward_shapes, lib=LIBRARY)
torch.library.register_fake("ostinato::native_backward", _backward_shapes, lib=LIBRARY)
