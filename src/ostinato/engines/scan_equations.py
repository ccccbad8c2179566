"""What the scan kernels compute, in plain PyTorch: the definition of their operators, and their higher derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ostinato.cells.min_gru import positive
from ostinato.cells.sru import ALPHA

Parts = tuple[Tensor, ...]
Step = Callable[[Parts, "Tensor | None", Parts, Parts], tuple[Tensor | None, Parts]]
"""From the gates before their activations, the skip, the vectors and the state: the output apart, if any, and the state
after; each part ``(B, H)`` or, of the vectors, ``(H,)``."""


def between(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """``(1 - share) a + share b``."""
    return (1 - share) * a + share * b


def min_gru(pre: Parts, _skip: Tensor | None, _vectors: Parts, state: Parts) -> tuple[None, Parts]:
    """``h = (1 - z) h + z n``."""
    return None, (between(state[0], positive(pre[1]), torch.sigmoid(pre[0])),)


def min_lstm(pre: Parts, _skip: Tensor | None, _vectors: Parts, state: Parts) -> tuple[None, Parts]:
    """``h = (1 - i) h + i g``."""
    return None, (between(state[0], positive(pre[2]), torch.sigmoid(logsigmoid(pre[0]) - logsigmoid(pre[1]))),)


def qrnn(pre: Parts, _skip: Tensor | None, _vectors: Parts, state: Parts) -> tuple[Tensor, Parts]:
    """``c = (1 - f) z + f c``, ``y = o c``."""
    z, f, o = torch.tanh(pre[0]), torch.sigmoid(pre[1]), torch.sigmoid(pre[2])
    c = between(z, state[0], f)
    return o * c, (c,)


def sru(pre: Parts, skip: Tensor | None, vectors: Parts, state: Parts) -> tuple[Tensor, Parts]:
    """``c = (1 - f) w + f c``, ``y = (1 - r) s + r c``; without a skip, what goes by is a fourth gate."""
    f, r = (torch.sigmoid(pre[k] + vectors[k] * state[0]) for k in range(2))
    s = ALPHA * (pre[3] if skip is None else skip)
    c = between(pre[2], state[0], f)
    return between(s, c, r), (c,)


def rg_lru(pre: Parts, skip: Tensor | None, vectors: Parts, state: Parts) -> tuple[None, Parts]:
    """``h = a h + √(1 - a²) i u``, where the vector is ``log a`` at ``r = 1``."""
    r, i = torch.sigmoid(pre[0]), torch.sigmoid(pre[1])
    log_a = vectors[0] * r
    square = -torch.expm1(2 * log_a)
    scale = torch.sqrt(square.clamp(min=torch.finfo(square.dtype).tiny))
    return None, (torch.exp(log_a) * state[0] + scale * i * cast("Tensor", skip),)


def lru(pre: Parts, _skip: Tensor | None, vectors: Parts, state: Parts) -> tuple[None, Parts]:
    """``s = λ s + γ u``, complex."""
    a, b, scale = vectors
    return None, (a * state[0] - b * state[1] + scale * pre[0], a * state[1] + b * state[0] + scale * pre[1])


STEPS: dict[str, Step] = {
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "qrnn": qrnn,
    "sru": sru,
    "sru_projected": sru,
    "rg_lru": rg_lru,
    "lru": lru,
}


def scanned(
    operands: tuple[Tensor, Tensor | None, Tensor | None, Tensor],
    flow: tuple[Tensor, Tensor | None],
    kernel: str,
    *,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    """The output and the final state of the operator, differentiable any number of times.

    ``operands`` are ``pre``, ``skip``, ``vectors`` and ``first``, ``flow`` batch sizes and flags, as the operator's.
    """
    pre, skip, vectors, first = operands
    units = pre.shape[1] // {"min_gru": 2, "sru_projected": 4, "rg_lru": 2, "lru": 2}.get(kernel, 3)
    sizes = flow[0].tolist()
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    beginning = torch.split(first, units, 1)
    state, outputs = beginning, [pre[:0, :0]] * len(sizes)
    own = () if vectors is None else vectors.unbind(0)
    for t in range(len(sizes))[::-1] if reverse else range(len(sizes)):
        count, rows = sizes[t], slice(starts[t], starts[t] + sizes[t])
        begin = tuple(part[:count] for part in beginning)
        now = tuple(part[:count] for part in state)
        if flow[1] is not None:
            flags = flow[1][rows].unsqueeze(1)
            now = tuple(torch.where(flags, a, b) for a, b in zip(begin, now, strict=True))
        y, after = STEPS[kernel](torch.split(pre[rows], units, 1), None if skip is None else skip[rows], own, now)
        outputs[t] = torch.cat(after, 1) if y is None else y
        state = tuple(torch.cat([a, b[count:]]) for a, b in zip(after, state, strict=True))
    width = units if kernel in {"qrnn", "sru", "sru_projected"} else first.shape[1]
    return torch.cat([pre.new_zeros(0, width), *outputs]), torch.cat(state, 1)
