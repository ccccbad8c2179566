"""Forecaster: the next values of series."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ostinato.data import Table, from_rows
from ostinato.data.settings import DataSettings
from ostinato.decoding.roll_out import roll_out
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Forecast, Outputs


class Forecaster(SequenceEstimator):
    """Forecasts series, one or many in one model (many-to-many, fed back).

    ``X`` is an array ``(T,)``, a list of arrays ``(T,)`` or ``(T, C)``, or a long data frame with a time column and,
    for several series, an id column (name them in ``settings``: ``{"data.time": "ds", "data.id": "unique_id"}``).

    Args:
        horizon: steps to forecast.
        look_back: steps it sees; 0: chosen.
        season: steps of one season, or of several; 0: one is inferred.
        quantiles: to forecast; must hold 0.5, the point forecast.
        cell: as for :class:`~ostinato.estimators.base.SequenceEstimator`, like all that follow.

    >>> import numpy as np
    >>> wave = np.sin(np.arange(200.0) / 3)
    >>> Forecaster(horizon=4, hidden=8, epochs=1).fit(wave).predict().shape
    (4,)
    """

    task_name = "forecast"

    def __init__(
        self,
        *,
        horizon: int = 1,
        look_back: int = 0,
        season: int | tuple[int, ...] = 0,
        quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
        cell: str = "gru",
        hidden: int | None = None,
        layers: int = 1,
        bidirectional: bool | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        valid: float = 0.1,
        random_state: int = 0,
        verbose: int = 0,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            cell=cell,
            hidden=hidden,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            valid=valid,
            random_state=random_state,
            verbose=verbose,
            settings=settings,
        )
        self.horizon = horizon
        self.look_back = look_back
        self.season = season
        self.quantiles = quantiles

    def _task_settings(self) -> dict[str, Any]:
        return {
            "task.horizon": self.horizon,
            "task.look_back": self.look_back,
            "task.season": self.season,
            "task.quantiles": self.quantiles,
        }

    def _table(self, X: Sequences, y: Sequences, data: DataSettings) -> Table:
        del y
        if isinstance(X, np.ndarray) and X.ndim == 1:
            X = [X]
        return from_rows(X, None, data, layout=Forecast.reads)

    def fit(self, X: Sequences, y: Sequences = None) -> Self:
        """Trains on all of ``X`` but the last share ``valid``; keeps ``X`` as the history that :meth:`predict` goes on.

        ``y`` is not looked at.
        """
        del y
        self._history = X
        return self._fit(X, None)

    def predict(self, X: Sequences = None, *, horizon: int = 0) -> np.ndarray:
        """What follows ``X`` (None: the training series).

        ``(horizon,)`` for one channel of one series, else ``(channels of all series, horizon)``, series by series.
        """
        forecast: np.ndarray = self._roll(X, horizon)["forecast"]
        return forecast[0] if len(forecast) == 1 else forecast

    def predict_quantiles(self, X: Sequences = None, *, horizon: int = 0) -> np.ndarray:
        """As :meth:`predict`, with ``quantiles`` as a last axis."""
        quantiles: np.ndarray = self._roll(X, horizon)["quantiles"]
        return quantiles[0] if len(quantiles) == 1 else quantiles

    def _roll(self, X: Sequences, horizon: int) -> Outputs:
        check_is_fitted(self, "model_")
        assert isinstance(self.task_, Forecast)
        table = self._table(self._history if X is None else X, None, self.recipe_.data)
        return roll_out(self.model_, self.task_, table, horizon, seed=self.random_state)
