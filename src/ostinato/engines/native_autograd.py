"""Derivatives and vmap rules of the native operators, and the one way to call them.

The first derivative is a kernel; the further ones go through the reference engine's equations. Each autograd function
has two forms: torch.func can transform the one, and a plain call of the other costs a quarter of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ostinato.cells import CELLS, Weights
from ostinato.engines.core import looked_on, mere
from ostinato.engines.derivatives import second_derivative
from ostinato.engines.native_operators import (
    KEEP_ALL,
    KEEP_LITTLE,
    KEEP_NOTHING,
    LIBRARY,
    Call,
    Maybe,
    Sizes,
    backward,
    backward_operator,
    forward,
    forward_operator,
    sizes_of,
)
from ostinato.engines.noise import Noise
from ostinato.engines.plans import Plan, learn, plan_of
from ostinato.engines.reference import ReferenceEngine
from ostinato.engines.request import Request
from ostinato.sequences import Packed


class Form(NamedTuple):
    """A call, and how it is made.

    ``inputs`` counts ``x`` and the parts of the initial state; ``keep`` is what a differentiated forward keeps;
    ``sizes`` are there where the arguments are checked and nothing else wants to see the call, so that the dispatcher
    can be passed by; ``plan`` where the module has made such a call before.
    """

    call: Call
    inputs: int
    keep: int = KEEP_ALL
    sizes: Sizes | None = None
    plan: Plan | None = None

    @property
    def parts(self) -> int:
        """How many parts a state has."""
        return self.call.kernel.parts

    def forward(self, inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], keep: int) -> list[Tensor]:
        """Call forward."""
        if self.plan is not None:
            found = self.plan.forward([*inputs, *weights], keep)
            if found is not None:
                return found
        if self.sizes is not None:
            return forward(self.call, self.sizes, inputs, flow, weights, keep=keep)
        cell, noise, seed, *form = self.call
        with torch._C._AutoDispatchBelowAutograd():
            return cast("list[Tensor]", forward_operator(inputs, flow, weights, cell, noise, seed, form, keep))

    def backward(self, kept: Sequence[Tensor], gradients: Maybe, rest: Sequence[Any], *, want_x: bool) -> list[Tensor]:
        """Call backward; ``rest`` are flow, inputs and weights in a row."""
        if self.plan is not None:
            found = self.plan.backward(list(rest[FLOW:]), [*kept, *gradients], want_x=want_x)
            if found is not None:
                return found
        flow, inputs, weights = self.parted(rest)
        if self.sizes is not None:
            return backward(self.call, self.sizes, gradients, inputs, flow, kept, weights, want_x=want_x)
        cell, noise, seed, *form = self.call
        arguments = (gradients, inputs, flow, kept, weights, cell, noise, seed, [*form, want_x])
        with torch._C._AutoDispatchBelowAutograd():
            return cast("list[Tensor]", backward_operator(*arguments))

    def parted(self, tensors: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Tensor], Sequence[Tensor]]:
        """Flow, inputs and weights from a row of them."""
        end = FLOW + self.inputs
        return tensors[:FLOW], tensors[FLOW:end], tensors[end:]


FLOW = 4
"""How many tensors say how the steps flow: batch sizes, reset flags, sequences, places of the packed rows."""


def layer(
    inputs: Sequence[Tensor], flow: Maybe, weights: Sequence[Tensor], call: Call, *, low: bool = False
) -> Sequence[Tensor]:
    """One layer: ``y`` and the parts of the final state.

    The arguments are those of the operators; with ``low`` memory is saved and the gates are computed twice.
    """
    tensors = [*inputs, *weights]
    wanted = torch.is_grad_enabled() and any(part.requires_grad for part in tensors)
    if torch.compiler.is_compiling():
        keep = (KEEP_LITTLE if low else KEEP_ALL) if wanted else KEEP_NOTHING
        cell, noise, seed, two, reverse = call
        form = [two, reverse]
        found = cast("list[Tensor]", forward_operator(inputs, flow, weights, cell, noise, seed, form, keep))
        return found[:-1] if wanted else found
    own = form_of(tensors, len(inputs), flow, call, low=low)
    if torch._C._are_functorch_transforms_active():
        return apply_forward(own, *flow, *tensors)[:-1]
    if wanted:
        return apply_plain_forward(own, *flow, *tensors)[:-1]
    return own.forward(inputs, flow, weights, KEEP_NOTHING)


def form_of(tensors: list[Tensor], inputs: int, flow: Maybe, call: Call, *, low: bool) -> Form:
    """How a call is made: past the dispatcher where nothing looks on, by a plan where one like it was made before."""
    keep = KEEP_LITTLE if low else KEEP_ALL
    if looked_on():
        return Form(call, inputs, keep)
    plain = not low and all(part is None for part in flow)
    plan = plan_of(tensors, call, inputs - 1) if plain else None
    if plan is not None:
        return Form(call, inputs, keep, plan.sizes, plan)
    if not mere((*tensors, *flow)):
        return Form(call, inputs, keep)
    sizes = sizes_of(tensors[:inputs], flow, tensors[inputs:], call)
    if plain:
        learn(tensors, sizes, call, inputs - 1)
    return Form(call, inputs, keep, sizes)


class Forward(torch.autograd.Function):
    """Forward, with what backward needs as its last output; torch.func can transform it."""

    @staticmethod
    def forward(form: Form, *tensors: Any) -> tuple[Tensor, ...]:
        """Flow, inputs and weights in a row."""
        flow, inputs, weights = form.parted(tensors)
        return tuple(form.forward(inputs, flow, weights, form.keep))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the inputs, the output and the kernel's own."""
        ctx.form = inputs[0]
        ctx.save_for_backward(output[0], output[-1], *inputs[1:])
        ctx.mark_non_differentiable(output[-1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """By the kernel; where a graph of it is wanted, by the function that has one."""
        form, want_x, saved = ctx.form, ctx.needs_input_grad[1 + FLOW], ctx.saved_tensors
        found: Sequence[Tensor]
        if any(part is not None and torch._C._functorch.is_legacy_batchedtensor(part) for part in gradients):
            found = _first(form, saved[2:], gradients[:-1])
        elif torch._C._are_functorch_transforms_active():
            found = apply_backward(form, want_x, *saved[:2], *gradients[:-1], *saved[2:])
        elif torch.is_grad_enabled():
            found = apply_plain_backward(form, want_x, *saved[:2], *gradients[:-1], *saved[2:])
        else:
            found = form.backward(saved[:2], gradients[:-1], saved[2:], want_x=want_x)
        return None, *[None] * FLOW, found[0] if want_x else None, *found[1:]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], form: Form, *tensors: Any) -> tuple[Any, ...]:
        """The mapped dimension becomes more sequences; mapped weights are a loop."""
        dims = in_dims[1:]
        if any(dim is not None for dim in dims[FLOW + form.inputs :]):
            return _looped(info.batch_size, dims, tensors, lambda own: apply_forward(form, *own))
        return _folded(info.batch_size, dims, tensors, form)


class Backward(torch.autograd.Function):
    """The backward operator; torch.func can transform it."""

    @staticmethod
    def forward(form: Form, want_x: bool, *tensors: Any) -> tuple[Tensor, ...]:
        """Output and kept, gradients of the outputs, and the tensors of forward, in a row."""
        end = 3 + form.parts
        return tuple(form.backward(tensors[:2], tensors[2:end], tensors[end:], want_x=want_x))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ARG004
        """Keep all but what forward kept: the equations give it anew."""
        ctx.form, ctx.want_x, *tensors = inputs
        ctx.save_for_backward(*tensors[2:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        """Differentiate the reference engine twice."""
        return None, None, None, None, *_second(ctx.form, ctx.want_x, ctx.saved_tensors, gradients)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], form: Form, want_x: bool, *tensors: Any) -> tuple[Any, ...]:
        """A loop, as each element has gradients of the weights of its own; what was folded is computed anew."""
        dims = in_dims[2:]
        first = 3 + form.parts + FLOW
        anew = dims[1] is None and any(dim is not None for dim in dims[first : first + form.inputs])

        def one(own: Sequence[Tensor]) -> tuple[Tensor, ...]:
            if anew:
                outputs = apply_forward(form, *own[3 + form.parts :])
                own = [outputs[0], outputs[-1], *own[2:]]
            return apply_backward(form, want_x, *own)

        return _looped(info.batch_size, dims, tensors, one)


def _plain(transformable: type[torch.autograd.Function]) -> Any:
    """The same function in the form that torch.func cannot transform."""

    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        output = transformable.forward(*arguments)
        transformable.setup_context(ctx, arguments, output)
        return cast("tuple[Tensor, ...]", output)

    members = {"forward": staticmethod(forward), "backward": staticmethod(transformable.backward)}
    return type(f"Plain{transformable.__name__}", (torch.autograd.Function,), members)


Apply = Callable[..., tuple[Tensor, ...]]
apply_forward: Apply = cast("Any", Forward).apply
apply_backward: Apply = cast("Any", Backward).apply
apply_plain_forward: Apply = _plain(Forward).apply
apply_plain_backward: Apply = _plain(Backward).apply


def _first(form: Form, tensors: Sequence[Any], gradients: Maybe) -> Sequence[Tensor]:
    """The gradients of inputs and weights by the equations, where the old vmap maps over the gradients."""
    flow, inputs, weights = form.parted(tensors)
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        leaves = [part.detach().requires_grad_() for part in (*inputs, *weights)]
        outputs = _equations(form, flow, leaves[: form.inputs], leaves[form.inputs :])
        pairs = [(part, above) for part, above in zip(outputs, gradients, strict=True) if above is not None]
        values, above = [part for part, _ in pairs], [part for _, part in pairs]
        return torch.autograd.grad(values, leaves, above, allow_unused=True, materialize_grads=True)


def _second(
    form: Form, want_x: bool, tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of what ``Backward`` was given, from those of what it gave."""
    upstream, rest = list(tensors[: 1 + form.parts]), tensors[1 + form.parts :]
    flow, inputs, weights = form.parted(rest)
    given = [part for part in upstream if part is not None]
    wanted = [None if number == 0 and not want_x else part for number, part in enumerate(gradients)]

    def outputs(*leaves: Tensor) -> tuple[Tensor, ...]:
        found = _equations(form, flow, leaves[: form.inputs], leaves[form.inputs :])
        return tuple(part for part, above in zip(found, upstream, strict=True) if above is not None)

    with torch.autocast("cpu", enabled=False):
        found = iter(second_derivative(outputs, given, (*inputs, *weights), wanted))
    return [*(None if part is None else next(found) for part in upstream), *[None] * FLOW, *found]


def _equations(form: Form, flow: Maybe, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """``y`` and the parts of the final state by the reference engine."""
    x, *states = inputs
    batch_sizes, reset, sequences, places = flow
    call, cell = form.call, CELLS[form.call.cell]
    sizes = sizes_of(inputs, flow, weights, call)
    if batch_sizes is None:
        batch_sizes = torch.full((sizes.steps if sizes.slots else 0,), sizes.slots)
    order = torch.arange(sizes.slots) if sequences is None else sequences
    given = x.reshape(-1, x.shape[-1])
    rows = Packed(given if places is None else given.index_select(0, places), batch_sizes, order)
    states = states or [x.new_zeros(shape) for shape in sizes.states(call)]
    noise, number = Noise.from_numbers(call.noise, call.seed)
    results, names = [], sizes.names
    for d in range(call.directions):
        own = weights[d * len(names) : (d + 1) * len(names)]
        request = Request(
            cell,
            Weights(**dict(zip(names, own, strict=True))),
            rows,
            cell.State(*(part[d] for part in states)),
            None if reset is None else reset[d],
            reverse=d == 1 or call.reverse,
            noise=noise,
            layer=number,
        )
        results.append(ReferenceEngine().run(request))
    y = torch.cat([result.output for result in results], 1)
    if places is not None:
        y = y.new_zeros(sizes.rows, y.shape[-1]).index_copy(0, places, y)
    y = y.reshape(*x.shape[:-1], y.shape[-1])  # named: without a step, -1 could be anything
    return [y, *(torch.stack(parts) for parts in zip(*(result.state for result in results), strict=True))]


def _looped(
    count: int, dims: Sequence[int | None], tensors: Sequence[Tensor], call: Callable[..., tuple[Tensor, ...]]
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """``call`` for each element of the mapped dimension."""
    found = [
        call([part if dim is None else part.select(dim, v) for part, dim in zip(tensors, dims, strict=True)])
        for v in range(count)
    ]
    outputs = tuple(torch.stack(parts) for parts in zip(*found, strict=True))
    return outputs, (0,) * len(outputs)


def _folded(
    count: int, dims: Sequence[int | None], tensors: Sequence[Tensor], form: Form
) -> tuple[tuple[Tensor, ...], tuple[int | None, ...]]:
    """The mapped dimension beside the sequences of a step: ``V`` times as many slots, each sequence's together."""
    (batch_sizes, reset, sequences, places), (x, *states), weights = form.parted(tensors)

    def fold(part: Tensor, dim: int | None, at: int) -> Tensor:
        wide = part.unsqueeze(0).expand(count, *part.shape) if dim is None else part.movedim(dim, 0)
        return wide.movedim(0, at).flatten(at - 1, at)

    def unfold(part: Tensor, at: int) -> Tensor:
        return part.reshape(*part.shape[: at - 1], -1, count, *part.shape[at:])

    at = 2 if batch_sizes is None else 1
    sizes = None if batch_sizes is None else batch_sizes * count
    flags = None if reset is None else fold(reset, dims[1], 2)
    lies = None if places is None else (places[:, None] * count + torch.arange(count)).flatten()
    folded = [fold(part, dim, 2) for part, dim in zip(states, dims[FLOW + 1 :], strict=False)]
    y, *after, kept = apply_forward(form, sizes, flags, sequences, lies, fold(x, dims[FLOW], at), *folded, *weights)
    return (unfold(y, at), *(unfold(part, 2) for part in after), kept), (at, *[2] * len(after), None)


def _autograd(inputs: list[Tensor], flow: Maybe, weights: list[Tensor], cell: str, *more: Any) -> Sequence[Tensor]:
    """The forward operator where it is called by itself."""
    noise, seed, form, keep = more
    if len(flow) != FLOW:
        raise ValueError(f"flow must be {FLOW} tensors or None, not {len(flow)}")
    if torch.is_grad_enabled() and any(part.requires_grad for part in (*weights, *inputs)):
        called = Form(Call(cell, tuple(noise), seed, *form), len(inputs), keep or KEEP_ALL)
        found = apply_plain_forward(called, *flow, *inputs, *weights)
        return list(found if keep else found[:-1])
    with torch._C._AutoDispatchBelowAutograd():
        return cast("list[Tensor]", forward_operator(inputs, flow, weights, cell, noise, seed, form, keep))


def _autograd_backward(
    gradients: Maybe,
    inputs: list[Tensor],
    flow: Maybe,
    kept: list[Tensor],
    weights: list[Tensor],
    cell: str,
    *more: Any,
) -> Sequence[Tensor]:
    """The backward operator where it is called by itself."""
    noise, seed, form = more
    tensors = (*kept, *gradients, *flow, *inputs, *weights)
    if torch.is_grad_enabled() and any(part is not None and part.requires_grad for part in tensors):
        called = Form(Call(cell, tuple(noise), seed, *form[:2]), len(inputs))
        return list(apply_plain_backward(called, form[2], *tensors))
    with torch._C._AutoDispatchBelowAutograd():
        return cast("list[Tensor]", backward_operator(gradients, inputs, flow, kept, weights, cell, noise, seed, form))


LIBRARY.impl("native_forward", _autograd, "Autograd")
LIBRARY.impl("native_backward", _autograd_backward, "Autograd")
