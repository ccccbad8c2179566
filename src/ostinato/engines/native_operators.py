"""The operators of the native engine: a layer over whole sequences, in one direction or in both, in one call.

``ostinato::native_forward`` and ``ostinato::native_backward`` check what they are given and hand addresses to the C++
module. Their derivatives and their vmap rules stand in :mod:`ostinato.engines.native_autograd`.

Arguments of both:

- ``inputs``: ``x``, and the parts of the initial state, ``h0`` and of an LSTM ``c0``, ``(D, B, H)`` by slot. ``x`` is
  ``(T, B, I)``, every sequence of ``T`` steps; or packed rows ``(N, I)``, and then there must be a state. No state is
  zero.
- ``flow``: of packed rows the batch sizes ``(T,)`` int64, else None; reset flags ``(D, N)`` bool, or None: before this
  row the state goes back to the initial one; and with noise which sequence lies in which slot, ``(B,)`` int64.
- ``weights``: those of the cell by its ``shapes``, direction by direction.
- ``cell``: a row of ``KERNELS``.
- ``noise``: nothing; or whether in training (0 or 1), the shares of recurrent dropout and of zoneout of h and c, and
  the number of the layer. ``seed``: that of the masks (:mod:`ostinato.engines.noise`).
- ``form``: whether there are two directions (``D`` is 2), and whether the only one is reversed.

With ``keep`` 1 forward keeps the gates and cell states of every step, with 2 the cell states alone, and backward
computes the gates again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells import CELLS
from ostinato.cells import Sizes as Shape
from ostinato.engines.buffers import answer, narrowed, readable, room
from ostinato.engines.core import NUMBERS, native


class Kernel(NamedTuple):
    """A cell of the C++ module.

    ``code``: its number there, and ``projected`` that of the cell with a projection of its output, if there is one;
    ``parts`` of its state; ``own``: its weights beyond those that torch.nn knows.
    """

    code: int
    parts: int
    own: tuple[str, ...] = ()
    projected: int | None = None


KERNELS = {
    "rnn": Kernel(0, 1),
    "rnn_relu": Kernel(1, 1),
    "lstm": Kernel(2, 2, projected=8),
    "gru": Kernel(3, 1),
    "lstm_peephole": Kernel(4, 2, ("ci", "cf", "co"), projected=9),
    "lstm_coupled": Kernel(5, 2, projected=10),
    "indrnn": Kernel(6, 1, ("hh",)),
    "indrnn_tanh": Kernel(7, 1, ("hh",)),
    "gru_before": Kernel(11, 1),
    "lstm_norm": Kernel(12, 2, ("norm_ih", "norm_hh", "norm_c", "bias_norm_c")),
    "gru_norm": Kernel(13, 1, ("norm_ih", "norm_hh")),
}
"""The cells that the C++ module serves."""

WIDTHS = {**NUMBERS, torch.bfloat16: 2}
"""The dtypes of layers and their numbers in the module.

Tensors of bfloat16 are widened to float32 for the call, and the answers rounded; the products with matrices are those
of bfloat16 where the processor has them (AVX-512 BF16). Sums, gates and cell states are float32.
"""

LIBRARY = torch.library.Library("ostinato", "FRAGMENT")
LIBRARY.define(
    "native_forward(Tensor[] inputs, Tensor?[] flow, Tensor[] weights, str cell, float[] noise, int seed, bool[] form, "
    "int keep) -> Tensor[]"
)
LIBRARY.define(
    "native_backward(Tensor?[] gradients, Tensor[] inputs, Tensor?[] flow, Tensor[] kept, Tensor[] weights, str cell, "
    "float[] noise, int seed, bool[] form) -> Tensor[]"
)
forward_operator = torch.ops.ostinato.native_forward.default
backward_operator = torch.ops.ostinato.native_backward.default

Maybe = Sequence[Tensor | None]


def layout(cell: str, inputs: int, units: int, outputs: int, *, bias: bool) -> dict[str, tuple[int, ...]]:
    """The weights of one direction: names and shapes in their order; ``outputs`` are ``P``."""
    if type(inputs) is int and type(units) is int:
        return _known_layout(cell, inputs, units, outputs, bias)
    return CELLS[cell].shapes(Shape(inputs, units, outputs, bias))  # what torch.compile keeps open has no hash


@lru_cache(maxsize=256)
def _known_layout(cell: str, inputs: int, units: int, outputs: int, bias: bool) -> dict[str, tuple[int, ...]]:
    return CELLS[cell].shapes(Shape(inputs, units, outputs, bias))


class Call(NamedTuple):
    """What a call is besides its tensors: a cell, its noise, and whether there are two directions or a reversed one."""

    cell: str
    noise: tuple[float, ...] = ()
    seed: int = 0
    two: bool = False
    reverse: bool = False

    @property
    def kernel(self) -> Kernel:
        """The cell in the C++ module."""
        return KERNELS[self.cell]

    @property
    def directions(self) -> int:
        """``D``."""
        return 2 if self.two else 1


class Sizes(NamedTuple):
    """The sizes of a call whose arguments fit together: ``slots`` are ``B``, ``total`` is ``N``.

    ``rows`` are those of ``x`` and ``y``, of which with places only ``total`` are read and written.
    """

    names: tuple[str, ...]
    inputs: int
    units: int
    outputs: int
    steps: int
    slots: int
    total: int
    rows: int

    def code(self, call: Call) -> int:
        """The number of the cell in the module."""
        kernel = call.kernel
        return kernel.code if "hr" not in self.names or kernel.projected is None else kernel.projected

    def states(self, call: Call) -> list[tuple[int, int, int]]:
        """The shapes of the parts of the state."""
        widths = (self.outputs, self.units)[: call.kernel.parts]
        return [(call.directions, self.slots, width) for width in widths]

    def kept(self, call: Call, dtype: torch.dtype, keep: int) -> tuple[int, int]:
        """The shape of what is kept for backward, in the kernels' own order."""
        number = self.number(call, dtype, low=False)
        gates = native.saved_size(self.code(call), number, self.units, 1) if keep == KEEP_ALL else 0
        return call.directions, (gates + (call.kernel.parts - 1) * self.units) * self.total

    def number(self, call: Call, dtype: torch.dtype, *, low: bool) -> int:
        """That of the dtype; of float32, where no kernel multiplies in bfloat16."""
        number, code = WIDTHS[dtype], self.code(call)
        return number if dtype in NUMBERS or (not low and native.serves(code, number)) else NUMBERS[torch.float32]

    def shape(self, call: Call, dtype: torch.dtype, flow: Maybe, *, low: bool) -> Any:
        """As the C++ module wants it."""
        head = (
            self.code(call),
            self.number(call, dtype, low=low),
            torch.get_num_threads(),
            call.directions,
            call.reverse,
        )
        batch_sizes, reset, sequences, places = addresses(flow)
        sizes = (self.inputs, self.units, self.steps, self.slots, self.total)
        outputs = self.outputs if "hr" in self.names else 0
        return native.shape(
            *head, *sizes, batch_sizes, reset, sequences, outputs, call.noise, call.seed, places, self.rows
        )


KEEP_NOTHING, KEEP_ALL, KEEP_LITTLE = 0, 1, 2


def sizes_of(inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], call: Call) -> Sizes:
    """The sizes of a call.

    Raises:
        ValueError: something has another shape, dtype or device than the call needs.
    """
    x, *states = inputs
    batch_sizes, reset, sequences, places = flow
    directions, dtype, kernel = call.directions, x.dtype, KERNELS.get(call.cell)
    if kernel is None or len(states) not in {0, kernel.parts}:
        raise ValueError(f"no kernel for cell '{call.cell}' with {len(states)} states")
    if dtype not in WIDTHS or x.dim() != (3 if batch_sizes is None else 2):
        raise ValueError(
            f"x must be (T, B, I), or (N, I) with batch_sizes, of float32, float64 or bfloat16, not {x.shape}"
        )
    shapes = _shapes_of(call, x.shape[-1], weights)
    if batch_sizes is None:
        steps, slots = x.shape[:2]
        total = count = steps * slots
    elif not states or batch_sizes.dtype is not torch.int64 or batch_sizes.dim() != 1 or states[0].dim() != 3:
        raise ValueError("batch_sizes must be (T,) of int64, and come with an initial state")
    else:
        steps, slots, count = batch_sizes.shape[0], states[0].shape[1], x.shape[0]
        total = count if places is None else places.shape[0]
    if places is not None and (batch_sizes is None or places.dtype is not torch.int64 or places.dim() != 1):
        raise ValueError("places must be (N,) of int64, and come with batch_sizes")
    units, outputs = shapes["ih"][0] // len(CELLS[call.cell].gates), weights[1].shape[-1]
    sizes = Sizes(tuple(shapes), x.shape[-1], units, outputs, steps, slots, total, count)
    wanted = (*tuple(shapes.values()) * directions, *(sizes.states(call) if states else ()))
    if len(wanted) != len(weights) + len(states):
        raise ValueError(f"cell '{call.cell}' has not {len(weights)} weights in {directions} direction(s)")
    for part, shape in zip((*weights, *states), wanted, strict=True):
        if part.shape != shape or part.dtype is not dtype or units < 1:
            raise ValueError(f"expected {tuple(shape)} of {dtype}, but got {tuple(part.shape)} of {part.dtype}")
    if reset is not None and (reset.shape != (directions, total) or reset.dtype is not torch.bool):
        raise ValueError(f"reset must be {(directions, total)} of bool, not {tuple(reset.shape)} of {reset.dtype}")
    given = (*weights, *states, *(part for part in flow if part is not None))
    if x.is_cpu and not all(part.is_cpu for part in given):
        raise ValueError(f"x is on the CPU, but not all else is: {sorted({str(part.device) for part in given})}")
    if call.noise and (sequences is None or sequences.shape != (slots,) or sequences.dtype is not torch.int64):
        raise ValueError(f"with noise the sequences must be named: ({slots},) of int64")
    return sizes


def _shapes_of(call: Call, inputs: int, weights: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes that the weights of one direction should have, by the sizes of the first two."""
    units, outputs = weights[0].shape[0] // len(CELLS[call.cell].gates), weights[1].shape[-1]
    shapes = layout(call.cell, inputs, units, outputs, bias=True)
    if len(weights) != len(shapes) * call.directions:
        shapes = layout(call.cell, inputs, units, outputs, bias=False)
    if "hr" in shapes and call.kernel.projected is None:
        raise ValueError(f"no kernel for cell '{call.cell}' with a projection")
    return shapes


def addresses(tensors: Iterable[Tensor | None]) -> list[int]:
    """Where they begin; None is nowhere."""
    return [0 if tensor is None else tensor.data_ptr() for tensor in tensors]


def pair(state: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """The parts ``h`` and ``c`` of a state, None for what is not there."""
    return (state[0] if state else None), (state[1] if len(state) > 1 else None)


def place_names(names: Collection[str], call: Call) -> list[str | None]:
    """Which of a direction's weights stands in each of the module's nine places; None is not there."""
    own = call.kernel.own
    plain = [None if name in own else name for name in ("ih", "hh", "bias_ih", "bias_hh")]
    return [name if name in names else None for name in (*plain, *own, *[None] * (4 - len(own)), "hr")]


def placed(weights: Sequence[Tensor], sizes: Sizes, call: Call) -> list[list[Tensor | None]]:
    """The weights of each direction in their places in the module."""
    count, places = len(sizes.names), place_names(sizes.names, call)
    at = [None if name is None else sizes.names.index(name) for name in places]
    return [[None if i is None else weights[d * count + i] for i in at] for d in range(call.directions)]


def forward(
    call: Call, sizes: Sizes, inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], *, keep: int
) -> list[Tensor]:
    """The forward operator, once its arguments are checked and nothing else wants to see the call."""
    dtype, low = inputs[0].dtype, keep == KEEP_LITTLE
    (x, *states), flow, weights = readable(inputs, dtype), readable(flow), readable(weights, dtype)
    y, *after = outputs_of(call, sizes, x, dtype)
    kept = [room(sizes.kept(call, dtype, keep), x.dtype)] if keep else []
    parts: list[Tensor | None] = [x, *pair(states), y, *pair(after), kept[0] if kept else None]
    for own in placed(weights, sizes, call):
        parts += own
    native.forward(sizes.shape(call, dtype, flow, low=low), call.kernel.parts > 1, low, addresses(parts))
    return [*narrowed([y, *after], dtype), *kept]


def outputs_of(call: Call, sizes: Sizes, x: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Room for what forward gives."""
    shapes = [(*x.shape[:-1], call.directions * sizes.outputs), *sizes.states(call)]
    return [answer(x, shape, dtype) for shape in shapes]


def backward(
    call: Call,
    sizes: Sizes,
    gradients: Maybe,
    inputs: Sequence[Tensor],
    flow: Maybe,
    kept: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    want_x: bool,
) -> list[Tensor]:
    """The backward operator, once its arguments are checked and nothing else wants to see the call."""
    dtype = inputs[0].dtype
    (x, *states), flow, weights = readable(inputs, dtype), readable(flow), readable(weights, dtype)
    kept, (dy, *dafter) = readable(kept, dtype), readable(gradients, dtype)
    dx = [answer(x, x.shape, dtype) for _ in range(call.directions * want_x)]
    dstates, dweights = [torch.empty_like(state) for state in states], [torch.empty_like(own) for own in weights]
    parts = [x, *pair(states), *kept, dy, *pair(dafter), *pair(dstates)]
    both = zip(placed(weights, sizes, call), placed(dweights, sizes, call), strict=True)
    for d, (own, its) in enumerate(both):
        parts += [*own, *its, dx[d] if want_x else None]
    low = kept[1].shape != sizes.kept(call, dtype, KEEP_ALL)
    native.backward(sizes.shape(call, dtype, flow, low=low), call.kernel.parts > 1, low, addresses(parts))
    if len(dx) > 1:
        dx[0].add_(dx[1])
    return narrowed([dx[0] if want_x else x.new_empty(0), *dstates, *dweights], dtype)


def _forward(inputs: list[Tensor], flow: Maybe, weights: list[Tensor], cell: str, *more: Any) -> list[Tensor]:
    """One layer over whole sequences.

    Gives ``y`` ``(T, B, D * H)`` or ``(N, D * H)``, the parts of the final state ``(D, B, H)``, and with ``keep`` what
    backward needs.
    """
    noise, seed, form, keep = more
    call = Call(cell, tuple(noise), seed, *form)
    return forward(call, sizes_of(inputs, flow, weights, call), inputs, flow, weights, keep=keep)


def _backward(
    gradients: Maybe,
    inputs: list[Tensor],
    flow: Maybe,
    kept: list[Tensor],
    weights: list[Tensor],
    cell: str,
    *more: Any,
) -> list[Tensor]:
    """The gradients of ``inputs`` and of ``weights``.

    ``gradients`` are those of ``y`` and of the parts of the final state, None for zero; ``kept`` is ``y`` and what
    forward kept. ``form`` says also whether the gradient of ``x`` is wanted; without it, it is empty.
    """
    noise, seed, form = more
    call, x = Call(cell, tuple(noise), seed, *form[:2]), inputs[0]
    sizes = sizes_of(inputs, flow, weights, call)
    y = (*x.shape[:-1], call.directions * sizes.outputs)
    shapes = (y, *sizes.states(call), y)
    for part, shape in zip((*gradients, kept[0]), shapes, strict=True):
        if part is not None and (part.shape != shape or part.dtype is not x.dtype):
            raise ValueError(f"expected {tuple(shape)} of {x.dtype}, got {tuple(part.shape)} of {part.dtype}")
    if kept[1].shape not in {sizes.kept(call, x.dtype, keep) for keep in (KEEP_ALL, KEEP_LITTLE)}:
        raise ValueError(f"forward of this call keeps nothing of shape {tuple(kept[1].shape)}")
    return backward(call, sizes, gradients, inputs, flow, kept, weights, want_x=form[2])


def _forward_shapes(inputs: list[Tensor], flow: Maybe, weights: list[Tensor], cell: str, *more: Any) -> list[Tensor]:
    """The shapes of forward's outputs."""
    noise, seed, form, keep = more
    call, x = Call(cell, tuple(noise), seed, *form), inputs[0]
    sizes = sizes_of(inputs, flow, weights, call)
    kept_dtype = torch.float32 if x.dtype is torch.bfloat16 else x.dtype
    kept = [x.new_empty(sizes.kept(call, x.dtype, keep), dtype=kept_dtype)] if keep else []
    return [*outputs_of(call, sizes, x, x.dtype), *kept]


def _backward_shapes(
    gradients: Maybe,  # noqa: ARG001
    inputs: list[Tensor],
    flow: Maybe,  # noqa: ARG001
    kept: list[Tensor],  # noqa: ARG001
    weights: list[Tensor],
    cell: str,  # noqa: ARG001
    *more: Any,
) -> list[Tensor]:
    """The shapes of backward's outputs."""
    x, *others = [part.new_empty(part.shape) for part in (*inputs, *weights)]
    return [x if more[2][2] else x.new_empty(0), *others]


LIBRARY.impl("native_forward", _forward, "CPU")
LIBRARY.impl("native_backward", _backward, "CPU")
torch.library.register_fake("ostinato::native_forward", _forward_shapes, lib=LIBRARY)
torch.library.register_fake("ostinato::native_backward", _backward_shapes, lib=LIBRARY)
