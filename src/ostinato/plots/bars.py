"""Bars: a model beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ostinato.plots.style import INK, MODEL, RIVAL, in_style, panel, ticks_of, to_svg

Row = tuple[float, float, float]
"""A value and the two ends of its interval, NaN where there is none."""


@in_style
def baselines(model: Mapping[str, Row], rivals: Mapping[str, Row], *, label: str, higher_is_better: bool) -> str:
    """The metric ``label`` of models and baselines as bars, the best on top, with intervals where they are known.

    The axis begins at 0 unless all values are so close that the bars could not be told apart; then they are points.

    Raises:
        ValueError: there is nothing to draw.
    """
    rows = [(name, row, True) for name, row in model.items()] + [(name, row, False) for name, row in rivals.items()]
    rows = [row for row in rows if np.isfinite(row[1][0])]
    if not rows:
        raise ValueError("there is no finite value to draw")
    rows.sort(key=lambda row: row[1][0], reverse=higher_is_better)
    figure, axes = panel(height=1.2 + 0.36 * len(rows))
    values = np.array([row[1][0] for row in rows])
    close = len(rows) > 1 and np.ptp(values) < 0.1 * np.abs(values).max()
    for place, (_, (value, low, high), ours) in enumerate(rows):
        colour = MODEL if ours else RIVAL
        if close:
            axes.plot([value], [place], marker="o", markersize=9, color=colour, linestyle="")
        else:
            axes.barh(place, value, color=colour, height=0.62)
        end = value
        if np.isfinite(low) and np.isfinite(high):
            axes.plot([low, high], [place, place], color=INK, linewidth=1.3, solid_capstyle="butt")
            end = max(value, high)
        axes.annotate(
            f"{value:.4g}", (end, place), xytext=(7, 0), textcoords="offset points", va="center", fontsize=9,
            fontweight="bold" if ours else "normal",
        )  # fmt: skip
    ticks_of(axes, [row[0] for row in rows], down=True)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row[2] else "normal")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.14)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"{label} ({'more' if higher_is_better else 'less'} is better)")
    return to_svg(figure, f"{label} of the model and its baselines")
