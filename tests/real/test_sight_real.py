"""Images and films of the real data sets: read as they are described, and what can be learned of them in minutes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from benchmarks.moving import moving_digits

import ostinato
from ostinato.data import Kind, read
from ostinato.data.settings import DataSettings
from ostinato.data.split import split

pytestmark = pytest.mark.real


def test_mnist(real_data: Path) -> None:
    train = read(real_data / "mnist_10k/train-10k-images-idx3-ubyte.gz", DataSettings())
    test = read(real_data / "mnist_10k/t10k-images-idx3-ubyte.gz", DataSettings())
    assert (len(train), len(test)) == (10_000, 10_000)
    assert train["image"].kind is Kind.IMAGE
    assert train["label"].values[:5] == ["5", "0", "4", "1", "9"]
    assert test["label"].values[:5] == ["7", "2", "1", "0", "4"]
    pixels = np.stack(list(train["image"].values))
    assert pixels.shape == (10_000, 28, 28)
    assert 33 < pixels.mean() < 34


def test_gestures(real_data: Path) -> None:
    """The blocks of a class lie one after the other in the file."""
    path = real_data / "gesture_point_history/point_history.csv"
    data = DataSettings(target="column_1", split="blocks", test=0.2)
    table = read(path, data)
    assert Counter(table["column_1"].values) == {"0": 1481, "1": 1234, "2": 1279, "3": 1302}
    assert {len(series) for series in table["values"].values} == {32}
    parts = split(table, data, 0)
    labels = np.array(table["column_1"].values)
    for label in "0123":
        train, valid, test = (rows[labels[rows] == label] for rows in (parts.train, parts.valid, parts.test))
        assert train.max() < valid.min() <= valid.max() < test.min()
        assert valid.max() - valid.min() >= 16  # frames of a window: none of the test is also of a training row


RECIPES = {
    "digit": {
        "vision.size": 32,
        "vision.rate": 6.0,
        "vision.shift": 2,
        "model.dropout": 0.2,
        "model.embedding": 128,
        "training.epochs": 10,
    },
    "direction": {"vision.size": 24, "training.epochs": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize(("target", "least"), [("digit", 0.93), ("direction", 0.95)])
def test_moving_digits(real_data: Path, tmp_path: Path, target: str, least: float) -> None:
    """Films of unseen digits, encoded as MP4: which digit (of 6,000 films: measured 94.3 %), and which way it moves."""
    made = moving_digits(real_data, tmp_path, train=6000)
    settings = {"data.target": target, "data.inputs": ("film",), "model.hidden": 64} | RECIPES[target]
    run = ostinato.train(made, settings, tmp_path / "run", test=made.parent / "test.csv")
    assert run.metrics["test"]["model"]["accuracy"] >= least
