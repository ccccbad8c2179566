"""One step of a live sequence through Python: a stream beside torch's cell and layer and ONNX Runtime.

    python -m benchmarks.step [--cells lstm gru] [--hidden 32 64 128 256 512] [--batch 1] [--threads 2] [--arms NAME…]

Every arm is a process of its own with the same weights (I = H). Before a time is taken its outputs over 50 steps are
held against PyTorch in float64. Then the arms are timed in turns, a block of steps each, round after round; the table
gives the median of the rounds, the fastest round, and how many times as long the best arm of each peer takes, as the
median over the rounds. onnx and onnxruntime are needed for the last peer only.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ostinato import nn

ERROR = {"float32": 4e-6, "bfloat16": 1e-2, "int8": 3e-2}
"""How far outputs of size 1 may be from float64, by the weights; a wrong arm gets no time."""
STEPS = 50
GATES = {"lstm": ([0, 3, 1, 2], {}), "gru": ([1, 0, 2], {"linear_before_reset": 1})}
"""ONNX's order of torch's gates, and what makes its cell torch's."""

Step = Callable[[np.ndarray], Any]


def weights(cell: str, hidden: int) -> torch.nn.RNNBase:
    torch.manual_seed(hidden)
    return (torch.nn.LSTM if cell == "lstm" else torch.nn.GRU)(hidden, hidden)


def inputs(hidden: int, batch: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((STEPS, batch, hidden)).astype(np.float32)


def stream(cell: str, hidden: int, batch: int, stored: str, tensors: bool = False) -> Step:
    layer = (nn.LSTM if cell == "lstm" else nn.GRU)(hidden, hidden)
    layer.load_state_dict(weights(cell, hidden).state_dict())
    live: Any = layer.stream(batch, weights=stored)
    return with_tensors(live.step) if tensors else live.step


def with_tensors(step: Callable[[torch.Tensor], Any]) -> Step:
    """The step on a tensor made once for each array, so that its making is not timed."""
    made: dict[int, torch.Tensor] = {}

    def stepped(x: np.ndarray) -> Any:
        tensor = made.get(id(x))
        if tensor is None:
            tensor = made[id(x)] = torch.from_numpy(x)
        return step(tensor)

    return stepped


def torch_cell(cell: str, hidden: int, _: int) -> Step:
    module = (torch.nn.LSTMCell if cell == "lstm" else torch.nn.GRUCell)(hidden, hidden)
    module.load_state_dict({k.removesuffix("_l0"): v for k, v in weights(cell, hidden).state_dict().items()})
    state: Any = None

    def step(x: torch.Tensor) -> torch.Tensor:
        nonlocal state
        with torch.inference_mode():
            state = module(x, state)
        return state[0] if cell == "lstm" else state

    return with_tensors(step)


def torch_layer(cell: str, hidden: int, _: int) -> Step:
    module = weights(cell, hidden).eval()
    state: Any = None

    def step(x: torch.Tensor) -> torch.Tensor:
        nonlocal state
        with torch.inference_mode():
            output, state = module(x.unsqueeze(0), state)
        return output[0]

    return with_tensors(step)


def onnx_runtime(cell: str, hidden: int, batch: int) -> Step:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    order, options = GATES[cell]

    def gates(name: str) -> np.ndarray:
        found = getattr(module, f"{name}_l0").detach().numpy()
        return np.ascontiguousarray(found.reshape(len(order), hidden, -1)[order].reshape(found.shape))

    module = weights(cell, hidden)
    held = {
        "W": gates("weight_ih")[None],
        "R": gates("weight_hh")[None],
        "B": np.concatenate([gates("bias_ih"), gates("bias_hh")])[None],
    }
    states = ["h", "c"] if cell == "lstm" else ["h"]
    node = helper.make_node(
        cell.upper(),
        ["x", "W", "R", "B", "", *states],
        ["", *(f"{s}_n" for s in states)],
        hidden_size=hidden,
        **options,
    )
    shape = [1, batch, hidden]
    graph = helper.make_graph(
        [node],
        "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", *states)],
        [helper.make_tensor_value_info(f"{name}_n", TensorProto.FLOAT, shape) for name in states],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    fed = {name: np.zeros(shape, np.float32) for name in states}

    def step(x: np.ndarray) -> np.ndarray:
        fed["x"] = x[None]
        fed.update(zip(states, session.run(None, fed), strict=True))
        return fed["h"][0]

    return step


OURS = {
    "ostinato": ("float32", lambda *size: stream(*size, "float32")),
    "ostinato, tensors": ("float32", lambda *size: stream(*size, "float32", tensors=True)),
    "ostinato, bfloat16": ("bfloat16", lambda *size: stream(*size, "bfloat16")),
    "ostinato, int8": ("int8", lambda *size: stream(*size, "int8")),
}
PEERS = {"torch cell": torch_cell, "torch layer": torch_layer, "ONNX Runtime": onnx_runtime}
MORE = ", more threads"
"""Peers run on one thread and on as many as there are: at some sizes fewer are faster."""
HOPELESS = 20
"""More threads that take this many times as long as one, since others use the machine, are not timed further."""
ARMS: dict[str, tuple[str, Callable[[str, int, int], Step]]] = {
    **OURS,
    **{name + more: ("float32", make) for name, make in PEERS.items() for more in ("", MORE)},
}


def work(name: str, cell: str, hidden: int, batch: int, threads: int) -> None:
    """An arm's process: says whether it is right, then for every number that it reads the time of so many steps."""
    torch.set_num_threads(threads)
    stored, make = ARMS[name]
    step, xs = make(cell, hidden, batch), inputs(hidden, batch)
    with torch.no_grad():
        wanted = weights(cell, hidden).double()(torch.from_numpy(xs).double())[0].numpy()
    error = max(float(np.abs(np.asarray(step(x)) - y).max()) for x, y in zip(xs, wanted, strict=True))
    print("right" if error <= ERROR[stored] else "wrong", error, flush=True)
    x = xs[0]
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter()
        for _ in range(count):
            step(x)
        print((time.perf_counter() - start) / count, flush=True)


class Arm:
    """A process, and the times it has given."""

    def __init__(self, name: str, cell: str, hidden: int, batch: int, threads: int) -> None:
        threads = 1 if name in PEERS else threads
        call = [sys.executable, "-m", "benchmarks.step", "--work", name, cell, str(hidden), str(batch), str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.name, self.times = name, list[float]()
        self.process = subprocess.Popen(
            call,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
        self.right, _, self.error = self.read().partition(" ")

    def read(self) -> str:
        """A line from the process."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def time(self, count: int) -> float:
        """Seconds a step, over so many."""
        assert self.process.stdin is not None
        print(count, file=self.process.stdin, flush=True)
        return float(self.read())

    def end(self) -> None:
        """Let the process end."""
        self.process.communicate()


def measure(names: list[str], cell: str, hidden: int, given: argparse.Namespace) -> list[Arm]:
    """All arms of one size in turns; those that are wrong have no times."""
    arms = [Arm(name, cell, hidden, given.batch, given.threads) for name in names]
    right = [arm for arm in arms if arm.right == "right"]
    first = {arm.name: arm.time(10) for arm in right}
    right = [arm for arm in right if first[arm.name] < HOPELESS * first.get(arm.name.removesuffix(MORE), 1)]
    counts = {arm.name: max(1, int(2e-3 / arm.time(10))) for arm in right}
    for _ in range(given.rounds):
        for arm in right:
            arm.times.append(arm.time(counts[arm.name]))
    for arm in arms:
        arm.end()
    return arms


def over(peers: list[Arm], ours: Arm) -> str:
    """How many times as long the best of the peers takes, as the median over the rounds."""
    timed = [peer for peer in peers if peer.times]
    if not timed or not ours.times:
        return "–"
    best = min(timed, key=lambda peer: statistics.median(peer.times))
    return f"{statistics.median(a / b for a, b in zip(best.times, ours.times, strict=True)):.2f}"


def line(arm: Arm, arms: list[Arm]) -> str:
    """What the table says of an arm."""
    if not arm.times:
        return f"{arm.name} | {'too slow' if arm.right == 'right' else arm.right or 'failed'} | | {arm.error}"
    groups = [[other for other in arms if other.name.startswith(peer)] for peer in PEERS]
    ratios = " | ".join(over(group, arm) if arm.name in OURS else "" for group in groups)
    median, least = 1e6 * statistics.median(arm.times), 1e6 * min(arm.times)
    return f"{arm.name} | {median:.2f} | {least:.2f} | {float(arm.error):.0e} | {ratios}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"], choices=["lstm", "gru"])
    parser.add_argument("--hidden", nargs="+", type=int, default=[32, 64, 128, 256, 512])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), metavar="NAME")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        name, cell, *sizes = given.work
        work(name, cell, *map(int, sizes))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    names = [name for name in given.arms if not name.startswith("ONNX") or importlib.util.find_spec("onnxruntime")]
    print(shlex.join(["python", "-m", "benchmarks.step", *sys.argv[1:]]))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, PyTorch {torch.__version__}, {given.threads} cores\n")
    print("| cell | B | H | arm | µs | fastest | error | × torch cell | × torch layer | × ONNX Runtime |")
    print("| ---- | -: | -: | --- | -: | ------: | ----: | -----------: | ------------: | -------------: |")
    for cell in given.cells:
        for hidden in given.hidden:
            arms = measure(names, cell, hidden, given)
            for arm in arms:
                print(f"| {cell} | {given.batch} | {hidden} | {line(arm, arms)} |", flush=True)


if __name__ == "__main__":
    main()
