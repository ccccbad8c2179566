"""The layers are drop-ins for torch.nn: arguments, names, numbers, gradients, errors, saving and loading."""

from __future__ import annotations

import copy
import inspect
import io
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from ostinato import nn

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, once

OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"batch_first": True, "num_layers": 2},
    {"bidirectional": True, "num_layers": 3},
    {"dtype": torch.float64, "bidirectional": True},
]
KINDS = [
    *[(name, options) for name in ("RNN", "LSTM", "GRU") for options in OPTIONS],
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {"proj_size": 3, "bidirectional": True, "num_layers": 2}),
    ("LSTM", {"proj_size": 2, "bias": False}),
]


def pair(name: str, options: dict[str, Any], size: int = 5) -> tuple[Any, Any]:
    """Ours and torch's with the same weights, drawn from the same seed."""
    torch.manual_seed(1)
    ours = getattr(nn, name)(4, size, **options)
    torch.manual_seed(1)
    return ours, getattr(torch.nn, name)(4, size, **options)


def random_state(layer: Any, batch: int | None) -> Any:
    dtype = layer.weight_ih_l0.dtype
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (rows,) if batch is None else (rows, batch)
    h = torch.randn(*shape, layer.proj_size or layer.hidden_size, dtype=dtype, requires_grad=True)
    if layer.mode != "LSTM":
        return h
    return h, torch.randn(*shape, layer.hidden_size, dtype=dtype, requires_grad=True)


def flat(*parts: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for part in parts:
        if isinstance(part, PackedSequence):
            found.append(part.data)
        elif isinstance(part, tuple):
            found += flat(*part)
        elif part is not None:
            found.append(part)
    return found


def agree(ours: Any, theirs: Any, call: Any, leaves: list[torch.Tensor]) -> None:
    """Values and every gradient, to rounding."""
    results = []
    for layer in (ours, theirs):
        values = flat(call(layer))
        gradients = torch.autograd.grad(
            [v.square().sum() for v in values], [*leaves, *layer.parameters()], retain_graph=True, allow_unused=True
        )
        results.append([*values, *gradients])
    for mine, wanted in zip(*results, strict=True):
        if wanted is None:
            assert mine is None or not mine.any()
        else:
            tolerance = 1e-13 if wanted.dtype == torch.float64 else 1e-5
            torch.testing.assert_close(mine, wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_same_numbers(name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(name, options)
    assert {k: v.tolist() for k, v in ours.state_dict().items()} == {
        k: v.tolist() for k, v in theirs.state_dict().items()
    }
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    dtype = ours.weight_ih_l0.dtype
    x = torch.randn(6, 3, 4, dtype=dtype, requires_grad=True)
    batch = 6 if ours.batch_first else 3
    for state in (None, random_state(ours, batch)):
        agree(ours, theirs, lambda layer, s=state: layer(x, s), [x, *flat(state)])
    single = torch.randn(6, 4, dtype=dtype, requires_grad=True)
    for state in (None, random_state(ours, None)):
        agree(ours, theirs, lambda layer, s=state: layer(single, s), [single, *flat(state)])
    unequal = [torch.randn(t, 4, dtype=dtype, requires_grad=True) for t in (2, 5, 3)]
    packed = pack_sequence(unequal, enforce_sorted=False)
    state = random_state(ours, 3)
    for given in (None, state):
        agree(ours, theirs, lambda layer, s=given: layer(packed, hx=s), [*unequal, *flat(given)])
    assert type(ours(packed)[0]) is PackedSequence


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_same_signature(name: str) -> None:
    """Whatever torch.nn's constructor takes by position or name, ours takes in the same place."""
    given: dict[str, Any] = {"input_size": 4, "hidden_size": 5, "num_layers": 2, "bias": False, "batch_first": True}
    given |= {"dropout": 0.5, "bidirectional": True}
    ours, theirs = getattr(nn, name)(**given), getattr(torch.nn, name)(**given)
    assert repr(ours) == repr(theirs)
    positional = [4, 5, 2, *(["relu"] if name == "RNN" else []), False, True, 0.5, True]
    ours, theirs = getattr(nn, name)(*positional), getattr(torch.nn, name)(*positional)
    assert repr(ours) == repr(theirs)
    assert ours.mode == theirs.mode
    assert list(inspect.signature(ours.forward).parameters)[:2] == ["input", "hx"]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dropout_between_layers(name: str) -> None:
    ours, theirs = pair(name, {"num_layers": 3, "dropout": 0.5})
    x = torch.randn(7, 2, 4)
    for layer in (ours, theirs):
        torch.manual_seed(3)
        layer.once = layer(x)[0]
    torch.testing.assert_close(ours.once, theirs.once, atol=1e-6, rtol=0)  # the same elements are dropped
    flags = torch.zeros(7, 2, dtype=torch.bool)
    drawn = torch.stack([ours(x, reset=flags)[0] for _ in range(400)])
    torch.testing.assert_close(drawn[:, 0, 0].std(0) > 0, torch.ones(5, dtype=torch.bool))
    torch.testing.assert_close(ours.eval()(x, reset=flags)[0], theirs.eval()(x)[0], atol=1e-6, rtol=0)


def test_dropout_may_be_set_later() -> None:
    layer, x = nn.GRU(4, 5, num_layers=2), torch.randn(6, 2, 4)
    plain, flags = layer(x)[0], torch.zeros(6, 2, dtype=torch.bool)
    layer.dropout = 0.9
    assert not torch.allclose(layer(x)[0], plain)
    assert not torch.allclose(layer(x, reset=flags)[0], plain)
    torch.testing.assert_close(layer.eval()(x, reset=flags)[0], plain, atol=1e-6, rtol=0)


def test_all_dropped_leaves_the_upper_layer_no_input() -> None:
    layer = nn.GRU(4, 5, num_layers=2, dropout=1.0)
    x, flags = torch.randn(6, 2, 4), torch.zeros(6, 2, dtype=torch.bool)
    upper = nn.GRU(5, 5)
    upper.load_state_dict({k.replace("l1", "l0"): v for k, v in layer.state_dict().items() if "l1" in k})
    torch.testing.assert_close(layer(x, reset=flags)[0], upper(torch.zeros(6, 2, 5))[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_old_checkpoint(name: str, options: dict[str, Any]) -> None:
    """A checkpoint written by torch.nn loads as it is, and one of ours loads into torch.nn."""
    _, theirs = pair(name, options)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    fresh = getattr(nn, name)(4, 5, **options)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(6, 3, 4, dtype=fresh.weight_ih_l0.dtype)
    torch.testing.assert_close(fresh(x)[0], theirs(x)[0], atol=1e-6, rtol=0)
    theirs.load_state_dict(fresh.state_dict())


def test_copies_moves_and_pickles() -> None:
    layer = nn.LSTM(4, 5, num_layers=2, bidirectional=True, learned_state=True)
    x = torch.randn(6, 3, 4)
    wanted = layer(x)[0]
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for other in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert torch.equal(other(x)[0], wanted)
        other.weight_ih_l0.data.zero_()
        assert torch.equal(layer(x)[0], wanted)
    layer.flatten_parameters()
    assert torch.equal(layer(x)[0], wanted)
    assert layer.double()(x.double())[0].dtype == torch.float64
    assert nn.GRU(4, 5, device="meta").weight_hh_l0.is_meta
    assert len(layer.all_weights) == 4
    assert isinstance(layer, torch.nn.RNNBase)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_same_errors(name: str) -> None:
    ours, theirs = pair(name, {})
    h = (torch.zeros(1, 3, 5),) * 2 if name == "LSTM" else torch.zeros(1, 3, 5)
    few = (torch.zeros(1, 2, 5),) * 2 if name == "LSTM" else torch.zeros(1, 2, 5)
    wrong = [
        (torch.zeros(4), None),
        (torch.zeros(1, 6, 3, 4), None),
        (torch.zeros(6, 3, 9), None),
        (torch.zeros(6, 3, 4, dtype=torch.float64), None),
        (torch.zeros(6, 3, 4), few),
        (torch.zeros(6, 4), h),
        (torch.zeros(6, 3, 4), torch.zeros(2, 1, 5) if name == "LSTM" else torch.zeros(1, 5)),
    ]
    for x, state in wrong:
        with pytest.raises(Exception) as expected:  # noqa: PT011  # torch's own error, whatever it is
            theirs(x, state)
        with pytest.raises(type(expected.value)):
            ours(x, state)
    with pytest.raises(RuntimeError, match="must be equal to input_size"):  # torch.nn.LSTM does not notice
        ours(pack_sequence([torch.zeros(2, 9)]))
    for arguments in ({"hidden_size": 0}, {"hidden_size": 2.0}, {"dropout": 2}, {"bias": 1}, {"num_layers": 0}):
        built = {"input_size": 4, "hidden_size": 5, **arguments}
        with pytest.raises(Exception) as expected:  # noqa: PT011
            getattr(torch.nn, name)(**built)
        with pytest.raises(type(expected.value), match=str(expected.value)[:20]):
            getattr(nn, name)(**built)
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        getattr(nn, name)(4, 5, dropout=0.5)


def test_unknown_nonlinearity() -> None:
    with pytest.raises(ValueError, match="Unknown nonlinearity 'elu'"):
        nn.RNN(4, 5, nonlinearity="elu")


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("shape", [(3, 4), (4,)])
def test_step_cells(name: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    ours = getattr(nn, name)(4, 5)
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(4, 5)
    x = torch.randn(*shape, requires_grad=True)
    agree(ours, theirs, lambda cell: cell(x), [x])
    h = torch.randn(*shape[:-1], 5, requires_grad=True)
    state = (h, h) if name == "LSTMCell" else h
    agree(ours, theirs, lambda cell: cell(x, state), [x, h])


def test_step_cell_that_resets_before() -> None:
    layer, cell = nn.GRU(4, 5, reset_after=False), nn.GRUCell(4, 5, reset_after=False)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = torch.randn(6, 3, 4)
    h = None
    for t in range(6):
        h = cell(x[t], h)
    torch.testing.assert_close(h, layer(x)[1][0], atol=1e-6, rtol=0)
    assert cell(x[0, 0]).shape == (5,)
    with pytest.raises(ValueError, match="Expected input to be 1D or 2D, got 3D"):
        cell(x)
    with pytest.raises(ValueError, match="Expected hidden to be 2D"):
        cell(x[0], torch.zeros(5))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_other_dimensions_are_refused_in_the_words_of_torch(name: str) -> None:
    for shape in ((3,), (2, 2, 2, 3)):
        with pytest.raises(ValueError, match="2D or 3D") as theirs:
            getattr(torch.nn, name)(3, 4)(torch.zeros(shape))
        with pytest.raises(ValueError, match="2D or 3D") as mine:
            getattr(nn, name)(3, 4)(torch.zeros(shape))
        assert str(mine.value) == str(theirs.value).replace("D tensor", "D")  # which only the RNN says
