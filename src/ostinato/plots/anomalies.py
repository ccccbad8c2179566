"""Anomalies: a series, what was expected of it, its alarms, and the score below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato.plots.style import COLOURS, INK, RIVAL, in_style, legend, short, stacked, to_svg, whole_numbers

MOST = 4000
"""Steps that are drawn one by one; of more, the lowest and the highest of every few."""


@in_style
def anomalies(
    values: Sequence[float],
    expected: Sequence[float],
    score: Sequence[float],
    alarms: Sequence[int],
    stretches: Sequence[tuple[int, int]] = (),
    *,
    name: str = "",
) -> str:
    """The series with its alarms above, the score below.

    Args:
        values: ``(T,)``; NaN where missing.
        expected: ``(T,)``, drawn faintly; empty: nobody knows.
        score: ``(T,)``.
        alarms: the steps that rang, from 0.
        stretches: first and last step of what is labelled, drawn as bands.
        name: of the series.

    Raises:
        ValueError: ``values``, ``expected`` and ``score`` differ in length.
    """
    known = len(expected) > 0
    tracks = [np.asarray(track, dtype=float) for track in (values, expected if known else values, score)]
    if len({len(track) for track in tracks}) > 1:
        raise ValueError(f"values, expected and score differ in length: {[len(track) for track in tracks]}")
    figure, (above, below) = stacked(2)
    for axes in (above, below):
        for number, (first, last) in enumerate(stretches):
            axes.axvspan(
                first - 0.5, last + 0.5, color=COLOURS[4], alpha=0.28, linewidth=0, label="" if number else "labelled"
            )
    if known:
        above.plot(*thinned(tracks[1]), color=RIVAL, linewidth=1.0, label="expected")
    above.plot(*thinned(tracks[0]), color=INK, linewidth=1.0, label="what came")
    rang = np.asarray(alarms, dtype=int)
    above.plot(rang, tracks[0][rang], "o", color=COLOURS[1], markersize=6, label="alarm")
    below.plot(*thinned(tracks[2]), color=COLOURS[0], linewidth=0.9)
    below.plot(rang, tracks[2][rang], "o", color=COLOURS[1], markersize=4)
    above.set_ylabel("value")
    below.set(xlabel="step", ylabel="score")
    whole_numbers(below)
    if name:
        above.set_title(short(name, 60), fontsize=10, loc="left")
    legend(above, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return to_svg(figure, f"{len(rang)} alarms in {len(tracks[0]):,} steps of {name or 'a series'}")


def thinned(track: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and values; of a long track the extremes of every few steps, so that no spike is lost."""
    if len(track) <= MOST:
        return np.arange(len(track)), track
    size = -(-len(track) // (MOST // 2))
    parts = [np.arange(start, min(start + size, len(track))) for start in range(0, len(track), size)]
    kept: list[int] = []
    for part in parts:
        there = part[np.isfinite(track[part])]
        kept += (
            sorted({int(there[track[there].argmin()]), int(there[track[there].argmax()])}) if len(there) else [part[0]]
        )
    places = np.array(kept)
    return places, track[places]
