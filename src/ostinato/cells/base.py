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
"""A step's gates: a NamedTuple of tensors ``(B, ·)``, mostly ``(B, H)``, after their activations."""

S = TypeVar("S", bound=State)
G = TypeVar("G", bound=Gates)


class Weights(dict[str, Tensor]):
    """The weights of one layer in one direction, by name, in the order of :meth:`Cell.shapes`. Read only.

    The first five are laid out as in ``torch.nn``, with ``G`` gates in the first axis, and stand for themselves:
    ``ih`` ``(G H, I)``, ``hh`` ``(G H, P)``, ``bias_ih`` and ``bias_hh`` ``(G H,)`` or None, ``hr`` ``(P, H)`` or None
    (a projection of the output; without it ``P = H``). Whatever else a cell has is read by its name,
    ``weights["ci"]``; a weight given as None is not there. ``values()`` are the tensors that there are.
    """

    def __init__(
        self,
        ih: Tensor | None = None,
        hh: Tensor | None = None,
        bias_ih: Tensor | None = None,
        bias_hh: Tensor | None = None,
        hr: Tensor | None = None,
        **others: Tensor | None,
    ) -> None:
        named = {"ih": ih, "hh": hh, "bias_ih": bias_ih, "bias_hh": bias_hh, "hr": hr, **others}
        super().__init__({name: part for name, part in named.items() if part is not None})

    @property
    def ih(self) -> Tensor:
        """What reads the input."""
        return self["ih"]

    @property
    def hh(self) -> Tensor:
        """What reads the state before; a cell may have none."""
        return self["hh"]

    @property
    def bias_ih(self) -> Tensor | None:
        """The bias of the input's part."""
        return self.get("bias_ih")

    @property
    def bias_hh(self) -> Tensor | None:
        """The bias of the recurrent part."""
        return self.get("bias_hh")

    @property
    def hr(self) -> Tensor | None:
        """The projection of the output."""
        return self.get("hr")


class Sizes(NamedTuple):
    """What the shapes of a layer's weights and states depend on.

    ``input`` ``I``; ``hidden`` ``H``; ``output`` ``P``, which is ``H`` without a projection; ``bias``, whether there
    are biases; ``heads``, the number of blocks of the cells that have them.
    """

    input: int
    hidden: int
    output: int
    bias: bool = True
    heads: int = 1


Shapes = dict[str, tuple[int, ...]]


class Cell(ABC, Generic[S, G]):
    """One step's equation. A cell knows neither time nor direction, neither lengths nor layers.

    ``project`` is the part that is parallel over time; ``step`` is the recurrence. ``step`` itself is ``gate`` (the
    activations, by name) followed by ``update`` (the new state), so that a trace sees what the equation computed.

    Class variables: ``State`` and ``Gates``, the NamedTuples; ``candidate``, the gate that recurrent dropout acts on;
    ``zones``, the parts of the state that zoneout may hold; ``keep`` and ``write``, the gates whose biases say how long
    the memory lasts; ``projects``, whether there may be a projection of the output.
    """

    name: str
    State: ClassVar[Any]
    Gates: ClassVar[Any]
    candidate: ClassVar[str | None] = None
    zones: ClassVar[tuple[str, ...]] = ("h",)
    keep: ClassVar[str | None] = None
    write: ClassVar[str | None] = None
    projects: ClassVar[bool] = False

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

    def rows(self, sizes: Sizes) -> list[int]:
        """How many rows of ``ih`` belong to each gate, in the order of ``gates``."""
        return [sizes.hidden] * len(self.gates)

    def shapes(self, sizes: Sizes) -> Shapes:
        """The shape of every weight by its name, in their order; ``torch.nn``'s unless a cell says otherwise."""
        rows = sum(self.rows(sizes))
        found: Shapes = {"ih": (rows, sizes.input), "hh": (rows, sizes.output)}
        if sizes.bias:
            found |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if sizes.output != sizes.hidden:
            found["hr"] = (sizes.output, sizes.hidden)
        return found

    def state_shapes(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        """The shape of each part of the state without its batch dimension."""
        return ((sizes.output,), (sizes.hidden,))[: len(self.State._fields)]

    def begin(self, name: str, weight: Tensor, sizes: Sizes) -> None:
        """Draw the weight ``name`` where it does not begin as ``torch.nn``'s do, uniform in ``±1/√H``."""

    def project(self, weights: Weights, x: Tensor) -> Tensor:
        """``W_ih x + b_ih`` for all steps at once: ``(*, I)`` to ``(*, G H)``."""
        return linear(x, weights.ih, weights.bias_ih)

    def step(self, weights: Weights, projected: Tensor, state: S) -> tuple[Tensor, S]:
        """One step: ``projected`` ``(B, G H)`` and the state before it give output ``(B, P)`` and the state after."""
        after = self.update(weights, self.gate(weights, projected, state), state)
        return after[0], after

    def drop(self, weights: Weights, projected: Tensor, state: S, gates: G, mask: Tensor) -> G:  # noqa: ARG002
        """The gates with their candidate times ``mask``: recurrent dropout, between ``gate`` and ``update``."""
        named: Any = gates
        assert self.candidate is not None
        return cast("G", named._replace(**{self.candidate: getattr(gates, self.candidate) * mask}))


def like(names: S, parts: Iterable[Tensor]) -> S:
    """The tensors ``parts`` under the names of the NamedTuple ``names``."""
    return cast("S", cast("Any", type(names))(*parts))
