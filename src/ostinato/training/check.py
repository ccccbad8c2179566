"""check: whether settings can be, before anything is trained."""

from __future__ import annotations

import math

from ostinato.data.examples import Examples
from ostinato.errors import UsageError
from ostinato.training.settings import TrainingSettings


def check(settings: TrainingSettings, train: Examples) -> None:
    """Raises ``UsageError`` for the first setting that cannot be, or where there is nothing to learn from."""
    if not len(train):
        raise UsageError("there is nothing to learn from: the training part has no examples")
    if not int(train.lengths.max()):
        raise UsageError("there is nothing to learn from: every training sequence is empty")
    for key, least in (("epochs", 1), ("batch_size", 1)):
        if getattr(settings, key) < least:
            raise UsageError(f"training.{key} is {getattr(settings, key)}; it must be {least} or more")
    for key in ("minutes", "epoch_size", "window", "burn_in", "patience", "seed", "checkpoint_seconds"):
        value = getattr(settings, key)
        if not 0 <= value < math.inf:
            raise UsageError(f"training.{key} is {value}; it must be 0 or more")
