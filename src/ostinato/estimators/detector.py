"""Detector: which steps of a series are unlike what its past led to expect."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ostinato.data import Table, from_rows
from ostinato.data.settings import DataSettings
from ostinato.estimators.base import SequenceEstimator, Sequences
from ostinato.tasks import Detect
from ostinato.tasks.detect_metrics import is_alarm, scores_of
from ostinato.tasks.detect_score import Scores


class Detector(SequenceEstimator):
    """Finds what does not come as expected in series (many-to-many, aligned); labels are not needed.

    ``X`` is an array ``(T,)`` or ``(T, C)``, a list of such, or a long data frame with a time column and, for several
    series, an id column (name them in ``settings``: ``{"data.time": "ds", "data.id": "unique_id"}``). Answers have a
    number a step, ``(T,)``, the steps of all series end to end; a step is judged by those before it alone, so give the
    past along with what is new. The signs are those of scikit-learn's outlier detectors: less is stranger.

    Args:
        alarms: the share of ordinary steps that may be outliers.
        quiet: steps after an alarm in which only a stranger step is another one.
        cell: as for :class:`~ostinato.estimators.base.SequenceEstimator`, like all that follow.

    >>> import numpy as np
    >>> wave = np.sin(np.arange(400.0) / 3)
    >>> model = Detector(hidden=8, epochs=2).fit(wave[:300])
    >>> wave[350] = 5
    >>> int(model.score_samples(wave)[300:].argmin())
    50
    """

    task_name = "detect"

    def __init__(
        self,
        *,
        alarms: float = 0.001,
        quiet: int = 100,
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
        self.alarms = alarms
        self.quiet = quiet

    def _task_settings(self) -> dict[str, Any]:
        return {"task.alarms": self.alarms, "task.quiet": self.quiet}

    def _table(self, X: Sequences, y: Sequences, data: DataSettings) -> Table:
        del y
        if isinstance(X, np.ndarray) and X.dtype != object:
            X = [X]
        return from_rows(X, None, data)

    def fit(self, X: Sequences, y: Sequences = None) -> Self:
        """Learns what comes next, on all of ``X`` but the last share ``valid``. ``y`` is not looked at."""
        del y
        return self._fit(X, None)

    def score_samples(self, X: Sequences) -> np.ndarray:
        """The score of each step with a minus: the less, the stranger; NaN where a value is missing."""
        return -np.concatenate([one.score for one in self._scores(X)])

    def decision_function(self, X: Sequences) -> np.ndarray:
        """``log10(chance / alarms)`` of each step: below 0 where it is rarer than asked for."""
        chance = np.concatenate([one.chance for one in self._scores(X)])
        found: np.ndarray = np.log10(chance / self.alarms)
        return found

    def predict(self, X: Sequences) -> np.ndarray:
        """-1 for an outlier, 1 for an ordinary step (and where a value is missing)."""
        found: np.ndarray = np.where(self.decision_function(X) < 0, -1, 1)
        return found

    def alarm(self, X: Sequences) -> np.ndarray:
        """Whether each step would ring, bool: an outlier that is stranger than the ``quiet`` steps before it."""
        return np.concatenate([is_alarm(one, self.alarms) for one in self._scores(X)])

    def _scores(self, X: Sequences) -> list[Scores]:
        check_is_fitted(self, "model_")
        assert isinstance(self.task_, Detect)
        examples = self.task_.examples(self._table(X, None, self.recipe_.data))
        return scores_of(self._said(examples), examples, self.quiet)
