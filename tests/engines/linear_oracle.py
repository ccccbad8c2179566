"""The linear recurrences of the outside oracle: gate by gate, complex numbers as such, float64."""

from __future__ import annotations

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

CELLS = ("min_gru", "min_lstm", "qrnn", "qrnn_1", "sru", "rg_lru", "lru")


def shapes(cell: str, inputs: int, hidden: int, output: int, bias: bool) -> tuple[Shapes, list[tuple[int, ...]]]:
    """The shapes of a cell's weights, by name, and of the parts of its state; gates in one block each."""
    square = inputs == hidden
    blocks = {"min_gru": 2, "min_lstm": 3, "qrnn": 6, "qrnn_1": 3, "sru": 3 if square else 4, "rg_lru": 2}
    biased = {"qrnn": 3, "sru": 2}
    if cell == "lru":
        found: Shapes = {"ih": (output + 2 * hidden, inputs), "hr": (output, 2 * hidden)}
        found |= {"bias_ih": (output,)} if bias else {}
        return found | dict.fromkeys(("nu", "theta", "gamma"), (hidden,)), [(output,), (2 * hidden,)]
    found = {"ih": (blocks[cell] * hidden, inputs)}
    found |= {"bias_ih": (biased.get(cell, blocks[cell]) * hidden,)} if bias else {}
    if cell == "sru":
        found |= {"vf": (hidden,), "vr": (hidden,)}
    if cell == "rg_lru":
        found |= {"lambda": (hidden,)} | ({} if square else {"in": (hidden, inputs)})
    parts = {"qrnn": [(hidden,), (hidden,), (3 * hidden,)], "qrnn_1": [(hidden,)] * 2, "sru": [(hidden,)] * 2}
    return found, parts.get(cell, [(hidden,)])


def squash(a: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-a))


def bent(a: Tensor) -> Tensor:
    """The candidate of the minimal cells."""
    return torch.stack([one + 0.5 if one >= 0 else squash(one) for one in a])


def step(cell: str, w: dict[str, Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step of one sequence: ``x`` ``(I,)``, parts of the state."""
    if cell == "lru":
        return turned(w, x, state)
    width = state[0].shape[0]

    def product(gate: int) -> Tensor:
        rows = slice(gate * width, (gate + 1) * width)
        bias = w["bias_ih"][rows] if "bias_ih" in w else x.new_zeros(0)
        return w["ih"][rows] @ x + (bias if len(bias) else 0)

    if cell == "min_gru":
        z = squash(product(0))
        return [(1 - z) * state[0] + z * bent(product(1))]
    if cell == "min_lstm":
        write, forget = squash(product(0)), squash(product(1))
        total = write + forget
        return [forget / total * state[0] + write / total * bent(product(2))]
    if cell.startswith("qrnn"):
        late = state[2].split(width) if cell == "qrnn" else [x.new_zeros(width)] * 3
        z, f, o = (torch.tanh(product(0) + late[0]), squash(product(1) + late[1]), squash(product(2) + late[2]))
        c = f * state[1] + (1 - f) * z
        return [o * c, c, *([w["ih"][3 * width :] @ x] if cell == "qrnn" else [])]
    if cell == "sru":
        f, r = squash(product(0) + w["vf"] * state[1]), squash(product(1) + w["vr"] * state[1])
        c = f * state[1] + (1 - f) * product(2)
        passing = product(3) if len(w["ih"]) > 3 * width else x
        return [r * c + (1 - r) * 3**0.5 * passing, c]
    r, i = squash(product(0)), squash(product(1))
    a = torch.exp(-8 * torch.log(1 + torch.exp(w["lambda"])) * r)
    return [a * state[0] + (1 - a * a).sqrt() * i * (w["in"] @ x if "in" in w else x)]


def turned(w: dict[str, Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """The LRU, in complex numbers."""
    output, half = len(state[0]), len(w["nu"])
    straight, real, imaginary = w["ih"].split([output, half, half])
    write, read = torch.complex(real, imaginary), torch.complex(w["hr"][:, :half], -w["hr"][:, half:])
    turn = torch.exp(torch.complex(-torch.exp(w["nu"]), torch.exp(w["theta"])))
    c = turn * torch.complex(state[1][:half], state[1][half:]) + torch.exp(w["gamma"]) * (write @ x.to(write.dtype))
    y = (read @ c).real + straight @ x + w.get("bias_ih", 0)
    return [y, torch.cat([c.real, c.imag])]


def from_gates(cell: str, g: dict[str, Tensor], before: list[Tensor], w: dict[str, Tensor]) -> list[Tensor]:
    """The state after a step, from its gates and the state before."""
    if cell == "min_gru":
        return [before[0] + g["z"] * (g["n"] - before[0])]
    if cell == "min_lstm":
        assert torch.allclose(g["i"] + g["f"], torch.ones_like(g["i"]))
        return [g["f"] * before[0] + g["i"] * g["g"]]
    if cell.startswith("qrnn"):
        c = g["f"] * before[1] + (1 - g["f"]) * g["z"]
        return [g["o"] * c, c, *([g["ahead"]] if "ahead" in g else [])]
    if cell == "sru":
        c = g["f"] * before[1] + (1 - g["f"]) * g["w"]
        return [g["r"] * c + (1 - g["r"]) * g["s"], c]
    if cell == "rg_lru":
        a = torch.exp(-8 * torch.log(1 + torch.exp(w["lambda"])) * g["r"])
        return [a * before[0] + (1 - a * a).sqrt() * g["i"] * g["u"]]
    turn = torch.exp(torch.complex(-torch.exp(w["nu"]), torch.exp(w["theta"])))
    half = len(turn)
    c = turn * torch.complex(before[1][:half], before[1][half:]) + torch.complex(g["re"], g["im"])
    c = torch.cat([c.real, c.imag])
    return [w["hr"] @ c + g["d"], c]
