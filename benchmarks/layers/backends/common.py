"""What the backends share: what an arm is, and how torch's arms hold numbers and give answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from benchmarks.layers.equations import EQUATIONS, Ops
from benchmarks.layers.problem import Arrays, Problem

K = TypeVar("K")
OPS = Ops(
    torch.nn.functional.linear,
    torch.sigmoid,
    torch.tanh,
    lambda x, gain, bias: torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias),
    lambda parts: torch.cat(parts, -1),
    torch,
)


@dataclass
class Arm:
    """A peer ready to be measured: ``call`` is what is timed, ``answers`` what one call gives, by name.

    ``bound`` names its row in the oracle's table, where that is not the dtype.
    """

    call: Callable[[], Any]
    answers: Callable[[], Arrays]
    facts: dict[str, Any] = field(default_factory=dict)
    bound: str = ""


def tensors(problem: Problem, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """The numbers as tensors of the problem's dtype, or another; what has a gradient asks for it in training."""
    found = {}
    dtype = dtype or (torch.bfloat16 if problem.dtype == "bfloat16" else torch.float32)
    for name, value in problem.numbers().items():
        tensor = torch.from_numpy(value)
        found[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    for name in leaves(problem):
        found[name].requires_grad_(problem.train or dtype == torch.float64)
    return found


def leaves(problem: Problem) -> list[str]:
    """The names of all that has a gradient."""
    equation = EQUATIONS[problem.cell]
    return ["x", *(f"{part}0" for part in equation.states), *equation.weights(problem.I, problem.H)]


def training_answers(problem: Problem, given: dict[str, Tensor], forward: Callable[[], tuple[Tensor, ...]]) -> Arrays:
    """Results and gradients of one call, by name."""
    outputs = forward()
    names = ["y", *EQUATIONS[problem.cell].states]
    found = dict(zip(names, outputs, strict=True))
    wanted = leaves(problem)
    if given[wanted[0]].requires_grad:
        grads = gradients(outputs, [given[name] for name in wanted], [given[f"d{name}"] for name in names])
        found |= {f"grad {name}": grad for name, grad in zip(wanted, grads, strict=True)}
    return {
        name: np.asarray(value.detach().to(torch.promote_types(value.dtype, torch.float32)))
        for name, value in found.items()
    }


def torch_arm(problem: Problem, given: dict[str, Tensor], forward: Callable[[], tuple[Tensor, ...]]) -> Arm:
    """An arm of torch: ``forward`` gives the outputs ``(T, B, H)`` and the parts of the final state ``(B, H)``."""
    if not problem.train:
        return Arm(forward, lambda: training_answers(problem, given, forward))
    wanted = [given[name] for name in leaves(problem)]
    grads = [given[f"d{name}"] for name in ("y", *EQUATIONS[problem.cell].states)]

    def call() -> Any:
        return gradients(forward(), wanted, grads)

    arm = Arm(call, lambda: training_answers(problem, given, forward))
    arm.facts["saved"] = saved_bytes(forward, wanted)
    return arm


def gradients(outputs: Sequence[Tensor], wanted: list[Tensor], grads: list[Tensor]) -> tuple[Tensor, ...]:
    """Of all that is wanted; 0 where nothing depends on it, as on a state that is only put out."""
    used = [(output, grad) for output, grad in zip(outputs, grads, strict=True) if output.requires_grad]
    return torch.autograd.grad(
        [output for output, _ in used], wanted, [grad for _, grad in used], allow_unused=True, materialize_grads=True
    )


def saved_bytes(forward: Callable[[], Any], free: list[Tensor]) -> int:
    """What a forward keeps for its backward, in bytes: every storage once, without the ``free`` leaves."""
    given = {tensor.untyped_storage().data_ptr() for tensor in free}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        alive = forward()
    del alive
    return sum(kept.values())


def fastest(ways: dict[K, Callable[[], Any]]) -> K:
    """The way whose call takes least: a peer that can be set up in several ways is met at its best."""

    def least(call: Callable[[], Any]) -> float:
        call()
        start = time.perf_counter()
        call()
        count = max(1, int(1e-3 / (time.perf_counter() - start)))
        times = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(count):
                call()
            times.append((time.perf_counter() - start) / count)
        return min(times)

    return min(ways, key=lambda name: least(ways[name]))


def busiest(call: Callable[[], Any]) -> str:
    """The operator that takes most of a call: proof of the path a peer takes."""
    os.environ["KINETO_LOG_LEVEL"] = "99"
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        call()
    event = max(seen.key_averages(), key=lambda one: one.self_cpu_time_total)
    return f"{event.key} × {event.count}"
