"""infer: which task a table and the settings ask for, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.table import SEQUENCE_KINDS, Column, Kind, Table
from ostinato.errors import DataError
from ostinato.tasks.settings import TaskSettings
from ostinato.tasks.targets import candidates, usual
from ostinato.tasks.translate import written_column

FEW_NUMBERS = 20
"""A target of at most so many different whole numbers, each seen ten times on average, is read as labels."""


_MEANT = {
    Kind.TAGS: ("tag", "has a label a step"),
    Kind.SERIES: ("forecast", "is a series"),
    Kind.AUDIO: ("signal", "is sound to be made of sound"),
    Kind.MIDI: ("music", "holds files of notes"),
}
"""The task that a target's kind alone decides, and why."""


@dataclass(frozen=True)
class Choice:
    """A task: a key of ``TASKS``, why, and its target column (empty where it needs none)."""

    name: str
    reason: str
    target: str = ""


def infer(table: Table, data: DataSettings, settings: TaskSettings) -> Choice:
    """Names the task.

    In this order: the one asked for; a named target decides by its kind; then whatever the columns can only mean.

    Raises:
        DataError: the columns leave it open; the message says what to choose.
    """
    if settings.name == "translate":
        return Choice("translate", "asked for", written_column(table, data))
    if settings.name:
        return Choice(settings.name, "asked for", data.target)
    if data.target:
        if any(data.target in column.channels for column in table):
            return Choice("forecast", f"'{data.target}' is a channel of a series", data.target)
        return _by_target(table, table[data.target], data)
    choice = _of_series(table, settings) or _of_labels(table, data) or _of_speech(table, data) or _of_text(table, data)
    if choice is None:
        found = ", ".join(f"'{column.name}' ({column.kind.value})" for column in table) or "there is no column"
        raise DataError(f"the columns leave open what to predict: {found}; choose one with --target", path=table.path)
    return choice


def _of_series(table: Table, settings: TaskSettings) -> Choice | None:
    kinds = {column.kind for column in table}
    if settings.horizon > 1:
        return Choice("forecast", f"a horizon of {settings.horizon} steps is asked for")
    if {Kind.SERIES, Kind.TIME} <= kinds:
        return Choice("forecast", "there are series with times and no target")
    if Kind.SERIES in kinds and not kinds & {Kind.CATEGORY, Kind.TAGS, Kind.TEXT, Kind.TOKENS, Kind.DNA}:
        return Choice("forecast", "there are series and no target")
    return None


def _of_labels(table: Table, data: DataSettings) -> Choice | None:
    for name, kind, why in (("tag", Kind.TAGS, "has a label a step"), ("classify", Kind.CATEGORY, "holds labels")):
        found = usual(candidates(table, data, {kind}))
        if len(found) == 1 and _sequences(table, data, found[0]):
            return Choice(name, f"'{found[0]}' {why}", found[0])
        if len(found) > 1:
            names = ", ".join(f"'{one}'" for one in found)
            raise DataError(f"{names} could each be the target; choose one with --target", path=table.path)
    return None


def _of_speech(table: Table, data: DataSettings) -> Choice | None:
    kinds = {column.kind for column in table}
    found = candidates(table, data, {Kind.TEXT, Kind.TOKENS})
    if Kind.AUDIO in kinds and len(found) == 1:
        return Choice("transcribe", f"'{found[0]}' is text beside sounds", found[0])
    return None


def _of_text(table: Table, data: DataSettings) -> Choice | None:
    rest = [column for column in table if column.name not in {data.id, data.time} and column.kind != Kind.ID]
    if [column.kind for column in rest] == [Kind.AUDIO, Kind.AUDIO]:
        return Choice("signal", f"there are two sounds a row, '{rest[1].name}' from '{rest[0].name}'", rest[1].name)
    if len(rest) == 1 and rest[0].kind == Kind.MIDI:
        return Choice(
            "music", f"'{rest[0].name}' holds files of notes and there is nothing else to predict", rest[0].name
        )
    if len(rest) == 1 and rest[0].kind in {Kind.TEXT, Kind.TOKENS, Kind.DNA}:
        return Choice("language", f"'{rest[0].name}' is text and there is nothing else to predict", rest[0].name)
    return None


def _by_target(table: Table, target: Column, data: DataSettings) -> Choice:
    name, sequences = target.name, _sequences(table, data, target.name)
    if target.kind == Kind.NUMBER:
        return _of_numbers(target)
    if target.kind in _MEANT:
        task, why = _MEANT[target.kind]
        return Choice(task, f"'{name}' {why}", name)
    if target.kind in {Kind.TEXT, Kind.TOKENS, Kind.DNA} or (data.inputs and not sequences):
        if sequences:
            task = "transcribe" if sequences[0].kind == Kind.AUDIO else "translate"
            return Choice(task, f"'{name}' is {target.kind.value} to be written from '{sequences[0].name}'", name)
        given = ", ".join(f"'{one}'" for one in data.inputs)
        return Choice("language", f"'{name}' is text{f' to be written from {given}' if given else ''}", name)
    return Choice("classify", f"'{name}' holds labels", name)


def _of_numbers(target: Column) -> Choice:
    values = np.array([v for row, v in enumerate(target.values) if row not in target.missing], dtype=np.float64)
    values = values[~np.isnan(values)]
    different = len(np.unique(values))
    if (values == np.round(values)).all() and different <= min(FEW_NUMBERS, len(values) / 10):
        reason = f"'{target.name}' has {different} different whole numbers, read as labels (else --task regress)"
        return Choice("classify", reason, target.name)
    return Choice("regress", f"'{target.name}' is a number", target.name)


def _sequences(table: Table, data: DataSettings, target: str) -> list[Column]:
    """The sequence columns that can be inputs."""
    others = {target, data.id, data.time}
    named = set(data.inputs or table.columns) - others
    return [column for column in table if column.name in named and column.kind in SEQUENCE_KINDS]
