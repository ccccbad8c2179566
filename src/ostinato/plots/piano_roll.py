"""Piano roll: which keys sound when, and from where on a model played."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection

from ostinato.plots.style import COLOURS, INK, in_style, panel, short, to_svg, whole_numbers

MARGIN = 2
"""Keys above and below the ones that sound."""
NAMED = 12
"""About as many keys are named."""


@in_style
def piano_roll(keys: np.ndarray, names: Sequence[str], *, given: int | None = None, title: str = "Piano roll") -> str:
    """``keys (T, K)`` as bars, a row a key and as long as it sounds, the lowest key at the bottom.

    Args:
        keys: which key sounds at which step.
        names: of the ``K`` keys.
        given: steps after which the model played, which get another colour behind a line; None: all were given.
        title: for those who cannot see it.

    Raises:
        ValueError: the names do not fit the keys.
    """
    keys = np.asarray(keys, dtype=bool)
    if keys.ndim != 2 or keys.shape[1] != len(names):
        raise ValueError(f"{len(names)} names for keys of shape {keys.shape}")
    steps, count = keys.shape
    given = steps if given is None else given
    sounding = np.flatnonzero(keys.any(0))
    low = max(0, int(sounding.min(initial=count)) - MARGIN) if len(sounding) else 0
    high = min(count - 1, int(sounding.max(initial=0)) + MARGIN) if len(sounding) else count - 1
    figure, axes = panel(height=1.2 + 0.085 * min(40, max(8, high - low + 1)))
    for part, start, colour in ((keys[:given], 0, COLOURS[0]), (keys[given:], given, COLOURS[1])):
        bars = LineCollection(_bars(part, start), colors=colour, linewidths=3.2, capstyle="butt")
        axes.add_collection(bars)
    if 0 < given < steps:
        axes.axvline(given, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        for text, start, colour in (("given", 0, COLOURS[0]), ("played by the model", given, COLOURS[1])):
            axes.annotate(
                text, (start, 1.0), xycoords=("data", "axes fraction"), xytext=(2, 3), textcoords="offset points",
                color=colour, fontsize=9.5, fontweight="bold",
            )  # fmt: skip
    axes.set(xlim=(0, max(steps, 1)), ylim=(low - 0.8, high + 0.8), xlabel="step", ylabel="key")
    every = max(1, -(-(high - low + 1) // NAMED))
    places = list(range(low, high + 1, every))
    axes.set_yticks(places, [short(names[place], 12) for place in places])
    whole_numbers(axes)
    return to_svg(figure, title)


def _bars(keys: np.ndarray, start: int) -> list[np.ndarray]:
    """A line from where a key goes down to where it goes up, for every time it does."""
    edges = np.diff(np.pad(keys.astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    rows, downs = np.nonzero(edges > 0)
    ups = np.nonzero(edges < 0)[1]
    bars = zip(rows.tolist(), downs.tolist(), ups.tolist(), strict=True)
    return [np.array([[start + down + 0.08, row], [start + up - 0.08, row]]) for row, down, up in bars]
