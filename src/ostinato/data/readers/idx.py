"""IDX: the files of MNIST: images, with their labels in a file beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ostinato.data.readers.source import Source
from ostinato.data.table import Column, Kind, Table
from ostinato.errors import DataError

IMAGE, LABEL = "image", "label"
BYTES = b"\0\0\x08"
"""How a file of unsigned bytes begins; the number of dimensions follows."""


def read_idx(source: Source) -> Table:
    """``image``, and ``label`` where the file beside it, ``…-labels-idx1-ubyte``, is there.

    Raises:
        DataError: the file is truncated or holds no images; there are more or fewer labels than images.
    """
    pixels = _array(source)
    if pixels.ndim != 3 or not pixels.size:
        raise DataError(f"holds numbers of shape {pixels.shape}, no images: name the file of images", path=source.path)
    columns = {IMAGE: Column(IMAGE, Kind.IMAGE, list(pixels))}
    beside = _labels_beside(source.path)
    notes = [f"{len(pixels):,} images of {pixels.shape[2]} x {pixels.shape[1]} pixels"]
    if beside is not None:
        labels = _array(Source(beside))
        if labels.shape != pixels.shape[:1]:
            found = f"holds labels of shape {labels.shape} beside {len(pixels):,} images of {source.path.name}"
            raise DataError(f"{found}: put the labels of these images there", path=beside)
        columns[LABEL] = Column(LABEL, Kind.CATEGORY, [str(label) for label in labels.tolist()])
        notes.append(f"labels from {beside.name}")
    return Table(columns, source.path, np.arange(1, len(pixels) + 1), tuple(notes))


def _labels_beside(path: Path) -> Path | None:
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    plain = path.with_name(name.removesuffix(".gz"))
    found = [one for one in (path.with_name(name), plain, Path(f"{plain}.gz")) if one != path and one.is_file()]
    return found[0] if found else None


def _array(source: Source) -> np.ndarray:
    data = source.data
    dimensions = data[3] if data.startswith(BYTES) and len(data) > 3 else 0
    head = 4 + 4 * dimensions
    if not dimensions or len(data) < head:
        raise DataError(
            "is no idx file of bytes: it begins with 0, 0, 8 and the number of dimensions", path=source.path
        )
    shape = tuple(int(size) for size in np.frombuffer(data[4:head], ">u4"))
    wanted = int(np.prod(shape, dtype=object))
    if len(data) - head != wanted:
        size = " x ".join(f"{one:,}" for one in shape)
        told = f"says that it holds {size} bytes, but {len(data) - head:,} follow"
        raise DataError(f"{told}: it was cut off or is damaged; fetch it again", path=source.path)
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)
