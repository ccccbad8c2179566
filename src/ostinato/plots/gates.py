"""Gates: what the gates of a cell did at every step of one sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ostinato.plots.style import INK, dress, in_style, short, stacked, to_svg

MOST_STEPS = 80
MOST_UNITS = 48


@in_style
def gates(values: Mapping[str, np.ndarray], symbols: Sequence[str] = ()) -> str:
    """A map a gate (or state): units upwards, steps to the right, the symbols read below.

    Args:
        values: ``(T, H)`` by name (``input``, ``forget``, …). A gate lies between 0 and 1; where one is below 0, the
            map runs from -m to m with white in the middle. Only the last :data:`MOST_STEPS` steps and the
            :data:`MOST_UNITS` units that move most are drawn.
        symbols: ``(T,)`` what was read, or empty.

    Raises:
        ValueError: there is nothing to draw, or the numbers of steps differ.
    """
    arrays = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    steps = {len(value) for value in arrays.values()}
    if not arrays or any(value.ndim != 2 or not value.size for value in arrays.values()):
        raise ValueError("gates need arrays (steps, units) that are not empty")
    if len(steps) > 1 or (len(symbols) and len(symbols) not in steps):
        raise ValueError(f"gates and symbols differ in their steps: {sorted(steps)}, {len(symbols)} symbols")
    total = steps.pop()
    shown = min(total, MOST_STEPS)
    figure, all_axes = stacked(len(arrays), height=1.0 + 1.35 * len(arrays))
    for axes, (name, value) in zip(all_axes, arrays.items(), strict=True):
        moving = np.argsort(-value.std(axis=0), kind="stable")[:MOST_UNITS]
        part = value[-shown:, np.sort(moving)].T
        signed = bool((value < 0).any())
        top = float(np.abs(value).max()) or 1.0
        low, high, colours = (-top, top, "RdBu_r") if signed else (0.0, max(1.0, top), "cividis")
        first = total - shown + 0.5
        picture = axes.pcolormesh(
            np.arange(shown + 1) + first,
            np.arange(len(part) + 1),
            part,
            vmin=low,
            vmax=high,
            cmap=colours,
            rasterized=True,
        )
        dress(axes)
        axes.grid(False)
        axes.set_ylabel(short(name, 14))
        axes.set_yticks([])
        bar = figure.colorbar(picture, ax=axes, pad=0.01, fraction=0.03, aspect=12)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, colors=INK, length=2)
    bottom = all_axes[-1]
    if len(symbols):
        names = [short(symbol, 10) if str(symbol).strip() else "␣" for symbol in symbols[-shown:]]
        long = max(map(len, names)) > 1
        bottom.set_xticks(np.arange(shown) + total - shown + 1, names, fontsize=8 if shown <= 60 else 6.5)
        for label in bottom.get_xticklabels():
            label.set(rotation=90 if long else 0, fontfamily="monospace")
        bottom.tick_params(axis="x", length=0)
    else:
        bottom.set_xlabel("step")
    return to_svg(figure, f"What {', '.join(arrays)} did over {shown} steps")
