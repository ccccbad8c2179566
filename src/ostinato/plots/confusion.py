"""Confusion: which labels are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from ostinato.plots.style import COLOURS, INK, in_style, panel, short, ticks_of, to_svg

MOST_LABELS = 20
"""More labels than this make cells too small to read; then the most frequent confusions are listed instead."""
MOST_PAIRS = 15


@in_style
def confusion(counts: np.ndarray, labels: Sequence[str]) -> str:
    """A confusion matrix ``counts (K, K)``: row the true label, column the answer.

    Blue is right, orange is wrong, the deeper the larger its share of the row, so that a rare label is as visible as a
    frequent one; cells hold counts. With more than :data:`MOST_LABELS` labels: the most frequent confusions as bars.

    Raises:
        ValueError: ``counts`` is not square, or does not fit the labels.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"{len(labels)} labels need counts of that size squared, not {counts.shape}")
    return _matrix(counts, labels) if len(labels) <= MOST_LABELS else _pairs(counts, labels)


def _matrix(counts: np.ndarray, labels: Sequence[str]) -> str:
    size = len(labels)
    side = min(7.2, 2.2 + 0.42 * size)
    figure, axes = panel(side + 0.4, side)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    for row, column in np.ndindex(size, size):
        # Squares, not an image: they stay sharp, and the page needs no embedded bitmap.
        colour = COLOURS[0] if row == column else COLOURS[1]
        alpha = float(shares[row, column])
        axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, color=colour, alpha=alpha, linewidth=0))
        if counts[row, column]:
            ink = "#ffffff" if shares[row, column] > 0.5 else INK
            text = f"{counts[row, column]:,}" if counts[row, column] < 10_000 else f"{counts[row, column] / 1000:,.0f}k"
            font = 9 if size <= 8 else 7.5 if size <= 14 else 6
            axes.text(column, row, text, ha="center", va="center", fontsize=font, color=ink)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", xlabel="answer", ylabel="truth")
    axes.grid(False)
    ticks_of(axes, labels)
    ticks_of(axes, labels, down=True)
    return to_svg(figure, f"Confusion matrix of {size} labels")


def _pairs(counts: np.ndarray, labels: Sequence[str]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(int(place) // len(labels), int(place) % len(labels)) for place in order if wrong.flat[place] > 0]
    figure, axes = panel(height=1.1 + 0.28 * max(1, len(pairs)))
    names = [f"{short(labels[true], 18)} → {short(labels[said], 18)}" for true, said in pairs]
    values = [int(wrong[pair]) for pair in pairs]
    axes.barh(range(len(pairs)), values, color=COLOURS[1], height=0.7)
    for place, (true, said) in enumerate(pairs):
        share = wrong[true, said] / counts[true].sum()
        text = f"{values[place]:,} ({share:.0%})"
        axes.annotate(
            text, (values[place], place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set(yticks=range(len(pairs)), xlabel="times the label on the left was taken for the one on the right")
    axes.set_yticklabels(names)
    axes.set_ylim(max(len(pairs), 1) - 0.5, -0.5)
    axes.margins(x=0.18)
    axes.grid(False, axis="y")
    return to_svg(figure, f"The most frequent confusions among {len(labels)} labels")
