"""What the machine itself can do, measured beside the layers: products and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.layers.backends.common import Arm, fastest
from benchmarks.layers.problem import Problem

SIDE = 2048
"""Of the square matrices; a product takes 17 GFLOP."""
FLOPS = 2.0 * SIDE**3
FLOATS = 64 * 1024 * 1024
"""Of each of the three arrays that are streamed, 256 MiB, far beyond any cache."""
BYTES = 3.0 * 4 * FLOATS


def product(problem: Problem) -> Arm:  # noqa: ARG001
    """The faster of PyTorch's two matrix products, oneDNN's and MKL's, in float32."""
    a, b, bias = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE), torch.randn(SIDE)
    turned = b.t().contiguous()
    ways: dict[str, Callable[[], Any]] = {"MKL": lambda: torch.addmm(bias, a, b)}
    if torch.backends.mkldnn.is_available():
        ways["oneDNN"] = lambda: torch.ops.mkldnn._linear_pointwise(a, turned, bias, "none", [], "")
    best = fastest(ways)
    return Arm(ways[best], dict, {"path": best, "work": FLOPS})


def bandwidth(problem: Problem) -> Arm:  # noqa: ARG001
    """``c = a + b`` over arrays that fit no cache: two are read, one is written."""
    a, b, c = (torch.ones(FLOATS) for _ in range(3))
    return Arm(lambda: torch.add(a, b, out=c), dict, {"path": "add", "work": BYTES})
