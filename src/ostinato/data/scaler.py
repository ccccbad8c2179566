"""Scaler: every channel to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ostinato.errors import ModelFolderError


@dataclass(frozen=True)
class Scaler:
    """``(x - mean) / std`` for each of ``C`` channels.

    Fitted on the training part only. A channel that never changes is only shifted (its ``std`` is 1), one without any
    value is left as it is. One scaler a series is ``[Scaler.fit([one]) for one in series]``.

    Args:
        mean: ``(C,)``.
        std: ``(C,)``, positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, series: Sequence[np.ndarray]) -> Self:
        """From arrays ``(T, C)`` taken together; NaN counts as missing; the deviation is the population's.

        Raises:
            ValueError: no arrays, or arrays of different channels, or an infinite value.
        """
        values = np.concatenate([np.asarray(one, dtype=np.float64) for one in series])
        if values.ndim != 2 or np.isinf(values).any():
            raise ValueError("a scaler needs arrays (T, C) without infinite values")
        there = ~np.isnan(values)
        counts = np.maximum(there.sum(0), 1)
        mean = np.where(there, values, 0.0).sum(0) / counts
        std = np.sqrt(np.square(np.where(there, values - mean, 0.0)).sum(0) / counts)
        # Below rounding error of the mean the spread is an artefact of the sum: dividing by it would blow noise up.
        std[std <= 1e-12 * np.maximum(np.abs(mean), 1e-300)] = 1.0
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """``(*, C)`` to scaled values."""
        scaled: np.ndarray = (values - np.asarray(self.mean)) / np.asarray(self.std)
        return scaled

    def decode(self, values: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`encode`."""
        plain: np.ndarray = values * np.asarray(self.std) + np.asarray(self.mean)
        return plain

    def to_config(self) -> dict[str, Any]:
        """As JSON; floats survive the way there and back to the bit."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        mean, std = config.get("mean"), config.get("std")
        if not isinstance(mean, list) or not isinstance(std, list) or len(mean) != len(std):
            raise ModelFolderError("the scaler is damaged: it needs lists 'mean' and 'std' of equal length")
        if not np.isfinite([*mean, *std]).all() or min(std, default=1.0) <= 0:
            raise ModelFolderError("the scaler is damaged: its numbers must be finite and its 'std' positive")
        return cls(tuple(mean), tuple(std))
