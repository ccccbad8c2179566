"""What all estimators share: scikit-learn's contract around a task, a model and one training."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ostinato.data import Kind, Table, from_rows
from ostinato.data.examples import Examples
from ostinato.data.settings import DataSettings
from ostinato.models import build
from ostinato.runs.model_folder import named
from ostinato.runs.recipe import Recipe
from ostinato.tasks import TASKS, Outputs, Task
from ostinato.training import History, Trainer, calibrated, predict
from ostinato.training.words import Told

Sequences = Any
"""What :func:`ostinato.data.from_rows` takes: lists, arrays, tensors, data frames."""


class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators; one of its subclasses is what you want.

    ``__init__`` only stores; all work is in ``fit``; what was learned ends in an underscore: ``task_`` (vocabularies,
    labels, scalers), ``model_`` (a ``torch.nn.Module``), ``history_`` (a row an epoch), ``recipe_`` (every setting),
    ``n_steps_seen_`` (steps of all training sequences).

    Args:
        cell: ``lstm``, ``gru``, ``rnn``, … : any that a recipe's ``model.cell`` takes.
        hidden: ``H``, hidden size of each direction; None: as the task has it.
        layers: ``L``.
        bidirectional: None: as the task has it.
        dropout: between layers and before the head; None: as the task has it.
        epochs: None: as the task has it.
        batch_size: None: as the task has it.
        learning_rate: None: as the task has it.
        valid: share of the rows that is not learned from; ``history_`` shows it, and the best epoch is chosen by it (a
            classifier keeps the last, see ``training.keep``). 0: all rows are learned from.
        random_state: the seed, a whole number.
        verbose: 1: a line an epoch is printed; 0: nothing.
        settings: any other recipe keys, ``{"model.pool": "mean"}``.
    """

    task_name: ClassVar[str]
    target_kind: ClassVar[Kind | None] = None

    def __init__(
        self,
        *,
        cell: str = "lstm",
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
        self.cell = cell
        self.hidden = hidden
        self.layers = layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.valid = valid
        self.random_state = random_state
        self.verbose = verbose
        self.settings = settings

    def _recipe(self) -> Recipe:
        """The task's defaults under this estimator's parameters under ``settings``."""
        parameters = {
            "model.cell": self.cell,
            "model.hidden": self.hidden,
            "model.layers": self.layers,
            "model.bidirectional": self.bidirectional,
            "model.dropout": self.dropout,
            "training.epochs": self.epochs,
            "training.batch_size": self.batch_size,
            "training.seed": self.random_state,
            "optimizer.learning_rate": self.learning_rate,
            "data.valid": self.valid,
            "data.test": 0.0,
            **self._task_settings(),
        }
        given = {key: value for key, value in parameters.items() if value is not None}
        return Recipe.of(TASKS[self.task_name].defaults, given, self.settings or {})

    def _task_settings(self) -> dict[str, Any]:
        """Recipe keys that a subclass's own parameters stand for."""
        return {}

    def _table(self, X: Sequences, y: Sequences, data: DataSettings) -> Table:
        return from_rows(X, y, data, target_kind=self.target_kind)

    def _fit(self, X: Sequences, y: Sequences) -> Self:
        """One training, on all rows but the validation share."""
        recipe = self._recipe()
        table = self._table(X, y, recipe.data)
        kind: type[Task] = TASKS[self.task_name]
        division = kind.divide(table, recipe.data, recipe.task, recipe.training.seed)
        task = kind.fit(division.train, recipe.data, recipe.task).equipped(named)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.training.seed)
            model = build(task.spec, recipe.model, recipe.task)
        size = recipe.training.batch_size
        train = task.lay_out(task.examples(division.train), size)
        valid = task.lay_out(task.examples(division.valid), size)
        told = (Told(),) if self.verbose else ()
        trainer = Trainer(model, task, train, valid, recipe.training, recipe.optimizer, callbacks=told)
        self.history_: History = trainer.fit()
        self.recipe_, self.task_, self.model_ = recipe, calibrated(model, task, valid), model
        self.n_steps_seen_ = int(train.lengths.sum())
        return self

    def _outputs(self, X: Sequences) -> tuple[Outputs, Table]:
        """What the model says of ``X``, and ``X`` as a table."""
        check_is_fitted(self, "model_")
        return self._outputs_of(self._table(X, None, self.recipe_.data))

    def _outputs_of(self, table: Table) -> tuple[Outputs, Table]:
        return self._said(self.task_.examples(table)), table

    def _said(self, examples: Examples) -> Outputs:
        model: nn.Module = self.model_
        return predict(model, self.task_, examples, window=self.recipe_.training.window)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = self.task_name in {"classify", "regress", "tag"}
        tags.non_deterministic = False
        return tags
