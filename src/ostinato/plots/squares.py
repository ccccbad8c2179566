"""Squares: shares as squares on a grid, the deeper the larger."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ostinato.plots.style import COLOURS

LEAST = 0.01
"""Shares below it are not drawn."""


def squares(axes: Axes, shares: np.ndarray, least: float = LEAST) -> None:
    """``shares (rows, columns)`` from 0 to 1, the first row on top; the axes span the grid and have no lines."""
    rows, columns = shares.shape
    for row, column in np.ndindex(rows, columns):
        if shares[row, column] >= least:
            alpha = min(1.0, float(shares[row, column]))
            place = (column - 0.48, row - 0.48)
            axes.add_patch(Rectangle(place, 0.96, 0.96, color=COLOURS[0], alpha=alpha, linewidth=0))
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axes.grid(False)
