"""nab: the scoring rules of the Numenta Anomaly Benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROBATION, LONGEST_PROBATION = 0.15, 750
"""The share of a series, and the most steps, that a detector may learn from before its alarms count."""
SHARPNESS = 5.0
FAR = 3.0
"""From so many windows behind a window on, a false alarm costs all it can."""


@dataclass(frozen=True)
class Profile:
    """What alarms are worth to someone.

    Args:
        hit: a window found at its first step.
        false_alarm: an alarm outside every window (a cost).
        miss: a window without an alarm (a cost).
    """

    hit: float
    false_alarm: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}
"""The application profiles of the benchmark."""


@dataclass(frozen=True)
class Judged:
    """A series as a detector saw it.

    Args:
        scores: of every step ``(T,)``, higher where it is stranger.
        windows: the first and the last step of each labelled window, in order and apart.
        probation: steps at the beginning whose alarms do not count.
    """

    scores: np.ndarray
    windows: Sequence[tuple[int, int]]
    probation: int

    def __post_init__(self) -> None:
        bounds = [bound for window in self.windows for bound in window]
        if bounds != sorted(bounds) or len(set(self.windows)) < len(self.windows):
            raise ValueError(f"windows must follow each other, each from its first to its last step: {self.windows}")
        if bounds and not 0 <= bounds[0] <= bounds[-1] < len(self.scores):
            raise ValueError(f"a window lies outside the {len(self.scores)} steps: {self.windows}")
        if not np.isfinite(self.scores).all():
            raise ValueError("a score is not finite")


def probation(steps: int) -> int:
    """The probation of a series: 15 % of its steps, at most 750."""
    return min(int(PROBATION * steps), LONGEST_PROBATION)


def scaled_sigmoid(position: np.ndarray) -> np.ndarray:
    """``2 / (1 + exp(5 p)) - 1``: 0.98661 at the left edge of a window (p = -1), 0 at its right edge, -1 from 3 on."""
    shape = 2.0 / (1.0 + np.exp(SHARPNESS * np.minimum(position, FAR))) - 1.0
    return np.where(position >= FAR, -1.0, shape)


def worth(steps: int, windows: Sequence[tuple[int, int]], profile: Profile) -> np.ndarray:
    """``(T,)``: what an alarm is worth at each step.

    In a window of ``w`` steps that ends at ``r``: ``hit * s((t - r - 1) / w) / s(-1)``, of which only the best counts,
    behind it: ``false_alarm * s((t - r) / (w - 1))``, and before the first window ``-false_alarm``, where ``s`` is
    :func:`scaled_sigmoid`.
    """
    time = np.arange(steps)
    position = np.full(steps, FAR)
    for first, last in windows:
        position[last + 1 :] = (time[last + 1 :] - last) / max(last - first, 1)
    found = profile.false_alarm * scaled_sigmoid(position)
    for first, last in windows:
        inside = slice(first, last + 1)
        early = scaled_sigmoid((time[inside] - last - 1) / (last - first + 1))
        found[inside] = profile.hit * early / scaled_sigmoid(np.array(-1.0))
    return found


@dataclass(frozen=True)
class Score:
    """The result of a corpus.

    Args:
        threshold: a step whose score is at least this is an alarm.
        raw: the sum of what the alarms are worth, less the misses.
        normalised: ``100 (raw - null) / (perfect - null)``: 0 for a detector without alarms, 100 for one that finds
            every window at its first step and never errs.
    """

    threshold: float
    raw: float
    normalised: float


def score_at(corpus: Sequence[Judged], profile: Profile, threshold: float) -> Score:
    """The corpus with alarms where scores are at least ``threshold``."""
    thresholds, raws = curve(corpus, profile)
    place = int(np.searchsorted(-thresholds, -threshold, side="right")) - 1
    return Score(threshold, float(raws[place]), normalise(float(raws[place]), corpus, profile))


def best_score(corpus: Sequence[Judged], profile: Profile) -> Score:
    """The corpus at the one threshold for all series that serves the profile best: what the scoreboard shows."""
    thresholds, raws = curve(corpus, profile)
    place = int(raws.argmax())
    return Score(float(thresholds[place]), float(raws[place]), normalise(float(raws[place]), corpus, profile))


def normalise(raw: float, corpus: Sequence[Judged], profile: Profile) -> float:
    """A raw score on the scale on which no alarms are 0 and a perfect detector is 100; NaN without windows."""
    windows = sum(len(one.windows) for one in corpus)
    null, perfect = -profile.miss * windows, profile.hit * windows
    return 100.0 * (raw - null) / (perfect - null) if windows else float("nan")


def curve(corpus: Sequence[Judged], profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Every threshold that matters, from infinity (no alarms) downwards, and the raw score with it."""
    scores, changes = [np.array([np.inf])], [np.array([-profile.miss * sum(len(one.windows) for one in corpus)])]
    for one in corpus:
        gained = _gains(one, profile)
        scores.append(one.scores[one.probation :])
        changes.append(gained[one.probation :])
    every, change = np.concatenate(scores), np.concatenate(changes)
    order = np.argsort(-every, kind="stable")
    every, total = every[order], np.cumsum(change[order])
    ends = np.append(every[1:] != every[:-1], True)
    return every[ends], total[ends]


def _gains(one: Judged, profile: Profile) -> np.ndarray:
    """``(T,)``: by how much the raw score changes when the threshold falls to the score of each step."""
    gains = worth(len(one.scores), one.windows, profile)
    for first, last in one.windows:
        inside = np.arange(max(first, one.probation), last + 1)
        order = inside[np.argsort(-one.scores[inside], kind="stable")]
        reached = np.maximum.accumulate(np.maximum(gains[order], -profile.miss))
        gains[order] = np.diff(reached, prepend=-profile.miss)
    return gains
