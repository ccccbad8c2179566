"""Memory of native calls: buffers that are used again, and tensors of bfloat16 as the float32 that kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from ostinato.engines.core import NUMBERS, native

LARGE = 1 << 20
"""Bytes from which what does not leave the engine lies in the module's own buffers, whose pages are used again."""


def room(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An empty tensor; a large one in a buffer that has been used before."""
    count = prod(shape)
    if count * dtype.itemsize < LARGE or dtype not in NUMBERS:
        return torch.empty(shape, dtype=dtype)
    return torch.from_numpy(native.buffer(NUMBERS[dtype], count)).view(shape)


def readable(tensors: Sequence[Tensor | None], dtype: torch.dtype | None = None) -> list[Any]:
    """The tensors as kernels read them: contiguous; in a call of bfloat16 those of it as float32."""
    found = [None if tensor is None else tensor.contiguous() for tensor in tensors]
    if dtype is not torch.bfloat16:
        return found
    return [_wide(part) if part is not None and part.dtype is dtype else part for part in found]


def _wide(half: Tensor) -> Tensor:
    wide = room(half.shape, torch.float32)
    native.widen(half.data_ptr(), wide.data_ptr(), half.numel(), torch.get_num_threads())
    return wide


def answer(like: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Room for what a call of ``dtype`` gives, as wide as ``like``: what is rounded afterwards does not leave."""
    return like.new_empty(shape) if like.dtype is dtype else room(shape, like.dtype)


def narrowed(tensors: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Of bfloat16, if the call is."""
    if dtype is not torch.bfloat16:
        return tensors
    halves = [torch.empty(part.shape, dtype=dtype) for part in tensors]
    for wide, half in zip(tensors, halves, strict=True):
        native.narrow(wide.data_ptr(), half.data_ptr(), wide.numel(), torch.get_num_threads())
    return halves
