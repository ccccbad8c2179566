"""The process of one arm: builds it, checks it against the oracle, and measures when it is told to."""

from __future__ import annotations

import gc
import importlib
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.layers import oracle
from benchmarks.layers.problem import Problem

WARM_CALLS, WARM_SECONDS, LEAST_CALLS = 25, 0.3, 3
BLOCK = 2e-4
"""Seconds that a timed block takes at least: calls of a microsecond are timed many at once."""


def serve(pipe: Any, backend: str, problem: Problem, wanted: str) -> None:
    """Load the library, wait; build, check, say so; a list of seconds a call for each duration received, until None."""
    try:
        ready(pipe, backend, problem, wanted)
    except oracle.WrongAnswer as wrong:
        pipe.send({"wrong": str(wrong)})
    except Exception as failure:
        pipe.send({"failed": f"{type(failure).__name__}: {failure}"[:300]})


def ready(pipe: Any, backend: str, problem: Problem, wanted: str) -> None:
    """The arm's life."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    module, _, maker = backend.partition(":")
    with ExitStack() as scope:
        if not problem.train:
            scope.enter_context(torch.inference_mode())
        make = getattr(importlib.import_module(f"benchmarks.layers.backends.{module}"), maker)
        pipe.recv()
        start, resting = time.perf_counter(), memory("VmRSS")
        arm = make(problem)
        errors = {}
        if wanted:
            right = oracle.load(Path(wanted), train=problem.train)
            errors = oracle.check(arm.answers(), right, arm.bound or problem.dtype)
        built = time.perf_counter() - start
        gc.collect()
        forget_peak()
        count = warm(arm.call)
        pipe.send({"errors": errors, "facts": arm.facts, "built": built})
        while (seconds := pipe.recv()) is not None:
            pipe.send(measure(arm.call, count, seconds))
        pipe.send({"peak": memory("VmHWM"), "resting": resting, "cpu": time.process_time()})


def warm(call: Callable[[], Any]) -> int:
    """25 calls or 0.3 s; gives how many calls make a block."""
    start, calls = time.perf_counter(), 0
    while calls < WARM_CALLS or time.perf_counter() - start < WARM_SECONDS:
        call()
        calls += 1
        if calls >= LEAST_CALLS and time.perf_counter() - start >= WARM_SECONDS:
            break
    return max(1, round(BLOCK * calls / (time.perf_counter() - start)))


def measure(call: Callable[[], Any], count: int, seconds: float) -> list[float]:
    """Seconds a call, block by block, after one call that finds the caches as another arm left them."""
    call()
    times: list[float] = []
    gc.disable()
    turns, clock = range(count), time.perf_counter
    begun = clock()
    while len(times) < LEAST_CALLS or clock() - begun < seconds:
        start = clock()
        for _ in turns:
            call()
        times.append((clock() - start) / count)
    gc.enable()
    return times


def memory(field: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise ValueError(f"/proc/self/status has no {field}")


def forget_peak() -> None:
    """The peak begins anew, so that it is that of the calls and not of the building and checking."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
