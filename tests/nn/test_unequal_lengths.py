"""Unequal lengths against torch.nn over packed sequences: values and all derivatives; resets; what padding holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato import nn
from ostinato.engines import buffers, force, native_operators
from ostinato.engines.core import MISSING
from ostinato.sequences import from_padded, to_padded

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, once

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {}),
]
DEEP: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
LENGTHS = [3, 7, 0, 1, 5, 7, 2]
STEPS = 8
FORMS = ["padded", "ragged", "packed"]


@pytest.fixture
def native() -> Iterator[None]:
    if MISSING is not None:
        pytest.skip(MISSING)
    with force("native"):
        yield


def drawn(
    name: str, options: dict[str, Any], *, batch_first: bool = False, **own: Any
) -> tuple[Any, Any, Tensor, tuple[Tensor, ...]]:
    """Ours and torch's layer of one seed, an input whose padding is NaN, an initial state."""
    layers = []
    for library, more in ((nn, own), (torch.nn, {})):
        torch.manual_seed(1)
        layers.append(getattr(library, name)(4, 5, batch_first=batch_first, **DEEP, **options, **more))
    ours, theirs = layers
    x = torch.randn(STEPS, len(LENGTHS), 4, dtype=torch.float64)
    for b, length in enumerate(LENGTHS):
        x[length:, b] = float("nan")
    widths = [options.get("proj_size", 5), 5][: 2 if name == "LSTM" else 1]
    state = tuple(torch.randn(4, len(LENGTHS), width, dtype=torch.float64).requires_grad_() for width in widths)
    return ours, theirs, (x.transpose(0, 1) if batch_first else x).contiguous().requires_grad_(), state


def called(layer: Any, x: Any, state: tuple[Tensor, ...], **more: Any) -> tuple[Any, list[Tensor]]:
    """The output, and the parts of the final state."""
    output, final = layer(x, state if len(state) > 1 else state[0], **more)
    return output, list(final) if isinstance(final, tuple) else [final]


def packed(theirs: Any, x: Tensor, state: tuple[Tensor, ...], lengths: list[int]) -> list[Tensor]:
    """Output and final state of torch.nn: sequences without a step are left out, and end in their initial state."""
    at = 0 if theirs.batch_first else 1
    some = torch.tensor([b for b, length in enumerate(lengths) if length])
    sizes = [length for length in lengths if length]
    given = pack_padded_sequence(x.index_select(at, some), sizes, theirs.batch_first, enforce_sorted=False)
    found, after = called(theirs, given, tuple(part.index_select(1, some) for part in state))
    padded, _ = pad_packed_sequence(found, theirs.batch_first, total_length=STEPS)
    output = padded.new_zeros(*x.shape[:2], padded.shape[2]).index_copy(at, some, padded)
    return [output, *(begin.index_copy(1, some, end) for begin, end in zip(state, after, strict=True))]


def answered(ours: Any, x: Tensor, state: tuple[Tensor, ...], lengths: list[int], form: str) -> list[Tensor]:
    """Output, padded, and final state of ours, the sequences in some form."""
    first = ours.batch_first
    if form == "padded":
        output, final = called(ours, x, state, lengths=lengths)
    elif form == "ragged":
        ragged, final = called(ours, from_padded(x, lengths, batch_first=first), state)
        output = to_padded(ragged, batch_first=first, total_length=STEPS)
    else:
        given, final = called(ours, pack_padded_sequence(x, lengths, first, enforce_sorted=False), state)
        output, _ = pad_packed_sequence(given, first, total_length=STEPS)
    return [output, *final]


def weighed(values: list[Tensor]) -> Tensor:
    """A number that depends on all values, on each in a way of its own."""
    return sum(
        (value.square() * torch.arange(1, value.numel() + 1).view(value.shape).sin()).sum() + value.sum()
        for value in values
    )  # type: ignore[return-value]


def agree(ours: list[Tensor], theirs: list[Tensor], bound: float = 1e-12) -> None:
    for mine, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, wanted, atol=bound, rtol=bound)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("memory", ["all", "low"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("name", "options"), KINDS)
def test_every_form_is_torchs(name: str, options: dict[str, Any], batch_first: bool, form: str, memory: str) -> None:
    """Values, and the gradients of input, initial state and weights; the NaN in the padding is nowhere."""
    ours, theirs, x, state = drawn(name, options, batch_first=batch_first, memory=memory)
    lengths = LENGTHS if form != "packed" else [max(length, 1) for length in LENGTHS]
    if form == "packed":  # which knows no sequence without a step
        with torch.no_grad():
            x.masked_fill_(x.isnan(), 0.5)
    results = []
    for layer, values in (
        (ours, answered(ours, x, state, lengths, form)),
        (theirs, packed(theirs, x, state, lengths)),
    ):
        gradients = torch.autograd.grad(weighed(values), [x, *state, *layer.parameters()])
        results.append([*values, *gradients])
    agree(*results)
    assert all(value.isfinite().all() for value in results[0])


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "options"), [kind for kind in KINDS if kind[1] != {"nonlinearity": "relu"}])
def test_second_derivatives_are_torchs(name: str, options: dict[str, Any], form: str) -> None:
    """Of input, initial state and weights, by all of them, through the gradients of all of them."""
    ours, theirs, x, state = drawn(name, options)
    lengths = LENGTHS if form != "packed" else [max(length, 1) for length in LENGTHS]
    with torch.no_grad():
        x.masked_fill_(x.isnan(), 0.5)
    results = []
    for layer, values in (
        (ours, answered(ours, x, state, lengths, form)),
        (theirs, packed(theirs, x, state, lengths)),
    ):
        leaves = [x, *state, *layer.parameters()]
        first = torch.autograd.grad(weighed(values), leaves, create_graph=True)
        results.append([*first, *torch.autograd.grad(weighed(list(first)), leaves)])
    agree(*results, bound=1e-10)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_second_derivatives_by_differences(name: str) -> None:
    torch.manual_seed(0)
    layer = getattr(nn, name)(2, 2, bidirectional=True, dtype=torch.float64)
    x, h = torch.randn(3, 3, 2, dtype=torch.float64) / 2, torch.randn(2, 3, 2, dtype=torch.float64) / 2
    state = (h, h.flip(0).contiguous()) if name == "LSTM" else (h,)

    def run(given: Tensor, weight: Tensor, *begin: Tensor) -> tuple[Tensor, ...]:
        own = {"weight_hh_l0": weight}
        arguments = (given, begin if len(begin) > 1 else begin[0])
        output, final = torch.func.functional_call(layer, own, arguments, {"lengths": [2, 0, 3]})
        return output, *(final if isinstance(final, tuple) else (final,))

    leaves = [part.detach().requires_grad_() for part in (x, layer.weight_hh_l0, *state)]
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)


@pytest.mark.usefixtures("native")
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's, of the packing itself
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_batched_gradients(name: str, form: str) -> None:
    """``is_grads_batched``, and torch.func's vmap over the backward: both as one gradient after the other."""
    ours, _, x, state = drawn(name, {})
    lengths = LENGTHS if form != "packed" else [max(length, 1) for length in LENGTHS]
    with torch.no_grad():
        x.masked_fill_(x.isnan(), 0.5)
    leaves = [x, *state, *ours.parameters()]
    values = answered(ours, x, state, lengths, form)
    above = [torch.randn(3, *value.shape, dtype=torch.float64) for value in values]
    each = [
        torch.autograd.grad(values, leaves, [part[v] for part in above], retain_graph=True, allow_unused=True)
        for v in range(3)
    ]
    wanted = [torch.stack([found[number] for found in each]) for number in range(len(leaves))]
    found = torch.autograd.grad(values, leaves, above, is_grads_batched=True, retain_graph=True)
    agree(list(found), wanted, bound=1e-13)
    mapped = torch.vmap(lambda *one: torch.autograd.grad(values, leaves, one, retain_graph=True))(*above)
    agree(list(mapped), wanted, bound=1e-13)


CELLS: dict[str, Any] = {"RNN": torch.nn.RNNCell, "LSTM": torch.nn.LSTMCell, "GRU": torch.nn.GRUCell}


def looped(
    ours: Any, name: str, x: Tensor, state: tuple[Tensor, ...], flags: Tensor, lengths: list[int]
) -> list[Tensor]:
    """Two layers in both directions by torch's step cells, a sequence and a step at a time."""
    outputs = x.new_zeros(*x.shape[:2], 10)
    finals = [[part.select(0, row) for part in state] for row in range(4)]
    cell = CELLS[name](4, 5, dtype=torch.float64)
    for b, length in enumerate(lengths):
        rows = [x[t, b : b + 1] for t in range(length)]
        begins = [bool(flags[t, b]) for t in range(length)]
        for number in range(2):
            both = []
            for direction, end in enumerate(("", "_reverse")):
                start = [part[2 * number + direction, b : b + 1] for part in state]
                own = {
                    key.removesuffix(f"_l{number}{end}"): weight
                    for key, weight in ours.named_parameters()
                    if key.endswith(f"_l{number}{end}")
                }
                now, found = start, [x.new_zeros(0)] * length
                for t in reversed(range(length)) if direction else range(length):
                    if begins[t] if not direction else t + 1 < length and begins[t + 1]:
                        now = start
                    given = tuple(now) if len(now) > 1 else now[0]
                    after = torch.func.functional_call(cell, own, (rows[t], given))
                    now = list(after) if isinstance(after, tuple) else [after]
                    found[t] = now[0]
                both.append(found)
                for p, part in enumerate(now):
                    index = torch.tensor([b])
                    whole = finals[2 * number + direction]
                    whole[p] = whole[p].index_copy(0, index, part)
            rows = [torch.cat(pair, 1) for pair in zip(*both, strict=True)]
        if length:
            outputs = outputs.index_copy(1, torch.tensor([b]), _column(rows, outputs))
    return [outputs, *(torch.stack(parts) for parts in zip(*finals, strict=True))]


def _column(rows: list[Tensor], outputs: Tensor) -> Tensor:
    """One sequence's rows ``(T, 1, ·)`` with zeros for its padding."""
    return torch.cat([torch.stack(rows), outputs.new_zeros(outputs.shape[0] - len(rows), 1, outputs.shape[2])])


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_resets_over_two_layers_in_both_directions(name: str) -> None:
    """Against a loop over torch's step cells: values and every gradient."""
    ours, _, x, state = drawn(name, {})
    with torch.no_grad():
        x.masked_fill_(x.isnan(), 0.5)
    for lengths in (LENGTHS, [STEPS] * len(LENGTHS)):
        flags = torch.rand(x.shape[:2], generator=torch.Generator().manual_seed(2)) < 0.3
        flags[0, ::2] = True  # at the very beginning, too
        output, final = called(ours, x, state, lengths=lengths, reset=flags)
        results = []
        for values in ([output, *final], looped(ours, name, x, state, flags, lengths)):
            results.append([*values, *torch.autograd.grad(weighed(values), [x, *state, *ours.parameters()])])
        agree(*results)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_what_the_padding_holds_goes_nowhere(name: str) -> None:
    """Neither a NaN of the input's padding, nor one in the gradient of the output's, first or second derivative."""
    ours, _, x, state = drawn(name, {})
    clean = x.detach().masked_fill(x.isnan(), 0).requires_grad_()
    padding = x.detach().isnan().any(2, keepdim=True)
    results = []
    for given, fill in ((clean, 0.0), (x, float("nan"))):
        values = answered(ours, given, state, LENGTHS, "padded")
        above = [torch.ones_like(value) for value in values]
        above[0] = above[0].masked_fill(padding, fill)
        leaves = [given, *state, *ours.parameters()]
        first = torch.autograd.grad(values, leaves, above, create_graph=True)
        twice = [torch.ones_like(part) for part in first]
        twice[0] = twice[0].masked_fill(padding, fill)
        results.append([*values, *first, *torch.autograd.grad(first, leaves, twice)])
    for ours_, wanted in zip(*results, strict=True):
        assert torch.equal(ours_, wanted)


@pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")
@pytest.mark.parametrize("memory", ["all", "low"])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "PeepholeLSTM", "CoupledLSTM", "LayerNormLSTM", "LayerNormGRU"])
def test_memory_that_was_used_before_is_never_read(name: str, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own buffers and PyTorch's fresh tensors full of NaN: the same bits come out."""
    torch.manual_seed(0)
    layer = getattr(nn, name)(3, 17, num_layers=2, bidirectional=True, memory=memory)
    x, lengths = torch.randn(STEPS, len(LENGTHS), 3, requires_grad=True), torch.tensor(LENGTHS)
    flags = torch.rand(STEPS, len(LENGTHS)) < 0.2

    def work() -> list[Tensor]:
        with force("native"):
            output, final = layer(x, lengths=lengths, reset=flags)
        values = [output, *(final if isinstance(final, tuple) else (final,))]
        return [*values, *torch.autograd.grad(weighed(values), [x, *layer.parameters()])]

    wanted = work()
    for module in (buffers, native_operators):
        monkeypatch.setattr(module, "room", lambda shape, dtype: torch.full(shape, float("nan"), dtype=dtype))
    torch.use_deterministic_algorithms(True)  # only then is fresh memory filled
    try:
        found = work()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(ours, right) for ours, right in zip(found, wanted, strict=True))


@pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")
def test_buffers_that_another_call_left() -> None:
    """Calls large enough for the module's own buffers, after one whose numbers are all NaN."""
    torch.manual_seed(0)
    layer = nn.LSTM(8, 64, memory="all")
    x, lengths = torch.randn(100, 16, 8), torch.randint(0, 101, (16,))
    spoilt = torch.full_like(x, float("nan"))

    def work(given: Tensor) -> list[Tensor]:
        with force("native"):
            output, (h, c) = layer(given, lengths=lengths)
        return [output, h, c, *torch.autograd.grad(weighed([output, h, c]), list(layer.parameters()))]

    wanted = work(x)
    assert work(spoilt)[0].isnan().any()
    assert all(torch.equal(ours, right) for ours, right in zip(work(x), wanted, strict=True))


def test_memory_is_shown() -> None:
    assert repr(nn.LSTM(3, 4, memory="low")) == "LSTM(3, 4, memory='low')"
    assert repr(nn.LSTM(3, 4, memory="all")) == "LSTM(3, 4)"
    assert repr(nn.GRU(3, 4, 2, memory="low", zoneout_h=0.1)).endswith("zoneout_h=0.1, memory='low')")
