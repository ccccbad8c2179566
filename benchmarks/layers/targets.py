"""What must be reached, as data, and what was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.layers.cases import OURS
from benchmarks.layers.measured import Measured

Value = Callable[[Measured], float | None]


class Reached(NamedTuple):
    """A target after a run: the value of every case it is about, the worst first."""

    values: list[tuple[float, str]]
    met: int

    @property
    def missed(self) -> list[tuple[float, str]]:
        """The cases that did not meet it."""
        return self.values[: len(self.values) - self.met]


@dataclass(frozen=True)
class Target:
    """A bound for every case that fits.

    Args:
        what: the row, in words.
        mode: ``train`` or ``infer``.
        where: which cases it is about.
        value: what is looked at; None where the case does not say.
        bound: the least, or with ``most`` the most, that is wanted.
        unit: how the value is written: ``x``, ``%``, ``us`` or ``H``.
    """

    what: str
    mode: str
    where: Callable[[Measured], bool]
    value: Value
    bound: float
    unit: str = "x"
    most: bool = False

    def reached(self, cases: Iterable[Measured]) -> Reached | None:
        """None where nothing was measured that it is about."""
        found = []
        for case in cases:
            if ("train" if case.problem.train else "infer") == self.mode and self.where(case) and case.timed(OURS):
                value = self.value(case)
                if value is not None:
                    found.append((value, case.name))
        if not found:
            return None
        found.sort(reverse=self.most)
        met = sum(value <= self.bound if self.most else value >= self.bound for value, _ in found)
        return Reached(found, met)


def equal(cell: str, fits: Callable[[Measured], bool] = lambda _: True) -> Callable[[Measured], bool]:
    """Equal lengths of a cell."""
    return lambda case: case.group == "equal" and case.problem.cell == cell and fits(case)


def group(name: str) -> Callable[[Measured], bool]:
    """All of a group."""
    return lambda case: case.group == name


def step(low: int, high: int) -> Callable[[Measured], bool]:
    """One step of an LSTM."""
    return lambda case: case.group == "step" and case.problem.cell == "lstm" and low <= case.problem.H <= high


def over(label: str, ours: str = OURS) -> Value:
    """How many times as long the other takes."""

    def value(case: Measured) -> float | None:
        times = case.over(label, ours)
        return None if times is None else times.median

    return value


def over_torch(case: Measured) -> float | None:
    """Over the fastest of torch's forms."""
    found = [times.median for label in case.peers if label.startswith("torch") and (times := case.over(label))]
    return min(found, default=None)


def lead(case: Measured) -> float | None:
    """Over the best peer."""
    times = case.lead()
    return None if times is None else times.median


def against(label: str) -> Value:
    """Ours as a multiple of another of ours."""

    def value(case: Measured) -> float | None:
        times = case.over(label)
        return None if times is None else 1 / times.median

    return value


def small(case: Measured) -> bool:
    """Up to 64 hidden units."""
    return case.problem.H <= 64


def tiny(case: Measured) -> bool:
    """One sequence, 32 hidden units."""
    return (case.problem.B, case.problem.H) == (1, 32)


def heavy(case: Measured) -> bool:
    """Where products should bind: 256 hidden units and 32 sequences at least."""
    return case.group == "equal" and case.problem.H >= 256 and case.problem.B >= 32


RUNTIME = "ONNX Runtime"
TARGETS = (
    Target("LSTM, equal lengths, B = 1, H = 32, best peer", "train", equal("lstm", tiny), lead, 3),
    Target("LSTM, equal lengths, H = 64, best peer", "train", equal("lstm", lambda c: c.problem.H == 64), lead, 1.7),
    Target("LSTM, equal lengths, everywhere, best peer", "train", equal("lstm"), lead, 1.3),
    Target("LSTM, equal lengths, H ≤ 64, best peer", "infer", equal("lstm", small), lead, 3),
    Target("LSTM, equal lengths, everywhere, best peer", "infer", equal("lstm"), lead, 1.1),
    Target("GRU, H ≤ 128, best peer", "train", equal("gru", lambda c: c.problem.H <= 128), lead, 2.5),
    Target("GRU, H ≤ 128, torch", "train", equal("gru", lambda c: c.problem.H <= 128), over("torch"), 4),
    Target("GRU, H > 128, best peer", "train", equal("gru", lambda c: c.problem.H > 128), lead, 1.7),
    Target("GRU, H > 128, torch", "train", equal("gru", lambda c: c.problem.H > 128), over("torch"), 2.5),
    Target("GRU, best peer", "infer", equal("gru"), lead, 2.5),
    Target("Elman, best peer", "train", equal("elman"), lead, 2),
    Target("Elman, best peer", "infer", equal("elman"), lead, 2),
    *(
        target
        for mode in ("train", "infer")
        for target in (
            Target("unequal lengths, torch packed", mode, group("ragged"), over("torch packed"), 8),
            Target(
                "unequal lengths, a real step against equal lengths",
                mode,
                group("ragged"),
                lambda case: case.per_step("equal lengths"),
                1.10,
                most=True,
            ),
            Target(
                "resets at 3 % of steps, against none", mode, group("resets"), against("no resets"), 1.05, most=True
            ),
            Target(
                "variants of LSTM and GRU, the plain cell",
                mode,
                group("variant"),
                against("plain cell"),
                1.35,
                most=True,
            ),
            Target("variants of LSTM and GRU, an eager loop", mode, group("variant"), over("eager loop"), 10),
        )
    ),
    *(
        target
        for mode in ("train", "infer")
        for target in (
            Target("linear recurrences, torch's fastest published form", mode, group("linear"), over_torch, 3),
            Target("linear recurrences, the machine's floor", mode, group("linear"), Measured.floor, 1.5, most=True),
        )
    ),
    Target("bfloat16, H ≥ 256, our float32", "train", group("half"), over("float32"), 1.5),
    Target("bfloat16, H ≥ 256, our float32", "infer", group("half"), over("float32"), 1.6),
    Target("share of the machine's own product rate, H ≥ 256, B ≥ 32", "train", heavy, Measured.share, 0.65, "%"),
    Target("share of the machine's own product rate, H ≥ 256, B ≥ 32", "infer", heavy, Measured.share, 0.75, "%"),
    Target(
        "one step of an LSTM, H = 32", "infer", step(32, 32), lambda case: 1e6 * case.seconds().median, 2, "us", True
    ),
    Target("one step of an LSTM, H ≤ 128, ONNX Runtime", "infer", step(1, 128), over(RUNTIME), 4),
    Target("one step of an LSTM, H > 128, ONNX Runtime", "infer", step(129, 512), over(RUNTIME), 1.3),
    Target("the same in bfloat16, H = 512", "infer", step(512, 512), over(RUNTIME, f"{OURS}, bfloat16"), 2.5),
    Target("the same in int8, H = 512", "infer", step(512, 512), over(RUNTIME, f"{OURS}, int8"), 4),
    Target("kept for backward, LSTM, floats a step", "train", equal("lstm"), Measured.saved, 6, "H", True),
)
