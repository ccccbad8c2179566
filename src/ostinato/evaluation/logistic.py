"""logistic: logistic regression on all numbers of a sequence at once, the plain rival for images."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.errors import UsageError
from ostinato.evaluation.ground import Ground
from ostinato.sequences import Ragged
from ostinato.sequences.padded import to_padded
from ostinato.tasks.base import target_array

STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse strengths of the L2 penalty that are tried; without a validation part the middle one is taken."""
NEVER = 1e-9
"""Probability of a label without a training example, and the least of any."""


class Logistic(nn.Module):
    """``p = softmax(W [x[1]; …; x[T]; static] + b)`` as a model: log probabilities ``(B, K)``.

    Bytes are shares of 255. A sequence longer than those of the training is cut, a shorter one filled up with zeros.

    Args:
        steps: ``T``, the longest of the training part.
        regression: scikit-learn's, fitted.
        outputs: ``K``.
    """

    def __init__(self, steps: int, regression: Any, outputs: int) -> None:
        super().__init__()
        self.steps, self.regression, self.outputs = steps, regression, outputs

    def forward(self, batch: Batch, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``(B, K)``, and no state."""
        del state
        chances = self.regression.predict_proba(flat(batch.inputs, batch.static, self.steps))
        answers = np.full((len(batch), self.outputs), NEVER)
        answers[:, self.regression.classes_] = np.maximum(chances, NEVER)
        return torch.from_numpy(np.log(answers)).float(), ()


def logistic(ground: Ground) -> nn.Module:
    """:class:`Logistic` of the training part; the validation part chooses the penalty.

    Raises:
        UsageError: the task does not give a label to a sequence of numbers; there is only one label.
    """
    spec, examples = ground.task.spec, ground.train
    inputs, static = getattr(examples, "inputs", None), getattr(examples, "static", None)
    truth = target_array(examples)
    if spec.outputs != "sequence" or spec.inputs != "values" or not np.issubdtype(truth.dtype, np.integer):
        raise UsageError(f"logistic labels sequences of numbers; the task '{ground.task.name}' does not")
    assert isinstance(inputs, Ragged)
    rows = np.flatnonzero(truth >= 0)
    if len(np.unique(truth[rows])) < 2:
        raise UsageError("logistic needs two labels in the training part")
    steps = int(inputs.lengths.max())
    numbers = flat(inputs, static, steps)[rows]
    strengths = STRENGTHS if len(ground.valid) else STRENGTHS[1:2]
    fitted = [Logistic(steps, _fit(numbers, truth[rows], strength), spec.output_size) for strength in strengths]
    merits = [ground.merit(model) for model in fitted]
    return fitted[int(np.nanargmax(merits)) if not np.isnan(merits).all() else len(merits) // 2]


def flat(inputs: Ragged, static: Tensor | None, steps: int) -> np.ndarray:
    """All numbers of each sequence side by side, ``(B, steps * C + S)`` float32."""
    padded = to_padded(inputs.slice(0, steps), batch_first=True, total_length=steps).flatten(1).cpu()
    numbers = padded / 255.0 if padded.dtype == torch.uint8 else padded.float()
    if static is not None:
        numbers = torch.cat([numbers, static.cpu().float()], dim=1)
    found: np.ndarray = numbers.numpy()
    return found


def _fit(numbers: np.ndarray, truth: np.ndarray, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a baseline are not worth the wait
        return LogisticRegression(C=strength, max_iter=200).fit(numbers, truth)
