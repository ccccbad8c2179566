"""The files of MNIST."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ostinato.data import read
from ostinato.data.settings import DataSettings
from ostinato.data.table import Kind
from ostinato.errors import DataError


def write(path: Path, values: np.ndarray) -> Path:
    head = bytes([0, 0, 8, values.ndim]) + b"".join(int(size).to_bytes(4, "big") for size in values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


IMAGES = np.arange(3 * 4 * 5).reshape(3, 4, 5)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_images_and_their_labels(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / f"t-images-idx3-ubyte{end}", IMAGES)
    assert list(read(path, DataSettings()).columns) == ["image"]
    write(tmp_path / "t-labels-idx1-ubyte.gz", np.array([7, 0, 7]))
    table = read(path, DataSettings())
    assert table["image"].kind is Kind.IMAGE
    assert np.array_equal(np.stack(list(table["image"].values)), IMAGES)
    assert table["label"].values == ["7", "0", "7"]
    assert table.notes == ("3 images of 5 x 4 pixels", "labels from t-labels-idx1-ubyte.gz")
    assert read(path, DataSettings(), "pairs")["image"].kind is Kind.IMAGE


@pytest.mark.parametrize(
    ("values", "cut", "told"),
    [
        (IMAGES, 3, "no idx file"),
        (IMAGES, 10, "no idx file"),
        (IMAGES, 40, "says that it holds 3 x 4 x 5 bytes, but 24 follow"),
        (IMAGES[0], None, "of shape \\(4, 5\\), no images"),
        (IMAGES[:0], None, "no images"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, values: np.ndarray, cut: int | None, told: str) -> None:
    path = write(tmp_path / "t-images-idx3-ubyte", values)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=told) as caught:
        read(path, DataSettings())
    assert caught.value.path == path


def test_labels_of_other_images(tmp_path: Path) -> None:
    path = write(tmp_path / "t-images-idx3-ubyte", IMAGES)
    labels = write(tmp_path / "t-labels-idx1-ubyte", np.array([1, 2]))
    with pytest.raises(DataError, match=r"labels of shape \(2,\) beside 3 images") as caught:
        read(path, DataSettings())
    assert caught.value.path == labels


def test_a_size_that_no_file_has(tmp_path: Path) -> None:
    """Nothing is allocated by what a head says."""
    path = tmp_path / "t-images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"x")
    with pytest.raises(DataError, match="but 1 follow"):
        read(path, DataSettings())
