"""A case: every arm in a process of its own, checked, warm, then measured in turns, round after round."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.layers import oracle
from benchmarks.layers.cases import Case
from benchmarks.layers.problem import Problem
from benchmarks.layers.stats import kept_rounds, spread
from benchmarks.layers.worker import serve

SETTLE = 0.02
"""Seconds between two turns, for the threads of the last arm to fall asleep."""
PATIENCE = 300
"""Seconds an arm may take to be built, compiled and checked."""
Turns = list[list[float]]


class Pace(NamedTuple):
    """How long is measured: rounds, and seconds of each arm in each."""

    rounds: int
    seconds: float


FULL, QUICK = Pace(7, 0.3), Pace(3, 0.1)


def pin(cores: int) -> list[int]:
    """This process and all that it starts on the first ``cores`` cores, as many threads in every library."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, chosen)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(cores)
    return chosen


class Process:
    """An arm's process, and the pipe to it."""

    def __init__(self, backend: str, problem: Problem, wanted: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=serve, name=f"{backend}, {problem.text()}", args=(theirs, backend, problem, wanted), daemon=True
        )
        self.process.start()
        theirs.close()

    def answer(self, patience: float = PATIENCE) -> Any:
        """What the process says next; its end or its silence is an answer too."""
        try:
            if self.pipe.poll(patience):
                return self.pipe.recv()
        except EOFError:
            self.process.join()
            return {"failed": f"the process ended with {self.process.exitcode}"}
        return {"failed": f"not ready after {patience:.0f} s"}

    def build(self) -> dict[str, Any]:
        """What it says when it is built, or why it is not."""
        with suppress(BrokenPipeError):  # it has ended, and what it said last is read
            self.pipe.send("build")
        return dict(self.answer())

    def turn(self, seconds: float) -> list[float]:
        """Measure.

        Raises:
            RuntimeError: the arm, which was right when it was checked, died or fell silent.
        """
        self.pipe.send(seconds)
        said = self.answer()
        if "failed" in said:
            raise RuntimeError(f"{self.process.name}: {said['failed']}")
        return list(said)

    def close(self) -> dict[str, Any]:
        """Let it go; gives its last words."""
        self.pipe.send(None)
        words = self.answer()
        self.process.join(10)
        return dict(words)


def compete(case: Case, folder: Path, pace: Pace) -> dict[str, Any]:
    """The record of a case. An arm with a wrong answer, or none, has its reason there and no time."""
    record: dict[str, Any] = {}
    with arms_of(case, folder, record) as alive:
        turns: dict[str, Turns] = {label: [] for label in alive}
        foreign = []
        for at in range(pace.rounds):
            clock = Load([process.process.pid or 0 for process in alive.values()])
            for label in list(alive)[:: 1 if at % 2 else -1]:
                time.sleep(SETTLE)
                turns[label].append(alive[label].turn(pace.seconds))
            foreign.append(clock.foreign())
        for label, process in alive.items():
            record[label] |= process.close()
    kept = kept_rounds(foreign)
    for label, rounds in turns.items():
        chosen = [rounds[at] for at in kept]
        record[label] |= {
            "seconds": spread([one for times in chosen for one in times])._asdict(),
            "rounds": [statistics.median(times) for times in chosen],
        }
    return {"arms": record, "foreign": foreign, "kept": kept, "pace": list(pace)}


@contextmanager
def arms_of(case: Case, folder: Path, record: dict[str, Any]) -> Iterator[dict[str, Process]]:
    """The processes of the arms that are right and warm: all load their libraries, then each is built in turn."""
    processes: dict[str, Process] = {}
    try:
        for arm in case.arms:
            wanted = "" if arm.backend.startswith("machine") else str(expected(arm.problem, folder))
            processes[arm.label] = Process(arm.backend, arm.problem, wanted)
        for arm in case.arms:
            said = processes[arm.label].build()
            record[arm.label] = said | {"backend": arm.backend, "problem": arm.problem.facts()}
            if "wrong" in said or "failed" in said:
                processes.pop(arm.label).process.kill()
        yield processes
    finally:
        for process in processes.values():
            process.process.kill()


def expected(problem: Problem, folder: Path) -> Path:
    """The file of the oracle's answers, made once for all arms and modes."""
    same = replace(problem, train=True, packed=False)
    path = folder / f"{same.text().replace(' ', '_').replace(',', '')}.npz"
    if not path.exists():
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=oracle.save, args=(same, path))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"the oracle failed on {same.text()}")
    return path


class Load:
    """What others take of the processor while a round lasts."""

    def __init__(self, own: list[int]) -> None:
        self.own = [os.getpid(), *own]
        self.start = time.perf_counter()
        self.before = self.busy() - self.used()

    def foreign(self) -> float:
        """The share of the pinned cores' time that neither this process nor its arms used since."""
        cores = len(os.sched_getaffinity(0))
        return max(0.0, (self.busy() - self.used() - self.before) / (cores * (time.perf_counter() - self.start)))

    def busy(self) -> float:
        """Seconds the pinned cores have worked, or were kept from it."""
        cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        lines = [line.split() for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()]
        ticks = [sum(map(int, fields[1:9])) - int(fields[4]) - int(fields[5]) for fields in lines if fields[0] in cores]
        return sum(ticks) / os.sysconf("SC_CLK_TCK")

    def used(self) -> float:
        """Seconds of this process and its arms."""
        total = 0
        for pid in self.own:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")
