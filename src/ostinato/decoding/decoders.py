"""Decoders: how an answer is found where a model's output is none yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.decoding import ctc, written
from ostinato.tasks.base import Task

Decode = Callable[[nn.Module, Batch, Tensor | None], Tensor]
"""From a model (in evaluation mode, without gradient), a batch, and the model's output where it is known already, to
the answers, as ``Task.outputs`` takes them."""

DECODERS: Final[dict[str, Callable[[Task, bool], Decode]]] = {"search": written.decoder, "ctc": ctc.decoder}
"""By :attr:`Task.decoder <ostinato.tasks.Task>`; made for a task, quick and greedy or with its beam."""


def decoder_of(task: Task, *, greedy: bool = False) -> Decode | None:
    """How the answers of a task are found; None where the model's output is the answer."""
    return DECODERS[task.decoder](task, greedy) if task.decoder else None
