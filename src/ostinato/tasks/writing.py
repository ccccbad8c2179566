"""Writing: which column a language model writes, and what it is given to write from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ostinato.data.settings import DataSettings
from ostinato.data.static import STATIC_KINDS, Static
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, nearest
from ostinato.tasks.targets import candidates


@dataclass(frozen=True)
class Writing:
    """The column of texts, and the columns (numbers, categories) that are the condition."""

    text: str
    conditions: tuple[str, ...]

    KINDS: ClassVar[frozenset[Kind]] = frozenset({Kind.TEXT, Kind.TOKENS, Kind.DNA, Kind.CATEGORY, Kind.ID})


def writing(table: Table, data: DataSettings) -> Writing:
    """The target, or the only text among the inputs or in the table; other named inputs are the condition.

    Raises:
        DataError: there is no text column or no way to choose one; an input is itself a sequence.
    """
    named = [table[name] for name in data.inputs]
    if data.target:
        text = table[data.target]
        if text.kind not in Writing.KINDS:
            raise DataError(f"a {text.kind.value} column is no text", path=table.path, column=text.name)
    else:
        texts = [column.name for column in named if column.kind in {Kind.TEXT, Kind.TOKENS, Kind.DNA}]
        texts = texts or candidates(table, data, {Kind.TEXT, Kind.TOKENS, Kind.DNA})
        if len(texts) != 1:
            found = ", ".join(f"'{name}'" for name in texts or table.columns)
            problem = "several columns hold text" if texts else "no column holds text"
            raise DataError(f"{problem} ({found}); choose one with --target", path=table.path)
        text = table[texts[0]]
    conditions = [column for column in named if column.name != text.name]
    for column in conditions:
        if column.kind not in STATIC_KINDS:
            raise DataError(
                f"a {column.kind.value} column cannot be a condition: a text is written from numbers and categories",
                path=table.path,
                column=column.name,
            )
    return Writing(text.name, tuple(column.name for column in conditions))


def condition_row(condition: Static, values: Mapping[str, str | float]) -> Table:
    """One row that holds the condition.

    Raises:
        DataError: a column is missing or unknown, a label is unknown, or a number is none.
    """
    known = [column.name for column in condition.columns]
    for name in values:
        if name not in known:
            raise DataError(f"the model knows no condition '{name}'.{nearest(name, known)}")
    columns = {}
    for column in condition.columns:
        if column.name not in values:
            raise DataError("a value is needed to write from", column=column.name)
        value = values[column.name]
        if column.scaler is None:
            if str(value) not in column.labels:
                hint = nearest(str(value), list(column.labels))
                raise DataError(f"'{value}' never occurred in training.{hint}", column=column.name)
            columns[column.name] = Column(column.name, Kind.CATEGORY, [str(value)])
            continue
        try:
            columns[column.name] = Column(column.name, Kind.NUMBER, np.array([float(value)]))
        except ValueError as error:
            raise DataError(f"'{value}' is no number", column=column.name) from error
    return Table(columns)
