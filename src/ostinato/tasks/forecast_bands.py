"""Bands: how far quantiles must move so that they hold as much of the validation part as they say."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from ostinato.tasks.forecast_windows import WindowExamples, dependence_of

Shifts = tuple[tuple[float, ...], ...]
"""``(horizon, Q)``, in units of each series' scale; empty: none."""


def conformal_shifts(quantiles: np.ndarray, examples: WindowExamples, levels: Sequence[float]) -> Shifts:
    """Split conformal prediction, a shift for each step of the horizon and each quantile but the middle one.

    With ``e = (y - f) / scale`` of every window of the validation part, ``f`` being the quantile ``q > 1/2`` that the
    model said, the shift is the ``ceil((m + 1) q) / m`` quantile of ``e`` (at most its largest value), and the mirror
    image of that below the middle: conformalized quantile regression, each side by itself (Romano, Patterson, Candès
    2019, theorem 2). Of windows that can be exchanged with each other and with those to come, at least the share ``q``
    of the truths lies below ``f + shift scale``.

    Windows that share steps are no such windows. All of them give the quantile of ``e``, but ``m``, by which it is
    raised, counts those that share none (:func:`apart`), so that few of them widen the bands.

    Args:
        quantiles: ``(W, horizon, Q)`` said about the windows.
        examples: the windows.
        levels: of the quantiles.
    """
    scale = examples.panel.scale[examples.series, examples.channel]
    used = scale > 0
    truth = examples.truth()[used]
    count = apart(examples)
    shifts = np.zeros((examples.horizon, len(levels)))
    for place, level in enumerate(levels):
        side = np.sign(level - 0.5)
        share = max(level, 1 - level)
        errors = side * (truth - quantiles[used, :, place]) / scale[used][:, None]
        for step in range(examples.horizon):
            known = np.sort(errors[np.isfinite(errors[:, step]), step])
            if side and len(known):
                raised = min(1.0, _up((count + 1) * share) / count)
                shifts[step, place] = side * known[_up(raised * len(known)) - 1]
    return tuple(tuple(row) for row in shifts.tolist())


def moved(quantiles: np.ndarray, scale: np.ndarray, shifts: Shifts, middle: int) -> np.ndarray:
    """Quantiles ``(W, horizon, Q)`` with their shifts; the middle one stays, and none crosses it or another."""
    if not shifts:
        return quantiles
    answer = quantiles + np.array(shifts) * scale[:, None, None]
    centre = quantiles[..., middle : middle + 1]
    answer[..., :middle] = np.minimum(answer[..., :middle], centre)
    answer[..., middle + 1 :] = np.maximum(answer[..., middle + 1 :], centre)
    return np.sort(answer, axis=-1)


def apart(examples: WindowExamples) -> int:
    """How many windows share no step: those of each series that lie a horizon apart, channels together."""
    return _apart(examples, 0)


def moments(examples: WindowExamples) -> int:
    """How many times lie a horizon apart from which was forecast; of series without times, :func:`apart`."""
    return _apart(examples, -1)


def _up(number: float) -> int:
    """``ceil``, but 11 * 0.9 is no more than 9.9."""
    return ceil(round(number, 9))


def _apart(examples: WindowExamples, way: int) -> int:
    dependence = dependence_of(examples)[way]
    if not len(dependence.track):
        return 1
    order = np.argsort(dependence.track, kind="stable")
    tracks, first = np.unique(dependence.track[order], return_index=True)
    low, high = (edge.reduceat(dependence.place[order], first) for edge in (np.minimum, np.maximum))
    return len(tracks) + int(((high - low) // dependence.reach).sum())
