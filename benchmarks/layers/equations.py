"""Every cell once more, from the papers, for any array library: the oracle, the eager loop and JAX's scan run these.

They share no line with the house. A step is split as fast forms need it: ``project`` is parallel over time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

W = dict[str, Any]
State = tuple[Any, ...]


class Ops(NamedTuple):
    """What an array library calls the functions that an equation needs: ``linear(x, w, b)`` is ``x w^T + b``."""

    linear: Callable[..., Any]
    sigmoid: Callable[[Any], Any]
    tanh: Callable[[Any], Any]


class Equation(NamedTuple):
    """A cell: the parts of its state, first the one it puts out; its weights; its equation in two parts.

    ``layer`` names the class in ``ostinato.nn`` (and in ``torch.nn``, where it has it).
    """

    layer: str
    states: tuple[str, ...]
    weights: Callable[[int, int], dict[str, tuple[int, ...]]]
    project: Callable[[Ops, W, Any], Any]
    step: Callable[[Ops, W, Any, State], State]


def gated(gates: int) -> Callable[[int, int], dict[str, tuple[int, ...]]]:
    """The weights of torch.nn's layers, with ``gates`` blocks."""

    def shapes(I: int, H: int) -> dict[str, tuple[int, ...]]:  # noqa: E741
        return {
            "weight_ih": (gates * H, I),
            "weight_hh": (gates * H, H),
            "bias_ih": (gates * H,),
            "bias_hh": (gates * H,),
        }

    return shapes


def project(ops: Ops, w: W, x: Any) -> Any:
    """The input's part of every gate: ``W_ih x + b_ih``."""
    return ops.linear(x, w["weight_ih"], w["bias_ih"])


def blocks(a: Any, count: int) -> list[Any]:
    """The gates of ``(·, count * H)``."""
    width = a.shape[-1] // count
    return [a[..., at * width : (at + 1) * width] for at in range(count)]


def lstm(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gate order i, f, g, o: ``c' = f c + i g``, ``h' = o tanh(c')``."""
    h, c = state
    i, f, g, o = blocks(projected + ops.linear(h, w["weight_hh"], w["bias_hh"]), 4)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


def gru(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gate order r, z, n, reset after the product: ``h' = n + z (h - n)``."""
    (h,) = state
    given, own = blocks(projected, 3), blocks(ops.linear(h, w["weight_hh"], w["bias_hh"]), 3)
    r, z = ops.sigmoid(given[0] + own[0]), ops.sigmoid(given[1] + own[1])
    n = ops.tanh(given[2] + r * own[2])
    return (n + z * (h - n),)


def elman(ops: Ops, w: W, projected: Any, state: State) -> State:
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``."""
    return (ops.tanh(projected + ops.linear(state[0], w["weight_hh"], w["bias_hh"])),)


EQUATIONS: dict[str, Equation] = {
    "lstm": Equation("LSTM", ("h", "c"), gated(4), project, lstm),
    "gru": Equation("GRU", ("h",), gated(3), project, gru),
    "elman": Equation("RNN", ("h",), gated(1), project, elman),
}
"""Every cell that can be measured, by the name it has in the cases."""
