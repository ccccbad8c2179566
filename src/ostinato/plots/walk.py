"""Walk: the folds of a walk forward through time, and what trading on them would have earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Patch

from ostinato.plots.style import COLOURS, INK, RIVAL, in_style, legend, short, stacked, to_svg, whole_numbers

PARTS = {"train": RIVAL, "valid": COLOURS[5], "test": COLOURS[1]}


@in_style
def walk(
    folds: Sequence[Mapping[str, tuple[int, int]]],
    steps: Sequence[int],
    earned: Mapping[str, Sequence[float]],
    *,
    title: str = "Walking forward",
    unit: str = "step",
) -> str:
    """A bar a fold above, its parts one after the other; below, over the test parts, what had been earned by then.

    Args:
        folds: first and last step of ``train``, ``valid`` and ``test``, oldest fold first; what lies between them
            nobody saw.
        steps: ``(n,)`` where trades end.
        earned: ``(n,)`` by name, as a share: 0.1 is 10 %. The first is the model.
        title: stands above.
        unit: what a step is.

    Raises:
        ValueError: there is not a number for each of ``steps``, or no folds.
    """
    if not len(folds):
        raise ValueError("there are no folds to draw")
    for name, values in earned.items():
        if len(values) != len(steps):
            raise ValueError(f"'{name}' has {len(values)} numbers for {len(steps)} steps")
    figure, (axes, below) = stacked(2, height=4.2)
    places = [folds[0]["test"][0], *steps]
    for number, (name, values) in enumerate(earned.items()):
        colour, style = (COLOURS[0], "-") if not number else (INK, (0, (4, 2)))
        money = 100 * np.asarray([0.0, *values], dtype=float)
        axes.plot(places, money, color=colour, linestyle=style, linewidth=1.6, label=short(name, 40))
    axes.axhline(0.0, color=INK, linewidth=0.7)
    axes.set_ylabel("earned, after costs, %")
    axes.set_title(short(title, 90), fontsize=10, loc="left")
    legend(axes, loc="upper left", fontsize=9)
    for number, fold in enumerate(folds):
        for part, colour in PARTS.items():
            first, last = fold[part]
            below.barh(number, last - first + 1, left=first, height=0.62, color=colour, linewidth=0)
        axes.axvspan(
            fold["test"][0], fold["test"][1] + 1, color=COLOURS[1], alpha=0.06 + 0.06 * (number % 2), linewidth=0
        )
    below.set_yticks(range(len(folds)), [f"fold {number}" for number in range(1, len(folds) + 1)])
    below.set_ylim(len(folds) - 0.5, -0.5)
    below.grid(False, axis="y")
    below.legend(
        [Patch(color=colour) for colour in PARTS.values()], PARTS, frameon=False, labelcolor=INK, fontsize=9, ncols=3,
        loc="upper center", bbox_to_anchor=(0.5, -0.38),
    )  # fmt: skip
    below.set_xlabel(unit)
    whole_numbers(below)
    return to_svg(figure, title)
