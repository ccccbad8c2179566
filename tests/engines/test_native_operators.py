"""The native operators as PyTorch sees them: autograd, transforms, modes, checkpoints, copies, processes."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from ostinato import nn
from ostinato.engines import force
from ostinato.engines.core import MISSING
from ostinato.engines.native_operators import KERNELS, Call, backward_operator, forward_operator, layout

pytestmark = pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")

if MISSING is None:
    from ostinato.engines.native_autograd import layer

KINDS = ["RNN", "LSTM", "GRU"]


def arguments(
    cell: str, *, packed: bool, two: bool = False, bias: bool = True, placed: bool = True
) -> tuple[list[Any], list[Any], list[Any]]:
    """Inputs, flow and weights, drawn in float64; packed rows are cut by resets, and ``placed`` among more rows."""
    torch.manual_seed(0)
    kernel, directions = KERNELS[cell], 1 + two

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(*shape, dtype=torch.float64) * 0.5).requires_grad_()

    states = [draw(directions, 3, 4) for _ in range(kernel.parts)]
    weights = [draw(*shape) for shape in [*layout(cell, 2, 4, 4, bias=bias).values()] * directions]
    if not packed:
        return [draw(3, 3, 2), *states], [None] * 4, weights
    places = torch.tensor([7, 0, 4, 2, 8, 5]) if placed else None
    flow = [torch.tensor([3, 2, 1]), torch.rand(directions, 6) < 0.3, None, places]
    return [draw(9 if placed else 6, 2), *states], flow, weights


@pytest.mark.parametrize(
    ("packed", "two", "bias", "placed"), [(True, True, True, True), (True, False, True, False), (False,) * 4]
)
@pytest.mark.parametrize("cell", KERNELS)
def test_well_made(cell: str, packed: bool, two: bool, bias: bool, placed: bool) -> None:
    inputs, flow, weights = arguments(cell, packed=packed, two=two, bias=bias, placed=placed)
    form = [two, False]
    for keep in (0,) if cell == "lstm_norm" else (0, 1, 2):  # what it keeps has gaps that nothing writes or reads
        torch.library.opcheck(forward_operator, (inputs, flow, weights, cell, [], 0, form, keep))
    y, *after, kept = forward_operator(inputs, flow, weights, cell, [], 0, form, 1)
    upstream = [torch.randn_like(y), None, *map(torch.randn_like, after[1:])]
    given = [part.detach() for part in (y, kept)]
    once = ("test_schema", "test_autograd_registration", "test_faketensor")  # its own derivative is for eager calls
    call = (upstream, inputs, flow, given, weights, cell, [], 0, [*form, True])
    torch.library.opcheck(backward_operator, call, test_utils=once)


@pytest.mark.parametrize(("packed", "two"), [(True, True), (False, False)])
@pytest.mark.parametrize("cell", [cell for cell in KERNELS if cell != "rnn_relu"])
def test_second_derivatives_by_everything(cell: str, packed: bool, two: bool) -> None:
    inputs, flow, weights = arguments(cell, packed=packed, two=two)

    def outputs(*leaves: torch.Tensor) -> Any:
        return layer(leaves[: len(inputs)], flow, leaves[len(inputs) :], Call(cell, two=two))

    torch.autograd.gradcheck(outputs, (*inputs, *weights))
    torch.autograd.gradgradcheck(outputs, (*inputs, *weights))


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("cell", KERNELS)
def test_placed_rows_are_packed_ones(cell: str, two: bool) -> None:
    """Values and gradients to the bit, and nothing but 0 where no row lies, whatever the input holds there."""
    inputs, flow, weights = arguments(cell, packed=True, two=two)
    places = flow[3]
    call = Call(cell, two=two)
    with torch.no_grad():
        inputs[0][[1, 3, 6]] = float("nan")
    x = inputs[0].detach()[places].requires_grad_()
    found = layer(inputs, flow, weights, call)
    wanted = layer([x, *inputs[1:]], [*flow[:3], None], weights, call)
    above = [torch.randn_like(part) for part in wanted]
    spread = torch.zeros_like(found[0]).index_copy(0, places, above[0])
    spread[[1, 3, 6]] = float("nan")
    slopes = torch.autograd.grad(found, [*inputs, *weights], [spread, *above[1:]])
    right = torch.autograd.grad(wanted, [x, *inputs[1:], *weights], above)
    for lying, packed in ((found[0], wanted[0]), (slopes[0], right[0])):
        assert torch.equal(lying[places], packed)
        assert not lying[[1, 3, 6]].any()
    for mine, theirs in zip([*found[1:], *slopes[1:]], [*wanted[1:], *right[1:]], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-13, atol=1e-13)  # runs of other lengths sum in another order


def test_third_derivative() -> None:
    inputs, flow, weights = arguments("gru", packed=True)

    def slope(x: torch.Tensor) -> torch.Tensor:
        y = layer([x, *inputs[1:]], flow, weights, Call("gru"))[0]
        return torch.autograd.grad(y.square().sum(), x, create_graph=True)[0]

    torch.autograd.gradgradcheck(slope, inputs[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "sru"}, "no kernel for cell 'sru'"),
        ({"weights": lambda w: w[:3]}, "has not 3 weights"),
        ({"inputs": lambda x: x[:2]}, "with 1 states"),
        ({"inputs": lambda x: [x[0].half(), *x[1:]]}, "of float32, float64 or bfloat16"),
        ({"inputs": lambda x: [x[0].unsqueeze(0), *x[1:]]}, r"\(N, I\) with batch_sizes"),
        ({"inputs": lambda x: x[:1]}, "come with an initial state"),
        ({"inputs": lambda x: [x[0][:, :1], *x[1:]]}, r"expected \(16, 1\) .* got \(16, 2\)"),
        ({"inputs": lambda x: [x[0], x[1][:, :2], x[2]]}, r"expected \(1, 2, 4\) .* got \(1, 3, 4\)"),
        ({"inputs": lambda x: [x[0], x[1].float(), x[2]]}, "got .* of torch.float32"),
        ({"weights": lambda w: [w[0].float(), *w[1:]]}, "got .* of torch.float32"),
        ({"flow": lambda f: [f[0].int(), *f[1:]]}, "of int64"),
        ({"flow": lambda f: [f[0], f[1][:, :3], *f[2:]]}, r"reset must be \(1, 6\)"),
        ({"flow": lambda f: [f[0], f[1].int(), *f[2:]]}, "of bool"),
        ({"flow": lambda f: [f[0].flip(0), *f[1:]]}, "must never rise"),
        ({"flow": lambda f: [torch.tensor([3, 2]), *f[1:]]}, "do not add up"),
        ({"flow": lambda f: [torch.tensor([3, 2, 1, 0]), *f[1:]]}, "end with at least 1"),
        ({"flow": lambda f: [torch.tensor([4, 2]), *f[1:]]}, "must never rise"),
        ({"flow": lambda f: [*f[:3], f[3].float()]}, "places must be"),
        ({"flow": lambda f: [*f[:3], f[3][:, None]]}, "places must be"),
        ({"flow": lambda f: [*f[:3], f[3] + 1]}, "not that of a row"),
        ({"flow": lambda f: [*f[:3], f[3] - 1]}, "not that of a row"),
        ({"flow": lambda f: [*f[:3], f[3][1:]]}, "reset must be"),
        ({"flow": lambda f: [f[0], None, None, f[3][1:]]}, "do not add up"),
        ({"flow": lambda f: f[:3]}, "flow must be 4 tensors"),
        ({"form": [True, False]}, "has not 4 weights|expected"),
    ],
)
def test_what_does_not_fit_is_an_error(change: dict[str, Any], message: str) -> None:
    inputs, flow, weights = arguments("lstm", packed=True)
    given = {"inputs": inputs, "flow": flow, "weights": weights, "cell": "lstm", "noise": [], "seed": 0}
    given["form"] = [False, False]
    changed = {key: edit(given[key]) if callable(edit) else edit for key, edit in change.items()}
    with pytest.raises(ValueError, match=message):
        forward_operator(*(given | changed).values(), 0)


def test_backward_checks_what_it_gets() -> None:
    inputs, flow, weights = arguments("gru", packed=True)
    with torch.no_grad():
        y, hn, kept = forward_operator(inputs, flow, weights, "gru", [], 0, [False, False], 1)
        form = [False, False, True]
        for gradients, given in (
            ([y[:2], None], [y, kept]),
            ([y, hn[:, :1]], [y, kept]),
            ([y, None], [y.float(), kept]),
        ):
            with pytest.raises(ValueError, match="expected"):
                backward_operator(gradients, inputs, flow, given, weights, "gru", [], 0, form)
        with pytest.raises(ValueError, match="keeps nothing of shape"):
            backward_operator([y, None], inputs, flow, [y, kept[:, 1:]], weights, "gru", [], 0, form)


@pytest.mark.parametrize("name", KINDS)
def test_only_what_is_asked_for(name: str) -> None:
    """Gradients of some leaves only are those of all; what needs none gets none, x not even computed."""
    torch.manual_seed(0)
    module = getattr(nn, name)(3, 4, bidirectional=True, dtype=torch.float64)
    x, h = torch.randn(5, 2, 3, dtype=torch.float64), torch.randn(2, 2, 4, dtype=torch.float64)
    state = (h, h.clone()) if name == "LSTM" else h
    parts = [x, *(state if isinstance(state, tuple) else (state,)), *module.parameters()]
    for part in parts:
        part.requires_grad_()
    wanted = torch.autograd.grad(module(x, state)[0].square().sum(), parts)
    for chosen in ([0], [1], [len(parts) - 1], [0, 3], list(range(1, len(parts)))):
        for number, part in enumerate(parts):
            part.requires_grad_(number in chosen)
        output = module(x, state)[0]
        found = torch.autograd.grad(output.square().sum(), [parts[number] for number in chosen])
        for ours, number in zip(found, chosen, strict=True):
            torch.testing.assert_close(ours, wanted[number], atol=1e-14, rtol=0)
    for part in parts:
        part.requires_grad_(False)
    assert not module(x, state)[0].requires_grad


def test_gradient_of_one_output_alone() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(3, 4, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    for pick in (lambda y, s: y[-1], lambda y, s: s[0], lambda y, s: s[1], lambda y, s: y.sum() + s[1].sum()):
        answers = []
        for engine in ("native", "reference"):
            with force(engine):
                answers.append(torch.autograd.grad(pick(*module(x)).square().sum(), [x, *module.parameters()]))
        for ours, wanted in zip(*answers, strict=True):
            torch.testing.assert_close(ours, wanted, atol=1e-13, rtol=0)


def test_backward_twice() -> None:
    module, x = nn.GRU(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    output = module(x)[0].sum()
    first = torch.autograd.grad(output, x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(output, x)[0], first)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(output, x)


def test_changed_in_place_is_noticed() -> None:
    module, x = nn.GRU(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    output = module(x)[0]
    with torch.no_grad():
        module.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
    output = module(x)[0]
    output.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize("name", KINDS)
def test_outputs_are_nobody_elses_memory(name: str) -> None:
    module = getattr(nn, name)(3, 4)
    for steps in (0, 3):
        h = torch.zeros(1, 2, 4)
        state = (h, torch.zeros(1, 2, 4)) if name == "LSTM" else h
        output, after = module(torch.zeros(steps, 2, 3), state)
        parts = [output, *(after if isinstance(after, tuple) else (after,))]
        places = [part.untyped_storage().data_ptr() for part in (*parts, h) if part.numel()]
        assert len(set(places)) == len(places)


def test_nothing_is_kept_alive() -> None:
    module = nn.LSTM(3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)
    output, state = module(x)
    seen = [weakref.ref(x), weakref.ref(output), weakref.ref(state[0])]
    node = output.grad_fn
    output.sum().backward()
    with pytest.raises(RuntimeError, match="already been freed"):
        _ = node.saved_tensors
    del x, output, state, node
    gc.collect()
    assert not any(reference() is not None for reference in seen)


def test_inputs_in_any_layout() -> None:
    """Slices, transposes, expanded and strided tensors give what their copies give, gradients included."""
    torch.manual_seed(0)
    module = nn.LSTM(3, 4, dtype=torch.float64)
    module.weight_hh_l0 = torch.nn.Parameter(torch.randn(4, 16, dtype=torch.float64).t())
    wide = torch.randn(4, 10, 7, dtype=torch.float64)
    for x in (wide[:, ::2, 1:4], wide.transpose(0, 1)[:5, :, :3], wide[:1, :1, :1].expand(6, 2, 3), wide[:, :, 2::2]):
        state = (torch.randn(4, x.shape[1], 1, dtype=torch.float64).permute(2, 1, 0),) * 2
        answers = []
        for form in (x, x.contiguous()):
            leaf = form.detach().requires_grad_()
            output, (h, c) = module(leaf, state)
            upstream = output.detach()[..., :1].expand_as(output)
            total = (output * upstream).sum() + (h * c).sum()
            answers.append([output, h, c, *torch.autograd.grad(total, [leaf, *module.parameters()])])
        for a, b in zip(*answers, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed(reentrant: bool) -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(3, 4, num_layers=2, bidirectional=True), torch.randn(5, 2, 3, requires_grad=True)
    wanted = torch.autograd.grad(module(x)[0].square().sum(), x)[0]
    checkpoint(lambda given: module(given)[0], x, use_reentrant=reentrant).square().sum().backward()
    assert torch.equal(x.grad, wanted)


def test_without_autograd() -> None:
    module, x = nn.LSTM(3, 3), torch.randn(5, 2, 3)
    once = module(x)[0]
    twice = module(once)[0]
    with torch.no_grad():
        assert torch.equal(module(x)[0], once)
    with torch.inference_mode():
        inferred = module(x)[0]
        assert inferred.is_inference()
        assert torch.equal(inferred, once)
    with torch.no_grad():
        assert torch.equal(module(inferred)[0], twice)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("lengths", [None, [5, 2]])
def test_vmap_and_grad(name: str, lengths: list[int] | None) -> None:
    """Inputs mapped, states mapped, weights mapped, gradients by each, and a map in a map: all as loops."""
    torch.manual_seed(0)
    module = getattr(nn, name)(3, 4, bidirectional=True, dtype=torch.float64)
    names = {key: value.detach() for key, value in module.named_parameters()}
    many = {key: torch.stack([value, 0.5 * value]) for key, value in names.items()}
    x = torch.randn(2, 5, 2, 3, dtype=torch.float64)

    def run(weights: dict[str, torch.Tensor], given: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, weights, (given,), {"lengths": lengths})[0]

    def loss(weights: dict[str, torch.Tensor], given: torch.Tensor) -> torch.Tensor:
        return run(weights, given).square().sum()

    def at(weights: dict[str, torch.Tensor], v: int) -> dict[str, torch.Tensor]:
        return {key: value[v] for key, value in weights.items()}

    with force("native"):
        mapped = torch.vmap(run, (None, 3), 1)(names, x.movedim(0, 3))
        both = torch.vmap(run)(many, x)
        nested = torch.vmap(torch.vmap(run, (None, 0)), (0, None))(many, x)
        slopes = torch.vmap(torch.func.grad(loss, argnums=(0, 1)), (None, 0))(names, x)
        slopes_by_both = torch.vmap(torch.func.grad(loss))(many, x)
        matrix = torch.func.jacrev(lambda given: run(names, given)[0])(x[0])
        curved = torch.func.grad(lambda given: torch.func.grad(loss, 1)(names, given).square().sum())(x[0])
    for v in range(2):
        torch.testing.assert_close(mapped[:, v], run(names, x[v]), atol=1e-14, rtol=0)
        torch.testing.assert_close(both[v], run(at(many, v), x[v]), atol=1e-14, rtol=0)
        leaves = {key: value.clone().requires_grad_() for key, value in names.items()}
        leaf = x[v].clone().requires_grad_()
        wanted = torch.autograd.grad(loss(leaves, leaf), [*leaves.values(), leaf])
        for ours, theirs in zip([*slopes[0].values(), slopes[1]], wanted, strict=True):
            torch.testing.assert_close(ours[v], theirs, atol=1e-12, rtol=0)
        halved = {key: value.clone().requires_grad_() for key, value in at(many, v).items()}
        for ours, theirs in zip(
            slopes_by_both.values(), torch.autograd.grad(loss(halved, x[v]), list(halved.values())), strict=True
        ):
            torch.testing.assert_close(ours[v], theirs, atol=1e-12, rtol=0)
        for u in range(2):
            torch.testing.assert_close(nested[v, u], run(at(many, v), x[u]), atol=1e-14, rtol=0)
    with force("reference"):
        expected = torch.func.jacrev(lambda given: run(names, given)[0])(x[0])
        expected_curve = torch.func.grad(lambda g: torch.func.grad(loss, 1)(names, g).square().sum())(x[0])
    torch.testing.assert_close(matrix, expected, atol=1e-13, rtol=0)
    torch.testing.assert_close(curved, expected_curve, atol=1e-11, rtol=0)


def test_batched_gradients_of_a_plain_call() -> None:
    """``is_grads_batched`` maps over the backward only."""
    module, x = nn.GRU(3, 4, dtype=torch.float64), torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    output = module(x)[0]
    upstream = torch.randn(3, *output.shape, dtype=torch.float64)
    leaves = [x, *module.parameters()]
    found = torch.autograd.grad(output, leaves, upstream, is_grads_batched=True, retain_graph=True)
    for v in range(3):
        for ours, wanted in zip(
            found, torch.autograd.grad(output, leaves, upstream[v], retain_graph=True), strict=True
        ):
            torch.testing.assert_close(ours[v], wanted, atol=1e-14, rtol=0)


def test_seen_by_modes() -> None:
    """What looks at operators sees ours: fake tensors get shapes, a dispatch mode the calls."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode

    calls = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            calls.append(str(func))
            return func(*args, **(kwargs or {}))

    module, x = nn.LSTM(3, 4, num_layers=2), torch.randn(5, 2, 3)
    wanted = module(x)[0]
    with Watch():
        output = module(x)[0]
        output.sum().backward()
    assert torch.equal(output, wanted)
    assert calls.count("ostinato.native_forward.default") == 2
    assert calls.count("ostinato.native_backward.default") == 2
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake, (h, _) = module(mode.from_tensor(x))
        assert fake.shape == (5, 2, 4)
        assert h.shape == (2, 2, 4)


@pytest.mark.parametrize("lengths", [None, [5, 3]])
@pytest.mark.parametrize("name", KINDS)
def test_autocast_keeps_the_precision_of_the_weights(name: str, lengths: list[int] | None) -> None:
    """Under bfloat16 autocast the recurrence stays float32, whatever comes in."""
    module, x = getattr(nn, name)(3, 4), torch.randn(5, 2, 3)
    wanted = module(x, lengths=lengths)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16), force("native"):
        output = module(x, lengths=lengths)[0]
        rounded = module(x.bfloat16(), lengths=lengths)[0]
    assert torch.equal(output, wanted)
    assert torch.equal(rounded, module(x.bfloat16().float(), lengths=lengths)[0])
    (gradient,) = torch.autograd.grad(rounded.sum(), module.weight_hh_l0)
    assert gradient.dtype == torch.float32
