"""Streams: a step at a time equals the whole, on every instruction set, for every kind of weights, whoever comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from engines import oracle
from engines.oracle import close
from ostinato import nn
from ostinato.engines import force, steps

CELLS = ["rnn", "rnn_relu", "lstm", "gru"]
OTHERS = ["gru_before", "lstm_projected"]
SIZES = [1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 65, 130]
ISAS = [] if steps.MISSING else steps.native.isas()
ENGINES = [*ISAS, "reference"]
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's, once


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Streams made in the test run on this instruction set, or by the cells' own equations."""
    if request.param == "reference":
        with force("reference"):
            yield request.param
        return
    before = steps.native.isa()
    steps.native.choose_isa(request.param)
    yield request.param
    steps.native.choose_isa(before)


def layer(kind: str, I: int, H: int, L: int = 1, **more: Any) -> Any:  # noqa: E741
    """A layer of ours with all its weights drawn, biases too."""
    if kind in {"rnn", "rnn_relu"}:
        return nn.RNN(I, H, L, nonlinearity="relu" if kind == "rnn_relu" else "tanh", **more)
    if kind.startswith("lstm"):
        return nn.LSTM(I, H, L, proj_size=max(1, H // 2) if kind == "lstm_projected" else 0, **more)
    return nn.GRU(I, H, L, reset_after=kind == "gru", **more)


def parts(state: Any) -> list[torch.Tensor]:
    return list(state) if isinstance(state, tuple) else [state]


def some_state(of: Any, batch: int) -> Any:
    found = [torch.randn_like(part).mul(0.5) for part in parts(of.stream(batch).state)]
    return tuple(found) if len(found) > 1 else found[0]


def whole(of: Any, x: torch.Tensor, state: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Output and final state of the whole sequence, ``x`` ``(T, B, I)``, by torch.nn or the papers, in float64."""
    x, state = x.double(), [part.double() for part in parts(state)]
    weights = {name: weight.detach().double() for name, weight in of.state_dict().items()}
    if of.cell_name == "gru_before":
        finals = []
        for number in range(of.num_layers):
            own = {n.split("_l")[0].removeprefix("weight_"): w for n, w in weights.items() if n.endswith(f"_l{number}")}
            outputs, after = oracle.run("gru_before", own, list(x.unbind(1)), [state[0][number]], None, reverse=False)
            x = torch.stack(outputs, 1)
            finals.append(after[0])
        return x, [torch.stack(finals)]
    options = {"bias": of.bias, "dtype": torch.float64}
    if of.mode.startswith("RNN"):
        options["nonlinearity"] = of.mode.removeprefix("RNN_").lower()
    if of.mode == "LSTM":
        options["proj_size"] = of.proj_size
    kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}.get(of.mode, torch.nn.RNN)
    model = kind(of.input_size, of.hidden_size, of.num_layers, **options)
    model.load_state_dict(weights)
    with torch.no_grad():
        output, final = model(x, tuple(state) if len(state) > 1 else state[0])
    return output, parts(final)


def holds(of: Any, batch: int, steps: int = 5, **options: Any) -> None:
    """The stream's outputs and final state, from a state that is not zero, are those of the whole."""
    x = torch.randn(steps, batch, of.input_size, dtype=of.weight_ih_l0.dtype)
    state = some_state(of, batch)
    stream = of.stream(batch, **options)
    stream.load(state)
    found = torch.stack([stream.step(one) for one in x])
    wanted, final = whole(of, x, state)
    close(found, wanted, "value")
    for part, other in zip(parts(stream.state), final, strict=True):
        close(part, other, "value")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", CELLS)
def test_streamed_is_whole_at_every_size(kind: str, dtype: torch.dtype, engine: str) -> None:
    torch.manual_seed(0)
    for H, I in zip(SIZES, SIZES[5:] + SIZES[:5], strict=True):  # noqa: E741
        holds(layer(kind, I, H, dtype=dtype), 3)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", CELLS + OTHERS)
def test_streamed_is_whole_for_stacks_and_batches(kind: str, bias: bool, engine: str) -> None:
    torch.manual_seed(1)
    for L in (1, 2, 3):
        for batch in (1, 2, 7, 33):
            holds(layer(kind, 5, 18, L, bias=bias), batch)


@pytest.mark.parametrize("weights", [None, "int8"])
@pytest.mark.parametrize("kind", CELLS)
def test_threads_give_the_same_numbers(kind: str, weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows are many, three threads share them, at times in different layers."""
    torch.manual_seed(2)
    of = layer(kind, 60, 150, 2)
    alone = of.stream(601, weights=weights)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared = of.stream(601, weights=weights)
    chosen = torch.randperm(601)[:500].numpy()
    for rows, x in [(None, torch.randn(601, 60)), (chosen, torch.randn(500, 60))] * 5:
        close(shared.step(x, rows), alone.step(x, rows).double(), "value")
    for part, other in zip(parts(shared.state), parts(alone.state), strict=True):
        close(part, other.double(), "value")


@pytest.mark.parametrize("weights", [None, "bfloat16", "int8"])
def test_large_layers_are_shared_by_units(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the seventeenth step on a layer that takes one thread long has helpers; to the bit it is the same."""
    torch.manual_seed(3)
    of = layer("lstm", 30, 1200, 2)
    alone = of.stream(3, weights=weights)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared = of.stream(3, weights=weights)
    for x in torch.randn(40, 3, 30):
        assert torch.equal(shared.step(x), alone.step(x))
    for part, other in zip(parts(shared.state), parts(alone.state), strict=True):
        assert torch.equal(part, other)


@pytest.mark.parametrize("kind", CELLS)
def test_bfloat16_weights_are_the_nearest(kind: str, engine: str) -> None:
    """To float32's tolerance the model in float64 whose weights are rounded to bfloat16."""
    torch.manual_seed(3)
    for I, H, batch in ((5, 18, 1), (17, 33, 7), (64, 65, 33)):  # noqa: E741
        of = layer(kind, I, H, 2)
        x, stream = torch.randn(6, batch, I), of.stream(batch, weights="bfloat16")
        state = some_state(of, batch)
        stream.load(state)
        for name, weight in of.named_parameters():
            if name.startswith("weight"):
                weight.data = weight.data.to(torch.bfloat16).float()
        close(torch.stack([stream.step(one) for one in x]), whole(of, x, state)[0], "value")


def eighths(x: torch.Tensor) -> torch.Tensor:
    """Rows in 255 values up to their largest, as documented; exact float32 decisions, float64 values."""
    largest = x.abs().amax(1, keepdim=True)
    return (x * (127 / largest)).round().double() * (largest / 127).double()


@pytest.mark.parametrize("kind", CELLS)
def test_int8_weights_and_inputs_are_rounded_as_documented(kind: str, engine: str) -> None:
    """Every step is the step, in float64, of the model with rounded weights on rounded inputs and states."""
    torch.manual_seed(4)
    for I, H, batch in ((5, 18, 1), (17, 33, 7), (64, 65, 33), (130, 16, 2), (1, 1, 1)):  # noqa: E741
        of = layer(kind, I, H)
        stream = of.stream(batch, weights="int8")
        stream.load(some_state(of, batch))
        w = {name.removesuffix("_l0"): weight.detach() for name, weight in of.named_parameters()}
        for name in ("weight_ih", "weight_hh"):
            scale = w[name].abs().amax(1, keepdim=True) / 127
            w[name] = (w[name] / scale).round().double() * scale.double()
        for _ in range(4):
            x = torch.randn(batch, I)
            h, *c = (part[0] for part in parts(stream.state))
            a = eighths(x) @ w["weight_ih"].T + w["bias_ih"].double()
            b = eighths(h) @ w["weight_hh"].T + w["bias_hh"].double()
            if kind == "lstm":
                i, f, g, o = (a + b).chunk(4, 1)
                wanted = o.sigmoid() * (f.sigmoid() * c[0].double() + i.sigmoid() * g.tanh()).tanh()
            elif kind == "gru":
                r, z = (a + b)[:, : 2 * H].sigmoid().chunk(2, 1)
                n = (a[:, 2 * H :] + r * b[:, 2 * H :]).tanh()
                wanted = n + z * (h.double() - n)
            else:
                wanted = (a + b).tanh() if kind == "rnn" else (a + b).relu()
            close(stream.step(x), wanted, "value")


def test_int8_zero_rows_and_what_is_not_finite() -> None:
    """Rows of zeros stay zeros; a NaN or an infinity reaches the output of its stream and of no other."""
    of = nn.LSTM(3, 4)
    stream = of.stream(3, weights="int8")
    zero = stream.step(torch.zeros(3, 3))
    plain = of.stream(3).step(torch.zeros(3, 3))
    assert torch.allclose(zero, plain, atol=1e-6)
    x = torch.randn(3, 3)
    x[1, 0], x[2, 2] = torch.nan, torch.inf
    y = stream.step(x)
    assert y[0].isfinite().all()
    assert y[1:].isnan().all()
    with torch.no_grad():
        of.weight_ih_l0.zero_()
    assert of.stream(1, weights="int8").step(torch.ones(1, 3)).isfinite().all()


@pytest.mark.parametrize("weights", ["float32", "float64", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", CELLS)
def test_every_instruction_set_agrees(kind: str, weights: Any) -> None:
    """One step from the same state, against the cells' own equations."""
    torch.manual_seed(5)
    of = layer(kind, 37, 50, 2)
    x = torch.randn(9, 37, dtype=torch.float64 if weights == "float64" else torch.float32)
    with force("reference"):
        stream = of.stream(9, weights=weights)
    assert "reference" in repr(stream)
    wanted = stream.step(x)
    for isa in ISAS:
        before = steps.native.isa()
        steps.native.choose_isa(isa)
        stream = of.stream(9, weights=weights)
        steps.native.choose_isa(before)
        assert f"native: C++ kernels for {isa}" in repr(stream)
        close(stream.step(x), wanted.double(), "value")


def test_weights_follow_the_layer_unless_told() -> None:
    for dtype, wanted in ((torch.float32, "float32"), (torch.float64, "float64"), (torch.bfloat16, "bfloat16")):
        stream = nn.GRU(3, 4, dtype=dtype).stream()
        assert f"{wanted} weights" in repr(stream)
        number = torch.float64 if wanted == "float64" else torch.float32
        assert stream.step(torch.zeros(1, 3, dtype=number)).dtype == number
    assert nn.GRU(3, 4, dtype=torch.float64).stream(weights="float32").step(torch.zeros(3)).dtype == torch.float32


def test_streams_come_and_go(engine: str) -> None:
    """Hundreds of streams, opened, stepped in any order, reset and closed at random, each equal to itself alone."""
    torch.manual_seed(6)
    rng = np.random.default_rng(6)
    of = nn.LSTM(3, 5, 2)
    stream = of.stream(0)
    fed: dict[int, list[torch.Tensor]] = {}
    given: dict[int, list[torch.Tensor]] = {}
    assert len(stream) == 0
    assert stream.step(torch.zeros(0, 3)).shape == (0, 5)

    def check(number: int) -> None:
        if fed[number]:
            x = torch.stack(fed[number]).unsqueeze(1)
            zero = torch.zeros(2, 1, 5)
            close(torch.stack(given[number]).unsqueeze(1), whole(of, x, (zero, zero))[0], "value")
        fed[number], given[number] = [], []

    for turn in range(150):
        if turn < 60 or rng.random() < 0.3:
            number = stream.open()
            assert number == min(set(range(len(fed) + 1)) - set(fed))
            fed[number], given[number] = [], []
        elif rng.random() < 0.4 and len(fed) > 2:
            leaving = rng.choice(list(fed), 2, replace=False)
            stream.close(leaving)
            for number in leaving.tolist():
                check(number)
                del fed[number], given[number]
        elif rng.random() < 0.5:
            again = int(rng.choice(list(fed)))
            stream.reset(again)
            check(again)
        chosen = sorted(fed) if rng.random() < 0.3 else rng.permutation(list(fed))[: rng.integers(1, len(fed) + 1)]
        x = torch.randn(len(chosen), 3)
        output = stream.step(x) if list(chosen) == sorted(fed) else stream.step(x, rows=chosen)
        for number, row, after in zip(list(map(int, chosen)), x, output, strict=True):
            fed[number].append(row)
            given[number].append(after)
    assert len(stream) == len(fed)
    for number in list(fed):
        check(number)


def test_reset_goes_back_to_the_learned_state(engine: str) -> None:
    of = nn.GRU(3, 4, 2, learned_state=True)
    with torch.no_grad():
        of.h_0.normal_()
    x = torch.randn(7, 2, 3)
    stream = of.stream(2)
    with torch.no_grad():
        wanted = of(x)[0]
    for _ in range(2):
        assert torch.allclose(torch.stack([stream.step(one) for one in x]), wanted, atol=1e-6)
        stream.reset()
    stream.step(x[0])
    stream.reset([1])
    assert torch.allclose(stream.state[:, 1], of.h_0[:, 0])
    assert not torch.allclose(stream.state[:, 0], of.h_0[:, 0])


def test_state_goes_to_the_layer_and_back() -> None:
    of = nn.LSTM(3, 4, 2)
    x = torch.randn(8, 3, 3)
    stream = of.stream(3)
    for one in x[:5]:
        stream.step(one)
    with torch.no_grad():
        whole_output, _ = of(x)
        rest, after = of(x[5:], stream.state)
    assert torch.allclose(rest, whole_output[5:], atol=1e-6)
    other = of.stream(5)
    other.load(stream.state, rows=[4, 0, 2])
    y = other.step(x[5], rows=[4, 0, 2])
    assert torch.allclose(y, rest[0], atol=1e-6)
    h, c = stream.state
    h.zero_()
    assert not stream.state[0].eq(0).all()  # a copy
    stream.load((after[0].numpy(), after[1].numpy()))
    assert torch.equal(stream.state[1], after[1])
    assert c.shape == (2, 3, 4)


def test_refresh_takes_the_weights_of_now(engine: str) -> None:
    of = nn.GRU(3, 4)
    x = torch.randn(2, 1, 3)
    stream = of.stream()
    before = of(x)[0][0].detach()
    with torch.no_grad():
        for weight in of.parameters():
            weight.add_(0.3)
    assert torch.allclose(stream.step(x[0]), before, atol=1e-6)
    h = stream.state
    stream.refresh()
    with torch.no_grad():
        assert torch.allclose(stream.step(x[1]), of(x[1:], h)[0][0], atol=1e-6)


def test_kinds_of_arrays(engine: str) -> None:
    """What goes in comes out: numpy or torch, one dimension or two, into a new array or a given one."""
    of = nn.LSTM(4, 4)
    x = torch.randn(1, 4)
    wanted = of.stream().step(x)
    assert type(wanted) is torch.Tensor
    assert not wanted.requires_grad
    for kind in (x.numpy(), x[0], x[0].numpy(), torch.nn.Parameter(x), x.clone().requires_grad_(True)):
        y = of.stream().step(kind)
        assert isinstance(y, np.ndarray) == isinstance(kind, np.ndarray)
        assert tuple(y.shape) == tuple(kind.shape)
        assert torch.equal(torch.as_tensor(y).reshape(1, 4), wanted)
        assert y.dtype in {torch.float32, np.dtype("float32")}
    for out in (torch.empty(1, 4), np.empty((1, 4), np.float32)):
        same = x if isinstance(out, torch.Tensor) else x.numpy()
        assert of.stream().step(same, out=out) is out
        assert torch.equal(torch.as_tensor(out), wanted)
    fed = x.clone()
    assert of.stream().step(fed, out=fed) is fed  # its own output, as a model that hears itself
    assert torch.equal(fed, wanted)
    assert torch.equal(of.stream().step(torch.randn(3, 4)[1:2].copy_(x)), wanted)  # rows of a larger tensor
    stream = of.stream()
    first = stream.step(x)
    kept = first.clone()
    stream.step(x)
    assert torch.equal(first, kept)  # a fresh array each time


def test_what_is_wrong_is_said(engine: str) -> None:
    of = nn.LSTM(4, 6)
    stream = of.stream(3)
    stream.close(1)
    good = torch.zeros(2, 4)
    before = stream.state
    for x, message in [
        (torch.zeros(2, 5), r"x must have 4 inputs, but its shape is \(2, 5\)"),
        (torch.zeros(3, 4), r"x has 3 row\(s\) for 2 stream\(s\)"),
        (torch.zeros(4), r"x has 1 row\(s\) for 2 stream\(s\)"),
        (torch.zeros(1, 2, 4), "x must be 1-D or 2-D, but it has 3 dimensions"),
        (np.zeros((), np.float32), "x must be 1-D or 2-D, but it has 0 dimensions"),
        (torch.zeros(2, 4, dtype=torch.float64), "x must be float32, but it is torch.float64"),
        (np.zeros((2, 4), np.int32), "x must be float32, but it is int32"),
        (np.zeros((2, 4), ">f4"), "x must be float32, but it is >f4"),
        (torch.zeros(4, 2).T, r"x must be contiguous, as x.contiguous\(\)"),
        (np.zeros((4, 2), np.float32).T, r"x must be C-contiguous, as np.ascontiguousarray\(x\)"),
        (np.zeros((2, 8), np.float32)[:, ::2], r"x must be C-contiguous, as np.ascontiguousarray\(x\)"),
        (torch.zeros(2, 4, device="meta"), "x must be (on the CPU|a dense tensor on the CPU)"),
    ]:
        with pytest.raises(ValueError, match=message):
            stream.step(x)
    for x in ([[0.0] * 4] * 2, "x", None):
        with pytest.raises(TypeError, match="x must be a numpy array or a torch tensor, not"):
            stream.step(x)
    for rows in ([0, 1], [0, 0], [-1, 0], [0, 9]):
        with pytest.raises(ValueError, match=r"rows\[\d\] = -?\d is not an open stream, or stands there twice"):
            stream.step(good, rows=rows)
    with pytest.raises(ValueError, match=r"x has 2 row\(s\) for 1 stream\(s\)"):
        stream.step(good, rows=[0])
    for rows in ([0.0, 1.0], [[0, 2]], [True, True]):
        with pytest.raises(ValueError, match="rows must be the numbers of streams"):
            stream.step(good, rows=rows)
    for out, message in [
        (torch.zeros(2, 4), r"out must be \(2, 6\), but its shape is \(2, 4\)"),
        (torch.zeros(12), r"out must be \(2, 6\), but its shape is \(12,\)"),
        (torch.zeros(2, 6, dtype=torch.float64), "out must be float32"),
        (torch.zeros(6, 2).T, "out must be contiguous"),
    ]:
        with pytest.raises(ValueError, match=message):
            stream.step(good, out=out)
    with pytest.raises(TypeError, match="out must be a numpy array or a torch tensor"):
        stream.step(good, out=[0.0])
    for part, unchanged in zip(parts(stream.state), parts(before), strict=True):
        assert torch.equal(part, unchanged)


def test_what_is_read_only_is_read_only(engine: str) -> None:
    x, out = np.zeros((1, 3), np.float32), np.zeros((1, 4), np.float32)
    x.flags.writeable = out.flags.writeable = False
    stream = nn.RNN(3, 4).stream()
    with pytest.raises(ValueError, match="out must be C-contiguous and writable"):
        stream.step(x, out=out)
    assert stream.step(x).any()


def test_what_cannot_be_streamed() -> None:
    with pytest.raises(ValueError, match="bidirectional layer cannot be streamed"):
        nn.LSTM(3, 4, bidirectional=True).stream()
    with pytest.raises(ValueError, match="weights must be one of float32, float64, bfloat16, int8"):
        nn.LSTM(3, 4).stream(weights="int4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch must be at least 0"):
        nn.LSTM(3, 4).stream(-1)
    stream = nn.LSTM(3, 4, 2).stream(2)
    for rows in (2, -1, [0, 7]):
        with pytest.raises(ValueError, match="there is no open stream"):
            stream.close(rows)
    with pytest.raises(ValueError, match="the state must be h and c, but there are 1 parts"):
        stream.load(torch.zeros(2, 2, 4))
    with pytest.raises(ValueError, match=r"c must be \(2, 2, 4\), but its shape is \(2, 1, 4\)"):
        stream.load((torch.zeros(2, 2, 4), torch.zeros(2, 1, 4)))


def test_one_thread_at_a_time(engine: str) -> None:
    """A second user of the same stream gets an error; streams of their own do not disturb each other."""
    stream = nn.LSTM(3, 4).stream()
    assert stream._steps.acquire()
    for call in (lambda: stream.step(torch.zeros(1, 3)), stream.open, lambda: stream.state, stream.refresh):
        with pytest.raises(RuntimeError, match="another thread is using this stream"):
            call()
    stream._steps.release()
    of = nn.GRU(64, 200, 2)
    x = torch.randn(20, 400, 64)
    with torch.no_grad():
        wanted = of(x)[0]
    found: dict[int, torch.Tensor] = {}

    def run(number: int) -> None:
        own = of.stream(400)
        found[number] = torch.stack([own.step(one) for one in x])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for output in found.values():
        assert torch.allclose(output, wanted, atol=4e-6)


def test_without_the_native_module(monkeypatch: pytest.MonkeyPatch) -> None:
    of = nn.LSTM(3, 4)
    monkeypatch.setattr(steps, "MISSING", "the native module cannot be loaded: no compiler")
    stream = of.stream()
    assert "reference: the equation of cell 'lstm' (the native module cannot be loaded" in repr(stream)
    x = torch.randn(5, 1, 3)
    with torch.no_grad():
        assert torch.allclose(torch.stack([stream.step(one) for one in x]), of(x)[0], atol=1e-6)


def test_cells_the_native_core_has_not() -> None:
    assert "reference: the equation of cell 'gru_before'" in repr(layer("gru_before", 3, 4).stream())
    assert "reference: the equation of cell 'lstm'" in repr(layer("lstm_projected", 3, 4).stream())


def test_tensors_of_a_pytorch_without_the_exchange() -> None:
    """There the tensor's memory goes in as a numpy array."""
    of = nn.LSTM(3, 4)
    stream = of.stream()
    step = steps.through_numpy(of.stream().step)
    for x in torch.randn(4, 1, 3):
        wanted = stream.step(x)
        out = torch.empty(1, 4)
        assert torch.equal(step(x.requires_grad_(True), None, out), wanted)
    assert step(np.zeros((1, 3), np.float32), None, None).shape == (1, 4)
    assert isinstance(step(torch.zeros(1, 3), None, None), torch.Tensor)
