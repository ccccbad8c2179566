"""The outside oracle: every cell once more, a sequence at a time, a step at a time, written from the papers.

It shares no line with the house: weights are split gate by gate, sequences are separate tensors, float64 throughout.
"""

from __future__ import annotations

from typing import Any

import linear_oracle
import torch
from torch import Tensor

LENGTHS = [3, 130, 0, 7, 64, 1, 9, 63, 2, 8, 65, 0]
GATES = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3, "gru_before": 3, "lstm_peephole": 4, "lstm_coupled": 3}
GATES |= {"lstm_norm": 4, "gru_norm": 3, "indrnn": 1, "indrnn_tanh": 1, "slstm": 4}
HEADS = {"slstm": 2, "mlstm": 2}
PROJECTED = ("lstm", "lstm_peephole", "lstm_coupled", "lstm_norm", "lru")

TOLERANCE = {
    # dtype, quantity: bound on max |a - b| / max(1, max |b|), and where it comes from
    ("float64", "value"): 1e-13,  # eps 2e-16, some hundred rounded operations one after the other
    ("float64", "gradient"): 1e-12,  # as above, summed over 352 rows
    ("float32", "value"): 4e-6,  # eps 1.2e-7 times about 30: errors of 130 steps, damped by the gates
    ("float32", "gradient"): 2e-5,  # sums over 352 rows of products of two such values
}


def close(found: Tensor, wanted: Tensor, quantity: str) -> None:
    """Both shapes and all values agree within the table."""
    assert found.shape == wanted.shape
    if not wanted.numel():
        return
    bound = TOLERANCE[str(found.dtype).removeprefix("torch."), quantity]
    error = (found.detach().double() - wanted.detach()).abs().max() / wanted.detach().abs().max().clamp(min=1)
    assert float(error) <= bound, f"{quantity} off by {float(error):.3g}, allowed {bound:.3g}"


Shapes = dict[str, tuple[int, ...]]


def shapes(cell: str, inputs: int, hidden: int, output: int, bias: bool) -> tuple[Shapes, list[tuple[int, ...]]]:
    """The shapes of a cell's weights, by name, and of the parts of its state."""
    if cell in linear_oracle.CELLS:
        return linear_oracle.shapes(cell, inputs, hidden, output, bias)
    if cell == "mlstm":
        heads, width = HEADS[cell], hidden // HEADS[cell]
        rows = 4 * hidden + 2 * heads
        found: Shapes = {"ih": (rows, inputs)} | ({"bias_ih": (rows,)} if bias else {})
        return found, [(hidden,), (heads, width, width), (heads, width), (heads,)]
    rows = GATES[cell] * hidden
    read = (rows, output)
    if cell in HEADS:
        read = (rows, hidden // HEADS[cell])
    found = {"ih": (rows, inputs), "hh": (hidden,) if cell.startswith("indrnn") else read}
    if bias:
        found |= (
            {"bias_ih": (rows,)} if cell == "slstm" or cell.startswith("indrnn") else dict.fromkeys(BIASES, (rows,))
        )
    if output != hidden:
        found["hr"] = (output, hidden)
    if cell == "lstm_peephole":
        found |= {"ci": (hidden,), "cf": (hidden,), "co": (hidden,)}
    if cell.endswith("norm"):
        found |= {"norm_ih": (rows,), "norm_hh": (rows,)}
    if cell == "lstm_norm":
        found |= {"norm_c": (hidden,)} | ({"bias_norm_c": (hidden,)} if bias else {})
    parts = 4 if cell == "slstm" else 2 if cell.startswith("lstm") else 1
    return found, [(output,), *[(hidden,)] * (parts - 1)]


BIASES = ("bias_ih", "bias_hh")


def squash(a: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-a))


def level(a: Tensor, gain: Tensor) -> Tensor:
    """Layer normalisation of one vector."""
    centred = a - a.sum() / a.numel()
    return gain * centred / (centred.square().sum() / a.numel() + 1e-5).sqrt()


def step(cell: str, w: dict[str, Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step of one sequence: ``x`` ``(I,)``, parts of the state ``(H,)``."""
    if cell in linear_oracle.CELLS:
        return linear_oracle.step(cell, w, x, state)
    if cell in HEADS:
        return headed(cell, w, x, state)
    count, h = GATES[cell], state[0]
    width = w["ih"].shape[0] // count

    def block(name: str, gate: int) -> Tensor:
        return w[name][gate * width : (gate + 1) * width]

    def inputs(gate: int) -> Tensor:
        return block("ih", gate) @ x + (block("bias_ih", gate) if "bias_ih" in w else 0)

    def memory(gate: int, read: Tensor) -> Tensor:
        return block("hh", gate) @ read + (block("bias_hh", gate) if "bias_hh" in w else 0)

    if cell == "rnn":
        return [torch.tanh(inputs(0) + memory(0, h))]
    if cell == "rnn_relu":
        return [(inputs(0) + memory(0, h)).clamp(min=0)]
    if cell.startswith("indrnn"):
        a = inputs(0) + w["hh"] * h
        return [a.clamp(min=0) if cell == "indrnn" else torch.tanh(a)]
    if cell.startswith("lstm"):
        return long_memory(cell, w, x, state, (inputs, memory))
    if cell == "gru_norm":
        zero = x.new_zeros(3 * width)
        spans = [slice(0, 2 * width), slice(2 * width, 3 * width)]
        read = [level(w["ih"][s] @ x, w["norm_ih"][s]) + w.get("bias_ih", zero)[s] for s in spans]
        held = [level(w["hh"][s] @ h, w["norm_hh"][s]) + w.get("bias_hh", zero)[s] for s in spans]
        r, z = squash(read[0] + held[0]).split(width)
        n = torch.tanh(read[1] + r * held[1])
        return [n + z * (h - n)]
    r, z = squash(inputs(0) + memory(0, h)), squash(inputs(1) + memory(1, h))
    n = torch.tanh(inputs(2) + (r * memory(2, h) if cell == "gru" else memory(2, r * h)))
    return [n + z * (h - n)]


def long_memory(cell: str, w: dict[str, Tensor], x: Tensor, state: list[Tensor], read: Any) -> list[Tensor]:
    """The LSTM and its variants."""
    h, c = state
    inputs, memory = read
    if cell == "lstm_norm":
        both = [level(w["ih"] @ x, w["norm_ih"]), level(w["hh"] @ h, w["norm_hh"])]
        a = [*sum(both + [w[name] for name in BIASES if name in w]).split(c.shape[0])]
    else:
        a = [inputs(gate) + memory(gate, h) for gate in range(GATES[cell])]
    if cell == "lstm_peephole":
        a[0], a[1] = a[0] + w["ci"] * c, a[1] + w["cf"] * c
    if cell == "lstm_coupled":
        write, candidate, out = squash(a[0]), torch.tanh(a[1]), a[2]
        forget = 1 - write
    else:
        write, forget, candidate, out = squash(a[0]), squash(a[1]), torch.tanh(a[2]), a[3]
    c = forget * c + write * candidate
    if cell == "lstm_peephole":
        out = out + w["co"] * c
    shown = c
    if cell == "lstm_norm":
        shown = level(c, w["norm_c"]) + w.get("bias_norm_c", 0)
    h = squash(out) * torch.tanh(shown)
    return [w["hr"] @ h if "hr" in w else h, c]


def headed(cell: str, w: dict[str, Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """sLSTM and mLSTM, head by head, number by number, the stabiliser as in the paper."""
    h, c, n, m = state
    size, heads = h.shape[0], HEADS[cell]
    width = size // heads
    a = w["ih"] @ x + w.get("bias_ih", 0)
    if cell == "slstm":
        units = torch.arange(4 * size) % size // width  # the head of each row
        reads = torch.stack([h[k * width : (k + 1) * width] for k in range(heads)])[units]
        i, f, z, o = (a + (w["hh"] * reads).sum(1)).split(size)
        f = torch.log(squash(f))
        last = torch.where(n == 0, torch.full_like(m, -1e30), m)
        m = torch.maximum(f + last, i)
        c = torch.exp(f + last - m) * c + torch.exp(i - m) * torch.tanh(z)
        n = torch.exp(f + last - m) * n + torch.exp(i - m)
        return [squash(o) * c / n, c, n, m]
    q, k, v, i, f, o = a.split([size, size, size, heads, heads, size])
    outs, cs, ns, ms = [], [], [], []
    for head in range(heads):
        at = slice(head * width, (head + 1) * width)
        forget = torch.log(squash(f[head]))
        last = torch.where((n[head] == 0).all(), torch.full_like(m[head], -1e30), m[head])
        ms.append(torch.maximum(forget + last, i[head]))
        keep, write, key = torch.exp(forget + last - ms[-1]), torch.exp(i[head] - ms[-1]), k[at] / width**0.5
        cs.append(keep * c[head] + write * torch.outer(v[at], key))
        ns.append(keep * n[head] + write * key)
        outs.append(cs[-1] @ q[at] / torch.maximum((ns[-1] @ q[at]).abs(), torch.exp(-ms[-1])))
    return [squash(o) * torch.cat(outs), torch.stack(cs), torch.stack(ns), torch.stack(ms)]


def run(
    cell: str,
    w: dict[str, Tensor],
    sequences: list[Tensor],
    state: list[Tensor],
    flags: list[Tensor] | None,
    reverse: bool,
) -> tuple[list[Tensor], list[Tensor]]:
    """Every sequence alone. Gives the outputs ``(T_b, P)`` and the parts of the final state ``(B, ·)``."""
    outputs, finals = [], []
    for b, x in enumerate(sequences):
        first = [part[b] for part in state]
        now, found = first, {}
        for t in sorted(range(len(x)), reverse=reverse):
            if flags is not None and flags[b][t]:
                now = first
            now = step(cell, w, x[t], now)
            found[t] = now[0]
        outputs.append(torch.stack([found[t] for t in range(len(x))]) if len(x) else x.new_zeros(0, first[0].shape[0]))
        finals.append(now)
    return outputs, [torch.stack(parts) for parts in zip(*finals, strict=True)]
