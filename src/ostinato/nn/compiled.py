"""Layers under torch.compile and torch.export: an operator for one layer in one direction, opaque to the compiler.

The compiler cannot look through packing (its shapes depend on the lengths) nor through PyTorch's own kernels, so it is
given an operator with padded tensors on both sides, whose shapes it knows. Inside, the operator asks the engines as the
eager layer does. Its backward runs the forward again, since a custom operator cannot keep an autograd graph.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey

from ostinato.cells import CELLS, State, Weights
from ostinato.cells.base import like
from ostinato.engines import Noise, Request, run_layer
from ostinato.engines.noise import KINDS
from ostinato.nn.forms import PaddedForm
from ostinato.sequences.padded import checked_lengths
from ostinato.sequences.segments import episode_ends


@torch.library.custom_op("ostinato::layer", mutates_args=())
def layer_operator(
    input: Tensor,
    lengths: Tensor | None,
    reset: Tensor | None,
    seed: Tensor | None,
    parts: list[Tensor],
    form: str,
    rates: list[float],
) -> list[Tensor]:
    """One layer in one direction over padded tensors.

    Args:
        input: ``(T, B, I)``.
        lengths: ``(B,)`` or None.
        reset: ``(T, B)`` bool or None: where an episode begins.
        seed: of the noise, or None: there is none, or only its expectation.
        parts: those of the initial state, each ``(B, ·)``, then the weights.
        form: the cell's name, the number of the layer, 0 or 1 for the direction, the names of the weights; by spaces.
        rates: of the noise, all 0 if there is none.

    Returns:
        The output ``(T, B, P)`` and the parts of the final state.
    """
    name, layer, reverse, *names = form.split()
    cell = CELLS[name]
    states = len(cell.State._fields)
    checked = None if lengths is None else checked_lengths(lengths, input.shape[1], input.shape[0])
    padded = PaddedForm(input, checked, batch_first=False)
    flags = None if reset is None else padded.flags(reset)
    if flags is not None and reverse == "1":
        flags = episode_ends(padded.rows, flags)
    order = padded.rows.order.to(input.device)
    request = Request(
        cell,
        Weights(**dict(zip(names, parts[states:], strict=True))),
        padded.rows,
        cell.State(*(part.index_select(0, order) for part in parts[:states])),
        flags,
        reverse=reverse == "1",
        noise=Noise.of(rates, seed) if any(rates) else None,
        layer=int(layer),
    )
    result = run_layer(request)
    slots = padded.rows.slots.to(input.device)
    final = [part.index_select(0, slots) for part in result.state]
    return [padded.restore(result.output).clone(memory_format=torch.contiguous_format), *final]


@layer_operator.register_fake
def _(
    input: Tensor,
    _lengths: Tensor | None,
    _reset: Tensor | None,
    _seed: Tensor | None,
    parts: list[Tensor],
    form: str,
    _rates: list[float],
) -> list[Tensor]:
    """The shapes."""
    state = parts[: len(CELLS[form.partition(" ")[0]].State._fields)]
    output = input.new_empty(input.shape[0], input.shape[1], state[0].shape[1])
    return [output, *(part.new_empty(part.shape) for part in state)]


@torch.library.custom_op("ostinato::layer_backward", mutates_args=())
def backward_operator(
    grads: list[Tensor],
    values: list[Tensor],
    lengths: Tensor | None,
    reset: Tensor | None,
    seed: Tensor | None,
    form: str,
    rates: list[float],
) -> list[Tensor]:
    """The gradients of ``values``: the input and the parts."""
    # An operator's body runs with autograd switched off; here it is needed.
    dispatch = torch._C._dispatch_tls_local_exclude_set()
    for key in (DispatchKey.AutogradFunctionality, DispatchKey.AutogradCPU, DispatchKey.AutogradCUDA):
        dispatch = dispatch.remove(key)
    with torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), dispatch), torch.enable_grad():
        leaves = [part.detach().requires_grad_() for part in values]
        outputs = layer_operator._init_fn(leaves[0], lengths, reset, seed, leaves[1:], form, rates)
        found = torch.autograd.grad(outputs, leaves, grads, allow_unused=True, materialize_grads=True)
    return [part.clone(memory_format=torch.contiguous_format) for part in found]


@backward_operator.register_fake
def _(_grads: list[Tensor], values: list[Tensor], *_: Any) -> list[Tensor]:
    """The shapes."""
    return [part.new_empty(part.shape) for part in values]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:  # noqa: ARG001
    """Keep the inputs for the backward."""
    input, lengths, reset, seed, parts, ctx.form, ctx.rates = inputs
    ctx.save_for_backward(lengths, reset, seed, input, *parts)


def _backward(ctx: Any, grads: list[Tensor]) -> tuple[Any, ...]:
    """Hand over to the backward operator."""
    lengths, reset, seed, *values = ctx.saved_tensors
    found = backward_operator(grads, values, lengths, reset, seed, ctx.form, ctx.rates)
    return found[0], None, None, None, found[1:], None, None


layer_operator.register_autograd(_backward, setup_context=_setup)


def run_operators(
    cell: str,
    weights: list[Weights],
    rows: Tensor,
    state: State,
    flow: tuple[Tensor | None, Tensor | None],
    *,
    bidirectional: bool,
    noise: Noise | None,
) -> tuple[Tensor, State]:
    """A stack over ``rows`` ``(T, B, I)``, an operator for each layer and direction.

    ``state`` is ``(L * D, B, ·)``, ``flow`` lengths ``(B,)`` and reset ``(T, B)``. Gives ``(T, B, D * P)`` and the
    final state.
    """
    directions, finals = 2 if bidirectional else 1, []
    seed, rates = (None, [0.0] * len(KINDS)) if noise is None else (noise.seeded().seed, [*noise.rates.values()])
    for layer in range(len(weights) // directions):
        outputs = []
        for direction in range(directions):
            at = layer * directions + direction
            form = " ".join([cell, str(layer), str(direction), *weights[at]])
            parts = [*(part[at] for part in state), *weights[at].values()]
            output, *final = layer_operator(rows, *flow, seed, parts, form, rates)
            outputs.append(output)
            finals.append(final)
        rows = torch.cat(outputs, 2)
    return rows, like(state, (torch.stack(parts) for parts in zip(*finals, strict=True)))
