"""Plans: calls over equal lengths that come again, checked and run by the C++ module in one go.

Most calls are made again and again with tensors of the same shapes. The first is checked as every call is; what was
found is kept as a plan, and of the calls that follow the module itself sees whether they are the same and runs them.
"""

from __future__ import annotations

import atexit
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.engines.buffers import room
from ostinato.engines.core import MISSING, NUMBERS, native
from ostinato.engines.native_operators import KEEP_NOTHING, Call, Sizes, place_names

READS = MISSING is None and native.know(torch.Tensor, torch.nn.Parameter)
"""Whether the module can read this PyTorch's tensors: from 2.10 on."""

MOST = 256
PLANS: dict[Any, Plan] = {}
"""The plans made last, by what a call is before its tensors are looked at; at most ``MOST``."""
atexit.register(PLANS.clear)  # before the module goes, which would report them as leaks


class Plan(NamedTuple):
    """A call that was checked: its ``sizes``, and the module's own ``call`` of it."""

    sizes: Sizes
    directions: int
    shapes: list[tuple[int, ...]]
    call: Any

    def forward(self, tensors: list[Tensor], keep: int) -> list[Tensor] | None:
        """``y``, the parts of the final state and, if wanted, what backward needs; None: it is another call."""
        x = tensors[0]
        made = [x.new_empty(shape) for shape in self.shapes]
        if keep != KEEP_NOTHING:
            made.append(room((self.directions, self.call.kept()), x.dtype))
        return made if self.call.forward(tensors, made) else None

    def backward(self, tensors: list[Tensor], given: list[Tensor | None], *, want_x: bool) -> list[Tensor] | None:
        """The gradients of ``x``, if wanted, of the initial state and the weights; None: it is another call.

        ``given`` are ``y``, what forward kept, and the gradients of ``y`` and of the final state, None for zero.
        """
        made: list[Any] = [torch.empty_like(part) for part in tensors]
        dx = [made[0], *(torch.empty_like(made[0]) for _ in range(1, self.directions))]
        if not self.call.backward(tensors, given, [*(dx if want_x else [None] * self.directions), *made[1:]]):
            return None
        if want_x and len(dx) > 1:
            dx[0].add_(dx[1])
        return made


def plan_of(tensors: list[Tensor], call: Call, states: int) -> Plan | None:
    """The plan of a call of equal lengths like one that was checked before, if there is one.

    ``tensors`` are ``x``, the ``states`` parts of the initial state and the weights.
    """
    found = PLANS.get(_key(tensors, call, states))
    return found if found is not None and found.call.fits(tensors) else None


def learn(tensors: list[Tensor], sizes: Sizes, call: Call, states: int) -> None:
    """Keep the plan of a call of equal lengths that was checked, if it can have one."""
    x = tensors[0]
    if not READS or x.dtype not in NUMBERS or call.noise:
        return
    places = place_names(sizes.names, call)
    slots = [places.index(name) for name in sizes.names]
    y = (*x.shape[:-1], call.directions * sizes.outputs)
    shape = sizes.shape(call, x.dtype, (None, None, None, None), low=False)
    own = native.Plan(shape, call.kernel.parts, states, [list(part.shape) for part in tensors], slots)
    if len(PLANS) >= MOST:
        PLANS.clear()
    PLANS[_key(tensors, call, states)] = Plan(sizes, call.directions, [y, *sizes.states(call)], own)


def _key(tensors: list[Tensor], call: Call, states: int) -> Any:
    """What a call is, as far as it can be told without looking at all of its tensors."""
    x = tensors[0]
    return call, x.shape, x.dtype, len(tensors), states, torch.get_num_threads()
