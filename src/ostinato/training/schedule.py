"""Schedule: the learning rate over a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ostinato.training.settings import OptimizerSettings


@dataclass(frozen=True)
class Schedule:
    """The rate of an update, from where it stands; it holds no state, so a resumed training needs none.

    With ``p`` in [0, 1] the share of the training that lies behind the middle of the update, ``w`` the warm-up share,
    ``r`` the highest rate::

        rate = r * min(1, p / w) * shape
        shape = 1                                          constant
                (1 + cos(pi * (p - w) / (1 - w))) / 2      cosine (1 while p < w)
                decay ** (epoch // every)                  step (epochs from 0)
                decay ** drops                             plateau (drops: see :func:`drops`)

    The middle of the update, not its start or end: so the first one of a warm-up and the last one of a cosine move.
    """

    settings: OptimizerSettings

    def rate(self, progress: float, epoch: int, drops: int = 0) -> float:
        """The learning rate at share ``progress`` of the training, in ``epoch`` (from 0), after ``drops``."""
        settings = self.settings
        warm = min(1.0, progress / settings.warmup) if settings.warmup > 0 else 1.0
        return settings.learning_rate * warm * self._shape(progress, epoch, drops)

    def _shape(self, progress: float, epoch: int, drops: int) -> float:
        settings = self.settings
        if settings.schedule == "cosine":
            span = max(1.0 - settings.warmup, 1e-12)
            return (1.0 + math.cos(math.pi * min(max(progress - settings.warmup, 0.0) / span, 1.0))) / 2.0
        if settings.schedule == "step":
            return float(settings.decay ** (epoch // settings.every))
        if settings.schedule == "plateau":
            return float(settings.decay**drops)
        return 1.0


def drops(values: list[float], every: int, higher_is_better: bool) -> int:
    """How often a plateau lowers the rate over ``values``, one an epoch.

    Once after each ``every`` epochs in a row without a new best. NaN is never a best.
    """
    best, waited, count = math.nan, 0, 0
    for value in values:
        if better(value, best, higher_is_better):
            best, waited = value, 0
            continue
        waited += 1
        if waited == every:
            waited, count = 0, count + 1
    return count


def better(value: float, best: float, higher_is_better: bool) -> bool:
    """Whether ``value`` beats ``best``; anything but NaN beats NaN."""
    if math.isnan(value):
        return False
    return math.isnan(best) or (value > best if higher_is_better else value < best)
