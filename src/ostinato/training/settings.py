"""The ``training`` and ``optimizer`` groups of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingSettings:
    """How long, on what, and with which backpropagation through time.

    Args:
        epochs: passes over the training part (of ``epoch_size`` examples each, if that is set).
        minutes: stop after so many minutes of training; 0: no limit.
        batch_size: ``B``.
        epoch_size: examples an epoch draws; 0: all.
        window: steps of truncated BPTT, the state carried over; 0: whole sequences.
        burn_in: first steps of each window that carry the state but no loss.
        patience: epochs without a better validation before training stops; 0: never (the schedule runs to its end, and
            the best epoch's weights are kept all the same).
        keep: whose weights are kept: ``best``, the epoch that does best on the validation part, or ``last``, which is
            surer where the schedule ends at 0 and the validation part is small; with ``patience`` always the best.
        watch: ``loss`` or a metric of the task, on the validation part; empty: the task's own.
        seed: everything random derives from it.
        seeds: trainings with seeds ``seed, seed + 1, …``; results carry their spread.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        checkpoint_seconds: a checkpoint is written so often within an epoch, beside the one at its end.
        precision: ``float32``, or ``auto``/``bfloat16``/``float16`` for automatic mixed precision.
    """

    epochs: int = 20
    minutes: float = 0.0
    batch_size: int = 32
    epoch_size: int = 0
    window: int = 0
    burn_in: int = 0
    patience: int = 0
    keep: Literal["best", "last"] = "best"
    watch: str = ""
    seed: int = 0
    seeds: int = 1
    device: str = "auto"
    checkpoint_seconds: float = 30.0
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights move.

    Args:
        name: ``sgd`` (with ``momentum``), ``adam`` or ``adamw``.
        learning_rate: the highest of the schedule.
        momentum: of SGD.
        weight_decay: decoupled for AdamW, an L2 penalty otherwise; biases are left out.
        schedule: ``constant``, ``cosine``, ``step`` (times ``decay`` every ``every`` epochs) or ``plateau`` (times
            ``decay`` after ``every`` epochs without a better validation).
        warmup: share of all steps over which the rate rises from 0.
        decay: factor of ``step`` and ``plateau``.
        every: epochs of ``step`` and ``plateau``.
        clip_norm: largest norm of the gradient; 0: no limit.
        clip_value: largest absolute value of a gradient; 0: no limit.
    """

    name: Literal["sgd", "adam", "adamw"] = "adam"
    learning_rate: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "step", "plateau"] = "cosine"
    warmup: float = 0.0
    decay: float = 0.5
    every: int = 3
    clip_norm: float = 1.0
    clip_value: float = 0.0
