"""What every cell has: weights, a named state, named gates, and one step split as fast engines need it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor
from torch.nn.functional import linear

State = tuple[Tensor, ...]
"""A cell's state: a NamedTuple of tensors ``(B, H)`` whose first field ``h`` is what the cell puts out."""

Gates = tuple[Tensor, ...]
"""A step's gates: a NamedTuple of tensors ``(B, H)``, after their activations."""


class Weights(NamedTuple):
    """The weights of one layer in one direction, laid out as in ``torch.nn``; ``G`` gates are stacked in the first axis.

    ``ih`` ``(G H, I)``, ``hh`` ``(G H, P)``, ``bias_ih`` and ``bias_hh`` ``(G H,)`` or None, ``hr`` ``(P, H)`` or None
    (the projection of an LSTM; without it ``P = H``).
    """

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None


class Cell(ABC):
    """One step's equation. A cell knows neither time nor direction, neither lengths nor layers.

    ``project`` is the part that is parallel over time; ``step`` is the recurrence. ``step`` itself is ``gate`` (the
    activations, by name) followed by ``update`` (the new state), so that a trace sees what the equation computed.
    """

    name: ClassVar[str]
    State: ClassVar[Any]
    Gates: ClassVar[Any]

    @abstractmethod
    def gate(self, weights: Weights, projected: Tensor, state: Any) -> Any:
        """The gates ``(B, H)`` of one step from ``projected`` ``(B, G H)`` and the state before it."""

    @abstractmethod
    def update(self, weights: Weights, gates: Any, state: Any) -> Any:
        """The state after the step."""

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates' names, in the order in which the weights are stacked."""
        fields: tuple[str, ...] = self.Gates._fields
        return fields

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``W_ih x + b_ih`` for all steps at once: ``(*, I)`` to ``(*, G H)``."""
        return linear(x, weights.ih, weights.bias_ih)

    def step(self, weights: Weights, projected: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step: ``projected`` ``(B, G H)`` and the state before it give output ``(B, P)`` and the state after it."""
        after = self.update(weights, self.gate(weights, projected, state), state)
        return after.h, after

    def zeros(self, weights: Weights, batch: int) -> Any:
        """The initial state of ``batch`` sequences when none is given: zero."""
        hidden, output = weights.hh.shape[0] // len(self.gates), weights.hh.shape[1]
        widths = [output, *([hidden] * (len(self.State._fields) - 1))]
        return self.State(*(weights.hh.new_zeros(batch, width) for width in widths))
