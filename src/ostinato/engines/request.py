"""The contract of every engine: what it is asked and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from ostinato.cells import Cell, Weights
from ostinato.sequences import Packed


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
    """

    cell: Cell
    weights: Weights
    rows: Packed
    state: Any
    reset: Tensor | None = None
    reverse: bool = False
    trace: bool = False


class Trace(NamedTuple):
    """What a cell did at every step: ``states`` after it and ``gates`` in it, NamedTuples of rows ``(N, ·)``."""

    states: Any
    gates: Any


class Result(NamedTuple):
    """``output`` ``(N, P)`` rows as in the request; ``state`` after the last step processed, ``(B, ·)`` by slot."""

    output: Tensor
    state: Any
    trace: Trace | None = None


class Engine(ABC):
    """A way to compute a cell over time. ``refuses`` says which requests it cannot serve, and why."""

    name: ClassVar[str]

    @abstractmethod
    def refuses(self, request: Request) -> str | None:
        """Why this engine cannot serve the request, as the end of a sentence; None if it can."""

    @abstractmethod
    def how(self, request: Request) -> str:
        """In words, the way it would serve the request (for ``explain``)."""

    @abstractmethod
    def run(self, request: Request) -> Result:
        """The answer; only for requests that it does not refuse."""
