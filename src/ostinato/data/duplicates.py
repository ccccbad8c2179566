"""Duplicates: rows of the test part whose inputs were already learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ostinato.data.features import input_columns
from ostinato.data.settings import DataSettings
from ostinato.data.table import Table


def duplicates(train: Table, test: Table, settings: DataSettings) -> int:
    """How many rows of ``test`` have the same inputs (every input column, to the letter) as a row of ``train``."""
    if not len(train) or not len(test):
        return 0
    known = set(input_keys(train, settings))
    return sum(key in known for key in input_keys(test, settings))


def input_keys(table: Table, settings: DataSettings) -> list[Any]:
    """One hashable value a row: equal for rows with equal inputs; without input columns every row is its own."""
    chosen = input_columns(table, settings, settings.target)
    names = (*chosen.sequence, *chosen.static)
    if not names:
        return list(range(len(table)))
    return list(zip(*([_key(value) for value in table[name].values] for name in names), strict=True))


def _key(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return tuple(value)
    return repr(value) if isinstance(value, float) else value  # NaN equals NaN here
