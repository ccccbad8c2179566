"""The outside oracle: every cell once more, a sequence at a time, a step at a time, written from the papers.

It shares no line with the house: weights are split gate by gate, sequences are separate tensors, float64 throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor

LENGTHS = [3, 130, 0, 7, 64, 1, 9, 63, 2, 8, 65, 0]
SIZES = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3, "gru_before": 3}
PARTS = {"lstm": 2}

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


def step(cell: str, w: dict[str, Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step of one sequence: ``x`` ``(I,)``, parts of the state ``(H,)``."""
    count, h = SIZES[cell], state[0]
    width = w["ih"].shape[0] // count

    def block(name: str, gate: int) -> Tensor:
        return w[name][gate * width : (gate + 1) * width]

    def inputs(gate: int) -> Tensor:
        return block("ih", gate) @ x + (block("bias_ih", gate) if "bias_ih" in w else 0)

    def memory(gate: int, read: Tensor) -> Tensor:
        return block("hh", gate) @ read + (block("bias_hh", gate) if "bias_hh" in w else 0)

    def squash(a: Tensor) -> Tensor:
        return 1 / (1 + torch.exp(-a))

    if cell == "rnn":
        return [torch.tanh(inputs(0) + memory(0, h))]
    if cell == "rnn_relu":
        return [(inputs(0) + memory(0, h)).clamp(min=0)]
    if cell == "lstm":
        forget, write = squash(inputs(1) + memory(1, h)), squash(inputs(0) + memory(0, h))
        c = forget * state[1] + write * torch.tanh(inputs(2) + memory(2, h))
        out = squash(inputs(3) + memory(3, h)) * torch.tanh(c)
        return [w["hr"] @ out if "hr" in w else out, c]
    r, z = squash(inputs(0) + memory(0, h)), squash(inputs(1) + memory(1, h))
    n = torch.tanh(inputs(2) + (r * memory(2, h) if cell == "gru" else memory(2, r * h)))
    return [n + z * (h - n)]


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
