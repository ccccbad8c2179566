"""docs/performance.md, from what was kept: targets beside what was reached, every case, every loss."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.layers.cases import OURS
from benchmarks.layers.measured import Measured
from benchmarks.layers.plot import leads
from benchmarks.layers.stats import QUIET
from benchmarks.layers.targets import TARGETS, Target
from ostinato.plots.style import save

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
PROBES = {"product", "bandwidth"}
"""Arms that measure the machine."""
MODES = {"train": "forward + backward", "infer": "inference"}
GROUPS = {
    "equal": "Equal lengths",
    "ragged": "Unequal lengths (0.1 to 1.0 T)",
    "resets": "Resets at 3 % of the steps",
    "variant": "Variants of the cells",
    "half": "bfloat16",
    "linear": "Linear recurrences",
    "step": "One step of one sequence, through Python",
}


def write(kept: list[dict[str, Any]]) -> None:
    """The page and a picture for each machine."""
    parts = [(HERE / "head.md").read_text(encoding="utf-8").rstrip()]
    for number, one in enumerate(sorted(kept, key=lambda one: -len(one["cases"])), start=1):
        cases = [Measured.of(name, record) for name, record in one["cases"].items()]
        picture = f"performance-{number}.svg"
        save(leads(cases), DOCS / picture)
        parts.append(text(one, cases, picture))
    (DOCS / "performance.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def text(kept: dict[str, Any], cases: list[Measured], picture: str) -> str:
    """The part of the page that is about one machine."""
    parts = [f"## {kept['machine']['processor']}", conditions(kept), goals(cases)]
    parts.append(f"![How many times as long each peer takes]({picture})")
    for name, title in GROUPS.items():
        for mode, words in MODES.items():
            found = [case for case in cases if case.group == name and mode == mode_of(case)]
            if found:
                parts.append(f"### {title}, {words}\n\n{table(found)}")
    return "\n\n".join([*parts, misses(cases), losses(cases), errors(cases)])


def mode_of(case: Measured) -> str:
    """Its row in ``MODES``."""
    return "train" if case.problem.train else "infer"


def conditions(kept: dict[str, Any]) -> str:
    """Machine, versions, dates, commands, and how quiet it was."""
    machine, records = kept["machine"], list(kept["cases"].values())
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    dates, sources = (sorted({record[key] for record in records}) for key in ("date", "commit"))
    foreign = [share for record in records for share in record["foreign"]]
    loud = sum(share > QUIET for share in foreign)
    lines = [
        f"- {machine['processor']} ({', '.join(machine['instructions'])}), {machine['cores']} of {machine['of']} "
        f"cores, {machine['system']}, Python {machine['python']}; {libraries}",
        f"- {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; sources {', '.join(sources)}",
        f"- others took more than {QUIET:.0%} of the two cores in {loud} of {len(foreign)} rounds "
        f"({sum(foreign) / len(foreign):.0%} on average)",
    ]
    commands = "\n".join(dict.fromkeys(record["command"] for record in records))
    return "\n".join(lines) + f"\n\n```\n{commands}\n```"


def goals(cases: list[Measured]) -> str:
    """Wanted beside reached; a miss is a miss."""
    lines = ["### Must reach\n", "| | | wanted | reached, worst case | |", "| --- | --- | ---: | --- | --- |"]
    for target in TARGETS:
        reached = target.reached(cases)
        sign = "≤" if target.most else "≥"
        wanted = f"{sign} {amount(target.bound, target)}"
        if reached is None:
            lines.append(f"| {target.what} | {MODES[target.mode]} | {wanted} | – | not measured |")
            continue
        of, missed, (worst, where) = len(reached.values), len(reached.missed), reached.values[0]
        verdict = f"**missed** in {missed} of {of}" if missed else "reached"
        lines.append(
            f"| {target.what} | {MODES[target.mode]} | {wanted} | {amount(worst, target)} ({where}) | {verdict} |"
        )
    return "\n".join(lines)


def misses(cases: list[Measured]) -> str:
    """Every case that missed a target, with what the machine's products alone would take of its time."""
    shares = {case.name: case.share() for case in cases}
    lines = ["### Misses\n"]
    for target in TARGETS:
        reached = target.reached(cases)
        if reached is None or not reached.missed:
            continue
        found = []
        for value, name in reached.missed:
            share = shares[name]
            found.append(f"{name}: {amount(value, target)}" + (f", {share:.0%} products" if share else ""))
        sign = "≤" if target.most else "≥"
        lines.append(
            f"- {target.what}, {MODES[target.mode]}, {sign} {amount(target.bound, target)}. {'; '.join(found)}"
        )
    return "\n".join(lines if len(lines) > 1 else [*lines, "None."])


def amount(value: float, target: Target) -> str:
    """A value in the target's unit."""
    return {"x": f"{value:.2f}×", "%": f"{value:.0%}", "us": f"{value:.1f} µs", "H": f"{value:.2f} H"}[target.unit]


def duration(seconds: float) -> str:
    """In µs below a tenth of a millisecond, else in ms."""
    if seconds < 1e-4:
        return f"{1e6 * seconds:.3g} µs"
    return f"{1e3 * seconds:.3g} ms" if seconds < 0.9995 else f"{1e3 * seconds:,.0f} ms"


def table(cases: list[Measured]) -> str:
    """A row a case: ours with quartiles, every other arm, and what follows from them."""
    others = list(dict.fromkeys(label for case in cases for label in case.arms if label not in {OURS, *PROBES}))
    extra = columns(cases)
    head = ["T, B, I, H", OURS, *others, "over the best peer", *extra]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for case in cases:
        cells = [words_of(case), timed(case, OURS, quartiles=True), *(timed(case, label) for label in others)]
        lead = case.lead()
        cells.append(
            "–" if lead is None else strong(f"{lead.median:.2f}× [{lead.low:.2f}, {lead.high:.2f}]", lead.median)
        )
        cells += ["–" if (shown := show(case)) is None else shown for show in extra.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def words_of(case: Measured) -> str:
    """What tells a case from others of its table."""
    problem = case.problem
    words = f"{problem.cell} {problem.T}, {problem.B}, {problem.I}, {problem.H}"
    return words + ", packed" * problem.packed


def strong(words: str, ratio: float) -> str:
    """A loss stands out."""
    return words if ratio >= 1 else f"**{words}**"


def columns(cases: list[Measured]) -> dict[str, Any]:
    """Further columns that some case fills: a title, and what a case shows there."""

    def percent(case: Measured) -> str | None:
        share = case.share()
        return None if share is None else f"{share:.0%}"

    def floor(case: Measured) -> str | None:
        times = case.floor()
        return None if times is None else f"{times:.2f}×"

    def step(case: Measured) -> str | None:
        ratio = case.per_step("equal lengths") if case.timed("equal lengths") else None
        return None if ratio is None else f"{ratio:.2f}"

    def kept(case: Measured) -> str | None:
        floats = case.saved()
        return None if floats is None else f"{floats:.1f} H"

    def peak(case: Measured) -> str | None:
        own, best = case.memory(OURS), case.memory(case.best_peer() or "")
        return None if own is None or best is None else f"{own / 2**20:.0f} / {best / 2**20:.0f}"

    every = {
        "share of the product rate": percent,
        "over the machine's floor": floor,
        "a real step, of an equal one": step,
        "kept a step": kept,
        "peak MiB, ours / best peer": peak,
    }
    return {title: show for title, show in every.items() if any(show(case) for case in cases)}


def timed(case: Measured, label: str, *, quartiles: bool = False) -> str:
    """A time, or why there is none."""
    if label not in case.arms:
        return ""
    if not case.timed(label):
        return "wrong answer" if "wrong" in case.arms[label] else "failed"
    spread = case.seconds(label)
    shown = duration(spread.median)
    return f"{shown} [{duration(spread.low)}, {duration(spread.high)}]" if quartiles else shown


def losses(cases: Iterable[Measured]) -> str:
    """Every case in which a peer is faster, and every arm that could not be timed."""
    lines = ["### Losses\n"]
    for case in cases:
        lead = case.lead()
        if lead is not None and lead.median < 1:
            lines.append(f"- {case.name}: {case.best_peer()} takes {lead.median:.2f} of our time")
    for case in cases:
        for label, arm in case.arms.items():
            if not case.timed(label):
                why = f"wrong answer: {arm['wrong']}" if "wrong" in arm else arm["failed"]
                lines.append(f"- {case.name}: {label} was not timed; {' '.join(why.split())}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "None."])


def errors(cases: Iterable[Measured]) -> str:
    """The worst error of each arm against float64, and the engine or kernel that served."""
    worst: dict[tuple[str, str], float] = {}
    paths: dict[str, set[str]] = {}
    for case in cases:
        for label, arm in case.arms.items():
            for name, off in arm.get("errors", {}).items():
                key = (label, "gradients" if name.startswith("grad ") else "values")
                worst[key] = max(worst.get(key, 0.0), off)
            facts = arm.get("facts", {})
            if (path := facts.get("path") or served(facts, case)) and case.timed(label):
                paths.setdefault(label, set()).add(path.split(" × ")[0])
    lines = ["### Errors against float64\n", "max |a − b| / max |b|, the worst of all cases.\n"]
    lines += ["| | values | gradients | served by |", "| --- | ---: | ---: | --- |"]
    for label in dict.fromkeys(label for label, _ in worst):
        shown = [f"{worst[label, kind]:.1e}" if (label, kind) in worst else "–" for kind in ("values", "gradients")]
        lines.append(f"| {label} | {' | '.join(shown)} | {', '.join(sorted(paths.get(label, set())))} |")
    return "\n".join(lines)


def served(facts: dict[str, Any], case: Measured) -> str:
    """The line of ``ostinato.explain`` that is about this case, without its reason."""
    if "\n" not in str(facts.get("engine", "")):
        return str(facts.get("engine", ""))
    kind = "resets" if case.problem.resets else "unequal lengths" if case.problem.ragged else "equal lengths"
    for line in str(facts.get("engine", "")).splitlines():
        if line.startswith(kind):
            return line.removeprefix(kind).split("(")[0].strip()
    return ""


def line(case: Measured) -> str:
    """A case in one line, for the screen."""
    lead = case.lead()
    arms = [f"{label} {timed(case, label)}" for label in case.arms]
    over = "" if lead is None else f"; {lead.median:.2f}× {case.best_peer()}"
    return f"{case.name}: {', '.join(arms)}{over}"
