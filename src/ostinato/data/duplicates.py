"""Duplicates: rows of the test part whose inputs were already learned from."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path
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
    """One hashable value a row: equal for rows with equal inputs; without input columns every row is its own.

    Files of sound, film and images are equal where their bytes are.
    """
    chosen = input_columns(table, settings, settings.target)
    names = (*chosen.sequence, *chosen.static)
    if not names:
        return list(range(len(table)))
    return list(zip(*([_key(value) for value in table[name].values] for name in names), strict=True))


def _key(value: Any) -> Any:
    if isinstance(value, Path):
        return _digest(value)
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return tuple(value)
    return repr(value) if isinstance(value, float) else value  # NaN equals NaN here


def _digest(path: Path) -> Any:
    """By the bytes of a file, or of the files of a folder; a file that cannot be read is its own."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        digests = []
        for one in files:
            with one.open("rb") as file:
                digests.append(file_digest(file, "sha256").digest())
    except OSError:  # whoever reads the file says so
        return path
    return b"".join(digests)
