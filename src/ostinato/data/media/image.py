"""Images: a sequence of rows, or of pixels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ostinato.data.media.picture import Sight, each, moved, moves, picture
from ostinato.data.settings import DataSettings, VisionSettings
from ostinato.data.table import Column, Table
from ostinato.errors import DataError, ModelFolderError, UsageError, intact
from ostinato.sequences import Ragged


class Images(Sight):
    """Every image as ``T = height`` rows of ``width * C`` bytes, or as ``T = height * width`` pixels of ``C`` bytes.

    Steps are uint8, which a model scales. All images have one size, by themselves or by ``vision.size``.
    """

    @property
    def size(self) -> int:
        """``width * C`` of a row, ``C`` of a pixel."""
        colours, _, width = self.shape
        return colours * width if self.vision.steps == "row" else colours

    @classmethod
    def fit(cls, column: Column, table: Table, data: DataSettings) -> Self:
        """The size is that of the first image."""
        vision = data.vision
        check(vision)
        if not len(column):
            raise DataError("there are no images to learn from", path=table.path, column=column.name)
        first = each(column.take(np.array([0])), table.take(np.array([0])), lambda value: picture(value, vision))
        colours, height, width = first.values.shape
        return cls(vision, (colours, height, width)).fitted_to(column, table)

    def encode(self, column: Column, table: Table) -> Ragged:
        """``(N, size)`` uint8, row after row, from the left to the right."""
        if not len(column):
            return Ragged(torch.empty(0, self.size, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
        return each(column, table, self._steps)

    def _steps(self, value: Path | np.ndarray) -> np.ndarray:
        pixels = self.fitting(picture(value, self.vision), "")
        return np.ascontiguousarray(pixels.transpose(1, 2, 0)).reshape(-1, self.size)

    def vary(self, steps: Ragged) -> Ragged:
        """Each image moved by up to ``vision.shift`` pixels."""
        if not self.vision.shift or not len(steps):
            return steps
        colours, height, width = self.shape
        images = steps.values.view(len(steps), height, width, colours).permute(0, 3, 1, 2)
        pairs = zip(images, moves(self.vision.shift, len(steps)), strict=True)
        shifted = torch.stack([moved(image, down, right) for image, (down, right) in pairs])
        return Ragged(shifted.permute(0, 2, 3, 1).reshape(-1, self.size), steps.lengths)

    def describe(self) -> str:
        """``images, 28 rows of 28 pixels each``."""
        colours, height, width = self.shape
        told = f"{height:,} rows of {width:,} pixels" if self.vision.steps == "row" else f"{height * width:,} pixels"
        return f"images, {told}{', in colour' if colours > 1 else ''} each"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_config`."""
        return cls(*stored(config))


def check(vision: VisionSettings) -> None:
    """Raises ``UsageError`` on a setting that cannot be."""
    for key in ("rate", "size", "shift"):
        if not 0 <= getattr(vision, key) < 100_000:
            raise UsageError(f"vision.{key} is {getattr(vision, key)}; it must be 0 or more")
    if vision.steps not in {"row", "pixel"}:
        raise UsageError(f"vision.steps cannot be '{vision.steps}'. Known: 'row', 'pixel'.")


def stored(config: dict[str, Any]) -> tuple[VisionSettings, tuple[int, int, int], tuple[float, float]]:
    """What :meth:`Sight.to_config` stored."""
    with intact("what reads the pictures is damaged"):
        colours, height, width = (int(size) for size in config["shape"])
        mean, std = (float(number) for number in config["levels"])
        vision = VisionSettings(**config["vision"])
        check(vision)
    if min(colours, height, width) < 1 or not 0 < std < math.inf or not math.isfinite(mean):
        found = f"pictures of {config['shape']}, scaled by {config['levels']}"
        raise ModelFolderError(f"what reads the pictures is damaged: {found}")
    return vision, (colours, height, width), (mean, std)
