"""Tally: adds up the losses of an epoch and raises the alarm when one is not a number or explodes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ostinato.errors import TrainingError
from ostinato.training.ledger import Ledger

EXPLODED = 1e6
"""A loss so many times the first one (or 1, if that is more) has exploded."""
LAG = 16
"""Updates between two looks at losses on an accelerator: each look waits for the device."""


class Tally:
    """Fills ``loss`` and ``answers`` of a ledger. On the CPU every loss is looked at before the weights move."""

    def __init__(self, ledger: Ledger, device: torch.device) -> None:
        self.ledger = ledger
        self.every = 1 if device.type == "cpu" else LAG
        self._pending: list[tuple[int, int, Tensor, Tensor | None]] = []

    def add(self, loss: Tensor, count: int, norm: Tensor | None) -> None:
        """One update: its mean loss over ``count`` answers, and the norm of its gradient where it is known.

        Raises:
            TrainingError: see :meth:`settle`.
        """
        step, loss = self.ledger.step + 1, loss.detach()
        if self.every == 1:
            self._count(step, count, float(loss), 0.0 if norm is None else float(norm))
            return
        self._pending.append((step, count, loss, norm))
        if len(self._pending) >= self.every:
            self.settle()

    def settle(self) -> None:
        """Looks at everything added so far.

        Raises:
            TrainingError: a loss or a norm is not finite, or a loss exploded; names epoch, step, value and the mend.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        losses = _numbers([loss for _, _, loss, _ in pending])
        norms = iter(_numbers([norm for _, _, _, norm in pending if norm is not None]))
        for loss, (step, count, _, norm) in zip(losses, pending, strict=True):
            self._count(step, count, loss, 0.0 if norm is None else next(norms))

    def _count(self, step: int, count: int, loss: float, norm: float) -> None:
        ledger = self.ledger
        place = f"epoch {ledger.epoch + 1}, step {step:,}"
        if not math.isfinite(loss):
            raise diverged(place, f"the loss is {loss}")
        if ledger.first_loss is None:
            ledger.first_loss = abs(loss)
        if loss > EXPLODED * max(1.0, ledger.first_loss):
            raise diverged(place, f"the loss exploded to {loss:.3g} (it began at {ledger.first_loss:.3g})")
        if not math.isfinite(norm):
            raise diverged(place, f"the norm of the gradient is {norm}")
        ledger.loss += loss * count
        ledger.answers += count


def diverged(place: str, what: str) -> TrainingError:
    """The error that says where a training broke down and what to try."""
    return TrainingError(
        f"{place}: {what}; the last good weights are kept. Try a lower optimizer.learning_rate, "
        "optimizer.clip_norm=1 (or lower), optimizer.warmup=0.05, or training.precision=float32; and look for huge or "
        "missing values in the data"
    )


def _numbers(tensors: list[Tensor]) -> list[float]:
    return [float(value) for value in torch.stack(tensors).tolist()] if tensors else []
