"""Every case that is measured: a problem, and the arms that meet on it. A new case is a row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.layers.equations import EQUATIONS
from benchmarks.layers.problem import Problem

SIZES = (
    (100, 1, 32, 32),
    (100, 32, 64, 64),
    (100, 32, 128, 128),
    (100, 64, 256, 256),
    (100, 64, 512, 512),
    (35, 20, 650, 650),
    (1000, 1, 128, 128),
)
"""``T, B, I, H``."""
OURS = "ostinato"


@dataclass(frozen=True)
class Arm:
    """A competitor: its label in the tables, ``module:function`` of its backend, and what it is given."""

    label: str
    backend: str
    problem: Problem


@dataclass(frozen=True)
class Case:
    """Arms that are measured in turns. ``peers`` are those to beat; the others are looked at for a target."""

    group: str
    problem: Problem
    arms: tuple[Arm, ...]
    peers: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in results and on the command line."""
        return f"{self.group} {self.problem.text()}"


def case(
    group: str,
    problem: Problem,
    peers: dict[str, str],
    others: dict[str, tuple[str, Problem]],
    ours: str = "ours:layer",
) -> Case:
    """Ours, the peers on the same problem, and further arms on problems of their own."""
    arms = [Arm(OURS, ours, problem)]
    arms += [Arm(label, backend, problem) for label, backend in peers.items()]
    arms += [Arm(label, backend, given) for label, (backend, given) in others.items()]
    return Case(group, problem, tuple(arms), tuple(peers))


def equal(cell: str, size: tuple[int, int, int, int], *, train: bool) -> Case:
    """Equal lengths."""
    problem = Problem(cell, *size, train=train)
    peers = {"torch": "torch_layers:layer", "torch.compile": "loops:compiled", "JAX": "jax_scan:scan"}
    if not train:
        peers["ONNX Runtime"] = "onnx_nodes:node"
        if cell != "lstm" and problem.T <= 100 and problem.H <= 128:  # beyond, a loop's own cost hardly counts
            peers["torch.compile, unrolled"] = "torch_layers:unrolled"
    return case("equal", problem, peers, {"product": ("machine:product", problem)})


def ragged(cell: str, size: tuple[int, int, int, int], *, train: bool, packed: bool = False) -> Case:
    """Lengths from 0.1 to 1.0 T, beside equal lengths of ours."""
    problem = Problem(cell, *size, train=train, ragged=True, packed=packed)
    peers = {"torch packed": "torch_layers:packed"}
    if not packed:
        peers["JAX, masked"] = "jax_scan:scan"
        if not train:
            peers["ONNX Runtime"] = "onnx_nodes:node"
    return case(
        "ragged", problem, peers, {"equal lengths": ("ours:layer", replace(problem, ragged=False, packed=False))}
    )


def resets(cell: str, size: tuple[int, int, int, int], *, train: bool) -> Case:
    """Episodes that begin at 3 % of the steps, beside none."""
    problem = Problem(cell, *size, train=train, resets=0.03)
    peers = {"JAX, masked": "jax_scan:scan", "eager loop": "loops:eager_loop"}
    return case("resets", problem, peers, {"no resets": ("ours:layer", replace(problem, resets=0.0))})


def variant(cell: str, size: tuple[int, int, int, int], *, train: bool) -> Case:
    """A cell that is a plain one changed, beside that one of ours and an eager loop of its own."""
    problem = Problem(cell, *size, train=train)
    peers = {"eager loop": "loops:eager_loop", "JAX": "jax_scan:scan"}
    if cell == "lstm_projected":
        peers["torch"] = "torch_layers:layer"
    if not train and cell in {"lstm_peephole", "gru_before"}:
        peers["ONNX Runtime"] = "onnx_nodes:node"
    plain = replace(problem, cell=EQUATIONS[cell].plain)
    return case("variant", problem, peers, {"plain cell": ("ours:layer", plain)})


def halved(cell: str, size: tuple[int, int, int, int], *, train: bool) -> Case:
    """Weights and inputs in bfloat16, beside ours in float32."""
    problem = Problem(cell, *size, train=train, dtype="bfloat16")
    full = replace(problem, dtype="float32")
    return case("half", problem, {"torch": "torch_layers:layer"}, {"float32": ("ours:layer", full)})


def linear(cell: str, size: tuple[int, int, int, int], *, train: bool) -> Case:
    """A linear recurrence, beside its published forms and what the machine can do."""
    problem = Problem(cell, *size, train=train)
    peers = {"torch loop": "scans:looped"}
    if cell in {"min_gru", "min_lstm"}:
        peers["torch logarithms"] = "scans:in_logarithms"
    if cell != "lru":  # the scan would multiply by C at every step
        peers["JAX"] = "jax_scan:scan"
    probes = {"product": ("machine:product", problem), "bandwidth": ("machine:bandwidth", problem)}
    return case("linear", problem, peers, probes)


def step(cell: str, hidden: int) -> Case:
    """One step of one sequence, through Python: a stream of ours, and the layer called for one step."""
    problem = Problem(cell, 1, 1, hidden, hidden)
    peers = {
        "torch cell": "torch_layers:cell",
        "torch layer": "torch_layers:layer",
        "JAX": "jax_scan:scan",
        "ONNX Runtime": "onnx_nodes:node",
    }
    others = {f"{OURS}, {dtype}": ("ours:stream", replace(problem, dtype=dtype)) for dtype in ("bfloat16", "int8")}
    return case("step", problem, peers, others | {f"{OURS}, layer": ("ours:layer", problem)}, "ours:stream")


def all_cases() -> list[Case]:
    """The table."""
    modes, cells, middle = (True, False), ("lstm", "gru", "elman"), SIZES[1:5]
    found = [equal(cell, size, train=train) for train in modes for cell in cells for size in SIZES]
    found += [ragged(cell, size, train=train) for train in modes for cell in cells for size in middle]
    found += [ragged(cell, middle[1], train=True, packed=True) for cell in cells]
    found += [resets(cell, size, train=train) for train in modes for cell in cells for size in (middle[1], middle[2])]
    variants = [cell for cell, equation in EQUATIONS.items() if equation.plain]
    found += [variant(cell, size, train=train) for train in modes for cell in variants for size in SIZES[2:4]]
    found += [halved(cell, size, train=train) for train in modes for cell in cells for size in SIZES[3:5]]
    scanned = [cell for cell, equation in EQUATIONS.items() if equation.linear]
    long = (1000, 8, 256, 256)
    found += [linear(cell, size, train=train) for train in modes for cell in scanned for size in (*SIZES[2:4], long)]
    found += [step(cell, hidden) for cell in ("lstm", "gru") for hidden in (32, 64, 128, 256, 512)]
    return found


def chosen(words: str, *, quick: bool) -> list[Case]:
    """The cases whose name holds one of the ``words`` (a, b, …) as a word of its own; all where there are none.

    ``quick`` leaves out hidden sizes above 128.

    Raises:
        ValueError: no case fits a word.
    """
    cases = [one for one in all_cases() if not quick or one.problem.H <= 128]
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    for word in wanted:
        if not any(fits(one, word) for one in cases):
            known = sorted({part for one in cases for part in one.name.split() if part.isalpha()})
            raise ValueError(f"no case fits '{word}'; words are {', '.join(known)}, or several as in 'lstm train'")
    return [one for one in cases if not wanted or any(fits(one, word) for word in wanted)]


def fits(one: Case, words: str) -> bool:
    """Whether all words stand in the case's name."""
    return set(words.split()) <= set(one.name.replace(",", "").split())
