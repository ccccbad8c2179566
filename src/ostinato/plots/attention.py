"""Attention: what each written symbol looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.squares import squares
from ostinato.plots.style import in_style, panel, ticks_of, to_svg

MOST = 40
"""More symbols than this are too small to read: the picture ends there."""


@in_style
def attention(shares: np.ndarray, source: Sequence[str], written: Sequence[str]) -> str:
    """``shares (written, source)`` as squares, the deeper the larger; each row adds up to 1.

    Raises:
        ValueError: the shares do not fit the symbols.
    """
    shares = np.asarray(shares, dtype=float)
    if shares.shape != (len(written), len(source)):
        raise ValueError(f"{len(written)} symbols from {len(source)} need shares of that shape, not {shares.shape}")
    shares, source, written = shares[:MOST, :MOST], source[:MOST], written[:MOST]
    rows, columns = shares.shape
    figure, axes = panel(min(9.0, 1.6 + 0.27 * columns), min(9.0, 1.4 + 0.25 * rows))
    squares(axes, shares)
    axes.set(xlabel="read", ylabel="written")
    ticks_of(axes, [symbol if symbol.strip() else "␣" for symbol in source])
    ticks_of(axes, [symbol if symbol.strip() else "␣" for symbol in written], down=True)
    axes.tick_params(length=0)
    return to_svg(figure, f"What each of {rows} written symbols looked at")
