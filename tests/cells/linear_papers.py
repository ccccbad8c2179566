"""The linear recurrences number by number, from the equations of their papers, as in papers.py."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]
State = list[Array]


def squash(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a))


def positive(a: float) -> float:
    return a + 0.5 if a >= 0 else squash(a)


def products(w: Weights, x: Array, name: str = "ih") -> list[float]:
    """Each row of the weights times the input, and the bias of the first rows."""
    found = [math.fsum(float(a) * float(b) for a, b in zip(row, x, strict=True)) for row in w[name]]
    if name == "ih" and "bias_ih" in w:
        for row, bias in enumerate(w["bias_ih"]):
            found[row] += float(bias)
    return found


def min_gru(w: Weights, x: Array, state: State) -> State:
    """Feng et al. 2024, section 3.1, with g of appendix B."""
    a, size = products(w, x), len(state[0])
    new = np.empty(size)
    for j in range(size):
        z = squash(a[j])
        new[j] = (1 - z) * state[0][j] + z * positive(a[size + j])
    return [new]


def min_lstm(w: Weights, x: Array, state: State) -> State:
    """Feng et al. 2024, section 3.2, with g of appendix B."""
    a, size = products(w, x), len(state[0])
    new = np.empty(size)
    for j in range(size):
        i, f = squash(a[j]), squash(a[size + j])
        new[j] = f / (f + i) * state[0][j] + i / (f + i) * positive(a[2 * size + j])
    return [new]


def qrnn(w: Weights, x: Array, state: State) -> State:
    """Bradbury et al. 2016, equations 1 and 4; with a width of 2 if there is a part for the step after."""
    a, size = products(w, x), len(state[0])
    late = state[2] if len(state) > 2 else np.zeros(3 * size)
    h, c = np.empty(size), np.empty(size)
    for j in range(size):
        z, f, o = (a[k * size + j] + late[k * size + j] for k in range(3))
        c[j] = squash(f) * state[1][j] + (1 - squash(f)) * math.tanh(z)
        h[j] = squash(o) * c[j]
    return [h, c, *([np.array(a[3 * size :])] if len(state) > 2 else [])]


def sru(w: Weights, x: Array, state: State) -> State:
    """Lei et al. 2018, equations 1 to 4 with the scaled highway."""
    a, size = products(w, x), len(state[0])
    h, c = np.empty(size), np.empty(size)
    for j in range(size):
        f = squash(a[j] + w["vf"][j] * state[1][j])
        r = squash(a[size + j] + w["vr"][j] * state[1][j])
        c[j] = f * state[1][j] + (1 - f) * a[2 * size + j]
        passing = a[3 * size + j] if len(a) > 3 * size else x[j]
        h[j] = r * c[j] + (1 - r) * math.sqrt(3) * passing
    return [h, c]


def rg_lru(w: Weights, x: Array, state: State) -> State:
    """De et al. 2024, equations 1 to 4 with c = 8."""
    a, size = products(w, x), len(state[0])
    u = products(w, x, "in") if "in" in w else list(x)
    new = np.empty(size)
    for j in range(size):
        decay = math.exp(-8 * math.log1p(math.exp(w["lambda"][j])) * squash(a[j]))
        new[j] = decay * state[0][j] + math.sqrt(1 - decay**2) * squash(a[size + j]) * u[j]
    return [new]


def lru(w: Weights, x: Array, state: State) -> State:
    """Orvieto et al. 2023, equation 7 and the read-out of equation 1."""
    size, output = len(w["nu"]), len(state[0])
    a = products(w, x)
    c = []
    for j in range(size):
        turn = cmath.exp(complex(-math.exp(w["nu"][j]), math.exp(w["theta"][j])))
        enters = complex(a[output + j], a[output + size + j])
        c.append(turn * complex(state[1][j], state[1][size + j]) + math.exp(w["gamma"][j]) * enters)
    h = np.empty(output)
    for p in range(output):
        read = [complex(w["hr"][p, j], -w["hr"][p, size + j]) for j in range(size)]
        h[p] = sum((r * s for r, s in zip(read, c, strict=True)), 0j).real + a[p]
    return [h, np.array([one.real for one in c] + [one.imag for one in c])]


STEPS: dict[str, Callable[[Weights, Array, State], State]] = {
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "qrnn": qrnn,
    "qrnn_1": qrnn,
    "sru": sru,
    "rg_lru": rg_lru,
    "lru": lru,
}
