"""Channels: the values of a series, scaled, with a stated rule for missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from ostinato.data.scaler import Scaler
from ostinato.data.table import Table
from ostinato.errors import DataError, intact
from ostinato.sequences import Ragged


@dataclass(frozen=True)
class Channels:
    """Series columns, aligned step by step, as ``C`` scaled channels and one more for each that may be missing.

    A missing value is filled with the one before it, and with 0 (the mean of the training part) before the first. With
    ``missing="mask"`` every channel that lacks values in the training part has a mask channel: 1 where a value is
    there, 0 where it was filled.

    Args:
        columns: the series columns, joined in this order.
        names: of the channels.
        scaler: of the channels.
        missing: ``mask``, ``fill`` or ``error``.
        masked: the channels (places in ``names``) that have a mask channel.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    scaler: Scaler
    missing: str
    masked: tuple[int, ...] = ()

    @classmethod
    def fit(cls, table: Table, columns: tuple[str, ...], missing: str) -> Self:
        """From the training part.

        Raises:
            DataError: series of a row differ in length or rows in channels; an infinite value; a missing one where
                that is an error.
        """
        values, _ = joined(table, columns)
        if missing == "error":
            _refuse_missing(table, columns)
        names = [name for column in columns for name in _channel_names(table, column)]
        masked = np.flatnonzero(np.isnan(values).any(0)).tolist() if missing == "mask" else []
        return cls(columns, tuple(names), Scaler.fit([values]), missing, tuple(masked))

    @property
    def size(self) -> int:
        """Numbers a step."""
        return len(self.names) + len(self.masked)

    def encode(self, table: Table) -> Ragged:
        """A Ragged of ``(N, size)`` float32; raises ``DataError`` as :meth:`fit`, and on another number of channels."""
        values, lengths = joined(table, self.columns)
        if not len(lengths):
            values = np.empty((0, len(self.names)))
        if values.shape[1] != len(self.names):
            where = ", ".join(self.columns)
            raise DataError(f"{values.shape[1]} channels, but the model knows {len(self.names)}", column=where)
        if self.missing == "error":
            _refuse_missing(table, self.columns)
        there = ~np.isnan(values)
        filled = fill_forward(self.scaler.encode(values), lengths)
        with_masks = np.concatenate([filled, there[:, list(self.masked)]], axis=1).astype(np.float32)
        return Ragged(torch.from_numpy(with_masks), torch.from_numpy(lengths))

    def notes(self, table: Table) -> tuple[str, ...]:
        """What a user should know: missing values in channels that had none in training."""
        values, _ = joined(table, self.columns)
        counts = np.isnan(values).sum(0)
        new = [c for c in np.flatnonzero(counts).tolist() if c not in self.masked and c < len(self.names)]
        return tuple(f"channel '{self.names[c]}': {counts[c]:,} missing values were filled forward" for c in new)

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "columns": list(self.columns),
            "names": list(self.names),
            "scaler": self.scaler.to_config(),
            "missing": self.missing,
            "masked": list(self.masked),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the channels are damaged"):
            columns, names, masked = (tuple(config[key]) for key in ("columns", "names", "masked"))
            return cls(columns, names, Scaler.from_config(config["scaler"]), config["missing"], masked)


def joined(table: Table, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Series columns side by side: values ``(N, C)`` of all rows, end to end, and lengths ``(rows,)``.

    Raises:
        DataError: series of a row differ in length, or rows in channels; a value is infinite.
    """
    parts = []
    lengths = np.array([len(value) for value in table[columns[0]].values], dtype=np.int64)
    for name in columns:
        values = [np.asarray(value, dtype=np.float64) for value in table[name].values]
        for row, value in enumerate(values):
            problem = ""
            if len(value) != lengths[row]:
                problem = (
                    f"{len(value)} steps, but {lengths[row]} in '{columns[0]}': only series of one length are joined"
                )
            elif value.shape[1] != values[0].shape[1]:
                problem = f"{value.shape[1]} channels, but {values[0].shape[1]} in the first row"
            elif np.isinf(value).any():
                step = int(np.flatnonzero(np.isinf(value).any(1))[0]) + 1
                problem = f"an infinite value at step {step}; leave it empty where it is missing"
            if problem:
                raise DataError(problem, path=table.path, row=table.row(row), column=name)
        parts.append(np.concatenate(values) if values else np.empty((0, len(table[name].channels))))
    return np.concatenate(parts, axis=1), lengths


def fill_forward(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``(N, C)`` with every NaN replaced by the value before it in its sequence, or by 0 before the first."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    steps = np.arange(len(values))
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    latest = np.maximum.accumulate(np.where(gaps, -1, steps[:, None]), axis=0)
    filled = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
    return np.where(latest >= begins[:, None], filled, 0.0)


def _refuse_missing(table: Table, columns: Sequence[str]) -> None:
    for name in columns:
        for row, value in enumerate(table[name].values):
            if np.isnan(value).any():
                step = int(np.flatnonzero(np.isnan(value).any(1))[0]) + 1
                raise DataError(
                    f"a missing value at step {step}; data.missing=mask or fill would accept it",
                    path=table.path,
                    row=table.row(row),
                    column=name,
                )


def _channel_names(table: Table, column: str) -> list[str]:
    values = table[column].values
    count = np.asarray(values[0]).shape[1] if len(values) else 0
    return list(table[column].channels) or ([column] if count == 1 else [f"{column}.{c + 1}" for c in range(count)])
