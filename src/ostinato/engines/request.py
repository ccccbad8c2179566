"""The contract of every engine: what it is asked and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from ostinato.cells import Cell, Gates, State, Weights
from ostinato.cells.base import like
from ostinato.engines.noise import Noise
from ostinato.sequences import Packed
from ostinato.sequences.segments import episode_ends


class Kernel(NamedTuple):
    """A whole stack in one call.

    ``call`` has the arguments of ``torch.lstm``: input ``(T, B, I)``, state (one tensor or a tuple), weights, whether
    there are biases, ``L``, dropout, whether in training, bidirectional, batch first. It gives the output and the parts
    of the final state. ``needs_state``: whether the state must be given; else None is zero. ``ragged``: whether it also
    takes packed rows ``(N, I)`` with ``batch_sizes=`` ``(T,)``, and with them ``reset=`` ``(N,)`` or None; the state,
    ``(L * D, B, ·)`` by slot, must then be given. With ``places=`` ``(N,)`` the packed rows lie there among more rows
    of the input, and the output is laid out as the input, 0 in the others.
    """

    call: Callable[..., Sequence[Tensor]]
    needs_state: bool
    ragged: bool = False


@dataclass(frozen=True, eq=False)
class Request:
    """One cell over time: one layer in one direction.

    Args:
        cell: the equation.
        weights: its weights.
        rows: the input, ``data`` ``(N, I)``; sequences of length 0 and an empty batch are part of the contract.
        state: the initial state, ``cell.State`` of ``(B, ·)``; row ``j`` belongs to slot ``j`` of ``rows``.
        reset: ``(N,)`` bool, a flag a row, or None: where it is set, the state goes back to the *initial* state of the
            sequence before that step is computed. "Before" follows the direction of processing.
        reverse: whether each sequence is read from its end to its beginning; rows keep their places.
        trace: whether the states and the gates of every step are wanted.
        noise: regularisers, or None. An engine serves what is ``noise.inside`` the recurrence or refuses; masks on
            inputs, outputs and weights are laid on around it (:func:`ostinato.engines.stack.run_layer`).
        layer: which layer it is, counted from 0: a place in the masks of the noise.
        low: whether to save memory: an engine may compute in backward again what it could have kept.
    """

    cell: Cell[Any, Any]
    weights: Weights
    rows: Packed
    state: State
    reset: Tensor | None = None
    reverse: bool = False
    trace: bool = False
    noise: Noise | None = None
    layer: int = 0
    low: bool = False


class Trace(NamedTuple):
    """What a cell did at every step: ``states`` after it and ``gates`` in it, NamedTuples of rows ``(N, ·)``."""

    states: State
    gates: Gates


class Result(NamedTuple):
    """``output`` ``(N, P)`` rows as in the request; ``state`` after the last step processed, ``(B, ·)`` by slot."""

    output: Tensor
    state: State
    trace: Trace | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """``L`` layers of one cell, each in ``D`` directions, every layer reading the outputs of the one below.

    Args:
        cell: the equation of every layer.
        weights: ``L * D`` of them, layer by layer, forward before reverse.
        rows: the input of the first layer.
        state: the initial state, ``cell.State`` of ``(L * D, B, ·)``, by slot.
        reset: ``(N,)`` bool or None: a new episode begins at this row, for both directions: neither direction's state
            crosses from one episode into another.
        bidirectional: whether ``D`` is 2.
        trace: whether states and gates of every step are wanted.
        noise: regularisers of every layer, or None; a stack is taken whole only where it is ``plain``.
        low: whether to save memory.
    """

    cell: Cell[Any, Any]
    weights: list[Weights]
    rows: Packed
    state: State
    reset: Tensor | None = None
    bidirectional: bool = False
    trace: bool = False
    noise: Noise | None = None
    low: bool = False

    @property
    def dropout(self) -> float:
        """Share of the outputs that is dropped between two layers."""
        return 0.0 if self.noise is None else self.noise.dropout

    @property
    def directions(self) -> int:
        """``D``."""
        return 2 if self.bidirectional else 1

    @property
    def layers(self) -> int:
        """``L``."""
        return len(self.weights) // self.directions

    def requests(self, layer: int, rows: Packed) -> list[Request]:
        """What an engine is asked for one layer that reads ``rows``: a request a direction."""
        found = []
        for direction in range(self.directions):
            at = layer * self.directions + direction
            reset = self.reset
            if direction and reset is not None:
                reset = episode_ends(rows, reset)
            state = like(self.state, (part[at] for part in self.state))
            found.append(
                Request(
                    self.cell,
                    self.weights[at],
                    rows,
                    state,
                    reset,
                    reverse=bool(direction),
                    trace=self.trace,
                    noise=self.noise,
                    layer=layer,
                    low=self.low,
                )
            )
        return found


class StackResult(NamedTuple):
    """``output`` ``(N, D * P)``; ``state`` ``(L * D, B, ·)``; ``traces``, if wanted, one a layer and direction."""

    output: Tensor
    state: State
    traces: list[Trace]


class Engine(ABC):
    """A way to compute a cell over time. It says which requests it cannot serve, and whether it takes stacks whole."""

    name: str

    @abstractmethod
    def refuses(self, request: Request) -> str | None:
        """Why this engine cannot serve the request, as the second half of a sentence; None if it can."""

    @abstractmethod
    def how(self, request: Request) -> str:
        """In a few words, the way it would serve the request."""

    @abstractmethod
    def run(self, request: Request) -> Result:
        """The answer; only for requests that it does not refuse."""

    @abstractmethod
    def takes_whole(self, stack: Stack) -> bool:
        """Whether it serves all layers of this stack in one call faster than layer by layer."""

    @abstractmethod
    def run_whole(self, stack: Stack) -> StackResult:
        """The answer to a stack that it takes whole."""
