"""Updater: from a loss to new weights."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.training.settings import OptimizerSettings


class Updater:
    """Gradient, clipping (first each value, then the norm of all together) and the optimizer's step.

    Split in two so that a gradient can be looked at before it reaches the weights.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, settings: OptimizerSettings, scaler: torch.amp.GradScaler
    ) -> None:
        self.optimizer, self.settings, self.scaler = optimizer, settings, scaler
        self.weights: list[Tensor] = [weight for group in optimizer.param_groups for weight in group["params"]]

    def backward(self, loss: Tensor) -> Tensor | None:
        """Computes and clips the gradient; gives its norm before that where ``clip_norm`` needs it.

        Under a loss scale none is given: a gradient that is not finite is then an ordinary thing, which the scale
        answers by leaving the update out and growing smaller.
        """
        self.optimizer.zero_grad(set_to_none=True)
        scaled = self.scaler.is_enabled()
        (self.scaler.scale(loss) if scaled else loss).backward()  # type: ignore[no-untyped-call]
        clips = self.settings.clip_norm or self.settings.clip_value
        if scaled and clips:
            self.scaler.unscale_(self.optimizer)
        if self.settings.clip_value:
            torch.nn.utils.clip_grad_value_(self.weights, self.settings.clip_value)
        if not self.settings.clip_norm:
            return None
        norm = torch.nn.utils.clip_grad_norm_(self.weights, self.settings.clip_norm)
        return None if scaled else norm

    def step(self, rate: float) -> None:
        """Moves the weights."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
