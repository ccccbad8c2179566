"""Track: a score along a sequence, and where what is looked for truly lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.style import COLOURS, in_style, legend, panel, short, to_svg, whole_numbers


@in_style
def track(
    places: Sequence[float],
    scores: Sequence[float],
    sites: Sequence[tuple[float, float]] = (),
    *,
    label: str = "score",
    site: str = "site",
    name: str = "",
) -> str:
    """``scores (W,)`` at ``places (W,)``, filled from 0.

    Args:
        places: the middles of windows, or bases, rising.
        scores: of each.
        sites: first and last place of what is known to be there, drawn as bands.
        label: what a score is.
        site: what a band is.
        name: of the sequence.

    Raises:
        ValueError: there are not as many scores as places.
    """
    where, height = np.asarray(places, dtype=float), np.asarray(scores, dtype=float)
    if where.shape != height.shape:
        raise ValueError(f"{len(height)} scores at {len(where)} places")
    figure, axes = panel(height=2.7)
    axes.fill_between(where, height, 0.0, color=COLOURS[0], alpha=0.25, linewidth=0)
    axes.plot(where, height, color=COLOURS[0], linewidth=1.5, label=label)
    for number, (first, last) in enumerate(sites):
        axes.axvspan(first, last, color=COLOURS[1], alpha=0.8, linewidth=0, zorder=3, label="" if number else site)
    axes.set(xlabel="base", ylabel=label)
    axes.margins(x=0)
    axes.set_ylim(bottom=0.0)
    if name:
        axes.set_title(short(name, 60), fontsize=10, loc="left")
    legend(axes, loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=9, ncols=2, borderaxespad=0.1)
    whole_numbers(axes)
    return to_svg(figure, f"{label} along {name or 'a sequence'}")
