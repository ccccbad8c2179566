"""signal_loss: how far a signal is from the one that is wanted."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ostinato.sequences import Ragged

Loss = Literal["mse", "mae", "esr"]
SILENCE = 1e-4
"""Mean energy of a scaled target that is added to what the error is divided by, so that silence cannot blow it up."""


def signal_loss(output: Tensor, targets: Ragged, name: Loss, emphasis: float = 0.0) -> tuple[Tensor, int]:
    """The mean squared or absolute error, or the error-to-signal ratio, and over how many numbers it is.

    ``esr`` is that of signals whose high frequencies are raised by a filter of first order (Wright et al. 2019,
    "Real-time black-box modelling with recurrent neural networks", DAFx)::

        esr = sum (f(y) - f(y'))^2 / sum f(y)^2,    f(y)[t] = y[t] - emphasis * y[t - 1]

    over all steps of all signals together; with an emphasis, the first step of a signal (or of its window) has no step
    before it and is left out.

    Args:
        output: ``(N, K)``, what was answered: ``y'``.
        targets: ``(N, K)``, what is wanted: ``y``; NaN is missing.
        name: ``mse``, ``mae`` or ``esr``.
        emphasis: from 0 to under 1.

    Returns:
        The loss and the count; 0 and 0 where nothing is wanted.
    """
    wanted = targets.values
    error = output - wanted
    if name == "esr" and emphasis:
        inside = torch.ones(max(len(wanted) - 1, 0), 1, dtype=torch.bool)
        starts = targets.offsets[1:-1]
        inside[starts[(starts > 0) & (starts < len(wanted))] - 1] = False
        error, wanted = (one[1:] - emphasis * one[:-1] for one in (error, wanted))
        given = ~wanted.isnan() & inside.to(wanted.device)
    else:
        given = ~wanted.isnan()
    count = int(given.sum())
    if not count:
        return output.sum() * 0.0, 0
    error = error.masked_select(given)
    if name == "mae":
        return error.abs().mean(), count
    energy = error.square().mean()
    if name == "mse":
        return energy, count
    return energy / (wanted.masked_select(given).square().mean() + SILENCE), count
