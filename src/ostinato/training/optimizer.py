"""build_optimizer: the ``optimizer`` group of a recipe as a ``torch.optim`` optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.errors import UsageError, nearest
from ostinato.training.settings import OptimizerSettings


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """SGD with momentum, Adam or AdamW over the model's trainable weights, fused into one call a step.

    Weights of one dimension (biases, scales of norms) get no decay.

    Raises:
        UsageError: an unknown name or a number outside its range, or a model with nothing to train.
    """
    _check(settings)
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    if not named:
        raise UsageError("the model has no weight to train: all are frozen")
    groups: Any = _groups(named, settings.weight_decay)
    # One fused kernel updates all weights; it exists for these devices and for real floating numbers only.
    fused = all(w.device.type in ("cpu", "cuda") and w.is_floating_point() for _, w in named) or None
    rate = settings.learning_rate
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, fused=fused)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, fused=fused)


def _groups(named: list[tuple[str, nn.Parameter]], decay: float) -> list[dict[str, Any]]:
    """One group where nothing decays: each costs a call a step."""
    free = [weight for name, weight in named if not decay or _is_free(name, weight)]
    decayed = [weight for name, weight in named if decay and not _is_free(name, weight)]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _is_free(name: str, weight: Tensor) -> bool:
    return weight.dim() < 2 or name.rsplit(".", 1)[-1].startswith("bias")


def _check(settings: OptimizerSettings) -> None:
    """Raises ``UsageError`` for the first setting that cannot be."""
    for key, known in (("name", ["sgd", "adam", "adamw"]), ("schedule", ["constant", "cosine", "step", "plateau"])):
        value = getattr(settings, key)
        if value not in known:
            raise UsageError(f"optimizer.{key} '{value}' is unknown.{nearest(value, known)}")
    ranges = {
        "learning_rate": (0.0 < settings.learning_rate < float("inf"), "above 0"),
        "momentum": (0.0 <= settings.momentum < 1.0, "in [0, 1)"),
        "weight_decay": (0.0 <= settings.weight_decay < float("inf"), "0 or more"),
        "warmup": (0.0 <= settings.warmup <= 1.0, "a share in [0, 1]"),
        "decay": (0.0 < settings.decay <= 1.0, "in (0, 1]"),
        "every": (settings.every >= 1, "1 or more"),
        "clip_norm": (settings.clip_norm >= 0.0, "0 (no limit) or more"),
        "clip_value": (settings.clip_value >= 0.0, "0 (no limit) or more"),
    }
    for key, (fits, range_) in ranges.items():
        if not fits:
            raise UsageError(f"optimizer.{key} is {getattr(settings, key)}; it must be {range_}")
