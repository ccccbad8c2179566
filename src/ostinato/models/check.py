"""Whether a recipe's ``model`` group makes sense for a task: said before anything is built."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from ostinato.data.spec import Spec
from ostinato.errors import UsageError, nearest
from ostinato.models.settings import FORGETTING, GATELESS, HEADED, ModelSettings


def check(spec: Spec, settings: ModelSettings) -> None:
    """Says nothing where all is well.

    Raises:
        UsageError: a size, share or name is wrong, or settings do not fit each other or the task; says how to mend it.
    """
    _names(settings)
    _numbers(settings)
    if spec.causal and settings.bidirectional:
        raise UsageError("a model that tells what comes next cannot read from the end: set model.bidirectional=false")
    if settings.segment > 1 and spec.outputs != "sequence":
        raise UsageError(
            "steps can be read several at once only where a sequence has one answer: set model.segment=1"
            + (" (a forecaster has task.segment)" if spec.outputs == "horizon" else "")
        )
    _start(settings)
    if settings.tied:
        _tied(spec)
    if settings.skip and (spec.inputs != "values" or spec.outputs != "step"):
        raise UsageError(
            "model.skip adds values to an answer a step, and this task has none such: set model.skip=false"
        )


def _start(settings: ModelSettings) -> None:
    chrono = settings.init == "chrono"
    if settings.forget_bias != ModelSettings.forget_bias:
        if settings.cell not in FORGETTING:
            raise UsageError(
                f"a '{settings.cell}' has no forget gate: leave model.forget_bias out or set model.cell=lstm"
            )
        if chrono:
            raise UsageError("model.init=chrono draws the forget gate's bias: leave model.forget_bias out")
    if settings.cell in HEADED and settings.hidden % settings.heads:
        raise UsageError(
            f"model.hidden={settings.hidden} cannot be cut into {settings.heads} heads: set model.heads to a divisor"
        )
    if settings.cell in HEADED and settings.learned_state:
        raise UsageError(f"a '{settings.cell}' begins with an empty memory: set model.learned_state=false")
    if chrono and settings.cell in GATELESS:
        raise UsageError(f"model.init=chrono is for gates, and a '{settings.cell}' has none: set model.init=orthogonal")
    if chrono and settings.max_lag < 2:
        raise UsageError("model.init=chrono needs the longest lag that matters, in steps: set model.max_lag=…")
    if settings.max_lag and not chrono:
        raise UsageError("model.max_lag is for model.init=chrono: set that too, or leave model.max_lag out")


def _tied(spec: Spec) -> None:
    if spec.outputs == "text":
        return
    if spec.inputs != "ids":
        raise UsageError("the inputs are values, so there is no embedding to tie the outputs to: set model.tied=false")
    if spec.outputs != "step" or spec.output_size != spec.input_size:
        raise UsageError(
            f"tied weights need the same symbols in and out, but {spec.input_size:,} go in and {spec.output_size:,} "
            "come out: set model.tied=false"
        )


def _names(settings: ModelSettings) -> None:
    """Each setting that is one of a few words is one of them."""
    for key, hint in get_type_hints(ModelSettings).items():
        known: tuple[Any, ...] = get_args(hint)
        value = getattr(settings, key)
        if known and value not in known:
            raise UsageError(f"model.{key} cannot be '{value}'.{nearest(str(value), list(known))}")


def _numbers(settings: ModelSettings) -> None:
    for key, least in (("hidden", 1), ("heads", 1), ("layers", 1), ("segment", 1), ("embedding", 0), ("max_lag", 0)):
        value = getattr(settings, key)
        if value < least:
            raise UsageError(f"model.{key} must be at least {least}, not {value}")
    for key in ("dropout", "embedding_dropout", "symbol_dropout", "scheduled_sampling"):
        value = getattr(settings, key)
        if not 0.0 <= value < 1.0:
            raise UsageError(f"model.{key} is a share from 0 to under 1, not {value}")
