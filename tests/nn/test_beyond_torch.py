"""What torch.nn has not: lengths, resets, Ragged, traces, learned states, initialisation, the compiler, transforms."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato import nn
from ostinato.engines import force
from ostinato.sequences import Ragged, from_padded, to_packed_sequence, to_padded

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, once

LAYERS = {
    "rnn": lambda **more: nn.RNN(3, 4, **more),
    "rnn_relu": lambda **more: nn.RNN(3, 4, nonlinearity="relu", **more),
    "lstm": lambda **more: nn.LSTM(3, 4, **more),
    "lstm_projected": lambda **more: nn.LSTM(3, 4, proj_size=2, **more),
    "gru": lambda **more: nn.GRU(3, 4, **more),
    "gru_before": lambda **more: nn.GRU(3, 4, reset_after=False, **more),
    "peephole": lambda **more: nn.PeepholeLSTM(3, 4, proj_size=2, **more),
    "coupled": lambda **more: nn.CoupledLSTM(3, 4, **more),
    "lstm_norm": lambda **more: nn.LayerNormLSTM(3, 4, **more),
    "gru_norm": lambda **more: nn.LayerNormGRU(3, 4, **more),
    "indrnn": lambda **more: nn.IndRNN(3, 4, **more),
    "slstm": lambda **more: nn.SLSTM(3, 4, num_heads=2, **more),
    "mlstm": lambda **more: nn.MLSTM(3, 4, num_heads=2, **more),
    "min_gru": lambda **more: nn.MinGRU(3, 4, **more),
    "min_lstm": lambda **more: nn.MinLSTM(3, 4, **more),
    "qrnn": lambda **more: nn.QRNN(3, 4, **more),
    "qrnn_1": lambda **more: nn.QRNN(3, 4, window=1, **more),
    "sru": lambda **more: nn.SRU(3, 4, **more),
    "rg_lru": lambda **more: nn.RGLRU(3, 4, **more),
    "lru": lambda **more: nn.LRU(3, 4, **more),
}
DEEP = {"num_layers": 2, "bidirectional": True}


def slack(kind: str) -> int:
    """Normalising divides by a deviation that may be small, and multiplies what rounding left in it."""
    return 4 if kind.endswith("_norm") else 1


def parts(state: Any) -> list[torch.Tensor]:
    return list(state) if isinstance(state, tuple) else [state]


def some_state(layer: Any, batch: int) -> Any:
    rows, dtype = layer.num_layers * (2 if layer.bidirectional else 1), layer.weight_ih_l0.dtype
    found = [torch.randn(rows, batch, *shape, dtype=dtype) for shape in layer.cell.state_shapes(layer.sizes())]
    if layer.cell_name == "slstm":
        found[2] = found[2].abs() + 0.1  # a count of what was read
    if layer.cell_name == "mlstm":
        found[3] = -found[3].abs()  # so that the denominator is at least 1, and float32 is enough
    return tuple(found) if len(found) > 1 else found[0]


def pick(state: Any, b: int) -> Any:
    return tuple(part[:, b : b + 1] for part in state) if isinstance(state, tuple) else state[:, b : b + 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_lengths_equal_each_sequence_alone(kind: str, batch_first: bool, dtype: torch.dtype) -> None:
    """Output, state and gradients of a padded batch full of NaN are those of each sequence by itself."""
    torch.manual_seed(0)
    layer = LAYERS[kind](batch_first=batch_first, dtype=dtype, **DEEP)
    lengths = [3, 7, 0, 1, 5]
    sequences = [torch.randn(length, 3, dtype=dtype, requires_grad=True) for length in lengths]
    padded = to_padded(Ragged.from_list(sequences), batch_first=batch_first, fill=float("nan"), total_length=9)
    state = some_state(layer, 5)
    output, final = layer(padded, state, lengths=torch.tensor(lengths))
    assert output.shape[:2] == padded.shape[:2]
    total = output.square().sum() + sum(part.square().sum() for part in parts(final))
    found = torch.autograd.grad(
        total, [*sequences, *layer.parameters()], retain_graph=True, allow_unused=True, materialize_grads=True
    )
    alone, wanted = 0, []
    in_batch = output if batch_first else output.transpose(0, 1)
    for b, sequence in enumerate(sequences):
        one = sequence.unsqueeze(0 if batch_first else 1)
        y, s = layer(one, pick(state, b))
        torch.testing.assert_close(in_batch[b, : lengths[b]], y.squeeze(0 if batch_first else 1), atol=2e-6, rtol=0)
        assert not in_batch[b, lengths[b] :].any()
        for ours, theirs in zip(parts(final), parts(s), strict=True):
            torch.testing.assert_close(ours[:, b : b + 1], theirs, atol=2e-6, rtol=0)
        alone = alone + y.square().sum() + sum(part.square().sum() for part in parts(s))
    leaves = [*sequences, *layer.parameters()]
    wanted = torch.autograd.grad(alone, leaves, allow_unused=True, materialize_grads=True)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5 * slack(kind), rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_forms_agree(kind: str) -> None:
    """Ragged, PackedSequence and padded tensor: the same sequences give the same answer, in the form of the input."""
    torch.manual_seed(0)
    layer = LAYERS[kind](**DEEP)
    ragged = Ragged(torch.randn(12, 3), torch.tensor([4, 2, 6]))
    flags = torch.rand(12) < 0.3
    state = some_state(layer, 3)
    wanted, final = layer(ragged, state, reset=flags)
    again, after = layer(ragged, state, reset=Ragged(flags, ragged.lengths))
    assert torch.equal(again.values, wanted.values)
    padded, marks = to_padded(ragged), to_padded(Ragged(flags, ragged.lengths)).bool()
    from_tensor, end = layer(padded, state, lengths=[4, 2, 6], reset=marks)
    torch.testing.assert_close(from_padded(from_tensor, [4, 2, 6]).values, wanted.values, atol=2e-6, rtol=0)
    packed = to_packed_sequence(ragged)
    marked = to_packed_sequence(Ragged(flags, ragged.lengths))
    from_packed, last = layer(packed, state, reset=marked)
    torch.testing.assert_close(from_packed.data, to_packed_sequence(wanted).data, atol=2e-6, rtol=0)
    for ours in (after, end, last):
        for a, b in zip(parts(ours), parts(final), strict=True):
            torch.testing.assert_close(a, b, atol=2e-6, rtol=0)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("engine", ["reference", None])
def test_reset_separates_episodes_in_both_directions(kind: str, engine: str | None) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](bidirectional=True, dtype=torch.float64)
    x = torch.randn(9, 2, 3, dtype=torch.float64)
    flags = torch.zeros(9, 2, dtype=torch.bool)
    flags[[4, 7], 0] = True
    flags[0, 1] = True
    state = some_state(layer, 2)
    if engine is None:
        output, final = layer(x, state, reset=flags)
    else:
        with force(engine):
            output, final = layer(x, state, reset=flags)
    first, pieces = pick(state, 0), []
    for begin, end in ((0, 4), (4, 7), (7, 9)):
        pieces.append(layer(x[begin:end, :1], first))
    torch.testing.assert_close(
        output[:, :1], torch.cat([piece[0] for piece in pieces]), atol=1e-14 * slack(kind), rtol=0
    )
    whole = layer(x[:, 1:], pick(state, 1))
    torch.testing.assert_close(output[:, 1:], whole[0], atol=1e-14 * slack(kind), rtol=0)
    for p, part in enumerate(parts(final)):  # forward ends with the last episode, reverse with the first
        torch.testing.assert_close(part[0, 0], parts(pieces[-1][1])[p][0, 0], atol=1e-14 * slack(kind), rtol=0)
        torch.testing.assert_close(part[1, 0], parts(pieces[0][1])[p][1, 0], atol=1e-14 * slack(kind), rtol=0)


@given(
    kind=st.sampled_from(list(LAYERS)),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    data=st.data(),
)
def test_batch_order_size_and_padding_change_nothing(kind: str, lengths: list[int], data: st.DataObject) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](**DEEP)
    ragged = Ragged(torch.randn(sum(lengths), 3), torch.tensor(lengths))
    wanted, final = layer(ragged)
    order = torch.tensor(data.draw(st.permutations(range(len(lengths)))))
    permuted, after = layer(ragged.take(order))
    torch.testing.assert_close(permuted.values, wanted.take(order).values, atol=2e-6, rtol=0)
    for a, b in zip(parts(after), parts(final), strict=True):
        torch.testing.assert_close(a, b[:, order], atol=2e-6, rtol=0)
    half = order[: len(order) // 2 + 1]
    torch.testing.assert_close(layer(ragged.take(half))[0].values, wanted.take(half).values, atol=2e-6, rtol=0)
    total = max(lengths) + data.draw(st.integers(0, 4))
    padded, _ = layer(to_padded(ragged, total_length=total), lengths=lengths)
    torch.testing.assert_close(from_padded(padded, lengths).values, wanted.values, atol=2e-6, rtol=0)


@given(
    kind=st.sampled_from(list(LAYERS)),
    steps=st.integers(1, 12),
    width=st.integers(1, 12),
)
def test_chunked_is_whole_is_streamed(kind: str, steps: int, width: int) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](num_layers=2, dtype=torch.float64)
    x = torch.randn(steps, 2, 3, dtype=torch.float64)
    state = some_state(layer, 2)
    whole, final = layer(x, state)
    chunks, now = [], state
    for begin in range(0, steps, width):
        y, now = layer(x[begin : begin + width], now)
        chunks.append(y)
    torch.testing.assert_close(torch.cat(chunks), whole, atol=1e-14, rtol=0)
    for a, b in zip(parts(now), parts(final), strict=True):
        torch.testing.assert_close(a, b, atol=1e-14, rtol=0)


@pytest.mark.parametrize(("name", "layer"), [("RNNCell", nn.RNN), ("LSTMCell", nn.LSTM), ("GRUCell", nn.GRU)])
def test_streamed_by_a_step_cell(name: str, layer: Any) -> None:
    torch.manual_seed(0)
    whole, cell = layer(3, 4), getattr(nn, name)(3, 4)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in whole.state_dict().items()})
    x, state, outputs = torch.randn(6, 2, 3), None, []
    for t in range(6):
        state = cell(x[t], state)
        outputs.append(parts(state)[0])
    torch.testing.assert_close(torch.stack(outputs), whole(x)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_nothing_to_do_is_defined(kind: str) -> None:
    layer = LAYERS[kind](**DEEP)
    width = layer(torch.randn(1, 1, 3))[0].shape[-1]
    for steps, batch in ((0, 3), (5, 0), (0, 0)):
        state = some_state(layer, batch)
        output, final = layer(torch.zeros(steps, batch, 3), state)
        assert output.shape == (steps, batch, width)
        assert [part.shape for part in parts(final)] == [part.shape for part in parts(state)]
        if not steps:
            assert all(torch.equal(a, b) for a, b in zip(parts(final), parts(state), strict=True))
    assert layer(torch.zeros(0, 3))[0].shape == (0, width)
    assert layer(torch.zeros(2, 2, 3), lengths=[0, 0])[0].abs().sum() == 0
    empty, _ = layer(Ragged(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)))
    assert empty.values.shape == (0, width)


@pytest.mark.parametrize("kind", LAYERS)
def test_trace(kind: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](batch_first=True, **DEEP)
    x = torch.randn(3, 5, 3)
    output, final = layer(x, lengths=[5, 0, 2])
    traced = layer.trace(x, lengths=[5, 0, 2])
    bound = 1e-6 * max(1.0, float(output.detach().abs().max()))  # a linear recurrence is not held within ±1
    torch.testing.assert_close(traced.output, output, atol=bound * slack(kind), rtol=0)
    for a, b in zip(parts(traced.state), parts(final), strict=True):
        torch.testing.assert_close(a, b, atol=bound * slack(kind), rtol=0)
    assert len(traced.traces) == 4
    width = layer.proj_size or 4
    torch.testing.assert_close(traced.traces[2].states.h, output[..., :width], atol=bound * slack(kind), rtol=0)
    torch.testing.assert_close(traced.traces[3].states.h, output[..., width:], atol=bound * slack(kind), rtol=0)
    assert traced.traces[0].gates._fields == layer.cell.gates
    special = {"mlstm": {"i": layer.num_heads, "f": layer.num_heads}, "qrnn": {"ahead": 12}}.get(kind, {})
    widths = [special.get(name, 4) for name in layer.cell.gates]
    assert all([gate.shape for gate in trace.gates] == [(3, 5, width) for width in widths] for trace in traced.traces)
    ragged = layer.trace(Ragged(torch.randn(4, 3), torch.tensor([1, 3])))
    assert isinstance(ragged.traces[0].gates[0], Ragged)
    assert layer.trace(x[0]).traces[0].gates[0].shape == (5, 4)


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind not in {"slstm", "mlstm", "qrnn"}])
def test_learned_state(kind: str) -> None:
    plain, layer = LAYERS[kind](**DEEP), LAYERS[kind](learned_state=True, **DEEP)
    names = ["h_0", "c_0"] if "c" in layer.cell.State._fields else ["h_0"]
    assert set(layer.state_dict()) - set(plain.state_dict()) == set(names)
    assert not layer.h_0.any()
    begin = [torch.nn.init.normal_(getattr(layer, name).data) for name in names]
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if k not in names})
    ragged = Ragged(torch.randn(5, 3), torch.tensor([2, 3]))
    wanted = [part.expand(-1, 2, -1) for part in begin]
    state = tuple(wanted) if len(wanted) > 1 else wanted[0]
    for x in (torch.randn(4, 2, 3), ragged):
        ours, theirs = layer(x)[0], plain(x, state)[0]
        values = (ours, theirs) if isinstance(x, torch.Tensor) else (ours.values, theirs.values)
        torch.testing.assert_close(*values, atol=1e-6, rtol=0)
    layer(ragged)[0].values.sum().backward()
    read = names[1:] if kind in {"qrnn_1", "sru", "lru"} else names  # whose h is only put out
    assert all(getattr(layer, name).grad.abs().sum() > 0 for name in read)
    layer.reset_parameters()
    assert not layer.h_0.any()


def test_orthogonal_start() -> None:
    for layer, gates in (
        (nn.LSTM(3, 4, init="orthogonal"), 4),
        (nn.GRU(3, 4, init="orthogonal"), 3),
        (nn.RNN(3, 4, init="orthogonal"), 1),
    ):
        for gate in layer.weight_hh_l0.chunk(gates):
            torch.testing.assert_close(gate @ gate.T, torch.eye(4), atol=1e-6, rtol=0)
        for gate in layer.weight_ih_l0.chunk(gates):
            assert 0.5 < float(gate.detach().abs().max()) / math.sqrt(6 / 7) <= 1
        assert not layer.bias_ih_l0.any()
        assert not layer.bias_hh_l0.any()
    projection = nn.LSTM(3, 4, proj_size=2, init="orthogonal").weight_hr_l0
    torch.testing.assert_close(projection @ projection.T, torch.eye(2), atol=1e-6, rtol=0)


def test_forget_bias() -> None:
    torch.manual_seed(5)
    layer = nn.LSTM(3, 4, forget_bias=1.5, bidirectional=True)
    torch.manual_seed(5)
    plain = nn.LSTM(3, 4, bidirectional=True)
    for suffix in ("l0", "l0_reverse"):
        i, f, *rest = (getattr(layer, f"bias_ih_{suffix}") + getattr(layer, f"bias_hh_{suffix}")).chunk(4)
        assert f.tolist() == [1.5] * 4
        theirs = (getattr(plain, f"bias_ih_{suffix}") + getattr(plain, f"bias_hh_{suffix}")).chunk(4)
        assert torch.equal(i, theirs[0])
        assert torch.equal(torch.cat(rest), torch.cat(theirs[2:]))
    assert "forget_bias=1.5" in repr(layer)


def test_chrono_start() -> None:
    """Forget gates begin with time constants spread over 1 to ``max_lag`` steps."""
    lstm, gru = nn.LSTM(2, 2000, init="chrono", max_lag=100), nn.GRU(2, 2000, init="chrono", max_lag=100)
    i, f, g, o = lstm.bias_ih_l0.detach().chunk(4)
    assert torch.equal(i, -f)
    assert not torch.cat([g, o, lstm.bias_hh_l0.detach()]).any()
    for bias in (f, gru.bias_ih_l0.detach().chunk(3)[1]):
        time = bias.exp()
        assert 1 <= float(time.min()) < 3
        assert 97 < float(time.max()) <= 99.01
        assert abs(float(time.mean()) - 50) < 4
    assert not torch.cat([gru.bias_ih_l0.detach().chunk(3)[0], gru.bias_ih_l0.detach().chunk(3)[2]]).any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.LSTM(3, 4, init="glorot"), "'torch', 'orthogonal' or 'chrono', not 'glorot'"),
        (lambda: nn.RNN(3, 4, init="chrono"), "cell 'rnn' has none"),
        (lambda: nn.LSTM(3, 4, init="chrono"), "needs max_lag="),
        (lambda: nn.GRU(3, 4, max_lag=9), "needs max_lag="),
        (lambda: nn.GRU(3, 4, init="chrono", max_lag=1), "at least 2 steps, not 1"),
        (lambda: nn.LSTM(3, 4, init="chrono", max_lag=9, forget_bias=1.0), "not together with init='chrono'"),
        (lambda: nn.LSTM(3, 4, bias=False, forget_bias=1.0), "bias=False"),
    ],
)
def test_starts_that_do_not_fit(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lengths": [1, 2]}, ValueError, "the batch holds 3 sequences"),
        ({"lengths": [1, 2, 9]}, ValueError, "between 0 and 5, not 1 to 9"),
        ({"lengths": [1.5, 2.0, 3.0]}, ValueError, "whole numbers"),
        ({"reset": torch.zeros(5, 3)}, TypeError, "bool tensor, one flag a step, not torch.float32"),
        ({"reset": [True]}, TypeError, "not list"),
        ({"reset": torch.zeros(3, 5, dtype=torch.bool)}, ValueError, r"the steps of the input are \(5, 3\)"),
    ],
)
def test_wrong_lengths_and_resets(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nn.GRU(3, 4)(torch.zeros(5, 3, 3), **arguments)


def test_wrong_forms() -> None:
    layer, ragged = nn.GRU(3, 4), Ragged(torch.zeros(4, 3), torch.tensor([1, 3]))
    with pytest.raises(ValueError, match="a Ragged knows its own lengths"):
        layer(ragged, lengths=[1, 3])
    with pytest.raises(TypeError, match="a Tensor, a PackedSequence or a Ragged, not list"):
        layer([1])
    with pytest.raises(ValueError, match="other lengths than the input"):
        layer(ragged, reset=Ragged(torch.zeros(4, dtype=torch.bool), torch.tensor([2, 2])))
    with pytest.raises(ValueError, match=r"steps of the input are \(4,\)"):
        layer(ragged, reset=torch.zeros(5, dtype=torch.bool))
    flags = Ragged(torch.zeros(4, dtype=torch.bool), torch.tensor([2, 2]))
    with pytest.raises(ValueError, match="another layout"):
        layer(to_packed_sequence(ragged), reset=to_packed_sequence(flags))
    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size"):
        layer(Ragged(torch.zeros(4, 2), torch.tensor([1, 3])))


@pytest.mark.parametrize("kind", LAYERS)
def test_per_sequence_gradients_by_vmap(kind: str) -> None:
    """torch.func's vmap over grad, which torch.nn's RNN and GRU refuse."""
    torch.manual_seed(0)
    layer = LAYERS[kind]().double()
    names = dict(layer.named_parameters())
    x = torch.randn(3, 4, 3, dtype=torch.float64)

    def loss(weights: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, weights, (one,))[0].square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(
        {name: weight.detach() for name, weight in names.items()}, x
    )
    for b in range(3):
        wanted = torch.autograd.grad(layer(x[b])[0].square().sum(), list(names.values()))
        for name, gradient in zip(names, wanted, strict=True):
            torch.testing.assert_close(found[name][b], gradient, atol=1e-12, rtol=0)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, inside its jvp rules
@pytest.mark.parametrize("kind", LAYERS)
def test_forward_mode(kind: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](dtype=torch.float64)
    x, direction = torch.randn(4, 2, 3, dtype=torch.float64), torch.randn(4, 2, 3, dtype=torch.float64)
    _, slope = torch.func.jvp(lambda given: layer(given)[0], (x,), (direction,))
    wanted = (layer(x + 1e-6 * direction)[0] - layer(x - 1e-6 * direction)[0]) / 2e-6
    torch.testing.assert_close(slope, wanted, atol=1e-8, rtol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_compiled_whole(kind: str) -> None:
    """torch.compile without a graph break, forward and backward, with lengths and resets, and plain."""
    torch.manual_seed(0)
    torch.compiler.reset()  # else the compilations of the other layers count against this one's limit
    layer = LAYERS[kind](batch_first=True, **DEEP)
    x = torch.randn(4, 6, 3, requires_grad=True)
    lengths, flags, state = torch.tensor([6, 0, 3, 4]), torch.rand(4, 6) < 0.3, some_state(layer, 4)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager", dynamic=False)
    for arguments in ({"lengths": lengths, "reset": flags, "hx": state}, {}):
        results = []
        for module in (layer, compiled):
            output, final = module(x, **arguments)
            total = output.square().sum() + sum(part.sum() for part in parts(final))
            results.append([output, *parts(final), *torch.autograd.grad(total, [x, *module.parameters()])])
        for ours, wanted in zip(*results, strict=True):
            torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=1e-5)
    single = torch.randn(6, 3)
    torch.testing.assert_close(compiled(single, reset=flags[0])[0], layer(single, reset=flags[0])[0], atol=1e-6, rtol=0)


def test_compiled_is_differentiated_once() -> None:
    """Beyond that there is an error, never another number; the layer itself knows no such end."""
    torch.compiler.reset()
    layer = nn.GRU(3, 4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(5, 2, 3, requires_grad=True)
    for lengths in (None, torch.tensor([5, 2])):
        output = compiled(x, lengths=lengths)[0]
        (once,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="does not currently support double backward"):
            torch.autograd.grad(once.square().sum(), x)
        output = compiled(x, lengths=lengths)[0]
        with pytest.raises(RuntimeError, match="Batching rule not implemented for ostinato"):
            torch.autograd.grad(output, x, torch.ones(2, *output.shape), is_grads_batched=True)


def test_compiled_dropout_and_learned_state() -> None:
    """All of the first layer's output dropped: what is left is the upper layer without input."""
    torch.compiler.reset()
    layer = nn.GRU(3, 4, num_layers=2, dropout=1.0, learned_state=True)
    torch.nn.init.normal_(layer.h_0)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")
    flags, x = torch.zeros(5, 2, dtype=torch.bool), torch.randn(5, 2, 3)
    torch.testing.assert_close(compiled(x)[0], layer(x, reset=flags)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_compiled_once_for_all_sizes(kind: str) -> None:
    """Equal lengths without resets: the native operators themselves, batch and time dynamic; or what is forced."""
    torch.compiler.reset()
    layer = LAYERS[kind](dropout=0.0, **DEEP)
    graphs: list[list[str]] = []

    def look(module: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append([str(node.target) for node in module.graph.nodes if node.op == "call_function"])
        return module

    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend=look, dynamic=True)
    for steps, batch in ((4, 6), (7, 2), (3, 5)):
        x = torch.randn(steps, batch, 3, requires_grad=True)
        results = []
        for module in (layer, compiled):
            output, final = module(x)
            total = output.square().sum() + sum(part.sum() for part in parts(final))
            results.append([output, *parts(final), *torch.autograd.grad(total, [x, *module.parameters()])])
        for ours, wanted in zip(*results, strict=True):
            torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=1e-5)
    assert len(graphs) == 1
    assert graphs[0].count("ostinato.native_forward.default") == 2
    with force("reference"):
        torch.testing.assert_close(compiled(x)[0], layer(x)[0], atol=1e-6, rtol=0)
    assert "ostinato.native_forward.default" not in graphs[-1]


def test_exported() -> None:
    """Batch and time stay free, and the program asks the engines of the machine that runs it."""
    layer = nn.GRU(3, 4, num_layers=2).eval()
    x = torch.randn(6, 2, 3)
    steps, batch = torch.export.Dim("steps", min=2, max=50), torch.export.Dim("batch", min=1, max=50)
    program = torch.export.export(layer, (x,), dynamic_shapes={"input": {0: steps, 1: batch}})
    assert not any("native" in str(node.target) for node in program.graph.nodes)
    longer = torch.randn(11, 5, 3)
    torch.testing.assert_close(program.module()(longer)[0], layer(longer)[0], atol=1e-6, rtol=0)


def test_operator_is_well_made() -> None:
    from ostinato.nn.compiled import layer_operator

    layer = nn.LSTM(3, 4)
    state = [torch.randn(2, 4, requires_grad=True) for _ in range(2)]
    weights = list(layer.parameters())
    arguments = (torch.randn(5, 2, 3, requires_grad=True), torch.tensor([5, 2]), None, None, [*state, *weights])
    form = "lstm 0 1 ih hh bias_ih bias_hh"
    torch.library.opcheck(layer_operator, (*arguments, form, [0.0] * 7))


def test_second_derivative_of_a_layer() -> None:
    layer = nn.LSTM(3, 4, dtype=torch.float64, **DEEP)
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda given: layer(given, lengths=[3, 1])[0], (x,))
