"""The chooser: which engine serves a request, decided in one place and never in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato.engines.aten import KERNELS, TorchEngine, kernel_of, transformed
from ostinato.engines.native import DENSE, NativeEngine, serves_dense
from ostinato.engines.reference import ReferenceEngine
from ostinato.engines.request import Engine, Kernel, Request, Result
from ostinato.engines.scan import ScanEngine
from ostinato.errors import UsageError, nearest

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (NativeEngine(), ScanEngine(), TorchEngine(), ReferenceEngine())
}
"""Every engine by its name, the fastest first: the first that does not refuse a request serves it."""

FORCED: ContextVar[str | None] = ContextVar("FORCED", default=None)
FORCING: list[str] = []
"""What is forced now in any context, for compiled code, which asks again when this changes."""


class Choice(NamedTuple):
    """An engine and why it was chosen."""

    engine: Engine
    reason: str


def choose(request: Request) -> Choice:
    """The first engine of the table that does not refuse, or the forced one.

    Raises:
        UsageError: the forced engine refuses the request.
    """
    forced = FORCED.get()
    if forced is not None:
        refusal = ENGINES[forced].refuses(request)
        if refusal is not None:
            raise UsageError(f"engine '{forced}' is forced, but {refusal}")
        return Choice(ENGINES[forced], "it is forced")
    refusals: list[str] = []
    for engine in ENGINES.values():
        refusal = engine.refuses(request)
        if refusal is None:
            return Choice(engine, "; ".join(refusals) or "it is the fastest that serves this request")
        refusals.append(f"not '{engine.name}': {refusal}")
    raise UsageError("; ".join(refusals))


def run(request: Request) -> Result:
    """Serve the request with the engine the chooser takes."""
    return choose(request).engine.run(request)


def dense_kernel(cell_name: str, input: Tensor, *, projected: bool) -> Kernel | None:
    """The fastest call for a whole stack, where its engine would be chosen; else None.

    A layer asks here first, so that the plain case costs no more than it must.
    """
    if torch.compiler.is_compiling():
        # the compiler can look neither into a context variable nor into PyTorch's kernels
        return DENSE[cell_name] if not FORCING and serves_dense(cell_name, input, projected=projected) else None
    forced = FORCED.get()
    if forced in {None, NativeEngine.name} and serves_dense(cell_name, input, projected=projected):
        return DENSE[cell_name]
    if forced not in {None, TorchEngine.name} or cell_name not in KERNELS or transformed():
        return None
    return Kernel(kernel_of(cell_name), needs_state=True)


@contextmanager
def force(name: str) -> Iterator[None]:
    """Inside, every request goes to the engine ``name``; a request it refuses is an error.

    Raises:
        UsageError: no engine has that name.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine '{name}'.{nearest(name, list(ENGINES))}")
    token = FORCED.set(name)
    FORCING.append(name)
    try:
        yield
    finally:
        FORCING.remove(name)
        FORCED.reset(token)
