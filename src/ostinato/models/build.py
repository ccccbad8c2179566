"""From a spec and a recipe to a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.models.sequence import SequenceModel
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import State
from ostinato.sequences import Ragged


class Model(Protocol):
    """What every model can do; see :class:`~ostinato.models.SequenceModel` for the shapes."""

    spec: Spec
    settings: ModelSettings

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs of the stack."""
        ...

    def __call__(
        self, batch: Batch, state: State | None = None, embedded: Ragged | None = None
    ) -> tuple[Tensor, State]:
        """Answers and the state after the last step."""
        ...


def _sequence(spec: Spec, settings: ModelSettings, _task: object) -> nn.Module:
    return SequenceModel(spec, settings)


def _forecast(spec: Spec, settings: ModelSettings, task: object) -> nn.Module:
    from ostinato.models.forecast import ForecastModel

    return cast(nn.Module, ForecastModel(spec, settings, cast(Any, task)))


MODELS: Final[dict[str, Callable[[Spec, ModelSettings, object], nn.Module]]] = {
    "sequence": _sequence,
    "step": _sequence,
    "horizon": _forecast,
}
"""What is built for each :attr:`Spec.outputs <ostinato.data.spec.Spec.outputs>`."""


def build(spec: Spec, settings: ModelSettings, task: object) -> nn.Module:
    """The model for a task: ``forward(batch, state=None, embedded=None) -> (answers, state)`` and ``embed(batch)``.

    Args:
        spec: sizes of the examples.
        settings: the ``model`` group of the recipe.
        task: the ``task`` group of the recipe (:class:`~ostinato.tasks.settings.TaskSettings`), which only a forecast
            reads; not named as a type because models and tasks stand side by side.

    Weights are drawn from torch's own random numbers, so seed them before.

    Raises:
        UsageError: the settings do not fit each other or the task; the message says how to mend it.
    """
    return MODELS[spec.outputs](spec, settings, task)
