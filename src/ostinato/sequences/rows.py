"""Rows put in another order, with a gradient that is again a gather."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class PermuteRows(torch.autograd.Function):
    """``y[n] = x[index[n]]`` where ``index`` is a permutation.

    Not ``x[index]``: its gradient is a scatter-add, which is slow on the CPU and not deterministic on a GPU, because it
    cannot know that no row is read twice. Here the gradient is the gather by the inverse.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        return x.index_select(0, index)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1], inputs[2])
        ctx.save_for_forward(inputs[1], inputs[2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        index, inverse = ctx.saved_tensors
        return permute(grad, inverse, index), None, None

    @staticmethod
    def jvp(ctx: Any, x: Tensor, index: None, inverse: None) -> Tensor:
        return permute(x, *ctx.saved_tensors)


def permute(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
    """``x[index]`` for a permutation and its inverse, both ``(N,)`` on the device of ``x``."""
    result: Tensor = PermuteRows.apply(x, index, inverse)
    return result


def permute_rows(x: Tensor, index: Tensor) -> Tensor:
    """``x[index]`` for ``x`` ``(N, *)`` and a permutation ``index`` ``(N,)`` on the CPU; differentiable at will."""
    if not x.requires_grad:
        return x.index_select(0, index.to(x.device))
    inverse = torch.empty_like(index)
    inverse[index] = torch.arange(index.numel())
    return permute(x, index.to(x.device), inverse.to(x.device))
