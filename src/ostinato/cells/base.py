"""What every cell has: weights, a named state, named gates, and one step split as fast engines need it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast

from torch import Tensor
from torch.nn.functional import linear

State = tuple[Tensor, ...]
"""A cell's state: a NamedTuple of tensors ``(B, ·)``; its first field ``h`` is what the cell puts out."""

Gates = tuple[Tensor, ...]
"""A step's gates: a NamedTuple of tensors ``(B, H)``, after their activations."""

S = TypeVar("S", bound=State)
G = TypeVar("G", bound=Gates)


class Weights(NamedTuple):
    """The weights of one layer in one direction, laid out as in ``torch.nn``, with ``G`` gates in the first axis.

    ``ih`` ``(G H, I)``, ``hh`` ``(G H, P)``, ``bias_ih`` and ``bias_hh`` ``(G H,)`` or None, ``hr`` ``(P, H)`` or None
    (the projection of an LSTM; without it ``P = H``).
    """

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None


class Cell(ABC, Generic[S, G]):
    """One step's equation. A cell knows neither time nor direction, neither lengths nor layers.

    ``project`` is the part that is parallel over time; ``step`` is the recurrence. ``step`` itself is ``gate`` (the
    activations, by name) followed by ``update`` (the new state), so that a trace sees what the equation computed.
    """

    name: str
    State: ClassVar[Any]
    Gates: ClassVar[Any]

    @abstractmethod
    def gate(self, weights: Weights, projected: Tensor, state: S) -> G:
        """The gates ``(B, H)`` of one step from ``projected`` ``(B, G H)`` and the state before it."""

    @abstractmethod
    def update(self, weights: Weights, gates: G, state: S) -> S:
        """The state after the step."""

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates' names, in the order in which the weights are stacked."""
        return cast("tuple[str, ...]", self.Gates._fields)

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``W_ih x + b_ih`` for all steps at once: ``(*, I)`` to ``(*, G H)``."""
        return linear(x, weights.ih, weights.bias_ih)

    def step(self, weights: Weights, projected: Tensor, state: S) -> tuple[Tensor, S]:
        """One step: ``projected`` ``(B, G H)`` and the state before it give output ``(B, P)`` and the state after."""
        after = self.update(weights, self.gate(weights, projected, state), state)
        return after[0], after


def like(names: S, parts: Iterable[Tensor]) -> S:
    """The tensors ``parts`` under the names of the NamedTuple ``names``."""
    return cast("S", cast("Any", type(names))(*parts))
