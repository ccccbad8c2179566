"""Layer normalisation inside a cell."""

from __future__ import annotations

from torch import Tensor
from torch.nn import init
from torch.nn.functional import layer_norm

EPSILON = 1e-5
"""Added to the variance."""


def normalised(a: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    """``gain ⊙ (a - mean a) / √(var a + ε) + bias`` over the last axis; the variance is the mean square deviation."""
    return layer_norm(a, a.shape[-1:], gain, bias, EPSILON)


def begin(name: str, weight: Tensor) -> None:
    """Gains begin at 1 and the biases beside them at 0."""
    if name.startswith("norm"):
        init.ones_(weight)
    elif name.startswith("bias_norm"):
        init.zeros_(weight)
