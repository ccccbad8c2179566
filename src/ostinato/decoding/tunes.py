"""Tunes: a model of music is fed what it plays, step by step, and so goes on with a tune."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.decoding.sampling import Sampling
from ostinato.decoding.step import Stepper
from ostinato.errors import UsageError
from ostinato.tasks.base import Task
from ostinato.tasks.music import Music


def continuation(
    model: nn.Module,
    task: Task,
    given: Tensor,
    *,
    length: int = 64,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> np.ndarray:
    """What comes after the steps ``given``: ``(length, K)`` bool; the same for the same seed.

    At every step each key sounds with its own probability ``sigmoid(logit / temperature)``, drawn on its own (0: where
    that is above one half); with ``top_k`` only the ``k`` likeliest keys may.

    Args:
        model: of :func:`ostinato.models.build`, trained for this task.
        task: music.
        given: ``(T, K)`` zeros and ones, as :meth:`Music.tunes <ostinato.tasks.music.Music.tunes>` gives them.
        length: steps.
        sampling: temperature and ``top_k``.
        seed: 0 or more.

    Raises:
        UsageError: the task is not music, there is no step to go on from, or a value is out of its range.
    """
    keys, scale, sampling = len(music(task).keys), music(task).scale, sampling or Sampling()
    if length < 0 or seed < 0:
        raise UsageError(f"length and seed are 0 or more, not {length} and {seed}")
    if sampling.top_p < 1.0:
        raise UsageError("top-p is for symbols of which one is drawn; of keys many sound at once: use --top-k")
    if not len(given):
        raise UsageError("a tune to go on from has at least one step")
    random = np.random.default_rng([seed, 0])
    played = np.zeros((length, keys), dtype=bool)
    if length:
        stepper = Stepper(model)
        logits, state = stepper.begin(given.float() * scale)
        for step in range(length):
            played[step] = _drawn(logits[0].double().cpu().numpy(), sampling, random.random(keys))
            if step + 1 < length:
                logits, state = stepper.advance(torch.from_numpy(played[step : step + 1]).float() * scale, state)
    return played


def music(task: Task) -> Music:
    """The task, if it is music; raises ``UsageError`` otherwise."""
    if not isinstance(task, Music):
        raise UsageError(f"only a model of music plays; this model was trained for the task '{task.name}'")
    return task


def _drawn(logits: np.ndarray, sampling: Sampling, uniforms: np.ndarray) -> np.ndarray:
    """Which keys sound: ``(K,)`` bool."""
    if sampling.temperature == 0.0:
        chosen = logits > 0
    else:
        with np.errstate(over="ignore"):  # a temperature near 0: infinite logits are certain
            chosen = uniforms < 1.0 / (1.0 + np.exp(-logits / sampling.temperature))
    if 0 < sampling.top_k < len(logits):
        unlikely = np.argsort(-logits, kind="stable")[sampling.top_k :]
        chosen[unlikely] = False
    return chosen
