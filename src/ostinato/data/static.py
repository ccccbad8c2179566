"""Static: what does not change over a sequence (numbers, categories) as a vector of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ostinato.data.scaler import Scaler
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError, intact

STATIC_KINDS = frozenset({Kind.NUMBER, Kind.CATEGORY})


@dataclass(frozen=True)
class StaticColumn:
    """One column: a number gives its scaled value and whether it is missing; a category one place a label.

    A missing number is 0 (the mean) with the flag set; a missing or unknown category has its own, last place.

    Args:
        name: of the column.
        scaler: of a number, else None.
        labels: of a category.
    """

    name: str
    scaler: Scaler | None = None
    labels: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: Column) -> Self:
        """From the training part; raises ``ValueError`` unless the column is a number or a category."""
        if column.kind == Kind.NUMBER:
            return cls(column.name, scaler=Scaler.fit([_numbers(column)]))
        if column.kind != Kind.CATEGORY:
            raise ValueError(
                f"column '{column.name}' is {column.kind.value}: only a number or a category can be static"
            )
        return cls(column.name, labels=tuple(sorted(set(_present(column)))))

    @property
    def size(self) -> int:
        """Numbers a row."""
        return 2 if self.scaler else len(self.labels) + 1

    def encode(self, column: Column) -> np.ndarray:
        """``(rows, size)`` float64."""
        if self.scaler is None:
            place = {label: number for number, label in enumerate(self.labels)}
            rows = range(len(column))
            chosen = [
                len(self.labels) if r in column.missing else place.get(column.values[r], len(self.labels)) for r in rows
            ]
            one_hot: np.ndarray = np.eye(self.size)[chosen]
            return one_hot
        if column.kind != Kind.NUMBER:
            raise DataError(f"numbers are expected, but this is {column.kind.value}", column=self.name)
        scaled = self.scaler.encode(_numbers(column))
        missing = np.isnan(scaled)
        return np.concatenate([np.where(missing, 0.0, scaled), missing], axis=1)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        scaler = self.scaler.to_config() if self.scaler else None
        return {"name": self.name, "scaler": scaler, "labels": list(self.labels)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("a static column is damaged"):
            scaler = Scaler.from_config(config["scaler"]) if config["scaler"] is not None else None
            return cls(config["name"], scaler, tuple(config["labels"]))


@dataclass(frozen=True)
class Static:
    """Columns beside the sequence, end to end: a tensor ``(B, S)``."""

    columns: tuple[StaticColumn, ...] = ()

    @classmethod
    def fit(cls, table: Table, names: tuple[str, ...]) -> Self:
        """From the training part."""
        return cls(tuple(StaticColumn.fit(table[name]) for name in names))

    @property
    def size(self) -> int:
        """``S``."""
        return sum(column.size for column in self.columns)

    def encode(self, table: Table) -> Tensor | None:
        """``(rows, S)`` float32, or None where there are no columns.

        Raises:
            DataError: a column is missing or holds text where numbers belong.
        """
        if not self.columns:
            return None
        values = np.concatenate([column.encode(table[column.name]) for column in self.columns], axis=1)
        return torch.from_numpy(values.astype(np.float32))

    def to_config(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [column.to_config() for column in self.columns]

    @classmethod
    def from_config(cls, config: list[dict[str, Any]]) -> Self:
        """The inverse of :meth:`to_config`."""
        return cls(tuple(StaticColumn.from_config(column) for column in config))


def _numbers(column: Column) -> np.ndarray:
    """``(rows, 1)``, NaN where missing; raises ``DataError`` on an infinite value."""
    values = np.array(column.values, dtype=np.float64).reshape(-1, 1)
    values[list(column.missing)] = np.nan
    if np.isinf(values).any():
        raise DataError("an infinite value; leave it empty where it is missing", column=column.name)
    return values


def _present(column: Column) -> list[str]:
    return [value for row, value in enumerate(column.values) if row not in column.missing]
