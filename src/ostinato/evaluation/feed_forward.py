"""feed_forward: the network without memory, trained as the model was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.evaluation.ground import Ground
from ostinato.models import FeedForward
from ostinato.models.feed_forward_writer import FeedForwardWriter
from ostinato.models.forecast import FeedForwardForecast
from ostinato.tasks.signal import Signal
from ostinato.training import Trainer
from ostinato.training.bptt import why_not_carried

LAST_STEPS = 64
"""Most steps at the end of a sequence that it sees before it answers for the whole."""
STEPS_BEFORE = 16
"""Steps it sees before it says the next symbol."""
STEPS_HEARD, UNITS = 64, 32
"""Steps of a signal that it sees, and units of its layers: signals have many steps, and networks for them are small."""
MOST_STEPS = 20_000_000
"""Steps of signals that it is trained on, in whole epochs: by then it has long stopped to learn."""
STEPS_AROUND = 7
"""Steps it sees around the one it tags."""


def feed_forward(ground: Ground) -> nn.Module:
    """:class:`~ostinato.models.FeedForward` with the model's trainer, seed, optimizer and most epochs.

    It sees the last steps of a sequence (as many as 95 % of the training sequences have, at most :data:`LAST_STEPS`),
    the :data:`STEPS_BEFORE` steps before the next symbol, the last :data:`STEPS_HEARD` of a signal,
    :data:`STEPS_AROUND` steps around the one to tag, or the same look-back as a forecaster. Of long signals it is shown
    :data:`MOST_STEPS` at most.
    """
    task, training = ground.task, replace(ground.training, seed=ground.seed, seeds=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ground.seed)
        model = build(ground)
    if isinstance(task, Signal):
        most = MOST_STEPS // max(1, int(ground.train.lengths.sum()))
        training = replace(training, epochs=max(1, min(training.epochs, most)))
    if why_not_carried(model, task):
        training = replace(training, window=0, burn_in=0)
    train, valid = (task.lay_out(part, training.batch_size) for part in (ground.train, ground.valid))
    Trainer(model, task, train, valid, training, ground.optimizer).fit()
    return model


def build(ground: Ground) -> nn.Module:
    """The network, not trained yet."""
    spec = ground.task.spec
    if spec.outputs == "horizon":
        return FeedForwardForecast(spec)
    if spec.outputs == "text":
        return FeedForwardWriter(spec)
    if isinstance(ground.task, Signal):
        return FeedForward(spec, look_back=STEPS_HEARD, hidden=UNITS)
    if spec.outputs == "sequence":
        return FeedForward(spec, look_back=_usual(ground.train.lengths))
    return FeedForward(spec, look_back=STEPS_BEFORE if spec.causal else STEPS_AROUND)


def _usual(lengths: Tensor) -> int:
    """The length that 95 % of the sequences do not exceed, between 1 and :data:`LAST_STEPS`."""
    if not len(lengths):
        return 1
    return max(1, min(LAST_STEPS, int(np.quantile(lengths.numpy(), 0.95, method="higher"))))
