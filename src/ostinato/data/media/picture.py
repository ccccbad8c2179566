"""Picture: an image file, or an array of pixels, as bytes ``(C, height, width)``; what films and images share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ostinato.data.media.base import Media
from ostinato.data.settings import VisionSettings
from ostinato.data.table import Column, Table
from ostinato.errors import DataError, UsageError
from ostinato.sequences import Ragged

MOST_PIXELS = 1 << 25
"""Pixels a picture may have, before it is scaled: 33 million, a frame of 8K."""
SAMPLE = 64
"""Files of the training part from which the scale is taken: films are slow to decode."""
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "GIF", "TIFF")
"""Which of Pillow's readers may see a file."""


def picture(source: Path | np.ndarray, vision: VisionSettings) -> np.ndarray:
    """Bytes ``(C, height, width)``, scaled to ``vision.size``, in colours (red, green, blue) or in brightness.

    The camera's orientation is respected; what is transparent is white.

    Args:
        source: an image file, or its pixels ``(height, width)`` or ``(height, width, 3)`` uint8.
        vision: size and colour.

    Raises:
        DataError: the file is damaged, too large, or holds several images.
        UsageError: Pillow is missing.
    """
    image = _opened(source) if isinstance(source, Path) else _library().fromarray(source)
    image = image.convert("RGB" if vision.colour else "L")
    if vision.size and image.size != (vision.size, vision.size):
        image = image.resize((vision.size, vision.size), _library().Resampling.BILINEAR)
    pixels = np.array(image)
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _opened(path: Path) -> Any:
    """A file as an image of mode L or RGB."""
    library = _library()
    from PIL import ImageOps

    try:
        with warnings.catch_warnings(), path.open("rb") as file, library.open(file, formats=FORMATS) as image:
            warnings.simplefilter("ignore")  # of what Pillow says of large or odd files the limits below are the judge
            _check(image, path)
            image.load()
            return _plain(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except OSError as error:
        told = error.strerror or "no PNG, JPEG, BMP, PPM, GIF or TIFF that can be read"
        raise DataError(f"is damaged or no image ({told}): mend it or take it out", path=path) from error
    except Exception as error:  # whatever else a decoder says of bytes it cannot read
        raise DataError(f"is damaged ({error}): mend it or take it out", path=path) from error


def _check(image: Any, path: Path) -> None:
    """By the head of the file, before it is unpacked."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise DataError(f"has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,}: scale it", path=path)
    count = getattr(image, "n_frames", 1)
    if count > 1:
        raise DataError(f"holds {count} images: read it as a film (kind video), or keep one", path=path)


def _plain(image: Any) -> Any:
    if image.mode.startswith("I"):  # 16 bits, which a plain conversion would cut off at 255
        return _library().fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        ground = _library().new("RGBA", image.size, "white")
        return _library().alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image


def _library() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise UsageError('images need the library Pillow: pip install "ostinato[video]"') from None
    return Image


class Sight(Media):
    """What films and images share: settings, the shape of a picture, and places in messages.

    Args:
        vision: how they are read; its size is that of every picture, if not 0.
        shape: ``(C, height, width)`` of every picture.
        levels: mean and standard deviation of the bytes of the training part.
    """

    def __init__(
        self, vision: VisionSettings, shape: tuple[int, int, int], levels: tuple[float, float] = (0.0, 255.0)
    ) -> None:
        self.vision, self.shape, self._levels = vision, shape, levels

    @property
    def levels(self) -> tuple[float, ...]:
        """Mean and standard deviation of the bytes."""
        return self._levels

    def fitted_to(self, column: Column, table: Table) -> Self:
        """The same, with the levels of some files of the training part, evenly spread over it."""
        rows = np.unique(np.linspace(0, len(column) - 1, SAMPLE).round().astype(np.int64))
        values = self.encode(column.take(rows), table.take(rows)).values.numpy()
        spread = float(values.std(dtype=np.float64))
        return type(self)(self.vision, self.shape, (float(values.mean(dtype=np.float64)), spread or 1.0))

    def fitting(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """Raises ``DataError`` where ``pixels`` ``(C, height, width)`` have another shape than those learned from."""
        if pixels.shape != self.shape:
            found, known = (f"{width:,} x {height:,} pixels" for _, height, width in (pixels.shape, self.shape))
            raise DataError(f"{name}{found}, but the first one has {known}: set vision.size to scale all to one size")
        return pixels

    def to_config(self) -> dict[str, Any]:
        """As JSON."""
        return {"vision": vars(self.vision), "shape": list(self.shape), "levels": list(self._levels)}


def each(column: Column, table: Table, read: Callable[[Any], np.ndarray]) -> Ragged:
    """``read`` of every value, ``(T, size)``, end to end.

    Raises:
        DataError: a value is missing, or ``read`` says so; names the row of a table, or the file.
    """
    found = []
    for row, value in enumerate(column.values):
        try:
            found.append(torch.from_numpy(read(_named(value, absent=row in column.missing))))
        except DataError as error:
            line = table.row(row)
            if line is not None:
                raise DataError(str(error), path=table.path, row=line, column=column.name) from error
            if error.path is not None:
                raise
            where = value if isinstance(value, Path) else table.path
            raise DataError(str(error), path=where, column=None if where else column.name) from error
    return Ragged.from_list(found)


def _named(value: Any, *, absent: bool) -> Any:
    if absent:
        raise DataError("no file is named: fill the cell in, or take the row out")
    return value


def moved(pixels: Tensor, down: int, right: int) -> Tensor:
    """Pixels ``(…, height, width)`` moved within their frame; what comes in repeats the edge."""
    height, width = pixels.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - right).clamp(0, width - 1)
    return pixels[..., rows[:, None], columns]


def moves(most: int, count: int) -> list[list[int]]:
    """``count`` pairs of whole numbers from ``-most`` to ``most``."""
    drawn: list[list[int]] = torch.randint(-most, most + 1, (count, 2)).tolist()
    return drawn
