"""Several threads of Python in the engine at once: the answers of one after the other, and none waits for a kernel."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato import explain, nn
from ostinato.engines import force, native_operators, places, scan_operators
from ostinato.engines.core import MISSING

pytestmark = pytest.mark.skipif(MISSING is not None, reason="the C++ module is not built")

LAYERS: dict[str, Callable[[], Any]] = {
    "rnn": lambda: nn.RNN(8, 24, bidirectional=True),
    "lstm": lambda: nn.LSTM(8, 24, num_layers=2, memory="low"),
    "gru": lambda: nn.GRU(8, 24),
    "norm": lambda: nn.LayerNormGRU(8, 24),
    "zoneout": lambda: nn.LSTM(8, 24, zoneout_h=0.2).eval(),  # in training calls would draw from one generator
    "half": lambda: nn.GRU(8, 24, dtype=torch.bfloat16),
    "scan": lambda: nn.MinLSTM(8, 24, num_layers=2),
}


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of each call."""
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(1)


def answer(layer: Any, x: Tensor, lengths: list[int] | None) -> list[Tensor]:
    """Values and gradients of a call and of a second one, which finds the buffers of the first."""
    leaf = x.detach().to(layer.weight_ih_l0.dtype).requires_grad_()
    found = []
    for _ in range(2):
        output, final = layer(leaf, lengths=lengths)
        values = [output, *(final if isinstance(final, tuple) else (final,))]
        loss = sum((value.float().square().sum() for value in values), torch.zeros(()))
        found += [*values, *torch.autograd.grad(loss, [leaf, *layer.parameters()])]
    return found


def at_once(works: list[Callable[[], list[Tensor]]]) -> list[list[Tensor]]:
    """Each in a thread of its own, all begun together."""
    begin = threading.Barrier(len(works), timeout=60)

    def run(work: Callable[[], list[Tensor]]) -> list[Tensor]:
        begin.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def agree(found: list[list[Tensor]], wanted: list[list[Tensor]]) -> None:
    """To the bit; if calls have helpers, to rounding: one that finds them busy works alone, and sums in other parts."""
    for mine, theirs in zip(found, wanted, strict=True):
        for ours, right in zip(mine, theirs, strict=True):
            bound = 0.0 if torch.get_num_threads() == 1 else 2**-6 if right.dtype is torch.bfloat16 else 1e-6
            scale = max(1.0, float(right.detach().abs().max())) if right.numel() else 1.0
            torch.testing.assert_close(ours, right, atol=bound * scale, rtol=0)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("kind", LAYERS)
def test_one_layer_called_by_all(kind: str) -> None:
    """On inputs of their own, of other lengths, forward and backward."""
    torch.manual_seed(0)
    layer = LAYERS[kind]()
    sizes: list[tuple[int, int, list[int] | None]] = [(40, 9, None), (30, 3, [30, 0, 7]), (20, 33, None), (5, 1, [4])]
    drawn = [(torch.randn(steps, batch, 8), lengths) for steps, batch, lengths in sizes]
    works = [lambda x=x, lengths=lengths: answer(layer, x, lengths) for x, lengths in drawn]
    wanted = [work() for work in works]
    for _ in range(3):
        agree(at_once(works), wanted)


@pytest.mark.usefixtures("threads")
def test_each_calls_another_layer() -> None:
    """Kernels of every sort beside each other."""
    torch.manual_seed(0)
    layers, x = [make() for make in LAYERS.values()], torch.randn(40, 9, 8)
    works = [lambda layer=layer: answer(layer, x, [40, 3, 0, 20, 40, 1, 7, 8, 9]) for layer in layers]
    wanted = [work() for work in works]
    for _ in range(3):
        agree(at_once(works), wanted)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("weights", [None, "int8"])
def test_streams_of_their_own(weights: Any) -> None:
    """Streams of one layer and of several, beside a layer that learns."""
    torch.manual_seed(0)
    layers, x = [nn.GRU(8, 40, 2), nn.LSTM(8, 24)], torch.randn(30, 50, 8)
    learns = nn.LSTM(8, 24)

    def steps(layer: Any) -> list[Tensor]:
        stream = layer.stream(50, weights=weights)
        return [stream.step(one) for one in x]

    works = [*(lambda layer=layer: steps(layer) for layer in layers * 2), lambda: answer(learns, x, None)]
    wanted = [work() for work in works]
    for _ in range(2):
        agree(at_once(works), wanted)


class Watched:
    """The C++ module, which says of some calls whether one is going on."""

    def __init__(self, module: Any, names: tuple[str, ...]) -> None:
        self.module, self.names, self.inside = module, names, ""

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.module, name)
        if name not in self.names:
            return real

        def call(*arguments: Any) -> Any:
            self.inside = name
            try:
                return real(*arguments)
            finally:
                self.inside = ""

        return call


KERNELS = ("forward", "backward", "scan_forward", "scan_backward", "pack_rows", "unpack_rows")


def watch(work: Callable[[], None], enough: Callable[[], bool]) -> None:
    """``work`` again and again on a thread of its own, while this one looks whether it is ``enough``, for a minute.

    With so long an interval no thread gives the lock up unasked: if a call kept it, nothing in it would ever be seen.
    """
    done = False

    def again() -> None:
        while not done:
            work()

    interval = sys.getswitchinterval()
    other = threading.Thread(target=again)
    end = time.monotonic() + 60
    sys.setswitchinterval(1000)
    try:
        other.start()
        while not enough() and time.monotonic() < end:
            time.sleep(1e-4)  # gives the lock up
    finally:
        done = True
        other.join()
        sys.setswitchinterval(interval)


def test_other_threads_go_on_during_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """This thread looks into every sort of call while it lasts, which needs the lock that the call gave back."""
    watched = Watched(native_operators.native, KERNELS)
    for module in (native_operators, scan_operators, places):
        monkeypatch.setattr(module, "native", watched)
    lstm, scan = nn.LSTM(64, 128), nn.MinGRU(64, 128)
    x, lengths = torch.randn(100, 64, 64), list(range(36, 100))
    seen = set()

    def work() -> None:
        for layer in (lstm, scan):
            answer(layer, x, lengths)

    def enough() -> bool:
        seen.add(watched.inside)
        seen.discard("")
        return len(seen) == len(KERNELS)

    watch(work, enough)
    assert seen == set(KERNELS)


def test_a_long_step_of_a_stream_lets_others_go_on() -> None:
    """As above; what is seen is that the stream is in use, since a step is one call."""
    stream, x, out = nn.LSTM(128, 256).stream(256), np.zeros((256, 128), np.float32), np.zeros((256, 256), np.float32)
    inside = seen = False

    def work() -> None:
        nonlocal inside
        inside = True
        stream.step(x, out=out)
        inside = False
        time.sleep(0)

    def enough() -> bool:
        nonlocal seen
        seen = inside
        return seen

    watch(work, enough)
    assert seen


def test_an_engine_forced_in_one_thread_is_not_in_another() -> None:
    """``force`` belongs to the thread that asks for it."""
    layer = nn.GRU(3, 4)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with force("reference"):
            inside.set()
            assert leave.wait(60)

    other = threading.Thread(target=work)
    other.start()
    assert inside.wait(60)
    try:
        assert "forced" not in str(explain(layer))
        with force("reference"):
            assert "forced" in str(explain(layer))
    finally:
        leave.set()
        other.join()
