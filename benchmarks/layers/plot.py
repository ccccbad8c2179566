"""The picture of docs/performance.md: how many times as long each peer takes, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.layers.measured import Measured
from ostinato.plots.style import COLOURS, INK, MARKERS, dress, in_style, legend, plain, to_svg

SHOWN = {
    "equal": "equal lengths",
    "ragged": "unequal lengths",
    "resets": "resets",
    "variant": "equal lengths",
    "half": "bfloat16",
    "linear": "equal lengths",
    "step": "one step",
}
MODES = {True: "forward + backward", False: "inference"}


@in_style
def leads(cases: Sequence[Measured]) -> str:
    """Inference beside training, a line a case, a mark a peer; left of 1 a peer is faster."""
    sides = [[case for case in cases if case.problem.train is train and case.group in SHOWN] for train in MODES]
    longest = max(1, *map(len, sides))
    figure = Figure(figsize=(11, 1.6 + 0.21 * longest), layout="constrained")
    figure.patch.set_alpha(0.0)
    labels = list(dict.fromkeys(label for case in cases for label in case.peers))
    for axes, found, title in zip(figure.subplots(1, 2, squeeze=False)[0], sides, MODES.values(), strict=True):
        panel(axes, found, labels)
        axes.set_title(title, fontsize=10)
        axes.set_ylim(longest - 0.5, -0.5)
    return to_svg(figure, "How many times as long each peer takes as Ostinato's layer")


def panel(axes: Any, cases: Sequence[Measured], labels: Sequence[str]) -> None:
    """One side."""
    dress(axes)
    for at, label in enumerate(labels):
        points = [(over.median, row) for row, case in enumerate(cases) if (over := peer(case, label))]
        if points:
            marker, colour = MARKERS[at % len(MARKERS)], COLOURS[at % len(COLOURS)]
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=label, markersize=5)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{plain(value)}×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of the peer over ours (left of 1 it is faster)")
    axes.set_yticks(range(len(cases)), [name(case) for case in cases], fontsize=7.5)
    legend(axes, fontsize=8)


def peer(case: Measured, label: str) -> Any:
    """The ratio of a peer."""
    return case.over(label) if label in case.peers else None


def name(case: Measured) -> str:
    """Of the line."""
    problem = case.problem
    words = f"{problem.cell} {problem.T},{problem.B},{problem.I},{problem.H}"
    return f"{words} {SHOWN[case.group]}{', packed' * problem.packed}"
