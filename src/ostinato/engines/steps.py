"""A stack of layers a step at a time: by the native core where it has the cell, else by the cell's own equation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, cast, final

import numpy as np
import torch
from torch import Tensor

from ostinato.cells import Cell, State, Weights
from ostinato.cells.base import like
from ostinato.engines.chooser import FORCED
from ostinato.engines.core import MISSING, native

Stored = Literal["float32", "float64", "bfloat16", "int8"]
"""How weights are kept. Sums are float32, with ``float64`` weights float64."""

STORED: tuple[Stored, ...] = ("float32", "float64", "bfloat16", "int8")
CELLS = ("rnn", "rnn_relu", "lstm", "gru")
"""The cells of the native core, in the order of its ``Cell``."""

Array = Any
"""A numpy array or a tensor."""


class Held(NamedTuple):
    """What a stream holds: the parts of its ``state`` ``(L, slots, ·)``, and which slots are ``open`` ``(slots,)``."""

    state: tuple[np.ndarray, ...]
    open: np.ndarray


class Steps(Protocol):
    """A stack bound to its weights and to the states of its streams."""

    how: str

    def pack(self, weights: list[Weights]) -> None:
        """Take the weights, layer by layer; they are copied."""
        ...

    def bind(self, held: Held) -> None:
        """Keep states here from now on."""
        ...

    def acquire(self) -> bool:
        """Keep others off; False if somebody else does."""
        ...

    def release(self) -> None:
        """Let others on again."""
        ...

    def step(self, x: Array, rows: np.ndarray | None, out: Array | None) -> Array:
        """One step of the slots ``rows``, None for all; ``x`` ``(B, I)`` or ``(I,)``."""
        ...


def number(stored: Stored) -> torch.dtype:
    """The dtype of inputs, outputs and states."""
    return torch.float64 if stored == "float64" else torch.float32


def steps_of(cell: Cell[Any, Any], weights: list[Weights], stored: Stored) -> Steps:
    """The fastest way to step this stack; inside ``force("reference")`` always the cell's own equation."""
    forced = FORCED.get()
    if forced is not None and forced != "native":
        return ReferenceSteps(cell, stored, f"'{forced}' is forced")
    if MISSING is not None:
        return ReferenceSteps(cell, stored, MISSING)
    if cell.name not in CELLS or any(one.hr is not None for one in weights):
        return ReferenceSteps(cell, stored, "the native core has no streams of this cell")
    return NativeSteps(cell, weights, stored)


@final
class NativeSteps:
    """The C++ kernels. Weights are packed once; a step takes no other memory than its output."""

    def __init__(self, cell: Cell[Any, Any], weights: list[Weights], stored: Stored) -> None:
        gates, inputs = weights[0].ih.shape
        units, threads = gates // len(cell.gates), torch.get_num_threads()
        self.dtype = number(stored)
        self.native = native.Stream(CELLS.index(cell.name), STORED.index(stored), inputs, units, len(weights), threads)
        self.how = f"native: C++ kernels for {native.isa()}"
        self.acquire: Callable[[], bool] = self.native.acquire
        self.release: Callable[[], None] = self.native.release
        exchange = hasattr(Tensor, "__dlpack_c_exchange_api__")  # PyTorch 2.10 and later
        self.step: Callable[..., Array] = self.native.step if exchange else through_numpy(self.native.step)

    def pack(self, weights: list[Weights]) -> None:
        """In the order in which the kernels read them."""
        for layer, one in enumerate(weights):
            parts = [one.ih, one.hh, one.bias_ih, one.bias_hh]
            dense = [None if part is None else part.detach().to("cpu", self.dtype).contiguous() for part in parts]
            self.native.pack(layer, *(0 if part is None else part.data_ptr() for part in dense))

    def bind(self, held: Held) -> None:
        """By address; the module keeps the arrays alive."""
        c = held.state[1].ctypes.data if len(held.state) > 1 else 0
        self.native.bind(held, held.state[0].ctypes.data, c, held.open.ctypes.data, len(held.open))


def through_numpy(step: Callable[..., Array]) -> Callable[..., Array]:
    """The step for tensors that have no exchange of their own: the same memory, as numpy arrays."""

    def stepped(x: Array, rows: np.ndarray | None, out: Array | None) -> Array:
        if not isinstance(x, Tensor):
            return step(x, rows, out)
        after = step(x.detach().numpy(), rows, None if out is None else out.detach().numpy())
        return torch.from_numpy(after) if out is None else out

    return stepped


@final
class ReferenceSteps:
    """The cell's own ``project`` and ``step`` on tensors: slow, and the definition."""

    def __init__(self, cell: Cell[Any, Any], stored: Stored, reason: str) -> None:
        self.cell, self.stored, self.dtype = cell, stored, number(stored)
        self.how = f"reference: the equation of cell '{cell.name}' ({reason})"
        self.lock = threading.Lock()

    def pack(self, weights: list[Weights]) -> None:
        """As they are; they were rounded before."""
        self.weights = weights

    def bind(self, held: Held) -> None:
        """As tensors that share the memory."""
        self.held, self.state = held, [torch.from_numpy(part) for part in held.state]

    def acquire(self) -> bool:
        """Without waiting."""
        return self.lock.acquire(blocking=False)

    def release(self) -> None:
        """For the next."""
        self.lock.release()

    def step(self, x: Array, rows: np.ndarray | None, out: Array | None) -> Array:
        """Layer by layer."""
        if not self.acquire():
            raise RuntimeError("another thread is using this stream; one step at a time")
        try:
            inputs = dense(x, "x", self.dtype)
            width = self.weights[0].ih.shape[1]
            if inputs.shape[-1] != width:
                raise ValueError(f"x must have {width} inputs, but its shape is {tuple(x.shape)}")
            slots = self._slots(rows, len(inputs) if inputs.dim() == 2 else 1)
            wanted = (*inputs.shape[:-1], self.state[0].shape[-1])
            target = None if out is None else dense(out, "out", self.dtype, writable=True)
            if target is not None and tuple(target.shape) != wanted:
                raise ValueError(f"out must be {wanted}, but its shape is {tuple(target.shape)}")
            with torch.no_grad():
                after = self._run(inputs.reshape(-1, width), slots).reshape(wanted)
                if target is not None:
                    target.copy_(after)
                    return out
            return after.numpy() if isinstance(x, np.ndarray) else after
        finally:
            self.release()

    def _run(self, x: Tensor, slots: Tensor) -> Tensor:
        names = cast("Any", self.cell.State)
        for layer, weights in enumerate(self.weights):
            state: State = names(*(part[layer, slots] for part in self.state))
            seen, read = state, x
            if self.stored == "int8":
                seen, read = like(state, (narrowed(state[0]), *state[1:])), narrowed(x)
            gates = self.cell.gate(weights, self.cell.project(weights, read), seen)
            state = self.cell.update(weights, gates, state)
            for part, now in zip(self.state, state, strict=True):
                part[layer, slots] = now
            x = state[0]
        return x

    def _slots(self, rows: np.ndarray | None, count: int) -> Tensor:
        slots = np.arange(len(self.held.open)) if rows is None else rows
        if len(slots) != count:
            raise ValueError(f"x has {count} row(s) for {len(slots)} stream(s)")
        seen = set[int]()
        for i, slot in enumerate(slots.tolist()):
            if not 0 <= slot < len(self.held.open) or not self.held.open[slot] or slot in seen:
                raise ValueError(f"rows[{i}] = {slot} is not an open stream, or stands there twice")
            seen.add(slot)
        return torch.from_numpy(slots)


def dense(array: Array, name: str, dtype: torch.dtype, *, writable: bool = False) -> Tensor:
    """A numpy array or a tensor, as a tensor that shares its memory if it is to be written.

    Raises:
        TypeError, ValueError: it is none, or shape, dtype or strides do not fit.
    """
    if not isinstance(array, np.ndarray | Tensor):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, not {type(array).__name__}")
    if array.ndim not in {1, 2}:
        raise ValueError(f"{name} must be 1-D or 2-D, but it has {array.ndim} dimensions")
    wanted = str(dtype).removeprefix("torch.")
    if str(array.dtype).removeprefix("torch.") != wanted:
        raise ValueError(f"{name} must be {wanted}, but it is {array.dtype}")
    if isinstance(array, np.ndarray):
        if not array.flags.c_contiguous or (writable and not array.flags.writeable):
            raise ValueError(
                f"{name} must be C-contiguous{' and writable' if writable else ', as np.ascontiguousarray(x)'}"
            )
        return torch.from_numpy(array if writable else array.copy())
    if array.device.type != "cpu":
        raise ValueError(f"{name} must be on the CPU")
    if not array.is_contiguous():
        raise ValueError(f"{name} must be contiguous{'' if writable else ', as x.contiguous()'}")
    return array.detach()


def rounded(weight: Tensor, stored: Stored) -> Tensor:
    """A matrix ``(rows, K)`` with the values that the kernels compute with.

    ``bfloat16``: the nearest. ``int8``: in each row the nearest of 255 values, ``s q`` with ``q`` from -127 to 127 and
    ``s`` the largest size in the row over 127.
    """
    if stored == "bfloat16":
        return weight.to(torch.bfloat16).to(torch.float32)
    weight = weight.to(number(stored))
    if stored != "int8":
        return weight
    scale = weight.abs().amax(1, keepdim=True) / 127
    return (weight / torch.where(scale > 0, scale, 1)).round() * scale


def narrowed(x: Tensor) -> Tensor:
    """Rows ``(B, K)`` as the kernels read them beside int8 weights: each rounded as a row of weights is."""
    largest = x.abs().amax(1, keepdim=True)
    steps = torch.where(largest >= 1e-30, 127 / largest, 0)
    return (x * steps).round() * torch.where(largest >= 1e-30, largest / 127, 0)
