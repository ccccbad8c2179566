"""Curves: what training did, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ostinato.plots.style import (
    COLOURS,
    INK,
    MARKERS,
    in_style,
    legend,
    log_scale,
    panel,
    short,
    stacked,
    to_svg,
    whole_numbers,
)


@in_style
def learning_curves(
    train: Sequence[float],
    valid: Sequence[float] = (),
    *,
    best: int = 0,
    label: str = "loss",
    metric: Sequence[float] = (),
    metric_label: str = "",
) -> str:
    """Loss on the training and the validation part over epochs (from 1); a line at ``best``, whose weights are kept.

    ``metric``, where it is given, is drawn below on its own axis: the number by which the best epoch was chosen.
    """
    figure, (axes, *lower) = stacked(2 if len(metric) else 1)
    _line(axes, train, COLOURS[0], "training", 0)
    _line(axes, valid, COLOURS[1], "validation", 1)
    axes.set_ylabel(label)
    if _spans_decades([*train, *valid]):
        log_scale(axes)
    for each in lower:
        _line(each, metric, COLOURS[1], "", 1)
        each.set_ylabel(metric_label)
    for each in (axes, *lower) if best else ():
        name = "weights kept" if each is axes else None
        each.axvline(best, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label=name)
    bottom = (axes, *lower)[-1]
    bottom.set_xlabel("epoch")
    whole_numbers(bottom)
    legend(axes)
    return to_svg(figure, f"Learning curves: {label} over {max(len(train), len(valid))} epochs")


@in_style
def losses(
    series: Mapping[str, Sequence[float]], *, label: str = "loss", level: float | None = None, note: str = ""
) -> str:
    """A loss over epochs for several models, on a logarithmic axis where it spans decades.

    Args:
        series: the loss of each epoch, from the first, by the model's name.
        label: of the y axis, with its unit.
        level: a level to compare with, drawn as a dashed line.
        note: what that level is.
    """
    figure, axes = panel()
    for number, (name, values) in enumerate(series.items()):
        _line(axes, values, COLOURS[number % len(COLOURS)], name, number)
    if level is not None:
        axes.axhline(level, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label=short(note, 60) or None)
    everything = [value for values in series.values() for value in values]
    if _spans_decades(everything):
        log_scale(axes)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    whole_numbers(axes)
    legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return to_svg(figure, f"{label} over epochs: {', '.join(series)}")


def _line(axes: Axes, values: Sequence[float], colour: str, name: str, number: int) -> None:
    """Values from epoch 1 on; few get markers, so that a single epoch is seen and lines differ without colour."""
    if not len(values):
        return
    numbers = np.arange(1, len(values) + 1)
    marker = MARKERS[number % len(MARKERS)] if len(values) <= 40 else ""
    axes.plot(
        numbers,
        np.asarray(values, dtype=float),
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1.6,
        label=short(name),
    )


def _spans_decades(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis shows more: all values positive, the largest over 30 times the smallest."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    return bool(len(array) and array.min() > 0 and array.max() > 30 * array.min())
