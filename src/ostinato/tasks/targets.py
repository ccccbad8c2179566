"""Targets: which column is to be predicted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ostinato.data.settings import DataSettings
from ostinato.data.table import Kind, Table
from ostinato.errors import DataError


def candidates(table: Table, data: DataSettings, kinds: Collection[Kind]) -> list[str]:
    """Columns of these kinds that are neither id, time nor named inputs."""
    others = {data.id, data.time, *data.inputs}
    return [column.name for column in table if column.kind in kinds and column.name not in others]


def usual(names: list[str]) -> list[str]:
    """Of several columns the one that a shared task's files are made for, if one is among them; else all."""
    for name in ("upos", "ner", "pos", "tag", "tags", "label", "class", "target"):
        found = [one for one in names if one.lower() == name]
        if len(names) > 1 and len(found) == 1:
            return found
    return names


def with_target(table: Table, data: DataSettings, kinds: Collection[Kind]) -> DataSettings:
    """The settings with the target filled in: the one given, or the only column of these kinds.

    Raises:
        DataError: the target does not exist, or none is given and there is not exactly one column to choose.
    """
    if data.target:
        return replace(data, target=table[data.target].name)
    found = usual(candidates(table, data, kinds))
    if len(found) == 1:
        return replace(data, target=found[0])
    named = ", ".join(f"'{name}'" for name in found or table.columns)
    problem = "several columns could be the target" if found else "no column looks like a target"
    raise DataError(f"{problem} ({named}); choose one with --target", path=table.path)
