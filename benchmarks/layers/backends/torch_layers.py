"""torch.nn's own layers and cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.layers.backends.common import Arm, busiest, gradients, tensors, torch_arm
from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Problem


def built(problem: Problem, package: Any, dtype: torch.dtype | None = None) -> tuple[Any, dict[str, Tensor]]:
    """A layer with the problem's weights, and the problem's tensors, its parameters among them."""
    given, equation = tensors(problem, dtype), EQUATIONS[problem.cell]
    names = equation.weights(problem.I, problem.H)
    layer = getattr(package, equation.layer)(
        problem.I, problem.H, dtype=given["x"].dtype, **equation.options(problem.H)
    )
    with torch.no_grad():
        for name in names:
            parameter = getattr(layer, f"{name}_l0")
            parameter.copy_(given[name])
            given[name] = parameter.requires_grad_(problem.train)
    if len(dict(layer.named_parameters())) != len(names):
        raise ValueError(f"{layer} has parameters that the equation of {problem.cell} lacks")
    return layer, given


def begin(problem: Problem, given: dict[str, Tensor]) -> Any:
    """The initial state as torch.nn takes it."""
    parts = tuple(given[f"{part}0"].unsqueeze(0) for part in EQUATIONS[problem.cell].states)
    return parts if len(parts) > 1 else parts[0]


def flat(output: Tensor, state: Any) -> tuple[Tensor, ...]:
    """Outputs and the parts of the state, without the axis of the layers."""
    return output, *(part.squeeze(0) for part in (state if isinstance(state, tuple) else (state,)))


def layer(problem: Problem) -> Arm:
    """torch.nn's layer on equal lengths, its weights flattened."""
    module, given = built(problem, torch.nn)
    module.flatten_parameters()
    arm = torch_arm(problem, given, lambda: flat(*module(given["x"], begin(problem, given))))
    arm.facts["path"] = busiest(arm.call)
    return arm


def packed(problem: Problem, package: Any = torch.nn) -> Arm:
    """A layer on a PackedSequence, packed and padded again unless the problem is given packed."""
    module, given = built(problem, package)
    module.flatten_parameters()

    def pack() -> Any:
        return pack_padded_sequence(given["x"], given["lengths"], enforce_sorted=False)

    def whole() -> tuple[Tensor, ...]:
        output, state = module(pack(), begin(problem, given))
        return flat(pad_packed_sequence(output, total_length=problem.T)[0], state)

    arm = torch_arm(problem, given, whole)
    if problem.packed:
        arm.call = packed_call(problem, given, module, pack())
    arm.facts["path"] = busiest(arm.call)
    return arm


def packed_call(problem: Problem, given: dict[str, Tensor], module: Any, rows: Any) -> Callable[[], Any]:
    """The timed call where sequences come packed and stay so."""
    if not problem.train:
        return lambda: module(rows, begin(problem, given))
    data = rows.data.detach().requires_grad_()
    rows = rows._replace(data=data)
    names = [name for name in given if name.startswith(("weight", "bias")) or name[1:] == "0"]
    wanted = [data, *(given[name] for name in names)]
    order = torch.arange(problem.T).unsqueeze(1) < given["lengths"][rows.sorted_indices]
    grads = [given["dy"][:, rows.sorted_indices][order]]
    grads += [given[f"d{part}"] for part in EQUATIONS[problem.cell].states]

    def call() -> Any:
        output, state = module(rows, begin(problem, given))
        return gradients(flat(output.data, state), wanted, grads)

    return call


def cell(problem: Problem) -> Arm:
    """torch.nn's cell: one step."""
    cells = {"LSTM": torch.nn.LSTMCell, "GRU": torch.nn.GRUCell, "RNN": torch.nn.RNNCell}
    given = tensors(problem)
    module = cells[EQUATIONS[problem.cell].layer](problem.I, problem.H)
    with torch.no_grad():
        for name in EQUATIONS[problem.cell].weights(problem.I, problem.H):
            getattr(module, name).copy_(given[name])
    module.requires_grad_(problem.train)
    parts = tuple(given[f"{part}0"] for part in EQUATIONS[problem.cell].states)
    row, state = given["x"][0], parts if len(parts) > 1 else parts[0]

    def answers() -> tuple[Tensor, ...]:
        after = module(row, state)
        after = after if isinstance(after, tuple) else (after,)
        return after[0].unsqueeze(0), *after

    arm = torch_arm(problem, given, answers)
    arm.call = lambda: module(row, state)
    return arm


def unrolled(problem: Problem) -> Arm:
    """torch.compile of torch.nn's layer, told to look into it: every step its own code, minutes to compile."""
    torch._dynamo.config.allow_rnn = True
    module, given = built(problem, torch.nn)
    compiled = torch.compile(module, fullgraph=True)
    return torch_arm(problem, given, lambda: flat(*compiled(given["x"], begin(problem, given))))
