"""Rolls: files of notes as piano rolls, one number a key and step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ostinato.data.media.base import Media
from ostinato.data.media.midi import KEYS, Tune, read_midi
from ostinato.data.settings import DataSettings
from ostinato.data.table import Column, Table
from ostinato.errors import intact
from ostinato.sequences import Ragged


@dataclass(frozen=True)
class Rolls(Media):
    """88 numbers a step: 1 where a key sounds, else 0. Nothing is learned from the files.

    Args:
        steps_per_beat: steps a quarter note is cut into.
    """

    steps_per_beat: int

    @property
    def size(self) -> int:
        """88."""
        return KEYS

    @classmethod
    def fit(cls, column: Column, table: Table, data: DataSettings) -> Self:
        """By the settings alone; the files are read by :meth:`encode`."""
        del column, table
        return cls(data.music.steps_per_beat)

    def encode(self, column: Column, table: Table) -> Ragged:
        """The files as steps ``(N, 88)`` float32; raises ``DataError`` on one that cannot be read."""
        del table  # a file that cannot be read names itself
        keys = [tune.keys for tune in self._tunes(column.values)]
        lengths = torch.tensor([len(one) for one in keys], dtype=torch.int64)
        values = np.concatenate([np.zeros((0, KEYS), dtype=bool), *keys]).astype(np.float32)
        return Ragged(torch.from_numpy(values), lengths)

    def describe(self) -> str:
        """What a row is and a step."""
        return f"tunes, {self.steps_per_beat} steps a beat"

    def notes(self, column: Column) -> tuple[str, ...]:
        """How many notes were left out, and why."""
        counts = Counter[str]()
        for tune in self._tunes(column.values):
            counts.update(dict(tune.left_out))
        return tuple(f"{count:,} {why} left out" for why, count in sorted(counts.items()))

    def _tunes(self, paths: Sequence[Path] | np.ndarray) -> list[Tune]:
        return [read_midi(path, self.steps_per_beat) for path in paths]

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return {"steps_per_beat": self.steps_per_beat}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`; raises ``ModelFolderError`` on what does not fit."""
        with intact("the piano rolls are damaged"):
            return cls(int(config["steps_per_beat"]))
