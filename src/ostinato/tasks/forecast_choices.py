"""How far back a forecaster looks, and how many steps it reads at once, where the recipe leaves it open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LONGEST_SEGMENT = 48
SEASONS, HORIZONS = 14, 5
"""A look-back covers so many seasons and so many horizons (chosen on M4 hourly and ETTh1)."""


def choose_segment(horizon: int, season: int) -> int:
    """A season where that is a handy number of steps, else its largest divisor that is; without one, about the horizon.

    A segment that is a season keeps every phase of it at the same place of the vector, whatever the window.
    """
    if season >= 4:
        divisors = [d for d in range(LONGEST_SEGMENT, 3, -1) if season % d == 0]
        return divisors[0] if divisors else min(24, season)
    return int(np.clip(horizon, 4, 24))


def choose_look_back(horizon: int, seasons: Sequence[int], segment: int, lengths: Sequence[int]) -> int:
    """The longer of 14 seasons and five horizons, in whole segments, but at most half of a middling series.

    Of several seasons the first counts so often, the others twice.
    """
    wanted = max(SEASONS * seasons[0], *(2 * season for season in seasons), HORIZONS * horizon, 4 * segment)
    room = max(1, (int(np.median(lengths)) - horizon) // 2)
    whole = -(-wanted // segment) * segment
    if whole <= room:
        return whole
    return max(segment * (room // segment), min(room, segment), 1)
