"""Heads: what the numbers of a forecaster mean: quantiles, or the parameters of a distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from scipy import special, stats
from torch import Tensor
from torch.distributions import NegativeBinomial, StudentT

NARROWEST = 1e-3
"""Least width of a distribution, in scaled units: a series that often stands still must not make it a point."""
POISSON = 1e8
"""Largest ``r`` of a negative binomial distribution, which is a Poisson distribution by then."""


@dataclass(frozen=True)
class Scaling:
    """``(B,)`` level and scale of each window: ``x = level + scale z``; float64 on the CPU."""

    level: Tensor
    scale: Tensor


class Head(ABC):
    """What the ``P`` numbers ``(B, horizon, P)`` of a model say about each step, ``z`` being scaled values."""

    size: int

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor, scaling: Scaling) -> tuple[Tensor, int]:
        """The mean over the targets ``(B, horizon)`` that are not NaN, and how many there are."""

    @abstractmethod
    def quantiles(self, output: Tensor, scaling: Scaling, levels: Sequence[float]) -> np.ndarray:
        """``(B, horizon, Q)`` in the units of the series, ascending."""

    @abstractmethod
    def at(self, output: Tensor, scaling: Scaling, levels: np.ndarray) -> np.ndarray:
        """``(B, horizon)``: the quantile of level ``levels`` ``(B,)`` of each window."""


@dataclass(frozen=True)
class Quantiles(Head):
    """A number a quantile of ``levels``; learned by the pinball loss. Nothing is assumed about the distribution."""

    levels: tuple[float, ...]

    @property
    def size(self) -> int:  # type: ignore[override]
        """``Q``."""
        return len(self.levels)

    def loss(self, output: Tensor, target: Tensor, scaling: Scaling) -> tuple[Tensor, int]:
        """Twice the mean pinball loss of the scaled forecast: with the quantile 0.5 alone, the absolute error."""
        del scaling
        levels = torch.tensor(self.levels, dtype=output.dtype, device=output.device)
        known = torch.isfinite(target)
        below = (torch.where(known, target, 0.0)[..., None] - output) * known[..., None]
        count = int(known.sum())
        return 2 * torch.maximum(levels * below, (levels - 1) * below).mean(dim=-1).sum() / max(count, 1), count

    def quantiles(self, output: Tensor, scaling: Scaling, levels: Sequence[float]) -> np.ndarray:
        """Sorted, so that they never cross; of the head's own levels only."""
        assert tuple(levels) == self.levels
        z = output.detach().to("cpu", torch.float64).sort(dim=-1).values
        values: np.ndarray = (scaling.level[:, None, None] + scaling.scale[:, None, None] * z).numpy()
        return values

    def at(self, output: Tensor, scaling: Scaling, levels: np.ndarray) -> np.ndarray:
        """See :func:`quantile_at`."""
        return quantile_at(self.quantiles(output, scaling, self.levels), self.levels, levels)


class Student(Head):
    """``z = m + s t`` with ``t`` of Student's distribution with ``v`` degrees of freedom; learned by likelihood.

    ``m = o[0]``, ``s = softplus(o[1]) + 0.001``, ``v = 2 + softplus(o[2])``. For heavy tails: a few large errors do not
    widen the bands of all other steps, as they would with a normal distribution. A constant series teaches nothing.
    """

    size = 3

    def loss(self, output: Tensor, target: Tensor, scaling: Scaling) -> tuple[Tensor, int]:
        """The mean of ``-log p(z)``."""
        known = torch.isfinite(target) & (scaling.scale > 0).to(target.device)[:, None]
        middle, width, freedom = self._parameters(output)
        spread = StudentT(freedom, middle, width, validate_args=False)
        return _mean(-spread.log_prob(torch.where(known, target, middle.detach())), known)

    def quantiles(self, output: Tensor, scaling: Scaling, levels: Sequence[float]) -> np.ndarray:
        """``level + scale (m + s t(q))``."""
        return np.stack([self._quantile(output, scaling, np.float64(level)) for level in levels], axis=-1)

    def at(self, output: Tensor, scaling: Scaling, levels: np.ndarray) -> np.ndarray:
        """As :meth:`quantiles`, a level a window."""
        return self._quantile(output, scaling, levels[:, None])

    def _quantile(self, output: Tensor, scaling: Scaling, level: np.ndarray | np.float64) -> np.ndarray:
        parameters = self._parameters(output.detach().to("cpu", torch.float64))
        middle, width, freedom = (part.numpy() for part in parameters)
        z = middle + width * special.stdtrit(freedom, level)
        values: np.ndarray = scaling.level.numpy()[:, None] + scaling.scale.numpy()[:, None] * z
        return values

    def _parameters(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        middle, width, freedom = output.unbind(dim=-1)
        return middle, F.softplus(width) + NARROWEST, 2 + F.softplus(freedom)


class Counts(Head):
    """Counts of a negative binomial distribution of mean ``m`` and variance ``m + m² / r``; learned by likelihood.

    With the level ``l`` and the scale ``c`` of the series (1 where it is constant)::

        m = c softplus((l + c o[0]) / c)          about l + c o[0], but never below 0
        r = ((m + c) / (c w))²,  w = softplus(o[1]) + 0.001

    so the deviation beyond that of a Poisson distribution is about ``c w`` where counts are large, and ``w m`` where
    they are few: a shop that sells thousands and one that sells two can share the weights.
    """

    size = 2

    def loss(self, output: Tensor, target: Tensor, scaling: Scaling) -> tuple[Tensor, int]:
        """The mean of ``-log p(x)``; in float64 on the CPU, since it is a difference of large logarithms."""
        known = torch.isfinite(target.cpu())
        counts = (
            scaling.level[:, None] + scaling.scale[:, None] * torch.where(known, target.cpu().double(), 0.0)
        ).round()
        mean, shape = self._parameters(output.to("cpu", torch.float64), scaling)
        spread = NegativeBinomial(shape, logits=mean.log() - shape.log(), validate_args=False)
        return _mean(-spread.log_prob(counts.clamp(min=0)), known)

    def quantiles(self, output: Tensor, scaling: Scaling, levels: Sequence[float]) -> np.ndarray:
        """The least count whose probability to be reached is ``q``; a constant series is what it was."""
        return np.stack([self._quantile(output, scaling, np.float64(level)) for level in levels], axis=-1)

    def at(self, output: Tensor, scaling: Scaling, levels: np.ndarray) -> np.ndarray:
        """As :meth:`quantiles`, a level a window."""
        return self._quantile(output, scaling, levels[:, None])

    def _quantile(self, output: Tensor, scaling: Scaling, level: np.ndarray | np.float64) -> np.ndarray:
        mean, shape = (part.numpy() for part in self._parameters(output.detach().to("cpu", torch.float64), scaling))
        counts = stats.nbinom.ppf(level, shape, shape / (shape + mean))
        return np.where(scaling.scale.numpy()[:, None] > 0, counts, scaling.level.numpy()[:, None])

    def _parameters(self, output: Tensor, scaling: Scaling) -> tuple[Tensor, Tensor]:
        unit = torch.where(scaling.scale > 0, scaling.scale, 1.0)[:, None]
        mean = unit * (F.softplus(scaling.level[:, None] / unit + output[..., 0]) + 1e-6)
        width = F.softplus(output[..., 1]) + NARROWEST
        return mean, ((mean + unit) / (unit * width)).square().clamp(max=POISSON)


HEADS: Final[dict[str, Callable[[tuple[float, ...]], Head]]] = {
    "quantiles": Quantiles,
    "student_t": lambda _levels: Student(),
    "negative_binomial": lambda _levels: Counts(),
}
"""Name (``task.head``) to the head for the levels of the quantiles."""


def quantile_at(quantiles: np.ndarray, levels: Sequence[float], at: np.ndarray) -> np.ndarray:
    """The quantile of level ``at`` ``(W,)`` of each forecast ``(W, horizon, Q)``; linear in ``Φ⁻¹``, also beyond."""
    known = special.ndtri(np.asarray(levels, dtype=np.float64))
    score = special.ndtri(at)
    left = np.clip(np.searchsorted(known, score) - 1, 0, len(known) - 2)
    rows = np.arange(len(at))
    low, high = quantiles[rows, :, left], quantiles[rows, :, left + 1]
    share = ((score - known[left]) / (known[left + 1] - known[left]))[:, None]
    between: np.ndarray = low + (high - low) * share
    return between


def _mean(losses: Tensor, known: Tensor) -> tuple[Tensor, int]:
    count = int(known.sum())
    return torch.where(known, losses, 0.0).sum() / max(count, 1), count
