"""Films: a sequence of frames, decoded one at a time and scaled at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ostinato.data.media import kind_of
from ostinato.data.media.decode import MOST_FRAMES, decoded
from ostinato.data.media.image import check, stored
from ostinato.data.media.picture import Sight, each, moved, moves, picture
from ostinato.data.settings import DataSettings, VisionSettings
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError
from ostinato.sequences import Ragged

LARGEST = 64
"""Pixels of a side to which larger frames are scaled where ``vision.size`` says nothing."""
MOST_BYTES = 1 << 31
"""Bytes that the scaled frames of one film may take: 2 GiB."""


class Films(Sight):
    """Every film as ``T`` frames of ``C * height * width`` bytes, which a model's front end sees as pictures.

    Steps are uint8, which a model scales. Of a film one decoded frame is in memory at a time, beside the
    scaled ones.
    """

    @property
    def size(self) -> int:
        """``C * height * width``."""
        colours, height, width = self.shape
        return colours * height * width

    @property
    def frame(self) -> tuple[int, ...]:
        """``(C, height, width)``."""
        return self.shape

    @classmethod
    def fit(cls, column: Column, table: Table, data: DataSettings) -> Self:
        """The size is that of the first film's first frame, at most :data:`LARGEST` a side."""
        check(data.vision)
        if not len(column):
            raise DataError("there are no films to learn from", path=table.path, column=column.name)
        one = np.array([0])
        first = each(column.take(one), table.take(one), lambda path: next(frames(path, data.vision))[None])
        colours, height, width = first.values.shape[1:]
        vision = data.vision
        if not vision.size and max(height, width) > LARGEST:
            vision, height, width = replace(vision, size=LARGEST), LARGEST, LARGEST
        return cls(vision, (colours, height, width)).fitted_to(column, table)

    def encode(self, column: Column, table: Table) -> Ragged:
        """``(N, size)`` uint8, every frame colour by colour, row after row."""
        if not len(column):
            return Ragged(torch.empty(0, self.size, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
        return each(column, table, self._steps)

    def _steps(self, path: Path) -> np.ndarray:
        found: list[np.ndarray] = []
        for number, pixels in enumerate(frames(path, self.vision), start=1):
            if number > MOST_FRAMES or number * self.size > MOST_BYTES:
                told = f"holds more than {number - 1:,} frames of {self.size:,} bytes"
                raise DataError(f"{told}: cut it into shorter films, or set vision.rate, vision.size", path=path)
            try:
                found.append(self.fitting(pixels, f"frame {number:,}: ").reshape(-1))
            except DataError as error:
                raise DataError(str(error), path=path) from error
        return np.stack(found)

    def vary(self, steps: Ragged) -> Ragged:
        """Each film moved by up to ``vision.shift`` pixels, all of its frames alike."""
        if not self.vision.shift or not len(steps):
            return steps
        films = [film.view(-1, *self.shape) for film in steps]
        pairs = zip(films, moves(self.vision.shift, len(steps)), strict=True)
        return Ragged(torch.cat([moved(film, *by).flatten(1) for film, by in pairs]), steps.lengths)

    def describe(self) -> str:
        """``films, a frame of 32 x 32 pixels a step``."""
        colours, height, width = self.shape
        rate = f", {self.vision.rate:g} frames a second" if self.vision.rate else ""
        return f"films, a frame of {width:,} x {height:,} pixels{' in colour' if colours > 1 else ''} a step{rate}"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        return cls(*stored(config))


def frames(path: Path, vision: VisionSettings) -> Iterator[np.ndarray]:
    """The frames of a film, bytes ``(C, height, width)`` each; of a folder, its images in the order of their numbers.

    Raises:
        DataError: there is no frame; one is broken; the frames come at unequal intervals and ``vision.rate`` is 0.
        UsageError: a library is missing.
    """
    if not path.is_dir():
        yield from decoded(path, vision)
        return
    if vision.rate:
        raise DataError("is a folder of frames, which have no times: set vision.rate=0", path=path)
    files = [file for file in path.iterdir() if file.is_file() and kind_of(file) is Kind.IMAGE]
    if not files:
        raise DataError("holds no frames: a film is a file, or a folder of images", path=path)
    for file in sorted(files, key=by_number):
        yield picture(file, vision)


def by_number(path: Path) -> list[tuple[int, int, str]]:
    """By which names are sorted as a person counts: ``frame9`` before ``frame10``."""
    parts = re.findall(r"\d+|\D+", path.name, re.ASCII)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
