"""Fan: a forecast with its quantiles, after its history and beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ostinato.plots.style import COLOURS, INK, RIVAL, in_style, legend, panel, short, to_svg, whole_numbers


@in_style
def forecast_fan(
    history: Sequence[float],
    quantiles: np.ndarray,
    levels: Sequence[float],
    truth: Sequence[float] = (),
    *,
    name: str = "",
    label: str = "value",
    unit: str = "",
    first: int = 1,
    rivals: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """History, forecast and, where it is known, what happened.

    Args:
        history: ``(T,)``, the last steps before the forecast; NaN where missing.
        quantiles: ``(horizon, Q)``.
        levels: of the quantiles, rising; bands join the first with the last, and so on inwards; the middle one is
            the line.
        truth: ``(horizon,)`` or empty.
        name: of the series.
        label: of the y axis, with its unit.
        unit: what a step is, where ``first`` says which is the first that was forecast: a year.
        first: its number.
        rivals: points of baselines ``(horizon,)`` by name; of several all are drawn faintly.

    Raises:
        ValueError: there are not as many levels as quantiles.
    """
    quantiles = np.asarray(quantiles, dtype=float)
    if quantiles.ndim != 2 or quantiles.shape[1] != len(levels):
        raise ValueError(f"quantiles must be (horizon, {len(levels)}), not {quantiles.shape}")
    figure, axes = panel(height=3.4)
    past, future = np.arange(-len(history), 0) + first, np.arange(len(quantiles)) + first
    axes.plot(past, np.asarray(history, dtype=float), color=INK, linewidth=1.2, label="history")
    for number, (low, high) in enumerate(zip(range(len(levels) // 2), reversed(range(len(levels))), strict=False)):
        share = levels[high] - levels[low]
        axes.fill_between(
            future, quantiles[:, low], quantiles[:, high], color=COLOURS[0], alpha=0.18 + 0.14 * number, linewidth=0,
            label=f"{share:.0%} of cases",
        )  # fmt: skip
    mark = "o" if len(future) == 1 else ""
    faint = RIVAL if len(rivals or {}) > 1 else COLOURS[1]
    for rival, values in (rivals or {}).items():
        axes.plot(
            future,
            np.asarray(values),
            color=faint,
            linewidth=1.2,
            linestyle=(0, (2, 2)),
            marker=mark,
            label=short(rival),
        )
    if len(truth):
        axes.plot(future, np.asarray(truth, dtype=float), color=INK, linewidth=1.4, marker=mark, label="what happened")
    middle = quantiles[:, len(levels) // 2]
    axes.plot(future, middle, color=COLOURS[0], linewidth=2.0, marker=mark, label="forecast")
    axes.axvline(first - 0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 3)))
    axes.set(xlabel=unit or "steps from the last known value", ylabel=label)
    if name:
        axes.set_title(short(name, 60), fontsize=10, loc="left")
    whole_numbers(axes)
    if unit == "year":
        axes.xaxis.set_major_formatter("{x:.0f}")  # no separators
    legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return to_svg(figure, f"Forecast of {name or 'a series'} over {len(quantiles)} steps")
