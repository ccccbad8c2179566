"""prepare: from files and settings to examples of a fitted task; the same for the same recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ostinato.data import read
from ostinato.data.examples import Examples
from ostinato.data.layouts import Layout
from ostinato.data.readers.parallel import apart
from ostinato.data.settings import DataSettings
from ostinato.data.split import Division
from ostinato.data.table import Table
from ostinato.errors import DataError, UsageError, nearest
from ostinato.runs.model_folder import named
from ostinato.runs.reading import layout_for, layout_of, read_like
from ostinato.runs.recipe import Recipe
from ostinato.tasks import TASKS, Forecast, Task, infer


@dataclass(frozen=True)
class Prepared:
    """Everything a training needs.

    Args:
        recipe: resolved: defaults, under the task's, under what was chosen.
        reason: why this task.
        table: the main file.
        task: fitted on the training part.
        division: the parts as tables.
        train: the training part as the trainer reads it.
        valid: the validation part as the trainer reads it.
        test: the test part.
        notes: what a user should know of the data.
    """

    recipe: Recipe
    reason: str
    table: Table
    task: Task
    division: Division
    train: Examples
    valid: Examples
    test: Examples
    notes: tuple[str, ...]

    @property
    def sizes(self) -> tuple[str, str, str]:
        """What each part holds: rows, and where these are cut up, what they are cut into."""
        division = self.division
        parts = ((division.train, self.train), (division.valid, self.valid), (division.test, self.test))
        train, valid, test = (self.task.size(table, examples) for table, examples in parts)
        return train, valid, test


def prepare(chosen: Mapping[str, Any]) -> Prepared:
    """Reads, names the task, divides, fits on the training part, encodes.

    Args:
        chosen: settings by their full names, ``files.data`` among them.

    Raises:
        DataError: the files are wrong, or cannot serve the task.
        UsageError: a setting is wrong.
    """
    asked = Recipe.of(chosen)
    check_files(asked)
    table = read_first(asked.files.data, asked.data, layout_for(asked.task))
    recipe, reason = _resolve(table, asked, chosen)
    valid, test = (_beside(path, recipe.data, table) for path in (recipe.files.valid, recipe.files.test))
    kind = TASKS[recipe.task.name]
    if recipe.data.rows and kind is not Forecast:  # a forecast cuts the steps of each series
        table = table.take(np.arange(min(recipe.data.rows, len(table))))
    if recipe.training.seeds < 1:
        raise UsageError(f"training.seeds is {recipe.training.seeds}; it must be 1 or more")
    division = kind.divide(table, recipe.data, recipe.task, recipe.training.seed, valid, test)
    for name, part in (("training", division.train), ("test", division.test)):
        if not len(part):
            raise UsageError(f"the {name} part is empty: give it rows with data.valid and data.test, or --test FILE")
    task = kind.fit(division.train, recipe.data, recipe.task).equipped(named)
    size = recipe.training.batch_size
    return Prepared(
        recipe=recipe,
        reason=reason,
        table=table,
        task=task,
        division=division,
        train=task.lay_out(task.examples(division.train), size),
        valid=task.lay_out(task.examples(division.valid), size),
        test=task.examples(division.test),
        notes=_notes(table, division, task),
    )


def check_files(recipe: Recipe) -> None:
    """Raises ``DataError`` for the first file that is not there: before the long work, not after it."""
    for path in (recipe.files.data, recipe.files.valid, recipe.files.test):
        for file in apart(path) if path else ():
            if not file.exists():
                raise DataError("does not exist: check the name and the folder", path=file)


def read_first(path: str, data: DataSettings, layout: Layout = "auto") -> Table:
    """The main file; the columns that settings name must be there, or be channels of its series."""
    table = read(path, data, layout)
    for name, role in ((data.target, "target"), (data.id, "id"), *((name, "input") for name in data.inputs)):
        known = [*table.columns, *(channel for column in table for channel in column.channels)]
        if name and name not in known:
            raise DataError(f"there is no column '{name}' to be the {role}.{nearest(name, known)}", path=table.path)
    return table


def _beside(path: str, data: DataSettings, like: Table) -> Table | None:
    """A validation or test file, read with the kinds of the main file."""
    if not path:
        return None
    return read_like(path, data, {column.name: column.kind.value for column in like}, layout_of(like))


def _resolve(table: Table, asked: Recipe, chosen: Mapping[str, Any]) -> tuple[Recipe, str]:
    """The recipe with the task's own defaults under what was chosen, and why this task."""
    name = asked.task.name
    if name and name not in TASKS:
        raise UsageError(f"there is no task '{name}'.{nearest(name, list(TASKS))}")
    choice = infer(table, asked.data, asked.task)
    recipe = Recipe.of(TASKS[choice.name].defaults, chosen)
    recipe = replace(recipe, task=replace(recipe.task, name=choice.name))
    if choice.target:
        recipe = replace(recipe, data=replace(recipe.data, target=choice.target))
    return recipe, choice.reason


def _notes(table: Table, division: Division, task: Task) -> tuple[str, ...]:
    notes = [*table.notes, *division.notes]
    for name, part in (("validation", division.valid), ("test", division.test)):
        notes += [f"{name} part: {note}" for note in (task.notes(part) if len(part) else ())]
    return tuple(dict.fromkeys(notes))
