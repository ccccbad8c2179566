"""What a record of a case says: times, ratios, shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.layers.cases import OURS
from benchmarks.layers.problem import Problem
from benchmarks.layers.stats import Spread, ratios, spread


@dataclass(frozen=True)
class Measured:
    """A case after its run."""

    name: str
    group: str
    problem: Problem
    peers: tuple[str, ...]
    arms: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, name: str, record: dict[str, Any]) -> Measured:
        """From the JSON."""
        return cls(name, record["group"], Problem(**record["problem"]), tuple(record["peers"]), record["arms"])

    def timed(self, label: str) -> bool:
        """Whether the arm was right and has a time."""
        return "seconds" in self.arms.get(label, {})

    def seconds(self, label: str = OURS) -> Spread:
        """Of a call."""
        return Spread(**self.arms[label]["seconds"])

    def over(self, label: str, ours: str = OURS) -> Spread | None:
        """How many times as long the other takes as ours; None where one has no time."""
        if not self.timed(label) or not self.timed(ours):
            return None
        return ratios(self.arms[ours]["rounds"], self.arms[label]["rounds"])

    def best_peer(self) -> str | None:
        """The fastest of the peers that were right."""
        timed = [label for label in self.peers if self.timed(label)]
        return min(timed, key=lambda label: self.seconds(label).median, default=None)

    def lead(self) -> Spread | None:
        """Ours over the best peer: how many times as long that takes."""
        best = self.best_peer()
        return None if best is None else self.over(best)

    def per_step(self, equal: str) -> float | None:
        """Ours for a real step, as a multiple of that of ``equal``."""
        times = self.over(equal)
        if times is None:
            return None
        return Problem(**self.arms[equal]["problem"]).rows / self.problem.rows / times.median

    def share(self) -> float | None:
        """Ours, as a share of the machine's own rate of matrix products."""
        if not self.timed("product") or not self.timed(OURS):
            return None
        rate = self.arms["product"]["facts"]["work"]
        rounds = zip(self.arms["product"]["rounds"], self.arms[OURS]["rounds"], strict=True)
        return spread([self.problem.flops / ours / (rate / probe) for probe, ours in rounds]).median

    def floor(self) -> float | None:
        """Ours, as a multiple of the products at the machine's rate and the traffic at its memory's bandwidth."""
        if not all(map(self.timed, ("product", "bandwidth", OURS))):
            return None
        work = {"product": self.problem.flops, "bandwidth": self.problem.traffic}
        probes = [(work[label] / self.arms[label]["facts"]["work"], self.arms[label]["rounds"]) for label in work]
        least = [sum(share * rounds[at] for share, rounds in probes) for at in range(len(probes[0][1]))]
        return ratios(least, self.arms[OURS]["rounds"]).median

    def saved(self, label: str = OURS) -> float | None:
        """What a forward keeps for its backward, in floats of ``H`` a real step."""
        if not self.timed(label) or "saved" not in self.arms[label]["facts"]:
            return None
        return float(self.arms[label]["facts"]["saved"]) / (4 * self.problem.rows * self.problem.H)

    def memory(self, label: str) -> float | None:
        """Peak memory of the arm's process over that before it was built, in bytes."""
        if not self.timed(label):
            return None
        return float(self.arms[label]["peak"] - self.arms[label]["resting"])
