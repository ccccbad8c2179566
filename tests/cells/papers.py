"""The cells once more, number by number in plain loops over NumPy arrays, from the equations of the papers.

Nothing here is shared with the house or with torch: a sequence is a list of vectors, a weight is read by its indices.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import linear_papers
import numpy as np

Array = np.ndarray
Weights = dict[str, Array]
State = list[Array]


def squash(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a))


def dot(row: Array, vector: Array) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(row, vector, strict=True))


def products(w: Weights, name: str, vector: Array) -> Array:
    return np.array([dot(row, vector) for row in w[name]])


def biased(w: Weights, name: str, vector: Array) -> Array:
    bias = w.get(f"bias_{name}")
    return products(w, name, vector) + (0 if bias is None else bias)


def normal(a: Array, gain: Array) -> Array:
    """Ba et al. 2016, equation 4."""
    mean = math.fsum(a) / len(a)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in a) / len(a) + 1e-5)
    return np.array([g * (x - mean) / deviation for g, x in zip(gain, a, strict=True)])


def lstm(w: Weights, x: Array, state: State, kind: str) -> State:
    h, c = state
    size = len(c)
    if kind == "norm":
        a = normal(products(w, "hh", h), w["norm_hh"]) + normal(products(w, "ih", x), w["norm_ih"])
        a = a + w.get("bias_ih", 0) + w.get("bias_hh", 0)
    else:
        a = biased(w, "ih", x) + biased(w, "hh", h)
    new, out = np.empty(size), np.empty(size)
    for j in range(size):
        if kind == "coupled":
            i, g, o = a[j], a[size + j], a[2 * size + j]
            new[j] = (1 - squash(i)) * c[j] + squash(i) * math.tanh(g)
        else:
            i, f, g, o = (a[k * size + j] for k in range(4))
            if kind == "peephole":
                i, f = i + w["ci"][j] * c[j], f + w["cf"][j] * c[j]
            new[j] = squash(f) * c[j] + squash(i) * math.tanh(g)
            if kind == "peephole":
                o = o + w["co"][j] * new[j]
        out[j] = squash(o)
    shown = normal(new, w["norm_c"]) + w.get("bias_norm_c", 0) if kind == "norm" else new
    h = np.array([o * math.tanh(s) for o, s in zip(out, shown, strict=True)])
    return [products(w, "hr", h) if "hr" in w else h, new]


def gru_norm(w: Weights, x: Array, state: State) -> State:
    (h,) = state
    size = len(h)
    zero = np.zeros(3 * size)
    read, held = products(w, "ih", x), products(w, "hh", h)
    for name, a in (("ih", read), ("hh", held)):
        for span in (slice(0, 2 * size), slice(2 * size, 3 * size)):
            a[span] = normal(a[span], w[f"norm_{name}"][span]) + w.get(f"bias_{name}", zero)[span]
    new = np.empty(size)
    for j in range(size):
        r, z = squash(read[j] + held[j]), squash(read[size + j] + held[size + j])
        new[j] = (1 - z) * math.tanh(read[2 * size + j] + r * held[2 * size + j]) + z * h[j]
    return [new]


def indrnn(w: Weights, x: Array, state: State, activation: Callable[[float], float]) -> State:
    a = biased(w, "ih", x)
    return [np.array([activation(a[j] + w["hh"][j] * state[0][j]) for j in range(len(a))])]


def slstm(w: Weights, x: Array, state: State) -> State:
    """Without the stabiliser, as equations 8 to 14 have it; the state holds ``exp(-m)`` times their ``c`` and ``n``."""
    h, c, n, m = state
    size, width = len(h), w["hh"].shape[1]
    a = biased(w, "ih", x)
    c, n, new = c * np.exp(m), n * np.exp(m), np.empty(size)
    stabiliser = np.empty(size)
    for j in range(size):
        head = j // width * width
        i, f, z, o = (a[k * size + j] + dot(w["hh"][k * size + j], h[head : head + width]) for k in range(4))
        stabiliser[j] = i if n[j] == 0 else max(math.log(squash(f)) + m[j], i)
        c[j] = squash(f) * c[j] + math.exp(i) * math.tanh(z)
        n[j] = squash(f) * n[j] + math.exp(i)
        new[j] = squash(o) * c[j] / n[j]
    return [new, c * np.exp(-stabiliser), n * np.exp(-stabiliser), stabiliser]


def mlstm(w: Weights, x: Array, state: State) -> State:
    """Without the stabiliser, as equations 19 to 27 have it: the denominator is ``max(|n q|, 1)``."""
    _, c, n, m = state
    heads, width = n.shape
    size = heads * width
    a = biased(w, "ih", x)
    q, k, v = a[:size], a[size : 2 * size] / math.sqrt(width), a[2 * size : 3 * size]
    new, c, n, stabiliser = np.empty(size), c.copy(), n.copy(), np.empty(heads)
    for e in range(heads):
        i, f = a[3 * size + e], a[3 * size + heads + e]
        stabiliser[e] = i if not n[e].any() else max(math.log(squash(f)) + m[e], i)
        own = range(e * width, (e + 1) * width)
        scale = math.exp(m[e])
        matrix, count = c[e] * scale, n[e] * scale
        for row, j in enumerate(own):
            count[row] = squash(f) * count[row] + math.exp(i) * k[j]
            for column, p in enumerate(own):
                matrix[row, column] = squash(f) * matrix[row, column] + math.exp(i) * v[j] * k[p]
        size_of = max(abs(dot(count, q[own.start : own.stop])), 1.0)
        for row, j in enumerate(own):
            new[j] = squash(a[3 * size + 2 * heads + j]) * dot(matrix[row], q[own.start : own.stop]) / size_of
        c[e], n[e] = matrix * math.exp(-stabiliser[e]), count * math.exp(-stabiliser[e])
    return [new, c, n, stabiliser]


STEPS: dict[str, Callable[[Weights, Array, State], State]] = {
    "lstm_peephole": lambda w, x, state: lstm(w, x, state, "peephole"),
    "lstm_coupled": lambda w, x, state: lstm(w, x, state, "coupled"),
    "lstm_norm": lambda w, x, state: lstm(w, x, state, "norm"),
    "gru_norm": gru_norm,
    "indrnn": lambda w, x, state: indrnn(w, x, state, lambda a: max(a, 0.0)),
    "indrnn_tanh": lambda w, x, state: indrnn(w, x, state, math.tanh),
    "slstm": slstm,
    "mlstm": mlstm,
    **linear_papers.STEPS,
}
