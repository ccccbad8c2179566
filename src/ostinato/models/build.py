"""From a spec and a recipe to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import nn

from ostinato.data.spec import Spec
from ostinato.models.forecast import DecodeSettings, ForecastModel
from ostinato.models.sequence import SequenceModel
from ostinato.models.settings import ModelSettings
from ostinato.models.writer import Writer


def _sequence(spec: Spec, settings: ModelSettings, _task: DecodeSettings) -> nn.Module:
    return SequenceModel(spec, settings)


def _writer(spec: Spec, settings: ModelSettings, _task: DecodeSettings) -> nn.Module:
    return Writer(spec, settings)


MODELS: Final[dict[str, Callable[[Spec, ModelSettings, DecodeSettings], nn.Module]]] = {
    "sequence": _sequence,
    "step": _sequence,
    "horizon": ForecastModel,
    "text": _writer,
}
"""What is built for each :attr:`Spec.outputs <ostinato.data.spec.Spec.outputs>`."""


def build(spec: Spec, settings: ModelSettings, task: DecodeSettings) -> nn.Module:
    """The model for a task: ``forward(batch, state=None, embedded=None) -> (answers, state)`` and ``embed(batch)``.

    Weights are drawn from torch's own random numbers, so seed them before.

    Args:
        spec: sizes of the examples.
        settings: the ``model`` group of the recipe.
        task: the ``task`` group of the recipe, of which only a forecast reads anything.

    Raises:
        UsageError: the settings do not fit each other or the task; the message says how to mend it.
    """
    return MODELS[spec.outputs](spec, settings, task)
