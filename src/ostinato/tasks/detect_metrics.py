"""Metrics of a detector: alarms against labels, and against the rate that was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ostinato.tasks.base import Outputs
from ostinato.tasks.detect_score import Scores, ranked, scored
from ostinato.tasks.detect_series import DetectExamples
from ostinato.tasks.nab import PROFILES, Judged, best_score

NEVER = -1e9
"""The score of a step that can be no alarm."""


def scores_of(outputs: Outputs, examples: DetectExamples, quiet: int) -> list[Scores]:
    """The scores of each series, over all its steps: from the errors, or a baseline's own ``score`` ``(N,)``."""
    found, begin = [], 0
    for one in examples.read:
        steps = slice(begin, begin + len(one.judged))
        begin = steps.stop
        if "score" in outputs:
            found.append(ranked(outputs["score"][steps], quiet))
        else:
            found.append(scored(outputs["error"][steps], one.clipped, quiet))
    return found


def is_alarm(found: Scores, rate: float) -> np.ndarray:
    """``(T,)`` bool: steps that are rare enough, the strangest for a while."""
    alarms: np.ndarray = found.fresh & (np.nan_to_num(found.chance, nan=1.0) <= rate)
    return alarms


def candidates(found: Scores) -> np.ndarray:
    """``(T,)``: the score of each step that could be an alarm; :data:`NEVER` elsewhere."""
    scores: np.ndarray = np.where(found.fresh, found.score, NEVER)
    return scores


def stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last step of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(stop) - 1) for first, stop in zip(edges[::2], edges[1::2], strict=True)]


def detect_metrics(outputs: Outputs, examples: DetectExamples, rate: float, quiet: int) -> dict[str, float]:
    """``alarm_rate``, and with labels ``precision``, ``recall``, ``f1`` and ``nab``.

    ``alarm_rate`` is the share of the steps without a label whose chance is at most ``rate``: near ``rate`` where
    nothing is wrong.
    ``precision`` is the share of alarms that lie in a labelled stretch, ``recall`` the share of stretches with an
    alarm. ``nab`` is the score of the Numenta Anomaly Benchmark, profile ``standard``, at the threshold of the score
    that is best on this very part, as that benchmark has it.
    """
    rare, alarms, labels, judged = [], [], [], []
    for one, found in zip(examples.read, scores_of(outputs, examples, quiet), strict=True):
        here = one.judged
        known = here & np.isfinite(found.chance) & (True if one.truth is None else ~one.truth)
        rare.append(found.chance[known] <= rate)
        if one.truth is not None:
            alarms.append(is_alarm(found, rate)[here])
            labels.append(one.truth[here])
            judged.append(Judged(candidates(found)[here], stretches(one.truth[here]), 0))
    every = np.concatenate(rare) if rare else np.empty(0)
    values = {"alarm_rate": float(every.mean()) if len(every) else math.nan}
    return values | (_against(alarms, labels, judged) if labels else {})


def _against(alarms: Sequence[np.ndarray], labels: Sequence[np.ndarray], judged: Sequence[Judged]) -> dict[str, float]:
    said = sum(int(one.sum()) for one in alarms)
    right = sum(int((one & truth).sum()) for one, truth in zip(alarms, labels, strict=True))
    whole = [(one, stretch) for one, truth in zip(alarms, labels, strict=True) for stretch in stretches(truth)]
    hit = sum(bool(one[first : last + 1].any()) for one, (first, last) in whole)
    precision, recall = right / said if said else math.nan, hit / len(whole) if whole else math.nan
    both = np.nan_to_num(precision) + np.nan_to_num(recall)
    f1 = 2 * np.nan_to_num(precision) * np.nan_to_num(recall) / both if both else 0.0
    return {
        "precision": precision,
        "recall": recall,
        "f1": float(f1) if whole else math.nan,
        "nab": best_score(judged, PROFILES["standard"]).normalised,
    }
