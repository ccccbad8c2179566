"""Every cell once more, from the papers, for any array library: the oracle, the eager loop and JAX's scan run these.

They share no line with the house. A step is split as fast forms need it: ``project`` is parallel over time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

W = dict[str, Any]
State = tuple[Any, ...]


class Ops(NamedTuple):
    """What an array library calls the functions that an equation needs.

    ``linear(x, w, b)`` is ``x w^T + b``; ``norm(x, gain, bias)`` normalises the last axis, with 1e-5 in the variance;
    ``concat`` joins along the last axis; ``lib`` is the library itself, for what all of them call alike.
    """

    linear: Callable[..., Any]
    sigmoid: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    norm: Callable[..., Any]
    concat: Callable[[list[Any]], Any]
    lib: Any


Shapes = dict[str, tuple[int, ...]]


class Equation(NamedTuple):
    """A cell: its class in ``ostinato.nn``, the parts of its state (first the one it puts out), weights, equation.

    ``options`` are the layer's arguments for hidden size ``H``; ``plain`` is the cell it is a variant of; ``linear``
    says that the recurrence is element by element; ``widths``: of the parts of the state, where they are not ``H``.
    """

    layer: str
    states: tuple[str, ...]
    weights: Callable[[int, int], Shapes]
    project: Callable[[Ops, W, Any], Any]
    step: Callable[[Ops, W, Any, State], State]
    plain: str = ""
    options: Callable[[int], dict[str, Any]] = lambda _: {}
    linear: bool = False
    widths: Callable[[int], tuple[int, ...]] = lambda _: ()

    def sizes(self, H: int) -> dict[str, int]:
        """The width of each part of the state."""
        return dict(zip(self.states, self.widths(H) or (H,) * len(self.states), strict=True))


def gated(gates: int, more: Callable[[int], Shapes] = lambda _: {}) -> Callable[[int, int], Shapes]:
    """The weights of torch.nn's layers, with ``gates`` blocks, and what a variant has beside them."""

    def shapes(I: int, H: int) -> Shapes:  # noqa: E741
        found: Shapes = {"weight_ih": (gates * H, I), "weight_hh": (gates * H, H)}
        return found | dict.fromkeys(("bias_ih", "bias_hh"), (gates * H,)) | more(H)

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


def gru_before(ops: Ops, w: W, projected: Any, state: State) -> State:
    """A GRU whose reset gate scales the state before the product (Cho et al. 2014, version 3)."""
    (h,) = state
    H = h.shape[-1]
    given, matrix, bias = blocks(projected, 3), w["weight_hh"], w["bias_hh"]
    own = blocks(ops.linear(h, matrix[: 2 * H], bias[: 2 * H]), 2)
    r, z = ops.sigmoid(given[0] + own[0]), ops.sigmoid(given[1] + own[1])
    n = ops.tanh(given[2] + ops.linear(r * h, matrix[2 * H :], bias[2 * H :]))
    return (n + z * (h - n),)


def peephole(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gates that see the cell state, o the new one (Gers et al. 2002)."""
    h, c = state
    i, f, g, o = blocks(projected + ops.linear(h, w["weight_hh"], w["bias_hh"]), 4)
    new = ops.sigmoid(f + w["weight_cf"] * c) * c + ops.sigmoid(i + w["weight_ci"] * c) * ops.tanh(g)
    return ops.sigmoid(o + w["weight_co"] * new) * ops.tanh(new), new


def coupled(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gate order i, g, o; ``f = 1 - i`` (CIFG, Greff et al. 2017)."""
    h, c = state
    i, g, o = blocks(projected + ops.linear(h, w["weight_hh"], w["bias_hh"]), 3)
    c = c + ops.sigmoid(i) * (ops.tanh(g) - c)
    return ops.sigmoid(o) * ops.tanh(c), c


def projected_lstm(ops: Ops, w: W, projected: Any, state: State) -> State:
    """``h' = W_hr (o tanh c')`` (Sak et al. 2014)."""
    h, c = lstm(ops, w, projected, state)
    return ops.linear(h, w["weight_hr"], None), c


def norm_project(ops: Ops, w: W, x: Any) -> Any:
    """``LN(W_ih x) + b_ih``."""
    return ops.norm(ops.linear(x, w["weight_ih"], None), w["weight_norm_ih"], w["bias_ih"])


def norm_lstm(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Both products normalised, and the cell state that is put out (Ba et al. 2016, equations 20 to 22)."""
    h, c = state
    own = ops.norm(ops.linear(h, w["weight_hh"], None), w["weight_norm_hh"], w["bias_hh"])
    i, f, g, o = blocks(projected + own, 4)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(ops.norm(c, w["weight_norm_c"], w["bias_norm_c"])), c


def norm_apart(ops: Ops, a: Any, gain: Any, bias: Any) -> Any:
    """The two gates of a GRU normalised together, its candidate by itself."""
    at = 2 * (a.shape[-1] // 3)
    gates = ops.norm(a[..., :at], gain[:at], bias[:at])
    return ops.concat([gates, ops.norm(a[..., at:], gain[at:], bias[at:])])


def norm_gru_project(ops: Ops, w: W, x: Any) -> Any:
    """The input's part of every gate, normalised."""
    return norm_apart(ops, ops.linear(x, w["weight_ih"], None), w["weight_norm_ih"], w["bias_ih"])


def norm_gru(ops: Ops, w: W, projected: Any, state: State) -> State:
    """A GRU with both products normalised (Ba et al. 2016, skip-thought)."""
    (h,) = state
    own = blocks(norm_apart(ops, ops.linear(h, w["weight_hh"], None), w["weight_norm_hh"], w["bias_hh"]), 3)
    given = blocks(projected, 3)
    r, z = ops.sigmoid(given[0] + own[0]), ops.sigmoid(given[1] + own[1])
    n = ops.tanh(given[2] + r * own[2])
    return (n + z * (h - n),)


def norms(gates: int) -> Callable[[int], Shapes]:
    """The gains of both products."""
    return lambda H: dict.fromkeys(("weight_norm_ih", "weight_norm_hh"), (gates * H,))


def projected_weights(I: int, H: int) -> Shapes:  # noqa: E741
    """Those of an LSTM that puts out half as many numbers as it has cells."""
    P = H // 2
    biases = dict.fromkeys(("bias_ih", "bias_hh"), (4 * H,))
    return {"weight_ih": (4 * H, I), "weight_hh": (4 * H, P), **biases, "weight_hr": (P, H)}


def reads_input(rows: int, biased: int, more: Callable[[int], Shapes] = lambda _: {}) -> Callable[[int, int], Shapes]:
    """Weights of gates that read the input alone: ``rows`` times ``H``, of which ``biased`` have a bias."""
    return lambda I, H: {"weight_ih": (rows * H, I), "bias_ih": (biased * H,)} | more(H)  # noqa: E741


def vectors(*names: str) -> Callable[[int], Shapes]:
    """A number a unit, by these names."""
    return lambda H: {f"weight_{name}": (H,) for name in names}


def partly_biased(ops: Ops, w: W, x: Any) -> Any:
    """``W_ih x``, with a bias for the first rows only."""
    products, bias = ops.linear(x, w["weight_ih"], None), w["bias_ih"]
    at = bias.shape[0]
    return ops.concat([products[..., :at] + bias, products[..., at:]])


def positive(ops: Ops, a: Any) -> Any:
    """``a + 0.5`` where ``a ≥ 0``, else ``σ(a)``."""
    return ops.lib.where(a >= 0, a + 0.5, ops.sigmoid(a))


def softplus(ops: Ops, a: Any) -> Any:
    """``log(1 + exp(a))``."""
    return ops.lib.logaddexp(a, ops.lib.zeros_like(a))


def min_gru(ops: Ops, w: W, projected: Any, state: State) -> State:  # noqa: ARG001
    """Gate order z, n; z writes (Feng et al. 2024, appendix B)."""
    z, n = blocks(projected, 2)
    z = ops.sigmoid(z)
    return ((1 - z) * state[0] + z * positive(ops, n),)


def min_lstm(ops: Ops, w: W, projected: Any, state: State) -> State:  # noqa: ARG001
    """Gate order i, f, g; both gates divided by their sum (Feng et al. 2024, appendix B)."""
    i, f, g = blocks(projected, 3)
    i, f = ops.sigmoid(i), ops.sigmoid(f)
    return (f / (f + i) * state[0] + i / (f + i) * positive(ops, g),)


def qrnn(ops: Ops, w: W, projected: Any, state: State) -> State:  # noqa: ARG001
    """Gate order z, f, o over this input and the last, fo-pooling (Bradbury et al. 2017)."""
    _, c, before = state
    now, ahead = blocks(projected, 2)
    z, f, o = blocks(now + before, 3)
    f = ops.sigmoid(f)
    c = f * c + (1 - f) * ops.tanh(z)
    return ops.sigmoid(o) * c, c, ahead


def sru_project(ops: Ops, w: W, x: Any) -> Any:
    """The products, and the input itself."""
    return ops.concat([partly_biased(ops, w, x), x])


def sru(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gate order f, r, w; the input goes by, times √3 (Lei et al. 2018)."""
    _, c = state
    f, r, new, x = blocks(projected, 4)
    f, r = ops.sigmoid(f + w["weight_vf"] * c), ops.sigmoid(r + w["weight_vr"] * c)
    c = f * c + (1 - f) * new
    return r * c + (1 - r) * 3**0.5 * x, c


def rg_lru_project(ops: Ops, w: W, x: Any) -> Any:
    """Both gates, and the input itself."""
    return ops.concat([project(ops, w, x), x])


def rg_lru(ops: Ops, w: W, projected: Any, state: State) -> State:
    """Gate order r, i; ``log a = -8 softplus(Λ) r`` (De et al. 2024, equations 1 to 4)."""
    r, i, x = blocks(projected, 3)
    log_a = -8 * softplus(ops, w["weight_lambda"]) * ops.sigmoid(r)
    scale = ops.lib.sqrt(-ops.lib.expm1(2 * log_a))
    return (ops.lib.exp(log_a) * state[0] + scale * ops.sigmoid(i) * x,)


def lru(ops: Ops, w: W, projected: Any, state: State) -> State:
    """A complex diagonal, real parts before imaginary ones (Orvieto et al. 2023)."""
    d, re_in, im_in = blocks(projected, 3)
    re, im = blocks(state[1], 2)
    size, angle, scale = ops.lib.exp(-ops.lib.exp(w["weight_nu"])), ops.lib.exp(w["weight_theta"]), w["weight_gamma"]
    a, b, scale = size * ops.lib.cos(angle), size * ops.lib.sin(angle), ops.lib.exp(scale)
    c = ops.concat([a * re - b * im + scale * re_in, a * im + b * re + scale * im_in])
    return ops.linear(c, w["weight_hr"], None) + d, c


HC = ("h", "c")
EQUATIONS: dict[str, Equation] = {
    "lstm": Equation("LSTM", HC, gated(4), project, lstm),
    "gru": Equation("GRU", ("h",), gated(3), project, gru),
    "elman": Equation("RNN", ("h",), gated(1), project, elman),
    "lstm_projected": Equation(
        "LSTM",
        HC,
        projected_weights,
        project,
        projected_lstm,
        "lstm",
        lambda hidden: {"proj_size": hidden // 2},
        widths=lambda hidden: (hidden // 2, hidden),
    ),
    "lstm_peephole": Equation(
        "PeepholeLSTM",
        HC,
        gated(4, lambda H: dict.fromkeys(("weight_ci", "weight_cf", "weight_co"), (H,))),
        project,
        peephole,
        "lstm",
    ),
    "lstm_coupled": Equation("CoupledLSTM", HC, gated(3), project, coupled, "lstm"),
    "lstm_norm": Equation(
        "LayerNormLSTM",
        HC,
        gated(4, lambda H: norms(4)(H) | dict.fromkeys(("weight_norm_c", "bias_norm_c"), (H,))),
        norm_project,
        norm_lstm,
        "lstm",
    ),
    "gru_before": Equation("GRU", ("h",), gated(3), project, gru_before, "gru", lambda _: {"reset_after": False}),
    "gru_norm": Equation("LayerNormGRU", ("h",), gated(3, norms(3)), norm_gru_project, norm_gru, "gru"),
    "min_gru": Equation("MinGRU", ("h",), reads_input(2, 2), project, min_gru, linear=True),
    "min_lstm": Equation("MinLSTM", ("h",), reads_input(3, 3), project, min_lstm, linear=True),
    "qrnn": Equation(
        "QRNN", ("h", "c", "ahead"), reads_input(6, 3), partly_biased, qrnn, linear=True, widths=lambda H: (H, H, 3 * H)
    ),
    "sru": Equation("SRU", HC, reads_input(3, 2, vectors("vf", "vr")), sru_project, sru, linear=True),
    "rg_lru": Equation("RGLRU", ("h",), reads_input(2, 2, vectors("lambda")), rg_lru_project, rg_lru, linear=True),
    "lru": Equation(
        "LRU",
        HC,
        reads_input(3, 1, lambda H: {"weight_hr": (H, 2 * H)} | vectors("nu", "theta", "gamma")(H)),
        partly_biased,
        lru,
        linear=True,
        widths=lambda H: (H, 2 * H),
    ),
}
"""Every cell that can be measured, by the name it has in the cases."""
