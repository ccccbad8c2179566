"""baseline: every rival a model must beat, by its name, with the same answers as a model gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from torch import nn

from ostinato.data.table import Table
from ostinato.errors import UsageError, nearest
from ostinato.evaluation import transcription, translation
from ostinato.evaluation.anomalies import last_change, windowed_gaussian
from ostinato.evaluation.around import step_logistic
from ostinato.evaluation.constant import flips, majority, mean
from ostinato.evaluation.feed_forward import feed_forward
from ostinato.evaluation.ground import Ground
from ostinato.evaluation.kgram_model import kgram
from ostinato.evaluation.linear_filter import linear_filter
from ostinato.evaluation.logistic import logistic
from ostinato.evaluation.ngrams import ngram_logistic
from ostinato.evaluation.series import SERIES_BASELINES
from ostinato.evaluation.words import RIVALS as NAMES
from ostinato.tasks.base import Outputs, Task
from ostinato.tasks.forecast import Forecast
from ostinato.tasks.forecast_windows import WindowExamples
from ostinato.tasks.music import Music
from ostinato.training import OptimizerSettings, TrainingSettings, calibrated

__all__ = ["BASELINES", "NAMES", "ask", "baseline"]


def _module(fit: Callable[[Ground], nn.Module]) -> Callable[[Ground], Outputs]:
    def answer(ground: Ground) -> Outputs:
        model = fit(ground)
        task = calibrated(model, ground.task, ground.valid)
        return (ground if task is ground.task else replace(ground, task=task)).answer(model, ground.test)

    return answer


def _ngrams(ground: Ground) -> Outputs:
    return step_logistic(ground) if ground.task.spec.outputs == "step" else _module(ngram_logistic)(ground)


def _series(name: str) -> Callable[[Ground], Outputs]:
    def answer(ground: Ground) -> Outputs:
        task, examples = ground.task, ground.test
        if name == "repeat_last" and isinstance(task, Music):
            return ground.answer(flips(ground), examples)
        if not isinstance(task, Forecast) or not isinstance(examples, WindowExamples):
            raise UsageError(f"{name} forecasts series; the task '{task.name}' does not")
        return SERIES_BASELINES[name](examples, task.quantiles, task.season)

    return answer


BASELINES: Final[dict[str, Callable[[Ground], Outputs]]] = {
    "majority": _module(majority),
    "mean": _module(mean),
    "linear_filter": _module(linear_filter),
    "feed_forward": _module(feed_forward),
    "ngram_logistic": _ngrams,
    "logistic": _module(logistic),
    "kgram": _module(kgram),
    "windowed_gaussian": windowed_gaussian,
    "last_change": last_change,
    "constant": _module(transcription.constant),
    "nearest": _module(translation.nearest),
    "dictionary": _module(translation.dictionary),
    **{name: _series(name) for name in SERIES_BASELINES},
}
"""Name to what it says about the test part. A new baseline is one row; tasks name theirs in ``Task.baselines``."""


def baseline(
    name: str,
    task: Task,
    train: Table,
    valid: Table,
    test: Table,
    *,
    seed: int = 0,
    training: TrainingSettings | None = None,
    optimizer: OptimizerSettings | None = None,
) -> Outputs:
    """What the baseline ``name``, fitted on ``train``, says about ``test``: the same outputs as a model's.

    Args:
        name: a key of :data:`BASELINES`; the task says in ``Task.baselines`` which of them are its rivals.
        task: fitted on ``train``.
        train: what it learns from.
        valid: by which its settings are chosen; may be empty.
        test: what it answers.
        seed: of whatever is random.
        training: the budget of those that are trained: the model's own; None: the defaults.
        optimizer: the model's own; None: the defaults.

    Raises:
        UsageError: no such baseline, or it cannot serve this task.
    """
    return ask(
        name, Ground(task, train, valid, test, seed, training or TrainingSettings(), optimizer or OptimizerSettings())
    )


def ask(name: str, ground: Ground) -> Outputs:
    """:func:`baseline` on a ground that several of them share, so that files are read once for all."""
    if name not in BASELINES:
        raise UsageError(f"no baseline '{name}'.{nearest(name, list(BASELINES))}")
    return BASELINES[name](ground)
