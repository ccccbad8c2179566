"""The C++ module, if it is there, and what it can be handed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ostinato.engines.request import Request

MISSING: str | None = None
"""Why the module is not there, as the second half of a sentence."""

try:
    from ostinato.engines import _native

    native = _native
except ImportError as error:
    native = None  # type: ignore[assignment]
    broken = (error.path or "").endswith((".so", ".pyd"))
    MISSING = (
        f"its C++ module cannot be loaded ({error}); install Ostinato again"
        if broken
        else "its C++ module is not built; install a C++17 compiler, then Ostinato again"
    )

NUMBERS = {torch.float32: 0, torch.float64: 1}
"""The dtypes that the module computes in, and their numbers there."""

PLAIN = {torch.Tensor, torch.nn.Parameter}
"""Tensors that are nothing more."""


def looked_on() -> bool:
    """Whether a transform or a dispatch mode wants to see what is called."""
    return torch._C._are_functorch_transforms_active() or torch._C._len_torch_dispatch_stack() > 0


def mere(tensors: Iterable[Tensor | None]) -> bool:
    """Whether these are mere tensors on the CPU."""
    return all(part is None or (type(part) in PLAIN and part.is_cpu) for part in tensors)


def unseen(tensors: Iterable[Tensor | None]) -> bool:
    """Whether these are mere tensors on the CPU, and nothing looks on."""
    return not looked_on() and mere(tensors)


def autocast() -> bool:
    """Whether autocast acts on the CPU now."""
    return torch.is_autocast_enabled("cpu")


def refusal(request: Request, numbers: Collection[torch.dtype] = tuple(NUMBERS)) -> str | None:
    """Why none of the module's kernels can serve a request: traces, devices, dtypes, forward-mode differentiation."""
    if MISSING is not None:
        return MISSING
    if request.trace:
        return "its kernels keep states and gates to themselves"
    if forward_ad._current_level >= 0:
        return "its kernels do not work under jvp or forward-mode differentiation"
    weight, others = request.weights.ih, (request.rows.data, *request.state)
    devices = {part.device.type for part in (weight, *others)} - {"cpu"}
    if devices:
        return f"it serves the CPU, not {' and '.join(sorted(devices))}"
    dtypes = {weight.dtype} if autocast() else {weight.dtype, *(part.dtype for part in others)}
    if len(dtypes) > 1 or weight.dtype not in numbers:
        *first, last = (str(number).removeprefix("torch.") for number in numbers)
        return f"it computes in {', '.join(first)} or {last}, not {' and '.join(sorted(map(str, dtypes)))}"
    return None
