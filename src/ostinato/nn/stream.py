"""Stream: a layer a step at a time, for one live sequence or thousands that come and go."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast, final

import numpy as np
import torch
from torch import Tensor

from ostinato.engines.steps import STORED, Held, Stored, number, rounded, steps_of

if TYPE_CHECKING:
    from ostinato.nn.layer import Hidden, Layer

A = TypeVar("A", np.ndarray, Tensor)

Numbers = int | Sequence[int] | np.ndarray
"""One stream or several, by number."""


@final
class Stream:
    """A layer that goes a step at a time: ``step(x)`` is ``h_t`` of ``layer.cell`` for the next ``x_t`` of each stream.

    A stream is one live sequence; it has a number, and its state is kept here. ``batch`` streams are open at first,
    with the numbers from 0 on; others come with :meth:`open` and go with :meth:`close`, which frees their numbers.
    Streamed = whole: the outputs are those of ``layer`` over the whole sequence, in eval mode, to a few ULP.

    The stream keeps its own copy of the weights. When the layer's change, by training or loading, it goes on with the
    old ones until :meth:`refresh`. Gradients do not flow through it. It runs on the CPU, wherever the layer lies, and
    may be used by one thread at a time; others get an error.

    Weights are kept as ``weights`` says. ``float32`` or ``float64``: as in the layer. ``bfloat16``: rounded to the
    nearest, a relative error of at most 2⁻⁹; inputs, states and sums are float32. ``int8``: in each row of a matrix
    multiples of its largest size over 127, an error of at most half of that; inputs and states are rounded likewise, at
    every step, where they are multiplied; sums are exact, gates and states float32. With weights as ``torch.nn`` draws
    them, outputs move by some 1e-3 with ``bfloat16`` and 1e-2 with ``int8``; a trained model must be measured.

    Args:
        layer: the layer, not bidirectional.
        batch: the number of streams open at first.
        weights: ``float32``, ``float64``, ``bfloat16`` or ``int8``; None: as in the layer.

    Raises:
        ValueError: the layer is bidirectional, or an argument is not one of those.
    """

    def __init__(self, layer: Layer, batch: int = 1, weights: Stored | None = None) -> None:
        if layer.bidirectional:
            raise ValueError("a bidirectional layer cannot be streamed: its second direction begins at the end")
        if batch < 0:
            raise ValueError(f"batch must be at least 0, but it is {batch}")
        if weights is None:
            weights = STORED_AS.get(next(layer.parameters()).dtype, "float32")
        if weights not in STORED:
            raise ValueError(f"weights must be one of {', '.join(STORED)}, not {weights!r}")
        self._layer, self._stored = layer, weights
        own = self._own()
        self._steps = steps_of(own.cell, own.layer_weights(), weights)
        self._step = self._steps.step
        self._take(own)
        self._held = self._room(0)
        self._grow(batch)
        self._held.open[:] = True
        self._begin(slice(None))
        self._free: list[int] = []
        self._list()

    def step(self, x: A, rows: Numbers | None = None, out: A | None = None) -> A:
        """One step.

        Args:
            x: ``(B, I)``, for a single stream also ``(I,)``: a C-contiguous numpy array or CPU tensor of float32, of
                float64 with ``float64`` weights.
            rows: the numbers of the streams that step, a row of ``x`` each; None: all open ones, in ascending order.
            out: where the output goes, of the kind and dtype of ``x``; None: a new array.

        Returns:
            ``(B, H)`` or ``(H,)``, of the kind of ``x``; ``out``, if it is given.

        Raises:
            ValueError: shape, dtype or strides do not fit, or ``rows`` names a stream that is not open, or twice.
            TypeError: ``x`` is neither a numpy array nor a tensor.
            RuntimeError: another thread is using this stream.
        """
        return cast("A", self._step(x, self._all if rows is None else numbers(rows), out))

    def open(self) -> int:
        """A new stream at the layer's initial state; gives its number, the lowest that is free."""
        with self._alone():
            if not self._free:
                known = len(self._held.open)
                self._grow(max(4, 2 * known))
                self._free = list(range(len(self._held.open) - 1, known - 1, -1))
            number = self._free.pop()
            self._held.open[number] = True
            self._begin([number])
            self._list()
        return number

    def close(self, rows: Numbers) -> None:
        """Forget these streams; their numbers go to streams opened later.

        Raises:
            ValueError: one of them is not open.
        """
        with self._alone():
            chosen = self._chosen(rows)
            self._held.open[chosen] = False
            self._free = np.flatnonzero(~self._held.open)[::-1].tolist()
            self._list()

    def reset(self, rows: Numbers | None = None) -> None:
        """Put these streams, None for all, back to the layer's initial state: a new episode begins.

        Raises:
            ValueError: one of them is not open.
        """
        with self._alone():
            self._begin(self._chosen(rows))

    @property
    def state(self) -> Hidden:
        """A copy of the states of all open streams, as ``torch.nn`` has them: ``h`` ``(L, B, H)``, or ``(h, c)``."""
        with self._alone():
            chosen = self._chosen(None)
            parts = tuple(torch.from_numpy(part[:, chosen]) for part in self._held.state)
        return parts if len(parts) > 1 else parts[0]

    def load(self, state: Hidden, rows: Numbers | None = None) -> None:
        """Set the states of these streams, None for all open ones; ``state`` as :attr:`state` gives it.

        Raises:
            ValueError: a stream is not open, or the shapes do not fit.
        """
        given = state if isinstance(state, tuple | list) else (state,)
        with self._alone():
            chosen, names = self._chosen(rows), self._layer.cell.State._fields
            if len(given) != len(names):
                raise ValueError(f"the state must be {' and '.join(names)}, but there are {len(given)} parts")
            wanted = [(part.shape[0], len(chosen), *part.shape[2:]) for part in self._held.state]
            for part, name, shape in zip(given, names, wanted, strict=True):
                if tuple(part.shape) != shape:
                    raise ValueError(f"{name} must be {shape}, but its shape is {tuple(part.shape)}")
            for part, held in zip(given, self._held.state, strict=True):
                held[:, chosen] = torch.as_tensor(part).detach().cpu().numpy()

    def refresh(self) -> None:
        """Take the layer's weights and its learned initial state as they are now; the streams go on where they are."""
        with self._alone():
            self._take(self._own())

    def __len__(self) -> int:
        """How many streams are open."""
        return int(self._held.open.sum())

    def __repr__(self) -> str:
        return f"Stream({self._layer}, {len(self)} open, {self._stored} weights, {self._steps.how})"

    def _own(self) -> Layer:
        """A copy of the layer with the weights the kernels compute with."""
        own = copy.deepcopy(self._layer).to("cpu").requires_grad_(requires_grad=False)
        own.to(number(self._stored))
        for name, weight in own.named_parameters():
            if name.startswith("weight_") and weight.dim() == 2:
                weight.data = rounded(weight, self._stored)
        return own

    def _take(self, own: Layer) -> None:
        """Weights and initial state."""
        self._steps.pack(own.layer_weights())
        weight = own.layer_weights()[0].ih
        initial = own._initial(None, 1, weight.new_empty(1, 1, weight.shape[1]), unbatched=False)
        self._initial = [part.numpy().copy() for part in initial]

    def _room(self, slots: int) -> Held:
        """States of zeros, all closed."""
        shapes = [(part.shape[0], slots, *part.shape[2:]) for part in self._initial]
        dtype = self._initial[0].dtype
        return Held(tuple(np.zeros(shape, dtype) for shape in shapes), np.zeros(slots, bool))

    def _grow(self, slots: int) -> None:
        """Room for so many streams; those there keep their states."""
        held, known = self._room(slots), len(self._held.open)
        held.open[:known] = self._held.open
        for new, old in zip(held.state, self._held.state, strict=True):
            new[:, :known] = old
        self._held = held
        self._steps.bind(held)

    def _begin(self, chosen: Any) -> None:
        for part, initial in zip(self._held.state, self._initial, strict=True):
            part[:, chosen] = initial

    def _list(self) -> None:
        """The numbers of all open streams, None where no other room is left between or behind them."""
        self._all = None if self._held.open.all() else np.flatnonzero(self._held.open)

    def _chosen(self, rows: Numbers | None) -> np.ndarray:
        """The numbers, which are those of open streams."""
        if rows is None:
            return np.flatnonzero(self._held.open)
        chosen = numbers(rows)
        for one in chosen.tolist():
            if not 0 <= one < len(self._held.open) or not self._held.open[one]:
                raise ValueError(f"there is no open stream {one}")
        return chosen

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._steps.acquire():
            raise RuntimeError("another thread is using this stream; one at a time")
        try:
            yield
        finally:
            self._steps.release()


STORED_AS: dict[torch.dtype, Stored] = {torch.float64: "float64", torch.bfloat16: "bfloat16"}
"""How weights are kept if nothing is said, where not as float32."""


def numbers(rows: Numbers) -> np.ndarray:
    """As a contiguous int64 array.

    Raises:
        ValueError: they are not whole numbers in one row.
    """
    found = np.atleast_1d(np.asarray(rows))
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"rows must be the numbers of streams, but they are {found.dtype} in {found.ndim} dimensions")
    return np.ascontiguousarray(found, np.int64)
