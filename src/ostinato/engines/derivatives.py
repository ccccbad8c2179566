"""The derivative of a derivative, from equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Maybe = Sequence[Tensor | None]


def second_derivative(
    outputs: Callable[..., tuple[Tensor, ...]], above: Sequence[Tensor], leaves: Sequence[Tensor], gradients: Maybe
) -> tuple[Tensor, ...]:
    """The gradients of ``above`` and of ``leaves``, in a row, through the first derivative of ``outputs``.

    ``above`` are the gradients of ``outputs(*leaves)``, and ``gradients`` those of the gradients of ``leaves`` that
    follow from them, None for zero.
    """
    vjp: Callable[..., Any] = torch.func.vjp
    count = len(above)

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        return tuple(vjp(outputs, *given[count:])[1](given[:count]))

    values, pull = vjp(first, *above, *leaves)
    pairs = zip(values, gradients, strict=True)
    found: tuple[Tensor, ...] = pull(tuple(torch.zeros_like(value) if part is None else part for value, part in pairs))
    return found
