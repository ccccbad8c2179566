"""Memory: the influence of an input over its distance from the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ostinato.plots.style import COLOURS, INK, in_style, log_scale, panel, to_svg, whole_numbers


@in_style
def memory(lags: Sequence[int], influence: Sequence[float], *, half: int = 0, reach: int = 0) -> str:
    """Influence (shares) over the lag in steps, on a logarithmic axis; lines where 50 % and 95 % are covered.

    Negative lags are steps after the one answered for. Shares below a millionth of the largest are not drawn: they are
    rounding.

    Raises:
        ValueError: lags and influence differ in number.
    """
    where, share = np.asarray(lags), np.asarray(influence, dtype=float)
    if where.shape != share.shape:
        raise ValueError(f"{len(where)} lags, but {len(share)} influences")
    figure, axes = panel(height=3.2)
    seen = share > (share.max(initial=0.0) * 1e-6)
    mark = "o" if seen.sum() <= 60 else ""
    if seen.any():
        axes.plot(where[seen], share[seen], color=COLOURS[0], linewidth=1.6, marker=mark, markersize=3.5)
        axes.fill_between(where[seen], share[seen], share[seen].min(), color=COLOURS[0], alpha=0.12, linewidth=0)
        log_scale(axes)
    both = bool((where < 0).any())
    _cover(axes, half, "50 %", both)
    if reach > half:
        _cover(axes, reach, "95 %", both)
    after = " (negative: after it)" if both else ""
    axes.set(xlabel=f"steps before the answer{after}", ylabel="share of the influence")
    whole_numbers(axes)
    return to_svg(figure, f"Memory profile: half of the influence within {half} steps, 95 % within {reach}")


def _cover(axes: Axes, distance: int, text: str, both: bool) -> None:
    for place in (distance, -distance) if both and distance else (distance,):
        axes.axvline(place, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        text, (distance, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -2), textcoords="offset points",
        ha="left", va="top", fontsize=8.5,
    )  # fmt: skip
