"""Media: what turns the files of a column into the steps of sequences, fitted on the training part."""

from __future__ import annotations

from typing import Any, Protocol, Self

from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Table
from ostinato.sequences import Ragged


class Media(Protocol):
    """One row of ``ENCODERS`` in :mod:`ostinato.data.features`. JSON in, JSON out."""

    @property
    def size(self) -> int:
        """Numbers a step has."""
        ...

    @classmethod
    def fit(cls, column: Column, table: Table, data: DataSettings) -> Self:
        """From the training part; raises ``DataError`` on a file that cannot be read."""
        ...

    @property
    def frame(self) -> tuple[int, ...]:
        """``(C, H, W)`` where a step is a picture; else empty."""
        return ()

    @property
    def levels(self) -> tuple[float, ...]:
        """Mean and standard deviation of steps that are bytes; else empty."""
        return ()

    def encode(self, column: Column, table: Table) -> Ragged:
        """The files as steps ``(N, size)``; raises ``DataError`` on a file that cannot be read."""
        ...

    def vary(self, steps: Ragged) -> Ragged:
        """What a training batch reads instead, changed at random by PyTorch's own random numbers alone."""
        return steps

    def describe(self) -> str:
        """What a row is and a step: ``films, a frame of 32 x 32 pixels a step``."""
        ...

    def notes(self, column: Column) -> tuple[str, ...]:
        """What a user should know of these files against those of the training part."""
        del column
        return ()

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        ...

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        ...
